/** Where regions are entered. */
import type { Block } from "../../../../../lib/cpu/i386/engines/jit/discover.ts";
import { headAround } from "../../../../../lib/cpu/i386/engines/jit/entries.ts";
import { layOut } from "../../../../../lib/cpu/i386/engines/jit/structure.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";

/** Blocks by start, the first one entered; `edges` are starts too. */
function graph(...list: readonly (readonly [start: number, ...edges: number[]])[]): Block[] {
  const id = (start: number): number => list.findIndex(([s]) => s === start);
  return list.map(([start, ...edges], n) => ({
    ...{ id: n, start, instructions: [], successors: edges.map(id) },
    ...{ isEntry: n === 0, afterCall: false, guarded: undefined },
  }));
}

Deno.test("headAround(): the head of the innermost loop around a block, if it is another one", () => {
  // 10: outer head; 20 to 40: inner loop; 50 leads back to 10.
  const blocks = graph([30, 40], [40, 20, 50], [20, 30], [50, 10, 60], [10, 20], [60]);
  assertEquals(headAround(blocks), 20);
  assertEquals(headAround(graph([20, 30], [30, 20, 40], [40])), undefined, "a head");
  assertEquals(headAround(graph([20, 30], [30, 40], [40])), undefined, "no loop");
});

Deno.test("layOut(): an entry in the middle of a loop leaves the loops nested as they are", () => {
  // Entered at 40, in the inner loop from 30; 10 to 50 is the outer one.
  const blocks = graph([40, 30, 50], [30, 40], [50, 10, 60], [10, 20], [20, 30], [60]);
  const [loop, last] = layOut(blocks, [0]);
  assertEquals(last, { kind: "block", id: 5 });
  if (loop.kind !== "loop") throw new Error("The blocks are a loop");
  assertEquals(loop.heads.map((id) => blocks[id].start), [10]);
  assertEquals(loop.entries.map((id) => blocks[id].start), [10, 40]);
  const inner = loop.body.find((i) => i.kind === "loop");
  if (inner?.kind !== "loop") throw new Error("There is a loop inside");
  assertEquals(inner.heads.map((id) => blocks[id].start), [30]);
  assertEquals(inner.body.map((i) => i.kind === "block" ? blocks[i.id].start : -1), [30, 40]);
});

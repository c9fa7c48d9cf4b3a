/** Which function of the interpreter has which case. */
import { cases } from "../../../../../lib/cpu/i386/engines/interpreter/cases.ts";
import { partition } from "../../../../../lib/cpu/i386/engines/interpreter/partition.ts";
import { FIRST_TREE } from "../../../../../lib/cpu/i386/engines/interpreter/record.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";

Deno.test("partition(): each case has a place; rare ones are in no loop; the flat loop has nothing segmented", () => {
  const { flat, other, rare } = partition();
  const all = cases().trees;
  all.forEach((one, i) => {
    const h = FIRST_TREE + i, inLoop = flat.has(h) || other.has(h);
    assertEquals(inLoop, !rare.includes(h), `case ${h}`);
    if (flat.has(h)) assert(!one.segmented && one.opSize === 32, `case ${h} in the flat loop`);
    if (flat.has(h) && other.has(h)) assertEquals(one.row.width, 8, `case ${h} in both loops`);
  });
  assertEquals(flat.size + other.size + rare.length >= all.length, true);
});

Deno.test("partition(): the loops stay small, since V8 optimizes them as a whole", () => {
  const { flat, other } = partition();
  assert(flat.size > 40 && flat.size < 140, `${flat.size} cases in the flat loop`);
  assert(other.size > 40 && other.size < 260, `${other.size} cases in the other loop`);
});

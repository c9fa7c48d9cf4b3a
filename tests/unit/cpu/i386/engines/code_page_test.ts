/** Which runs of predecoded code a write drops. */
import { CodePage, GRANULES } from "../../../../../lib/cpu/i386/engines/interpreter/code_cache.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";

function page(): CodePage {
  const p = new CodePage(3, 3, -1);
  p.entries.set(0x100, 1000);
  p.entries.set(0x110, 1096);
  p.entries.set(0x200, 2000);
  p.add(1000, 1160, 0x100, 0x118);
  p.add(2000, 2064, 0x200, 0x208);
  return p;
}

Deno.test("CodePage.drop(): runs whose bytes were written go, with their entries; others stay", () => {
  const p = page(), killed: number[][] = [];
  p.drop(0x117, 0x11b, ({ first, end }) => void killed.push([first, end]));
  assertEquals(killed, [[1000, 1160]]);
  assertEquals([...p.entries.keys()], [0x200]);
  assertEquals([p.touches(0x100, 0x140), p.touches(0x200, 0x201), p.isEmpty], [false, true, false]);
  p.drop(0x208, 0x300, () => {
    throw new Error("nothing was written there");
  });
  p.drop(0, 0x1000, () => {});
  assertEquals([p.touches(0, 0x1000), p.isEmpty, p.entries.size], [false, true, 0]);
});

Deno.test("CodePage.drop(): a run that is mended stays", () => {
  const p = page();
  p.drop(0x101, 0x105, () => {
    throw new Error("it was mended");
  }, (_, run, from, to) => run.from === 0x100 && from === 0x101 && to === 0x105);
  assertEquals(p.entries.get(0x100), 1000);
});

Deno.test("CodePage.hold(): granules of a translation count until it lets go", () => {
  const p = new CodePage(3, 3, -1), granules = new Uint8Array(GRANULES);
  granules[5] = 1;
  p.hold(granules);
  assertEquals([p.touches(0x140, 0x141), p.touches(0x180, 0x181), p.isEmpty], [true, false, false]);
  p.release(granules);
  assertEquals([p.touches(0x140, 0x141), p.isEmpty], [false, true]);
});

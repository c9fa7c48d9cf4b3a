/** Which function of the interpreter has which case, in whatever order shapes are asked for. */
import { Prng } from "../../../../../lib/base/prng.ts";
import { type Case, Cases } from "../../../../../lib/cpu/i386/engines/interpreter/cases.ts";
import { FIRST_OF, isCommon } from "../../../../../lib/cpu/i386/engines/interpreter/partition.ts";
import { TREES } from "../../../../../lib/cpu/i386/semantics/index.ts";
import { OPS } from "../../../../../lib/spec/i386_ops.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";

/** Asks for every shape there is, in an order of its own. */
function askAll(cases: Cases, seed: number): Case[] {
  const asked: (() => readonly (Case | undefined)[])[] = [];
  OPS.forEach((row, index) => {
    if (TREES[row.sem] === undefined) return;
    for (const isMem of row.mod === "mem" ? [true] : row.mod === "reg" ? [false] : [false, true]) {
      for (const rep of row.rep === undefined ? [0] : [0, 0xf2, 0xf3]) {
        for (const bits of [0, 1, 2, 3, 4, 5, 6, 7]) {
          const size = (bit: number): 16 | 32 => (bits & bit) === 0 ? 32 : 16;
          asked.push(() => {
            const { flat, segmented } = cases.find(index, isMem, rep, [size(1), size(2), size(4)]);
            return [flat, segmented];
          });
        }
      }
    }
  });
  const prng = new Prng(seed);
  for (let i = asked.length - 1; i > 0; i--) {
    const k = prng.below(i + 1);
    [asked[i], asked[k]] = [asked[k], asked[i]];
  }
  return asked.flatMap((ask) => ask()).filter((one) => one !== undefined);
}

Deno.test("Cases: each case has the number of its kind; the flat loop has nothing segmented, whatever is asked for first", () => {
  for (const seed of [1, 2, 3]) {
    const cases = new Cases();
    for (const one of askAll(cases, seed)) {
      const { handler, kind, row, isMem, opSize, segmented } = one;
      assertEquals(cases.byHandler(handler), one);
      assertEquals(kind === "rare", !isCommon(row, isMem), `case ${handler}`);
      if (kind === "flat") assert(!segmented && opSize === 32, `case ${handler} in the flat loop`);
    }
  }
});

Deno.test("Cases.other has the narrow cases and, of the flat ones, those for bytes", () => {
  const cases = new Cases();
  const other = cases.other;
  for (const { kind, row } of other) assert(kind === "other" || kind === "flat" && row.width === 8);
  assertEquals(new Set(other.map(({ handler }) => handler)).size, other.length);
  const made = askAll(cases, 4).filter(({ kind }) => kind === "other");
  for (const one of made) assert(other.includes(one), `case ${one.handler}`);
});

Deno.test("Cases: the loops stay small, since V8 optimizes them as a whole", () => {
  const cases = new Cases(), flat = cases.flat.length, other = cases.other.length;
  assert(flat > 40 && flat < FIRST_OF.other - FIRST_OF.flat, `${flat} cases in the flat loop`);
  assert(other > 40 && other < 260, `${other} cases in the other loop`);
});

Deno.test("Cases makes rare cases only when they are asked for", () => {
  const cases = new Cases();
  const xchg = OPS.findIndex(({ sem, width }) => sem === "xchg" && width === "v");
  assertEquals(cases.byHandler(FIRST_OF.rare), undefined);
  const { segmented } = cases.find(xchg, false, 0, [32, 32, 32]);
  assertEquals(segmented.handler, FIRST_OF.rare);
  assertEquals(cases.find(xchg, false, 0, [32, 32, 16]).segmented, segmented);
});

/** Comparison, classification, remainder, scaling: one readable case each. */
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { readEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { free, statusWord } from "../../../../../lib/cpu/i386/x87/stack.ts";
import { FakeContext } from "../fake_context.ts";
import { execute, load, show } from "./x87_fixture.ts";

const CONDITIONS = 0x4700;

/** An x87 with these numbers pushed in order, the last in ST(0). */
function withNumbers(...numbers: readonly [number, bigint][]): FakeContext {
  const c = new FakeContext();
  for (const [exponent, mantissa] of numbers) load(c, exponent, mantissa);
  return c;
}

const ONE: [number, bigint] = [0x3fff, 1n << 63n];
const TWO: [number, bigint] = [0x4000, 1n << 63n];
const QUIET: [number, bigint] = [0x7fff, 3n << 62n];

Deno.test("FXAM: C3, C2, C0 by class, C1 the sign, also of an empty register", () => {
  const cases: [number, bigint, number][] = [
    [0x3fff, 1n << 63n, 0x0400],
    [0xbfff, 1n << 63n, 0x0600],
    [0x0000, 0n, 0x4000],
    [0xffff, 1n << 63n, 0x0700],
    [0x7fff, 3n << 62n, 0x0100],
    [0x0000, 1n, 0x4400],
    [0x0000, 1n << 63n, 0x4400], // pseudo-denormal
    [0x3fff, 1n << 62n, 0x0000], // unnormal
    [0x7fff, 0n, 0x0000], // pseudo-infinity
  ];
  for (const [exponent, mantissa, wanted] of cases) {
    const c = withNumbers([exponent, mantissa]);
    execute(c, "fxam");
    assertEquals(statusWord(c.state.i32) & CONDITIONS, wanted, mantissa.toString(16));
  }
  const c = withNumbers([0xbfff, 1n << 63n]);
  free(c.state.i32, 0);
  execute(c, "fxam");
  assertEquals(statusWord(c.state.i32) & CONDITIONS, 0x4300);
});

Deno.test("FCOM and FUCOM: only FCOM finds a quiet NaN invalid", () => {
  const results = (["fcom", "fucom"] as const).map((sem) => {
    const c = withNumbers(QUIET, ONE);
    execute(c, sem);
    return statusWord(c.state.i32) & (CONDITIONS | 1);
  });
  assertEquals(results, [0x4501, 0x4500]);
});

Deno.test("FCOMI: less, equal, greater, unordered in ZF PF CF; OF SF AF are cleared", () => {
  const results = [[TWO, ONE], [ONE, ONE], [ONE, TWO], [QUIET, ONE]].map((pair) => {
    const c = withNumbers(...pair);
    execute(c, "fcomi");
    return readEflags(c.state) & 0x8d5;
  });
  assertEquals(results, [0x01, 0x40, 0x00, 0x45]);
});

Deno.test("FPREM: quotient bits in C0 C3 C1; exponents far apart are reduced in part with C2", () => {
  const c = withNumbers([0x4000, 3n << 62n], [0x4003, 0x9800000000000000n]); // 19 modulo 3
  execute(c, "fprem");
  assertEquals([show(c, 0), statusWord(c.state.i32) & CONDITIONS], ["3fff:8000000000000000", 0x4100]);
  const far = withNumbers([0x3fff, 3n << 62n], [0x4063, 1n << 63n]); // 2^100 modulo 1.5
  execute(far, "fprem");
  assertEquals([show(far, 0), statusWord(far.state.i32) & 0x400], ["403f:8000000000000000", 0x400]);
  execute(far, "fprem");
  assertEquals([show(far, 0), statusWord(far.state.i32) & 0x400], ["401f:8000000000000000", 0x400]);
  execute(far, "fprem");
  assertEquals([show(far, 0), statusWord(far.state.i32) & 0x400], ["3fff:8000000000000000", 0]);
});

Deno.test("FPREM1: the quotient is rounded to nearest", () => {
  const c = withNumbers([0x4000, 3n << 62n], [0x4001, 5n << 61n]); // 5 modulo 3
  execute(c, "fprem1");
  assertEquals([show(c, 0), statusWord(c.state.i32) & CONDITIONS], ["bfff:8000000000000000", 0x4000]);
});

Deno.test("FXTRACT and FSCALE undo one another; FXTRACT of zero divides by zero", () => {
  const c = withNumbers([0xc123, 0xabcdef0123456789n]);
  execute(c, "fxtract");
  assertEquals([show(c, 0), show(c, 1)], ["bfff:abcdef0123456789", "4007:9200000000000000"]);
  execute(c, "fscale");
  assertEquals(show(c, 0), "c123:abcdef0123456789");
  const zero = withNumbers([0x8000, 0n]);
  execute(zero, "fxtract");
  assertEquals([show(zero, 0), show(zero, 1)], ["8000:0000000000000000", "ffff:8000000000000000"]);
  assertEquals(statusWord(zero.state.i32) & 0x3f, 4);
});

Deno.test("FSQRT: exact and negative", () => {
  const c = withNumbers([0x4002, 9n << 60n]); // 9
  execute(c, "fsqrt");
  assertEquals([show(c, 0), statusWord(c.state.i32) & 0x3f], ["4000:c000000000000000", 0]);
  execute(c, "fchs");
  execute(c, "fsqrt");
  assertEquals([show(c, 0), statusWord(c.state.i32) & 0x3f], ["ffff:c000000000000000", 1]);
});

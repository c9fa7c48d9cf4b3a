/** Arithmetic kernels: known results, and all against exact integer arithmetic. */
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { Prng } from "../../../../../lib/base/prng.ts";
import { add, sub } from "../../../../../lib/cpu/i386/x87/float80/add.ts";
import { roundBig } from "../../../../../lib/cpu/i386/x87/float80/big.ts";
import { div } from "../../../../../lib/cpu/i386/x87/float80/divide.ts";
import { mul } from "../../../../../lib/cpu/i386/x87/float80/multiply.ts";
import { FakeContext } from "../fake_context.ts";
import { execute, load, show } from "./x87_fixture.ts";
import { setControlWord, statusWord } from "../../../../../lib/cpu/i386/x87/stack.ts";

const A = 0, B = 4, D = 8, E = 12;

/** Random normal numbers with exponents near one another. */
function operands(r: Prng, w: Int32Array): [bigint, bigint] {
  for (const at of [A, B]) {
    w[at] = r.below(3) === 0 ? -r.below(2) : r.u32();
    w[at + 1] = r.u32() | 0x80000000;
    w[at + 2] = (16383 + r.below(140) - 70) | (r.below(2) << 15);
  }
  return [exact(w, A), exact(w, B)];
}

/** Value in units of 2^-(16383 + 63 + 200 - 16383) and so on: all operands are integers in it. */
const UNIT = 200;

function exact(w: Int32Array, at: number): bigint {
  const mantissa = (BigInt(w[at + 1] >>> 0) << 32n) | BigInt(w[at] >>> 0);
  const value = mantissa << BigInt((w[at + 2] & 0x7fff) - 16383 - 63 + UNIT);
  return (w[at + 2] & 0x8000) !== 0 ? -value : value;
}

function check(w: Int32Array, flags: number, value: bigint, exp: number, sticky: boolean, fcw: number, what: string) {
  const negative = value < 0n;
  const wanted = roundBig(w, E, negative ? 1 : 0, negative ? -value : value, exp, sticky, fcw, (fcw >>> 8) & 3);
  assertEquals([flags, ...w.subarray(D, D + 3)], [wanted, ...w.subarray(E, E + 3)], what);
}

Deno.test("add, sub, mul, div: agree with integer arithmetic in every rounding and precision", () => {
  const r = new Prng(80), w = new Int32Array(16);
  for (let n = 0; n < 4000; n++) {
    const [a, b] = operands(r, w);
    const fcw = 0x7f | ([0, 2, 3][r.below(3)] << 8) | (r.below(4) << 10);
    if (a + b !== 0n) check(w, add(w, D, A, B, fcw), a + b, -UNIT, false, fcw, `add ${n}`);
    if (a !== b) check(w, sub(w, D, A, B, fcw), a - b, -UNIT, false, fcw, `sub ${n}`);
    check(w, mul(w, D, A, B, fcw), a * b, -2 * UNIT, false, fcw, `mul ${n}`);
    const magnitude = (a < 0n ? -a : a) << 300n, divisor = b < 0n ? -b : b;
    const q = magnitude / divisor, sticky = q * divisor !== magnitude;
    check(w, div(w, D, A, B, fcw), (a < 0n) !== (b < 0n) ? -q : q, -300, sticky, fcw, `div ${n}`);
  }
});

Deno.test("FDIV: one third in the three precisions", () => {
  const results = [0x07f, 0x27f, 0x37f].map((fcw) => {
    const c = new FakeContext();
    setControlWord(c.state.i32, fcw);
    load(c, 0x4000, 3n << 62n);
    load(c, 0x3fff, 1n << 63n);
    execute(c, "fdiv");
    return show(c, 0);
  });
  assertEquals(results, ["3ffd:aaaaab0000000000", "3ffd:aaaaaaaaaaaaa800", "3ffd:aaaaaaaaaaaaaaab"]);
});

Deno.test("FMUL: masked overflow gives infinity, unmasked the result with an adjusted exponent", () => {
  const c = new FakeContext();
  load(c, 0x7ffe, 1n << 63n);
  load(c, 0x7ffe, 1n << 63n);
  execute(c, "fmul");
  assertEquals([show(c, 0), statusWord(c.state.i32)], ["7fff:8000000000000000", 0x3228]);
  execute(c, "fninit");
  setControlWord(c.state.i32, 0x377);
  load(c, 0x7ffe, 1n << 63n);
  load(c, 0x7ffe, 1n << 63n);
  execute(c, "fmul");
  assertEquals([show(c, 0), statusWord(c.state.i32)], ["5ffd:8000000000000000", 0xb088]);
});

Deno.test("FSUB: NaN operands, a quiet one before a signaling one, the larger before the smaller", () => {
  const c = new FakeContext();
  load(c, 0x7fff, 0xc000000000000001n);
  load(c, 0xffff, 0xbfffffffffffffffn);
  execute(c, "fsub");
  assertEquals([show(c, 0), statusWord(c.state.i32)], ["7fff:c000000000000001", 0x3001]);
  load(c, 0x7fff, 0xc000000000000002n);
  execute(c, "fsub");
  assertEquals(show(c, 0), "7fff:c000000000000002");
});

Deno.test("FSIN: multiples of pi show the 66-bit pi of the hardware; 2^63 sets C2", () => {
  const c = new FakeContext();
  execute(c, "fldpi");
  execute(c, "fsin");
  // The constant was rounded up: it is 2^-64 larger than pi in 66 bits.
  assertEquals(show(c, 0), "bfbf:8000000000000000");
  execute(c, "fninit");
  load(c, 0x403e, 1n << 63n);
  execute(c, "fsin");
  assertEquals([show(c, 0), statusWord(c.state.i32) & 0x400], ["403e:8000000000000000", 0x400]);
});

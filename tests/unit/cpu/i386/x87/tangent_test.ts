/**
 * FPTAN against the tangent to 600 bits, by a continued fraction that shares nothing with the library's series: the
 * result is the correctly rounded one in every rounding, for tiny arguments as well, where processors differ by a unit.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { setControlWord } from "../../../../../lib/cpu/i386/x87/stack.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { FakeContext } from "../fake_context.ts";
import { execute, load, show } from "./x87_fixture.ts";

const F = 600n, ONE = 1n << F, BIAS = 16383;
/** Partial denominators of the continued fraction; the rest is far below the last bit. */
const DEPTH = 60n;

/** Tangent of x for 0 < x < pi/4: x / (1 - x^2 / (3 - x^2 / (5 - ...))). */
function tangent(x: bigint): bigint {
  const square = (x * x) >> F;
  let rest = (2n * DEPTH + 1n) * ONE;
  for (let k = DEPTH - 1n; k >= 0n; k--) rest = (2n * k + 1n) * ONE - (square << F) / rest;
  return (x << F) / rest;
}

/** A positive number rounded to 64 bits; `rounding`: 0 to nearest, 1 down, 2 up, 3 toward zero, as RC. */
function rounded(n: bigint, isNegative: boolean, rounding: number): string {
  let bits = n.toString(2).length;
  const cut = BigInt(bits - 64), rest = n & ((1n << cut) - 1n);
  const up = rounding === 0 ? rest > 1n << (cut - 1n) : rounding === (isNegative ? 1 : 2);
  let mantissa = (n >> cut) + (up && rest !== 0n ? 1n : 0n);
  if (mantissa >> 64n !== 0n) {
    mantissa >>= 1n;
    bits++;
  }
  const exponent = bits - 1 - Number(F) + BIAS + (isNegative ? 0x8000 : 0);
  return `${exponent.toString(16).padStart(4, "0")}:${mantissa.toString(16)}`;
}

Deno.test("FPTAN is rounded correctly: exponents from -70 to -1, every rounding", () => {
  const r = new Prng(81), c = new FakeContext();
  for (let n = 0; n < 3000; n++) {
    execute(c, "fninit");
    const rounding = n & 3, exponent = -1 - r.below(70), isNegative = r.below(2) === 0;
    let mantissa = (1n << 63n) | (BigInt(r.u32() & 0x7fffffff) << 32n) | BigInt(r.u32());
    if (exponent === -1) mantissa &= (1n << 63n) | ((1n << 62n) - 1n); // below pi/4
    setControlWord(c.state.i32, 0x37f | (rounding << 10));
    load(c, exponent + BIAS + (isNegative ? 0x8000 : 0), mantissa);
    execute(c, "fptan");
    const x = mantissa << (F - 63n + BigInt(exponent));
    assertEquals(show(c, 1), rounded(tangent(x), isNegative, rounding), `2^${exponent}, ${mantissa.toString(16)}`);
    assertEquals(show(c, 0), "3fff:8000000000000000");
  }
});

/**
 * BigInt helpers of the rare operations: mantissas in, rounded results out, and constants to any precision.
 * Sources: SDM-1 4.8. Warm.
 */
import { BIAS, Pc } from "./format.ts";
import { roundPack } from "./round.ts";
import type { Unpacked } from "./unpack.ts";

/** Mantissa of an unpacked operand; its value is mantissa * 2^{@linkcode scaleOf}. */
export function mantissaOf(u: Unpacked): bigint {
  return (BigInt(u.hi >>> 0) << 32n) | BigInt(u.lo >>> 0);
}

/** Power of two of the last mantissa bit of an unpacked operand. */
export function scaleOf(u: Unpacked): number {
  return u.exp - BIAS - 63;
}

const DOUBLE = new Float64Array(1);
const DOUBLE_WORDS = new Int32Array(DOUBLE.buffer);

/** Number of bits of a positive integer. */
export function bitLength(n: bigint): number {
  DOUBLE[0] = Number(n);
  if (DOUBLE[0] < Infinity) {
    // The conversion may have rounded up to the next power of two.
    const bits = (DOUBLE_WORDS[1] >>> 20) - 1022;
    return n >> BigInt(bits - 1) === 0n ? bits - 1 : bits;
  }
  const text = n.toString(16);
  return text.length * 4 - (Math.clz32(parseInt(text[0], 16)) - 28);
}

/** `n` * 2^`shift`, rounded down. */
export function shiftBy(n: bigint, shift: number): bigint {
  return shift >= 0 ? n << BigInt(shift) : n >> BigInt(-shift);
}

/**
 * Rounds `n` * 2^`exp` (n > 0) and writes it; `sticky`: the true value is a little larger than n.
 * Precision is that of `pc`, rounding that of the control word. Returns flags.
 */
export function roundBig(
  w: Int32Array,
  d: number,
  sign: number,
  n: bigint,
  exp: number,
  sticky: boolean,
  fcw: number,
  pc: number = Pc.extended,
): number {
  const bits = bitLength(n);
  const top = shiftBy(n, 96 - bits);
  const inexact = sticky || (bits > 96 && (top << BigInt(bits - 96)) !== n);
  const hi = Number(top >> 64n) | 0;
  const lo = Number((top >> 32n) & 0xffffffffn) | 0;
  const ext = Number(top & 0xffffffffn) | (inexact ? 1 : 0);
  return roundPack(w, d, sign, exp + bits - 1 + BIAS, hi, lo, ext, fcw, pc);
}

/** Integer square root of a number below 2^1000, rounded down. */
export function squareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  const near = BigInt(Math.floor(Math.sqrt(Number(n))));
  // From any start the first step of Newton's method lands at or above the root; from there it falls.
  let x = ((near + n / near) >> 1n) + 1n;
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
}

/**
 * Operands with their mantissa normalized: denormals get the exponent they would have in an unbounded format.
 *
 * Two slots of module variables serve the slow paths of the kernels; normal operands take the fast paths, which read
 * the words themselves. Sources: SDM-1 4.2. Warm.
 */

/** Unpacked operand: mantissa halves (i32, top bit set unless zero) and biased exponent. */
export interface Unpacked {
  /** Mantissa, high half. */
  hi: number;
  /** Mantissa, low half. */
  lo: number;
  /** Biased exponent; below 1 for denormals. */
  exp: number;
  /** 0 or 1. */
  sign: number;
}

/** First operand. */
export const A: Unpacked = { hi: 0, lo: 0, exp: 0, sign: 0 };

/** Second operand. */
export const B: Unpacked = { hi: 0, lo: 0, exp: 0, sign: 0 };

/** Unpacks a normal, denormal or zero number; zero keeps mantissa 0. */
export function unpack(u: Unpacked, w: Int32Array, a: number): void {
  let hi = w[a + 1], lo = w[a], exp = w[a + 2] & 0x7fff;
  u.sign = (w[a + 2] >>> 15) & 1;
  if (exp === 0) exp = 1;
  if (hi >= 0 && (hi | lo) !== 0) {
    if (hi === 0) {
      hi = lo;
      lo = 0;
      exp -= 32;
    }
    const n = Math.clz32(hi);
    if (n !== 0) {
      hi = (hi << n) | (lo >>> (32 - n));
      lo <<= n;
      exp -= n;
    }
  }
  u.hi = hi;
  u.lo = lo;
  u.exp = exp;
}

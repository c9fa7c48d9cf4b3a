/**
 * RCPPS and RSQRTPS: approximations with a relative error of at most 1.5 * 2^-12. They look at no rounding control and
 * report no exception; denormal operands count as zeros, denormal results become zeros.
 *
 * The manual promises the error bound only, and processors differ in the bits. Here the exact value is rounded to
 * twelve bits of mantissa. Sources: SDM-2B RCPPS RSQRTPS. Warm.
 * Not emulated: the tables of any one processor.
 */

const F32 = new Float32Array(1);
const I32 = new Int32Array(F32.buffer);

/** Bits of the stored mantissa that an approximation fills. */
const KEPT = 0xfffff800 | 0;
const HALF = 0x400;

/** Quiets a NaN. */
function quiet(a: number): number {
  return a | 0x400000;
}

/** Rounds the magnitude of a positive finite value to the approximation's mantissa. */
function rounded(value: number, sign: number): number {
  F32[0] = value;
  return ((I32[0] + HALF) & KEPT) | sign;
}

/** RCPSS of one lane. */
export function approximateReciprocal(a: number): number {
  const size = a & 0x7fffffff, sign = a & -0x80000000;
  if (size > 0x7f800000) return quiet(a);
  if (size < 0x00800000) return sign | 0x7f800000;
  if (size === 0x7f800000) return sign;
  I32[0] = size;
  const r = rounded(1 / F32[0], sign);
  return (r & 0x7f800000) === 0 ? sign : r;
}

/** RSQRTSS of one lane. */
export function approximateRoot(a: number): number {
  const size = a & 0x7fffffff, sign = a & -0x80000000;
  if (size > 0x7f800000) return quiet(a);
  if (size < 0x00800000) return sign | 0x7f800000;
  if (sign !== 0) return 0xffc00000 | 0;
  if (size === 0x7f800000) return 0;
  I32[0] = size;
  return rounded(1 / Math.sqrt(F32[0]), 0);
}

/**
 * Power series in fixed point: numbers are BigInt with {@linkcode F} fraction bits, some 250 more than a result needs.
 * Constants are computed from series too, once, when first asked for. Warm.
 */

/** Fraction bits. */
export const F = 320;
/** {@linkcode F} as BigInt. */
export const FB: bigint = BigInt(F);
/** One. */
export const ONE: bigint = 1n << FB;

/** Sine of |r| < 1. */
export function sineOf(r: bigint): bigint {
  return alternating(r, (r * r) >> FB, 2);
}

/** Cosine of |r| < 1. */
export function cosineOf(r: bigint): bigint {
  return alternating(ONE, (r * r) >> FB, 1);
}

/** first * (1 - square / (k (k + 1)) + ...), k rising by two from `k`. */
function alternating(first: bigint, square: bigint, k: number): bigint {
  let sum = first, term = first;
  for (let n = k; term !== 0n && term !== -1n; n += 2) {
    term = -((term * square) >> FB) / BigInt(n * (n + 1));
    sum += term;
  }
  return sum;
}

/** e^t - 1 for |t| < 1. */
export function expm1(t: bigint): bigint {
  let sum = t, term = t;
  for (let k = 2n; term !== 0n && term !== -1n; k++) {
    term = ((term * t) >> FB) / k;
    sum += term;
  }
  return sum;
}

/** Inverse tangent (`alternate` -1) or inverse hyperbolic tangent (+1) of |t| well below 1. */
export function inverseTangent(t: bigint, alternate: 1n | -1n): bigint {
  const square = alternate * ((t * t) >> FB);
  let sum = t, power = t;
  for (let k = 3n; power !== 0n && power !== -1n; k += 2n) {
    power = (power * square) >> FB;
    sum += power / k;
  }
  return sum;
}

let pi = 0n;
/** Pi. */
export function piFixed(): bigint {
  if (pi === 0n) pi = 16n * inverseTangent(ONE / 5n, -1n) - 4n * inverseTangent(ONE / 239n, -1n);
  return pi;
}

let ln2 = 0n;
/** Natural logarithm of 2. */
export function ln2Fixed(): bigint {
  if (ln2 === 0n) ln2 = 2n * inverseTangent(ONE / 3n, 1n);
  return ln2;
}

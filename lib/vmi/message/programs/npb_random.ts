/**
 * The random numbers of the NAS Parallel Benchmarks: x := a x modulo 2^46, exact in double-precision arithmetic by
 * halves of 23 bits. Source: NAS Technical Report RNR-94-007, section 2.3. Hot.
 */

const R23 = 2 ** -23;
const T23 = 2 ** 23;
const R46 = 2 ** -46;
const T46 = 2 ** 46;

/** a times x modulo 2^46. */
export function times46(a: number, x: number): number {
  const a1 = Math.floor(R23 * a);
  const a2 = a - T23 * a1;
  const x1 = Math.floor(R23 * x);
  const x2 = x - T23 * x1;
  const t1 = a1 * x2 + a2 * x1;
  const z = t1 - T23 * Math.floor(R23 * t1);
  const t3 = T23 * z + a2 * x2;
  return t3 - T46 * Math.floor(R46 * t3);
}

/** The factor that takes `n` steps at once. */
export function power46(a: number, n: number): number {
  let [result, square, left] = [1, a, n];
  while (left > 0) {
    if (left % 2 === 1) result = times46(result, square);
    square = times46(square, square);
    left = Math.floor(left / 2);
  }
  return result;
}

/** A sequence of numbers in (0, 1). */
export class NpbRandom {
  #x: number;
  readonly #a: number;

  /** Begins `skip` numbers after the seed. */
  constructor(seed: number, skip = 0, a: number = 5 ** 13) {
    this.#a = a;
    this.#x = times46(power46(a, skip), seed);
  }

  /** The next number. */
  next(): number {
    this.#x = times46(this.#a, this.#x);
    return R46 * this.#x;
  }
}

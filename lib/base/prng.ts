/**
 * Seeded pseudo-random numbers: xorshift with 32 bits of state, scrambled by a multiplication. Equal seeds give equal
 * sequences on every host. Not for secrets. Cold.
 */

/** A generator. */
export class Prng {
  #state: number;

  /** Makes one. @param seed Any integer; 0 is replaced by a constant. */
  constructor(seed: number) {
    this.#state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995;
    if (this.#state === 0) this.#state = 0x2545f491;
  }

  /** Next number, u32. */
  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x | 0;
    return Math.imul(x, 0x85ebca6b) >>> 0;
  }

  /** Uniform enough integer from 0 to `n` - 1; `n` from 1 to 2^32. */
  below(n: number): number {
    return Math.floor((this.u32() / 2 ** 32) * n);
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** `n` bytes. */
  bytes(n: number): Uint8Array {
    return Uint8Array.from({ length: n }, () => this.u32() >>> 24);
  }
}

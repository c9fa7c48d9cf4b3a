/**
 * A map from offsets in a page to records: pairs in one typed array, found by hashing with linear probing. A boot fills
 * some thousand pages with such maps; a `Map` takes three times the room for each entry, most of all that JavaScript
 * holds then. Warm.
 */

/** Pairs to begin with. */
const LEAST = 8;
/** First word of a pair that is free. */
const FREE = 0;

/** Numbers by numbers, none negative. */
export class OffsetMap {
  /** Pairs (key + 1, value); their number is a power of two, and at most three in four are used. */
  #pairs: Int32Array = new Int32Array(2 * LEAST);
  #size = 0;

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** True if a key has a value. */
  has(key: number): boolean {
    return this.#pairs[this.#find(key)] !== FREE;
  }

  /** The value of a key. */
  get(key: number): number | undefined {
    const at = this.#find(key);
    return this.#pairs[at] === FREE ? undefined : this.#pairs[at + 1];
  }

  /** Gives a key a value. */
  set(key: number, value: number): void {
    let at = this.#find(key);
    if (this.#pairs[at] === FREE) {
      if (++this.#size * 8 > this.#pairs.length * 3) {
        this.#grow();
        at = this.#find(key);
      }
      this.#pairs[at] = key + 1;
    }
    this.#pairs[at + 1] = value;
  }

  /** Takes a key out. What follows it moves up, so that probing finds no gap. */
  delete(key: number): void {
    const pairs = this.#pairs, mask = pairs.length - 1;
    let gap = this.#find(key);
    if (pairs[gap] === FREE) return;
    this.#size--;
    for (let at = (gap + 2) & mask; pairs[at] !== FREE; at = (at + 2) & mask) {
      const home = this.#home(pairs[at] - 1);
      if (((at - home) & mask) < ((at - gap) & mask)) continue; // it would move in front of its home
      pairs[gap] = pairs[at];
      pairs[gap + 1] = pairs[at + 1];
      gap = at;
    }
    pairs[gap] = FREE;
  }

  /** All keys, in no order. */
  keys(): number[] {
    const out: number[] = [];
    for (let at = 0; at < this.#pairs.length; at += 2) if (this.#pairs[at] !== FREE) out.push(this.#pairs[at] - 1);
    return out;
  }

  #home(key: number): number {
    return (Math.imul(key, 0x9e3779b1) >>> 15) * 2 & (this.#pairs.length - 1);
  }

  /** Place of a key's pair, or of the free one where it would go. */
  #find(key: number): number {
    const pairs = this.#pairs, mask = pairs.length - 1;
    let at = this.#home(key);
    while (pairs[at] !== FREE && pairs[at] !== key + 1) at = (at + 2) & mask;
    return at;
  }

  #grow(): void {
    const old = this.#pairs;
    this.#pairs = new Int32Array(2 * old.length);
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] === FREE) continue;
      const at = this.#find(old[i] - 1);
      this.#pairs[at] = old[i];
      this.#pairs[at + 1] = old[i + 1];
    }
  }
}

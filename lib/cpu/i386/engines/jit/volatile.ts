/**
 * Bytes of code that are written over and over: instructions they belong to are left to the interpreter, so that the code
 * around them can be translated and stays so. Warm.
 */

/** Writes after which a byte counts as such. */
const MANY = 4;
/** Bytes of a write at most: what is longer replaces code as a whole. */
const LONGEST = 16;
/** Pages remembered; more mean that all is forgotten. */
const PAGES = 256;

/** How often bytes of code were written. */
export class VolatileCode {
  readonly #pages: Map<number, Uint8Array> = new Map();

  /** Bytes `from` to `to` (exclusive) of a page were written where there was code. */
  note(pfn: number, from: number, to: number): void {
    if (to - from > LONGEST) return;
    let bytes = this.#pages.get(pfn);
    if (bytes === undefined) {
      if (this.#pages.size === PAGES) this.#pages.clear();
      this.#pages.set(pfn, bytes = new Uint8Array(0x1000));
    }
    for (let at = from; at < to; at++) if (bytes[at] < MANY) bytes[at]++;
  }

  /** True if some of the bytes `from` to `to` (exclusive, cut at the page end) are written over and over. */
  has(pfn: number, from: number, to: number): boolean {
    const bytes = this.#pages.get(pfn);
    if (bytes === undefined) return false;
    for (let at = from; at < to && at < 0x1000; at++) if (bytes[at] === MANY) return true;
    return false;
  }

  /** Forgets everything. */
  clear(): void {
    this.#pages.clear();
  }
}

/**
 * Bytes of code that are written over and over. Where they are constants inside instructions these are read from memory
 * each time (soft.ts); other instructions with such bytes are left to the interpreter, so that the code around them can
 * be translated and stays so. Warm.
 */

/** Writes after which a byte counts as such. */
const MANY = 4;
/** Bytes of a write that changes single instructions, at most: what is longer replaces code as a whole. */
export const LONGEST_PATCH = 16;
/** Pages remembered; more mean that all is forgotten. */
const PAGES = 256;
/** Beginnings of rows of writes remembered. */
const STARTS = 1024;
/** Writes for which such a beginning is remembered. */
const PATIENCE = 64;

/** How often bytes of code were written. */
export class VolatileCode {
  readonly #pages: Map<number, Uint8Array> = new Map();

  /** The last write: page, first offset, offset after the last; and if it was none after the other. */
  #pfn = -1;
  #start = 0;
  #end = 0;
  #isAlone = false;
  /** Where writes began that were followed by the next ones, and how often that is still believed. */
  readonly #starts: Map<number, number> = new Map();

  /**
   * Bytes `from` to `to` (exclusive) of a page were written where there may be code. One write after the other replaces
   * code as a whole; others are noted, once it is known that they are.
   * @returns True if it may be a change of single instructions.
   */
  written(pfn: number, from: number, to: number): boolean {
    const isNext = pfn === this.#pfn && (from === this.#end || to === this.#start);
    const before = this.#pfn * 0x1000 + this.#start;
    if (isNext && this.#isAlone) {
      if (this.#starts.size === STARTS) this.#starts.clear();
      this.#starts.set(before, PATIENCE);
    } else if (this.#isAlone && !this.#isStart(before)) this.note(this.#pfn, this.#start, this.#end);
    [this.#pfn, this.#start, this.#end] = [pfn, from, to];
    this.#isAlone = !isNext && to - from <= LONGEST_PATCH;
    return this.#isAlone && !this.#starts.has(pfn * 0x1000 + from);
  }

  /** The next writes of a row are not seen where the first one leaves no code in the page. */
  #isStart(at: number): boolean {
    const left = this.#starts.get(at) ?? 0;
    if (left > 1) this.#starts.set(at, left - 1);
    else this.#starts.delete(at);
    return left > 0;
  }

  /** Such a write was a change of single instructions. */
  note(pfn: number, from: number, to: number): void {
    if (to - from > LONGEST_PATCH) return;
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
    this.#isAlone = false;
    this.#starts.clear();
    this.#pages.clear();
  }
}

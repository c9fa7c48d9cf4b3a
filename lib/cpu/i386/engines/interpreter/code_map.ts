/**
 * Which bytes of pages with code may be written without telling anybody, for the generated code that writes them: for
 * some pages a bit for each granule with code, and some single places inside such granules whose bytes no decoded code
 * depends on. Both are tables with one place for each key; what is not in them is asked in TypeScript, which enters it.
 * Hot layout; warm here.
 */
import type { AddressSpace } from "../../../../memory/address_space.ts";
import { Places } from "./places.ts";

/** Pages: (host page, 0, 64 bits) in 16 bytes each. */
export const MAP_PAGES = 2048;
/** Places: (host address, bytes) in 8 bytes each. */
export const MAP_PLACES = 4096;
/** Bytes of both. */
export const MAP_BYTES: number = MAP_PAGES * 16 + MAP_PLACES * 8;

/** The map of one CPU. */
export class CodeMap {
  /** Byte address of the pages; the places follow. */
  readonly at: number;
  readonly #space: AddressSpace;
  readonly #pages: Int32Array;
  readonly #places: Int32Array;
  readonly #used: Places = new Places();

  /** @param space Physical memory. @param at First of {@linkcode MAP_BYTES}, a multiple of 8. */
  constructor(space: AddressSpace, at: number) {
    this.at = at;
    this.#space = space;
    this.#pages = new Int32Array(space.host.buffer, at, MAP_PAGES * 4);
    this.#places = new Int32Array(space.host.buffer, at + MAP_PAGES * 16, MAP_PLACES * 2);
  }

  /** Index of a page's place; `has` tells if it is its own. */
  #index(pfn: number): number {
    return ((this.#space.pages[pfn] >>> 12) & (MAP_PAGES - 1)) * 4;
  }

  /** True if the map knows a page. */
  has(pfn: number): boolean {
    return this.#pages[this.#index(pfn)] === this.#space.pages[pfn] >>> 12;
  }

  /** Enters a page; `touches` tells if there is code in granule `n`. */
  enter(pfn: number, touches: (n: number) => boolean): void {
    const i = this.#index(pfn);
    this.#pages[i] = this.#space.pages[pfn] >>> 12;
    for (let half = 0; half < 2; half++) {
      let bits = 0;
      for (let n = 0; n < 32; n++) if (touches(half * 32 + n)) bits |= 1 << n;
      this.#pages[i + 2 + half] = bits;
    }
  }

  /** There is code in granules `first` to `last` of a page now; no place of it is sure to be free any more. */
  mark(pfn: number, first: number, last: number): void {
    this.clearPlaces();
    if (!this.has(pfn)) return;
    const i = this.#index(pfn) + 2;
    for (let n = first; n <= last; n++) this.#pages[i + (n >>> 5)] |= 1 << (n & 31);
  }

  /** Code went from a page. */
  forget(pfn: number): void {
    if (this.has(pfn)) this.#pages[this.#index(pfn)] = 0;
  }

  /** No code depends on so many bytes of a page from an offset on. */
  free(pfn: number, from: number, bytes: number): void {
    const host = (this.#space.pages[pfn] & ~0xfff) + from, i = (host & (MAP_PLACES - 1)) * 2;
    this.#places[i] = host;
    this.#places[i + 1] = bytes;
    this.#used.add(i);
  }

  /** Forgets all places. */
  clearPlaces(): void {
    const { count, isFull, at } = this.#used;
    if (count === 0) return;
    if (isFull) this.#places.fill(0);
    else for (let n = 0; n < count; n++) this.#places[at[n]] = 0;
    this.#used.clear();
  }

  /** Forgets everything. */
  clear(): void {
    this.#pages.fill(0);
    this.clearPlaces();
  }
}

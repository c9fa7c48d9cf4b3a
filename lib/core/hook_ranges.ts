/**
 * Values by address range, with the fast questions a CPU asks: anything here, anything in this page? Single addresses
 * lie in a map; longer ranges in a short list, in the order they were added. Warm.
 */
import { ConfigError } from "./errors.ts";

/** A range of addresses or ports. */
export interface AddressRange {
  /** First address. */
  readonly at: number;
  /** How many; default 1. */
  readonly size?: number;
}

/** Where a hook is: an address, a range, or a list of addresses. */
export type HookPlace = number | AddressRange | readonly number[];

interface Entry<T> {
  readonly from: number;
  /** Address after the last. */
  readonly to: number;
  readonly value: T;
}

/** Addresses whose values are remembered. */
const MOST_KNOWN = 1 << 16;

/** Ordered multimap from address range to value. */
export class HookRanges<T> {
  #entries: readonly Entry<T>[] = [];
  #pages: Set<number> = new Set();
  #single: Set<number> = new Set();
  #wide: readonly Entry<T>[] = [];
  /** Values by address, as far as somebody has asked. */
  readonly #known: Map<number, readonly T[]> = new Map();
  readonly #space: number;
  readonly #noun: string;

  /** @param space Number of addresses. @param noun What an address is, for messages. */
  constructor(space: number, noun: string) {
    this.#space = space;
    this.#noun = noun;
  }

  /** How many are there. */
  get size(): number {
    return this.#entries.length;
  }

  /** True when nothing is there. */
  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /** Does one range cover everything? */
  get whole(): boolean {
    return this.#wide.some((e) => e.from === 0 && e.to === this.#space);
  }

  /**
   * Adds a value.
   * @returns Removes it.
   * @throws {ConfigError} hook-range
   */
  add(where: HookPlace, value: T): () => void {
    const places = typeof where === "object" && "length" in where ? where : [where];
    const added = new Set(places.map((place) => this.#entry(place, value)));
    this.#set([...this.#entries, ...added]);
    return () => this.#set(this.#entries.filter((e) => !added.has(e)));
  }

  #entry(place: number | AddressRange, value: T): Entry<T> {
    const from = typeof place === "number" ? place : place.at;
    const size = typeof place === "number" ? 1 : place.size ?? 1;
    if (!Number.isInteger(from) || !Number.isInteger(size) || from < 0 || size < 1 || from + size > this.#space) {
      throw new ConfigError(
        "hook-range",
        `${this.#noun} range from ${hex(from)} with size ${hex(size)} must be non-empty and below ${hex(this.#space)}`,
      );
    }
    return { from, to: from + size, value };
  }

  /** Is something at this address? */
  hits(address: number): boolean {
    if (this.#entries.length === 0) return false;
    const at = address >>> 0;
    if (this.#single.has(at)) return true;
    return this.#wide.length > 0 && this.#wide.some((e) => e.from <= at && at < e.to);
  }

  /** Is something in this page (address >>> 12)? */
  hitsPage(page: number): boolean {
    if (this.#entries.length === 0) return false;
    const from = (page >>> 0) * 4096;
    return this.#pages.has(page >>> 0) || this.#wide.some((e) => e.from < from + 4096 && from < e.to);
  }

  /** Values at an address, in the order they were added; not to be changed. */
  at(address: number): readonly T[] {
    let values = this.#known.get(address);
    if (values === undefined) {
      values = this.overlapping(address, 1);
      if (this.#known.size >= MOST_KNOWN) this.#known.clear();
      this.#known.set(address, values);
    }
    return values;
  }

  /** Values whose range shares an address with `size` addresses from `address` (wrapping at the end). */
  overlapping(address: number, size: number): T[] {
    const out: T[] = [];
    const to = address + size;
    for (const e of this.#entries) {
      if ((e.from < to && address < e.to) || (to > this.#space && e.from < to - this.#space)) out.push(e.value);
    }
    return out;
  }

  #set(entries: readonly Entry<T>[]): void {
    this.#entries = entries;
    this.#known.clear();
    this.#single = new Set();
    this.#pages = new Set();
    this.#wide = entries.filter((e) => e.to - e.from > 1);
    for (const e of entries) {
      if (e.to - e.from > 1) continue;
      this.#single.add(e.from);
      this.#pages.add(Math.floor(e.from / 4096));
    }
  }
}

function hex(value: number): string {
  return Number.isInteger(value) ? `0x${value.toString(16)}` : String(value);
}

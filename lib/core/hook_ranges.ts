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

/** A value with its range. */
export interface Entry<T> {
  /** First address. */
  readonly from: number;
  /** Address after the last. */
  readonly to: number;
  /** What was added. */
  readonly value: T;
}

/** Addresses whose values are remembered, and pages whose entries are. */
const MOST_KNOWN = 1 << 16;

/** Ordered multimap from address range to value. Addresses are keys as i32, which the engine below us need not box. */
export class HookRanges<T> {
  #entries: readonly Entry<T>[] = [];
  #single: Set<number> = new Set();
  #wide: readonly Entry<T>[] = [];
  /** Values by address, and entries by page, as far as somebody has asked. */
  readonly #known: Map<number, readonly T[]> = new Map();
  readonly #pages: Map<number, readonly Entry<T>[]> = new Map();
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
    const places = Array.isArray(where) ? where as readonly number[] : [where as number | AddressRange];
    if (places.length === 0) throw new ConfigError("hook-range", `${this.#noun}: the list names none`);
    const added = new Set(places.map((place) => this.#entry(place, value)));
    this.#set([...this.#entries, ...added]);
    return () => this.#set(this.#entries.filter((e) => !added.has(e)));
  }

  #entry(place: number | AddressRange, value: T): Entry<T> {
    if (typeof place !== "number" && (typeof place !== "object" || place === null)) {
      const given = typeof place === "string" ? JSON.stringify(place) : typeof place;
      throw new ConfigError(
        "hook-range",
        `${this.#noun} must be a number, { at, size } or a list of numbers, not ${given}`,
      );
    }
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
    if (this.#single.has(address | 0)) return true;
    const at = address >>> 0;
    return this.#wide.length > 0 && this.#wide.some((e) => e.from <= at && at < e.to);
  }

  /** Is something in this page (address >>> 12)? */
  hitsPage(page: number): boolean {
    return this.#entries.length !== 0 && this.inPage(page).length !== 0;
  }

  /** Entries that touch a page (address >>> 12), in the order they were added; not to be changed. */
  inPage(page: number): readonly Entry<T>[] {
    let entries = this.#pages.get(page);
    if (entries === undefined) {
      const from = (page >>> 0) * 4096;
      entries = this.#entries.filter((e) => e.from < from + 4096 && from < e.to);
      if (this.#pages.size >= MOST_KNOWN) this.#pages.clear();
      this.#pages.set(page, entries);
    }
    return entries;
  }

  /** Values at an address, in the order they were added; not to be changed. */
  at(address: number): readonly T[] {
    let values = this.#known.get(address | 0);
    if (values === undefined) {
      values = this.overlapping(address >>> 0, 1);
      if (this.#known.size >= MOST_KNOWN) this.#known.clear();
      this.#known.set(address | 0, values);
    }
    return values;
  }

  /** Values whose range shares an address with `size` addresses from `address` (wrapping at the end). */
  overlapping(address: number, size: number): T[] {
    return this.touching(address, size).map((e) => e.value);
  }

  /** The same with their ranges; not to be changed. */
  touching(address: number, size: number): readonly Entry<T>[] {
    const isInPage = (address & 0xfff) + size <= 0x1000;
    const all = isInPage ? this.inPage(address >>> 12) : this.#entries;
    for (let i = 0; i < all.length; i++) {
      if (!this.#touches(all[i], address, size)) return all.filter((e) => this.#touches(e, address, size));
    }
    return all;
  }

  #touches(e: Entry<T>, address: number, size: number): boolean {
    const to = address + size;
    return (e.from < to && address < e.to) || (to > this.#space && e.from < to - this.#space);
  }

  #set(entries: readonly Entry<T>[]): void {
    this.#entries = entries;
    this.#known.clear();
    this.#pages.clear();
    this.#wide = entries.filter((e) => e.to - e.from > 1);
    this.#single = new Set(entries.filter((e) => e.to - e.from === 1).map((e) => e.from | 0));
  }
}

function hex(value: number): string {
  return Number.isInteger(value) ? `0x${value.toString(16)}` : String(value);
}

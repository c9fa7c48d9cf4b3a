/**
 * Pages of the monitor's own memory for shadow tables. Pages in which address line 20 would be set are left out: the guest
 * can switch that line off, and then two of them were one. Warm.
 */
import type { PhysicalWords } from "../../../core/monitor.ts";
import type { PhysicalRange } from "./guest_physical.ts";

const PAGE = 4096;
const LINE_20 = 0x100000;

/** Pages to take and give back. */
export class PagePool {
  readonly #words: PhysicalWords;
  readonly #all: readonly number[];
  #free: number[];

  /** @param range Where; begins where line 20 is low. @param skip Bytes at its start that are in other use. */
  constructor(words: PhysicalWords, range: PhysicalRange, skip: number) {
    this.#words = words;
    const all: number[] = [];
    for (let at = range.at + skip; at < range.at + range.size; at += PAGE) if ((at & LINE_20) === 0) all.push(at);
    this.#all = all.reverse();
    this.#free = [...this.#all];
  }

  /** Pages that can be taken. */
  get left(): number {
    return this.#free.length;
  }

  /** Takes a page, zeroed; `undefined`: there is none. */
  take(): number | undefined {
    const at = this.#free.pop();
    if (at !== undefined) { for (let i = 0; i < PAGE; i += 4) this.#words.write32(at + i, 0); }
    return at;
  }

  /** Gives one back. */
  give(at: number): void {
    this.#free.push(at);
  }

  /** All are free again, in the first order. */
  reset(): void {
    this.#free = [...this.#all];
  }

  /** The free pages, in the order in which they will be taken. */
  save(): number[] {
    return [...this.#free];
  }

  /** Restores them. */
  load(free: readonly number[]): void {
    this.#free = [...free];
  }
}

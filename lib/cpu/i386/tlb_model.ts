/**
 * The look-aside table of the cost model: which translations a processor would still have. It decides what a missing one
 * costs, and nothing else.
 *
 * The tables in tlb.ts serve speed: they lose pages for reasons of their own (hooks, snapshots, code that is written), and
 * every engine asks them in its own way. Here pages go only when the architecture says so: CR3, CR0 and CR4, INVLPG, EFER,
 * task switches. What the fast tables hold is always held here as well, so whoever finds a page there pays nothing here
 * either; and whoever does not comes here. So all engines count alike, with hooks and without, and snapshots carry it on.
 *
 * One table for data and code and for all privileges, as in SDM-3A 4.10.2, of unlimited size: misses for want of room are
 * not modelled. The first write to a page that is held but not dirty walks again. Warm: not asked on fast accesses.
 */
import type { FieldValue } from "../../core/component.ts";

/** What is known of a page. */
const HELD = 1, DIRTY = 2, GLOBAL = 4;

/** The modelled table of one CPU. */
export class TlbModel {
  /** Translations that were missing, since power-on. */
  fills = 0;
  readonly #pages: Map<number, number> = new Map();
  readonly #large: Map<number, number> = new Map();
  #largeShift = 21;

  /** Would an access to this page cost nothing? */
  covers(linear: number, write: boolean): boolean {
    const flags = (this.#pages.get(linear >>> 12) ?? 0) | (this.#large.get(linear >>> this.#largeShift) ?? 0);
    return (flags & HELD) !== 0 && (!write || (flags & DIRTY) !== 0);
  }

  /**
   * An access has translated this page. `largeShift`: bits of a large page's offset, 0 for one of 4 KiB.
   * @returns True: the translation was missing.
   */
  touch(linear: number, write: boolean, dirty: boolean, global: boolean, largeShift: number): boolean {
    const missing = !this.covers(linear, write);
    const flags = HELD | (dirty ? DIRTY : 0) | (global ? GLOBAL : 0);
    if (largeShift === 0) put(this.#pages, linear >>> 12, flags);
    else {
      this.#largeShift = largeShift;
      put(this.#large, linear >>> largeShift, flags);
    }
    if (missing) this.fills++;
    return missing;
  }

  /** Drops all, global ones only if `all`. */
  flush(all: boolean): void {
    for (const table of [this.#pages, this.#large]) {
      for (const [page, flags] of table) if (all || (flags & GLOBAL) === 0) table.delete(page);
    }
  }

  /** Drops one page. */
  flushPage(linear: number): void {
    this.#pages.delete(linear >>> 12);
    this.#large.delete(linear >>> this.#largeShift);
  }

  /** Power-on state. */
  reset(): void {
    this.flush(true);
    this.fills = 0;
    this.#largeShift = 21;
  }

  /** What is held, for a snapshot: pages and flags by turns. */
  save(): FieldValue {
    return { fills: this.fills, pages: list(this.#pages), large: list(this.#large), shift: this.#largeShift };
  }

  /** Restores it. */
  load(state: FieldValue): void {
    const s = state as unknown as { fills: number; pages: number[]; large: number[]; shift: number };
    this.flush(true);
    this.fills = s.fills;
    this.#largeShift = s.shift;
    for (let i = 0; i < s.pages.length; i += 2) this.#pages.set(s.pages[i], s.pages[i + 1]);
    for (let i = 0; i < s.large.length; i += 2) this.#large.set(s.large[i], s.large[i + 1]);
  }
}

function put(table: Map<number, number>, page: number, flags: number): void {
  table.set(page, (table.get(page) ?? 0) | flags);
}

function list(table: ReadonlyMap<number, number>): number[] {
  return [...table].sort(([a], [b]) => a - b).flat();
}

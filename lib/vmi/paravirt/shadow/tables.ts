/**
 * Shadow page tables of the lowest level, one for each page table of the guest in use and each set of rights above it. A
 * table remembers for every entry the guest's entry it was made from; so it can be compared with the guest's table after a
 * flush, and what the guest has changed without a word is dropped. Warm.
 */
import type { PhysicalWords } from "../../../core/monitor.ts";
import type { PagePool } from "../monitor/pool.ts";

/** One shadow table. */
export interface ShadowTable {
  /** Page frame of the guest's table. */
  readonly pfn: number;
  /** Bytes an entry: 4, or 8 with PAE. */
  readonly bytes: number;
  /** Rights of the entries above: 1 user, 2 write, 4 no-execute. */
  readonly rights: number;
  /** Physical address of the entries the processor uses. */
  readonly at: number;
  /** Physical address of the guest's entries they were made from. */
  readonly seenAt: number;
  /** Flush after which it was compared with the guest's table. */
  epoch: number;
  /** Indexes of entries that are present. */
  filled: number[];
}

/** All shadow tables of one CPU. */
export class ShadowTables {
  readonly #words: PhysicalWords;
  readonly #guest: PhysicalWords;
  readonly #pool: PagePool;
  readonly #byPfn: Map<number, ShadowTable[]> = new Map();

  /** @param words Physical memory. @param guest The guest's view of it. @param pool Where pages come from. */
  constructor(words: PhysicalWords, guest: PhysicalWords, pool: PagePool) {
    this.#words = words;
    this.#guest = guest;
    this.#pool = pool;
  }

  /** The shadow of a guest's table under these rights, if there is one. */
  find(pfn: number, bytes: number, rights: number): ShadowTable | undefined {
    return this.#byPfn.get(pfn)?.find((t) => t.bytes === bytes && t.rights === rights);
  }

  /** All shadows of a guest's table. */
  of(pfn: number): readonly ShadowTable[] {
    return this.#byPfn.get(pfn) ?? [];
  }

  /** Makes one; `undefined`: no pages are left. */
  make(pfn: number, bytes: number, rights: number, epoch: number): ShadowTable | undefined {
    if (this.#pool.left < 2) return undefined;
    const [at, seenAt] = [this.#pool.take(), this.#pool.take()];
    if (at === undefined || seenAt === undefined) return undefined;
    const table: ShadowTable = { pfn, bytes, rights, at, seenAt, epoch, filled: [] };
    this.#add(table);
    return table;
  }

  /** Enters a translation and the guest's entry it comes from. */
  fill(t: ShadowTable, index: number, low: number, high: number, leaf: number, leafHigh: number): void {
    const offset = index * t.bytes;
    if ((this.#words.read32(t.at + offset) & 1) === 0) t.filled.push(index);
    if (t.bytes === 8) {
      this.#words.write32(t.at + offset + 4, high);
      this.#words.write32(t.seenAt + offset + 4, leafHigh);
    }
    this.#words.write32(t.at + offset, low);
    this.#words.write32(t.seenAt + offset, leaf);
  }

  /** Drops the translation of one entry. @returns True if there was one. */
  drop(t: ShadowTable, index: number): boolean {
    if ((this.#words.read32(t.at + index * t.bytes) & 1) === 0) return false;
    this.#clear(t, index);
    t.filled = t.filled.filter((i) => i !== index);
    return true;
  }

  /** Compares with the guest's table and drops what differs. @returns How many. */
  verify(t: ShadowTable, epoch: number): number {
    const before = t.filled.length;
    t.filled = t.filled.filter((index) => {
      const offset = index * t.bytes, entry = t.pfn * 4096 + offset;
      const same = this.#words.read32(t.seenAt + offset) === this.#guest.read32(entry) &&
        (t.bytes === 4 || this.#words.read32(t.seenAt + offset + 4) === this.#guest.read32(entry + 4));
      if (!same) this.#clear(t, index);
      return same;
    });
    t.epoch = epoch;
    return before - t.filled.length;
  }

  /** Forgets all shadows of a guest's table. @returns Them. */
  forget(pfn: number): readonly ShadowTable[] {
    const gone = this.of(pfn);
    for (const t of gone) {
      this.#pool.give(t.seenAt);
      this.#pool.give(t.at);
    }
    this.#byPfn.delete(pfn);
    return gone;
  }

  /** Forgets everything; the pool is the caller's to reset. */
  clear(): void {
    this.#byPfn.clear();
  }

  /** All tables, in the order in which they were made. */
  save(): ShadowTable[] {
    return [...this.#byPfn.values()].flat().map((t) => ({ ...t, filled: [...t.filled] }));
  }

  /** Restores them; their pages are in memory. */
  load(tables: readonly ShadowTable[]): void {
    this.#byPfn.clear();
    for (const t of tables) this.#add({ ...t, filled: [...t.filled] });
  }

  #add(t: ShadowTable): void {
    const list = this.#byPfn.get(t.pfn);
    if (list === undefined) this.#byPfn.set(t.pfn, [t]);
    else list.push(t);
  }

  #clear(t: ShadowTable, index: number): void {
    this.#words.write32(t.at + index * t.bytes, 0);
  }
}

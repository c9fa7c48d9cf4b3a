/**
 * Predecoded code by physical page: which record belongs to which offset, and what to drop when a page is written.
 *
 * Records are handed out from one pool and never freed singly; a dropped page's records become look-ups, so that a jump
 * into one of them finds the new code. When the pool is full everything is forgotten. A page's code is kept per decoding
 * mode (default size, flatness) and, where there are hooks, per linear page, because hooks are at linear addresses. Writes to a page are compared with 64-byte granules that really hold code, so data
 * beside code costs a call, not a translation. Warm.
 */
import { type AddressSpace, PageBit } from "../../../../memory/address_space.ts";
import { Handler, Rec, RECORD_BYTES } from "./record.ts";

/** Bytes of a granule. */
const GRANULE_SHIFT = 6;

/** Code of one physical page in one decoding mode and one variant. */
export class CodePage {
  /** Physical page number. */
  readonly pfn: number;
  /** Page number, mode and variant. */
  readonly key: number;
  /** See `HookPoints.variant`: -1 for code without hooks. */
  readonly variant: number;
  /** Record address by page offset. */
  readonly entries: Map<number, number> = new Map();
  /** First and last record (exclusive) of each run decoded into this page. */
  readonly runs: number[] = [];
  /** Granules with code, one bit each, low and high half. */
  low = 0;
  /** High half of the granules. */
  high = 0;

  /** @param pfn Physical page. @param key Page, mode and variant. @param variant Which hooks are in it. */
  constructor(pfn: number, key: number, variant: number) {
    this.pfn = pfn;
    this.key = key;
    this.variant = variant;
  }

  /** Notes that bytes `from` to `to` (exclusive, at most 4096) are code. */
  mark(from: number, to: number): void {
    for (let g = from >>> GRANULE_SHIFT; g <= (to - 1) >>> GRANULE_SHIFT; g++) {
      if (g < 32) this.low |= 1 << g;
      else this.high |= 1 << (g - 32);
    }
  }

  /** True if bytes `from` to `to` touch a granule with code. */
  touches(from: number, to: number): boolean {
    for (let g = from >>> GRANULE_SHIFT; g <= (to - 1) >>> GRANULE_SHIFT; g++) {
      if ((((g < 32 ? this.low : this.high) >>> (g & 31)) & 1) !== 0) return true;
    }
    return false;
  }
}

/** All code of one CPU. */
export class CodeCache {
  readonly #pages: Map<number, CodePage> = new Map();
  readonly #byPfn: Map<number, CodePage[]> = new Map();
  readonly #view: DataView;
  readonly #space: AddressSpace;
  readonly #owner: number;
  readonly #start: number;
  readonly #end: number;
  #next: number;

  /** @param space Physical memory. @param owner Index of the CPU. @param start First byte of the pool. @param end Its end. */
  constructor(space: AddressSpace, owner: number, start: number, end: number) {
    this.#view = space.view;
    this.#space = space;
    this.#owner = owner;
    this.#start = start;
    this.#end = end;
    this.#next = start;
  }

  /** Address where the next record goes. */
  get next(): number {
    return this.#next;
  }

  /** True if fewer than `count` records are left. */
  isFull(count: number): boolean {
    return this.#next + count * RECORD_BYTES > this.#end;
  }

  /** Takes the next record. */
  take(): number {
    const at = this.#next;
    this.#next += RECORD_BYTES;
    return at;
  }

  /** The page's code in a mode, made on first use; the page is write-protected from then on. */
  page(pfn: number, mode: number, variant = -1): CodePage {
    const key = ((variant + 2) * 0x100000 + pfn) * 32 + mode;
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = new CodePage(pfn, key, variant);
      this.#pages.set(key, page);
      const same = this.#byPfn.get(pfn);
      if (same === undefined) this.#byPfn.set(pfn, [page]);
      else same.push(page);
      this.#space.setCode(pfn, true, this.#owner);
    }
    return page;
  }

  /** True if the page is RAM or ROM, whose code can be kept. */
  isKept(pfn: number): boolean {
    return (this.#space.pages[pfn] & (PageBit.ram | PageBit.rom)) !== 0;
  }

  /** Bytes of a page were written. @returns True if code was dropped. */
  written(pfn: number, from: number, to: number): boolean {
    const list = this.#byPfn.get(pfn);
    if (list === undefined || !list.some((p) => p.touches(from, to))) return false;
    for (const page of list) this.#drop(page);
    this.#byPfn.delete(pfn);
    this.#space.setCode(pfn, false, this.#owner);
    return true;
  }

  /** Drops all code that was decoded with hooks in it. */
  dropHooked(): void {
    for (const page of this.#pages.values()) {
      if (page.variant === -1) continue;
      this.#drop(page);
      const same = (this.#byPfn.get(page.pfn) ?? []).filter((p) => p !== page);
      if (same.length > 0) this.#byPfn.set(page.pfn, same);
      else {
        this.#byPfn.delete(page.pfn);
        this.#space.setCode(page.pfn, false, this.#owner);
      }
    }
  }

  #drop(page: CodePage): void {
    for (let i = 0; i < page.runs.length; i += 2) {
      for (let r = page.runs[i]; r < page.runs[i + 1]; r += RECORD_BYTES) {
        this.#view.setUint16(r + Rec.handler, Handler.lookup, true);
      }
    }
    this.#pages.delete(page.key);
  }

  /** Forgets everything. */
  clear(): void {
    for (const pfn of this.#byPfn.keys()) this.#space.setCode(pfn, false, this.#owner);
    this.#pages.clear();
    this.#byPfn.clear();
    this.#next = this.#start;
  }
}

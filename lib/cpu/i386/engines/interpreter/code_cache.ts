/**
 * Predecoded code by physical page: which record belongs to which offset, and what to drop when a page is written.
 *
 * Records are handed out from one pool and never freed singly; a dropped page's records become look-ups, so that a jump
 * into one of them finds the new code. When the pool is full everything is forgotten. A page's code is kept per decoding
 * mode (default size, flatness) and, where there are hooks, per linear page, because hooks are at linear addresses. Writes to a page are compared with 64-byte granules that really hold code, so data
 * beside code costs a call, not a translation. Warm.
 */
import { type AddressSpace, PageBit } from "../../../../memory/address_space.ts";
import type { CodeMap } from "./code_map.ts";
import { DroppedRuns } from "./dropped_runs.ts";
import { OffsetMap } from "./offset_map.ts";
import { Handler, Rec, RECORD_BYTES } from "./record.ts";

/** Bytes of a granule. */
export const GRANULE_SHIFT = 6;
/** Granules of a page. */
export const GRANULES: number = 4096 >>> GRANULE_SHIFT;

/** Records decoded in one go, and the bytes of their page that they were decoded from. */
export interface Run {
  /** First record. */
  readonly first: number;
  /** Record after the last. */
  readonly end: number;
  /** Offset of the first byte. */
  readonly from: number;
  /** Offset after the last byte. */
  readonly to: number;
  /** Bytes among them that the records read from memory each time. */
  readonly soft: readonly Bytes[];
  /** What it was made from, where that may come back. */
  readonly source: RunSource | undefined;
}

/** What a run was made from. */
export interface RunSource {
  /** Host address of the page. */
  readonly at: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** The handlers of its records while it is dropped; made when it first is, since most runs never are. */
  handlers: Uint16Array | undefined;
  /** Its entries: offset and record by turns. */
  readonly entries: readonly number[];
}

/** Bytes `from` to `to` (exclusive) of a page. */
export interface Bytes {
  /** Offset of the first. */
  readonly from: number;
  /** Offset after the last. */
  readonly to: number;
}

const NONE: readonly Bytes[] = [];
/** Pages without code that are kept because they will have some again. */
const MOST_IDLE = 256;

/** Code of one physical page in one decoding mode and one variant. */
export class CodePage {
  /** Physical page number. */
  readonly pfn: number;
  /** Page number, mode and variant. */
  readonly key: number;
  /** See `HookPoints.variant`: -1 for code without hooks. */
  readonly variant: number;
  /** Record address by page offset. */
  readonly entries: OffsetMap = new OffsetMap();
  readonly #runs: Run[] = [];
  readonly #map: CodeMap | undefined;
  /** How many runs and translations hold code in a granule. */
  readonly #granules: Uint32Array = new Uint32Array(GRANULES);
  #held = 0;

  /** @param pfn Physical page. @param key Page, mode and variant. @param variant Which hooks are in it. @param map Told. */
  constructor(pfn: number, key: number, variant: number, map?: CodeMap) {
    this.#map = map;
    this.pfn = pfn;
    this.key = key;
    this.variant = variant;
  }

  /** True if nothing is left of it. */
  get isEmpty(): boolean {
    return this.#runs.length === 0 && this.#held === 0;
  }

  /**
   * Adds a run: records `first` to `end` (exclusive) come from bytes `from` to `to` (exclusive, at most 4096), those of
   * `soft` aside.
   */
  add(
    first: number,
    end: number,
    from: number,
    to: number,
    soft: readonly Bytes[] = NONE,
    source: RunSource | undefined = undefined,
  ): void {
    this.#runs.push({ first, end, from, to, soft, source });
    this.#mark(from, to, 1);
  }

  /** Adds a run that was dropped, with its entries. */
  revive(run: Run): void {
    this.#runs.push(run);
    this.#mark(run.from, run.to, 1);
    const entries = run.source?.entries ?? [];
    for (let i = 0; i < entries.length; i += 2) this.entries.set(entries[i], entries[i + 1]);
  }

  #mark(from: number, to: number, by: number): void {
    const first = from >>> GRANULE_SHIFT, last = (to - 1) >>> GRANULE_SHIFT;
    for (let g = first; g <= last; g++) this.#granules[g] += by;
    if (by > 0) this.#map?.mark(this.pfn, first, last);
    else this.#map?.forget(this.pfn);
  }

  /** True if there is code in granule `n`. */
  has(n: number): boolean {
    return this.#granules[n] !== 0;
  }

  /** A translation holds code in the granules that are 1. */
  hold(granules: Uint8Array): void {
    this.#held++;
    for (let g = 0; g < GRANULES; g++) {
      if (granules[g] === 0) continue;
      this.#granules[g]++;
      this.#map?.mark(this.pfn, g, g);
    }
  }

  /** It does so no more. */
  release(granules: Uint8Array): void {
    this.#held--;
    this.#map?.forget(this.pfn);
    for (let g = 0; g < GRANULES; g++) this.#granules[g] -= granules[g];
  }

  /** True if bytes `from` to `to` touch a granule with code. */
  touches(from: number, to: number): boolean {
    for (let g = from >>> GRANULE_SHIFT; g <= (to - 1) >>> GRANULE_SHIFT; g++) {
      if (this.#granules[g] !== 0) return true;
    }
    return false;
  }

  /**
   * Drops the runs that bytes `from` to `to` belong to, unless `mend` makes them true again; `kill` is told of each.
   * @returns True if there were any.
   */
  drop(
    from: number,
    to: number,
    kill: (run: Run, page: CodePage) => void,
    mend: (page: CodePage, run: Run, from: number, to: number) => boolean = () => false,
  ): boolean {
    const runs = this.#runs;
    let kept = 0, hit = false;
    for (const run of runs) {
      if (!isHit(run, from, to)) {
        runs[kept++] = run;
        continue;
      }
      hit = true;
      if (mend(this, run, from, to)) {
        runs[kept++] = run;
        continue;
      }
      kill(run, this);
      this.#mark(run.from, run.to, -1);
      this.#forgetEntries(run);
    }
    runs.length = kept;
    return hit;
  }

  #forgetEntries({ first, end, from, to, source }: Run): void {
    if (source !== undefined) {
      const { entries } = source;
      for (let i = 0; i < entries.length; i += 2) {
        if (this.entries.get(entries[i]) === entries[i + 1]) this.entries.delete(entries[i]);
      }
      return;
    }
    for (let at = from; at < to; at++) {
      const record = this.entries.get(at);
      if (record !== undefined && record >= first && record < end) this.entries.delete(at);
    }
  }
}

/** True if the records of a run depend on some of the bytes `from` to `to` (exclusive). */
function isHit(run: Run, from: number, to: number): boolean {
  if (run.to <= from || run.from >= to) return false;
  const { soft } = run;
  if (soft.length === 0) return true;
  for (let at = Math.max(from, run.from); at < Math.min(to, run.to); at++) {
    if (!soft.some((s) => at >= s.from && at < s.to)) return true;
  }
  return false;
}

/** All code of one CPU. */
export class CodeCache {
  readonly #pages: Map<number, CodePage> = new Map();
  readonly #byPfn: Map<number, CodePage[]> = new Map();
  readonly #view: DataView;
  readonly #space: AddressSpace;
  readonly #owner: number;
  readonly #map: CodeMap;
  readonly #idle: Map<number, CodePage> = new Map();
  /** Runs that may come back; undefined: none does. */
  readonly dropped: DroppedRuns | undefined;
  readonly #start: number;
  readonly #end: number;
  #next: number;

  /**
   * @param space Physical memory. @param owner Index of the CPU. @param map What generated code asks.
   * @param start First byte of the pool. @param end Its end. @param revive Dropped code may come back.
   */
  constructor(space: AddressSpace, owner: number, map: CodeMap, start: number, end: number, revive: boolean) {
    this.#map = map;
    this.dropped = revive ? new DroppedRuns(space) : undefined;
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

  /** Gives back the records from `next` on, which were taken last. */
  rewind(next: number): void {
    this.#next = next;
  }

  /** The page's code in a mode, made on first use; the page is write-protected from then on. */
  page(pfn: number, mode: number, variant = -1): CodePage {
    const key = ((variant + 2) * 0x100000 + pfn) * 32 + mode;
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = this.#idle.get(key) ?? new CodePage(pfn, key, variant, this.#map);
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

  /** True if bytes `from` to `to` of a page lie where there may be code. */
  isCode(pfn: number, from: number, to: number): boolean {
    return this.#byPfn.get(pfn)?.some((p) => p.touches(from, to)) === true;
  }

  /** Enters a page into the map. @returns False: there is no code of it. */
  expose(pfn: number): boolean {
    const list = this.#byPfn.get(pfn);
    if (list === undefined) return false;
    if (!this.#map.has(pfn)) this.#map.enter(pfn, (n) => list.some((p) => p.has(n)));
    return true;
  }

  /** No code depends on bytes of a page: generated code need not ask again. */
  free(pfn: number, from: number, bytes: number): void {
    this.#map.free(pfn, from, bytes);
  }

  /**
   * Bytes of a page were written: runs they belong to are dropped, unless `mend` makes them true again.
   * @returns True if there were any.
   */
  written(pfn: number, from: number, to: number, mend: Parameters<CodePage["drop"]>[3]): boolean {
    const list = this.#byPfn.get(pfn);
    if (list === undefined) return false;
    let hit = false;
    for (const page of list) {
      if (page.touches(from, to) && page.drop(from, to, this.#kill, mend)) hit = true;
    }
    return hit;
  }

  /** After code of a page was dropped: if there is none left it may be written at full speed again. */
  tidy(pfn: number): void {
    const list = this.#byPfn.get(pfn);
    if (list === undefined || list.some((p) => !p.isEmpty)) return;
    const isChanging = this.dropped?.isChanging(pfn) === true;
    if (this.#idle.size > MOST_IDLE) this.#idle.clear();
    for (const page of list) {
      this.#pages.delete(page.key);
      if (isChanging) this.#idle.set(page.key, page);
    }
    this.#byPfn.delete(pfn);
    this.#map.forget(pfn);
    this.#space.setCode(pfn, false, this.#owner);
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
    page.drop(0, 0x1000, this.#kill);
    this.#pages.delete(page.key);
  }

  readonly #kill = (run: Run, page: CodePage): void => {
    this.dropped?.add(page, run);
    for (let r = run.first; r < run.end; r += RECORD_BYTES) this.#view.setUint16(r + Rec.handler, Handler.lookup, true);
  };

  /** Forgets everything. */
  clear(): void {
    for (const pfn of this.#byPfn.keys()) this.#space.setCode(pfn, false, this.#owner);
    this.#pages.clear();
    this.#byPfn.clear();
    this.#idle.clear();
    this.dropped?.clear();
    this.#map.clear();
    this.#next = this.#start;
  }
}

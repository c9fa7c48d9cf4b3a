/**
 * Runs of records that were dropped because their bytes changed, for when the same bytes come back: code that is copied
 * to the same place again, overlays, functions that are switched by patching. Nothing is decoded then; the records get
 * their handlers back. Kept only for pages whose code was dropped before. Warm.
 */
import type { AddressSpace } from "../../../../memory/address_space.ts";
import type { CodePage, Run } from "./code_cache.ts";
import { Handler, RECORD_BYTES } from "./record.ts";

const NONE = new Uint16Array(0);
/** Runs that begin at the same byte. */
const MOST_ALIKE = 4;
/** Runs in all; more mean that all are forgotten. */
const MOST_RUNS = 4096;
/** Pages whose code changes; more mean that all are forgotten. */
const MOST_PAGES = 1024;

/** Dropped runs of one CPU. */
export class DroppedRuns {
  readonly #space: AddressSpace;
  /** Memory in words; a record's handler is its first one. */
  readonly #words: Uint16Array;
  readonly #changing: Set<number> = new Set();
  readonly #runs: Map<number, Run[]> = new Map();
  #count = 0;

  /** @param space Physical memory. */
  constructor(space: AddressSpace) {
    this.#space = space;
    this.#words = new Uint16Array(space.host.buffer);
  }

  /** True if code of a page was dropped before: runs that are made there should keep what they were made from. */
  isChanging(pfn: number): boolean {
    return this.#changing.has(pfn);
  }

  /** A run is about to be dropped. */
  add(page: CodePage, run: Run): void {
    if (!this.#changing.has(page.pfn)) {
      if (this.#changing.size === MOST_PAGES) this.clear();
      this.#changing.add(page.pfn);
    }
    if (run.source === undefined) return;
    if (this.#count >= MOST_RUNS) {
      this.#runs.clear();
      this.#count = 0;
    }
    const words = this.#words, handlers = run.source.handlers ??= new Uint16Array((run.end - run.first) / RECORD_BYTES);
    for (let n = 0, at = run.first >>> 1; n < handlers.length; n++, at += RECORD_BYTES >>> 1) handlers[n] = words[at];
    const key = page.key * 0x1000 + run.from, alike = this.#runs.get(key);
    this.#count++;
    if (alike === undefined) this.#runs.set(key, [run]);
    else {
      alike.push(run);
      if (alike.length <= MOST_ALIKE) return;
      alike.shift();
      this.#count--;
    }
  }

  /**
   * The dropped run that begins at an offset of a page and was made from the bytes that are there now, with its records
   * alive again; one that belonged to a translation is handed to `counter`.
   */
  take(page: CodePage, from: number, counter: (record: number, page: CodePage) => void): Run | undefined {
    const alike = this.#runs.get(page.key * 0x1000 + from);
    if (alike === undefined) return undefined;
    const { host, pages } = this.#space, at = pages[page.pfn] & ~0xfff;
    const n = alike.findIndex((run) => isSame(run, host, at));
    if (n < 0) return undefined;
    const run = alike[n], handlers = run.source?.handlers ?? NONE, words = this.#words;
    alike.splice(n, 1);
    this.#count--;
    for (let i = 0, r = run.first; i < handlers.length; i++, r += RECORD_BYTES) {
      if (handlers[i] === Handler.region) counter(r, page);
      else words[r >>> 1] = handlers[i];
    }
    return run;
  }

  /** Forgets everything. */
  clear(): void {
    this.#changing.clear();
    this.#runs.clear();
    this.#count = 0;
  }
}

/** True if the bytes a run was made from are there, soft ones aside. */
function isSame({ source, from, soft }: Run, host: Uint8Array, page: number): boolean {
  if (source?.at !== page) return false;
  const { bytes } = source, at = page + from;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== host[at + i] && !isSoft(soft, from + i)) return false;
  }
  return true;
}

function isSoft(soft: Run["soft"], offset: number): boolean {
  return soft.some((s) => offset >= s.from && offset < s.to);
}

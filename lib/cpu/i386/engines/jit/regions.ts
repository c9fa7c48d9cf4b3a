/**
 * The regions there are: by page, with the instructions each one has, and the records that call them. Warm.
 */
import type { I386Cpu } from "../../cpu.ts";
import { type CodePage, GRANULE_SHIFT, GRANULES } from "../interpreter/code_cache.ts";
import { Handler, Rec } from "../interpreter/record.ts";
import type { Discovery } from "./discover.ts";

/** Regions at a time. */
export const TABLE_SIZE: number = 1 << 14;

/** A translated region. */
export interface Region {
  /** Its first page. */
  readonly pfn: number;
  /** Mode it is translated for, see `TranslatorHost.decodeKey`. */
  readonly key: number;
  /** Number of the second page, or -1. */
  readonly second: number;
  /** Its slot in the table. */
  readonly slot: number;
  /** Bytes of its module. */
  readonly bytes: number;
  /** Offsets where it is entered. */
  readonly entries: readonly number[];
  /** Bytes of its instructions in the first page, and behind 4096 in the second; a bit each. */
  readonly code: Int32Array;
  /** Code of the pages it is made from. */
  readonly pages: readonly CodePage[];
  /** How often code was added to it. */
  readonly rebuilds: number;
  /** Records that call it. */
  readonly records: number[];
  /** False once it is dropped. */
  isAlive: boolean;
}

/** The set of the bytes of all instructions that were found, constants that are read from memory aside. */
export function codeOf(discovery: Discovery): Int32Array {
  const code = new Int32Array(256);
  for (const { offset, next, soft } of discovery.instructions) {
    for (let at = offset; at < next && at < 0x2000; at++) {
      const isSoft = soft.some((f) => at >= offset + f.at && at < offset + f.at + f.size);
      if (!isSoft) code[at >>> 5] |= 1 << (at & 31);
    }
  }
  return code;
}

/** Granules of a page in which a set of bytes has some; `page` is 0 for the first and 1 for the second. */
function granulesOf(code: Int32Array, page: number): Uint8Array {
  const words = 1 << (GRANULE_SHIFT - 5), from = page * GRANULES * words;
  const out = new Uint8Array(GRANULES);
  for (let i = 0; i < GRANULES * words; i++) if (code[from + i] !== 0) out[i / words | 0] = 1;
  return out;
}

/** True if a set of offsets contains one. */
function contains(code: Int32Array, at: number): boolean {
  return ((code[at >>> 5] >>> (at & 31)) & 1) !== 0;
}

/** All regions of one CPU. */
export class RegionMap {
  /** Functions by slot. */
  readonly table: WebAssembly.Table = new WebAssembly.Table({
    element: "anyfunc",
    initial: TABLE_SIZE,
    maximum: TABLE_SIZE,
  });
  /** Bytes of all modules. */
  bytes = 0;
  readonly #cpu: I386Cpu;
  readonly #threshold: (pfn: number) => number;
  readonly #pages: Map<number, Region[]> = new Map();
  readonly #free: number[] = [];
  #nextSlot = 0;

  /** @param cpu The CPU. @param threshold Count of a new counter of a page. */
  constructor(cpu: I386Cpu, threshold: (pfn: number) => number) {
    this.#cpu = cpu;
    this.#threshold = threshold;
  }

  /** True if there is no slot left. */
  get isFull(): boolean {
    return this.#free.length === 0 && this.#nextSlot === TABLE_SIZE;
  }

  /** Takes a slot. */
  takeSlot(): number {
    return this.#free.pop() ?? this.#nextSlot++;
  }

  /** The region that has the instruction at an offset of a page, if there is one; those that begin there come first. */
  owner(pfn: number, key: number, offset: number): Region | undefined {
    const list = this.#pages.get(pfn)?.filter((r) => r.key === key);
    return list?.find((r) => r.pfn === pfn && contains(r.code, offset)) ??
      list?.find((r) => r.second === pfn && contains(r.code, offset + 0x1000));
  }

  /** True if a region that begins in a page, other than `own`, has the instruction at an offset of it. */
  isForeign(pfn: number, key: number, offset: number, own: Region | undefined): boolean {
    return this.#pages.get(pfn)?.some((r) =>
      r !== own && r.key === key && r.pfn === pfn && contains(r.code, offset)
    ) === true;
  }

  /** Regions that begin in page `pfn` and share instructions with `discovery`. */
  overlapping(pfn: number, key: number, discovery: Discovery): Region[] {
    const list = this.#pages.get(pfn)?.filter((r) => r.key === key && r.pfn === pfn) ?? [];
    if (list.length === 0) return list;
    const code = codeOf(discovery);
    return list.filter((r) => r.code.some((word, i) => (word & code[i]) !== 0));
  }

  /** Adds a region and lets the record of each of its entries call it. `record` finds it, 0: there is none. */
  add(
    region: Region,
    blocks: readonly { readonly id: number; readonly start: number }[],
    record: (at: number) => number,
  ): void {
    const view = this.#cpu.board.space.view;
    for (const block of blocks) {
      const at = record(block.start);
      if (at === 0) continue;
      const handler = view.getUint16(at + Rec.handler, true);
      if (handler !== Handler.counter && handler !== Handler.region) continue;
      view.setUint16(at + Rec.handler, Handler.region, true);
      view.setInt32(at + Rec.disp, region.pfn, true);
      view.setInt32(at + Rec.imm, block.id, true);
      view.setInt32(at + Rec.op, region.slot, true);
      region.records.push(at);
    }
    region.pages.forEach((page, n) => page.hold(granulesOf(region.code, n)));
    this.#list(region.pfn, region);
    if (region.second >= 0) this.#list(region.second, region);
    this.bytes += region.bytes;
  }

  /** Drops the regions to which some of the bytes `from` to `to` (exclusive) of a page belong. @returns True if there were any. */
  dropBytes(pfn: number, from: number, to: number): boolean {
    const hit = this.#pages.get(pfn)?.filter(({ pfn: first, second, code }) => {
      for (let at = from; at < to; at++) {
        if (first === pfn && contains(code, at) || second === pfn && contains(code, at + 0x1000)) return true;
      }
      return false;
    });
    if (hit === undefined) return false;
    for (const r of hit) this.drop(r);
    return hit.length > 0;
  }

  #list(pfn: number, region: Region): void {
    const list = this.#pages.get(pfn);
    if (list === undefined) this.#pages.set(pfn, [region]);
    else list.push(region);
  }

  /** Drops one region; its records count anew. */
  drop(region: Region): void {
    const view = this.#cpu.board.space.view;
    region.isAlive = false;
    this.table.set(region.slot, null);
    this.#free.push(region.slot);
    this.bytes -= region.bytes;
    region.pages.forEach((page, n) => page.release(granulesOf(region.code, n)));
    for (const pfn of region.second < 0 ? [region.pfn] : [region.pfn, region.second]) {
      const rest = this.#pages.get(pfn)?.filter((r) => r !== region) ?? [];
      if (rest.length > 0) this.#pages.set(pfn, rest);
      else this.#pages.delete(pfn);
    }
    for (const record of region.records) {
      if (view.getUint16(record + Rec.handler, true) !== Handler.region) continue;
      if (view.getInt32(record + Rec.op, true) !== region.slot) continue;
      view.setUint16(record + Rec.handler, Handler.counter, true);
      view.setInt32(record + Rec.imm, region.pfn, true);
      view.setInt32(record + Rec.disp, 0, true);
      view.setInt32(record + Rec.op, this.#threshold(region.pfn), true);
    }
  }

  /** Drops everything; the records are gone too. */
  clear(): void {
    for (let slot = 0; slot < this.#nextSlot; slot++) this.table.set(slot, null);
    this.#pages.clear();
    this.#free.length = 0;
    this.#nextSlot = 0;
    this.bytes = 0;
  }
}

/**
 * Shadow RAM: RAM under a range of ROM or nothing, switched in page by page for reads, for writes, or both, as the host
 * bridge of a PC does it for 0xC0000-0xFFFFF.
 *
 * Each shadow page has two numbers: the page number of its address, and one past the end of the address space, its home
 * number, by which it is known to the dirty list and to snapshots whether it is switched in or not. The page map has an
 * entry for both. What lies under the shadow keeps the number of its address. Cold: a write to shadow RAM is an ordinary
 * RAM write once it is switched in for reading.
 */
import type { MmioHandler, Width } from "../core/bus.ts";
import { PAGE } from "./region.ts";

/** Pages of the address space; home numbers of shadow pages begin here. */
export const PAGES: number = 1 << 20;

/** Most pages of shadow RAM: 256 KiB. */
export const SHADOW_PAGES = 64;

/** Shadow RAM of one address space. */
export class Shadow {
  /** First page number. */
  readonly first: number;
  /** Number of pages. */
  readonly count: number;
  /** Byte address of the first page in the machine's memory, u32. */
  readonly host: number;
  /** Page-map entries of what lies under the shadow, valid while it is switched in. */
  readonly under: Int32Array;
  /** By page, 1: switched in for reads, 2: for writes. */
  readonly switched: Uint8Array;

  /** @param at Physical address. @param size Bytes. @param host Where its bytes lie. */
  constructor(at: number, size: number, host: number) {
    this.first = at / PAGE;
    this.count = size / PAGE;
    this.host = host;
    this.under = new Int32Array(this.count);
    this.switched = new Uint8Array(this.count);
  }

  /** Index of a page by the number of its address, or -1. */
  index(pfn: number): number {
    const i = pfn - this.first;
    return i >= 0 && i < this.count ? i : -1;
  }

  /** Is page `index` switched in, for reads, writes or both? */
  isIn(index: number): boolean {
    return this.switched[index] !== 0;
  }

  /** Byte address of page `index`. */
  hostOf(index: number): number {
    return this.host + index * PAGE;
  }
}

/** Reads from `under`, writes to `over`: a page that is switched in for writes alone. Offsets are from the same address. */
export function splitHandler(
  under: (offset: number, width: Width) => number,
  over: (offset: number, value: number, width: Width) => void,
): MmioHandler {
  return { read: under, peek: under, write: over };
}

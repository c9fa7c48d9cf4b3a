/**
 * Regions: the kinds of range an address space is made of. Values, so that a script composes them in any order. Cold.
 */
import type { MmioHandler } from "../core/bus.ts";

/** Bytes of one page; RAM and ROM come in whole pages. */
export const PAGE = 4096;

/** One range of physical addresses. */
export type Region =
  | {
    readonly kind: "ram";
    /** For messages; unique. */
    readonly name: string;
    /** Physical address, page aligned. */
    readonly at: number;
    /** Bytes, whole pages. */
    readonly size: number;
    /** True: a hypervisor's; no memory map tells the guest of it. */
    readonly hidden?: boolean;
  }
  | {
    readonly kind: "rom";
    readonly name: string;
    readonly at: number;
    readonly size: number;
    /** Contents; shorter than `size` is padded with 0xff. */
    readonly bytes: Uint8Array;
  }
  | {
    /** RAM under other Regions, switched in by the host bridge; see `AddressSpace.setShadow`. */
    readonly kind: "shadow";
    readonly name: string;
    readonly at: number;
    readonly size: number;
  }
  | {
    readonly kind: "mmio";
    readonly name: string;
    readonly at: number;
    readonly size: number;
    readonly handler: MmioHandler;
  };

/** Where a Region lies. */
export interface Place {
  /** Physical address, page aligned. */
  readonly at: number;
  /** Bytes, whole pages. */
  readonly size: number;
  /** For messages; default: kind and address. */
  readonly name?: string;
}

/** Random-access memory. */
export function ram(place: Place & { readonly hidden?: boolean }): Region {
  const { at, size, name = label("ram", at), hidden = false } = place;
  return { kind: "ram", name, at, size, ...(hidden ? { hidden } : {}) };
}

/** Read-only memory; guest writes are dropped and traced. Size is rounded up to whole pages. */
export function rom(place: { readonly at: number; readonly bytes: Uint8Array; readonly name?: string }): Region {
  const size = Math.ceil(Math.max(1, place.bytes?.length ?? 0) / PAGE) * PAGE;
  return { kind: "rom", name: place.name ?? label("rom", place.at), at: place.at, size, bytes: place.bytes };
}

/** RAM under a range, at most 256 KiB and at power-on not to be seen; at most one in an address space. */
export function shadowRam(place: Place): Region {
  return { kind: "shadow", name: place.name ?? label("shadow", place.at), at: place.at, size: place.size };
}

/** Memory-mapped device registers. */
export function mmio(place: Place & { readonly handler: MmioHandler }): Region {
  const name = place.name ?? label("mmio", place.at);
  return { kind: "mmio", name, at: place.at, size: place.size, handler: place.handler };
}

function label(kind: string, at: number): string {
  return `${kind}@${Number.isInteger(at) ? `0x${at.toString(16).padStart(8, "0")}` : String(at)}`;
}

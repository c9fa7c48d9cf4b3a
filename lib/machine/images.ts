/**
 * What was loaded and how it is entered, so that a reset can do it again. Cold.
 */
import type { CpuStart } from "../core/cpu.ts";
import type { Region } from "../memory/region.ts";

/** Loaded images of one machine. */
export class Images {
  /** How the CPU is entered, if not through its reset vector. */
  start: CpuStart | undefined = undefined;
  #list: { readonly at: number; readonly bytes: Uint8Array }[] = [];

  /** In the order of loading. */
  get list(): readonly { readonly at: number; readonly bytes: Uint8Array }[] {
    return this.#list;
  }

  /** Remembers bytes; a copy is not made, an image loaded to the same place is forgotten. */
  add(at: number, bytes: Uint8Array): void {
    this.#list = this.#list.filter((i) => i.at < at || i.at + i.bytes.length > at + bytes.length);
    this.#list.push({ at, bytes });
  }

  /** Forgets everything. */
  clear(): void {
    this.#list = [];
    this.start = undefined;
  }

  /** The documented entry of a program loaded at `at`. */
  startOf(at: number, bits: 16 | 32, regions: readonly Region[]): CpuStart {
    const home = regions.find((r) => r.at <= at && at < r.at + r.size);
    const end = home === undefined ? 0 : home.at + home.size;
    if (bits === 32) return { mode: "flat32", entry: at, stack: at >= 0x1000 ? at & ~0xf : end & ~0xf };
    const stack = at >= 0x1000 && at <= 0xffff ? at & 0xfff0 : Math.min(end, 0xfff0);
    if (at <= 0xffff) return { mode: "real16", entry: at, stack };
    return { mode: "real16", entry: at & 0xf, code: (at >>> 4) & 0xffff, data: (at >>> 4) & 0xffff, stack: 0xfff0 };
  }
}

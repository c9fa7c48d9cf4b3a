/**
 * What a guest is told about its memory: the e820 list and the two old numbers below and above 1 MiB. Cold.
 */
import type { Region } from "../../memory/region.ts";

/** One range. */
export interface MapEntry {
  /** Physical address. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
  /** 1: usable RAM, 2: reserved. */
  readonly type: 1 | 2;
}

/** Extended BIOS data and video memory are nobody's RAM although a board may have RAM there. */
const LOW_END = 0x9fc00;
const HIGH = 0x100000;

/** e820 entries of a machine, by address: RAM is usable except 0x9fc00-0xfffff. */
export function memoryMap(regions: readonly Region[]): readonly MapEntry[] {
  const out: MapEntry[] = [];
  for (const r of regions) {
    const end = r.at + r.size;
    if (r.kind === "ram" && r.hidden !== true) {
      if (r.at < LOW_END) out.push({ at: r.at, size: Math.min(end, LOW_END) - r.at, type: 1 });
      if (end > HIGH) out.push({ at: Math.max(r.at, HIGH), size: end - Math.max(r.at, HIGH), type: 1 });
    } else if (r.kind === "rom" && r.at >= HIGH) {
      out.push({ at: r.at, size: r.size, type: 2 });
    }
  }
  out.push({ at: LOW_END, size: HIGH - LOW_END, type: 2 });
  return out.sort((a, b) => a.at - b.at);
}

/** End of the RAM that begins at or below 1 MiB and goes on without a hole; 0: none. */
export function highEnd(regions: readonly Region[]): number {
  const home = regions.find((r) => r.kind === "ram" && r.at <= HIGH && r.at + r.size > HIGH);
  if (home === undefined) return 0;
  let end = home.at + home.size;
  for (const r of regions) if (r.kind === "ram" && r.hidden !== true && r.at === end) end += r.size;
  return end;
}

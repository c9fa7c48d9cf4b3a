/**
 * Emits the look for a translation that serves a group of accesses, at the first of them. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { emitProbe } from "../interpreter/memory_code.ts";
import type { Group } from "./groups.ts";

/** What the code needs. */
export interface GroupSite {
  /** Byte address of the TLB table for reads. */
  readonly readTable: number;
  /** Byte address of the TLB table for writes. */
  readonly writeTable: number;
  /** Local for the linear address. */
  readonly la: number;
  /** Local for the translation. */
  readonly t: number;
}

/** Gives the group a local with the host address of its start, or -1; `address` puts that of the access on the stack. */
export function emitGroup(
  f: FunctionBody,
  group: Group,
  distance: number,
  site: GroupSite,
  address: () => void,
): void {
  group.left = group.count;
  group.local = f.temp("i32");
  address();
  if (distance !== 0) {
    f.i32(distance);
    f.num("i32.sub");
  }
  emitProbe(f, 8, site.la, site.t, group.write ? site.writeTable : site.readTable);
  f.drop();
  // One comparison for all: no fast access (bit 31), not aligned (low bits), over the end of the page.
  const shift = Math.log2(group.width);
  f.get(site.t);
  f.i32(0x80000fff | 0);
  f.num("i32.and");
  if (shift > 0) {
    f.i32(shift);
    f.num("i32.rotr");
  }
  f.i32((0x1000 - group.span) >>> shift);
  f.num("i32.gt_u");
  f.if("unlikely");
  f.i32(-1);
  f.set(site.t);
  f.end();
  f.get(site.t);
  f.set(group.local);
}

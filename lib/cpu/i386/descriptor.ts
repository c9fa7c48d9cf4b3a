/**
 * Look-up of segment descriptors in the GDT or LDT; what they are made of is in spec/i386_descriptor.ts.
 * Sources: SDM-3A 3.4.5, 5.8. Warm.
 */
import { Desc } from "../../spec/i386_descriptor.ts";
import type { Context } from "./context.ts";
import { Layout, Seg } from "./state.ts";

export {
  Desc,
  descriptorBase,
  descriptorLimit,
  isCode,
  isConforming,
  isData,
  isReadable,
  isWritableData,
  privilege,
  SystemType,
  systemType,
} from "../../spec/i386_descriptor.ts";

/** One descriptor read from a table. Callers keep these as scratch objects. */
export class Descriptor {
  /** Low dword, i32. */
  low = 0;
  /** High dword, i32. */
  high = 0;
  /** Linear address it was read from, i32. */
  at = 0;
}

/**
 * Reads the descriptor a selector names.
 * @returns False if the selector is beyond its table, or names an LDT while none is loaded.
 */
export function lookUp(c: Context, selector: number, into: Descriptor): boolean {
  const s = c.state;
  const offset = selector & 0xfff8;
  let base: number, limit: number;
  if ((selector & 4) !== 0) {
    if ((s.seg(6, Seg.rights) & 4) === 0) return false;
    base = s.seg(6, Seg.base);
    limit = s.seg(6, Seg.limit);
  } else {
    base = s.get(Layout.gdtBase);
    limit = s.get(Layout.gdtLimit);
  }
  if (offset + 7 > (limit >>> 0)) return false;
  into.at = (base + offset) | 0;
  if (s.get(Layout.tablesPhysical) !== 0) {
    into.low = c.mem.words.read32(into.at >>> 0);
    into.high = c.mem.words.read32((into.at + 4) >>> 0);
    return true;
  }
  into.low = c.mem.sysRead32(into.at);
  into.high = c.mem.sysRead32((into.at + 4) | 0);
  return true;
}

/** As {@linkcode lookUp}; beyond the table is `vector` with the selector and the EXT bit `ext` as error code. */
export function fetchDescriptor(c: Context, selector: number, into: Descriptor, vector: number, ext: number): void {
  if (!lookUp(c, selector, into)) c.raise(vector, (selector & 0xfffc) | ext);
}

/** Sets the accessed bit in memory unless it is set. Faults: #PF. */
export function touch(c: Context, d: Descriptor): void {
  if ((d.high & Desc.accessed) !== 0) return;
  d.high |= Desc.accessed;
  if (c.state.get(Layout.tablesPhysical) !== 0) return c.mem.words.write32((d.at + 4) >>> 0, d.high);
  c.mem.sysWrite8((d.at + 5) | 0, (d.high >>> 8) & 0xff);
}

/** True for a null selector (0-3). */
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

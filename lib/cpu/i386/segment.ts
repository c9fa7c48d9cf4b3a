/**
 * Segment registers: filling their caches and loading them from selectors with every check of the manual.
 *
 * Real mode changes selector and base only, so limits set in protected mode survive ("unreal mode"), as on hardware.
 * Virtual-8086 mode sets the fixed 64 KiB read/write descriptor. Protected mode reads the descriptor, checks it and
 * sets its accessed bit. Nothing is changed before the last check has passed.
 * Sources: SDM-3A 3.4, 5.3 to 5.6, 20.1; SDM-2B MOV, POP, LDS. Warm.
 */
import { Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { type CpuState, Layout, Seg } from "./state.ts";
import {
  Desc,
  Descriptor,
  descriptorBase,
  descriptorLimit,
  fetchDescriptor,
  isCode,
  isConforming,
  isData,
  isNull,
  isReadable,
  isWritableData,
  privilege,
  touch,
} from "./descriptor.ts";

/** Numbers of the segment caches. */
export const SegReg = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;

/** Bits of `Seg.rights`. */
export const Rights = { read: 1, write: 2, usable: 4 } as const;

/** Access bits of a segment in virtual-8086 mode: present, DPL 3, writable accessed data. */
const V86_ACCESS = 0xf300;

const scratch: Descriptor = new Descriptor();

/** Fills a cache from descriptor dwords; the selector is stored as given. */
export function setCache(s: CpuState, n: number, selector: number, low: number, high: number): void {
  const limit = descriptorLimit(low, high);
  s.setSeg(n, Seg.selector, selector & 0xffff);
  s.setSeg(n, Seg.base, descriptorBase(low, high));
  s.setSeg(n, Seg.limit, limit | 0);
  s.setSeg(n, Seg.access, high & Desc.cached);
  s.setSeg(n, Seg.rights, rightsOf(high));
  setBounds(s, n, limit, high);
}

/** First valid offset of a segment, u32; see {@linkcode lastOffset}. */
export function firstOffset(limit: number, high: number): number {
  if (!isExpandDown(high)) return 0;
  return limit === 0xffffffff ? 0xffffffff : limit + 1;
}

/** Last valid offset of a segment, u32; below the first one: no offset is valid. */
export function lastOffset(limit: number, high: number): number {
  if (!isExpandDown(high)) return limit;
  if (limit === 0xffffffff) return 0;
  return (high & Desc.big) !== 0 ? 0xffffffff : 0xffff;
}

function setBounds(s: CpuState, n: number, limit: number, high: number): void {
  s.setSeg(n, Seg.lo, firstOffset(limit, high) | 0);
  s.setSeg(n, Seg.hi, lastOffset(limit, high) | 0);
}

function isExpandDown(high: number): boolean {
  return isData(high) && (high & Desc.direction) !== 0;
}

function rightsOf(high: number): number {
  if ((high & Desc.segment) === 0) return Rights.usable;
  const bit9 = (high & Desc.readWrite) !== 0;
  if ((high & Desc.code) !== 0) return bit9 ? Rights.usable | Rights.read : Rights.usable;
  return bit9 ? Rights.usable | Rights.read | Rights.write : Rights.usable | Rights.read;
}

/** Makes a cache unusable: no offset of it is valid. The selector is stored as given. */
export function setNull(s: CpuState, n: number, selector: number): void {
  s.setSeg(n, Seg.selector, selector & 0xffff);
  s.setSeg(n, Seg.base, 0);
  s.setSeg(n, Seg.limit, 0);
  s.setSeg(n, Seg.access, 0);
  s.setSeg(n, Seg.rights, 0);
  s.setSeg(n, Seg.lo, -1);
  s.setSeg(n, Seg.hi, 0);
}

/**
 * Real-mode load: selector and base. Rights become those of real mode, where every segment can be read and written;
 * limit and size stay, unless the cache was unusable.
 */
export function setReal(s: CpuState, n: number, selector: number): void {
  s.setSeg(n, Seg.selector, selector & 0xffff);
  s.setSeg(n, Seg.base, (selector & 0xffff) << 4);
  if ((s.seg(n, Seg.rights) & Rights.usable) === 0) s.setSeg(n, Seg.limit, 0xffff);
  s.setSeg(n, Seg.rights, Rights.read | Rights.write | Rights.usable);
  const keep = s.seg(n, Seg.access) & (Desc.big | Desc.granular);
  s.setSeg(n, Seg.access, keep | (n === SegReg.cs ? 0x9b00 : 0x9300));
  setBounds(s, n, s.seg(n, Seg.limit) >>> 0, 0);
}

/** Virtual-8086 load: the fixed descriptor, base from the selector. */
export function setV86(s: CpuState, n: number, selector: number): void {
  s.setSeg(n, Seg.selector, selector & 0xffff);
  s.setSeg(n, Seg.base, (selector & 0xffff) << 4);
  s.setSeg(n, Seg.limit, 0xffff);
  s.setSeg(n, Seg.access, V86_ACCESS);
  s.setSeg(n, Seg.rights, Rights.read | Rights.write | Rights.usable);
  s.setSeg(n, Seg.lo, 0);
  s.setSeg(n, Seg.hi, 0xffff);
}

/**
 * Loads ES, SS, DS, FS or GS (not CS) as MOV Sreg does, in any mode.
 *
 * Faults: #GP(selector), #GP(0) for a null SS, #NP(selector), #SS(selector), #PF.
 * @param n 0, 2, 3, 4 or 5.
 * @param selector u16.
 */
export function loadSegment(c: Context, n: number, selector: number): void {
  const s = c.state;
  if (!s.isProtected) setReal(s, n, selector);
  else if (s.isV86) setV86(s, n, selector);
  else if (n === SegReg.ss) loadStackSegment(c, selector);
  else loadDataSegment(c, n, selector);
  if (n < SegReg.fs) c.modeChanged();
}

function loadStackSegment(c: Context, selector: number): void {
  const s = c.state, d = scratch, cpl = s.get(Layout.cpl), code = selector & 0xfffc;
  if (isNull(selector)) c.raise(Vector.gp, 0);
  fetchDescriptor(c, selector, d, Vector.gp, 0);
  if ((selector & 3) !== cpl || !isWritableData(d.high) || privilege(d.high) !== cpl) c.raise(Vector.gp, code);
  if ((d.high & Desc.present) === 0) c.raise(Vector.ss, code);
  touch(c, d);
  setCache(s, SegReg.ss, selector, d.low, d.high);
}

function loadDataSegment(c: Context, n: number, selector: number): void {
  const s = c.state, d = scratch, code = selector & 0xfffc;
  if (isNull(selector)) {
    setNull(s, n, selector);
    return;
  }
  fetchDescriptor(c, selector, d, Vector.gp, 0);
  if (!isReadable(d.high)) c.raise(Vector.gp, code);
  if (!isConforming(d.high)) {
    const dpl = privilege(d.high);
    if ((selector & 3) > dpl || s.get(Layout.cpl) > dpl) c.raise(Vector.gp, code);
  }
  if ((d.high & Desc.present) === 0) c.raise(Vector.np, code);
  touch(c, d);
  setCache(s, n, selector, d.low, d.high);
}

/**
 * Loads CS from a checked descriptor in protected mode, sets CPL and the selector's RPL to `cpl`. The caller has set
 * the accessed bit ({@linkcode touch}) and recomputes the mode when all segments are loaded.
 */
export function setCode(s: CpuState, selector: number, d: Descriptor, cpl: number): void {
  setCache(s, SegReg.cs, (selector & 0xfffc) | cpl, d.low, d.high);
  s.set(Layout.cpl, cpl);
}

/**
 * After a return to an outer level: data segments the new level may not use become null.
 * @see SDM-3A 5.8.6
 */
export function dropInnerSegments(s: CpuState): void {
  const cpl = s.get(Layout.cpl);
  for (let n = 0; n < SegReg.ldtr; n++) {
    if (n === SegReg.cs || n === SegReg.ss) continue;
    const access = s.seg(n, Seg.access);
    if (privilege(access) < cpl && (access & Desc.segment) !== 0 && !isConforming(access)) setNull(s, n, 0);
  }
}

/**
 * Linear address of `size` bytes at `offset` of a segment after limit and rights checks.
 *
 * Faults: #SS(0) through SS, else #GP(0).
 * @param offset u32, already masked to the address size.
 * @returns Linear address, i32.
 */
export function checkSegment(c: Context, n: number, offset: number, size: number, write: boolean): number {
  const s = c.state;
  const need = write ? Rights.usable | Rights.write : Rights.usable | Rights.read;
  if ((s.seg(n, Seg.rights) & need) !== need || !inBounds(s.seg(n, Seg.lo), s.seg(n, Seg.hi), offset, size)) {
    c.raise(n === SegReg.ss ? Vector.ss : Vector.gp, 0);
  }
  return (s.seg(n, Seg.base) + offset) | 0;
}

/** True if bytes `offset` to `offset + size - 1` lie between `lo` and `hi`; a flat segment lets them wrap at 4 GiB. */
export function inBounds(lo: number, hi: number, offset: number, size: number): boolean {
  if (lo === 0 && hi === -1) return true;
  const first = offset >>> 0;
  return first >= (lo >>> 0) && first + size - 1 <= (hi >>> 0);
}

/** True if `eip` lies within the limit of CS. */
export function inCode(s: CpuState, eip: number): boolean {
  return (eip >>> 0) <= (s.seg(SegReg.cs, Seg.limit) >>> 0);
}

/** True if `eip` lies within the limit of a code descriptor. */
export function inCodeOf(d: Descriptor, eip: number): boolean {
  return (eip >>> 0) <= descriptorLimit(d.low, d.high);
}

/** Type and privilege of a code descriptor that a gate names: code, DPL not above `cpl`. */
export function isReachableCode(high: number, cpl: number): boolean {
  return isCode(high) && privilege(high) <= cpl;
}

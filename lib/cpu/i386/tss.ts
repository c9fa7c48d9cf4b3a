/**
 * Task state segments as gates see them: finding one, and the inner stacks it names.
 * Sources: SDM-3A 5.8.5, 7.2. Warm.
 */
import { Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { Seg } from "./state.ts";
import {
  Desc,
  type Descriptor,
  fetchDescriptor,
  isNull,
  isWritableData,
  privilege,
  SystemType,
  systemType,
} from "./descriptor.ts";
import { SegReg } from "./segment.ts";

/** SS:ESP of an inner privilege level. */
export interface InnerStack {
  /** Selector of SS. */
  selector: number;
  /** ESP, i32. */
  esp: number;
  /** Descriptor of SS, not yet touched. */
  readonly ss: Descriptor;
}

/** True if the current TSS (cache of TR) has the 32-bit format. */
export function isTss32(access: number): boolean {
  return (access & 0x800) !== 0;
}

/**
 * Reads SS:ESP of privilege level `level` from the current TSS and checks the segment.
 *
 * Faults: #TS(TR), #TS(SS), #SS(SS), #PF.
 */
export function innerStack(c: Context, level: number, ext: number, out: InnerStack): void {
  const s = c.state;
  const base = s.seg(SegReg.tr, Seg.base);
  const limit = s.seg(SegReg.tr, Seg.limit) >>> 0;
  const trCode = (s.seg(SegReg.tr, Seg.selector) & 0xfffc) | ext;
  if (isTss32(s.seg(SegReg.tr, Seg.access))) {
    const at = level * 8 + 4;
    if (at + 5 > limit) c.raise(Vector.ts, trCode);
    out.esp = c.mem.sysRead32((base + at) | 0);
    out.selector = c.mem.sysRead16((base + at + 4) | 0);
  } else {
    const at = level * 4 + 2;
    if (at + 3 > limit) c.raise(Vector.ts, trCode);
    out.esp = c.mem.sysRead16((base + at) | 0);
    out.selector = c.mem.sysRead16((base + at + 2) | 0);
  }
  const code = (out.selector & 0xfffc) | ext;
  if (isNull(out.selector)) c.raise(Vector.ts, ext);
  fetchDescriptor(c, out.selector, out.ss, Vector.ts, ext);
  const high = out.ss.high;
  if ((out.selector & 3) !== level || privilege(high) !== level || !isWritableData(high)) c.raise(Vector.ts, code);
  if ((high & Desc.present) === 0) c.raise(Vector.ss, code);
}

/**
 * Reads the descriptor of an available TSS that a task gate names.
 *
 * Faults: #GP(selector) for a local or null selector, beyond the table or not an available TSS, #NP(selector).
 */
export function fetchTss(c: Context, selector: number, out: Descriptor, ext: number): void {
  const code = (selector & 0xfffc) | ext;
  if ((selector & 4) !== 0 || isNull(selector)) c.raise(Vector.gp, code);
  fetchDescriptor(c, selector, out, Vector.gp, ext);
  const type = systemType(out.high);
  if (type !== SystemType.tss16 && type !== SystemType.tss32) c.raise(Vector.gp, code);
  if ((out.high & Desc.present) === 0) c.raise(Vector.np, code);
}

/**
 * Task switches: state out to the old TSS, in from the new one, then the segment registers in the context of the new
 * task. Everything up to the commit point faults in the old task, everything after it in the new one.
 * Sources: SDM-3A 7.2 to 7.6, 6.12.1. Warm.
 */
import { Cr0, Dr6, Flag, Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import {
  Desc,
  Descriptor,
  descriptorLimit,
  fetchDescriptor,
  isCode,
  isConforming,
  isNull,
  isReadable,
  isWritableData,
  lookUp,
  privilege,
  SystemType,
  systemType,
  touch,
} from "./descriptor.ts";
import { readEflags, writeEflags } from "./flags.ts";
import { checkSegment, inCode, SegReg, setCache, setCode, setNull, setV86 } from "./segment.ts";
import { Layout, Seg } from "./state.ts";
import { writeCr3 } from "./system/control_registers.ts";
import { isTss32 } from "./tss.ts";

/** What causes the switch. */
export const TaskSource = {
  /** JMP: the old task becomes available. */
  jump: 0,
  /** CALL, interrupt or exception: the new task is nested. */
  nested: 1,
  /** IRET with NT set: back to the task in the link field. */
  return: 2,
} as const;

const BUSY = 0x200;
/** Bits of EFLAGS that exist. */
const FLAGS = 0x3f7fd7;
/** L0-L3 and LE of DR7: local to a task. */
const LOCAL_DEBUG = 0x155;
/** Bytes a TSS must have at least. */
const SIZE32 = 0x67, SIZE16 = 0x2b;

/** Offsets of the 32-bit TSS. */
const Tss32 = { cr3: 0x1c, eip: 0x20, eflags: 0x24, regs: 0x28, segs: 0x48, ldt: 0x60, trap: 0x64 } as const;
/** Offsets of the 16-bit TSS. */
const Tss16 = { ip: 0x0e, flags: 0x10, regs: 0x12, segs: 0x22, ldt: 0x2a } as const;

interface Incoming {
  eip: number;
  eflags: number;
  cr3: number;
  ldt: number;
  trap: boolean;
  readonly regs: number[];
  readonly segs: number[];
}

const scratch: Descriptor = new Descriptor();

/**
 * Switches to the task of `target`, an available TSS (a busy one for `return`) that has been checked.
 *
 * @param selector Selector of the TSS. @param source One of {@linkcode TaskSource}.
 * @param returnEip EIP saved for the old task. @param flags EFLAGS saved for it. @param ext EXT bit of error codes.
 */
export function taskSwitch(
  c: Context,
  selector: number,
  target: Descriptor,
  source: number,
  returnEip: number,
  flags: number,
  ext: number,
): void {
  const s = c.state;
  const is32 = isTss32(target.high), base = baseOf(target);
  const error = (selector & 0xfffc) | ext;
  if (descriptorLimit(target.low, target.high) < (is32 ? SIZE32 : SIZE16)) c.raise(Vector.ts, error);
  const into = readTask(c, base, is32);
  const oldSelector = s.seg(SegReg.tr, Seg.selector) & 0xffff;
  probeOld(c);
  if (source === TaskSource.nested) c.mem.probeWrite(base, 2, false);
  if (source !== TaskSource.return) c.mem.probeWrite((target.at + 4) | 0, 4, false);
  // Commit point: from here on the fault, if any, belongs to the new task.
  if (source !== TaskSource.nested) clearBusy(c, oldSelector);
  saveTask(c, returnEip, source === TaskSource.return ? flags & ~Flag.nt : flags);
  if (source === TaskSource.nested) c.mem.sysWrite16(base, oldSelector);
  if (source !== TaskSource.return) {
    target.high |= BUSY;
    c.mem.sysWrite32((target.at + 4) | 0, target.high);
  }
  setCache(s, SegReg.tr, selector, target.low, target.high | BUSY);
  s.set(Layout.cr0, s.get(Layout.cr0) | Cr0.ts);
  enterTask(c, into, is32, source === TaskSource.nested, ext);
}

/** Pushes the error code of an exception on the stack of the task just entered. */
export function pushTaskError(c: Context, errorCode: number): void {
  const s = c.state, is32 = isTss32(s.seg(SegReg.tr, Seg.access)), bytes = is32 ? 4 : 2;
  const mask = s.get(Layout.stackMask), offset = (s.reg32(4) - bytes) & mask;
  const at = checkSegment(c, SegReg.ss, offset >>> 0, bytes, true);
  if (is32) c.mem.write32(at, errorCode);
  else c.mem.write16(at, errorCode & 0xffff);
  s.setReg32(4, (s.reg32(4) & ~mask) | offset);
}

/** IRET with NT set: back to the task named by the link field of the current TSS. Faults: #TS, #NP, #GP. */
export function returnFromTask(c: Context): void {
  const s = c.state;
  const link = c.mem.sysRead16(s.seg(SegReg.tr, Seg.base));
  const error = link & 0xfffc;
  if ((link & 4) !== 0 || isNull(link)) c.raise(Vector.ts, error);
  const target = new Descriptor();
  fetchDescriptor(c, link, target, Vector.ts, 0);
  const type = systemType(target.high);
  if (type !== SystemType.tss16Busy && type !== SystemType.tss32Busy) c.raise(Vector.ts, error);
  if ((target.high & Desc.present) === 0) c.raise(Vector.np, error);
  taskSwitch(c, link, target, TaskSource.return, c.nextEip, readEflags(s), 0);
}

function baseOf(d: Descriptor): number {
  return (d.low >>> 16) | ((d.high & 0xff) << 16) | (d.high & 0xff000000);
}

function readTask(c: Context, base: number, is32: boolean): Incoming {
  const m = c.mem;
  const word = (at: number): number => m.sysRead16((base + at) | 0);
  const dword = (at: number): number => m.sysRead32((base + at) | 0);
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  if (is32) {
    return {
      cr3: dword(Tss32.cr3),
      eip: dword(Tss32.eip),
      eflags: dword(Tss32.eflags),
      regs: eight.map((n) => dword(Tss32.regs + 4 * n)),
      segs: [0, 1, 2, 3, 4, 5].map((n) => word(Tss32.segs + 4 * n)),
      ldt: word(Tss32.ldt),
      trap: (word(Tss32.trap) & 1) !== 0,
    };
  }
  return {
    cr3: -1,
    eip: word(Tss16.ip),
    eflags: word(Tss16.flags),
    regs: eight.map((n) => word(Tss16.regs + 2 * n) | 0xffff0000),
    segs: [0, 1, 2, 3].map((n) => word(Tss16.segs + 2 * n)).concat(0, 0),
    ldt: word(Tss16.ldt),
    trap: false,
  };
}

function probeOld(c: Context): void {
  const s = c.state;
  const is32 = isTss32(s.seg(SegReg.tr, Seg.access));
  c.mem.probeWrite(s.seg(SegReg.tr, Seg.base), (is32 ? SIZE32 : SIZE16) + 1, false);
}

function saveTask(c: Context, eip: number, flags: number): void {
  const s = c.state, m = c.mem, base = s.seg(SegReg.tr, Seg.base);
  const is32 = isTss32(s.seg(SegReg.tr, Seg.access));
  if (is32) {
    m.sysWrite32((base + Tss32.eip) | 0, eip);
    m.sysWrite32((base + Tss32.eflags) | 0, flags);
    for (let n = 0; n < 8; n++) m.sysWrite32((base + Tss32.regs + 4 * n) | 0, s.reg32(n));
    for (let n = 0; n < 6; n++) m.sysWrite16((base + Tss32.segs + 4 * n) | 0, s.seg(n, Seg.selector) & 0xffff);
    return;
  }
  m.sysWrite16((base + Tss16.ip) | 0, eip & 0xffff);
  m.sysWrite16((base + Tss16.flags) | 0, flags & 0xffff);
  for (let n = 0; n < 8; n++) m.sysWrite16((base + Tss16.regs + 2 * n) | 0, s.reg16(n));
  for (let n = 0; n < 4; n++) m.sysWrite16((base + Tss16.segs + 2 * n) | 0, s.seg(n, Seg.selector) & 0xffff);
}

function clearBusy(c: Context, selector: number): void {
  if (!lookUp(c, selector, scratch)) return;
  c.mem.sysWrite32((scratch.at + 4) | 0, scratch.high & ~BUSY);
}

function enterTask(c: Context, t: Incoming, is32: boolean, nested: boolean, ext: number): void {
  const s = c.state;
  if (is32 && (s.get(Layout.cr0) & Cr0.pg) !== 0) {
    const task = { base: t.cr3 >>> 0, esp: t.regs[4] >>> 0, selectors: t.segs, table: t.ldt };
    if (c.interceptor?.enteringTask?.(task) !== true) writeCr3(c, t.cr3);
  }
  for (let n = 0; n < 8; n++) s.setReg32(n, t.regs[n]);
  const flags = (t.eflags & (is32 ? FLAGS : FLAGS & 0xffff)) | (nested ? Flag.nt : 0) | 2;
  writeEflags(s, flags);
  c.nextEip = t.eip >>> 0;
  s.set(Layout.eip, t.eip);
  if ((s.get(Layout.dr7) & LOCAL_DEBUG) !== 0) {
    s.set(Layout.dr7, s.get(Layout.dr7) & ~LOCAL_DEBUG);
    c.debugChanged();
  }
  for (let n = 0; n < 6; n++) setNull(s, n, t.segs[n]);
  setNull(s, SegReg.ldtr, t.ldt);
  if ((flags & Flag.vm) !== 0) {
    s.set(Layout.cpl, 3);
    for (let n = 0; n < 6; n++) setV86(s, n, t.segs[n]);
    c.modeChanged();
    loadLdt(c, t.ldt, ext);
  } else {
    s.set(Layout.cpl, t.segs[SegReg.cs] & 3);
    c.modeChanged(); // a fault below is delivered at the new level
    loadLdt(c, t.ldt, ext);
    loadCode(c, t.segs[SegReg.cs], ext);
    loadStack(c, t.segs[SegReg.ss], ext);
    c.modeChanged(); // and on the new stack
    for (const n of [SegReg.ds, SegReg.es, SegReg.fs, SegReg.gs]) loadData(c, n, t.segs[n], ext);
  }
  c.modeChanged();
  if (!inCode(s, t.eip)) c.raise(Vector.gp, ext);
  if (t.trap) {
    s.set(Layout.pendingDebug, s.get(Layout.pendingDebug) | Dr6.bt);
    c.attention();
  }
}

function loadLdt(c: Context, selector: number, ext: number): void {
  const error = (selector & 0xfffc) | ext;
  if (isNull(selector)) return;
  if ((selector & 4) !== 0) c.raise(Vector.ts, error);
  fetchDescriptor(c, selector, scratch, Vector.ts, ext);
  if (systemType(scratch.high) !== SystemType.ldt || (scratch.high & Desc.present) === 0) c.raise(Vector.ts, error);
  setCache(c.state, SegReg.ldtr, selector, scratch.low, scratch.high);
}

function loadCode(c: Context, selector: number, ext: number): void {
  const error = (selector & 0xfffc) | ext, rpl = selector & 3;
  if (isNull(selector)) c.raise(Vector.ts, error);
  fetchDescriptor(c, selector, scratch, Vector.ts, ext);
  const { high } = scratch;
  if (!isCode(high) || (isConforming(high) ? privilege(high) > rpl : privilege(high) !== rpl)) {
    c.raise(Vector.ts, error);
  }
  if ((high & Desc.present) === 0) c.raise(Vector.np, error);
  touch(c, scratch);
  setCode(c.state, selector, scratch, rpl);
}

function loadStack(c: Context, selector: number, ext: number): void {
  const error = (selector & 0xfffc) | ext, cpl = c.state.get(Layout.cpl);
  if (isNull(selector)) c.raise(Vector.ts, error);
  fetchDescriptor(c, selector, scratch, Vector.ts, ext);
  const { high } = scratch;
  if (!isWritableData(high) || privilege(high) !== cpl || (selector & 3) !== cpl) c.raise(Vector.ts, error);
  if ((high & Desc.present) === 0) c.raise(Vector.ss, error);
  touch(c, scratch);
  setCache(c.state, SegReg.ss, selector, scratch.low, scratch.high);
}

function loadData(c: Context, n: number, selector: number, ext: number): void {
  const error = (selector & 0xfffc) | ext;
  if (isNull(selector)) return;
  fetchDescriptor(c, selector, scratch, Vector.ts, ext);
  const { high } = scratch;
  if (!isReadable(high)) c.raise(Vector.ts, error);
  if (!isConforming(high) && (privilege(high) < c.state.get(Layout.cpl) || privilege(high) < (selector & 3))) {
    c.raise(Vector.ts, error);
  }
  if ((high & Desc.present) === 0) c.raise(Vector.np, error);
  touch(c, scratch);
  setCache(c.state, n, selector, scratch.low, scratch.high);
}

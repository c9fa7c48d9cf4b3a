/**
 * Entering a handler: real-mode vectors, interrupt and trap gates, task gates, from every mode.
 *
 * All is checked before anything is committed, so a fault on the way in leaves the interrupted program as it was; then
 * frame, segments, flags and EIP change together. The stages follow the manual's pseudocode, so that when several
 * things are wrong the same one is reported.
 * Sources: SDM-2A INT n, SDM-3A 6.11, 6.12, 6.13, 20.3. Warm.
 */
import { Flag, Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { readEflags } from "./flags.ts";
import { Layout, Seg } from "./state.ts";
import {
  Desc,
  Descriptor,
  fetchDescriptor,
  isConforming,
  isNull,
  privilege,
  SystemType,
  systemType,
  touch,
} from "./descriptor.ts";
import { inCode, inCodeOf, isReachableCode, SegReg, setCache, setCode, setNull, setReal } from "./segment.ts";
import { Frame } from "./stack_frame.ts";
import { type InnerStack, innerStack } from "./tss.ts";
import { pushTaskError, TaskSource, taskSwitch } from "./task_switch.ts";
import { fetchTss } from "./tss.ts";

/** What kind of event enters a handler. */
export const EventKind = {
  /** A fault, trap or abort the processor detected. */
  exception: 0,
  /** INT n, INT3, INTO: the gate's DPL is checked and no EXT bit is set. */
  software: 1,
  /** INT1: no DPL check, EXT bit set. */
  icebp: 2,
  /** Interrupt from a controller. */
  external: 3,
  /** Non-maskable interrupt. */
  nmi: 4,
} as const;

const frame: Frame = new Frame();
const gate: Descriptor = new Descriptor();
const code: Descriptor = new Descriptor();
const inner: InnerStack = { selector: 0, esp: 0, ss: new Descriptor() };

/** Flags cleared when a handler is entered. */
const ENTRY_CLEARS = Flag.tf | Flag.nt | Flag.vm | Flag.rf;

/**
 * Enters the handler of `vector`. Sets CS, `c.nextEip`, flags, and SS:ESP where the level changes.
 *
 * Faults: #GP, #NP, #TS, #SS, #PF; nothing is committed then (a task switch excepted, which may fault in the new task).
 * @param kind One of {@linkcode EventKind}.
 * @param errorCode Pushed if >= 0.
 * @param returnEip EIP the handler returns to.
 * @param rf True if the pushed image has RF set (fault-class exceptions).
 */
export function enterHandler(
  c: Context,
  vector: number,
  kind: number,
  errorCode: number,
  returnEip: number,
  rf: boolean,
): void {
  const flags = (readEflags(c.state) | (rf ? Flag.rf : 0)) | 0;
  if (c.state.isProtected) enterProtected(c, vector, kind, errorCode, returnEip, flags);
  else enterReal(c, vector, returnEip, flags);
  c.bus.spend?.("gate", 1);
}

function enterReal(c: Context, vector: number, returnEip: number, flags: number): void {
  const s = c.state;
  const at = vector * 4;
  if (at + 3 > (s.get(Layout.idtLimit) >>> 0)) c.raise(Vector.gp);
  frame.useCurrent(c, 0);
  frame.reserve(c, 3, 2);
  const target = c.mem.sysRead32((s.get(Layout.idtBase) + at) | 0);
  if (!inCode(s, target & 0xffff)) c.raise(Vector.gp);
  frame.push(c, 2, flags);
  frame.push(c, 2, s.seg(SegReg.cs, Seg.selector));
  frame.push(c, 2, returnEip);
  s.setReg32(4, frame.esp);
  setReal(s, SegReg.cs, target >>> 16);
  s.set(Layout.eflags, s.get(Layout.eflags) & ~(Flag.if | Flag.tf | Flag.ac | Flag.rf));
  c.nextEip = target & 0xffff;
  c.modeChanged();
}

function enterProtected(
  c: Context,
  vector: number,
  kind: number,
  errorCode: number,
  returnEip: number,
  flags: number,
): void {
  const s = c.state;
  const ext = kind === EventKind.software ? 0 : 1;
  const idtCode = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > (s.get(Layout.idtLimit) >>> 0)) c.raise(Vector.gp, idtCode);
  const at = (s.get(Layout.idtBase) + vector * 8) | 0;
  gate.low = c.mem.sysRead32(at);
  gate.high = c.mem.sysRead32((at + 4) | 0);
  const type = systemType(gate.high);
  const isTask = type === SystemType.taskGate;
  if (type < 0 || (!isTask && (type & 6) !== 6)) c.raise(Vector.gp, idtCode);
  if (kind === EventKind.software && privilege(gate.high) < s.get(Layout.cpl)) c.raise(Vector.gp, idtCode);
  if ((gate.high & Desc.present) === 0) c.raise(Vector.np, idtCode);
  if (isTask) enterTask(c, gate.low >>> 16, errorCode, returnEip, flags, ext);
  else enterGate(c, type, errorCode, returnEip, flags, ext);
}

function enterTask(
  c: Context,
  selector: number,
  errorCode: number,
  returnEip: number,
  flags: number,
  ext: number,
): void {
  fetchTss(c, selector, code, ext);
  taskSwitch(c, selector, code, TaskSource.nested, returnEip, flags, ext);
  if (errorCode >= 0) pushTaskError(c, errorCode);
}

function enterGate(
  c: Context,
  type: number,
  errorCode: number,
  returnEip: number,
  flags: number,
  ext: number,
): void {
  const s = c.state;
  const cpl = s.get(Layout.cpl), v86 = s.isV86;
  const size = type >= SystemType.interruptGate32 ? 4 : 2;
  const selector = gate.low >>> 16;
  if (isNull(selector)) c.raise(Vector.gp, ext);
  fetchDescriptor(c, selector, code, Vector.gp, ext);
  const selectorCode = (selector & 0xfffc) | ext;
  if (!isReachableCode(code.high, cpl)) c.raise(Vector.gp, selectorCode);
  if ((code.high & Desc.present) === 0) c.raise(Vector.np, selectorCode);
  const level = isConforming(code.high) ? cpl : privilege(code.high);
  if (v86 && level !== 0) c.raise(Vector.gp, selectorCode);
  const target = size === 4 ? (gate.high & 0xffff0000) | (gate.low & 0xffff) : gate.low & 0xffff;

  if (level < cpl) {
    innerStack(c, level, ext, inner);
    frame.useInner(inner.ss, inner.esp, (inner.selector & 0xfffc) | ext);
  } else {
    frame.useCurrent(c, ext);
  }
  const count = 3 + (v86 ? 4 : 0) + (level < cpl ? 2 : 0) + (errorCode >= 0 ? 1 : 0);
  frame.room(c, count, size);
  if (!inCodeOf(code, target)) c.raise(Vector.gp, ext);
  frame.reserve(c, count, size);
  touch(c, code);
  if (level < cpl) touch(c, inner.ss);

  if (v86) { for (const n of V86_PUSHED) frame.push(c, size, s.seg(n, Seg.selector)); }
  if (level < cpl) {
    frame.push(c, size, s.seg(SegReg.ss, Seg.selector));
    frame.push(c, size, s.reg32(4));
  }
  frame.push(c, size, flags);
  frame.push(c, size, s.seg(SegReg.cs, Seg.selector));
  frame.push(c, size, returnEip);
  if (errorCode >= 0) frame.push(c, size, errorCode);

  if (v86) { for (const n of V86_PUSHED) setNull(s, n, 0); }
  if (level < cpl) setCache(s, SegReg.ss, inner.selector, inner.ss.low, inner.ss.high);
  s.setReg32(4, frame.esp);
  setCode(s, selector, code, level);
  const clears = (type & 1) === 0 ? ENTRY_CLEARS | Flag.if : ENTRY_CLEARS;
  s.set(Layout.eflags, s.get(Layout.eflags) & ~clears);
  c.nextEip = target;
  c.modeChanged();
}

/** Segments a virtual-8086 program has pushed for it, in order. */
const V86_PUSHED: readonly number[] = [SegReg.gs, SegReg.fs, SegReg.ds, SegReg.es];

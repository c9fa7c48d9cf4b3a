/**
 * IRET in every mode: real, virtual-8086, to the same level, outward, into virtual-8086, and back from a nested task.
 * All is checked before anything changes. Sources: SDM-2A IRET, SDM-3A 6.12.1, 20.2.3. Warm.
 *
 * Not emulated: VME and PVI (CR4 refuses them), so VIF and VIP stay clear.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { Desc, Descriptor, touch } from "../descriptor.ts";
import { readEflags, writeEflags } from "../flags.ts";
import { dropInnerSegments, inCode, SegReg, setCache, setCode, setReal, setV86 } from "../segment.ts";
import { Layout } from "../state.ts";
import { returnFromTask } from "../task_switch.ts";
import { checkReturnCode, checkReturnStack } from "./far_checks.ts";
import { checkV86, flagsChanged, freeFlags, iopl } from "./flags_io.ts";
import { moveStack, stackValue } from "./stack.ts";

const code: Descriptor = new Descriptor();
const stack: Descriptor = new Descriptor();

function iret(c: Context, op: Op): void {
  const s = c.state, size = op.opSize, step = size >>> 3;
  s.set(Layout.nmiBlocked, 0);
  if (!s.isProtected || s.isV86) {
    checkV86(c);
    iretReal(c, size);
    return;
  }
  if ((s.get(Layout.eflags) & Flag.nt) !== 0) {
    returnFromTask(c);
    return;
  }
  // The last word first: #SS for a frame that does not fit comes before #PF for what does.
  const flags = stackValue(c, size, 2 * step), selector = stackValue(c, size, step) & 0xffff;
  const eip = stackValue(c, size, 0);
  const cpl = s.get(Layout.cpl);
  if (size === 32 && (flags & Flag.vm) !== 0 && cpl === 0) {
    iretToV86(c, eip, selector, flags);
    return;
  }
  checkReturnCode(c, selector, code);
  const rpl = selector & 3;
  const mask = returnMask(c, size, cpl);
  if (rpl === cpl) {
    if ((eip >>> 0) > limitOf(code)) c.raise(Vector.gp, 0);
    touch(c, code);
    moveStack(c, 3 * step);
    setCode(s, selector, code, rpl);
  } else {
    const esp = stackValue(c, size, 3 * step), ss = stackValue(c, size, 4 * step) & 0xffff;
    checkReturnStack(c, ss, rpl, stack);
    if ((eip >>> 0) > limitOf(code)) c.raise(Vector.gp, 0);
    touch(c, code);
    touch(c, stack);
    setCode(s, selector, code, rpl);
    setCache(s, SegReg.ss, ss, stack.low, stack.high);
    const whole = (stack.high & Desc.big) !== 0;
    s.setReg32(4, whole ? esp : (s.reg32(4) & ~0xffff) | (esp & 0xffff));
    dropInnerSegments(s);
  }
  applyFlags(c, flags, mask);
  c.nextEip = size === 32 ? eip >>> 0 : eip & 0xffff;
  c.modeChanged();
}

function limitOf(d: Descriptor): number {
  const units = (d.low & 0xffff) | (d.high & 0xf0000);
  return ((d.high & Desc.granular) !== 0 ? (units << 12) | 0xfff : units) >>> 0;
}

function returnMask(c: Context, size: 16 | 32, cpl: number): number {
  let mask = freeFlags(c) | Flag.rf;
  if (cpl <= iopl(c)) mask |= Flag.if;
  if (cpl === 0) mask |= Flag.iopl;
  return size === 16 ? mask & 0xffff : mask;
}

/** RF comes from the image; the run loop is told as an interrupt or trap may be due. */
function applyFlags(c: Context, value: number, mask: number): void {
  const s = c.state, old = readEflags(s);
  writeEflags(s, (old & ~mask) | (value & mask));
  flagsChanged(c);
}

function iretReal(c: Context, size: 16 | 32): void {
  const s = c.state, step = size >>> 3;
  const flags = stackValue(c, size, 2 * step), selector = stackValue(c, size, step) & 0xffff;
  const eip = stackValue(c, size, 0);
  if (!inCode(s, size === 32 ? eip : eip & 0xffff)) c.raise(Vector.gp, 0);
  moveStack(c, 3 * step);
  let mask = freeFlags(c) | Flag.if | Flag.rf;
  if (s.isV86) setV86(s, SegReg.cs, selector);
  else {
    setReal(s, SegReg.cs, selector);
    mask |= Flag.iopl;
  }
  applyFlags(c, flags, size === 16 ? mask & 0xffff : mask);
  c.nextEip = size === 32 ? eip >>> 0 : eip & 0xffff;
  c.modeChanged();
}

function iretToV86(c: Context, eip: number, selector: number, flags: number): void {
  const s = c.state;
  const esp = stackValue(c, 32, 12);
  const selectors = [16, 20, 24, 28, 32].map((at) => stackValue(c, 32, at) & 0xffff);
  if ((eip >>> 0) > 0xffff) c.raise(Vector.gp, 0);
  const mask = freeFlags(c) | Flag.rf | Flag.if | Flag.iopl | Flag.vm;
  applyFlags(c, flags, mask);
  setV86(s, SegReg.cs, selector);
  [SegReg.ss, SegReg.es, SegReg.ds, SegReg.fs, SegReg.gs].forEach((n, i) => setV86(s, n, selectors[i]));
  s.setReg32(4, esp);
  s.set(Layout.cpl, 3);
  c.nextEip = eip >>> 0;
  c.modeChanged();
}

/** Functions of this chapter. */
export const INTERRUPT_RETURN: Readonly<Record<string, SystemFn>> = { iret };

/**
 * Far JMP, CALL and RET: real and virtual-8086 mode, code segments, call gates with parameter copy, task gates and TSS.
 * Sources: SDM-2A CALL, JMP, SDM-2B RET, SDM-3A 5.8. Warm.
 */
import { Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { readEflags } from "../flags.ts";
import {
  Desc,
  Descriptor,
  descriptorLimit,
  fetchDescriptor,
  isCode,
  isConforming,
  isNull,
  privilege,
  SystemType,
  systemType,
  touch,
} from "../descriptor.ts";
import { dropInnerSegments, inCode, isReachableCode, SegReg, setCache, setCode, setReal, setV86 } from "../segment.ts";
import { Frame } from "../stack_frame.ts";
import { Layout, Seg } from "../state.ts";
import { fetchTss, type InnerStack, innerStack } from "../tss.ts";
import { TaskSource, taskSwitch } from "../task_switch.ts";
import { checkDirectCode, checkReturnCode, checkReturnStack } from "./far_checks.ts";
import { stackValue } from "./stack.ts";

const target: Descriptor = new Descriptor();
const code: Descriptor = new Descriptor();
const stack: Descriptor = new Descriptor();
const inner: InnerStack = { selector: 0, esp: 0, ss: new Descriptor() };
const frame: Frame = new Frame();

/** Reads the far pointer operand and goes there. */
function transfer(isCall: boolean): SystemFn {
  return (c, op) => {
    let offset = op.imm, selector = op.imm2;
    if (op.isMem) {
      const bytes = op.opSize >>> 3;
      const at = op.linear(bytes + 2, false);
      offset = bytes === 4 ? c.mem.read32(at) : c.mem.read16(at);
      selector = c.mem.read16((at + bytes) | 0);
    }
    if (op.opSize === 16) offset &= 0xffff;
    if (!c.state.isProtected || c.state.isV86) farReal(c, op, selector, offset, isCall);
    else farProtected(c, op, selector, offset, isCall);
  };
}

function farReal(c: Context, op: Op, selector: number, offset: number, isCall: boolean): void {
  const s = c.state, bytes = op.opSize >>> 3;
  if (!inCode(s, offset)) c.raise(Vector.gp, 0);
  if (isCall) pushReturn(c, bytes, offset);
  if (s.isV86) setV86(s, SegReg.cs, selector);
  else setReal(s, SegReg.cs, selector);
  c.nextEip = offset >>> 0;
  c.modeChanged();
}

/** Pushes CS and the return EIP on the current stack; `d` is marked accessed once nothing else can fault. */
function pushReturn(c: Context, bytes: number, offset: number, d?: Descriptor): void {
  const s = c.state;
  frame.useCurrent(c, 0);
  frame.room(c, 2, bytes);
  if (d !== undefined) checkOffset(c, offset, d);
  frame.reserve(c, 2, bytes);
  if (d !== undefined) touch(c, d);
  frame.push(c, bytes, s.seg(SegReg.cs, Seg.selector));
  frame.push(c, bytes, c.nextEip);
  s.setReg32(4, frame.esp);
}

function farProtected(c: Context, op: Op, selector: number, offset: number, isCall: boolean): void {
  const error = selector & 0xfffc, cpl = c.state.get(Layout.cpl);
  if (isNull(selector)) c.raise(Vector.gp, 0);
  fetchDescriptor(c, selector, target, Vector.gp, 0);
  if (isCode(target.high)) {
    checkDirectCode(c, selector, target);
    if (isCall) pushReturn(c, op.opSize >>> 3, offset, target);
    else {
      checkOffset(c, offset, target);
      touch(c, target);
    }
    setCode(c.state, selector, target, cpl);
    c.nextEip = offset >>> 0;
    c.modeChanged();
    return;
  }
  const type = systemType(target.high);
  if (privilege(target.high) < cpl || privilege(target.high) < (selector & 3)) c.raise(Vector.gp, error);
  switch (type) {
    case SystemType.callGate16:
    case SystemType.callGate32:
      if ((target.high & Desc.present) === 0) c.raise(Vector.np, error);
      throughGate(c, type === SystemType.callGate32 ? 4 : 2, isCall);
      return;
    case SystemType.taskGate:
      if ((target.high & Desc.present) === 0) c.raise(Vector.np, error);
      switchTask(c, target.low >>> 16, isCall);
      return;
    case SystemType.tss16:
    case SystemType.tss32:
      switchTask(c, selector, isCall);
      return;
    default:
      c.raise(Vector.gp, error);
  }
}

function switchTask(c: Context, selector: number, isCall: boolean): void {
  fetchTss(c, selector, code, 0);
  taskSwitch(c, selector, code, isCall ? TaskSource.nested : TaskSource.jump, c.nextEip, readEflags(c.state), 0);
}

/** Through the call gate in `target`; `bytes` is the size of the gate's words. */
function throughGate(c: Context, bytes: 2 | 4, isCall: boolean): void {
  const s = c.state, cpl = s.get(Layout.cpl);
  const selector = target.low >>> 16, error = selector & 0xfffc;
  const offset = bytes === 4 ? (target.high & 0xffff0000) | (target.low & 0xffff) : target.low & 0xffff;
  if (isNull(selector)) c.raise(Vector.gp, 0);
  fetchDescriptor(c, selector, code, Vector.gp, 0);
  if (!isReachableCode(code.high, cpl)) c.raise(Vector.gp, error);
  const conforming = isConforming(code.high);
  if (!isCall && !conforming && privilege(code.high) !== cpl) c.raise(Vector.gp, error);
  if ((code.high & Desc.present) === 0) c.raise(Vector.np, error);
  if (isCall && !conforming && privilege(code.high) < cpl) {
    gateInward(c, bytes, privilege(code.high), offset);
  } else {
    if (isCall) pushReturn(c, bytes, offset, code);
    else {
      checkOffset(c, offset, code);
      touch(c, code);
    }
    setCode(s, selector, code, cpl);
  }
  c.nextEip = offset >>> 0;
  c.modeChanged();
}

/** A call to an inner level: new stack, parameters copied, old stack and return address pushed. */
function gateInward(c: Context, bytes: 2 | 4, level: number, offset: number): void {
  const s = c.state, count = target.high & 31;
  innerStack(c, level, 0, inner);
  const parameters: number[] = [];
  for (let i = 0; i < count; i++) parameters.push(stackValue(c, bytes === 4 ? 32 : 16, i * bytes));
  frame.useInner(inner.ss, inner.esp, inner.selector & 0xfffc);
  frame.room(c, 4 + count, bytes);
  checkOffset(c, offset, code);
  frame.reserve(c, 4 + count, bytes);
  touch(c, code);
  touch(c, inner.ss);
  frame.push(c, bytes, s.seg(SegReg.ss, Seg.selector));
  frame.push(c, bytes, s.reg32(4));
  for (let i = count - 1; i >= 0; i--) frame.push(c, bytes, parameters[i]);
  frame.push(c, bytes, s.seg(SegReg.cs, Seg.selector));
  frame.push(c, bytes, c.nextEip);
  setCache(s, SegReg.ss, (inner.selector & 0xfffc) | level, inner.ss.low, inner.ss.high);
  s.setReg32(4, frame.esp);
  setCode(s, target.low >>> 16, code, level);
}

function retFar(c: Context, op: Op): void {
  const s = c.state, size = op.opSize, bytes = size >>> 3;
  const extra = op.row.operands.length > 0 ? op.imm & 0xffff : 0;
  // The manual looks first whether the second word lies within the stack.
  const selector = stackValue(c, size, bytes) & 0xffff, offset = stackValue(c, size, 0);
  if (!s.isProtected || s.isV86) {
    if (!inCode(s, offset)) c.raise(Vector.gp, 0);
    adjust(c, s.reg32(4), 2 * bytes + extra);
    if (s.isV86) setV86(s, SegReg.cs, selector);
    else setReal(s, SegReg.cs, selector);
  } else {
    checkReturnCode(c, selector, code);
    const rpl = selector & 3;
    if (rpl === s.get(Layout.cpl)) {
      checkOffset(c, offset, code);
      touch(c, code);
      adjust(c, s.reg32(4), 2 * bytes + extra);
      setCode(s, selector, code, rpl);
    } else {
      retOutward(c, size, selector, offset, extra);
    }
  }
  c.nextEip = offset >>> 0;
  c.modeChanged();
}

/** #GP(0) unless an offset lies in the code segment. The manual checks it after the room on the stack. */
function checkOffset(c: Context, offset: number, d: Descriptor): void {
  if ((offset >>> 0) > descriptorLimit(d.low, d.high)) c.raise(Vector.gp, 0);
}

function retOutward(c: Context, size: 16 | 32, selector: number, offset: number, extra: number): void {
  const s = c.state, bytes = size >>> 3, rpl = selector & 3;
  const esp = stackValue(c, size, 2 * bytes + extra), ss = stackValue(c, size, 3 * bytes + extra) & 0xffff;
  checkReturnStack(c, ss, rpl, stack);
  checkOffset(c, offset, code);
  touch(c, code);
  touch(c, stack);
  setCode(s, selector, code, rpl);
  setCache(s, SegReg.ss, ss, stack.low, stack.high);
  const mask = (stack.high & Desc.big) !== 0 ? -1 : 0xffff;
  s.setReg32(4, (s.reg32(4) & ~mask) | ((esp + extra) & mask));
  dropInnerSegments(s);
}

function adjust(c: Context, esp: number, delta: number): void {
  const mask = c.state.get(Layout.stackMask);
  c.state.setReg32(4, (esp & ~mask) | ((esp + delta) & mask));
}

/** Functions of this chapter. */
export const FAR_TRANSFER: Readonly<Record<string, SystemFn>> = {
  jmpFar: transfer(false),
  callFar: transfer(true),
  retFar,
};

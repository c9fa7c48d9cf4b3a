/**
 * Far calls and jumps of a de-privileged guest to what is no segment: call gates, task gates and task states. The real
 * tables hold none of them, so that the instruction raises #GP; what the guest's own tables say is done here.
 * Sources: SDM-2A CALL, JMP, SDM-3A 5.8.3 to 5.8.5, 7.3. Warm.
 *
 * Not emulated: gates to rings 1 and 2 (the task state names no stack that the monitor knows).
 */
import type { GuestInstruction } from "../../../core/monitor.ts";
import { Reg, Vector } from "../../../spec/i386_regs.ts";
import { currentStack, innerStack, pushWords, type Stack } from "./delivery.ts";
import {
  Desc,
  type DescriptorWords,
  dplOf,
  isCode,
  isConforming,
  KERNEL_RING,
  limitOf,
  realRing,
  SystemType,
} from "./descriptor.ts";
import { protectionFault, Raised } from "./raised.ts";
import { switchTask } from "./task.ts";
import { guestDescriptor, realDescriptor } from "./tables.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

const CALL_GATE16 = 4, CALL_GATE32 = 12;
/** Task states that may be entered or are at least known for ones: available and busy, 16 and 32 bits. */
const TASKS: readonly number[] = [1, 3, SystemType.tss32, SystemType.tss32Busy];

/** Does CALL or JMP to a system descriptor. @returns False: it is none; the fault is the guest's. @throws {Raised} */
export function farToSystem(cpu: VirtualCpu, i: GuestInstruction, next: number): boolean {
  const { guest, memory } = cpu;
  const selector = i.isMemory
    ? memory.read((i.linear + (i.operandSize >>> 3)) >>> 0, 2, !cpu.inKernel)
    : i.immediate2 & 0xffff;
  const d = (selector & 0xfffc) === 0 ? undefined : guestDescriptor(cpu, selector);
  if (d === undefined || (d.high & Desc.segment) !== 0) return false;
  const type = (d.high >>> 8) & 15, calls = i.name === "callFar", error = selector & 0xfffc;
  const isGate = type === CALL_GATE16 || type === CALL_GATE32 || type === SystemType.taskGate;
  if (!isGate && !TASKS.includes(type)) return false;
  if (realRing(dplOf(d.high)) < Math.max(guest.cpl, realRing(selector & 3))) throw protectionFault(error);
  if (!isGate) {
    switchTask(cpu, selector, calls ? "call" : "jump", next);
    return true;
  }
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.np, error);
  if (type === SystemType.taskGate) switchTask(cpu, d.low >>> 16, calls ? "call" : "jump", next);
  else throughGate(cpu, d, type === CALL_GATE32 ? 4 : 2, calls, next);
  return true;
}

function throughGate(cpu: VirtualCpu, gate: DescriptorWords, size: 2 | 4, calls: boolean, next: number): void {
  const { guest } = cpu, selector = gate.low >>> 16, error = selector & 0xfffc;
  if (error === 0) throw protectionFault();
  const code = realDescriptor(cpu, selector), dpl = dplOf(code.high);
  if (!isCode(code.high) || dpl > guest.cpl) throw protectionFault(error);
  if (!calls && !isConforming(code.high) && dpl !== guest.cpl) throw protectionFault(error);
  if ((code.high & Desc.present) === 0) throw new Raised(Vector.np, error);
  const level = calls && !isConforming(code.high) ? dpl : guest.cpl;
  const eip = (size === 4 ? (gate.high & 0xffff0000) | (gate.low & 0xffff) : gate.low & 0xffff) >>> 0;
  if (eip > limitOf(code)) throw protectionFault();
  if (calls) pushReturn(cpu, gate.high & 31, size, level, next);
  guest.setSegment(SegReg.cs, error | level, code.low, code.high);
  guest.setPrivilege(level);
  guest.eip = eip;
}

/** The frame of a call, on the stack of the level where the code is. */
function pushReturn(cpu: VirtualCpu, count: number, size: 2 | 4, level: number, next: number): void {
  const { guest } = cpu, here = currentStack(cpu), inner = level < guest.cpl;
  const back = [cpu.seen(guest.segment(SegReg.cs).selector), next];
  if (!inner) {
    guest.setReg(Reg.esp, pushWords(cpu, here, back, size, level));
    return;
  }
  if (level !== KERNEL_RING) throw new Raised(Vector.ts, 0);
  const stack = innerStack(cpu, level, 0);
  const words = [
    cpu.seen(guest.segment(SegReg.ss).selector),
    guest.reg(Reg.esp),
    ...parameters(cpu, here, count, size),
  ];
  const esp = pushWords(cpu, stack, [...words, ...back], size, level);
  guest.setSegment(SegReg.ss, stack.selector, stack.low, stack.high);
  guest.setReg(Reg.esp, esp);
}

/** Parameters from the caller's stack, the last one first. */
function parameters(cpu: VirtualCpu, from: Stack, count: number, size: 2 | 4): number[] {
  const at = (n: number): number => (from.base + (((from.esp + n * size) & from.mask) >>> 0)) >>> 0;
  return Array.from({ length: count }, (_, n) => cpu.memory.read(at(count - 1 - n), size, !cpu.inKernel));
}

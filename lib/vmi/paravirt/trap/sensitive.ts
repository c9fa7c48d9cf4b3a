/**
 * Instructions that show or change privileged state and do not trap in ring 1 or 3: why the processor "was not
 * virtualizable". A monitor of the day found them in the guest's code and patched each place with something that traps;
 * here the processor asks at such a place, and the monitor does what the instruction would have done in ring 0.
 *
 * Sources: Robin and Irvine, Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor (2000);
 * SDM-2; Paravirtualization API 2.0, appendix C. Warm.
 *
 * Not emulated: 16-bit IRET; the CS that a far call to a segment pushes shows ring 1.
 */
import type { GuestInstruction } from "../../../core/monitor.ts";
import { Flag, Reg } from "../../../spec/i386_regs.ts";
import {
  Desc,
  dplOf,
  isCode,
  isConforming,
  isReadable,
  isWritableData,
  KERNEL_RING,
  limitOf,
} from "../monitor/descriptor.ts";
import { interruptReturn } from "../monitor/returns.ts";
import { storeTables } from "../monitor/system_tables.ts";
import { guestDescriptor, guestEntry, refresh } from "../monitor/tables.ts";
import { SegReg, type VirtualCpu } from "../monitor/vcpu.ts";

/** Flags POPF may change at any privilege. */
const FREE = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.tf | Flag.df | Flag.of | Flag.nt | Flag.ac |
  Flag.id;
/** Segment registers of fixed operands. */
const NAMED: Readonly<Record<string, number>> = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 };
/** System types that LAR and LSL know, a bit each: task states, local tables; LAR call and task gates too. */
const LSL_TYPES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11;
const LAR_TYPES = LSL_TYPES | 1 << 4 | 1 << 5 | 1 << 12;
/** Bits of a descriptor that LAR shows. */
const LAR_BITS = 0x00f0ff00;

/**
 * Does an instruction. @returns False: it must execute as it is; what it looks at has been brought up to date.
 * @throws {Raised} A fault of the guest.
 */
export type Sensitive = (cpu: VirtualCpu, i: GuestInstruction, next: number) => boolean;

/** All of them, by name. */
export const SENSITIVE: Readonly<Record<string, Sensitive>> = {
  pushf: (cpu, i, next) => {
    push(cpu, i, cpu.flags & ~(Flag.vm | Flag.rf));
    return goOn(cpu, next);
  },
  popf,
  iret: (cpu, i, next) => {
    if (!cpu.inKernel || i.operandSize !== 32) return false;
    interruptReturn(cpu, cpu.guest.reg(Reg.esp), next);
    return true;
  },
  sgdt: (cpu, i, next) => {
    storeTables(cpu, "gdt", i.linear, !cpu.inKernel);
    return goOn(cpu, next);
  },
  sidt: (cpu, i, next) => {
    storeTables(cpu, "idt", i.linear, !cpu.inKernel);
    return goOn(cpu, next);
  },
  sldt: (cpu, i, next) => store16(cpu, i, cpu.v.ldt, next),
  str: (cpu, i, next) => store16(cpu, i, cpu.v.tr, next),
  smsw: (cpu, i, next) => store16(cpu, i, i.isMemory || i.operandSize === 16 ? cpu.v.cr0 & 0xffff : cpu.v.cr0, next),
  movFromSreg: (cpu, i, next) => {
    if (i.reg > SegReg.gs) return false;
    return store16(cpu, i, cpu.seen(cpu.guest.segment(i.reg).selector), next);
  },
  pushSreg: (cpu, i, next) => {
    push(cpu, i, cpu.seen(cpu.guest.segment(NAMED[i.operands[0] ?? ""] ?? 0).selector));
    return goOn(cpu, next);
  },
  movToSreg: (cpu, i) => upToDate(cpu, operand16(cpu, i)),
  popSreg: (cpu) => upToDate(cpu, cpu.memory.read(stackAt(cpu, 0), 2, !cpu.inKernel)),
  loadFar: (cpu, i) => upToDate(cpu, cpu.memory.read((i.linear + (i.operandSize >>> 3)) >>> 0, 2, !cpu.inKernel)),
  callFar: (cpu, i) => upToDate(cpu, farTarget(cpu, i)),
  jmpFar: (cpu, i) => upToDate(cpu, farTarget(cpu, i)),
  retFar: (cpu, i) => upToDate(cpu, cpu.memory.read(stackAt(cpu, i.operandSize >>> 3), 2, !cpu.inKernel)),
  lar: (cpu, i, next) => look(cpu, i, next, LAR_TYPES, (d) => d.high & LAR_BITS),
  lsl: (cpu, i, next) => look(cpu, i, next, LSL_TYPES, limitOf),
  verr: (cpu, i, next) => verify(cpu, i, next, (high) => isReadable(high)),
  verw: (cpu, i, next) => verify(cpu, i, next, (high) => isWritableData(high)),
};

function goOn(cpu: VirtualCpu, next: number): true {
  cpu.guest.eip = next;
  return true;
}

/** The current privilege level as the guest knows it. */
function ring(cpu: VirtualCpu): number {
  return cpu.guest.cpl === KERNEL_RING ? 0 : cpu.guest.cpl;
}

function popf(cpu: VirtualCpu, i: GuestInstruction, next: number): boolean {
  const { guest, v } = cpu, bytes = i.operandSize >>> 3;
  const value = cpu.memory.read(stackAt(cpu, 0), bytes, !cpu.inKernel);
  moveStack(cpu, bytes);
  let mask = FREE;
  if (ring(cpu) <= v.iopl) mask |= Flag.if;
  if (i.operandSize === 16) mask &= 0xffff;
  if (ring(cpu) === 0) v.iopl = (value >>> 12) & 3;
  guest.eflags = ((guest.eflags & ~mask) | (value & mask)) & ~Flag.rf;
  return goOn(cpu, next);
}

function stackMask(cpu: VirtualCpu): number {
  return (cpu.guest.segment(SegReg.ss).access & Desc.big) !== 0 ? -1 : 0xffff;
}

/** Linear address of the stack, `offset` bytes from its top. */
function stackAt(cpu: VirtualCpu, offset: number): number {
  const { base } = cpu.guest.segment(SegReg.ss);
  return (base + (((cpu.guest.reg(Reg.esp) + offset) & stackMask(cpu)) >>> 0)) >>> 0;
}

function moveStack(cpu: VirtualCpu, by: number): void {
  const esp = cpu.guest.reg(Reg.esp), mask = stackMask(cpu);
  cpu.guest.setReg(Reg.esp, ((esp & ~mask) | ((esp + by) & mask)) >>> 0);
}

function push(cpu: VirtualCpu, i: GuestInstruction, value: number): void {
  const bytes = i.operandSize >>> 3;
  cpu.memory.write(stackAt(cpu, -bytes), bytes === 4 ? value : value & 0xffff, bytes, !cpu.inKernel);
  moveStack(cpu, -bytes);
}

/** Stores a selector or word: 16 bits in memory, the whole operand in a register. */
function store16(cpu: VirtualCpu, i: GuestInstruction, value: number, next: number): boolean {
  if (i.isMemory) cpu.memory.write(i.linear, value & 0xffff, 2, !cpu.inKernel);
  else if (i.operandSize === 32) cpu.guest.setReg(i.rm, value >>> 0);
  else cpu.guest.setReg(i.rm, ((cpu.guest.reg(i.rm) & ~0xffff) | (value & 0xffff)) >>> 0);
  return goOn(cpu, next);
}

function operand16(cpu: VirtualCpu, i: GuestInstruction): number {
  return i.isMemory ? cpu.memory.read(i.linear, 2, !cpu.inKernel) : cpu.guest.reg(i.rm) & 0xffff;
}

function farTarget(cpu: VirtualCpu, i: GuestInstruction): number {
  if (!i.isMemory) return i.immediate2 & 0xffff;
  return cpu.memory.read((i.linear + (i.operandSize >>> 3)) >>> 0, 2, !cpu.inKernel);
}

/** The guest may have changed the descriptor by a plain store since it was copied. */
function upToDate(cpu: VirtualCpu, selector: number): false {
  if ((selector & 0xfffc) !== 0 && guestEntry(cpu, selector) >= 0) refresh(cpu, selector);
  return false;
}

/** LAR and LSL by the guest's own table. */
function look(
  cpu: VirtualCpu,
  i: GuestInstruction,
  next: number,
  types: number,
  result: (d: { readonly low: number; readonly high: number }) => number,
): boolean {
  const selector = operand16(cpu, i), d = visible(cpu, selector, types);
  if (d !== undefined) {
    const value = result(d), old = cpu.guest.reg(i.reg);
    cpu.guest.setReg(i.reg, (i.operandSize === 32 ? value : (old & ~0xffff) | (value & 0xffff)) >>> 0);
  }
  return setZero(cpu, d !== undefined, next);
}

function verify(cpu: VirtualCpu, i: GuestInstruction, next: number, good: (high: number) => boolean): boolean {
  const d = visible(cpu, operand16(cpu, i), 0);
  return setZero(cpu, d !== undefined && good(d.high), next);
}

/** The guest's descriptor if its program may see it. */
function visible(
  cpu: VirtualCpu,
  selector: number,
  types: number,
): { readonly low: number; readonly high: number } | undefined {
  if ((selector & 0xfffc) === 0) return undefined;
  const d = guestDescriptor(cpu, selector);
  if (d === undefined) return undefined;
  if ((d.high & Desc.segment) === 0 && ((types >>> ((d.high >>> 8) & 15)) & 1) === 0) return undefined;
  const free = isCode(d.high) && isConforming(d.high);
  return free || dplOf(d.high) >= Math.max(ring(cpu), selector & 3) ? d : undefined;
}

function setZero(cpu: VirtualCpu, on: boolean, next: number): boolean {
  const { guest } = cpu;
  guest.eflags = on ? guest.eflags | Flag.zf : guest.eflags & ~Flag.zf;
  return goOn(cpu, next);
}

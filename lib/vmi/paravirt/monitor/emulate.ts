/**
 * Privileged instructions of the de-privileged guest, done for it: each has raised #GP in ring 1 (or, port access, in ring
 * 3) and comes here with the CPU standing at it. What the guest may do changes its virtual registers; what it may not is
 * its fault, as on a bare processor.
 *
 * Sources: SDM-2; Paravirtualization API 2.0, appendix C. Warm: port access of a guest comes this way.
 *
 * Not emulated: WRMSR and RDMSR of registers the CPU model does not have (#GP, as there), LOADALL; the
 * one-instruction interrupt shadow of MOV SS.
 */
import type { GuestInstruction } from "../../../core/monitor.ts";
import { Cr0, Flag, Msr, Reg, Vector } from "../../../spec/i386_regs.ts";
import * as control from "./control.ts";
import { Desc, dplOf, isWritableData } from "./descriptor.ts";
import { emulateV86 } from "./emulate_v86.ts";
import { farToSystem } from "./gates.ts";
import { emulatePort } from "./port.ts";
import { protectionFault, Raised } from "./raised.ts";
import { farReturn, interruptReturn, systemEnter, systemExit } from "./returns.ts";
import { loadTables, setLocalTable, setTask } from "./system_tables.ts";
import { realDescriptor } from "./tables.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

/** Longest instruction. */
const LONGEST = 15;

/** Does one instruction; `next`: where the guest goes on unless it sets EIP itself. */
type Emulation = (cpu: VirtualCpu, i: GuestInstruction, next: number) => void;

/**
 * Emulates the instruction at the guest's program counter.
 * @returns The name of what was done; `undefined`: nothing that the guest may do, the fault is its own.
 * @throws {Raised} A fault of the guest.
 */
export function emulate(cpu: VirtualCpu): string | undefined {
  const { guest } = cpu;
  const at = (guest.segment(SegReg.cs).base + guest.eip) >>> 0;
  const instruction = guest.instruction(cpu.memory.code(at, LONGEST, !cpu.inKernel));
  if (instruction === undefined) return undefined;
  const next = (guest.eip + instruction.length) >>> 0;
  const { name } = instruction;
  if ((guest.eflags & Flag.vm) !== 0) {
    return emulateV86(cpu, instruction, next) ? `${name} of virtual-8086 mode` : undefined;
  }
  if (name === "in" || name === "out" || name === "ins" || name === "outs") emulatePort(cpu, instruction, next);
  else if (name === "callFar" || name === "jmpFar") {
    if (!farToSystem(cpu, instruction, next)) return undefined;
  } else if (cpu.inKernel) {
    const how = KERNEL[name];
    if (how === undefined || (SEGMENT_LOADS.includes(name) && !loadsStack(instruction))) return undefined;
    how(cpu, instruction, next);
  } else if (!userMay(cpu, name, next)) return undefined;
  return name;
}

/** Ring 3: SYSENTER if the guest offers it; CLI and STI pass silently with I/O privilege. */
function userMay(cpu: VirtualCpu, name: string, next: number): boolean {
  if (name === "sysenter") {
    systemEnter(cpu);
    return true;
  }
  if ((name !== "cli" && name !== "sti") || cpu.v.iopl < 3) return false;
  cpu.guest.eip = next;
  return true;
}

function then(what: (cpu: VirtualCpu, i: GuestInstruction) => void): Emulation {
  return (cpu, i, next) => {
    what(cpu, i);
    cpu.guest.eip = next;
  };
}

/** What the guest's kernel may do, by name of the semantics. */
const KERNEL: Readonly<Record<string, Emulation>> = {
  cli: then(({ guest }) => guest.eflags = guest.eflags & ~Flag.if),
  sti: then(({ guest }) => {
    if ((guest.eflags & Flag.if) !== 0) return;
    guest.eflags = guest.eflags | Flag.if;
    guest.shadowInterrupts();
  }),
  hlt: then(({ guest }) => guest.halt()),
  clts: then((cpu) => control.clearTaskSwitched(cpu)),
  movToCr: then((cpu, i) => {
    if (i.reg === 0 && (cpu.guest.reg(i.rm) & Cr0.pg) === 0 && cpu.release !== undefined) {
      return cpu.release(cpu.guest.reg(i.rm));
    }
    if (!control.setControl(cpu, i.reg, cpu.guest.reg(i.rm))) throw protectionFault();
  }),
  movFromCr: then((cpu, i) => cpu.guest.setReg(i.rm, control.getControl(cpu, i.reg))),
  movToDr: then((cpu, i) => control.setDebug(cpu, i.reg, cpu.guest.reg(i.rm))),
  movFromDr: then((cpu, i) => cpu.guest.setReg(i.rm, control.getDebug(cpu, i.reg))),
  lmsw: then((cpu, i) => control.setControl(cpu, 0, (cpu.v.cr0 & ~14) | (operand16(cpu, i) & 15))),
  invd: then(() => {}),
  wbinvd: then(() => {}),
  invlpg: then((cpu, i) => cpu.mmu.invalidate(i.linear)),
  lgdt: then((cpu, i) => loadTables(cpu, "gdt", i.linear, i.operandSize)),
  lidt: then((cpu, i) => loadTables(cpu, "idt", i.linear, i.operandSize)),
  lldt: then((cpu, i) => setLocalTable(cpu, operand16(cpu, i))),
  ltr: then((cpu, i) => setTask(cpu, operand16(cpu, i))),
  rdmsr: then(readRegister),
  wrmsr: then(writeRegister),
  rdtsc: then((cpu) => {
    const [low, high] = cpu.guest.readMsr(Msr.tsc) ?? [0, 0];
    cpu.guest.setReg(Reg.eax, low >>> 0);
    cpu.guest.setReg(Reg.edx, high >>> 0);
  }),
  movToSreg: then((cpu, i) => loadStack(cpu, operand16(cpu, i))),
  popSreg: (cpu, i, next): void => {
    const bytes = i.operandSize >>> 3;
    loadStack(cpu, cpu.memory.read(stackLinear(cpu), bytes) & 0xffff);
    cpu.guest.setReg(Reg.esp, (cpu.guest.reg(Reg.esp) + bytes) >>> 0);
    cpu.guest.eip = next;
  },
  loadFar: then((cpu, i) => {
    const bytes = i.operandSize >>> 3;
    const offset = cpu.memory.read(i.linear, bytes);
    loadStack(cpu, cpu.memory.read((i.linear + bytes) >>> 0, 2));
    const old = cpu.guest.reg(i.reg);
    cpu.guest.setReg(i.reg, bytes === 4 ? offset : ((old & ~0xffff) | offset) >>> 0);
  }),
  iret: (cpu, i, next): void => {
    if (i.operandSize !== 32) throw protectionFault();
    interruptReturn(cpu, cpu.guest.reg(Reg.esp), next);
  },
  retFar: (cpu, i): void => {
    if (i.operandSize !== 32) throw protectionFault();
    farReturn(cpu, i.immediate & 0xffff);
  },
  sysexit: (cpu): void => systemExit(cpu, false),
};

function stackLinear(cpu: VirtualCpu): number {
  return (cpu.guest.segment(SegReg.ss).base + cpu.guest.reg(Reg.esp)) >>> 0;
}

const SEGMENT_LOADS: readonly string[] = ["movToSreg", "popSreg", "loadFar"];

/** Is SS the register loaded? The others have no need of emulation: their faults are the guest's. */
function loadsStack(i: GuestInstruction): boolean {
  if (i.name === "movToSreg") return i.reg === SegReg.ss;
  return i.name === "popSreg" ? i.operands[0] === "ss" : i.mnemonic === "lss";
}

/** Loads SS, which wants a privilege of exactly the current ring, where the guest says 0. */
function loadStack(cpu: VirtualCpu, selector: number): void {
  const ring = cpu.guest.cpl, error = selector & 0xfffc;
  if ((selector & 3) !== 0 || error === 0) throw protectionFault(error);
  const d = realDescriptor(cpu, selector);
  if (!isWritableData(d.high) || dplOf(d.high) !== ring) throw protectionFault(error);
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.ss, error);
  cpu.guest.setSegment(SegReg.ss, error | ring, d.low, d.high);
}

function operand16(cpu: VirtualCpu, i: GuestInstruction): number {
  return i.isMemory ? cpu.memory.read(i.linear, 2) : cpu.guest.reg(i.rm) & 0xffff;
}

function readRegister(cpu: VirtualCpu): void {
  const value = control.getMsr(cpu, cpu.guest.reg(Reg.ecx));
  if (value === undefined) throw protectionFault();
  cpu.guest.setReg(Reg.eax, value[0] >>> 0);
  cpu.guest.setReg(Reg.edx, value[1] >>> 0);
}

function writeRegister(cpu: VirtualCpu): void {
  const { guest } = cpu;
  if (!control.setMsr(cpu, guest.reg(Reg.ecx), guest.reg(Reg.eax), guest.reg(Reg.edx))) throw protectionFault();
}

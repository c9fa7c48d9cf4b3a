/**
 * Instructions of a virtual-8086 program that the guest's own I/O privilege level allows: the real level is 0 while the
 * guest is de-privileged, so all that are sensitive to it have raised #GP. With a level below 3 the fault is the guest's,
 * which then emulates them itself; so it is with privileged ones. Ports ask the bitmap of the guest's task state, whatever
 * the level. Source: SDM-3A 20.2.7, 20.2.8. Warm.
 *
 * Not emulated: virtual-8086 mode extensions, as the CPU has none.
 */
import type { GuestInstruction } from "../../../core/monitor.ts";
import { Flag, Reg } from "../../../spec/i386_regs.ts";
import { deliver } from "./delivery.ts";
import { emulatePort } from "./port.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

const PORTS: readonly string[] = ["in", "out", "ins", "outs"];
/** Flags POPF and IRET change here. */
const FREE = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.tf | Flag.if | Flag.df | Flag.of | Flag.nt |
  Flag.ac | Flag.id;

type Emulation = (cpu: VirtualCpu, i: GuestInstruction, next: number) => void;

/** What I/O privilege level 3 allows, by name of the semantics. */
const ALLOWED: Readonly<Record<string, Emulation>> = {
  cli: ({ guest }, _i, next) => {
    guest.eflags = guest.eflags & ~Flag.if;
    guest.eip = next;
  },
  sti: ({ guest }, _i, next) => {
    const was = guest.eflags & Flag.if;
    guest.eflags = guest.eflags | Flag.if;
    if (was === 0) guest.shadowInterrupts();
    guest.eip = next;
  },
  pushf: (cpu, i, next) => {
    const bytes = i.operandSize >>> 3, image = cpu.flags & ~(Flag.vm | Flag.rf);
    cpu.memory.write(stackAt(cpu, -bytes), bytes === 4 ? image >>> 0 : image & 0xffff, bytes, true);
    moveStack(cpu, -bytes);
    cpu.guest.eip = next;
  },
  popf: (cpu, i, next) => {
    const [image] = pop(cpu, i.operandSize >>> 3, 1);
    setFlags(cpu, image ?? 0, i.operandSize);
    cpu.guest.eip = next;
  },
  int: (cpu, i, next) => deliver(cpu, event(i.immediate & 0xff, next)),
  iret: (cpu, i) => {
    const [eip = 0, cs = 0, image = 0] = pop(cpu, i.operandSize >>> 3, 3);
    cpu.guest.setSegmentV86(SegReg.cs, cs & 0xffff);
    cpu.guest.eip = eip & 0xffff;
    cpu.guest.endNmi();
    setFlags(cpu, image, i.operandSize);
  },
};

/**
 * Emulates an instruction that raised #GP in virtual-8086 mode.
 * @returns Whether it was done; false: the fault is the guest's.
 * @throws {Raised} A fault of the guest.
 */
export function emulateV86(cpu: VirtualCpu, i: GuestInstruction, next: number): boolean {
  if (PORTS.includes(i.name)) {
    emulatePort(cpu, i, next);
    return true;
  }
  const how = cpu.v.iopl === 3 ? ALLOWED[i.name] : undefined;
  how?.(cpu, i, next & 0xffff);
  return how !== undefined;
}

function event(vector: number, next: number): Parameters<typeof deliver>[1] {
  return { kind: "software", vector, errorCode: -1, linear: 0, next };
}

function setFlags(cpu: VirtualCpu, image: number, size: 16 | 32): void {
  const mask = size === 16 ? FREE & 0xffff : FREE, { guest } = cpu;
  guest.eflags = ((guest.eflags & ~mask) | (image & mask)) & ~Flag.rf;
}

/** Linear address of the stack, `offset` bytes from its top. */
function stackAt(cpu: VirtualCpu, offset: number): number {
  return (cpu.guest.segment(SegReg.ss).base + ((cpu.guest.reg(Reg.esp) + offset) & 0xffff)) >>> 0;
}

function moveStack(cpu: VirtualCpu, by: number): void {
  const esp = cpu.guest.reg(Reg.esp);
  cpu.guest.setReg(Reg.esp, ((esp & ~0xffff) | ((esp + by) & 0xffff)) >>> 0);
}

/** Pops words; nothing has changed if one of them faults. */
function pop(cpu: VirtualCpu, bytes: number, count: number): number[] {
  const words = Array.from({ length: count }, (_, n) => cpu.memory.read(stackAt(cpu, n * bytes), bytes, true));
  moveStack(cpu, count * bytes);
  return words;
}

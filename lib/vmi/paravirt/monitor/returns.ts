/**
 * How the guest's kernel leaves: IRET to any ring and to virtual-8086 mode, SYSEXIT; and SYSENTER, which comes back. All is
 * checked before anything changes, so that a bad frame is the guest's fault at the place where it is found.
 * Sources: SDM-2A IRET, SDM-2B SYSENTER, SYSEXIT, SDM-3A 6.12.1, 20.2.3. Warm.
 *
 * Not emulated: 16-bit IRET.
 */
import { Flag, Reg, Vector } from "../../../spec/i386_regs.ts";
import {
  Desc,
  type DescriptorWords,
  dplOf,
  isCode,
  isConforming,
  isWritableData,
  KERNEL_RING,
  limitOf,
} from "./descriptor.ts";
import { Raised } from "./raised.ts";
import { returnTask } from "./task.ts";
import { realDescriptor } from "./tables.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

/** Flags IRET always takes from its image. The I/O privilege level is the guest's affair with SetIOPLMask. */
const FREE = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.tf | Flag.if | Flag.df | Flag.of | Flag.nt |
  Flag.rf |
  Flag.ac | Flag.id;
/** High dwords of the flat descriptors that SYSENTER and SYSEXIT load, privilege left out. */
const FLAT_LOW = 0x0000ffff, FLAT_CODE = 0x00cf9b00, FLAT_DATA = 0x00cf9300;

/**
 * IRET with the frame at `esp`, an offset in SS; out of a nested task back to the one it is linked to, and `next` is where
 * the nested one will go on. @throws {Raised} Then nothing has changed.
 */
export function interruptReturn(cpu: VirtualCpu, esp: number, next: number): void {
  const { guest } = cpu, wasKernel = guest.cpl === KERNEL_RING;
  guest.endNmi();
  if ((guest.eflags & (Flag.nt | Flag.vm)) === Flag.nt && wasKernel) {
    guest.setReg(Reg.esp, esp);
    returnTask(cpu, next);
    return;
  }
  const [eip, cs, flags] = [0, 4, 8].map((at) => stackWord(cpu, esp, at)) as [number, number, number];
  if ((flags & Flag.vm) !== 0 && guest.cpl === KERNEL_RING) return returnToV86(cpu, esp, eip, cs, flags);
  const ring = Math.max(cs & 3, KERNEL_RING);
  const code = returnCode(cpu, cs, ring);
  if (ring === guest.cpl) {
    checkOffset(code, eip);
    guest.setReg(Reg.esp, (esp + 12) >>> 0);
  } else {
    const newEsp = stackWord(cpu, esp, 12), ss = stackWord(cpu, esp, 16) & 0xffff;
    const stack = returnStack(cpu, ss, ring);
    checkOffset(code, eip);
    guest.setSegment(SegReg.ss, ss, stack.low, stack.high);
    const whole = (stack.high & Desc.big) !== 0;
    guest.setReg(Reg.esp, whole ? newEsp : ((guest.reg(Reg.esp) & ~0xffff) | (newEsp & 0xffff)) >>> 0);
  }
  guest.setSegment(SegReg.cs, (cs & 0xfffc) | ring, code.low, code.high);
  if (ring !== guest.cpl) {
    guest.setPrivilege(ring);
    dropInner(cpu, ring);
  }
  guest.eip = eip;
  if (cpu.transparent && wasKernel) cpu.v.iopl = (flags >>> 12) & 3;
  guest.eflags = (guest.eflags & ~FREE) | (flags & FREE);
}

/** RETF within the kernel, `extra` bytes more from the stack. @throws {Raised} Then nothing has changed. */
export function farReturn(cpu: VirtualCpu, extra: number): void {
  const { guest } = cpu, esp = guest.reg(Reg.esp);
  const eip = stackWord(cpu, esp, 0), cs = stackWord(cpu, esp, 4) & 0xffff;
  const ring = Math.max(cs & 3, KERNEL_RING);
  if (ring !== guest.cpl) throw new Raised(Vector.gp, cs & 0xfffc);
  const code = returnCode(cpu, cs, ring);
  checkOffset(code, eip);
  guest.setReg(Reg.esp, (esp + 8 + extra) >>> 0);
  guest.setSegment(SegReg.cs, (cs & 0xfffc) | ring, code.low, code.high);
  guest.eip = eip;
}

function stackWord(cpu: VirtualCpu, esp: number, at: number): number {
  const { base, access } = cpu.guest.segment(SegReg.ss);
  const mask = (access & Desc.big) !== 0 ? -1 : 0xffff;
  return cpu.memory.read32((base + (((esp + at) & mask) >>> 0)) >>> 0);
}

function returnCode(cpu: VirtualCpu, selector: number, ring: number): DescriptorWords {
  const error = selector & 0xfffc;
  if (error === 0) throw new Raised(Vector.gp, 0);
  const d = realDescriptor(cpu, selector);
  if (!isCode(d.high) || ring < cpu.guest.cpl) throw new Raised(Vector.gp, error);
  const dpl = dplOf(d.high);
  if (isConforming(d.high) ? dpl > ring : dpl !== ring) throw new Raised(Vector.gp, error);
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.np, error);
  return d;
}

function returnStack(cpu: VirtualCpu, selector: number, ring: number): DescriptorWords {
  const error = selector & 0xfffc;
  if (error === 0) throw new Raised(Vector.gp, 0);
  const d = realDescriptor(cpu, selector);
  if ((selector & 3) !== ring || !isWritableData(d.high) || dplOf(d.high) !== ring) throw new Raised(Vector.gp, error);
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.ss, error);
  return d;
}

function checkOffset(code: DescriptorWords, eip: number): void {
  if (eip > limitOf(code)) throw new Raised(Vector.gp, 0);
}

/** Data segments that the outer ring may not use become null. */
function dropInner(cpu: VirtualCpu, ring: number): void {
  for (const n of [SegReg.es, SegReg.ds, SegReg.fs, SegReg.gs]) {
    const { access } = cpu.guest.segment(n);
    if ((access & Desc.segment) === 0 || isConforming(access) || dplOf(access) >= ring) continue;
    cpu.guest.setSegment(n, 0, 0, 0);
  }
}

function returnToV86(cpu: VirtualCpu, esp: number, eip: number, cs: number, flags: number): void {
  const { guest } = cpu;
  const [newEsp, ...selectors] = [12, 16, 20, 24, 28, 32].map((at) => stackWord(cpu, esp, at)) as [number, ...number[]];
  if (eip > 0xffff) throw new Raised(Vector.gp, 0);
  if (cpu.transparent) cpu.v.iopl = (flags >>> 12) & 3;
  guest.eflags = ((guest.eflags & ~FREE) | (flags & FREE) | Flag.vm) >>> 0;
  guest.setSegmentV86(SegReg.cs, cs & 0xffff);
  [SegReg.ss, SegReg.es, SegReg.ds, SegReg.fs, SegReg.gs].forEach((n, i) =>
    guest.setSegmentV86(n, (selectors[i] ?? 0) & 0xffff)
  );
  guest.setReg(Reg.esp, newEsp);
  guest.setPrivilege(3);
  guest.eip = eip;
}

/**
 * SYSEXIT: EDX and ECX are the user's EIP and ESP; the call turns interrupts on, the instruction leaves them as they are.
 * @throws {Raised} #GP without SYSENTER_CS
 */
export function systemExit(cpu: VirtualCpu, interrupts: boolean): void {
  const { guest } = cpu, cs = cpu.v.sysenterCs & 0xfffc;
  if (cs === 0) throw new Raised(Vector.gp, 0);
  const [eip, esp] = [guest.reg(Reg.edx), guest.reg(Reg.ecx)];
  flat(cpu, cs + 16, 3);
  dropInner(cpu, 3);
  guest.eip = eip;
  guest.setReg(Reg.esp, esp);
  if (interrupts) guest.eflags = guest.eflags | Flag.if;
}

/** SYSENTER executed by the user. @throws {Raised} #GP without SYSENTER_CS */
export function systemEnter(cpu: VirtualCpu): void {
  const { guest, v } = cpu, cs = v.sysenterCs & 0xfffc;
  if (cs === 0) throw new Raised(Vector.gp, 0);
  flat(cpu, cs, KERNEL_RING);
  guest.eflags = guest.eflags & ~(Flag.vm | Flag.if | Flag.rf);
  guest.setReg(Reg.esp, v.sysenterEsp);
  guest.eip = v.sysenterEip;
}

function flat(cpu: VirtualCpu, code: number, ring: number): void {
  const dpl = ring << 13;
  cpu.guest.setSegment(SegReg.cs, code | ring, FLAT_LOW, FLAT_CODE | dpl);
  cpu.guest.setSegment(SegReg.ss, (code + 8) | ring, FLAT_LOW, FLAT_DATA | dpl);
  cpu.guest.setPrivilege(ring);
}

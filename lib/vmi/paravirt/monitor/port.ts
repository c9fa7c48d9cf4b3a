/**
 * Port access of a de-privileged guest. Its kernel may use all ports; ring 3 as its I/O privilege level and the bitmap in
 * the guest's task state say. A repeated string instruction does one iteration an exit, as it may fault at each.
 * Sources: SDM-2A IN, INS, SDM-2B OUT, OUTS, SDM-1 19.5. Warm.
 */
import type { GuestInstruction } from "../../../core/monitor.ts";
import { Flag, Reg } from "../../../spec/i386_regs.ts";
import { protectionFault } from "./raised.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

/** Offset in the task state of the bitmap's offset. */
const BITMAP_AT = 0x66;

type PortWidth = 8 | 16 | 32;

/** Emulates IN, OUT, INS or OUTS. @throws {Raised} */
export function emulatePort(cpu: VirtualCpu, i: GuestInstruction, next: number): void {
  const { guest } = cpu;
  const width: PortWidth = i.width === 8 ? 8 : i.operandSize;
  const string = i.name === "ins" || i.name === "outs";
  const port = string || i.operands.includes("dx") ? guest.reg(Reg.edx) & 0xffff : i.immediate & 0xff;
  if (!cpu.inKernel) checkPort(cpu, port, width);
  if (string) return stringStep(cpu, i, port, width, next);
  const old = guest.reg(Reg.eax), mask = width === 32 ? 0xffffffff : (1 << width) - 1;
  if (i.name === "in") {
    const value = guest.readPort(port, width);
    guest.setReg(Reg.eax, ((old & ~mask) | (value & mask)) >>> 0);
  } else {
    guest.writePort(port, (old & mask) >>> 0, width);
    cpu.noteBus();
  }
  guest.eip = next;
}

/** The rights of ring 3. @throws {Raised} #GP(0) */
function checkPort(cpu: VirtualCpu, port: number, width: PortWidth): void {
  const { v, memory } = cpu;
  if (v.iopl === 3 && (cpu.guest.eflags & Flag.vm) === 0) return;
  if (v.tr === 0 || v.tssLimit < BITMAP_AT + 1) throw protectionFault();
  const at = memory.read(v.tssBase + BITMAP_AT, 2) + (port >>> 3);
  if (at + 1 > v.tssLimit) throw protectionFault();
  const bits = memory.read(v.tssBase + at, 2) >>> (port & 7);
  if ((bits & ((1 << (width >>> 3)) - 1)) !== 0) throw protectionFault();
}

function stringStep(cpu: VirtualCpu, i: GuestInstruction, port: number, width: PortWidth, next: number): void {
  const { guest, memory } = cpu, user = !cpu.inKernel, bytes = width >>> 3;
  const mask = i.addressSize === 32 ? 0xffffffff : 0xffff;
  const count = (guest.reg(Reg.ecx) & mask) >>> 0;
  if (i.repeated && count === 0) {
    guest.eip = next;
    return;
  }
  const index = i.name === "ins" ? Reg.edi : Reg.esi;
  const segment = guest.segment(i.name === "ins" ? SegReg.es : i.segment);
  const at = (segment.base + ((guest.reg(index) & mask) >>> 0)) >>> 0;
  if (i.name === "ins") {
    memory.probeWrite(at, bytes, user);
    memory.write(at, guest.readPort(port, width), bytes, user);
  } else {
    guest.writePort(port, memory.read(at, bytes, user), width);
    cpu.noteBus();
  }
  const step = (guest.eflags & Flag.df) !== 0 ? -bytes : bytes;
  add(cpu, index, step, mask);
  if (i.repeated) add(cpu, Reg.ecx, -1, mask);
  if (!i.repeated || count === 1) guest.eip = next;
}

function add(cpu: VirtualCpu, register: number, by: number, mask: number): void {
  const old = cpu.guest.reg(register);
  cpu.guest.setReg(register, ((old & ~mask) | ((old + by) & mask)) >>> 0);
}

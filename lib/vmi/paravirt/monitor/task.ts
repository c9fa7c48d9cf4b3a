/**
 * Task switches of a de-privileged guest: by a far call or jump to a task state or a task gate, by an event whose gate is
 * one, and back by IRET with NT. The processor has no task of the guest's; the guest's task states are read and written
 * here as the processor would.
 *
 * Everything that concerns the states themselves is checked before anything changes. What is wrong with the registers of
 * the new task is that task's own fault. Sources: SDM-3A 7.2 to 7.4. Warm.
 *
 * Not emulated: 16-bit task states, and switches of a guest that has loaded no task register (the guest ends as
 * `task-switch`); the trap flag of a task state.
 */
import { Cr0, Flag, Reg, Vector } from "../../../spec/i386_regs.ts";
import { setControl } from "./control.ts";
import {
  baseOf,
  Desc,
  type DescriptorWords,
  dplOf,
  isCode,
  isConforming,
  isReadable,
  isWritableData,
  KERNEL_RING,
  limitOf,
  realRing,
  SystemType,
} from "./descriptor.ts";
import { protectionFault, Raised } from "./raised.ts";
import { readKernelStack, setLocalTable } from "./system_tables.ts";
import { guestDescriptor, guestEntry, realDescriptor } from "./tables.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

/** How a task is entered. */
export type TaskWay = "jump" | "call" | "event" | "return";

/** Offsets in a 32-bit task state. */
const At = { link: 0, cr3: 0x1c, eip: 0x20, eflags: 0x24, general: 0x28, segments: 0x48, ldt: 0x60 } as const;
/** Last byte a task state must have. */
const LEAST = 0x67;
/** Bit that makes a task state busy. */
const BUSY = 0x200;
/** Types of 16-bit task states, available and busy. */
const OLD_TYPES: readonly number[] = [1, 3];

/**
 * Switches to the task of a selector; `next`: where the old one goes on.
 * @returns False: the guest has ended. @throws {Raised}
 */
export function switchTask(cpu: VirtualCpu, selector: number, way: TaskWay, next: number, ext = 0): boolean {
  const { v, memory } = cpu, d = checkTask(cpu, selector, way, ext);
  if (d === undefined || v.tr === 0) {
    cpu.kill(`a switch to task 0x${selector.toString(16)}`, "task-switch");
    return false;
  }
  if (v.tssLimit < LEAST) throw new Raised(Vector.ts, (v.tr & 0xfffc) | ext);
  const from = v.tssBase, to = baseOf(d);
  memory.probeWrite(from, LEAST + 1);
  memory.probeWrite(to, LEAST + 1);
  const nests = way === "call" || way === "event";
  if (!nests) mark(cpu, v.tr, false);
  save(cpu, from, next, way === "return");
  if (nests) memory.write(to + At.link, v.tr, 2);
  if (way !== "return") mark(cpu, selector, true);
  v.tr = selector & 0xffff;
  v.tssBase = to;
  v.tssLimit = limitOf(d);
  readKernelStack(cpu);
  setControl(cpu, 0, v.cr0 | Cr0.ts);
  load(cpu, to, nests ? Flag.nt : 0);
  return true;
}

/** IRET with NT: back to the task that is linked. @returns False: the guest has ended. @throws {Raised} */
export function returnTask(cpu: VirtualCpu, next: number): boolean {
  const { v, memory } = cpu;
  return switchTask(cpu, v.tr === 0 ? 0 : memory.read(v.tssBase + At.link, 2), "return", next);
}

/** The descriptor of a task state that can be entered; `undefined`: of a kind that is not emulated. @throws {Raised} */
function checkTask(cpu: VirtualCpu, selector: number, way: TaskWay, ext: number): DescriptorWords | undefined {
  const code = (selector & 0xfffc) | ext, wrong = way === "return" ? Vector.ts : Vector.gp;
  const d = (selector & 0xfffc) === 0 || (selector & 4) !== 0 ? undefined : guestDescriptor(cpu, selector);
  const type = d === undefined || (d.high & Desc.segment) !== 0 ? -1 : (d.high >>> 8) & 15;
  if (d !== undefined && OLD_TYPES.includes(type)) return undefined;
  if (d === undefined || type !== (way === "return" ? SystemType.tss32Busy : SystemType.tss32)) {
    throw new Raised(wrong, code);
  }
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.np, code);
  if (limitOf(d) < LEAST) throw new Raised(Vector.ts, code);
  return d;
}

/** Makes a task state in the guest's table busy or free. */
function mark(cpu: VirtualCpu, selector: number, busy: boolean): void {
  const at = guestEntry(cpu, selector) + 4, high = cpu.memory.read32(at);
  cpu.memory.write32(at, busy ? high | BUSY : high & ~BUSY);
}

function save(cpu: VirtualCpu, at: number, next: number, returns: boolean): void {
  const { guest, memory } = cpu;
  memory.write32(at + At.eip, next);
  memory.write32(at + At.eflags, returns ? cpu.flags & ~Flag.nt : cpu.flags);
  for (let n = 0; n < 8; n++) memory.write32(at + At.general + 4 * n, guest.reg(n));
  for (let n = 0; n < 6; n++) memory.write(at + At.segments + 4 * n, cpu.seen(guest.segment(n).selector), 2);
}

/** Registers of the new task; `more`: flags that are set besides. @throws {Raised} The new task's own fault. */
function load(cpu: VirtualCpu, at: number, more: number): void {
  const { guest, memory, v } = cpu;
  const flags = memory.read32(at + At.eflags), base = memory.read32(at + At.cr3);
  const general = Array.from({ length: 8 }, (_, n) => memory.read32(at + At.general + 4 * n));
  const selectors = Array.from({ length: 6 }, (_, n) => memory.read(at + At.segments + 4 * n, 2));
  const eip = memory.read32(at + At.eip), local = memory.read(at + At.ldt, 2);
  if (!setControl(cpu, 3, base)) throw new Raised(Vector.ts, v.tr & 0xfffc);
  guest.setControl("dr7", guest.control("dr7") & ~0x155);
  general.forEach((value, n) => guest.setReg(n, value));
  v.iopl = (flags >>> 12) & 3;
  guest.eip = eip;
  guest.eflags = (flags & ~Flag.iopl) | more | 2;
  for (let n = 0; n < 6; n++) guest.setSegment(n, selectors[n] ?? 0, 0, 0);
  loadLocal(cpu, local);
  if ((flags & Flag.vm) === 0) return loadSegments(cpu, selectors, eip);
  selectors.forEach((selector, n) => guest.setSegmentV86(n, selector));
  guest.setPrivilege(3);
}

function loadLocal(cpu: VirtualCpu, selector: number): void {
  try {
    setLocalTable(cpu, selector);
  } catch (thrown) {
    if (!(thrown instanceof Raised)) throw thrown;
    setLocalTable(cpu, 0);
    throw new Raised(Vector.ts, selector & 0xfffc);
  }
}

function loadSegments(cpu: VirtualCpu, selectors: readonly number[], eip: number): void {
  const { guest } = cpu, cs = selectors[SegReg.cs] ?? 0, ss = selectors[SegReg.ss] ?? 0;
  const ring = realRing(cs & 3), code = realDescriptor(cpu, cs), stack = realDescriptor(cpu, ss);
  guest.setPrivilege(ring);
  const fits = isConforming(code.high) ? dplOf(code.high) <= ring : dplOf(code.high) === ring;
  if (!isCode(code.high) || !fits) throw new Raised(Vector.ts, cs & 0xfffc);
  if ((code.high & Desc.present) === 0) throw new Raised(Vector.np, cs & 0xfffc);
  guest.setSegment(SegReg.cs, (cs & 0xfffc) | ring, code.low, code.high);
  if (!isWritableData(stack.high) || dplOf(stack.high) !== ring || realRing(ss & 3) !== ring) {
    throw new Raised(Vector.ts, ss & 0xfffc);
  }
  if ((stack.high & Desc.present) === 0) throw new Raised(Vector.ss, ss & 0xfffc);
  guest.setSegment(SegReg.ss, (ss & 0xfffc) | ring, stack.low, stack.high);
  for (const n of [SegReg.es, SegReg.ds, SegReg.fs, SegReg.gs]) loadData(cpu, n, selectors[n] ?? 0, ring);
  if (eip > limitOf(code)) throw protectionFault();
}

function loadData(cpu: VirtualCpu, n: number, selector: number, ring: number): void {
  if ((selector & 0xfffc) === 0) return;
  const d = realDescriptor(cpu, selector), level = Math.max(ring, realRing(selector & 3));
  const open = isCode(d.high) && isConforming(d.high);
  if (!isReadable(d.high) || (!open && dplOf(d.high) < level)) throw new Raised(Vector.ts, selector & 0xfffc);
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.np, selector & 0xfffc);
  cpu.guest.setSegment(n, selector, d.low, d.high);
}

/** Pushes the error code of the event that has entered the task. @throws {Raised} */
export function pushError(cpu: VirtualCpu, errorCode: number): void {
  const { guest, memory } = cpu, { base, access } = guest.segment(SegReg.ss);
  const mask = (access & Desc.big) !== 0 ? -1 : 0xffff, esp = guest.reg(Reg.esp);
  const to = ((esp - 4) & mask) >>> 0, at = (base + to) >>> 0, user = guest.cpl !== KERNEL_RING;
  memory.probeWrite(at, 4, user);
  memory.write(at, errorCode, 4, user);
  guest.setReg(Reg.esp, ((esp & ~mask) | to) >>> 0);
}

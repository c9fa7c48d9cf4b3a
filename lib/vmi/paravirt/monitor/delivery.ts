/**
 * Delivers an event to the guest through its own interrupt table: what the processor would do, with ring 1 for ring 0 and
 * the guest's view of flags and selectors in the frame.
 *
 * An entry from ring 3 (or virtual-8086) takes the stack of UpdateKernelStack; one from ring 1 stays on its own. Faults on
 * the way combine to double fault and shutdown as the processor combines them.
 * Sources: SDM-2A INT n, SDM-3A 6.12, 6.14, 6.15; Paravirtualization API 2.0, appendix A. Warm.
 *
 * Not emulated: limits of the guest's stack segments, gates to ring 2.
 */
import type { InterceptKind } from "../../../core/monitor.ts";
import { Flag, Reg, Vector } from "../../../spec/i386_regs.ts";
import { Desc, dplOf, isCode, isConforming, isWritableData, KERNEL_RING, realRing, SystemType } from "./descriptor.ts";
import { Raised } from "./raised.ts";
import { readKernelStack } from "./system_tables.ts";
import { pushError, switchTask } from "./task.ts";
import { realDescriptor } from "./tables.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

/** What is delivered. */
export interface Delivery {
  /** Where it comes from. */
  readonly kind: InterceptKind;
  /** 0-255. */
  readonly vector: number;
  /** -1: none. */
  readonly errorCode: number;
  /** Address of a page fault. */
  readonly linear: number;
  /** Where the guest goes on afterwards. */
  readonly next: number;
}

/** Flags cleared when a handler is entered. */
const ENTRY_CLEARS = Flag.tf | Flag.nt | Flag.vm | Flag.rf;
/** Bit n: exception n is contributory. */
const CONTRIBUTORY = (1 << 0) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13);
/** Segments a virtual-8086 program has pushed for it, in order. */
const V86_PUSHED: readonly number[] = [SegReg.gs, SegReg.fs, SegReg.ds, SegReg.es];

/** Delivers an event; afterwards the guest stands at a handler, or the CPU is shut down. */
export function deliver(cpu: VirtualCpu, first: Delivery): void {
  let now = first;
  // What a shutdown is put down to: an interrupt is not its cause, the first exception on its way is.
  let cause = first.kind === "exception" ? first : undefined;
  cpu.counters.count(`delivered ${now.kind}`);
  for (;;) {
    try {
      announce(cpu, now);
      enter(cpu, now);
      return;
    } catch (thrown) {
      if (!(thrown instanceof Raised)) throw thrown;
      const next = combine(now, thrown);
      if (next === undefined) {
        const { vector, errorCode, linear } = cause ?? now;
        cpu.guest.shutdown({ vector, errorCode, linear });
        return;
      }
      cause ??= next;
      now = next;
    }
  }
}

/** Delivers a fault that the guest has met at its program counter. */
export function deliverFault(cpu: VirtualCpu, raised: Raised): void {
  deliver(cpu, { kind: "exception", ...raised.fault, next: cpu.guest.eip });
}

/** The machine's hooks, and CR2. */
function announce(cpu: VirtualCpu, e: Delivery): void {
  if (e.vector === Vector.pf && e.kind === "exception") cpu.v.cr2 = e.linear;
  cpu.host.delivering(e.kind, e.vector, e.errorCode, e.linear);
}

/** What follows when a fault is raised on the way; `undefined`: shutdown. */
function combine(now: Delivery, raised: Raised): Delivery | undefined {
  const { vector } = raised.fault;
  const next: Delivery = { kind: "exception", ...raised.fault, next: now.next };
  const serious = vector === Vector.pf || ((CONTRIBUTORY >>> vector) & 1) !== 0;
  if (now.kind !== "exception" || !serious) return next;
  if (now.vector === Vector.df) return undefined;
  const contributory = ((CONTRIBUTORY >>> now.vector) & 1) !== 0;
  const double = now.vector === Vector.pf || (contributory && vector !== Vector.pf);
  return double ? { ...next, vector: Vector.df, errorCode: 0 } : next;
}

function enter(cpu: VirtualCpu, e: Delivery): void {
  const { guest, v, memory } = cpu;
  const ext = e.kind === "software" ? 0 : 1;
  const idtCode = e.vector * 8 + 2 + ext;
  if (e.vector * 8 + 7 > v.idtLimit) throw new Raised(Vector.gp, idtCode);
  const at = (v.idtBase + e.vector * 8) >>> 0;
  const low = memory.read32(at), high = memory.read32(at + 4);
  const type = (high & Desc.segment) !== 0 ? -1 : (high >>> 8) & 15;
  if (type === SystemType.taskGate) {
    enterTask(cpu, e, low >>> 16, high, idtCode);
    return;
  }
  if (type < 0 || (type & 6) !== 6) throw new Raised(Vector.gp, idtCode);
  if (e.kind === "software" && realRing(dplOf(high)) < guest.cpl) throw new Raised(Vector.gp, idtCode);
  if ((high & Desc.present) === 0) throw new Raised(Vector.np, idtCode);
  const selector = low >>> 16, code = (selector & 0xfffc) | ext;
  if ((selector & 0xfffc) === 0) throw new Raised(Vector.gp, ext);
  const target = realDescriptor(cpu, selector);
  if (!isCode(target.high) || dplOf(target.high) > guest.cpl) throw new Raised(Vector.gp, code);
  if ((target.high & Desc.present) === 0) throw new Raised(Vector.np, code);
  const level = isConforming(target.high) ? guest.cpl : dplOf(target.high);
  const v86 = (guest.eflags & Flag.vm) !== 0;
  if (v86 && level !== KERNEL_RING) throw new Raised(Vector.gp, code);
  const size = type >= SystemType.interruptGate32 ? 4 : 2;
  const rf = e.kind === "exception" && e.vector !== Vector.db ? Flag.rf : 0;
  const words = frameWords(cpu, e, level, v86, rf);
  const inner = level < guest.cpl;
  const stack = inner ? innerStack(cpu, level, ext) : currentStack(cpu);
  const esp = pushWords(cpu, stack, words, size, level);

  if (v86) { for (const n of V86_PUSHED) guest.setSegment(n, 0, 0, 0); }
  if (inner) guest.setSegment(SegReg.ss, stack.selector, stack.low, stack.high);
  guest.setReg(Reg.esp, esp);
  guest.setSegment(SegReg.cs, (selector & 0xfffc) | level, target.low, target.high);
  guest.setPrivilege(level);
  const clears = (type & 1) === 0 ? ENTRY_CLEARS | Flag.if : ENTRY_CLEARS;
  guest.eflags = guest.eflags & ~clears;
  guest.eip = (size === 4 ? (high & 0xffff0000) | (low & 0xffff) : low & 0xffff) >>> 0;
  guest.halted = false;
}

/** The gate leads to a task. */
function enterTask(cpu: VirtualCpu, e: Delivery, selector: number, gate: number, idtCode: number): void {
  const ext = e.kind === "software" ? 0 : 1;
  if (e.kind === "software" && realRing(dplOf(gate)) < cpu.guest.cpl) throw new Raised(Vector.gp, idtCode);
  if ((gate & Desc.present) === 0) throw new Raised(Vector.np, idtCode);
  if (!switchTask(cpu, selector, "event", e.next, ext)) return;
  cpu.guest.halted = false;
  if (e.errorCode >= 0) pushError(cpu, e.errorCode);
}

/** The words to push, in order. */
function frameWords(cpu: VirtualCpu, e: Delivery, level: number, v86: boolean, rf: number): number[] {
  const { guest } = cpu;
  const words: number[] = [];
  if (v86) words.push(...V86_PUSHED.map((n) => guest.segment(n).selector));
  if (level < guest.cpl) words.push(cpu.seen(guest.segment(SegReg.ss).selector), guest.reg(Reg.esp));
  words.push(cpu.flags | rf, cpu.seen(guest.segment(SegReg.cs).selector), e.next);
  if (e.errorCode >= 0) words.push(e.errorCode);
  return words;
}

/** A stack to push on. */
export interface Stack {
  /** Selector. */
  readonly selector: number;
  /** Real descriptor, low dword. */
  readonly low: number;
  /** High dword; 0 for the current stack. */
  readonly high: number;
  /** Linear base. */
  readonly base: number;
  /** Stack pointer. */
  readonly esp: number;
  /** Bits of it that count. */
  readonly mask: number;
}

/** The stack in use. */
export function currentStack(cpu: VirtualCpu): Stack {
  const { selector, base, access } = cpu.guest.segment(SegReg.ss);
  return { selector, low: 0, high: 0, base, esp: cpu.guest.reg(Reg.esp), mask: stackMask(access) };
}

/** The stack the guest has named for its kernel. @throws {Raised} */
export function innerStack(cpu: VirtualCpu, level: number, ext: number): Stack {
  if (cpu.transparent && level === KERNEL_RING) {
    if (cpu.v.tssLimit < 9) throw new Raised(Vector.ts, (cpu.v.tr & 0xfffc) | ext);
    readKernelStack(cpu);
  }
  const selector = (cpu.v.kernelSs & 0xfffc) | level, code = (selector & 0xfffc) | ext;
  if (level !== KERNEL_RING || (selector & 0xfffc) === 0) throw new Raised(Vector.ts, ext);
  const d = realDescriptor(cpu, selector);
  if (dplOf(d.high) !== level || !isWritableData(d.high)) throw new Raised(Vector.ts, code);
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.ss, code);
  const base = ((d.low >>> 16) | ((d.high & 0xff) << 16) | (d.high & 0xff000000)) >>> 0;
  return { selector, low: d.low, high: d.high, base, esp: cpu.v.kernelEsp, mask: stackMask(d.high) };
}

function stackMask(access: number): number {
  return (access & Desc.big) !== 0 ? -1 : 0xffff;
}

/** Pushes all words or, on a fault, none. @returns ESP. @throws {Raised} */
export function pushWords(
  cpu: VirtualCpu,
  stack: Stack,
  words: readonly number[],
  size: number,
  level: number,
): number {
  const user = level === 3, { memory } = cpu;
  const offset = (n: number): number => ((stack.esp - n * size) & stack.mask) >>> 0;
  const linear = (n: number): number => (stack.base + offset(n)) >>> 0;
  words.forEach((_, i) => memory.probeWrite(linear(i + 1), size, user));
  words.forEach((word, i) => memory.write(linear(i + 1), size === 4 ? word : word & 0xffff, size, user));
  return ((stack.esp & ~stack.mask) | offset(words.length)) >>> 0;
}

/**
 * The guest loads its descriptor-table and task registers: the virtual ones change, the monitor's copies follow. Warm.
 */
import { baseOf, Desc, type DescriptorWords, limitOf, SystemType } from "./descriptor.ts";
import { protectionFault, Raised } from "./raised.ts";
import { Vector } from "../../../spec/i386_regs.ts";
import { guestDescriptor, guestEntry, loadGdt, loadLdt, reloadAll } from "./tables.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** Bit that makes a task state busy. */
const BUSY = 0x200;
/** Offset in a 32-bit task state of the stack for ring 0. */
const ESP0 = 4, SS0 = 8;

/** Loads the global or the interrupt table register from 6 bytes of memory. @throws {Raised} */
export function loadTables(cpu: VirtualCpu, which: "gdt" | "idt", pointer: number, operandSize: 16 | 32 = 32): void {
  const { memory, v } = cpu;
  const limit = memory.read(pointer, 2), whole = memory.read32(pointer + 2);
  const base = operandSize === 16 ? whole & 0xffffff : whole;
  if (which === "idt") {
    v.idtBase = base;
    v.idtLimit = limit;
    return;
  }
  v.gdtBase = base;
  v.gdtLimit = limit;
  loadGdt(cpu);
}

/** As {@linkcode loadTables} for the global table, and loads every segment register anew. @throws {Raised} */
export function setGlobalTable(cpu: VirtualCpu, pointer: number): void {
  loadTables(cpu, "gdt", pointer);
  reloadAll(cpu);
}

/** Stores a table register as the guest has set it. @throws {Raised} */
export function storeTables(cpu: VirtualCpu, which: "gdt" | "idt", pointer: number, user = false): void {
  const { memory, v } = cpu;
  memory.probeWrite(pointer, 6, user);
  memory.write(pointer, which === "gdt" ? v.gdtLimit : v.idtLimit, 2, user);
  memory.write((pointer + 2) >>> 0, which === "gdt" ? v.gdtBase : v.idtBase, 4, user);
}

/** The descriptor of a local table; `undefined`: none is asked for. @throws {Raised} #GP, #NP */
export function checkLocalTable(cpu: VirtualCpu, selector: number): DescriptorWords | undefined {
  const error = selector & 0xfffc;
  if (error === 0) return undefined;
  const d = guestDescriptor(cpu, selector);
  if ((selector & 4) !== 0 || d === undefined) throw protectionFault(error);
  if ((d.high & Desc.segment) !== 0 || ((d.high >>> 8) & 15) !== SystemType.ldt) throw protectionFault(error);
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.np, error);
  return d;
}

/** LLDT. @throws {Raised} #GP, #NP */
export function setLocalTable(cpu: VirtualCpu, selector: number): void {
  const { v } = cpu, d = checkLocalTable(cpu, selector);
  if (d === undefined) {
    v.ldt = 0;
    return loadLdt(cpu);
  }
  v.ldt = selector & 0xffff;
  v.ldtBase = baseOf(d);
  v.ldtLimit = limitOf(d);
  loadLdt(cpu);
}

/**
 * LTR: the task state becomes busy in the guest's table; its stack for ring 0 is where entries from ring 3 go until the
 * guest names another. @throws {Raised} #GP, #NP, #PF
 */
export function setTask(cpu: VirtualCpu, selector: number): void {
  const { v, memory } = cpu, error = selector & 0xfffc;
  const d = error === 0 ? undefined : guestDescriptor(cpu, selector);
  if ((selector & 4) !== 0 || d === undefined) throw protectionFault(error);
  if ((d.high & Desc.segment) !== 0 || ((d.high >>> 8) & 15) !== SystemType.tss32) throw protectionFault(error);
  if ((d.high & Desc.present) === 0) throw new Raised(Vector.np, error);
  memory.write32(guestEntry(cpu, selector) + 4, d.high | BUSY);
  v.tr = selector & 0xffff;
  v.tssBase = baseOf(d);
  v.tssLimit = limitOf(d);
  readKernelStack(cpu);
}

/** The stack for entries from ring 3 as the task state names it; if that is not mapped, UpdateKernelStack will say. */
export function readKernelStack(cpu: VirtualCpu): void {
  const { v, memory } = cpu;
  try {
    v.kernelEsp = memory.read32(v.tssBase + ESP0);
    v.kernelSs = memory.read(v.tssBase + SS0, 2);
  } catch (thrown) {
    if (!(thrown instanceof Raised)) throw thrown;
  }
}

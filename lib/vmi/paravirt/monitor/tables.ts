/**
 * The descriptor tables the processor really uses: copies of the guest's in the monitor's memory, compressed. They are read
 * by physical address, so no page table of the guest's leads there, and segment limits need not be cut.
 *
 * The guest may change its tables in memory without telling; a selector that fails is therefore looked up again in the
 * guest's table ({@linkcode refresh}), and only if nothing has changed the fault is the guest's. Warm.
 *
 * Gates and task states look empty; what leads to one faults and is done by the monitor.
 *
 * Not emulated: accessed bits of the guest's descriptors.
 */
import { compressed, Desc, type DescriptorWords, dplOf, isConforming, isReadable } from "./descriptor.ts";
import { isWritableData, NO_DESCRIPTOR } from "./descriptor.ts";
import { Raised } from "./raised.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

/** Bytes a table may have. */
const TABLE_BYTES = 0x10000;
/** Offsets of the two tables in the monitor's memory of a CPU. */
const GDT_AT = 0;
const LDT_AT = TABLE_BYTES;
/** Bytes that the tables take. */
export const TABLES_BYTES: number = 2 * TABLE_BYTES;

/** A descriptor from the guest's own table, or `undefined` beyond it or where it is not mapped. */
export function guestDescriptor(cpu: VirtualCpu, selector: number): DescriptorWords | undefined {
  const at = guestEntry(cpu, selector);
  if (at < 0) return undefined;
  try {
    return { low: cpu.memory.read32(at) | 0, high: cpu.memory.read32(at + 4) | 0 };
  } catch (thrown) {
    if (thrown instanceof Raised) return undefined;
    throw thrown;
  }
}

/** Linear address of a selector's descriptor in the guest's table, or -1. */
export function guestEntry(cpu: VirtualCpu, selector: number): number {
  const v = cpu.v, offset = selector & 0xfff8;
  const local = (selector & 4) !== 0;
  if (local && v.ldt === 0) return -1;
  if (offset + 7 > (local ? v.ldtLimit : v.gdtLimit)) return -1;
  return ((local ? v.ldtBase : v.gdtBase) + offset) >>> 0;
}

/** The real descriptor of a selector; one that does not exist has no rights. */
export function realDescriptor(cpu: VirtualCpu, selector: number): DescriptorWords {
  if ((selector & 0xfffc) === 0 || guestEntry(cpu, selector) < 0) return NO_DESCRIPTOR;
  refresh(cpu, selector);
  const at = realEntry(cpu, selector);
  return { low: cpu.guest.physical.read32(at), high: cpu.guest.physical.read32(at + 4) };
}

/** Copies a selector's descriptor again. @returns True if it has changed. */
export function refresh(cpu: VirtualCpu, selector: number): boolean {
  const now = guestDescriptor(cpu, selector);
  if (now === undefined) return false;
  return store(cpu, realEntry(cpu, selector), now);
}

/** The guest has loaded its global table: copies it. */
export function loadGdt(cpu: VirtualCpu): void {
  const v = cpu.v;
  copy(cpu, cpu.own.at + GDT_AT, v.gdtBase, v.gdtLimit);
  cpu.guest.setSystemTables({
    gdtBase: cpu.own.at + GDT_AT,
    gdtLimit: v.gdtLimit,
    idtBase: 0,
    idtLimit: 0,
    physical: true,
  });
}

/** The guest has loaded or dropped its local table: copies it. */
export function loadLdt(cpu: VirtualCpu): void {
  const v = cpu.v;
  if (v.ldt === 0) return cpu.guest.setSegment(SegReg.ldtr, 0, 0, 0);
  const limit = Math.min(v.ldtLimit, TABLE_BYTES - 1), at = cpu.own.at + LDT_AT;
  copy(cpu, at, v.ldtBase, limit);
  const low = ((at & 0xffff) << 16) | (limit & 0xffff);
  const high = (at & 0xff000000) | ((at >>> 16) & 0xff) | Desc.present | 0x200 | (limit & 0xf0000);
  cpu.guest.setSegment(SegReg.ldtr, v.ldt, low, high);
}

/** A CPU has written to `at` linear, within a table in use perhaps, on whatever CPU: copies the entry there. */
export function tableWritten(cpu: VirtualCpu, at: number): void {
  for (const one of cpu.peers) if (one.active) entryChanged(one, at);
}

function entryChanged(cpu: VirtualCpu, at: number): void {
  const v = cpu.v;
  const global = at - v.gdtBase, local = at - v.ldtBase;
  if (global >= 0 && global <= v.gdtLimit) refresh(cpu, global & 0xfff8);
  if (v.ldt !== 0 && local >= 0 && local <= v.ldtLimit) refresh(cpu, (local & 0xfff8) | 4);
}

/** Loads ES, DS, FS or GS anew from its selector; one that cannot be loaded becomes null, or stays if it `keeps`. */
export function reloadData(cpu: VirtualCpu, n: number, keeps = false): void {
  const { selector } = cpu.guest.segment(n), d = realDescriptor(cpu, selector);
  const ring = Math.max(cpu.guest.cpl, selector & 3);
  const good = isReadable(d.high) && (d.high & Desc.present) !== 0 && (isConforming(d.high) || ring <= dplOf(d.high));
  if (!good && keeps) return;
  cpu.guest.setSegment(n, good ? selector : selector & 3, good ? d.low : 0, good ? d.high : 0);
}

/** Loads every segment register anew, as after a change of tables; see {@linkcode reloadData}. */
export function reloadAll(cpu: VirtualCpu, keeps = false): void {
  for (const n of [SegReg.es, SegReg.ds, SegReg.fs, SegReg.gs]) reloadData(cpu, n, keeps);
  const { selector } = cpu.guest.segment(SegReg.ss), d = realDescriptor(cpu, selector);
  if (isWritableData(d.high) && dplOf(d.high) === cpu.guest.cpl) {
    cpu.guest.setSegment(SegReg.ss, selector, d.low, d.high);
  }
}

/** Changes ring 0 of a cached segment to ring 1, or back; for those whose descriptor is in no table. */
export function moveCached(cpu: VirtualCpu, n: number, from: number, to: number): void {
  const { selector, base, limit, access } = cpu.guest.segment(n);
  if (access === 0 || dplOf(access) !== from) return;
  const granular = limit > 0xfffff;
  const units = granular ? limit >>> 12 : limit;
  const low = ((base & 0xffff) << 16) | (units & 0xffff);
  const high = (base & 0xff000000) | ((base >>> 16) & 0xff) | (units & 0xf0000) |
    (access & 0x00709f00) | (granular ? Desc.granular : 0) | (to << 13) | Desc.accessed;
  const named = n === SegReg.cs || n === SegReg.ss ? (selector & ~3) | to : selector;
  cpu.guest.setSegment(n, named, low, high);
}

function realEntry(cpu: VirtualCpu, selector: number): number {
  return cpu.own.at + ((selector & 4) !== 0 ? LDT_AT : GDT_AT) + (selector & 0xfff8);
}

/** Entries that are not mapped become empty. */
function copy(cpu: VirtualCpu, to: number, base: number, limit: number): void {
  for (let offset = 0; offset + 7 <= limit; offset += 8) {
    let d = NO_DESCRIPTOR;
    try {
      d = { low: cpu.memory.read32(base + offset) | 0, high: cpu.memory.read32(base + offset + 4) | 0 };
    } catch (thrown) {
      if (!(thrown instanceof Raised)) throw thrown;
    }
    store(cpu, to + offset, d);
  }
}

function store(cpu: VirtualCpu, at: number, guest: DescriptorWords): boolean {
  const words = cpu.guest.physical, d = compressed(guest.low, guest.high);
  if (words.read32(at) === d.low && words.read32(at + 4) === d.high) return false;
  words.write32(at, d.low);
  words.write32(at + 4, d.high);
  return true;
}

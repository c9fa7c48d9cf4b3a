/**
 * CPUID from the model. Source: SDM-2A CPUID. Cold.
 */
import { Msr } from "../../../spec/i386_regs.ts";
import type { Context, SystemFn } from "../context.ts";

/** Leaf 1 EDX: on-chip APIC. */
const APIC = 1 << 9;
/** IA32_APIC_BASE: enabled. */
const APIC_ENABLED = 0x800;
/** Leaf 1 EBX: CLFLUSH line size in units of 8 bytes. */
const CLFLUSH_64 = 8 << 8;
const EXTENDED = 0x80000000;
/** Leaf 1 ECX: there is a hypervisor. */
const HYPERVISOR = 1 << 31;
/** Leaves that belong to it. */
const FOREIGN = 0x40000000;
const FOREIGN_END = 0x50000000;

/** EAX, EBX, ECX, EDX of a leaf as u32. */
export function cpuidLeaf(c: Context, leaf: number): [number, number, number, number] {
  const m = c.model;
  const foreign = c.bus.cpuid?.(leaf >>> 0 >= FOREIGN && leaf >>> 0 < FOREIGN_END ? leaf >>> 0 : FOREIGN);
  if (foreign !== undefined && leaf >>> 0 >= FOREIGN && leaf >>> 0 < FOREIGN_END) return [...foreign];
  const top = m.brand === "" ? EXTENDED + 1 : EXTENDED + 4;
  let n = leaf >>> 0;
  if (n >= EXTENDED ? n > top || m.extendedBits === 0 && m.brand === "" : n > m.maxLeaf) n = m.maxLeaf;
  if (n === 0) return [m.maxLeaf, word(m.vendor, 0), word(m.vendor, 8), word(m.vendor, 4)];
  if (n === 1) {
    const apic = c.bus.readMsr(Msr.apicBase);
    const enabled = apic !== undefined && (apic[0] & APIC_ENABLED) !== 0;
    const flush = m.features.has("clflush") ? CLFLUSH_64 : 0;
    const more = (m.featureBits2 | (foreign === undefined ? 0 : HYPERVISOR)) >>> 0;
    return [m.signature, (c.apicId << 24 | flush) >>> 0, more, (m.featureBits | (enabled ? APIC : 0)) >>> 0];
  }
  if (n === EXTENDED) return [top, 0, 0, 0];
  if (n === EXTENDED + 1) return [0, 0, 0, m.extendedBits >>> 0];
  if (n > EXTENDED + 1) {
    const at = (n - EXTENDED - 2) * 16;
    return [word(m.brand, at), word(m.brand, at + 4), word(m.brand, at + 8), word(m.brand, at + 12)];
  }
  return [0, 0, 0, 0];
}

/** Four characters of a text as a little-endian word; zero behind its end. */
function word(text: string, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (at + i < text.length ? text.charCodeAt(at + i) : 0) << (8 * i);
  return value >>> 0;
}

/** Functions of this chapter. */
export const CPUID: Readonly<Record<string, SystemFn>> = {
  cpuid: (c) => {
    const s = c.state;
    const [a, b, cx, d] = cpuidLeaf(c, s.reg32(0));
    s.setReg32(0, a);
    s.setReg32(3, b);
    s.setReg32(1, cx);
    s.setReg32(2, d);
  },
};

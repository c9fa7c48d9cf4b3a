/**
 * Segment descriptors as they lie in memory: bits, types, fields.
 *
 * A descriptor is two dwords. `low`: limit 15-0, base 15-0. `high`: base 23-16, type, S, DPL, P, limit 19-16, AVL, D/B,
 * G, base 31-24. Gates keep offset 15-0 and a selector in `low`, offset 31-16 and the parameter count in `high`.
 * Sources: SDM-3A 3.4.5, 3.5, 5.8. Warm.
 */

/** Bits of a descriptor's high dword. */
export const Desc = {
  /** Accessed (code and data). */
  accessed: 0x100,
  /** Data: writable. Code: readable. */
  readWrite: 0x200,
  /** Data: expand-down. Code: conforming. */
  direction: 0x400,
  /** Code rather than data. */
  code: 0x800,
  /** Code or data rather than a system segment. */
  segment: 0x1000,
  /** Privilege level. */
  dpl: 0x6000,
  /** Present. */
  present: 0x8000,
  /** D/B: default size of code, size of the stack pointer, upper bound of expand-down data. */
  big: 0x400000,
  /** Limit counts 4 KiB units. */
  granular: 0x800000,
  /** The bits a segment cache keeps. */
  cached: 0x00f0ff00,
} as const;

/** System descriptor types (S = 0). */
export const SystemType = {
  tss16: 1,
  ldt: 2,
  tss16Busy: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tss32: 9,
  tss32Busy: 11,
  callGate32: 12,
  interruptGate32: 14,
  trapGate32: 15,
} as const;

/** Segment base, i32. */
export function descriptorBase(low: number, high: number): number {
  return (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
}

/** Limit in bytes, granularity applied, u32. */
export function descriptorLimit(low: number, high: number): number {
  const units = (low & 0xffff) | (high & 0xf0000);
  return ((high & Desc.granular) !== 0 ? (units << 12) | 0xfff : units) >>> 0;
}

/** DPL, 0-3. */
export function privilege(high: number): number {
  return (high >>> 13) & 3;
}

/** Type of a system descriptor, or -1 for code and data. */
export function systemType(high: number): number {
  return (high & Desc.segment) !== 0 ? -1 : (high >>> 8) & 15;
}

/** True for a code segment. */
export function isCode(high: number): boolean {
  return (high & 0x1800) === 0x1800;
}

/** True for a data segment. */
export function isData(high: number): boolean {
  return (high & 0x1800) === 0x1000;
}

/** True for a code segment that is conforming. */
export function isConforming(high: number): boolean {
  return (high & 0x1c00) === 0x1c00;
}

/** True for a writable data segment. */
export function isWritableData(high: number): boolean {
  return (high & 0x1a00) === 0x1200;
}

/** True for data or readable code. */
export function isReadable(high: number): boolean {
  return (high & Desc.segment) !== 0 && (high & 0xa00) !== 0x800;
}

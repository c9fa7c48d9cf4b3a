/**
 * Segment descriptors as a de-privileging monitor changes them. Ring 0 of the guest becomes ring 1: so does the privilege
 * of its descriptors. System descriptors and gates are left out, for a guest must not load or pass one unseen.
 * Sources: SDM-3A 3.4.5, 5.2. Warm.
 */

/** Bits of a descriptor's high dword. */
export const Desc = {
  accessed: 0x100,
  readWrite: 0x200,
  direction: 0x400,
  code: 0x800,
  segment: 0x1000,
  dpl: 0x6000,
  present: 0x8000,
  big: 0x400000,
  granular: 0x800000,
} as const;

/** Types of system descriptors and gates. */
export const SystemType = {
  ldt: 2,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tss32: 9,
  tss32Busy: 11,
  interruptGate32: 14,
  trapGate32: 15,
} as const;

/** The ring in which the guest's kernel really runs. */
export const KERNEL_RING = 1;

/** A descriptor. */
export interface DescriptorWords {
  /** Low dword, i32. */
  readonly low: number;
  /** High dword, i32. */
  readonly high: number;
}

/** No descriptor. */
export const NO_DESCRIPTOR: DescriptorWords = { low: 0, high: 0 };

/** What the real table holds for a guest's descriptor. */
export function compressed(low: number, high: number): DescriptorWords {
  if ((high & Desc.segment) === 0) return NO_DESCRIPTOR;
  const dpl = (high & Desc.dpl) === 0 ? KERNEL_RING << 13 : 0;
  return { low: low | 0, high: high | dpl | Desc.accessed };
}

/** Privilege level as the guest means it becomes the real one. */
export function realRing(guest: number): number {
  return guest === 0 ? KERNEL_RING : guest;
}

/** Base, u32. */
export function baseOf(d: DescriptorWords): number {
  return ((d.low >>> 16) | ((d.high & 0xff) << 16) | (d.high & 0xff000000)) >>> 0;
}

/** Last byte, u32. */
export function limitOf(d: DescriptorWords): number {
  const units = (d.low & 0xffff) | (d.high & 0xf0000);
  return ((d.high & Desc.granular) !== 0 ? (units << 12) | 0xfff : units) >>> 0;
}

/** Privilege level. */
export function dplOf(high: number): number {
  return (high >>> 13) & 3;
}

/** A code segment? */
export function isCode(high: number): boolean {
  return (high & 0x1800) === 0x1800;
}

/** A conforming code segment? */
export function isConforming(high: number): boolean {
  return (high & 0x1c00) === 0x1c00;
}

/** A writable data segment? */
export function isWritableData(high: number): boolean {
  return (high & 0x1a00) === 0x1200;
}

/** Data or readable code? */
export function isReadable(high: number): boolean {
  return (high & Desc.segment) !== 0 && (high & 0xa00) !== 0x800;
}

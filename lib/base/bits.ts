/**
 * Small arithmetic on 32-bit integers, and the sizes scripts speak in. Pure. Hot where an engine uses it.
 */

/** 1024 bytes. */
export const KiB = 1024;
/** 1024 KiB in bytes. */
export const MiB: number = 1024 * 1024;
/** 1024 MiB in bytes. */
export const GiB: number = 1024 * 1024 * 1024;

/** Sign-extends the low `width` bits (1-32) to i32. */
export function signExtend(value: number, width: number): number {
  return (value << (32 - width)) >> (32 - width);
}

/** Keeps the low `width` bits (1-32), u32. */
export function truncate(value: number, width: number): number {
  return width >= 32 ? value >>> 0 : value & ((1 << width) - 1);
}

/** True if the low byte has an even number of ones (the parity flag). */
export function isEvenParity(value: number): boolean {
  const folded = (value ^ (value >>> 4)) & 0xf;
  return ((0x6996 >>> folded) & 1) === 0;
}

/** Rounds up to a multiple of `unit` (any positive integer; exact to 2^53). */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** Rounds down to a multiple of `unit`. */
export function alignDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}

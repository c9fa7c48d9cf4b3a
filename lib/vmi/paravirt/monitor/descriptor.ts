/**
 * Segment descriptors as a de-privileging monitor changes them. Ring 0 of the guest becomes ring 1: so does the privilege
 * of its descriptors. System descriptors and gates are left out, for a guest must not load or pass one unseen.
 * Sources: SDM-3A 3.4.5, 5.2. Warm.
 */

import { Desc, descriptorBase, descriptorLimit } from "../../../spec/i386_descriptor.ts";

export {
  Desc,
  isCode,
  isConforming,
  isReadable,
  isWritableData,
  privilege as dplOf,
  SystemType,
} from "../../../spec/i386_descriptor.ts";

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
  return descriptorBase(d.low, d.high) >>> 0;
}

/** Last byte, u32. */
export function limitOf(d: DescriptorWords): number {
  return descriptorLimit(d.low, d.high);
}

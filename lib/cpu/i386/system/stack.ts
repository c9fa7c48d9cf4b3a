/**
 * The current stack as system instructions use it: checked reads and pushes that move ESP last. Source: SDM-1 6.2. Warm.
 */
import type { Context } from "../context.ts";
import { checkSegment, SegReg } from "../segment.ts";
import { Layout } from "../state.ts";

/** A moved stack pointer and the bits of ESP it takes. */
export interface StackPointer {
  /** Offset in SS. */
  readonly offset: number;
  /** 0xffff or -1. */
  readonly mask: number;
}

/** The stack pointer moved by `delta` bytes. */
export function stackOffset(c: Context, delta: number): StackPointer {
  const mask = c.state.get(Layout.stackMask);
  return { offset: (c.state.reg32(4) + delta) & mask, mask };
}

/** Moves ESP or SP by `delta` bytes. */
export function moveStack(c: Context, delta: number): void {
  const { offset, mask } = stackOffset(c, delta);
  c.state.setReg32(4, (c.state.reg32(4) & ~mask) | offset);
}

/** Value of 16 or 32 bits at `delta` bytes above the top; 32-bit ones as i32. Faults: #SS(0), #PF. */
export function stackValue(c: Context, size: 16 | 32, delta: number): number {
  const at = checkSegment(c, SegReg.ss, stackOffset(c, delta).offset >>> 0, size >>> 3, false);
  return size === 32 ? c.mem.read32(at) : c.mem.read16(at);
}

/** Value on top of the stack; ESP stays. */
export function popValue(c: Context, size: 16 | 32): number {
  return stackValue(c, size, 0);
}

/** Pushes 16 or 32 bits. Faults: #SS(0), #PF. */
export function pushValue(c: Context, size: 16 | 32, value: number): void {
  const bytes = size >>> 3;
  const at = checkSegment(c, SegReg.ss, stackOffset(c, -bytes).offset >>> 0, bytes, true);
  if (size === 32) c.mem.write32(at, value);
  else c.mem.write16(at, value & 0xffff);
  moveStack(c, -bytes);
}

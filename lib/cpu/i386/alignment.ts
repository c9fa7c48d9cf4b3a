/**
 * Alignment checks (#AC) of operands that are read or written in parts: 8 bytes and the 10 of the x87 want multiples of
 * 8, 16 bytes multiples of 16. Whole ones of 2 and 4 bytes are checked where memory is accessed.
 * Source: SDM-3A 6.15 (#AC, table of alignments). Warm.
 */
import { Flag, Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { type CpuState, Layout } from "./state.ts";

/** Are CR0.AM and EFLAGS.AC set, which are the same bit? Then accesses at privilege level 3 are checked. */
export function checksAlignment(s: CpuState): boolean {
  return (s.get(Layout.cr0) & s.get(Layout.eflags) & Flag.ac) !== 0;
}

/** Raises #AC(0) if the access at a linear address is checked and no multiple of `unit`, a power of two. */
export function checkAlignment(c: Context, linear: number, unit: number): void {
  if ((linear & (unit - 1)) === 0 || c.state.get(Layout.cpl) !== 3 || !checksAlignment(c.state)) return;
  c.raise(Vector.ac, 0);
}

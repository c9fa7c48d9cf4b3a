/**
 * POPF and STI under the rules of privilege. Sources: SDM-2B POPF, STI. Warm.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { readEflags, writeEflags } from "../flags.ts";
import { Layout } from "../state.ts";
import { moveStack, popValue } from "./stack.ts";

/** I/O privilege level, 0-3. */
export function iopl(c: Context): number {
  return (c.state.get(Layout.eflags) >>> 12) & 3;
}

/** #GP(0) unless virtual-8086 code has IOPL 3. */
export function checkV86(c: Context): void {
  if (c.state.isV86 && iopl(c) !== 3) c.raise(Vector.gp, 0);
}

const ALWAYS_FREE = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.tf | Flag.df | Flag.of | Flag.nt;

/** Bits POPF and IRET may change at any privilege. AC came with the 486, ID with CPUID: programs probe them. */
export function freeFlags(c: Pick<Context, "model">): number {
  const { features } = c.model;
  return ALWAYS_FREE | (features.has("486") ? Flag.ac : 0) | (features.has("cpuid") ? Flag.id : 0);
}

function popf(c: Context, op: Op): void {
  checkV86(c);
  const s = c.state, cpl = s.get(Layout.cpl);
  const value = popValue(c, op.opSize);
  let mask = freeFlags(c);
  if (!s.isProtected || cpl === 0) mask |= Flag.iopl;
  if (!s.isProtected || cpl <= iopl(c)) mask |= Flag.if;
  if (op.opSize === 16) mask &= 0xffff;
  moveStack(c, op.opSize >>> 3);
  setFlags(c, value, mask);
}

/**
 * Tells the run loop if something follows from EFLAGS as it is now: a trap, an instruction under RF, or an interrupt that
 * waits and may be taken.
 */
export function flagsChanged(c: Context): void {
  const flags = c.state.get(Layout.eflags);
  if ((flags & (Flag.tf | Flag.rf)) !== 0 || c.interruptDue) c.attention();
}

/** Changes the flags of `mask`; RF is cleared. Tells the run loop if an interrupt may be taken now. */
function setFlags(c: Context, value: number, mask: number): void {
  const s = c.state, old = readEflags(s);
  writeEflags(s, ((old & ~mask) | (value & mask)) & ~Flag.rf);
  if (((old ^ value) & mask & Flag.ac) !== 0) c.modeChanged();
  if ((value & mask & (Flag.if | Flag.tf)) !== 0) flagsChanged(c);
}

function sti(c: Context): void {
  const s = c.state, old = s.get(Layout.eflags);
  if (s.isProtected && (s.isV86 ? iopl(c) !== 3 : s.get(Layout.cpl) > iopl(c))) c.raise(Vector.gp, 0);
  if ((old & Flag.if) !== 0) return;
  s.set(Layout.eflags, old | Flag.if);
  // Interrupts wait for one more instruction. Where none waits now, and none can come before the next instruction
  // because the slice goes on, nobody can see that.
  if (s.get(Layout.count) > 0 && !c.interruptDue) return;
  s.set(Layout.shadow, 1);
  c.attention();
}

/** Functions of this chapter. */
export const FLAGS_IO: Readonly<Record<string, SystemFn>> = { popf, sti };

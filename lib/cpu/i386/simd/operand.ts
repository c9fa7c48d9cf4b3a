/**
 * What all MMX and SSE instructions share: may it run now, where are its operands, how is a result stored.
 *
 * An operand is an index into the state's i32 words: of a register, or of the scratch words a memory operand was read
 * to. So one lane kernel serves register and memory forms.
 * Order of faults: #UD (CR0.EM, CR4.OSFXSR), #NM (CR0.TS), #MF (MMX only), segment, alignment, page.
 * Sources: SDM-3A 11.1, 12.5, 13.1; SDM-2A tables 2-18 and following. Hot.
 */
import { Cr0, Cr4, Vector } from "../../../spec/i386_regs.ts";
import { checkAlignment } from "../alignment.ts";
import type { Context, Op } from "../context.ts";
import { Layout } from "../state.ts";
import { answerError } from "../x87/stack.ts";

/** Index of the scratch words that take memory operands. */
const SCRATCH: number = Layout.fpScratch >>> 2;
/** Index of MXCSR. */
export const MXCSR: number = Layout.mxcsr >>> 2;
/** Bits of MXCSR that exist, denormals-are-zeros included. */
export const MXCSR_MASK = 0xffff;

/** Error summary bit of the x87 status word. */
const FSW_ES = 0x80;

/** Index of the first word of an XMM register. */
export function xmm(n: number): number {
  return (Layout.xmm >>> 2) + (n << 2);
}

/** Index of the first word of an MMX register: the mantissa of the physical x87 register. */
export function mm(n: number): number {
  return (Layout.fpr >>> 2) + (n << 2);
}

/** Raises #UD or #NM unless SSE instructions may run. */
export function enterSse(c: Context): void {
  const cr0 = c.state.get(Layout.cr0);
  if ((cr0 & Cr0.em) !== 0 || (c.state.get(Layout.cr4) & Cr4.osfxsr) === 0) c.raise(Vector.ud);
  if ((cr0 & Cr0.ts) !== 0) c.raise(Vector.nm);
}

/**
 * Raises #UD, #NM or #MF unless MMX instructions may run. False: an x87 error waits with CR0.NE clear and the board has
 * not answered FERR# yet; the instruction must do nothing, it is repeated.
 */
export function enterMmx(c: Context): boolean {
  const cr0 = c.state.get(Layout.cr0);
  if ((cr0 & Cr0.em) !== 0) c.raise(Vector.ud);
  if ((cr0 & Cr0.ts) !== 0) c.raise(Vector.nm);
  return (c.state.get(Layout.fsw) & FSW_ES) === 0 || answerError(c);
}

/** An MMX instruction completes: TOP becomes 0 and all registers are valid. */
export function touchMmx(c: Context): void {
  c.state.set(Layout.ftop, 0);
  c.state.set(Layout.fempty, 0);
}

/** MMX register `n` was written: the x87 view of it has all ones above the mantissa. */
export function wroteMm(c: Context, n: number): void {
  c.state.i32[mm(n) + 2] = 0xffff;
}

/** Linear address of a 16-byte operand that may lie anywhere, unless alignment is checked. Faults: #AC. */
export function anywhere(c: Context, op: Op, write: boolean): number {
  const linear = op.linear(16, write);
  checkAlignment(c, linear, 16);
  return linear;
}

/** Linear address of a 16-byte operand that must be aligned. Faults: #GP(0). */
export function aligned(c: Context, op: Op, write: boolean): number {
  const linear = op.linear(16, write);
  if ((linear & 15) !== 0) c.raise(Vector.gp, 0);
  return linear;
}

/** Reads `words` dwords to the scratch words and returns their index. */
export function fetch(c: Context, linear: number, words: number): number {
  const w = c.state.i32;
  for (let i = 0; i < words; i++) w[SCRATCH + i] = c.mem.read32((linear + (i << 2)) >>> 0);
  return SCRATCH;
}

/** Writes `words` dwords from index `from`; both pages are checked first. */
export function store(c: Context, linear: number, from: number, words: number): void {
  const w = c.state.i32;
  if (words > 1) c.mem.probeWrite(linear, words << 2, c.state.get(Layout.cpl) === 3);
  for (let i = 0; i < words; i++) c.mem.write32((linear + (i << 2)) >>> 0, w[from + i]);
}

/** XMM register or aligned 16 bytes. */
export function source128(c: Context, op: Op): number {
  return op.isMem ? fetch(c, aligned(c, op, false), 4) : xmm(op.rm);
}

/** Low quadword of an XMM register or 8 bytes. */
export function source64(c: Context, op: Op): number {
  return op.isMem ? fetch(c, op.linear(8, false), 2) : xmm(op.rm);
}

/** Low dword of an XMM register or 4 bytes. */
export function source32(c: Context, op: Op): number {
  return op.isMem ? fetch(c, op.linear(4, false), 1) : xmm(op.rm);
}

/** MMX register or 8 bytes. */
export function sourceMm(c: Context, op: Op): number {
  return op.isMem ? fetch(c, op.linear(8, false), 2) : mm(op.rm);
}

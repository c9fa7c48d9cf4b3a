/**
 * The register stack in the state block: where ST(i) lies, tags, push and pop, status word, pending errors.
 *
 * `w` is the i32 view of the state block; a register is a word index into it, so the arithmetic kernels work on the
 * registers in place. Results first go to a scratch register, so that an unmasked exception can leave all as it was.
 * Also what FXSAVE and FXRSTOR need of the x87. Sources: SDM-1 8.1; SDM-2A FXSAVE; SDM-3A 2.5, 9.2. Hot.
 */
import { Cr0, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { Layout, Seg, SEG_BYTES } from "../state.ts";
import { SegReg } from "../segment.ts";
import { Fsw, setIndefinite } from "./float80/format.ts";

/** Word indices of x87 fields in the state block. */
export const FCW: number = Layout.fcw >>> 2;
/** Status word without TOP. */
export const FSW: number = Layout.fsw >>> 2;
/** TOP, 0-7. */
export const FTOP: number = Layout.ftop >>> 2;
/** Bit n: register n is empty. */
const FEMPTY: number = Layout.fempty >>> 2;
/** First register. */
const FPR = Layout.fpr >>> 2;

/** Scratch register for a converted memory operand. */
export const OPERAND: number = Layout.fpScratch >>> 2;
/** Scratch register for a result. */
export const RESULT: number = OPERAND + 4;
/** Scratch register for a second result. */
export const RESULT2: number = OPERAND + 8;

/** Exceptions that leave the destination unchanged when unmasked. */
const BEFORE = Fsw.ie | Fsw.de | Fsw.ze;
/** The exception bits. */
const ALL = 0x3f;

/** Word index of ST(n). */
export function st(w: Int32Array, n: number): number {
  return FPR + (((w[FTOP] + n) & 7) << 2);
}

/** True if ST(n) is empty. */
export function isEmpty(w: Int32Array, n: number): boolean {
  return ((w[FEMPTY] >>> ((w[FTOP] + n) & 7)) & 1) !== 0;
}

/** Tags ST(n) as full. */
export function fill(w: Int32Array, n: number): void {
  w[FEMPTY] &= ~(1 << ((w[FTOP] + n) & 7));
}

/** Tags ST(n) as empty. */
export function free(w: Int32Array, n: number): void {
  w[FEMPTY] |= 1 << ((w[FTOP] + n) & 7);
}

/** Frees ST(0) and raises TOP. */
export function pop(w: Int32Array): void {
  const top = w[FTOP];
  w[FEMPTY] |= 1 << top;
  w[FTOP] = (top + 1) & 7;
}

/** Lowers TOP, tags the new ST(0) full and returns its word index. */
export function push(w: Int32Array): number {
  const top = (w[FTOP] - 1) & 7;
  w[FTOP] = top;
  w[FEMPTY] &= ~(1 << top);
  return FPR + (top << 2);
}

/** Records exceptions and C1; the old C1 goes. */
export function setFlags(w: Int32Array, flags: number): void {
  let status = (w[FSW] & ~Fsw.c1) | flags;
  if ((flags & ~w[FCW] & ALL) !== 0) status |= Fsw.es | Fsw.busy;
  w[FSW] = status;
}

/** Records exceptions and all four condition bits. */
export function setConditions(w: Int32Array, flags: number): void {
  w[FSW] &= ~(Fsw.c0 | Fsw.c1 | Fsw.c2 | Fsw.c3);
  setFlags(w, flags);
}

/** True if the flags of a kernel hold an unmasked exception that leaves the destination unchanged. */
export function isBlocked(w: Int32Array, flags: number): boolean {
  return (flags & ~w[FCW] & BEFORE) !== 0;
}

/** Stack underflow. Returns true if masked: the instruction then gives the default NaN. */
export function underflow(w: Int32Array): boolean {
  setFlags(w, Fsw.ie | Fsw.sf);
  return (w[FCW] & Fsw.ie) !== 0;
}

/**
 * Stack underflow if ST(0), which is at `top`, is empty; if masked it becomes the default NaN.
 * @returns True: it was empty, the instruction is done.
 */
export function isTopEmpty(w: Int32Array, top: number): boolean {
  if (!isEmpty(w, 0)) return false;
  if (underflow(w)) {
    setIndefinite(w, top);
    fill(w, 0);
  }
  return true;
}

/** Stack overflow. If masked pushes the default NaN. */
export function overflow(w: Int32Array): void {
  setFlags(w, Fsw.ie | Fsw.sf | Fsw.c1);
  if ((w[FCW] & Fsw.ie) !== 0) setIndefinite(w, push(w));
}

/** Recomputes the error summary after flags or masks were loaded. */
function updateSummary(w: Int32Array): void {
  const pending = (w[FSW] & ~w[FCW] & ALL) !== 0;
  w[FSW] = (w[FSW] & ~(Fsw.es | Fsw.busy)) | (pending ? Fsw.es | Fsw.busy : 0);
}

/** #NM unless the x87 may be used. Faults: #NM. */
export function available(c: Context): void {
  if ((c.state.i32[Layout.cr0 >>> 2] & (Cr0.em | Cr0.ts)) !== 0) c.raise(Vector.nm);
}

/**
 * Start of a waiting instruction. False: the instruction must not execute now, it is repeated until FERR# is answered.
 * Faults: #NM, #MF.
 */
export function ready(c: Context): boolean {
  available(c);
  return (c.state.i32[FSW] & Fsw.es) === 0 || answerError(c);
}

/** A pending unmasked error at a waiting instruction. Faults: #MF. */
export function answerError(c: Context): boolean {
  const s = c.state;
  if ((s.get(Layout.cr0) & Cr0.ne) !== 0) c.raise(Vector.mf);
  if (c.bus.ferr === undefined || c.bus.ferr()) return true;
  c.nextEip = s.get(Layout.eip) >>> 0;
  c.attention();
  return false;
}

/** An instruction that may take a pending error away: the board then sees FERR# fall. */
export function settles(fn: SystemFn): SystemFn {
  return (c, op) => {
    const pending = (c.state.i32[FSW] & Fsw.es) !== 0;
    fn(c, op);
    if (pending && (c.state.i32[FSW] & Fsw.es) === 0) c.bus.ferrClear?.();
  };
}

/** Records opcode and instruction pointer of a non-control instruction, and the operand pointer if it has one. */
export function note(c: Context, op: Op): void {
  const w = c.state.i32;
  w[Layout.fop >>> 2] = ((op.opcode & 7) << 8) | op.modrm;
  w[Layout.fip >>> 2] = w[Layout.eip >>> 2];
  w[Layout.fcs >>> 2] = selector(w, SegReg.cs);
  if (op.isMem) {
    w[Layout.fdp >>> 2] = op.offset() | 0;
    w[Layout.fds >>> 2] = selector(w, op.seg);
  }
}

function selector(w: Int32Array, seg: number): number {
  return w[(Layout.segs + seg * SEG_BYTES + Seg.selector) >>> 2] & 0xffff;
}

/** Complete status word, u16. */
export function statusWord(w: Int32Array): number {
  return (w[FSW] & 0xc7ff) | (w[FTOP] << 11);
}

/** Sets status word and TOP; the error summary follows from the masks. */
export function setStatusWord(w: Int32Array, value: number): void {
  w[FSW] = value & 0x477f;
  w[FTOP] = (value >>> 11) & 7;
  updateSummary(w);
}

/** Sets the control word; reserved bits read as the hardware has them. */
export function setControlWord(w: Int32Array, value: number): void {
  w[FCW] = (value & 0x1f3f) | 0x40;
  updateSummary(w);
}

/** Full tag word, u16: two bits a physical register, 0 valid, 1 zero, 2 special, 3 empty. */
export function tagWord(w: Int32Array): number {
  let tags = 0;
  for (let n = 7; n >= 0; n--) tags = (tags << 2) | tagOf(w, n);
  return tags;
}

function tagOf(w: Int32Array, n: number): number {
  if (((w[FEMPTY] >>> n) & 1) !== 0) return 3;
  const at = FPR + (n << 2), exp = w[at + 2] & 0x7fff;
  if (exp === 0) return (w[at] | w[at + 1]) === 0 ? 1 : 2;
  return exp === 0x7fff || w[at + 1] >= 0 ? 2 : 0;
}

/** Sets the tags from a full tag word; only empty matters. */
export function setTagWord(w: Int32Array, tags: number): void {
  let empty = 0;
  for (let n = 0; n < 8; n++) if (((tags >>> (2 * n)) & 3) === 3) empty |= 1 << n;
  w[FEMPTY] = empty;
}

/** FINIT state. */
export function initialize(w: Int32Array): void {
  w[FCW] = 0x37f;
  w[FSW] = 0;
  w[FTOP] = 0;
  w[FEMPTY] = 0xff;
  w[Layout.fop >>> 2] = 0;
  w[Layout.fip >>> 2] = 0;
  w[Layout.fcs >>> 2] = 0;
  w[Layout.fdp >>> 2] = 0;
  w[Layout.fds >>> 2] = 0;
}

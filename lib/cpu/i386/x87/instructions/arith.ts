/**
 * FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR with all their operands. Sources: SDM-2A. Hot.
 */
import type { Context, Op, SystemFn } from "../../context.ts";
import { add, sub, subr } from "../float80/add.ts";
import { loadDouble, loadInt32, loadSingle } from "../float80/convert.ts";
import { div, divr } from "../float80/divide.ts";
import { Class, classify, copy, Fsw, setIndefinite } from "../float80/format.ts";
import { mul } from "../float80/multiply.ts";
import {
  FCW,
  fill,
  isBlocked,
  isEmpty,
  isTopEmpty,
  note,
  OPERAND,
  pop,
  ready,
  RESULT,
  setFlags,
  st,
  underflow,
} from "../stack.ts";

/** A kernel: d := a op b; returns status flags. */
export type BinaryKernel = (w: Int32Array, d: number, a: number, b: number, fcw: number) => number;

/** ST(dest) := ST(0) op ST(i), or ST(i) op ST(0) into ST(i); then maybe pops. */
function binary(c: Context, op: Op, kernel: BinaryKernel, toSti: boolean, pops: boolean): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32, i = op.rm, dest = toSti ? i : 0;
  if (isEmpty(w, 0) || isEmpty(w, i)) {
    if (!underflow(w)) return;
    setIndefinite(w, st(w, dest));
  } else {
    const flags = toSti ? kernel(w, RESULT, st(w, i), st(w, 0), w[FCW]) : kernel(w, RESULT, st(w, 0), st(w, i), w[FCW]);
    setFlags(w, flags);
    if (isBlocked(w, flags)) return;
    copy(w, st(w, dest), RESULT);
  }
  fill(w, dest);
  if (pops) pop(w);
}

/** ST(0) := ST(0) op memory; the operand is in its scratch register, `loaded` are the flags of its conversion. */
function withMemory(c: Context, op: Op, kernel: BinaryKernel, loaded: number): void {
  note(c, op);
  const w = c.state.i32, top = st(w, 0);
  if (isTopEmpty(w, top)) return;
  let flags = kernel(w, RESULT, top, OPERAND, w[FCW]);
  if (loaded !== 0) flags = withDenormal(w, top, flags);
  setFlags(w, flags);
  if (isBlocked(w, flags)) return;
  copy(w, top, RESULT);
}

/**
 * Flags of an operation whose memory operand was denormal in its own format: DE, unless a NaN, an invalid operation or
 * a division by zero goes before it; unmasked it hides what would come after.
 */
function withDenormal(w: Int32Array, other: number, flags: number): number {
  const kind = classify(w, other);
  if (kind === Class.nan || kind === Class.unsupported || (flags & (Fsw.ie | Fsw.ze)) !== 0) return flags;
  return (w[FCW] & Fsw.de) === 0 ? Fsw.de : flags | Fsw.de;
}

/** Reads the memory operand into its scratch register; returns DE if it is denormal. Faults: those of memory. */
export const LOAD: Readonly<Record<"m32" | "m64" | "i16" | "i32", (c: Context, op: Op) => number>> = {
  m32: (c, op) => loadSingle(c.state.i32, OPERAND, c.mem.read32(op.linear(4, false))),
  m64: (c, op) => {
    const at = op.linear(8, false), low = c.mem.read32(at);
    return loadDouble(c.state.i32, OPERAND, low, c.mem.read32(at + 4 >>> 0));
  },
  i16: (c, op) => {
    loadInt32(c.state.i32, OPERAND, (c.mem.read16(op.linear(2, false)) << 16) >> 16);
    return 0;
  },
  i32: (c, op) => {
    loadInt32(c.state.i32, OPERAND, c.mem.read32(op.linear(4, false)));
    return 0;
  },
};

function memoryForm(kernel: BinaryKernel, load: (c: Context, op: Op) => number): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    withMemory(c, op, kernel, load(c, op));
  };
}

function forms(name: string, kernel: BinaryKernel): Record<string, SystemFn> {
  return {
    [name]: (c, op) => binary(c, op, kernel, false, false),
    [`${name}_st`]: (c, op) => binary(c, op, kernel, true, false),
    [`${name}p`]: (c, op) => binary(c, op, kernel, true, true),
    [`${name}_m32`]: memoryForm(kernel, LOAD.m32),
    [`${name}_m64`]: memoryForm(kernel, LOAD.m64),
    [`${name}_i16`]: memoryForm(kernel, LOAD.i16),
    [`${name}_i32`]: memoryForm(kernel, LOAD.i32),
  };
}

/** Arithmetic by `sem`. */
export const ARITH_FNS: Readonly<Record<string, SystemFn>> = {
  ...forms("fadd", add),
  ...forms("fsub", sub),
  ...forms("fsubr", subr),
  ...forms("fmul", mul),
  ...forms("fdiv", div),
  ...forms("fdivr", divr),
};

// deno-lint-ignore-file camelcase -- keys are the `sem` names of the opcode table
/**
 * FCOM, FUCOM, FICOM, FCOMI, FUCOMI, FTST, FXAM, FCMOVcc. Sources: SDM-2A; SDM-1 8.3.6. Hot.
 */
import { Flag } from "../../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../../context.ts";
import { arithmetic, setArithmetic } from "../../flags.ts";
import { compare, compareZero, Cond, examine } from "../float80/compare.ts";
import { copy, Fsw, setIndefinite } from "../float80/format.ts";
import {
  fill,
  isBlocked,
  isEmpty,
  note,
  OPERAND,
  pop,
  ready,
  setConditions,
  setFlags,
  st,
  underflow,
} from "../stack.ts";
import { LOAD } from "./arith.ts";

/** Compares ST(0) with ST(i) into the condition bits; pops `pops` times. */
function compareSt(c: Context, op: Op, i: number, quiet: boolean, pops: number): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32;
  const flags = isEmpty(w, 0) || isEmpty(w, i)
    ? Cond.unordered | Fsw.ie | Fsw.sf
    : compare(w, st(w, 0), st(w, i), quiet);
  conclude(w, flags, pops);
}

function compareMemory(c: Context, op: Op, loaded: number, pops: number): void {
  note(c, op);
  const w = c.state.i32;
  let flags: number = Cond.unordered | Fsw.ie | Fsw.sf;
  if (!isEmpty(w, 0)) {
    flags = compare(w, st(w, 0), OPERAND, false);
    if (loaded !== 0 && (flags & Cond.unordered) !== Cond.unordered) flags |= Fsw.de;
  }
  conclude(w, flags, pops);
}

function conclude(w: Int32Array, flags: number, pops: number): void {
  setConditions(w, flags);
  if (isBlocked(w, flags)) return;
  for (let n = 0; n < pops; n++) pop(w);
}

/** Compares ST(0) with ST(i) into EFLAGS. */
function compareFlags(c: Context, op: Op, quiet: boolean, pops: boolean): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32, i = op.rm;
  const all = isEmpty(w, 0) || isEmpty(w, i) ? Cond.unordered | Fsw.ie | Fsw.sf : compare(w, st(w, 0), st(w, i), quiet);
  const flags = all & (0x3f | Fsw.sf);
  setFlags(w, flags);
  setArithmetic(
    c.state,
    ((all & Fsw.c0) !== 0 ? Flag.cf : 0) | ((all & Fsw.c2) !== 0 ? Flag.pf : 0) | ((all & Fsw.c3) !== 0 ? Flag.zf : 0),
  );
  if (pops && !isBlocked(w, flags)) pop(w);
}

function memoryForm(load: (c: Context, op: Op) => number, pops: number): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    compareMemory(c, op, load(c, op), pops);
  };
}

function ftst(c: Context, op: Op): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32;
  setConditions(w, isEmpty(w, 0) ? Cond.unordered | Fsw.ie | Fsw.sf : compareZero(w, st(w, 0)));
}

function fxam(c: Context, op: Op): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32, bits = examine(w, st(w, 0));
  setConditions(w, isEmpty(w, 0) ? (bits & Fsw.c1) | Fsw.c3 | Fsw.c0 : bits);
}

/** FCMOVcc: `mask` are the EFLAGS bits of which one must be set (or none, if `inverted`). */
function conditionalMove(mask: number, inverted: boolean): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    note(c, op);
    const w = c.state.i32;
    if (isEmpty(w, 0) || isEmpty(w, op.rm)) {
      if (!underflow(w)) return;
      setIndefinite(w, st(w, 0));
      fill(w, 0);
      return;
    }
    if (((arithmetic(c.state) & mask) !== 0) !== inverted) copy(w, st(w, 0), st(w, op.rm));
  };
}

/** Comparisons by `sem`. */
export const COMPARE_FNS: Readonly<Record<string, SystemFn>> = {
  fcom: (c, op) => compareSt(c, op, op.rm, false, 0),
  fcomp: (c, op) => compareSt(c, op, op.rm, false, 1),
  fcompp: (c, op) => compareSt(c, op, 1, false, 2),
  fucom: (c, op) => compareSt(c, op, op.rm, true, 0),
  fucomp: (c, op) => compareSt(c, op, op.rm, true, 1),
  fucompp: (c, op) => compareSt(c, op, 1, true, 2),
  fcom_m32: memoryForm(LOAD.m32, 0),
  fcom_m64: memoryForm(LOAD.m64, 0),
  fcom_i16: memoryForm(LOAD.i16, 0),
  fcom_i32: memoryForm(LOAD.i32, 0),
  fcomp_m32: memoryForm(LOAD.m32, 1),
  fcomp_m64: memoryForm(LOAD.m64, 1),
  fcomp_i16: memoryForm(LOAD.i16, 1),
  fcomp_i32: memoryForm(LOAD.i32, 1),
  fcomi: (c, op) => compareFlags(c, op, false, false),
  fcomip: (c, op) => compareFlags(c, op, false, true),
  fucomi: (c, op) => compareFlags(c, op, true, false),
  fucomip: (c, op) => compareFlags(c, op, true, true),
  ftst,
  fxam,
  fcmovb: conditionalMove(Flag.cf, false),
  fcmove: conditionalMove(Flag.zf, false),
  fcmovbe: conditionalMove(Flag.cf | Flag.zf, false),
  fcmovu: conditionalMove(Flag.pf, false),
  fcmovnb: conditionalMove(Flag.cf, true),
  fcmovne: conditionalMove(Flag.zf, true),
  fcmovnbe: conditionalMove(Flag.cf | Flag.zf, true),
  fcmovnu: conditionalMove(Flag.pf, true),
};

// deno-lint-ignore-file camelcase -- keys are the `sem` names of the opcode table
/**
 * Loads, stores, constants and exchange. A store checks all its bytes before it writes the first and pops only after
 * the last, so a page fault leaves everything as it was.
 * Sources: SDM-2A FLD, FST, FILD, FIST, FBLD, FBSTP, FLD1, FXCH, FFREE, FINCSTP; SDM-1 8.3.3. Hot.
 */
import type { Context, Op, SystemFn } from "../../context.ts";
import { Layout } from "../../state.ts";
import {
  loadDecimal,
  loadDouble,
  loadInt32,
  loadInt64,
  loadSingle,
  STORED,
  storeDecimal,
  storeDouble,
  storeInteger,
  storeSingle,
} from "../float80/convert.ts";
import { Class, classify, copy, Fsw, isSignaling, Rc, setIndefinite } from "../float80/format.ts";
import {
  FCW,
  fill,
  free,
  FTOP,
  isBlocked,
  isEmpty,
  note,
  OPERAND,
  overflow,
  pop,
  push,
  ready,
  setFlags,
  st,
  underflow,
} from "../stack.ts";

/** Pushes the scratch operand; `flags` are those of its conversion. */
function pushOperand(c: Context, op: Op, flags: number): void {
  note(c, op);
  const w = c.state.i32;
  if (!isEmpty(w, 7)) {
    overflow(w);
    return;
  }
  setFlags(w, flags);
  // A denormal is pushed even if its exception is not masked: the hardware reports it afterwards.
  if (isBlocked(w, flags & ~Fsw.de)) return;
  copy(w, push(w), OPERAND);
}

/** FLD m32, m64: a signaling NaN is invalid and becomes quiet. */
function pushFloat(c: Context, op: Op, loaded: number): void {
  const w = c.state.i32;
  if (classify(w, OPERAND) === Class.nan && isSignaling(w, OPERAND)) {
    w[OPERAND + 1] |= 0x40000000;
    pushOperand(c, op, Fsw.ie);
  } else pushOperand(c, op, loaded);
}

function fldM32(c: Context, op: Op): void {
  if (!ready(c)) return;
  pushFloat(c, op, loadSingle(c.state.i32, OPERAND, c.mem.read32(op.linear(4, false))));
}

function fldM64(c: Context, op: Op): void {
  if (!ready(c)) return;
  const at = op.linear(8, false), low = c.mem.read32(at);
  pushFloat(c, op, loadDouble(c.state.i32, OPERAND, low, c.mem.read32((at + 4) >>> 0)));
}

function fldM80(c: Context, op: Op): void {
  if (!ready(c)) return;
  const w = c.state.i32, at = op.linear(10, false);
  const low = c.mem.read32(at), high = c.mem.read32((at + 4) >>> 0), top = c.mem.read16((at + 8) >>> 0);
  w[OPERAND] = low;
  w[OPERAND + 1] = high;
  w[OPERAND + 2] = top;
  pushOperand(c, op, 0);
}

function fild16(c: Context, op: Op): void {
  if (!ready(c)) return;
  loadInt32(c.state.i32, OPERAND, (c.mem.read16(op.linear(2, false)) << 16) >> 16);
  pushOperand(c, op, 0);
}

function fild32(c: Context, op: Op): void {
  if (!ready(c)) return;
  loadInt32(c.state.i32, OPERAND, c.mem.read32(op.linear(4, false)));
  pushOperand(c, op, 0);
}

function fild64(c: Context, op: Op): void {
  if (!ready(c)) return;
  const at = op.linear(8, false), low = c.mem.read32(at);
  loadInt64(c.state.i32, OPERAND, low, c.mem.read32((at + 4) >>> 0));
  pushOperand(c, op, 0);
}

function fbld(c: Context, op: Op): void {
  if (!ready(c)) return;
  const at = op.linear(10, false);
  const low = c.mem.read32(at), high = c.mem.read32((at + 4) >>> 0), top = c.mem.read16((at + 8) >>> 0);
  loadDecimal(c.state.i32, OPERAND, low, high, top);
  pushOperand(c, op, 0);
}

function fldSt(c: Context, op: Op): void {
  if (!ready(c)) return;
  const w = c.state.i32;
  if (isEmpty(w, op.rm)) {
    note(c, op);
    if (underflow(w)) setIndefinite(w, push(w));
    return;
  }
  copy(w, OPERAND, st(w, op.rm));
  pushOperand(c, op, 0);
}

/** A constant: mantissa rounded to nearest, sign and exponent, and whether it was rounded up (1), down (-1) or not. */
function constant(high: number, low: number, exp: number, rounded: number): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    const w = c.state.i32, rc = w[FCW] & Rc.mask;
    let mantissa = low;
    if (rounded > 0 && (rc === Rc.down || rc === Rc.zero)) mantissa--;
    if (rounded < 0 && rc === Rc.up) mantissa++;
    w[OPERAND] = mantissa;
    w[OPERAND + 1] = high;
    w[OPERAND + 2] = exp;
    pushOperand(c, op, 0);
  };
}

/** A conversion into {@linkcode STORED}. */
type Store = (w: Int32Array, a: number, fcw: number) => number;

/** Exceptions that keep a store from happening when unmasked. */
const STOPS = Fsw.ie | Fsw.oe | Fsw.ue;

/** Stores ST(0) to memory in `size` bytes. */
function store(c: Context, op: Op, size: number, convert: Store, pops: boolean): void {
  if (!ready(c)) return;
  const w = c.state.i32, at = op.linear(size, true);
  // Also if an exception may keep the store from happening: the fault of the memory comes first.
  if (size > 4 || (w[FCW] & STOPS) !== STOPS) c.mem.probeWrite(at, size, w[Layout.cpl >>> 2] === 3);
  let flags: number = Fsw.ie | Fsw.sf;
  if (isEmpty(w, 0)) {
    setIndefinite(w, OPERAND);
    convert(w, OPERAND, w[FCW] | Fsw.ie);
  } else flags = convert(w, st(w, 0), w[FCW]);
  const stops = (flags & ~w[FCW] & STOPS) !== 0;
  if (!stops) write(c, at, size);
  else flags &= ~(Fsw.pe | Fsw.c1);
  note(c, op);
  setFlags(w, flags);
  if (pops && !stops) pop(w);
}

function write(c: Context, at: number, size: number): void {
  if (size === 2) {
    c.mem.write16(at, STORED[0] & 0xffff);
    return;
  }
  c.mem.write32(at, STORED[0]);
  if (size >= 8) c.mem.write32((at + 4) >>> 0, STORED[1]);
  if (size === 10) c.mem.write16((at + 8) >>> 0, STORED[2] & 0xffff);
}

function storeExtended(w: Int32Array, a: number): number {
  STORED[0] = w[a];
  STORED[1] = w[a + 1];
  STORED[2] = w[a + 2];
  return 0;
}

const storeInt16: Store = (w, a, fcw) => storeInteger(w, a, fcw, 16);
const storeInt32: Store = (w, a, fcw) => storeInteger(w, a, fcw, 32);
const storeInt64: Store = (w, a, fcw) => storeInteger(w, a, fcw, 64);

function storeSt(c: Context, op: Op, pops: boolean): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32;
  if (isEmpty(w, 0)) {
    if (!underflow(w)) return;
    setIndefinite(w, st(w, op.rm));
  } else {
    setFlags(w, 0);
    copy(w, st(w, op.rm), st(w, 0));
  }
  fill(w, op.rm);
  if (pops) pop(w);
}

/** D9 D8: FSTP that with an empty ST(0) raises nothing, stores nothing and pops. */
function fstpnce(c: Context, op: Op): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32;
  setFlags(w, 0);
  if (!isEmpty(w, 0)) {
    copy(w, st(w, op.rm), st(w, 0));
    fill(w, op.rm);
  }
  pop(w);
}

function fxch(c: Context, op: Op): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32, i = op.rm;
  if (isEmpty(w, 0) || isEmpty(w, i)) {
    if (!underflow(w)) return;
    if (isEmpty(w, 0)) setIndefinite(w, st(w, 0));
    if (isEmpty(w, i)) setIndefinite(w, st(w, i));
    fill(w, 0);
    fill(w, i);
  } else setFlags(w, 0);
  copy(w, OPERAND, st(w, 0));
  copy(w, st(w, 0), st(w, i));
  copy(w, st(w, i), OPERAND);
}

function rotate(by: number): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    note(c, op);
    const w = c.state.i32;
    setFlags(w, 0);
    w[FTOP] = (w[FTOP] + by) & 7;
  };
}

function ffree(c: Context, op: Op): void {
  if (!ready(c)) return;
  note(c, op);
  setFlags(c.state.i32, 0);
  free(c.state.i32, op.rm);
}

function ffreep(c: Context, op: Op): void {
  if (!ready(c)) return;
  note(c, op);
  setFlags(c.state.i32, 0);
  free(c.state.i32, op.rm);
  pop(c.state.i32);
}

/** Loads, stores and stack instructions by `sem`. */
export const MOVE_FNS: Readonly<Record<string, SystemFn>> = {
  fld: fldSt,
  fld_m32: fldM32,
  fld_m64: fldM64,
  fld_m80: fldM80,
  fild_i16: fild16,
  fild_i32: fild32,
  fild_i64: fild64,
  fbld,
  fld1: constant(0x80000000 | 0, 0, 0x3fff, 0),
  fldl2t: constant(0xd49a784b | 0, 0xcd1b8afe | 0, 0x4000, -1),
  fldl2e: constant(0xb8aa3b29 | 0, 0x5c17f0bc, 0x3fff, 1),
  fldpi: constant(0xc90fdaa2 | 0, 0x2168c235, 0x4000, 1),
  fldlg2: constant(0x9a209a84 | 0, 0xfbcff799 | 0, 0x3ffd, 1),
  fldln2: constant(0xb17217f7 | 0, 0xd1cf79ac | 0, 0x3ffe, 1),
  fldz: constant(0, 0, 0, 0),
  fst: (c, op) => storeSt(c, op, false),
  fstp: (c, op) => storeSt(c, op, true),
  fstpnce,
  fst_m32: (c, op) => store(c, op, 4, storeSingle, false),
  fstp_m32: (c, op) => store(c, op, 4, storeSingle, true),
  fst_m64: (c, op) => store(c, op, 8, storeDouble, false),
  fstp_m64: (c, op) => store(c, op, 8, storeDouble, true),
  fstp_m80: (c, op) => store(c, op, 10, storeExtended, true),
  fist_i16: (c, op) => store(c, op, 2, storeInt16, false),
  fistp_i16: (c, op) => store(c, op, 2, storeInt16, true),
  fist_i32: (c, op) => store(c, op, 4, storeInt32, false),
  fistp_i32: (c, op) => store(c, op, 4, storeInt32, true),
  fistp_i64: (c, op) => store(c, op, 8, storeInt64, true),
  fbstp: (c, op) => store(c, op, 10, storeDecimal, true),
  fxch,
  fincstp: rotate(1),
  fdecstp: rotate(-1),
  ffree,
  ffreep,
};

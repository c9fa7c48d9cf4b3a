/**
 * Instructions on ST(0) and ST(1) that are not plain arithmetic: sign, square root, rounding, remainder, scaling and
 * the transcendental functions. Sources: SDM-2A; SDM-1 8.3.7-9. Warm.
 */
import type { Context, Op, SystemFn } from "../../context.ts";
import { extract, HAS_QUOTIENT, remainder, roundInt, scale, sqrt } from "../float80/arith_rare.ts";
import { copy, Fsw, setIndefinite, setPower } from "../float80/format.ts";
import { arcTangent, cosine, exp2m1, sine, tangent } from "../float80/trigonometric.ts";
import { yLog2, yLog2p1 } from "../float80/logarithm.ts";
import {
  FCW,
  fill,
  FSW,
  isBlocked,
  isEmpty,
  isTopEmpty,
  note,
  overflow,
  pop,
  push,
  ready,
  RESULT,
  RESULT2,
  setFlags,
  st,
  underflow,
} from "../stack.ts";

/** A kernel of one operand. */
type Unary = (w: Int32Array, d: number, a: number, fcw: number) => number;
/** A kernel of two operands: ST(0) and ST(1). */
type Binary = (w: Int32Array, d: number, a: number, b: number, fcw: number) => number;

function signBit(clear: number, flip: number): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    note(c, op);
    const w = c.state.i32, top = st(w, 0);
    if (isTopEmpty(w, top)) return;
    setFlags(w, 0);
    w[top + 2] = (w[top + 2] & ~clear) ^ flip;
  };
}

function unary(kernel: Unary): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    note(c, op);
    const w = c.state.i32, top = st(w, 0);
    if (isTopEmpty(w, top)) return;
    const flags = kernel(w, RESULT, top, w[FCW]);
    setFlags(w, flags);
    if (!isBlocked(w, flags)) copy(w, top, RESULT);
  };
}

/** ST(0) := kernel(ST(0), ST(1)), or into ST(1) with a pop. */
function binary(kernel: Binary, pops: boolean): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    note(c, op);
    const w = c.state.i32, dest = pops ? 1 : 0;
    if (isEmpty(w, 0) || isEmpty(w, 1)) {
      if (!underflow(w)) return;
      setIndefinite(w, st(w, dest));
    } else {
      const flags = kernel(w, RESULT, st(w, 0), st(w, 1), w[FCW]);
      setFlags(w, flags);
      if (isBlocked(w, flags)) return;
      copy(w, st(w, dest), RESULT);
    }
    fill(w, dest);
    if (pops) pop(w);
  };
}

function partialRemainder(nearest: boolean): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    note(c, op);
    const w = c.state.i32;
    w[FSW] &= ~Fsw.c2;
    if (isEmpty(w, 0) || isEmpty(w, 1)) {
      if (!underflow(w)) return;
      setIndefinite(w, st(w, 0));
      fill(w, 0);
      return;
    }
    const flags = remainder(w, RESULT, st(w, 0), st(w, 1), w[FCW], nearest);
    if ((flags & HAS_QUOTIENT) !== 0) w[FSW] &= ~(Fsw.c0 | Fsw.c3);
    setFlags(w, flags & ~HAS_QUOTIENT);
    if (!isBlocked(w, flags)) copy(w, st(w, 0), RESULT);
  };
}

/** Functions with a second result that is pushed, and those with C2 for an operand out of range. */
function angle(first: Unary, second: Unary | "one" | "none"): SystemFn {
  return (c, op) => {
    if (!ready(c)) return;
    note(c, op);
    const w = c.state.i32, top = st(w, 0);
    w[FSW] &= ~Fsw.c2;
    if (isEmpty(w, 0) || (second !== "none" && !isEmpty(w, 7))) {
      angleStackFault(w, top, second !== "none");
      return;
    }
    let flags = first(w, RESULT, top, w[FCW]);
    if ((flags & Fsw.c2) !== 0) {
      setFlags(w, flags);
      return;
    }
    if (second === "one") {
      if ((flags & Fsw.ie) === 0 && (w[RESULT + 2] & 0x7fff) !== 0x7fff) setPower(w, RESULT2, 0, 0x3fff);
      else copy(w, RESULT2, RESULT);
    } else if (second !== "none") flags |= second(w, RESULT2, top, w[FCW]) & ~Fsw.c1;
    setFlags(w, flags);
    if (isBlocked(w, flags)) return;
    copy(w, top, RESULT);
    if (second !== "none") copy(w, push(w), RESULT2);
  };
}

function angleStackFault(w: Int32Array, top: number, pushes: boolean): void {
  if (!isEmpty(w, 0)) {
    overflow(w);
    if ((w[FCW] & Fsw.ie) !== 0) setIndefinite(w, top);
    return;
  }
  if (!underflow(w)) return;
  setIndefinite(w, top);
  fill(w, 0);
  if (pushes) setIndefinite(w, push(w));
}

function fxtract(c: Context, op: Op): void {
  if (!ready(c)) return;
  note(c, op);
  const w = c.state.i32, top = st(w, 0);
  if (isEmpty(w, 0) || !isEmpty(w, 7)) {
    angleStackFault(w, top, true);
    return;
  }
  const flags = extract(w, RESULT, RESULT2, top, w[FCW]);
  setFlags(w, flags);
  if (isBlocked(w, flags)) return;
  copy(w, top, RESULT2);
  copy(w, push(w), RESULT);
}

/** These instructions by `sem`. */
export const RARE_FNS: Readonly<Record<string, SystemFn>> = {
  fchs: signBit(0, 0x8000),
  fabs: signBit(0x8000, 0),
  fsqrt: unary(sqrt),
  frndint: unary(roundInt),
  fscale: binary(scale, false),
  fprem: partialRemainder(false),
  fprem1: partialRemainder(true),
  fxtract,
  fsin: angle(sine, "none"),
  fcos: angle(cosine, "none"),
  fsincos: angle(sine, cosine),
  fptan: angle(tangent, "one"),
  fpatan: binary(arcTangent, true),
  f2xm1: unary(exp2m1),
  fyl2x: binary(yLog2, true),
  fyl2xp1: binary(yLog2p1, true),
};

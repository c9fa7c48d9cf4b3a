/**
 * Arithmetic of regions on plain numbers (normal or zero) in locals, rounded to nearest with 64 bits: the kernels' parts
 * without what is known. Cold code that makes hot code. Sources: SDM-2A FADD, FMUL, FDIV, FSQRT.
 */
import { BIAS } from "../../x87/float80/format.ts";
import type { Code, Local } from "../../kernels/code.ts";
import { addNormal, divide, multiply, root, type Work } from "../../kernels/x87_numbers.ts";
import {
  exponent,
  isNegative,
  isNormal,
  isZero,
  negated,
  type Num,
  parted,
  type PartedNum,
  roundNearest,
  signOf,
  signsDiffer,
} from "../../kernels/x87_parts.ts";

/** Operations on two numbers. */
export const OPERATIONS = ["add", "sub", "subr", "mul", "div", "divr"] as const;

/** A result. */
export interface Result extends PartedNum {
  /** Mantissa. */
  readonly m: Local;
  /** What was cut off, i64; zero: exact. */
  readonly ext: Local;
  /** C1: the magnitude was rounded up. */
  readonly up: Local;
}

interface Open extends Result, Work {}

/** Goes the slow way unless the number is normal or zero. */
export function checkPlain(k: Code, n: Num): void {
  k.if(k.i("eqz", isNormal(k, n)), () => k.slowIf(k.i("eqz", isZero(k, n))), undefined, "unlikely");
}

function open(k: Code): Open {
  const zero = (type: "i32" | "i64"): Local => k.let(type, type === "i32" ? k.c(0) : k.cl(0n));
  const number = parted(k, zero("i64"), zero("i32"), zero("i32"));
  return { ...number, ext: zero("i64"), up: zero("i32"), fcw: undefined };
}

/** Rounds what is unrounded. */
function close(k: Code, r: Open): void {
  k.set(r.up, roundNearest(k, r));
}

/** Both are plain: both are normal. */
function bothNormal(k: Code, a: Num, b: Num): () => void {
  return k.l("lt_s", k.l("and", a.m, b.m), 0);
}

/** a * b */
export function product(k: Code, a: Num, b: Num): Result {
  const r = open(k);
  k.if(
    bothNormal(k, a, b),
    () => {
      multiply(k, a, b, r);
      close(k, r);
    },
    () => k.set(r.sign, signsDiffer(k, a, b)),
    "likely",
  );
  return r;
}

/** a / b; slow if b is zero. */
export function quotient(k: Code, a: Num, b: Num): Result {
  const r = open(k);
  k.slowIf(k.l("eqz", b.m));
  k.if(
    k.l("ne", a.m, 0),
    () => {
      divide(k, a, b, r);
      close(k, r);
    },
    () => k.set(r.sign, signsDiffer(k, a, b)),
    "likely",
  );
  return r;
}

/** a + b, a - b or b - a */
export function difference(k: Code, x: Num, y: Num, name: "add" | "sub" | "subr"): Result {
  const a = name === "subr" ? negated(k, x) : x, b = name === "sub" ? negated(k, y) : y;
  const r = open(k);
  k.if(
    bothNormal(k, a, b),
    () =>
      k.block((done) => {
        addNormal(k, a, b, r, done);
        close(k, r);
      }),
    () => { // of zeros, or the number that is none
      k.set(r.m, k.l("or", a.m, b.m));
      const first = k.l("eqz", a.m), sa = signOf(k, a), sb = signOf(k, b);
      k.set(r.exp, k.select(first, exponent(k, b), exponent(k, a)));
      k.set(r.sign, k.select(k.l("eqz", r.m), k.i("and", sa, sb), k.select(first, sb, sa)));
    },
    "likely",
  );
  return r;
}

/** The square root of a positive number; slow for others. */
export function squareRoot(k: Code, a: Num): Result {
  const r = open(k);
  k.slowIf(k.i("eqz", k.i("and", k.l("lt_s", a.m, 0), k.i("eqz", isNegative(k, a)))));
  k.set(r.exp, k.i("shr_u", k.i("add", exponent(k, a), BIAS), 1));
  root(k, a, r.m, r.ext);
  close(k, r);
  return r;
}

/**
 * Arithmetic of regions on plain numbers (normal or zero) in locals, rounded to nearest with 64 bits: the kernels' parts
 * without what is known. Cold code that makes hot code. Sources: SDM-2A FADD, FMUL, FDIV, FSQRT.
 */
import { BIAS } from "../../x87/float80/format.ts";
import type { Code, Local } from "../../kernels/code.ts";
import { addNormal, divide, multiply, root, type Work } from "../../kernels/x87_numbers.ts";
import { isNormal, isZero, type Num, roundNearest } from "../../kernels/x87_parts.ts";

/** Operations on two numbers. */
export const OPERATIONS = ["add", "sub", "subr", "mul", "div", "divr"] as const;

/** A result. */
export interface Result extends Num {
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
  return {
    m: zero("i64"),
    se: zero("i32"),
    ext: zero("i64"),
    up: zero("i32"),
    exp: zero("i32"),
    sign: zero("i32"),
    fcw: undefined,
  };
}

/** Rounds what is unrounded, and joins sign and exponent. */
function close(k: Code, r: Open): void {
  k.set(r.up, roundNearest(k, r));
  k.set(r.se, k.i("or", r.sign, r.exp));
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
    () => k.set(r.se, k.i("and", k.i("xor", a.se, b.se), 0x8000)),
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
    () => k.set(r.se, k.i("and", k.i("xor", a.se, b.se), 0x8000)),
    "likely",
  );
  return r;
}

/** a + b, a - b or b - a */
export function difference(k: Code, x: Num, y: Num, name: "add" | "sub" | "subr"): Result {
  const turned = (n: Num): Num => ({ m: n.m, se: k.let("i32", k.i("xor", n.se, 0x8000)) });
  const a = name === "subr" ? turned(x) : x, b = name === "sub" ? turned(y) : y;
  const r = open(k);
  k.if(
    bothNormal(k, a, b),
    () =>
      k.block((done) => {
        addNormal(k, a, b, r, () => {
          k.set(r.se, r.sign);
          done();
        });
        close(k, r);
      }),
    () => { // of zeros, or the number that is none
      k.set(r.m, k.l("or", a.m, b.m));
      const both = k.i("and", a.se, b.se);
      k.set(r.se, k.select(k.l("eqz", r.m), both, k.select(k.l("eqz", a.m), b.se, a.se)));
    },
    "likely",
  );
  return r;
}

/** The square root of a positive number; slow for others. */
export function squareRoot(k: Code, a: Num): Result {
  const r = open(k);
  k.slowIf(k.i("eqz", k.i("and", k.l("lt_s", a.m, 0), k.i("lt_u", a.se, 0x8000))));
  k.set(r.exp, k.i("shr_u", k.i("add", a.se, BIAS), 1));
  root(k, a, r.m, r.ext);
  close(k, r);
  return r;
}

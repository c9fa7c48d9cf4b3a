/**
 * Arithmetic on numbers in locals, before rounding: sums, products, quotients, square roots of normal numbers. Kernels and
 * the JIT are made from it.
 *
 * Products come from four 32-bit multiplications, quotients from two digits of 32 bits, each estimated with the high half
 * of the divisor. Cold code that makes hot code.
 * Sources: SDM-2A FADD, FSUB, FMUL, FDIV, FSQRT; Knuth TAOCP 4.3.1 D.
 */
import { BIAS, Rc } from "../x87/float80/format.ts";
import type { Code, Local, Value } from "./code.ts";
import { exponent, isZero, type Num, type Parts, product, signOf, signsDiffer, TOP_BIT } from "./x87_parts.ts";

/** A result: exact as it stands, or to be rounded. */
export interface Work extends Parts {
  /** Control word; undefined: rounding is to nearest. */
  readonly fcw: Local | undefined;
}

/** Leaves a finished, exact result. */
export type Exact = () => void;

/** A sum with a zero: of two zeros, or the other operand, which may have to be rounded. */
export function addZero(k: Code, a: Num, b: Num, u: Work, done: Exact): void {
  k.if(k.i("and", isZero(k, a), isZero(k, b)), () => {
    const down = negativeZero(k, u);
    const either = k.i("and", k.i("or", a.se, b.se), k.i("or", down, k.i("and", a.se, b.se)));
    k.set(u.sign, k.i("and", either, 0x8000));
    done();
  });
  const first = k.let("i32", isZero(k, b));
  k.set(u.m, k.select(first, a.m, b.m));
  k.set(u.exp, k.select(first, a.se, b.se));
  k.set(u.sign, k.i("and", u.exp, 0x8000));
  k.set(u.exp, k.i("and", u.exp, 0x7fff));
}

/** Sum of normal numbers, unrounded. */
export function addNormal(k: Code, a: Num, b: Num, u: Work, done: Exact): void {
  const { m, ext, exp, sign } = u;
  const shift = k.let("i32", k.i("sub", exponent(k, a), exponent(k, b)));
  const swap = k.let("i32", k.i("lt_s", shift, 0));
  const small = k.let("i64", k.select(swap, a.m, b.m));
  k.set(m, k.select(swap, b.m, a.m));
  k.set(exp, k.select(swap, exponent(k, b), exponent(k, a)));
  k.set(sign, k.select(swap, signOf(k, b), signOf(k, a)));
  k.set(shift, k.select(swap, k.i("sub", k.c(0), shift), shift));
  k.if(k.i("lt_u", shift, 64), () => {
    // A rotation has what is shifted out at its other end.
    const n = k.let("i64", k.l("extend_i32_u", shift));
    k.set(ext, k.l("rotr", small, n));
    k.set(small, k.l("shr_u", small, n));
    k.set(ext, k.l("xor", ext, small));
  }, () => {
    k.set(ext, k.cl(1n));
    k.if(k.i("lt_u", shift, 128), () => {
      const n = k.let("i64", k.l("extend_i32_u", k.i("sub", shift, 64)));
      const lost = k.l("shl", k.l("shl", small, 1), k.l("sub", k.cl(63n), n));
      k.set(ext, k.l("or", k.l("shr_u", small, n), k.l("extend_i32_u", k.l("ne", lost, 0))));
    });
    k.set(small, k.cl(0n));
  }, "likely");
  k.if(signsDiffer(k, a, b), () => {
    subtract(k, u, small);
    cancel(k, u, done);
  }, () => {
    k.set(small, k.l("add", m, small));
    k.if(k.l("lt_u", small, m), () => {
      const low = k.l("or", k.l("shr_u", ext, 1), k.l("and", ext, 1));
      k.set(ext, k.l("or", k.l("shl", small, 63), low));
      k.set(m, k.l("or", k.l("shr_u", small, 1), TOP_BIT));
      k.set(exp, k.i("add", exp, 1));
    }, () => k.set(m, small));
  });
}

/** m:ext := m:0 - small:ext; the smaller magnitude may be the first only where the exponents are equal. */
function subtract(k: Code, u: Work, small: Local): void {
  const { m, ext, sign } = u;
  k.if(k.l("lt_u", m, small), () => {
    k.set(m, k.l("sub", small, m));
    k.set(sign, k.i("xor", sign, 0x8000));
  }, () => {
    k.set(m, k.l("sub", k.l("sub", m, small), k.l("extend_i32_u", k.l("ne", ext, 0))));
    k.set(ext, k.l("sub", k.cl(0n), ext));
  });
}

/** Normalizes after a subtraction; a difference of zero is done. */
function cancel(k: Code, u: Work, done: Exact): void {
  const { m, ext, exp, sign } = u;
  k.if(k.l("ge_s", m, 0), () => {
    k.if(
      k.l("eqz", m),
      () => {
        k.if(k.l("eqz", ext), () => {
          k.set(sign, negativeZero(k, u));
          k.set(exp, 0);
          done();
        });
        k.set(m, ext);
        k.set(ext, k.cl(0n));
        k.set(exp, k.i("sub", exp, 64));
      },
      undefined,
      "unlikely",
    );
    const n = k.let("i64", k.l("clz", m));
    const turned = k.let("i64", k.l("rotl", ext, n));
    k.set(ext, k.l("shl", ext, n));
    k.set(m, k.l("or", k.l("shl", m, n), k.l("xor", turned, ext)));
    k.set(exp, k.i("sub", exp, k.i("wrap_i64", n)));
  });
}

const LOW32 = 0xffffffffn;

/** Product of normal numbers, unrounded. */
export function multiply(k: Code, a: Num, b: Num, u: Parts): void {
  const { m, ext, exp, sign } = u;
  k.set(sign, signsDiffer(k, a, b));
  k.set(exp, k.i("sub", k.i("add", exponent(k, a), exponent(k, b)), BIAS - 1));
  product(k, a.m, b.m, m, ext);
  k.if(k.l("ge_s", m, 0), () => {
    k.set(m, k.l("or", k.l("shl", m, 1), k.l("shr_u", ext, 63)));
    k.set(ext, k.l("shl", ext, 1));
    k.set(exp, k.i("sub", exp, 1));
  });
}

/** Quotient of normal numbers, unrounded. */
export function divide(k: Code, a: Num, b: Num, u: Parts): void {
  const { m, ext, exp, sign } = u;
  k.set(sign, signsDiffer(k, a, b));
  k.set(exp, k.i("add", k.i("sub", exponent(k, a), exponent(k, b)), BIAS));
  const rest = k.let("i64", a.m), next = k.let("i64", k.cl(0n));
  k.if(k.l("ge_u", rest, b.m), () => {
    k.set(next, k.l("shl", k.l("and", rest, 1), 31));
    k.set(rest, k.l("shr_u", rest, 1));
  }, () => k.set(exp, k.i("sub", exp, 1)));
  // 2^33 / divisor, and a little more: an estimate made with it is never too small.
  const inverse = k.let("f64", k.d("div", k.c64(2 ** 32 + 2 ** -17), k.d("convert_i64_s", k.l("shr_u", b.m, 1))));
  const digit = k.let("i64", k.cl(0n));
  quotientDigit(k, rest, next, b.m, inverse, digit);
  k.set(m, k.l("shl", digit, 32));
  quotientDigit(k, rest, undefined, b.m, inverse, digit);
  k.set(m, k.l("add", m, digit));
  // The rest against half of the divisor decides the rounding.
  const other = k.let("i64", k.l("sub", b.m, rest));
  const above = k.l(
    "or",
    k.l("extend_i32_u", k.l("ne", rest, 0)),
    k.l("shl", k.l("extend_i32_u", k.l("ge_u", rest, other)), 63),
  );
  k.set(ext, k.select(k.l("eq", rest, other), k.cl(TOP_BIT), above));
}

/** Half of an unsigned number below 2^64 - 1, not less, as a double to within 2^-53. */
function nearly(k: Code, v: Value): Value {
  return k.d("convert_i64_s", k.l("add", k.l("shr_u", v, 1), k.l("and", v, 1)));
}

/**
 * One digit of rest * 2^32 + next by the divisor; rest becomes the remainder. The estimate is right, or one too large if
 * the fraction of the quotient is above 1 - 2^-16; then the remainder, modulo 2^64, is at least 2^64 - 2^48.
 */
function quotientDigit(
  k: Code,
  rest: Local,
  next: Value | undefined,
  divisor: Value,
  inverse: Local,
  digit: Local,
): void {
  k.set(digit, k.l("trunc_f64_s", k.d("mul", nearly(k, rest), inverse)));
  const before = k.let("i64", rest), shifted = k.l("shl", rest, 32);
  k.set(rest, k.l("sub", next === undefined ? shifted : k.l("or", shifted, next), k.l("mul", digit, divisor)));
  k.if(
    k.l("ge_u", rest, -(1n << 48n)),
    () => {
      const low = k.let("i64", k.l("mul", digit, k.l("and", divisor, LOW32)));
      const high = k.let("i64", k.l("sub", before, k.l("mul", digit, k.l("shr_u", divisor, 32))));
      const over = k.let("i64", k.l("shr_u", low, 32));
      const equal = k.i("and", k.l("eq", high, over), k.l("lt_u", next ?? k.cl(0n), k.l("and", low, LOW32)));
      k.if(k.i("or", k.l("lt_s", high, over), equal), () => {
        k.set(digit, k.l("sub", digit, 1));
        k.set(rest, k.l("add", rest, divisor));
      });
    },
    undefined,
    "unlikely",
  );
}

/** Sign of a zero that is the sum of opposite numbers. */
function negativeZero(k: Code, u: Work): Value {
  return u.fcw === undefined ? k.c(0) : k.i("shl", k.i("eq", k.i("and", u.fcw, Rc.mask), Rc.down), 15);
}

/**
 * m:ext := square root of the mantissa, which stands for a value below 2 (odd biased exponent) or below 4 (even). The
 * integer root of mantissa * 2^63 or 2^64 has 64 bits; what is left over, against the root, decides the rounding.
 */
export function root(k: Code, a: Num, m: Local, ext: Local): void {
  const odd = k.let("i64", k.l("extend_i32_u", k.i("and", exponent(k, a), 1)));
  const high = k.let("i64", k.l("shr_u", a.m, odd));
  const low = k.l("shl", k.l("and", a.m, odd), 63);
  // First digit: floor of the root of the high word; the estimate is off by one at most.
  const s = k.let("i64", k.l("trunc_f64_u", k.d("sqrt", k.d("convert_i64_u", high))));
  k.set(s, k.select(k.l("gt_u", s, LOW32), k.cl(LOW32), s));
  k.set(s, k.l("sub", s, k.l("extend_i32_u", k.l("gt_u", k.l("mul", s, s), high))));
  const rest = k.let("i64", k.l("sub", high, k.l("mul", s, s)));
  k.if(
    k.l("gt_u", rest, k.l("shl", s, 1)),
    () => {
      k.set(s, k.l("add", s, 1));
      k.set(rest, k.l("sub", high, k.l("mul", s, s)));
    },
    undefined,
    "unlikely",
  );
  // Second digit q = (rest * 2^32 + low / 2^32) / 2s, both halved; only the top bit of low may be set.
  const half = k.let("i64", k.l("or", k.l("shl", rest, 31), k.l("shr_u", low, 33)));
  const q = k.let("i64", k.l("div_u", half, s));
  k.slowIf(k.l("gt_u", q, LOW32));
  const r = k.let("i64", k.l("sub", half, k.l("mul", q, s)));
  k.set(m, k.l("or", k.l("shl", s, 32), q));
  // What is left is r * 2^33 - q^2, in two words; if negative the digit is one too large.
  const square = k.let("i64", k.l("mul", q, q));
  const lo = k.let("i64", k.l("shl", r, 33));
  const hi = k.let("i64", k.l("sub", k.l("shr_u", r, 31), k.l("extend_i32_u", k.l("lt_u", lo, square))));
  k.set(lo, k.l("sub", lo, square));
  k.if(k.l("lt_s", hi, 0), () => {
    k.set(m, k.l("sub", m, 1));
    const twice = k.let("i64", k.l("or", k.l("shl", m, 1), 1));
    k.set(lo, k.l("add", lo, twice));
    const carry = k.l("extend_i32_u", k.l("lt_u", lo, twice));
    k.set(hi, k.l("add", k.l("add", hi, k.l("shr_u", m, 63)), carry));
  });
  const above = k.i("or", k.l("gt_s", hi, 0), k.l("gt_u", lo, m));
  const inexact = k.l("extend_i32_u", k.l("ne", k.l("or", hi, lo), 0));
  k.set(ext, k.l("or", k.l("shl", k.l("extend_i32_u", above), 63), inexact));
}

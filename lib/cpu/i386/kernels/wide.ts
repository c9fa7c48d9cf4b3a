/**
 * Fractions of 128 bits in two i64: products and power series for the transcendental kernels.
 *
 * A product is cut, and misses the exact one by less than four units in the last place; callers bound the sum of such
 * errors and leave to TypeScript what they might decide. Cold code that makes hot code. Source: Knuth TAOCP 4.3.1.
 */
import type { Code, Local, Value } from "./code.ts";

/** A fraction below one: hi:lo / 2^128. */
export interface Wide {
  /** Upper half. */
  readonly hi: Local;
  /** Lower half. */
  readonly lo: Local;
}

/** Four 32-bit digits, the lowest first. */
export type Digits = readonly [Value, Value, Value, Value];

const LOW32 = 0xffffffffn;

/** A constant fraction as digits. */
export function constantDigits(k: Code, value: bigint): Digits {
  const digit = (n: bigint): Value => k.cl((value >> (32n * n)) & LOW32);
  return [digit(0n), digit(1n), digit(2n), digit(3n)];
}

/** Digits of a fraction, in locals. */
export function digitsOf(k: Code, a: Wide): Digits {
  const part = (v: Value): Local => k.let("i64", v);
  return [
    part(k.l("and", a.lo, LOW32)),
    part(k.l("shr_u", a.lo, 32)),
    part(k.l("and", a.hi, LOW32)),
    part(k.l("shr_u", a.hi, 32)),
  ];
}

/** Multiplies fractions; holds the locals that all products share. */
export class Multiplier {
  readonly #k: Code;
  readonly #products: Local[];
  readonly #sum: Local;
  readonly #digits: Local[];

  /** @param k Where to emit. */
  constructor(k: Code) {
    this.#k = k;
    const local = (): Local => k.let("i64", k.cl(0n));
    this.#products = [local(), local(), local(), local()];
    this.#sum = local();
    this.#digits = [local(), local(), local(), local()];
  }

  /** to := a * b. */
  multiply(to: Wide, a: Digits, b: Digits): void {
    const k = this.#k, sum = this.#sum;
    k.set(sum, k.cl(0n));
    const column = (n: number): Local[] => {
      const used: Local[] = [];
      for (let i = Math.max(0, n - 3); i <= Math.min(3, n); i++) {
        const p = this.#products[used.length];
        k.set(p, k.l("mul", a[i], b[n - i]));
        used.push(p);
      }
      return used;
    };
    const add = (v: Value): void => k.set(sum, k.l("add", sum, v));
    for (let n = 3; n <= 6; n++) {
      const products = column(n);
      // The low halves belong to this digit, the high halves to the next.
      for (const p of products) add(k.l("and", p, LOW32));
      if (n === 4) k.set(to.lo, k.l("and", sum, LOW32));
      if (n === 5) k.set(to.lo, k.l("or", to.lo, k.l("shl", sum, 32)));
      if (n === 6) k.set(to.hi, k.l("and", sum, LOW32));
      k.set(sum, k.l("shr_u", sum, 32));
      for (const p of products) add(k.l("shr_u", p, 32));
    }
    k.set(to.hi, k.l("or", to.hi, k.l("shl", sum, 32)));
  }

  /** a := a * b, where b is given by digits. */
  scale(a: Wide, b: Digits): void {
    const k = this.#k, [d0, d1, d2, d3] = this.#digits;
    k.set(d0, k.l("and", a.lo, LOW32));
    k.set(d1, k.l("shr_u", a.lo, 32));
    k.set(d2, k.l("and", a.hi, LOW32));
    k.set(d3, k.l("shr_u", a.hi, 32));
    this.multiply(a, [d0, d1, d2, d3], b);
  }

  /** a := c0 ± x (c1 ± x (c2 ± ...)), all terms below one. */
  series(a: Wide, x: Digits, coefficients: readonly bigint[], sign: "add" | "sub"): void {
    const k = this.#k;
    const last = coefficients.at(-1) ?? 0n;
    k.set(a.hi, k.cl(BigInt.asIntN(64, last >> 64n)));
    k.set(a.lo, k.cl(BigInt.asIntN(64, last)));
    for (let n = coefficients.length - 2; n >= 0; n--) {
      this.scale(a, x);
      this.fromConstant(a, coefficients[n], sign);
    }
  }

  /** a := c ± a. */
  fromConstant(a: Wide, c: bigint, sign: "add" | "sub"): void {
    const k = this.#k, hi = k.cl(BigInt.asIntN(64, c >> 64n)), lo = k.cl(BigInt.asIntN(64, c));
    combine(k, a, { hi, lo }, sign);
  }
}

/** a := c ± a. */
export function combine(k: Code, a: Wide, c: { readonly hi: Value; readonly lo: Value }, sign: "add" | "sub"): void {
  if (sign === "add") {
    k.set(a.lo, k.l("add", a.lo, c.lo));
    const carry = k.l("extend_i32_u", k.l("lt_u", a.lo, c.lo));
    k.set(a.hi, k.l("add", k.l("add", a.hi, c.hi), carry));
    return;
  }
  const borrow = k.l("extend_i32_u", k.l("lt_u", c.lo, a.lo));
  k.set(a.hi, k.l("sub", k.l("sub", c.hi, a.hi), borrow));
  k.set(a.lo, k.l("sub", c.lo, a.lo));
}

/** A fraction in new locals, zero. */
export function wide(k: Code): Wide {
  return { hi: k.let("i64", k.cl(0n)), lo: k.let("i64", k.cl(0n)) };
}

/** a := -a modulo one. */
export function negate(k: Code, a: Wide): void {
  combine(k, a, { hi: k.cl(0n), lo: k.cl(0n) }, "sub");
}

/** a := a * 2^n, so that its top bit is set; slow if fewer than 112 bits are left. @returns n, i64. */
export function normalize(k: Code, a: Wide): Local {
  k.slowIf(k.l("eqz", k.l("shr_u", a.hi, 16)));
  const n = k.let("i64", k.l("clz", a.hi));
  const low = k.l("shr_u", k.l("shr_u", a.lo, 1), k.l("sub", k.cl(63n), n));
  k.set(a.hi, k.l("or", k.l("shl", a.hi, n), low));
  k.set(a.lo, k.l("shl", a.lo, n));
  return n;
}

/** 1 / 2d for a fraction d above 1/2, by Newton's method from 53 bits; good to some twenty units in the last place. */
export function halfReciprocal(k: Code, by: Multiplier, d: Wide): Wide {
  const h = wide(k), z = wide(k);
  const near = k.d("div", k.c64(2 ** 63), k.d("mul", k.d("convert_i64_u", d.hi), 2 ** -64));
  k.set(h.hi, k.l("trunc_f64_u", k.d("min", near, 2 ** 64 - 2048)));
  const digits = digitsOf(k, d);
  for (let step = 0; step < 2; step++) {
    // z = d h - 1/2 is small, h becomes h - 2 h z.
    k.set(z.hi, h.hi);
    k.set(z.lo, h.lo);
    by.scale(z, digits);
    k.set(z.hi, k.l("add", z.hi, -(1n << 63n)));
    const negative = k.let("i32", k.l("lt_s", z.hi, 0));
    k.if(negative, () => negate(k, z));
    by.scale(z, digitsOf(k, h));
    k.set(z.hi, k.l("or", k.l("shl", z.hi, 1), k.l("shr_u", z.lo, 63)));
    k.set(z.lo, k.l("shl", z.lo, 1));
    k.if(negative, () => combine(k, z, h, "add"), () => combine(k, z, h, "sub"));
    k.set(h.hi, z.hi);
    k.set(h.lo, z.lo);
  }
  return h;
}

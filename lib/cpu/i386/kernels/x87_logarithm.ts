/**
 * FYL2X as a kernel: y * log2(x) for normal y and positive normal x that is no power of two.
 *
 * The mantissa lies between the roots of 1/2 and 2 once a power is split off; log2 of it is 2 atanh(t) / ln 2 with
 * t = (m - 1) / (m + 1), whose quotient comes from a reciprocal by Newton's method. As with the other transcendental
 * kernels the result is kept only if its error cannot decide the rounding. Cold code that makes hot code.
 * Sources: SDM-2A FYL2X; Knuth TAOCP 4.3.3 (reciprocal).
 */
import { BIAS } from "../x87/float80/format.ts";
import { FB, ln2Fixed } from "../x87/float80/series.ts";
import type { Code, Local } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import { combine, constantDigits, digitsOf, halfReciprocal, Multiplier, type Wide, wide } from "./wide.ts";
import { exponent, type Num, product, TOP_BIT } from "./x87_parts.ts";
import { ofTwo, roundUncertain } from "./x87_transcendental.ts";

/** Bound of the error of the logarithm's fraction in units of 2^-128. */
const ERROR = 1n << 9n;
/** Mantissas above this count as below one. */
const ROOT_2 = BigInt.asIntN(64, 0xb504f333f9de6484n);
/** 2 / ln 2 - 2, times 2^128. */
const FACTOR = (2n << (128n + FB)) / ln2Fixed() - (2n << 128n);

/** Fraction of the logarithm of the mantissa, positive; `below`: it stands for a mantissa below one. */
function fraction(k: Code, a: Num, below: Local): Wide {
  const by = new Multiplier(k);
  // Numerator and denominator times 2^-65.
  const n64 = k.let("i64", k.select(below, k.l("sub", k.cl(0n), a.m), k.l("sub", a.m, TOP_BIT)));
  const one = k.select(below, k.cl(TOP_BIT), k.cl(1n << 62n));
  const d: Wide = {
    hi: k.let("i64", k.l("add", k.l("shr_u", a.m, 1), one)),
    lo: k.let("i64", k.l("shl", a.m, 63)),
  };
  const t: Wide = { hi: k.let("i64", k.l("shr_u", n64, 1)), lo: k.let("i64", k.l("shl", n64, 63)) };
  by.scale(t, digitsOf(k, halfReciprocal(k, by, d)));
  k.set(t.hi, k.l("or", k.l("shl", t.hi, 1), k.l("shr_u", t.lo, 63)));
  k.set(t.lo, k.l("shl", t.lo, 1));
  const digits = digitsOf(k, t), u = wide(k), s = wide(k);
  by.multiply(u, digits, digits);
  const square = digitsOf(k, u);
  by.series(s, square, Array.from({ length: 26 }, (_, i) => (1n << 128n) / BigInt(2 * i + 3)), "add");
  by.scale(s, square);
  by.scale(s, digits);
  combine(k, s, t, "add");
  // Times 2 / ln 2.
  const g = wide(k);
  k.set(g.hi, s.hi);
  k.set(g.lo, s.lo);
  by.scale(g, constantDigits(k, FACTOR));
  combine(k, g, s, "add");
  combine(k, g, s, "add");
  return g;
}

/** FYL2X. */
export const LOGARITHM: Kernel = ofTwo("fyl2x", (k, a, y, fcw) => {
  k.slowIf(k.i("or", k.i("shr_u", a.se, 15), k.l("eq", a.m, TOP_BIT)));
  const below = k.let("i32", k.l("gt_u", a.m, ROOT_2));
  const g = fraction(k, a, below);
  // The logarithm is power + g or, below one, power - g: as a sign, an integer and a fraction.
  const power = k.let("i32", k.i("add", k.i("sub", a.se, BIAS), below));
  k.if(below, () => k.set(power, k.i("sub", k.c(0), power)));
  const sign = k.let("i32", below);
  k.if(k.i("lt_s", power, 0), () => {
    combine(k, g, { hi: k.cl(0n), lo: k.cl(0n) }, "sub");
    k.set(power, k.i("xor", power, -1));
    k.set(sign, k.i("xor", sign, 1));
  });
  const by = k.let("i64", k.cl(0n)), scale = k.let("i32", k.c(0));
  k.if(power, () => {
    const integer = k.let("i64", k.l("extend_i32_u", power));
    const room = k.let("i64", k.l("clz", integer));
    const bits = k.let("i64", k.l("sub", k.cl(64n), room));
    k.set(g.lo, k.l("or", k.l("shl", g.hi, room), k.l("shr_u", g.lo, bits)));
    k.set(g.hi, k.l("or", k.l("shl", integer, room), k.l("shr_u", g.hi, bits)));
    k.set(scale, k.i("wrap_i64", bits));
  }, () => {
    k.slowIf(k.l("eqz", k.l("shr_u", g.hi, 16)));
    k.set(by, k.l("clz", g.hi));
    k.set(g.hi, k.l("or", k.l("shl", g.hi, by), k.l("shr_u", k.l("shr_u", g.lo, 1), k.l("sub", k.cl(63n), by))));
    k.set(g.lo, k.l("shl", g.lo, by));
    k.set(scale, k.i("sub", k.c(0), k.i("wrap_i64", by)));
  });
  const m = k.let("i64", k.cl(0n)), ext = k.let("i64", k.cl(0n)), high = k.let("i64", k.cl(0n));
  product(k, g.lo, y.m, high, ext);
  product(k, g.hi, y.m, m, ext);
  k.set(ext, k.l("add", ext, high));
  k.set(m, k.l("add", m, k.l("extend_i32_u", k.l("lt_u", ext, high))));
  const exp = k.let("i32", k.i("add", exponent(k, y), scale));
  k.if(k.l("ge_s", m, 0), () => {
    k.set(m, k.l("or", k.l("shl", m, 1), k.l("shr_u", ext, 63)));
    k.set(ext, k.l("shl", ext, 1));
    k.set(exp, k.i("sub", exp, 1));
  });
  k.slowIf(k.i("ge_u", k.i("sub", exp, 1), 0x7ffd));
  k.set(sign, k.i("and", k.i("xor", k.i("shl", sign, 15), y.se), 0x8000));
  return roundUncertain(k, m, ext, k.l("shl", k.cl(4n * ERROR), by), exp, sign, fcw);
});

/**
 * FPATAN as a kernel, for normal operands whose exponents are not far apart.
 *
 * With t the smaller magnitude over the larger one and c the nearest eighth, atan t is atan c plus the arc tangent of
 * (t - c) / (1 + t c), a short series. Quotients come from reciprocals. As with the other transcendental kernels the
 * result is kept only if its error cannot decide the rounding. Cold code that makes hot code.
 * Sources: SDM-2A FPATAN; Abramowitz and Stegun 4.4.34 (sum of arc tangents).
 */
import { BIAS } from "../x87/float80/format.ts";
import { FB, inverseTangent, piFixed } from "../x87/float80/series.ts";
import type { Code, Local, Value } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import { combine, digitsOf, halfReciprocal, Multiplier, negate, type Wide, wide } from "./wide.ts";
import { exponent, signOf, TOP_BIT } from "./x87_parts.ts";
import { ofTwo, roundWide } from "./x87_transcendental.ts";

/** Bound of the error in units of 2^-128. */
const ERROR = 1n << 9n;

/** Arc tangents of the eighths below one, times 2^128. */
const eighths = (): bigint[] =>
  Array.from({ length: 8 }, (_, i) => inverseTangent((BigInt(i) << FB) / 8n, -1n) >> (FB - 128n));

/** One of eight constants. */
function choose(k: Code, n: Local, constants: readonly bigint[]): Value {
  return constants.slice(1).reduce<Value>(
    (others, c, i) => k.select(k.l("eq", n, i + 1), k.cl(BigInt.asIntN(64, c)), others),
    k.cl(BigInt.asIntN(64, constants[0])),
  );
}

/** v := v / 2^by, 0 <= by < 64. */
function shiftRight(k: Code, v: Wide, by: Local): void {
  const low = k.l("shl", k.l("shl", v.hi, 1), k.l("sub", k.cl(63n), by));
  k.set(v.lo, k.l("or", k.l("shr_u", v.lo, by), low));
  k.set(v.hi, k.l("shr_u", v.hi, by));
}

/** p / q * 2^-s, below one, for normalized mantissas. */
function quotient(k: Code, by: Multiplier, p: Local, q: Local, s: Local): Wide {
  const t = wide(k);
  k.set(t.hi, p);
  k.if(k.l("ne", q, TOP_BIT), () => {
    const d: Wide = { hi: q, lo: k.let("i64", k.cl(0n)) };
    by.scale(t, digitsOf(k, halfReciprocal(k, by, d)));
  });
  k.if(k.l("eqz", s), () => {
    k.set(t.hi, k.l("or", k.l("shl", t.hi, 1), k.l("shr_u", t.lo, 63)));
    k.set(t.lo, k.l("shl", t.lo, 1));
  }, () => {
    const places = k.let("i64", k.l("sub", s, 1));
    shiftRight(k, t, places);
  });
  return t;
}

/** Arc tangent of a fraction. */
function arcTangent(k: Code, by: Multiplier, t: Wide): Wide {
  const n = k.let("i64", k.l("shr_u", k.l("add", k.l("shr_u", t.hi, 60), 1), 1));
  k.set(n, k.select(k.l("gt_u", n, 7), k.cl(7n), n));
  const z = wide(k), above = k.let("i32", k.c(0)), c = k.let("i64", k.l("shl", n, 61));
  // |t - c|
  k.set(above, k.l("ge_u", t.hi, c));
  k.set(z.hi, k.l("sub", t.hi, c));
  k.set(z.lo, t.lo);
  k.if(k.i("eqz", above), () => negate(k, z));
  k.if(k.l("ne", n, 0), () => {
    // (1 + t c) / 2
    const d = wide(k), none = k.cl(0n);
    by.multiply(d, digitsOf(k, t), [none, none, none, k.l("shl", n, 29)]);
    k.set(d.lo, k.l("or", k.l("shl", d.hi, 63), k.l("shr_u", d.lo, 1)));
    k.set(d.hi, k.l("or", k.l("shr_u", d.hi, 1), TOP_BIT));
    by.scale(z, digitsOf(k, halfReciprocal(k, by, d)));
  });
  const digits = digitsOf(k, z), square = wide(k), v = wide(k);
  by.multiply(square, digits, digits);
  const squared = digitsOf(k, square);
  by.series(v, squared, Array.from({ length: 18 }, (_, i) => (1n << 128n) / BigInt(2 * i + 3)), "sub");
  by.scale(v, squared);
  by.scale(v, digits);
  combine(k, v, z, "sub");
  k.if(k.i("eqz", above), () => negate(k, v));
  const table = eighths();
  const base = {
    hi: k.let("i64", choose(k, n, table.map((one) => one >> 64n))),
    lo: k.let("i64", choose(k, n, table)),
  };
  combine(k, v, base, "add");
  return v;
}

/** FPATAN. */
export const ARC_TANGENT: Kernel = ofTwo("fpatan", (k, x, y, fcw) => {
  const difference = k.let("i32", k.i("sub", exponent(k, y), exponent(k, x)));
  k.slowIf(k.i("gt_u", k.i("add", difference, 40), 80));
  k.slowIf(k.i("and", k.i("eqz", difference), k.l("eq", x.m, y.m)));
  const larger = k.i("and", k.i("eqz", difference), k.l("gt_u", y.m, x.m));
  const steep = k.let("i32", k.i("or", k.i("gt_s", difference, 0), larger));
  const p = k.let("i64", k.select(steep, x.m, y.m)), q = k.let("i64", k.select(steep, y.m, x.m));
  const places = k.select(steep, difference, k.i("sub", k.c(0), difference));
  const s = k.let("i64", k.l("extend_i32_u", places));
  const by = new Multiplier(k);
  const v = arcTangent(k, by, quotient(k, by, p, q, s));
  // From here on in units of 2^-126 where a multiple of pi/2 comes in.
  const exp = k.let("i32", k.c(BIAS - 1)), left = k.let("i32", signOf(k, x));
  k.if(k.i("or", steep, left), () => {
    shiftRight(k, v, k.let("i64", k.cl(2n)));
    k.set(exp, BIAS + 1);
    const pi = piFixed() >> (FB - 126n);
    const constant = (c: bigint): { hi: Value; lo: Value } => ({
      hi: k.cl(BigInt.asIntN(64, c >> 64n)),
      lo: k.cl(BigInt.asIntN(64, c)),
    });
    k.if(steep, () => combine(k, v, constant(pi >> 1n), "sub"));
    k.if(left, () => combine(k, v, constant(pi), "sub"));
  });
  return roundWide(k, v, k.let("i32", signOf(k, y)), fcw, k.cl(ERROR), exp);
});

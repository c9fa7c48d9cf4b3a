/**
 * FSIN, FCOS, FSINCOS, FPTAN and F2XM1 as kernels, for arguments of ordinary size.
 *
 * The result is computed with 128 bits and an error that is known to be below {@linkcode ERROR} units; it is kept only
 * if every value within that error rounds alike. So it is the correctly rounded one, as that of the TypeScript
 * functions. Arguments are reduced exactly, by the 66 bits of pi that Intel documents. Cold code that makes hot code.
 * Sources: SDM-1 8.3.8, 8.3.10; SDM-2A FSIN, FCOS, FPTAN, F2XM1; Ziv 1991 for the rounding test.
 */
import { Layout } from "../state.ts";
import { BIAS, Fsw } from "../x87/float80/format.ts";
import { FB, ln2Fixed } from "../x87/float80/series.ts";
import type { Code, Local, Value } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import { combine, constantDigits, digitsOf, halfReciprocal, Multiplier, normalize, type Wide, wide } from "./wide.ts";
import {
  carried,
  exponent,
  full,
  inexactFlags,
  inexactMasked,
  isNormal,
  type LocalNum,
  type Num,
  pop,
  push,
  pushSlot,
  read,
  ready,
  roundsUp,
  setStatus,
  stack,
  TOP_BIT,
  write,
} from "./x87_parts.ts";

/** Bound of the error in units of 2^-128; a power of two. */
const ERROR = 1n << 7n;

/** Half of pi as the hardware has it, times 2^126. */
const HALF_PI = 0xc90fdaa22168c234cn << 59n;

/** 2^128 / n!, cut. */
function inverseFactorial(n: number): bigint {
  let f = 1n;
  for (let i = 2; i <= n; i++) f *= BigInt(i);
  return (1n << 128n) / f;
}

/** 1/first!, 1/(first + step)!, ... */
const factorials = (first: number, step: number, count: number): bigint[] =>
  Array.from({ length: count }, (_, n) => inverseFactorial(first + n * step));

/** A result: what is written, and PE with C1. */
export interface Rounded {
  /** Mantissa. */
  readonly m: Local;
  /** Sign and biased exponent. */
  readonly se: Local;
  /** Status flags. */
  readonly flags: Local;
}

/** Rounds m:ext * 2^(exp - BIAS - 63), which is not exact; slow if an error of up to `error` in ext might decide. */
export function roundUncertain(
  k: Code,
  m: Local,
  ext: Local,
  error: Value,
  exp: Local,
  sign: Local,
  fcw: Local,
): Rounded {
  const place = k.let("i64", k.l("and", ext, ~TOP_BIT));
  k.slowIf(k.l("le_u", place, error));
  k.slowIf(k.l("ge_u", k.l("add", place, error), TOP_BIT));
  const up = roundsUp(k, fcw, sign, ext, k.l("and", m, 1));
  k.set(m, k.l("add", m, k.l("extend_i32_u", up)));
  carried(k, { m, exp });
  return { m, se: k.let("i32", k.i("or", exp, sign)), flags: k.let("i32", inexactFlags(k, ext, up)) };
}

/**
 * Rounds a fraction that is not exact; slow if its error might decide. `sign` is 0 or 0x8000, `bound` that of the error,
 * `scale` the biased exponent of a fraction from 1/2.
 */
export function roundWide(
  k: Code,
  v: Wide,
  sign: Local,
  fcw: Local,
  bound: Value = k.cl(ERROR),
  scale: Value = k.c(BIAS - 1),
): Rounded {
  const n = normalize(k, v);
  const error = k.let("i64", k.l("shl", bound, n));
  const exp = k.let("i32", k.i("sub", scale, k.i("wrap_i64", n)));
  return roundUncertain(k, v.hi, v.lo, error, exp, sign, fcw);
}

/** A function of two normal numbers x in ST(0) and y in ST(1): its result goes to ST(1), ST(0) is popped. */
export function ofTwo(sem: string, compute: (k: Code, x: LocalNum, y: LocalNum, fcw: Local) => Rounded): Kernel {
  return {
    sem,
    memory: undefined,
    reg: "none",
    src: "none",
    notes: true,
    body: (k) => {
      ready(k);
      const fcw = inexactMasked(k), top = stack(k, 0), second = stack(k, 1);
      full(k, top, second);
      const x = read(k, top), y = read(k, second);
      k.slowIf(k.i("eqz", k.i("and", isNormal(k, x), isNormal(k, y))));
      const result = compute(k, x, y, fcw);
      write(k, second, result.m, result.se);
      setStatus(k, result.flags);
      pop(k, top);
    },
  };
}

/** Argument reduced to |r| <= pi/4: magnitude times 2^128, its sign (0 or 1) and the quadrant. */
interface Reduced {
  readonly r: Wide;
  readonly negative: Local;
  readonly quadrant: Local;
}

function reduce(k: Code, a: Num): Reduced {
  // Between 2^-40 and 2^30; then all bits of the argument are above 2^-126.
  const e = k.let("i32", k.i("sub", exponent(k, a), BIAS));
  k.slowIf(k.i("gt_u", k.i("add", e, 40), 70));
  const e64 = k.let("i64", k.l("extend_i32_s", e));
  const r: Wide = { hi: k.let("i64", k.cl(0n)), lo: k.let("i64", k.cl(0n)) };
  k.if(k.i("gt_s", e, 0), () => k.set(r.hi, k.l("shl", a.m, k.l("sub", e64, 1))), () => {
    k.set(r.hi, k.l("shr_u", a.m, k.l("sub", k.cl(1n), e64)));
    k.set(r.lo, k.l("shl", a.m, k.l("add", e64, 63)));
  });
  const power = k.d("reinterpret_i64", k.l("shl", k.l("add", e64, 1023 - 63), 52));
  const x = k.d("mul", k.d("convert_i64_u", a.m), power);
  const q = k.let("i64", k.l("trunc_f64_s", k.d("nearest", k.d("mul", x, 2 / Math.PI))));
  // r - q * pi/2 modulo 4, in units of 2^-126.
  const high = HALF_PI >> 64n, low = HALF_PI & ((1n << 64n) - 1n);
  const p0 = k.let("i64", k.l("mul", q, low & 0xffffffffn));
  const p1 = k.let("i64", k.l("add", k.l("mul", q, low >> 32n), k.l("shr_u", p0, 32)));
  const subtrahend: Wide = {
    lo: k.let("i64", k.l("or", k.l("shl", p1, 32), k.l("and", p0, 0xffffffffn))),
    hi: k.let("i64", k.l("add", k.l("mul", q, high), k.l("shr_u", p1, 32))),
  };
  combine(k, subtrahend, r, "sub");
  const negative = k.let("i32", k.l("lt_s", subtrahend.hi, 0));
  k.if(negative, () => combine(k, subtrahend, { hi: k.cl(0n), lo: k.cl(0n) }, "sub"));
  k.set(r.hi, k.l("or", k.l("shl", subtrahend.hi, 2), k.l("shr_u", subtrahend.lo, 62)));
  k.set(r.lo, k.l("shl", subtrahend.lo, 2));
  // The argument's sign turns both the remainder and the quadrant.
  const minus = k.let("i32", k.i("shr_u", a.se, 15));
  const turned = k.i("sub", k.i("xor", k.i("wrap_i64", q), k.i("sub", k.c(0), minus)), k.i("sub", k.c(0), minus));
  return {
    r,
    negative: k.let("i32", k.i("xor", negative, minus)),
    quadrant: k.let("i32", k.i("and", turned, 3)),
  };
}

/** v := sine (`which` odd: cosine) of r; both are positive. */
function sineOrCosine(
  k: Code,
  by: Multiplier,
  v: Wide,
  r: Wide,
  square: ReturnType<typeof digitsOf>,
  which: Value,
): void {
  k.if(k.i("and", which, 1), () => {
    by.series(v, square, factorials(2, 2, 17), "sub");
    by.scale(v, square);
    combine(k, v, { hi: k.cl(0n), lo: k.cl(0n) }, "sub"); // one minus that
  }, () => {
    by.series(v, square, factorials(3, 2, 16), "sub");
    by.scale(v, square);
    by.scale(v, digitsOf(k, r));
    combine(k, v, r, "sub");
  });
}

/** Sine (`turn` 0) or cosine (1): the function of the remainder and its sign follow from the quadrant. */
function angleFunction(
  k: Code,
  by: Multiplier,
  x: Reduced,
  square: ReturnType<typeof digitsOf>,
  turn: 0 | 1,
  fcw: Local,
): Rounded {
  const v: Wide = { hi: k.let("i64", k.cl(0n)), lo: k.let("i64", k.cl(0n)) };
  const which = k.let("i32", turn === 0 ? x.quadrant : k.i("add", x.quadrant, 1));
  sineOrCosine(k, by, v, x.r, square, which);
  const odd = k.i("and", x.negative, k.i("eqz", k.i("and", which, 1)));
  const sign = k.let("i32", k.i("shl", k.i("xor", k.i("and", k.i("shr_u", which, 1), 1), odd), 15));
  return roundWide(k, v, sign, fcw);
}

function prepare(k: Code): { top: ReturnType<typeof stack>; a: Num; fcw: Local } {
  ready(k);
  const fcw = inexactMasked(k), top = stack(k, 0);
  full(k, top);
  const a = read(k, top);
  k.slowIf(k.i("eqz", isNormal(k, a)));
  return { top, a, fcw };
}

function clearC2(k: Code): void {
  k.setField(Layout.fsw, k.i("and", k.field(Layout.fsw), ~Fsw.c2));
}

function angle(sem: string, turn: 0 | 1 | "both"): Kernel {
  return {
    sem,
    memory: undefined,
    reg: "none",
    src: "none",
    notes: true,
    body: (k) => {
      const { top, a, fcw } = prepare(k);
      const slot = turn === "both" ? pushSlot(k) : undefined;
      const x = reduce(k, a), by = new Multiplier(k);
      const y: Wide = { hi: k.let("i64", k.cl(0n)), lo: k.let("i64", k.cl(0n)) };
      const digits = digitsOf(k, x.r);
      by.multiply(y, digits, digits);
      const square = digitsOf(k, y);
      const first = angleFunction(k, by, x, square, turn === 1 ? 1 : 0, fcw);
      const second = slot === undefined ? undefined : angleFunction(k, by, x, square, 1, fcw);
      write(k, top, first.m, first.se);
      if (slot !== undefined && second !== undefined) push(k, slot, second.m, second.se);
      clearC2(k);
      setStatus(k, first.flags);
    },
  };
}

/** FPTAN: the quotient of sine and cosine of the remainder, or of cosine and sine; then 1 is pushed. */
const TANGENT: Kernel = {
  sem: "fptan",
  memory: undefined,
  reg: "none",
  src: "none",
  notes: true,
  body: (k) => {
    const { top, a, fcw } = prepare(k);
    const slot = pushSlot(k), x = reduce(k, a), by = new Multiplier(k);
    const digits = digitsOf(k, x.r), y = wide(k), sine = wide(k), cosine = wide(k);
    by.multiply(y, digits, digits);
    const square = digitsOf(k, y), odd = k.let("i32", k.i("and", x.quadrant, 1));
    sineOrCosine(k, by, sine, x.r, square, k.c(0));
    sineOrCosine(k, by, cosine, x.r, square, k.c(1));
    // Numerator in `sine`, denominator in `cosine`, which is made one between 1/2 and 1.
    k.if(odd, () => {
      for (const half of ["hi", "lo"] as const) {
        k.set(y[half], sine[half]);
        k.set(sine[half], cosine[half]);
        k.set(cosine[half], y[half]);
      }
    });
    const n = normalize(k, cosine);
    k.slowIf(k.l("eq", cosine.hi, TOP_BIT));
    by.scale(sine, digitsOf(k, halfReciprocal(k, by, cosine)));
    const sign = k.let("i32", k.i("shl", k.i("xor", x.negative, odd), 15));
    const r = roundWide(k, sine, sign, fcw, k.l("shl", k.cl(4n * ERROR), n), k.i("add", k.c(BIAS), k.i("wrap_i64", n)));
    write(k, top, r.m, r.se);
    push(k, slot, k.cl(TOP_BIT), k.c(BIAS));
    clearC2(k);
    setStatus(k, r.flags);
  },
};

const F2XM1: Kernel = {
  sem: "f2xm1",
  memory: undefined,
  reg: "none",
  src: "none",
  notes: true,
  body: (k) => {
    const { top, a, fcw } = prepare(k);
    // Below one and not tiny.
    const by = new Multiplier(k), shift = k.let("i32", k.i("sub", k.c(BIAS - 1), exponent(k, a)));
    k.slowIf(k.i("gt_u", shift, 39));
    const s64 = k.let("i64", k.l("extend_i32_u", shift));
    const t: Wide = {
      hi: k.let("i64", k.l("shr_u", a.m, s64)),
      lo: k.let("i64", k.l("shl", k.l("shl", a.m, 1), k.l("sub", k.cl(63n), s64))),
    };
    by.scale(t, constantDigits(k, ln2Fixed() >> (FB - 128n)));
    const digits = digitsOf(k, t);
    const v: Wide = { hi: k.let("i64", k.cl(0n)), lo: k.let("i64", k.cl(0n)) };
    const sign = k.let("i32", k.i("and", a.se, 0x8000));
    // e^t - 1 = t + t^2 (1/2 + t/6 + ...), 1 - e^-t = t - t^2 (1/2 - t/6 + ...)
    for (const way of ["add", "sub"] as const) {
      k.if(way === "add" ? k.i("eqz", sign) : sign, () => {
        by.series(v, digits, factorials(2, 1, 32), way);
        by.scale(v, digits);
        by.scale(v, digits);
        combine(k, v, t, way);
      });
    }
    const result = roundWide(k, v, sign, fcw);
    write(k, top, result.m, result.se);
    setStatus(k, result.flags);
  },
};

/** Transcendental kernels of one operand. */
export function transcendentalKernels(): readonly Kernel[] {
  return [
    angle("fsin", 0),
    angle("fcos", 1),
    angle("fsincos", "both"),
    TANGENT,
    F2XM1,
  ];
}

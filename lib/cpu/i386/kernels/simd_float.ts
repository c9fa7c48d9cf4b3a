/**
 * ADD SUB MUL DIV SQRT MIN MAX CMP COMI of SSE and SSE2, packed and scalar, as kernels.
 *
 * Operands are normal numbers or zeros under rounding to nearest, results too and well above underflow; so inexact is
 * the only exception there can be. Once its flag is set nothing need be known of it; before that an error-free
 * transformation tells, within the bounds where that works. Cold code that makes hot code.
 * Sources: SDM-2 ADDPS and siblings; SDM-1 11.5; Dekker 1971 and Knuth TAOCP 4.2.2 for the transformations.
 */
import { Exc } from "../simd/env.ts";
import type { Code, Local, Value } from "./code.ts";
import { FLAGS_SET, type Kernel } from "./kernel.ts";
import {
  DOUBLES,
  type Format,
  inexactMasked,
  loadLanes,
  plain,
  recordInexact,
  SINGLES,
  storeLanes,
  within,
  zeros,
} from "./simd_format.ts";
import { bothForms, enterSse } from "./simd_parts.ts";

const OPERATIONS = ["add", "sub", "mul", "div", "sqrt"] as const;
type Operation = typeof OPERATIONS[number];

/** Names of the four forms. */
const FORMS: readonly (readonly [suffix: string, format: Format, scalar: boolean])[] = [
  ["ps", SINGLES, false],
  ["ss", SINGLES, true],
  ["pd", DOUBLES, false],
  ["sd.xmm", DOUBLES, true],
];

/** All forms of one stem: the body works on the registers or memory. */
function forms(stem: string, body: (f: Format, scalar: boolean) => (k: Code) => void): Kernel[] {
  return FORMS.flatMap(([suffix, f, scalar]) =>
    bothForms(stem + suffix, "xmmReg", "xmmRm", scalar ? f.size : 16, "read", body(f, scalar), scalar ? 1 : 16)
  );
}

function arithmetic(op: Operation): (f: Format, scalar: boolean) => (k: Code) => void {
  return (f, scalar) =>
    scalar ? (k) => scalarArithmetic(k, op, f) : (k) => {
      enterSse(k);
      const mxcsr = inexactMasked(k);
      const b = loadLanes(k, f, k.src, false), a = op === "sqrt" ? b : loadLanes(k, f, k.reg, false);
      k.slowIf(k.i("eqz", plain(k, f, b)));
      if (op !== "sqrt") k.slowIf(k.i("eqz", plain(k, f, a)));
      const r = k.let("v128", op === "sqrt" ? k.v(`${f.shape}.sqrt`, b) : k.v(`${f.shape}.${op}`, a, b));
      checkResult(k, f, op, a, b, r);
      k.if(k.i("eqz", k.i("and", mxcsr, Exc.pe)), () => noteInexact(k, f, op, mxcsr, a, b, r), undefined, "unlikely");
      storeLanes(k, f, k.reg, r, false);
    };
}

/** Records whether the result was rounded; slow where that cannot be told. */
function noteInexact(k: Code, f: Format, op: Operation, mxcsr: Local, a: Local, b: Local, r: Local): void {
  for (const v of op === "sqrt" ? [b, r] : [a, b, r]) k.slowIf(k.i("eqz", plain(k, f, v, ...f.safe)));
  recordInexact(k, mxcsr, isInexact(k, f, op, a, b, r));
}

/** One lane: the same on scalars, with vectors only while the inexact flag is clear. */
function scalarArithmetic(k: Code, op: Operation, f: Format): void {
  enterSse(k);
  const mxcsr = inexactMasked(k), type = f.size === 8 ? "f64" : "f32";
  const load = (at: Value): Local => k.let(type, k.load(`${type}.load`, at));
  const b = load(k.src), a = op === "sqrt" ? b : load(k.reg);
  const isZero = (v: Local): Value =>
    f.size === 8 ? k.d("eq", v, 0) : k.i("eqz", k.i("shl", k.i("reinterpret_f32", v), 1));
  k.if(k.i("eqz", hasExponent(k, f, b, 1)), () => k.slowIf(k.i("eqz", isZero(b))), undefined, "unlikely");
  if (op !== "sqrt") {
    k.if(k.i("eqz", hasExponent(k, f, a, 1)), () => k.slowIf(k.i("eqz", isZero(a))), undefined, "unlikely");
  }
  const operands = op === "sqrt" ? [b] : [a, b];
  const r = k.let(type, f.size === 8 ? k.d(op, ...operands) : k.s(op, ...operands));
  k.if(
    k.i("eqz", hasExponent(k, f, r, 2)),
    () => {
      let zero = isZero(r);
      if (op === "mul") zero = k.i("and", zero, k.i("or", isZero(a), isZero(b)));
      if (op === "div") zero = k.i("and", zero, isZero(a));
      k.slowIf(k.i("eqz", zero));
    },
    undefined,
    "unlikely",
  );
  k.if(
    k.i("eqz", k.i("and", mxcsr, Exc.pe)),
    () => {
      const y = loadLanes(k, f, k.src, true), x = op === "sqrt" ? y : loadLanes(k, f, k.reg, true);
      const v = k.let("v128", op === "sqrt" ? k.v(`${f.shape}.sqrt`, y) : k.v(`${f.shape}.${op}`, x, y));
      noteInexact(k, f, op, mxcsr, x, y, v);
    },
    undefined,
    "unlikely",
  );
  k.store(`${type}.store`, k.reg, r);
}

/** True if the biased exponent is at least `least` and not that of infinities and NaNs. */
function hasExponent(k: Code, f: Format, v: Local, least: number): Value {
  if (f.size === 8) {
    const one = 1n << 53n, twice = k.l("shl", k.l("reinterpret_f64", v), 1);
    return k.l("lt_u", k.l("sub", twice, BigInt(least) * one), BigInt(0x7ff - least) * one);
  }
  const one = 1 << 24, twice = k.i("shl", k.i("reinterpret_f32", v), 1);
  return k.i("lt_u", k.i("sub", twice, least * one), ((0xff - least) * one) | 0);
}

/** Slow if a result is an infinity, a NaN, near underflow, or a zero that is not exact. */
function checkResult(k: Code, f: Format, op: Operation, a: Local, b: Local, r: Local): void {
  const good = k.let("v128", within(k, f, r, 2 * f.least, Infinity));
  k.if(
    k.i("eqz", k.v(`${f.bits}.all_true`, good)),
    () => {
      let zero = zeros(k, f, r);
      if (op === "mul") zero = k.v("v128.and", zero, k.v("v128.or", zeros(k, f, a), zeros(k, f, b)));
      if (op === "div") zero = k.v("v128.and", zero, zeros(k, f, a));
      k.slowIf(k.i("eqz", k.v(`${f.bits}.all_true`, k.v("v128.or", good, zero))));
    },
    undefined,
    "unlikely",
  );
}

/** 1 if some lane was rounded. */
function isInexact(k: Code, f: Format, op: Operation, a: Local, b: Local, r: Local): Value {
  const differs = (x: Value, y: Value): Value => k.v(`${f.shape}.ne`, x, y);
  const nothing = k.v128(0, 0, 0, 0);
  switch (op) {
    case "add":
      return k.v("v128.any_true", differs(sumError(k, f, a, b, r), nothing));
    case "sub":
      return k.v("v128.any_true", differs(sumError(k, f, a, k.let("v128", k.v(`${f.shape}.neg`, b)), r), nothing));
    case "mul":
      return k.v("v128.any_true", differs(productError(k, f, a, b, r), nothing));
    default: {
      const factor = op === "div" ? b : r;
      const p = k.let("v128", k.v(`${f.shape}.mul`, r, factor));
      const error = differs(productError(k, f, r, factor, p), nothing);
      return k.v("v128.any_true", k.v("v128.or", differs(p, a), error));
    }
  }
}

/** Exact error of `s = x + y`. */
function sumError(k: Code, f: Format, x: Local, y: Local, s: Local): Value {
  const sub = (p: Value, q: Value): Value => k.v(`${f.shape}.sub`, p, q);
  const part = k.let("v128", sub(s, x));
  return k.v(`${f.shape}.add`, sub(x, sub(s, part)), sub(y, part));
}

/** Exact error of `p = x * y`. */
function productError(k: Code, f: Format, x: Local, y: Local, p: Local): Value {
  const sub = (u: Value, v: Value): Value => k.v(`${f.shape}.sub`, u, v);
  const add = (u: Value, v: Value): Value => k.v(`${f.shape}.add`, u, v);
  const mul = (u: Value, v: Value): Value => k.v(`${f.shape}.mul`, u, v);
  const halves = (v: Local): readonly [Local, Local] => {
    const big = k.let("v128", mul(f.splat(k, f.split), v));
    const high = k.let("v128", sub(big, sub(big, v)));
    return [high, k.let("v128", sub(v, high))];
  };
  const [xh, xl] = halves(x), [yh, yl] = halves(y);
  const sum = add(add(sub(mul(xh, yh), p), mul(xh, yl)), mul(xl, yh));
  return add(sum, mul(xl, yl));
}

/** Slow if there is a NaN or a denormal; infinities are ordered like numbers. */
function ordered(k: Code, f: Format, ...values: Local[]): void {
  for (const v of values) {
    const infinite = k.v(`${f.shape}.eq`, k.v(`${f.shape}.abs`, v), f.splat(k, Infinity));
    const good = k.v("v128.or", within(k, f, v, f.least, Infinity), k.v("v128.or", zeros(k, f, v), infinite));
    k.slowIf(k.i("eqz", k.v(`${f.bits}.all_true`, good)));
  }
}

/** MIN and MAX: the second operand where both are equal. */
function extreme(name: "pmin" | "pmax"): (f: Format, scalar: boolean) => (k: Code) => void {
  return (f, scalar) => (k) => {
    enterSse(k);
    const a = loadLanes(k, f, k.reg, scalar), b = loadLanes(k, f, k.src, scalar);
    ordered(k, f, a, b);
    storeLanes(k, f, k.reg, k.v(`${f.shape}.${name}`, b, a), scalar);
  };
}

/** CMP: equal, less, less or equal, unordered by the low two bits of the immediate, the opposite with bit 2. */
function compare(f: Format, scalar: boolean): (k: Code) => void {
  return (k) => {
    enterSse(k);
    const a = loadLanes(k, f, k.reg, scalar), b = loadLanes(k, f, k.src, scalar);
    ordered(k, f, a, b);
    const all = (bit: Value): Value => k.v("i32x4.splat", k.i("sub", k.c(0), bit));
    const low = k.i("and", k.imm, 1), high = k.i("and", k.i("shr_u", k.imm, 1), 1);
    const equal = k.v("v128.and", k.v(`${f.shape}.eq`, a, b), all(k.i("eqz", low)));
    const less = k.v("v128.and", k.v(`${f.shape}.lt`, a, b), all(k.i("xor", low, high)));
    const inverted = all(k.i("and", k.i("shr_u", k.imm, 2), 1));
    storeLanes(k, f, k.reg, k.v("v128.xor", k.v("v128.or", equal, less), inverted), scalar);
  };
}

/** COMI and UCOMI differ in quiet NaNs only. */
function toFlags(sem: string, f: Format): Kernel[] {
  const kernels = bothForms(sem, "xmmReg", "xmmRm", f.size, "read", (k) => {
    enterSse(k);
    const a = loadLanes(k, f, k.reg, true), b = loadLanes(k, f, k.src, true);
    ordered(k, f, a, b);
    const bit = (name: "lt" | "eq"): Value =>
      k.i("and", k.lane("i32x4.extract_lane", 0, k.v(`${f.shape}.${name}`, a, b)), name === "lt" ? 1 : 0x40);
    k.answer(k.i("or", k.i("or", bit("lt"), bit("eq")), FLAGS_SET));
  });
  return kernels.map((kernel) => ({ ...kernel, answers: true }));
}

/** Arithmetic and comparisons. */
export function floatKernels(): readonly Kernel[] {
  return [
    ...OPERATIONS.flatMap((op) => forms(op, arithmetic(op))),
    ...forms("min", extreme("pmin")),
    ...forms("max", extreme("pmax")),
    ...forms("cmp", compare),
    ...toFlags("ucomiss", SINGLES),
    ...toFlags("ucomisd", DOUBLES),
    ...toFlags("comiss", SINGLES),
    ...toFlags("comisd", DOUBLES),
  ];
}

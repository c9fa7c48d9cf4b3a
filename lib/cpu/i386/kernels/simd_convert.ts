/**
 * Conversions between integers, singles and doubles of SSE and SSE2 as kernels, MXCSR, fences. Values that do not fit,
 * denormals, NaNs and infinities are left to TypeScript. Cold code that makes hot code.
 * Sources: SDM-2 CVTDQ2PD to CVTTSS2SI, LDMXCSR, STMXCSR.
 */
import { Layout } from "../state.ts";
import type { Code, Local, Value } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import { DOUBLES, inexactMasked, plain, recordInexact, SINGLES } from "./simd_format.ts";
import { bothForms, enterSse, memoryForm, registerForm } from "./simd_parts.ts";

const TWO31 = 2 ** 31;

/** Slow unless least <= |x| < limit or x is zero; a double. */
function range(k: Code, x: Local, least: number, limit: number): void {
  const size = k.d("abs", x);
  const inside = k.i("and", k.d("ge", size, least), k.d("lt", size, limit));
  k.slowIf(k.i("eqz", k.i("or", inside, k.d("eq", x, 0))));
}

/** A scalar in memory as a double. */
function scalar(k: Code, size: 4 | 8): Local {
  return k.let("f64", size === 8 ? k.load("f64.load", k.src) : k.d("promote_f32", k.load("f32.load", k.src)));
}

const LEAST = { 4: SINGLES.least, 8: DOUBLES.least } as const;

/** CVT(T)SS2SI, CVT(T)SD2SI. */
function toRegister(sem: string, size: 4 | 8, truncates: boolean): Kernel[] {
  return bothForms(sem, "gprReg", "xmmRm", size, "read", (k) => {
    enterSse(k);
    const mxcsr = inexactMasked(k, !truncates);
    const x = scalar(k, size);
    range(k, x, LEAST[size], TWO31 - 1);
    const whole = k.let("f64", k.d(truncates ? "trunc" : "nearest", x));
    recordInexact(k, mxcsr, k.d("ne", whole, x));
    k.store("i32.store", k.reg, k.i("trunc_f64_s", whole));
  });
}

function scalarKernels(): readonly Kernel[] {
  return [
    ...bothForms("cvtsi2sd", "xmmReg", "gprRm", 4, "read", (k) => {
      enterSse(k);
      k.store("f64.store", k.reg, k.d("convert_i32_s", k.load("i32.load", k.src)));
    }),
    ...bothForms("cvtsi2ss", "xmmReg", "gprRm", 4, "read", (k) => {
      enterSse(k);
      const mxcsr = inexactMasked(k);
      const x = k.let("f64", k.d("convert_i32_s", k.load("i32.load", k.src)));
      const r = k.let("f32", k.s("demote_f64", x));
      recordInexact(k, mxcsr, k.d("ne", k.d("promote_f32", r), x));
      k.store("f32.store", k.reg, r);
    }),
    ...bothForms("cvtss2sd", "xmmReg", "xmmRm", 4, "read", (k) => {
      enterSse(k);
      const x = scalar(k, 4);
      range(k, x, SINGLES.least, Infinity);
      k.store("f64.store", k.reg, x);
    }),
    ...bothForms("cvtsd2ss", "xmmReg", "xmmRm", 8, "read", (k) => {
      enterSse(k);
      const mxcsr = inexactMasked(k);
      const x = scalar(k, 8);
      range(k, x, 2 * SINGLES.least, 2 ** 127);
      const r = k.let("f32", k.s("demote_f64", x));
      recordInexact(k, mxcsr, k.d("ne", k.d("promote_f32", r), x));
      k.store("f32.store", k.reg, r);
    }),
    ...toRegister("cvtss2si", 4, false),
    ...toRegister("cvttss2si", 4, true),
    ...toRegister("cvtsd2si", 8, false),
    ...toRegister("cvttsd2si", 8, true),
  ];
}

/** Packed conversion of 8 or 16 bytes. */
function packed(sem: string, size: 8 | 16, body: (k: Code, v: Local) => Value): Kernel[] {
  return bothForms(sem, "xmmReg", "xmmRm", size, "read", (k) => {
    enterSse(k);
    const v = k.let("v128", k.loadV(size === 8 ? "v128.load64_zero" : "v128.load", k.src));
    k.storeV(k.reg, body(k, v));
  }, size === 16 ? 16 : 1);
}

/** To dwords: rounded to nearest or cut. */
function toDwords(sem: string, f: typeof DOUBLES | typeof SINGLES, truncates: boolean): Kernel[] {
  return packed(sem, 16, (k, v) => {
    const mxcsr = inexactMasked(k, !truncates);
    k.slowIf(k.i("eqz", plain(k, f, v, f.least, f.size === 8 ? TWO31 - 1 : TWO31)));
    const whole = k.let("v128", k.v(`${f.shape}.${truncates ? "trunc" : "nearest"}`, v));
    recordInexact(k, mxcsr, k.v("v128.any_true", k.v(`${f.shape}.ne`, whole, v)));
    return k.v(f.size === 8 ? "i32x4.trunc_sat_f64x2_s_zero" : "i32x4.trunc_sat_f32x4_s", whole);
  });
}

function packedKernels(): readonly Kernel[] {
  return [
    ...packed("cvtdq2pd", 8, (k, v) => k.v("f64x2.convert_low_i32x4_s", v)),
    ...packed("cvtdq2ps", 16, (k, v) => {
      const mxcsr = inexactMasked(k);
      const r = k.let("v128", k.v("f32x4.convert_i32x4_s", v));
      // 2^31, the one result that does not come back, is always rounded.
      const back = k.v("i32x4.ne", k.v("i32x4.trunc_sat_f32x4_s", r), v);
      const past = k.v("f32x4.eq", r, SINGLES.splat(k, TWO31));
      recordInexact(k, mxcsr, k.v("v128.any_true", k.v("v128.or", back, past)));
      return r;
    }),
    ...packed("cvtps2pd", 8, (k, v) => {
      k.slowIf(k.i("eqz", plain(k, SINGLES, v)));
      return k.v("f64x2.promote_low_f32x4", v);
    }),
    ...packed("cvtpd2ps", 16, (k, v) => {
      const mxcsr = inexactMasked(k);
      k.slowIf(k.i("eqz", plain(k, DOUBLES, v, 2 * SINGLES.least, 2 ** 127)));
      const r = k.let("v128", k.v("f32x4.demote_f64x2_zero", v));
      recordInexact(k, mxcsr, k.v("v128.any_true", k.v("f64x2.ne", k.v("f64x2.promote_low_f32x4", r), v)));
      return r;
    }),
    ...toDwords("cvtps2dq", SINGLES, false),
    ...toDwords("cvttps2dq", SINGLES, true),
    ...toDwords("cvtpd2dq", DOUBLES, false),
    ...toDwords("cvttpd2dq", DOUBLES, true),
  ];
}

/** Bits of MXCSR that exist. */
const MXCSR_MASK = 0xffff;

/** Conversions and control. */
export function convertKernels(): readonly Kernel[] {
  return [
    ...scalarKernels(),
    ...packedKernels(),
    memoryForm("ldmxcsr", "none", 4, "read", (k) => {
      enterSse(k);
      const v = k.let("i32", k.load("i32.load", k.src));
      k.slowIf(k.i("and", v, ~MXCSR_MASK));
      k.setField(Layout.mxcsr, v);
    }),
    memoryForm("stmxcsr", "none", 4, "write", (k) => {
      enterSse(k);
      k.store("i32.store", k.src, k.field(Layout.mxcsr));
    }),
    registerForm("fence", "none", "none", () => {}),
  ];
}

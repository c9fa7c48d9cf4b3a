/**
 * Conversions between integers, singles and doubles.
 *
 * A number that does not fit an i32 (or is a NaN) becomes the integer indefinite 0x80000000 with the invalid flag. i32
 * to double is exact; single to double is exact except that a denormal or signalling operand is noted.
 * Sources: SDM-2A CVT..., SDM-1 11.4.1.6, 11.5.2. Hot: to and from i32; Warm: between the formats.
 */
import type { Context, Op, SystemFn } from "../context.ts";
import { begin, DAZ, env, Exc, finish, out, RC } from "./env.ts";
import { convert, DOUBLE, roundPack, SINGLE } from "./exact.ts";
import { enterMmx, enterSse, mm, source128, source32, source64, sourceMm, touchMmx, wroteMm, xmm } from "./operand.ts";

const F64 = new Float64Array(1);
const F32 = new Float32Array(F64.buffer);
const I32 = new Int32Array(F64.buffer);
const U64 = new BigUint64Array(F64.buffer);

const INDEFINITE = -0x80000000;
const TRUNCATE = 0x6000;
/** Adding and subtracting it rounds a double below 2^51 to the nearest even integer. */
const ROUNDER = 1.5 * 2 ** 52;

function roundInteger(v: number, rc: number): number {
  switch (rc) {
    case 0:
      return v + ROUNDER - ROUNDER;
    case 0x2000:
      return Math.floor(v);
    case 0x4000:
      return Math.ceil(v);
    default:
      return Math.trunc(v);
  }
}

/** A finite value or NaN as i32 under the rounding control `rc`. */
function toInteger(v: number, rc: number): number {
  if (!(v >= -2147483649 && v < 2147483648)) {
    env.pre |= Exc.ie;
    return INDEFINITE;
  }
  const r = roundInteger(v, rc);
  if (r < -2147483648 || r > 2147483647) {
    env.pre |= Exc.ie;
    return INDEFINITE;
  }
  if (r !== v) env.post |= Exc.pe;
  return r | 0;
}

function singleToInteger(bits: number, rc: number): number {
  I32[0] = (env.mxcsr & DAZ) !== 0 && (bits & 0x7f800000) === 0 ? 0 : bits;
  return toInteger(F32[0], rc);
}

function doubleToInteger(low: number, high: number, rc: number): number {
  const zero = (env.mxcsr & DAZ) !== 0 && (high & 0x7ff00000) === 0;
  I32[0] = zero ? 0 : low;
  I32[1] = zero ? 0 : high;
  return toInteger(F64[0], rc);
}

function integerToSingle(v: number): number {
  const r = Math.fround(v);
  if (r !== v) env.post |= Exc.pe;
  if (r === v || (env.mxcsr & RC) === 0) {
    F32[0] = r;
    return I32[0];
  }
  const size = BigInt(Math.abs(v));
  return Number(roundPack(env, SINGLE, v < 0 ? SINGLE.sign : 0n, size, 0, false)) | 0;
}

/** Single `bits` to a double in `out[to..]`. */
function singleToDouble(bits: number, to: number): void {
  const field = bits & 0x7f800000;
  if (field !== 0 && field !== 0x7f800000) {
    I32[0] = bits;
    F64[0] = F32[0];
  } else U64[0] = convert(env, SINGLE, DOUBLE, BigInt(bits >>> 0));
  out[to] = I32[0];
  out[to + 1] = I32[1];
}

function doubleToSingle(low: number, high: number): number {
  I32[0] = low;
  I32[1] = high;
  if ((env.mxcsr & RC) === 0) {
    const v = F64[0], r = Math.fround(v), size = Math.abs(r);
    if (size > 2 ** -126 && size < 2 ** 127) {
      if (r !== v) env.post |= Exc.pe;
      F32[0] = r;
      return I32[0];
    }
  }
  return Number(convert(env, DOUBLE, SINGLE, U64[0])) | 0;
}

function rounding(truncate: boolean): number {
  return truncate ? TRUNCATE : env.mxcsr & RC;
}

/** Commits `out[0..n]` to XMM register `o.reg` and leaves the rest. */
function commit(c: Context, o: Op, n: number): void {
  finish(c);
  const w = c.state.i32, d = xmm(o.reg);
  for (let i = 0; i < n; i++) w[d + i] = out[i];
}

/** Commits `out[0..2]` to the MMX register `o.reg`. */
function commitMm(c: Context, o: Op): void {
  finish(c);
  touchMmx(c);
  const d = mm(o.reg);
  c.state.i32[d] = out[0];
  c.state.i32[d + 1] = out[1];
  wroteMm(c, o.reg);
}

/** CVTPS2DQ, CVTTPS2DQ. */
function singlesToDwords(truncate: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = source128(c, o), w = c.state.i32;
    begin(c);
    for (let i = 0; i < 4; i++) out[i] = singleToInteger(w[s + i], rounding(truncate));
    commit(c, o, 4);
  };
}

/** CVTPD2DQ, CVTTPD2DQ: the upper quadword becomes zero. */
function doublesToDwords(truncate: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = source128(c, o), w = c.state.i32;
    begin(c);
    out[0] = doubleToInteger(w[s], w[s + 1], rounding(truncate));
    out[1] = doubleToInteger(w[s + 2], w[s + 3], rounding(truncate));
    out[2] = 0;
    out[3] = 0;
    commit(c, o, 4);
  };
}

/** CVTPS2PI, CVTTPS2PI. */
function singlesToMm(truncate: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    if (!enterMmx(c)) return;
    const s = source64(c, o), w = c.state.i32;
    begin(c);
    for (let i = 0; i < 2; i++) out[i] = singleToInteger(w[s + i], rounding(truncate));
    commitMm(c, o);
  };
}

/** CVTPD2PI, CVTTPD2PI. */
function doublesToMm(truncate: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    if (!enterMmx(c)) return;
    const s = source128(c, o), w = c.state.i32;
    begin(c);
    out[0] = doubleToInteger(w[s], w[s + 1], rounding(truncate));
    out[1] = doubleToInteger(w[s + 2], w[s + 3], rounding(truncate));
    commitMm(c, o);
  };
}

/** CVTSS2SI, CVTSD2SI and the truncating ones. */
function scalarToRegister(isDouble: boolean, truncate: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = isDouble ? source64(c, o) : source32(c, o), w = c.state.i32;
    begin(c);
    const rc = rounding(truncate);
    const r = isDouble ? doubleToInteger(w[s], w[s + 1], rc) : singleToInteger(w[s], rc);
    finish(c);
    c.state.setReg32(o.reg, r);
  };
}

/** CVTPI2PS, CVTPI2PD: with a memory operand they leave the x87 state alone (the manual says so of PD, processors do both). */
function mmToFloats(isDouble: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    if (!o.isMem && !enterMmx(c)) return;
    const s = sourceMm(c, o), w = c.state.i32;
    begin(c);
    if (isDouble) {
      integerToDouble(w[s], 0);
      integerToDouble(w[s + 1], 2);
    } else {
      out[0] = integerToSingle(w[s]);
      out[1] = integerToSingle(w[s + 1]);
    }
    finish(c);
    if (!o.isMem) touchMmx(c);
    commit(c, o, isDouble ? 4 : 2);
  };
}

function integerToDouble(v: number, to: number): void {
  F64[0] = v;
  out[to] = I32[0];
  out[to + 1] = I32[1];
}

/** CVTSI2SS, CVTSI2SD. */
function registerToScalar(isDouble: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    const v = o.readRm(32) | 0;
    begin(c);
    if (isDouble) integerToDouble(v, 0);
    else out[0] = integerToSingle(v);
    commit(c, o, isDouble ? 2 : 1);
  };
}

const BETWEEN: Readonly<Record<string, SystemFn>> = {
  "cvtdq2ps": (c, o) => {
    enterSse(c);
    const s = source128(c, o), w = c.state.i32;
    begin(c);
    for (let i = 0; i < 4; i++) out[i] = integerToSingle(w[s + i]);
    commit(c, o, 4);
  },
  "cvtdq2pd": (c, o) => {
    enterSse(c);
    const s = source64(c, o), w = c.state.i32;
    integerToDouble(w[s], 0);
    integerToDouble(w[s + 1], 2);
    begin(c);
    commit(c, o, 4);
  },
  "cvtps2pd": (c, o) => {
    enterSse(c);
    const s = source64(c, o), w = c.state.i32;
    begin(c);
    singleToDouble(w[s], 0);
    singleToDouble(w[s + 1], 2);
    commit(c, o, 4);
  },
  "cvtpd2ps": (c, o) => {
    enterSse(c);
    const s = source128(c, o), w = c.state.i32;
    begin(c);
    out[0] = doubleToSingle(w[s], w[s + 1]);
    out[1] = doubleToSingle(w[s + 2], w[s + 3]);
    out[2] = 0;
    out[3] = 0;
    commit(c, o, 4);
  },
  "cvtss2sd": (c, o) => {
    enterSse(c);
    const s = source32(c, o);
    begin(c);
    singleToDouble(c.state.i32[s], 0);
    commit(c, o, 2);
  },
  "cvtsd2ss": (c, o) => {
    enterSse(c);
    const s = source64(c, o), w = c.state.i32;
    begin(c);
    out[0] = doubleToSingle(w[s], w[s + 1]);
    commit(c, o, 1);
  },
};

/** Instructions of this file by `sem`. */
export const CONVERT_FNS: Readonly<Record<string, SystemFn>> = {
  ...BETWEEN,
  "cvtps2dq": singlesToDwords(false),
  "cvttps2dq": singlesToDwords(true),
  "cvtpd2dq": doublesToDwords(false),
  "cvttpd2dq": doublesToDwords(true),
  "cvtps2pi": singlesToMm(false),
  "cvttps2pi": singlesToMm(true),
  "cvtpd2pi": doublesToMm(false),
  "cvttpd2pi": doublesToMm(true),
  "cvtss2si": scalarToRegister(false, false),
  "cvttss2si": scalarToRegister(false, true),
  "cvtsd2si": scalarToRegister(true, false),
  "cvttsd2si": scalarToRegister(true, true),
  "cvtpi2ps": mmToFloats(false),
  "cvtpi2pd": mmToFloats(true),
  "cvtsi2ss": registerToScalar(false),
  "cvtsi2sd": registerToScalar(true),
};

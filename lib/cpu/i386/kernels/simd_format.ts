/**
 * Single and double precision in vectors as kernels see them: constants, ranges, loads and stores of one lane or all.
 *
 * Ranges are tested on the bits: a magnitude is a positive integer that orders as the number does. Kernels take normal
 * numbers and zeros. Scalars are computed as vectors whose other lanes hold ones, which raise nothing.
 * Cold code that makes hot code. Sources: SDM-1 4.2.2, 11.5.
 */
import { Layout } from "../state.ts";
import { Exc } from "../simd/env.ts";
import type { Code, Local, Value } from "./code.ts";

/** A format. */
export interface Format {
  /** Shape of the numbers. */
  readonly shape: "f64x2" | "f32x4";
  /** Shape of their bits. */
  readonly bits: "i64x2" | "i32x4";
  /** Bytes of a lane. */
  readonly size: 8 | 4;
  /** Number to a vector of it. */
  readonly splat: (k: Code, value: number) => Value;
  /** Least normal number. */
  readonly least: number;
  /** Bounds between which errors of sums and products are numbers of the format too. */
  readonly safe: readonly [number, number];
  /** Dekker's splitting constant. */
  readonly split: number;
}

/** Words of a number, as often as it fits. */
function splatOf(kind: "f64" | "f32"): (k: Code, value: number) => Value {
  return (k, value) => {
    const view = new DataView(new ArrayBuffer(8));
    if (kind === "f64") view.setFloat64(0, value, true);
    else {
      view.setFloat32(0, value, true);
      view.setFloat32(4, value, true);
    }
    const low = view.getInt32(0, true), high = view.getInt32(4, true);
    return k.v128(low, high, low, high);
  };
}

/** Double precision. */
export const DOUBLES: Format = {
  shape: "f64x2",
  bits: "i64x2",
  size: 8,
  splat: splatOf("f64"),
  least: 2 ** -1022,
  safe: [2 ** -900, 2 ** 900],
  split: 2 ** 27 + 1,
};

/** Single precision. */
export const SINGLES: Format = {
  shape: "f32x4",
  bits: "i32x4",
  size: 4,
  splat: splatOf("f32"),
  least: 2 ** -126,
  safe: [2 ** -60, 2 ** 60],
  split: 2 ** 12 + 1,
};

/** Magnitudes. */
function magnitude(k: Code, f: Format, v: Value): Value {
  return k.v(
    "v128.and",
    v,
    f.size === 8 ? k.v128(-1, 0x7fffffff, -1, 0x7fffffff) : k.v128(...Array(4).fill(0x7fffffff)),
  );
}

/** Mask of the zeros. */
export function zeros(k: Code, f: Format, v: Value): Value {
  return k.v(`${f.shape}.eq`, v, k.v128(0, 0, 0, 0));
}

/** Mask of the lanes with least <= |v| < limit. */
export function within(k: Code, f: Format, v: Value, least: number, limit: number): Value {
  const m = k.let("v128", magnitude(k, f, v));
  return k.v("v128.and", k.v(`${f.bits}.ge_s`, m, f.splat(k, least)), k.v(`${f.bits}.lt_s`, m, f.splat(k, limit)));
}

/** 1 if all lanes are within bounds or zero. */
export function plain(k: Code, f: Format, v: Value, least: number = f.least, limit: number = Infinity): Value {
  return k.v(`${f.bits}.all_true`, k.v("v128.or", within(k, f, v, least, limit), zeros(k, f, v)));
}

/** Loads all lanes, or one with ones beside it. */
export function loadLanes(k: Code, f: Format, address: Value, scalar: boolean): Local {
  if (!scalar) return k.let("v128", k.loadV("v128.load", address));
  const one = 0x3f800000;
  const rest = f.size === 8 ? k.v128(0, 0, 0, 0x3ff00000) : k.v128(0, one, one, one);
  return k.let("v128", k.v("v128.or", k.loadV(f.size === 8 ? "v128.load64_zero" : "v128.load32_zero", address), rest));
}

/** Stores all lanes, or the lowest. */
export function storeLanes(k: Code, f: Format, address: Value, v: Value, scalar: boolean): void {
  if (!scalar) k.storeV(address, v);
  else if (f.size === 8) k.store("i64.store", address, k.lane("i64x2.extract_lane", 0, v));
  else k.store("i32.store", address, k.lane("i32x4.extract_lane", 0, v));
}

/** Slow unless inexact is masked and, if `rounds`, rounding is to nearest. Returns MXCSR. */
export function inexactMasked(k: Code, rounds: boolean = true): Local {
  const mxcsr = k.let("i32", k.field(Layout.mxcsr));
  k.slowIf(k.i("ne", k.i("and", mxcsr, rounds ? 0x7000 : 0x1000), 0x1000));
  return mxcsr;
}

/** Records an inexact result; `inexact` is 0 or 1. */
export function recordInexact(k: Code, mxcsr: Local, inexact: Value): void {
  k.setField(Layout.mxcsr, k.i("or", mxcsr, k.i("mul", inexact, Exc.pe)));
}

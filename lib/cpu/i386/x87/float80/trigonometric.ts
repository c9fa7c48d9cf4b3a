/**
 * FSIN, FCOS, FPTAN, FPATAN, F2XM1: computed far beyond 64 bits and then rounded by the rounding control.
 *
 * Arguments are reduced with the 66-bit value of pi that Intel documents, so that results near multiples of pi are
 * those of the hardware; everything else is rounded correctly, where the hardware promises less than one unit in the
 * last place. So last bits may differ from a processor's: an AMD EPYC gave another one for 7 % of generated FPTAN and for
 * 1 % or less of the others, never more than one unit away. Sources: SDM-1 8.3.8 (pi), 8.3.10 (accuracy); SDM-2A FSIN, FCOS, FPTAN, FPATAN, F2XM1. Warm.
 */
import { mantissaOf, roundBig, scaleOf, shiftBy, squareRoot } from "./big.ts";
import { BIAS, Class, classify, copy, Fsw, invalid, nan1, nan2, setPower, setZero } from "./format.ts";
import { cosineOf, expm1, F, FB, inverseTangent, ln2Fixed, ONE, piFixed, sineOf } from "./series.ts";
import { A, B, unpack } from "./unpack.ts";

/** Pi as the hardware has it: 66 significant bits, in units of 2^-66. */
const PI_66 = 0xc90fdaa22168c234cn;
/** Below this exponent the first term of the series decides, with what follows as sticky. */
const TINY = BIAS - 40;

/** Quadrant (0-3) and reduced argument of the last reduction. */
let quadrant = 0;
let reduced = 0n;

/** Reduces the unpacked A to [-pi/4, pi/4], sign included. */
function reduce(): void {
  const sign = A.sign !== 0 ? -1n : 1n;
  const scale = scaleOf(A);
  // In units of 2^-unit both the argument and pi/2 are integers.
  const unit = Math.max(67, -scale);
  const x = sign * shiftBy(mantissaOf(A), unit + scale);
  const half = shiftBy(PI_66, unit - 67);
  let q = (2n * x + half) / (2n * half);
  let r = x - q * half;
  if (2n * r < -half) {
    q--;
    r += half;
  } else if (2n * r > half) {
    q++;
    r -= half;
  }
  quadrant = Number(q & 3n);
  reduced = shiftBy(r, F - unit);
}

/** Rounds a signed fixed-point number that is not zero and not exact. */
function roundFixed(w: Int32Array, d: number, value: bigint, fcw: number): number {
  const negative = value < 0n;
  return roundBig(w, d, negative ? 1 : 0, negative ? -value : value, -F, true, fcw);
}

/**
 * What FSIN, FCOS and FPTAN have in common before the arithmetic: NaN, infinity, denormal, range.
 * Returns flags, or -1 if `A` holds a finite argument that is not zero; the flags are then in {@linkcode before}.
 */
function prepare(w: Int32Array, d: number, a: number, fcw: number): number {
  before = 0;
  const kind = classify(w, a);
  if (kind === Class.nan || kind === Class.unsupported) return nan1(w, d, a, fcw);
  if (kind === Class.infinity) return invalid(w, d, fcw);
  if (kind === Class.zero) return -2;
  before = kind === Class.denormal ? Fsw.de : 0;
  if ((before & ~fcw) !== 0) return before;
  unpack(A, w, a);
  return A.exp >= BIAS + 63 ? Fsw.c2 | before : -1;
}
let before = 0;

/** d := a itself, a little smaller or larger in magnitude. */
function nearby(w: Int32Array, d: number, fcw: number, larger: boolean): number {
  const n = mantissaOf(A) << 64n;
  return roundBig(w, d, A.sign, larger ? n : n - 1n, scaleOf(A) - 64, true, fcw);
}

/** d := sin a. C2: out of range, nothing written. */
export function sine(w: Int32Array, d: number, a: number, fcw: number): number {
  const special = prepare(w, d, a, fcw);
  if (special === -2) copy(w, d, a);
  if (special !== -1) return special === -2 ? 0 : special;
  if (A.exp < TINY) return before | nearby(w, d, fcw, false);
  reduce();
  const value = (quadrant & 1) !== 0 ? cosineOf(reduced) : sineOf(reduced);
  return before | roundFixed(w, d, (quadrant & 2) !== 0 ? -value : value, fcw);
}

/** d := cos a. C2: out of range, nothing written. */
export function cosine(w: Int32Array, d: number, a: number, fcw: number): number {
  const special = prepare(w, d, a, fcw);
  if (special === -2) setPower(w, d, 0, BIAS);
  if (special !== -1) return special === -2 ? 0 : special;
  if (A.exp < TINY) return before | roundBig(w, d, 0, ONE - 1n, -F, true, fcw);
  reduce();
  const value = (quadrant & 1) !== 0 ? sineOf(reduced) : cosineOf(reduced);
  const negative = quadrant === 1 || quadrant === 2;
  return before | roundFixed(w, d, negative ? -value : value, fcw);
}

/** d := tan a. C2: out of range, nothing written. */
export function tangent(w: Int32Array, d: number, a: number, fcw: number): number {
  const special = prepare(w, d, a, fcw);
  if (special === -2) copy(w, d, a);
  if (special !== -1) return special === -2 ? 0 : special;
  if (A.exp < TINY) return before | nearby(w, d, fcw, true);
  reduce();
  const s = sineOf(reduced), c = cosineOf(reduced);
  const value = (quadrant & 1) !== 0 ? -(c << FB) / s : (s << FB) / c;
  return before | roundFixed(w, d, value, fcw);
}

/** atan(n / m) for 0 < n <= m, fixed point. */
function arcTangentOf(n: bigint, m: bigint): bigint {
  let t = (n << FB) / m, doubled = 0n;
  // atan t = 2 atan(t / (1 + sqrt(1 + t^2))); three times bring t below 1/8.
  for (; t > ONE >> 3n; doubled++) t = (t << FB) / (ONE + squareRoot((ONE + ((t * t) >> FB)) << FB));
  return inverseTangent(t, -1n) << doubled;
}

/** d := angle of the point (a, b), that is arc tangent of b / a in the right quadrant. */
export function arcTangent(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  const cx = classify(w, a), cy = classify(w, b);
  if (cx === Class.nan || cy === Class.nan || cx === Class.unsupported || cy === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  const flags = cx === Class.denormal || cy === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  unpack(A, w, a);
  unpack(B, w, b);
  const sign = B.sign, left = A.sign !== 0;
  const pi = piFixed();
  if (cy === Class.zero || (cx === Class.infinity && cy !== Class.infinity)) {
    if (!left) {
      setZero(w, d, sign);
      return flags;
    }
    return flags | roundBig(w, d, sign, pi, -F, true, fcw);
  }
  let angle: bigint;
  if (cy === Class.infinity) {
    angle = cx !== Class.infinity ? pi >> 1n : left ? (3n * pi) >> 2n : pi >> 2n;
  } else if (cx === Class.zero) angle = pi >> 1n;
  else {
    const difference = B.exp - A.exp;
    if (difference < -100) {
      if (!left) return flags | tinyQuotient(w, d, sign, fcw);
      angle = pi;
    } else if (difference > 300) angle = pi >> 1n;
    else {
      const y = shiftBy(mantissaOf(B), Math.max(difference, 0)), x = shiftBy(mantissaOf(A), Math.max(-difference, 0));
      angle = y > x ? (pi >> 1n) - arcTangentOf(x, y) : arcTangentOf(y, x);
      if (left) angle = pi - angle;
    }
  }
  return flags | roundBig(w, d, sign, angle, -F, true, fcw);
}

/** d := a little less than B / A. */
function tinyQuotient(w: Int32Array, d: number, sign: number, fcw: number): number {
  const n = mantissaOf(B) << 160n, m = mantissaOf(A);
  const q = n / m;
  return roundBig(w, d, sign, q * m === n ? q - 1n : q, scaleOf(B) - scaleOf(A) - 160, true, fcw);
}

/** d := 2^a - 1. */
export function exp2m1(w: Int32Array, d: number, a: number, fcw: number): number {
  const kind = classify(w, a), sign = (w[a + 2] >>> 15) & 1;
  if (kind === Class.nan || kind === Class.unsupported) return nan1(w, d, a, fcw);
  if (kind === Class.infinity && sign !== 0) {
    setPower(w, d, 1, BIAS);
    return 0;
  }
  if (kind === Class.zero || kind === Class.infinity) {
    copy(w, d, a);
    return 0;
  }
  const flags = kind === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  unpack(A, w, a);
  if (A.exp < BIAS - 130) {
    const n = mantissaOf(A) * ln2Fixed();
    return flags | roundBig(w, d, A.sign, n, scaleOf(A) - F, true, fcw);
  }
  if (A.exp >= BIAS) {
    // From 1 on the instruction is not defined, the operand stays; all is reported as inexact, as the hardware does.
    if (A.sign !== 0 && A.exp === BIAS && A.hi === (0x80000000 | 0) && A.lo === 0) setPower(w, d, 1, BIAS - 1);
    else copy(w, d, a);
    return flags | Fsw.pe;
  }
  const x = shiftBy(mantissaOf(A), F + scaleOf(A));
  const value = expm1((x * ln2Fixed()) >> FB);
  if (A.sign === 0) return flags | roundFixed(w, d, value, fcw);
  // 2^-x - 1 = -(2^x - 1) / 2^x
  return flags | roundFixed(w, d, -(value << FB) / (value + ONE), fcw);
}

/**
 * Square root, remainder, scale, extract and round to integer.
 * Sources: SDM-2A FSQRT, FPREM, FPREM1, FSCALE, FXTRACT, FRNDINT. Warm.
 */
import { bitLength, mantissaOf, roundBig, scaleOf, squareRoot } from "./big.ts";
import { BIAS, Class, classify, copy, Fsw, invalid, nan1, nan2, Pc, setInfinity, setPower, setZero } from "./format.ts";
import { roundPack, SHIFTED } from "./round.ts";
import { roundToInteger } from "./convert.ts";
import { A, B, unpack } from "./unpack.ts";

/** d := square root of a. */
export function sqrt(w: Int32Array, d: number, a: number, fcw: number): number {
  const kind = classify(w, a), sign = (w[a + 2] >>> 15) & 1;
  if (kind === Class.nan || kind === Class.unsupported) return nan1(w, d, a, fcw);
  if (kind === Class.zero) {
    copy(w, d, a);
    return 0;
  }
  if (sign !== 0) return invalid(w, d, fcw);
  if (kind === Class.infinity) {
    copy(w, d, a);
    return 0;
  }
  const flags = kind === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  unpack(A, w, a);
  const scale = scaleOf(A), odd = scale & 1;
  const n = mantissaOf(A) << BigInt(72 + odd);
  const root = squareRoot(n);
  return flags | roundBig(w, d, 0, root, (scale - odd - 72) / 2, root * root !== n, fcw, (fcw >>> 8) & 3);
}

/** d := a rounded to an integer. */
export function roundInt(w: Int32Array, d: number, a: number, fcw: number): number {
  const kind = classify(w, a), sign = (w[a + 2] >>> 15) & 1;
  if (kind === Class.nan || kind === Class.unsupported) return nan1(w, d, a, fcw);
  const flags = kind === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  if (kind === Class.zero || kind === Class.infinity || (w[a + 2] & 0x7fff) >= BIAS + 63) {
    copy(w, d, a);
    return flags;
  }
  const rounded = roundToInteger(w, a, fcw);
  if ((SHIFTED[1] | SHIFTED[2]) === 0) {
    setZero(w, d, sign);
    return flags | rounded;
  }
  let hi = SHIFTED[2], lo = SHIFTED[1], exp = BIAS + 63;
  if (hi === 0) {
    hi = lo;
    lo = 0;
    exp -= 32;
  }
  const n = Math.clz32(hi);
  if (n !== 0) {
    hi = (hi << n) | (lo >>> (32 - n));
    lo <<= n;
  }
  w[d] = lo;
  w[d + 1] = hi;
  w[d + 2] = (sign << 15) | (exp - n);
  return flags | rounded;
}

/** Set by {@linkcode remainder} with the status flags: C0, C1 and C3 tell the quotient. */
export const HAS_QUOTIENT = 0x10000;

/** Quotient bits of FPREM in the status word: C0, C3, C1 are bits 2, 1, 0. */
function quotientBits(q: number): number {
  return ((q & 4) !== 0 ? Fsw.c0 : 0) | ((q & 2) !== 0 ? Fsw.c3 : 0) | ((q & 1) !== 0 ? Fsw.c1 : 0);
}

/**
 * d := a modulo b; `nearest`: quotient rounded to nearest even (FPREM1), else truncated (FPREM). Exponents that differ
 * by 64 or more are reduced in part, which sets C2. Returns flags and condition bits.
 */
export function remainder(w: Int32Array, d: number, a: number, b: number, fcw: number, nearest: boolean): number {
  const ca = classify(w, a), cb = classify(w, b), sign = (w[a + 2] >>> 15) & 1;
  if (ca === Class.nan || cb === Class.nan || ca === Class.unsupported || cb === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  if (ca === Class.infinity || cb === Class.zero) return invalid(w, d, fcw);
  let flags = ca === Class.denormal || cb === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  flags |= HAS_QUOTIENT;
  unpack(A, w, a);
  if (ca === Class.zero) {
    copy(w, d, a);
    return flags;
  }
  if (cb === Class.infinity) return flags | roundPack(w, d, sign, A.exp, A.hi, A.lo, 0, fcw, Pc.extended);
  unpack(B, w, b);
  const difference = A.exp - B.exp;
  const ma = mantissaOf(A), mb = mantissaOf(B);
  if (difference >= 64) {
    const step = (difference & 31) | 32;
    const r = (ma << BigInt(step)) % mb;
    if (r === 0n) setZero(w, d, sign);
    else return flags | Fsw.c2 | roundBig(w, d, sign, r, scaleOf(A) - step, false, fcw);
    return flags | Fsw.c2;
  }
  if (difference < -1 || (difference < 0 && !nearest)) {
    return flags | roundPack(w, d, sign, A.exp, A.hi, A.lo, 0, fcw, Pc.extended);
  }
  // One bit more than needed, so that a dividend of the next lower exponent fits the same frame.
  const n = ma << BigInt(difference + 1), m = mb << 1n;
  let q = n / m, r = n % m, flip = 0;
  if (nearest) {
    const twice = r << 1n;
    if (twice > m || (twice === m && (q & 1n) !== 0n)) {
      q++;
      r = m - r;
      flip = 1;
    }
  }
  const bits = quotientBits(Number(q & 7n));
  if (r === 0n) {
    setZero(w, d, sign);
    return flags | bits;
  }
  return flags | bits | (roundBig(w, d, sign ^ flip, r, scaleOf(B) - 1, false, fcw) & ~Fsw.c1);
}

/** d := a * 2^trunc(b). */
export function scale(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  const ca = classify(w, a), cb = classify(w, b), sign = (w[a + 2] >>> 15) & 1;
  if (ca === Class.nan || cb === Class.nan || ca === Class.unsupported || cb === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  const down = (w[b + 2] & 0x8000) !== 0;
  if (cb === Class.infinity && ca === (down ? Class.infinity : Class.zero)) return invalid(w, d, fcw);
  const flags = ca === Class.denormal || cb === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  if (cb === Class.infinity) {
    if (down) setZero(w, d, sign);
    else setInfinity(w, d, sign);
    return flags;
  }
  if (ca === Class.zero || ca === Class.infinity) {
    copy(w, d, a);
    return flags;
  }
  unpack(A, w, a);
  unpack(B, w, b);
  const places = B.exp - BIAS;
  let by = 0;
  if (cb !== Class.zero && places >= 0) by = places > 16 ? 0x20000 : B.hi >>> (31 - places);
  return flags | roundPack(w, d, sign, down ? A.exp - by : A.exp + by, A.hi, A.lo, 0, fcw, Pc.extended);
}

/** Splits a: `d` gets the significand, `e` the exponent as a number. */
export function extract(w: Int32Array, d: number, e: number, a: number, fcw: number): number {
  const kind = classify(w, a), sign = (w[a + 2] >>> 15) & 1;
  if (kind === Class.nan || kind === Class.unsupported) {
    const flags = nan1(w, d, a, fcw);
    if ((flags & ~fcw) === 0) copy(w, e, d);
    return flags;
  }
  if (kind === Class.infinity) {
    copy(w, d, a);
    setInfinity(w, e, 0);
    return 0;
  }
  if (kind === Class.zero) {
    if ((fcw & Fsw.ze) !== 0) {
      copy(w, d, a);
      setInfinity(w, e, 1);
    }
    return Fsw.ze;
  }
  const flags = kind === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  unpack(A, w, a);
  const power = A.exp - BIAS;
  w[d] = A.lo;
  w[d + 1] = A.hi;
  w[d + 2] = (sign << 15) | BIAS;
  if (power === 0) setZero(w, e, 0);
  else {
    const magnitude = BigInt(Math.abs(power));
    setPower(w, e, power < 0 ? 1 : 0, BIAS + bitLength(magnitude) - 1);
    w[e + 1] = Math.abs(power) << (32 - bitLength(magnitude));
  }
  return flags;
}

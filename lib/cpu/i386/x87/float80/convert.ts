/**
 * Conversions between the extended format and what memory holds: single, double, integers, packed decimal.
 *
 * Loads write an extended number and return flags. Stores leave the value in {@linkcode STORED} (low word first) and
 * return flags; an unmasked invalid, overflow or underflow means that nothing may be stored.
 * Sources: SDM-2A FLD, FST, FILD, FIST, FBLD, FBSTP; SDM-1 4.8.3, 8.2.1. Hot; packed decimal is warm.
 */
import { BIAS, Class, classify, Fsw, isSignaling, Pc, Rc } from "./format.ts";
import { ROUNDED, roundsUp, roundTo, SHIFTED, shiftSticky } from "./round.ts";
import { A, unpack } from "./unpack.ts";

/** Value to store: up to three words. */
export const STORED: Int32Array<ArrayBuffer> = new Int32Array(3);

/** Writes sign, unbiased place of the top bit of `hi:lo` and a normalized mantissa. */
function normalize(w: Int32Array, d: number, sign: number, exp: number, hi: number, lo: number): void {
  if (hi === 0) {
    hi = lo;
    lo = 0;
    exp -= 32;
  }
  const n = Math.clz32(hi);
  if (n !== 0 && n !== 32) {
    hi = (hi << n) | (lo >>> (32 - n));
    lo <<= n;
  }
  w[d] = lo;
  w[d + 1] = hi;
  w[d + 2] = hi === 0 ? sign << 15 : (sign << 15) | (exp - n);
}

/** Single to extended; returns DE for a denormal. NaNs keep their kind. */
export function loadSingle(w: Int32Array, d: number, bits: number): number {
  const sign = bits >>> 31, exp = (bits >>> 23) & 0xff, fraction = bits & 0x7fffff;
  if (exp === 0) {
    normalize(w, d, sign, BIAS - 126 + 8, fraction, 0);
    return fraction !== 0 ? Fsw.de : 0;
  }
  w[d] = 0;
  w[d + 1] = 0x80000000 | (fraction << 8);
  w[d + 2] = (sign << 15) | (exp === 0xff ? 0x7fff : exp - 127 + BIAS);
  return 0;
}

/** Double to extended; returns DE for a denormal. NaNs keep their kind. */
export function loadDouble(w: Int32Array, d: number, low: number, high: number): number {
  const sign = high >>> 31, exp = (high >>> 20) & 0x7ff;
  const hi = ((high & 0xfffff) << 11) | (low >>> 21), lo = low << 11;
  if (exp === 0) {
    normalize(w, d, sign, BIAS - 1022, hi, lo);
    return (hi | lo) !== 0 ? Fsw.de : 0;
  }
  w[d] = lo;
  w[d + 1] = hi | 0x80000000;
  w[d + 2] = (sign << 15) | (exp === 0x7ff ? 0x7fff : exp - 1023 + BIAS);
  return 0;
}

/** 32-bit (or narrower, extended) integer to extended; exact. */
export function loadInt32(w: Int32Array, d: number, value: number): void {
  normalize(w, d, value >>> 31, BIAS + 31, value < 0 ? -value | 0 : value, 0);
}

/** 64-bit integer to extended; exact. */
export function loadInt64(w: Int32Array, d: number, low: number, high: number): void {
  if (high >= 0) normalize(w, d, 0, BIAS + 63, high, low);
  else normalize(w, d, 1, BIAS + 63, (~high + (low === 0 ? 1 : 0)) | 0, -low | 0);
}

/** Extended to single, in STORED[0]. */
export function storeSingle(w: Int32Array, a: number, fcw: number): number {
  const sign = (w[a + 2] >>> 15) & 1;
  const kind = classify(w, a);
  if (kind === Class.normal || kind === Class.denormal) {
    unpack(A, w, a);
    const flags = roundTo(sign, A.exp - BIAS + 127, A.hi, A.lo, 0, fcw, Pc.single, 0xff);
    STORED[0] = (sign << 31) | (ROUNDED[2] << 23) | ((ROUNDED[1] >>> 8) & 0x7fffff);
    return flags;
  }
  let bits = sign << 31, flags = 0;
  if (kind === Class.unsupported) {
    bits = 0xffc00000 | 0;
    flags = Fsw.ie;
  } else if (kind === Class.infinity) bits |= 0x7f800000;
  else if (kind === Class.nan) {
    if (isSignaling(w, a)) flags = Fsw.ie;
    bits |= 0x7fc00000 | ((w[a + 1] >>> 8) & 0x7fffff);
  }
  STORED[0] = bits;
  return flags;
}

/** Extended to double, in STORED[0] and [1]. */
export function storeDouble(w: Int32Array, a: number, fcw: number): number {
  const sign = (w[a + 2] >>> 15) & 1;
  const kind = classify(w, a);
  if (kind === Class.normal || kind === Class.denormal) {
    unpack(A, w, a);
    const flags = roundTo(sign, A.exp - BIAS + 1023, A.hi, A.lo, 0, fcw, Pc.double, 0x7ff);
    STORED[0] = (ROUNDED[1] << 21) | (ROUNDED[0] >>> 11);
    STORED[1] = (sign << 31) | (ROUNDED[2] << 20) | ((ROUNDED[1] >>> 11) & 0xfffff);
    return flags;
  }
  let high = sign << 31, low = 0, flags = 0;
  if (kind === Class.unsupported) {
    high = 0xfff80000 | 0;
    flags = Fsw.ie;
  } else if (kind === Class.infinity) high |= 0x7ff00000;
  else if (kind === Class.nan) {
    if (isSignaling(w, a)) flags = Fsw.ie;
    high |= 0x7ff80000 | ((w[a + 1] >>> 11) & 0xfffff);
    low = (w[a + 1] << 21) | (w[a] >>> 11);
  }
  STORED[0] = low;
  STORED[1] = high;
  return flags;
}

/**
 * Rounds the magnitude of a normal or denormal number to an integer of at most 64 bits, in SHIFTED[2] and [1].
 * Returns PE and C1, or IE if it has more bits.
 */
export function roundToInteger(w: Int32Array, a: number, fcw: number): number {
  unpack(A, w, a);
  const shift = 63 - (A.exp - BIAS);
  if (shift < 0) return Fsw.ie;
  shiftSticky(A.hi, A.lo, 0, shift);
  const rest = SHIFTED[0];
  if (rest === 0) return 0;
  if (!roundsUp(fcw & Rc.mask, A.sign, rest, SHIFTED[1] & 1)) return Fsw.pe;
  SHIFTED[1]++;
  if (SHIFTED[1] === 0) {
    SHIFTED[2]++;
    if (SHIFTED[2] === 0) return Fsw.ie;
  }
  return Fsw.pe | Fsw.c1;
}

/** Extended to a 16-, 32- or 64-bit integer, in STORED[0] and [1]; integer indefinite if it does not fit. */
export function storeInteger(w: Int32Array, a: number, fcw: number, bits: 16 | 32 | 64): number {
  const kind = classify(w, a);
  STORED[0] = 0;
  STORED[1] = 0;
  if (kind === Class.zero) return 0;
  let flags: number = Fsw.ie;
  if (kind === Class.normal || kind === Class.denormal) {
    flags = roundToInteger(w, a, fcw);
    const negative = (w[a + 2] & 0x8000) !== 0;
    const hi = SHIFTED[2], lo = SHIFTED[1];
    if ((flags & Fsw.ie) === 0 && fits(hi, lo, negative, bits)) {
      STORED[0] = negative ? -lo : lo;
      STORED[1] = negative ? ~hi + (lo === 0 ? 1 : 0) : hi;
      return flags;
    }
  }
  STORED[0] = bits === 64 ? 0 : bits === 32 ? 0x80000000 | 0 : 0x8000;
  STORED[1] = bits === 64 ? 0x80000000 | 0 : 0;
  return Fsw.ie;
}

/** Whether a magnitude fits a two's complement integer of `bits`. */
function fits(hi: number, lo: number, negative: boolean, bits: number): boolean {
  if (bits === 64) return hi >= 0 || (negative && hi === (0x80000000 | 0) && lo === 0);
  if (hi !== 0) return false;
  const limit = bits === 32 ? 0x80000000 : 0x8000;
  return lo >>> 0 < limit || (negative && lo >>> 0 === limit);
}

/** Packed decimal of 18 digits (three words, low first) to extended; exact. Bits 72-78 are ignored. */
export function loadDecimal(w: Int32Array, d: number, w0: number, w1: number, w2: number): void {
  let value = 0n;
  for (let digit = 17; digit >= 0; digit--) {
    const word = digit < 8 ? w0 : digit < 16 ? w1 : w2;
    value = value * 10n + BigInt((word >>> ((digit & 7) << 2)) & 15);
  }
  normalize(w, d, 0, BIAS + 63, Number(value >> 32n) | 0, Number(value & 0xffffffffn) | 0);
  w[d + 2] |= w2 & 0x8000;
}

/** Largest packed decimal. */
const DECIMAL_LIMIT = 10n ** 18n;

/** Extended to packed decimal, in STORED; packed decimal indefinite if it does not fit. */
export function storeDecimal(w: Int32Array, a: number, fcw: number): number {
  const kind = classify(w, a);
  let flags: number = Fsw.ie, value = DECIMAL_LIMIT;
  if (kind === Class.zero) {
    flags = 0;
    value = 0n;
  } else if (kind === Class.normal || kind === Class.denormal) {
    flags = roundToInteger(w, a, fcw);
    if ((flags & Fsw.ie) === 0) value = (BigInt(SHIFTED[2] >>> 0) << 32n) | BigInt(SHIFTED[1] >>> 0);
  }
  if (value >= DECIMAL_LIMIT) {
    STORED[0] = 0;
    STORED[1] = 0xc0000000 | 0;
    STORED[2] = 0xffff;
    return Fsw.ie;
  }
  let packed = 0n;
  for (let digit = 0n; digit < 18n; digit++, value /= 10n) packed |= (value % 10n) << (digit * 4n);
  STORED[0] = Number(packed & 0xffffffffn) | 0;
  STORED[1] = Number((packed >> 32n) & 0xffffffffn) | 0;
  STORED[2] = Number(packed >> 64n) | (w[a + 2] & 0x8000);
  return flags;
}

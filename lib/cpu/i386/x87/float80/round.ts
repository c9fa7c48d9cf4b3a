/**
 * Rounding and packing: the last step of every kernel.
 *
 * An unrounded value is a sign, a biased exponent of any size, a mantissa of 64 bits with its top bit set, and 32 more
 * bits below it of which the last one stands for everything further down (sticky). Rounding to the 24, 53 or 64 bits of
 * the precision control happens at a fixed place of the mantissa, also when it was shifted right to become denormal.
 * Tininess is detected after rounding. C1 tells that the magnitude was rounded up.
 * Sources: SDM-1 4.8.4, 4.9.1.4-6, 8.5.4-6. Hot.
 */
import { BIAS_ADJUST, Fsw, Pc, Rc } from "./format.ts";

/** Result of {@linkcode roundTo}: mantissa low, high, biased exponent. */
export const ROUNDED: Int32Array<ArrayBuffer> = new Int32Array(3);

/** Rounds to the extended format and writes the result; `pc` is the precision ({@linkcode Pc}). Returns flags. */
export function roundPack(
  w: Int32Array,
  d: number,
  sign: number,
  exp: number,
  hi: number,
  lo: number,
  ext: number,
  fcw: number,
  pc: number,
): number {
  let e = exp, flags = 0;
  if (pc === Pc.extended && exp > 0 && exp < 0x7ffe) {
    if (ext !== 0) {
      flags = Fsw.pe;
      if (roundsUp(fcw & Rc.mask, sign, ext, lo & 1)) {
        flags = Fsw.pe | Fsw.c1;
        lo = (lo + 1) | 0;
        if (lo === 0) {
          hi = (hi + 1) | 0;
          if (hi === 0) {
            hi = 0x80000000 | 0;
            e++;
          }
        }
      }
    }
    w[d] = lo;
    w[d + 1] = hi;
    w[d + 2] = (sign << 15) | e;
    return flags;
  }
  flags = roundTo(sign, exp, hi, lo, ext, fcw, pc, 0x7fff);
  w[d] = ROUNDED[0];
  w[d + 1] = ROUNDED[1];
  e = ROUNDED[2];
  w[d + 2] = (sign << 15) | e;
  return flags;
}

/** Whether the magnitude goes up: `rest` is what is cut off, top-aligned; `odd` the last bit kept. */
export function roundsUp(rc: number, sign: number, rest: number, odd: number): boolean {
  if (rc === Rc.nearest) return rest < 0 && (rest !== (0x80000000 | 0) || odd !== 0);
  if (rest === 0) return false;
  return rc === Rc.down ? sign !== 0 : rc === Rc.up && sign === 0;
}

/**
 * Rounds to a format whose infinity has the biased exponent `maxExp` (0xff, 0x7ff or 0x7fff) and leaves the parts in
 * {@linkcode ROUNDED}. With an unmasked overflow or underflow the extended format gets an adjusted exponent; the
 * shorter formats get nothing useful, their destination is memory and stays unchanged.
 */
export function roundTo(
  sign: number,
  exp: number,
  hi: number,
  lo: number,
  ext: number,
  fcw: number,
  pc: number,
  maxExp: number,
): number {
  let flags = cut(sign, hi, lo, ext, fcw, pc);
  let e = exp;
  if ((flags & CARRY) !== 0) {
    e++;
    flags &= ~CARRY;
  }
  if (e >= maxExp) return overflow(sign, e, flags, fcw, pc, maxExp);
  if (e < 1) {
    if ((fcw & Fsw.ue) === 0) {
      e += BIAS_ADJUST;
      ROUNDED[2] = e;
      if (e < 1) {
        ROUNDED[0] = 0;
        ROUNDED[1] = 0;
        ROUNDED[2] = 0;
        flags = Fsw.pe;
      }
      return flags | Fsw.ue;
    }
    flags = denormal(sign, 1 - exp, hi, lo, ext, fcw, pc);
    return (flags & Fsw.pe) !== 0 ? flags | Fsw.ue : flags;
  }
  ROUNDED[2] = e;
  return flags;
}

/** Internal flag of {@linkcode cut}: the mantissa was rounded up to the next power of two. */
const CARRY = 0x10000;

/** Rounds a mantissa at the place of the precision into {@linkcode ROUNDED}. */
function cut(sign: number, hi: number, lo: number, ext: number, fcw: number, pc: number): number {
  let rest = ext, odd = lo & 1, stepLo = 1, stepHi = 0;
  if (pc === Pc.double) {
    rest = (lo << 21) | (ext !== 0 ? 1 : 0);
    odd = (lo >>> 11) & 1;
    lo &= ~0x7ff;
    stepLo = 0x800;
  } else if (pc === Pc.single) {
    rest = (hi << 24) | ((lo | ext) !== 0 ? 1 : 0);
    odd = (hi >>> 8) & 1;
    hi &= ~0xff;
    lo = 0;
    stepLo = 0;
    stepHi = 0x100;
  }
  let flags = rest !== 0 ? Fsw.pe : 0;
  if (rest !== 0 && roundsUp(fcw & Rc.mask, sign, rest, odd)) {
    flags |= Fsw.c1;
    const top = hi;
    lo = (lo + stepLo) | 0;
    if (stepLo !== 0 && lo === 0) stepHi = 1;
    hi = (hi + stepHi) | 0;
    if (top < 0 && hi >= 0) {
      hi = 0x80000000 | 0;
      flags |= CARRY;
    }
  }
  ROUNDED[0] = lo;
  ROUNDED[1] = hi;
  return flags;
}

/** Result of {@linkcode shiftSticky}: extra bits, low half, high half. */
export const SHIFTED: Int32Array<ArrayBuffer> = new Int32Array(3);

/** Shifts 96 bits right by `count` (any size from 0); bits that fall out are kept as sticky in bit 0 of the extra word. */
export function shiftSticky(hi: number, lo: number, ext: number, count: number): void {
  let n = count;
  if (n > 96) {
    ext = (hi | lo | ext) !== 0 ? 1 : 0;
    lo = 0;
    hi = 0;
    n = 0;
  }
  while (n >= 32) {
    ext = lo | (ext !== 0 ? 1 : 0);
    lo = hi;
    hi = 0;
    n -= 32;
  }
  if (n !== 0) {
    ext = (lo << (32 - n)) | (ext >>> n) | ((ext << (32 - n)) !== 0 ? 1 : 0);
    lo = (hi << (32 - n)) | (lo >>> n);
    hi = hi >>> n;
  }
  SHIFTED[0] = ext;
  SHIFTED[1] = lo;
  SHIFTED[2] = hi;
}

/** Shifts right by `count` (at least 1) with sticky, rounds, sets exponent 0 or, if rounded up to normal, 1. */
function denormal(
  sign: number,
  count: number,
  hi: number,
  lo: number,
  ext: number,
  fcw: number,
  pc: number,
): number {
  shiftSticky(hi, lo, ext, count);
  hi = SHIFTED[2];
  lo = SHIFTED[1];
  ext = SHIFTED[0];
  const flags = cut(sign, hi, lo, ext, fcw, pc) & ~CARRY;
  ROUNDED[2] = ROUNDED[1] < 0 ? 1 : 0;
  return flags;
}

/** Overflow: infinity or the largest finite number if masked, adjusted exponent if not. */
function overflow(sign: number, exp: number, flags: number, fcw: number, pc: number, maxExp: number): number {
  if ((fcw & Fsw.oe) === 0) {
    ROUNDED[2] = exp - BIAS_ADJUST;
    if (exp - BIAS_ADJUST >= maxExp) {
      ROUNDED[0] = 0;
      ROUNDED[1] = 0x80000000 | 0;
      ROUNDED[2] = 0x7fff;
      return Fsw.oe | Fsw.pe | Fsw.c1;
    }
    return flags | Fsw.oe;
  }
  const rc = fcw & Rc.mask;
  if (rc === Rc.nearest || rc === (sign !== 0 ? Rc.down : Rc.up)) {
    ROUNDED[0] = 0;
    ROUNDED[1] = 0x80000000 | 0;
    ROUNDED[2] = maxExp;
    return Fsw.oe | Fsw.pe | Fsw.c1;
  }
  ROUNDED[0] = pc === Pc.single ? 0 : pc === Pc.double ? ~0x7ff : -1;
  ROUNDED[1] = pc === Pc.single ? ~0xff : -1;
  ROUNDED[2] = maxExp - 1;
  return Fsw.oe | Fsw.pe;
}

/**
 * Division: schoolbook with 16-bit digits. A digit is estimated in f64 from the top 48 bits of the remainder and the top
 * 32 of the divisor, all products stay below 2^53 and are exact; the estimate is at most two too large.
 * Sources: SDM-2A FDIV, FDIVR; SDM-1 4.8. Hot.
 */
import { Class, classify, Fsw, invalid, nan2, setInfinity, setZero } from "./format.ts";
import { roundPack } from "./round.ts";
import { A, B, unpack } from "./unpack.ts";

/** d := a / b. */
export function div(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  const sa = w[a + 2], sb = w[b + 2];
  const ea = sa & 0x7fff, eb = sb & 0x7fff;
  const sign = ((sa ^ sb) >>> 15) & 1;
  if (w[a + 1] < 0 && w[b + 1] < 0 && ea - 1 >>> 0 < 0x7ffe && eb - 1 >>> 0 < 0x7ffe) {
    return divNormal(w, d, sign, ea - eb + 16383, w[a + 1], w[a], w[b + 1], w[b], fcw);
  }
  const ca = classify(w, a), cb = classify(w, b);
  if (ca === Class.nan || cb === Class.nan || ca === Class.unsupported || cb === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  if ((ca === Class.infinity && cb === Class.infinity) || (ca === Class.zero && cb === Class.zero)) {
    return invalid(w, d, fcw);
  }
  if (cb === Class.zero && ca !== Class.infinity) {
    if ((fcw & Fsw.ze) !== 0) setInfinity(w, d, sign);
    return Fsw.ze;
  }
  const flags = ca === Class.denormal || cb === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  if (ca === Class.infinity) {
    setInfinity(w, d, sign);
    return flags;
  }
  if (ca === Class.zero || cb === Class.infinity) {
    setZero(w, d, sign);
    return flags;
  }
  unpack(A, w, a);
  unpack(B, w, b);
  return flags | divNormal(w, d, sign, A.exp - B.exp + 16383, A.hi, A.lo, B.hi, B.lo, fcw);
}

/** d := b / a. */
export function divr(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  return div(w, d, b, a, fcw);
}

const TWO32 = 0x100000000;

function divNormal(
  w: Int32Array,
  d: number,
  sign: number,
  exp: number,
  hiA: number,
  loA: number,
  hiB: number,
  loB: number,
  fcw: number,
): number {
  const dh = hiB >>> 0, dl = loB >>> 0;
  let rh = hiA >>> 0, rl = loA >>> 0, e = exp;
  let first = 1;
  if (rh < dh || (rh === dh && rl < dl)) first = 0;
  else {
    rl -= dl;
    rh -= dh;
    if (rl < 0) {
      rl += TWO32;
      rh--;
    }
  }
  let q0 = 0, q1 = 0, q2 = 0, q3 = 0, q4 = 0;
  for (let n = 0; n < 5; n++) {
    const top = rh * 65536 + (rl >>> 16);
    let q = Math.floor(top / dh);
    if (q > 0xffff) q = 0xffff;
    let low = ((rl << 16) >>> 0) - q * dl;
    const borrow = Math.floor(low / TWO32);
    low -= borrow * TWO32;
    let high = top - q * dh + borrow;
    while (high < 0) {
      q--;
      low += dl;
      high += dh;
      if (low >= TWO32) {
        low -= TWO32;
        high++;
      }
    }
    rh = high;
    rl = low;
    if (n === 0) q0 = q;
    else if (n === 1) q1 = q;
    else if (n === 2) q2 = q;
    else if (n === 3) q3 = q;
    else q4 = q;
  }
  const sticky = (rh | rl) !== 0 ? 1 : 0;
  let hi = (q0 << 16) | q1, lo = (q2 << 16) | q3, ext = (q4 << 16) | sticky;
  if (first !== 0) {
    ext = (lo << 31) | (ext >>> 1) | (ext & 1);
    lo = (hi << 31) | (lo >>> 1);
    hi = (hi >>> 1) | 0x80000000;
  } else {
    // The quotient lies between 1/2 and 1: its first fraction bit is set already.
    e--;
  }
  return roundPack(w, d, sign, e, hi, lo, ext, fcw, (fcw >>> 8) & 3);
}

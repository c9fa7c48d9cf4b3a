/**
 * Multiplication: 64 by 64 bits from 16-bit limbs, whose products and carries fit in u32.
 * Sources: SDM-2A FMUL; SDM-1 4.8. Hot.
 */
import { Class, classify, Fsw, invalid, nan2, setInfinity, setZero } from "./format.ts";
import { roundPack } from "./round.ts";
import { A, B, unpack } from "./unpack.ts";

/** d := a * b. */
export function mul(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  const sa = w[a + 2], sb = w[b + 2];
  const ea = sa & 0x7fff, eb = sb & 0x7fff;
  const sign = ((sa ^ sb) >>> 15) & 1;
  if (w[a + 1] < 0 && w[b + 1] < 0 && ea - 1 >>> 0 < 0x7ffe && eb - 1 >>> 0 < 0x7ffe) {
    return mulNormal(w, d, sign, ea + eb - 16382, w[a + 1], w[a], w[b + 1], w[b], fcw);
  }
  const ca = classify(w, a), cb = classify(w, b);
  if (ca === Class.nan || cb === Class.nan || ca === Class.unsupported || cb === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  if ((ca === Class.infinity && cb === Class.zero) || (ca === Class.zero && cb === Class.infinity)) {
    return invalid(w, d, fcw);
  }
  const flags = ca === Class.denormal || cb === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  if (ca === Class.infinity || cb === Class.infinity) {
    setInfinity(w, d, sign);
    return flags;
  }
  if (ca === Class.zero || cb === Class.zero) {
    setZero(w, d, sign);
    return flags;
  }
  unpack(A, w, a);
  unpack(B, w, b);
  return flags | mulNormal(w, d, sign, A.exp + B.exp - 16382, A.hi, A.lo, B.hi, B.lo, fcw);
}

/** High 32 bits of an unsigned 32 by 32 bit product, u32. */
function mulHigh(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const m = ah * bl + (Math.imul(al, bl) >>> 16);
  const n = al * bh + (m & 0xffff);
  return ah * bh + (m >>> 16) + (n >>> 16);
}

function mulNormal(
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
  const p0 = Math.imul(loA, loB);
  let p1 = mulHigh(loA, loB) + (Math.imul(loA, hiB) >>> 0) + (Math.imul(hiA, loB) >>> 0);
  let p2 = mulHigh(loA, hiB) + mulHigh(hiA, loB) + (Math.imul(hiA, hiB) >>> 0);
  const carry1 = p1 >= 0x200000000 ? 2 : p1 >= 0x100000000 ? 1 : 0;
  p1 |= 0;
  p2 += carry1;
  const carry2 = p2 >= 0x200000000 ? 2 : p2 >= 0x100000000 ? 1 : 0;
  p2 |= 0;
  let p3 = (mulHigh(hiA, hiB) + carry2) | 0;
  let e = exp;
  if (p3 >= 0) {
    p3 = (p3 << 1) | (p2 >>> 31);
    p2 = (p2 << 1) | (p1 >>> 31);
    p1 = (p1 << 1) | (p0 >>> 31);
    e--;
    return roundPack(w, d, sign, e, p3, p2, p1 | ((p0 << 1) !== 0 ? 1 : 0), fcw, (fcw >>> 8) & 3);
  }
  return roundPack(w, d, sign, e, p3, p2, p1 | (p0 !== 0 ? 1 : 0), fcw, (fcw >>> 8) & 3);
}

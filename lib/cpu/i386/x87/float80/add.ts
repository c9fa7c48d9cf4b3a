/**
 * Addition and subtraction. The smaller operand is shifted right into 32 extra bits with sticky; two operands that
 * differ by more than one place lose at most one bit at the top, so those 32 bits decide every rounding.
 * Sources: SDM-2A FADD, FSUB, FSUBR; SDM-1 4.8. Hot.
 */
import { Class, classify, copy, Fsw, invalid, nan2, Rc, setZero } from "./format.ts";
import { roundPack } from "./round.ts";
import { A, B, unpack } from "./unpack.ts";

/** d := a + b. */
export function add(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  return addSigned(w, d, a, b, fcw, 0);
}

/** d := a - b. */
export function sub(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  return addSigned(w, d, a, b, fcw, 0x8000);
}

/** d := b - a. */
export function subr(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  return addSigned(w, d, b, a, fcw, 0x8000);
}

/** d := a ± b; `flipB` is 0 or 0x8000, applied to the sign of a number but not of a NaN. */
function addSigned(
  w: Int32Array,
  d: number,
  a: number,
  b: number,
  fcw: number,
  flipB: number,
): number {
  const sa = w[a + 2], sb = w[b + 2] ^ flipB;
  const ea = sa & 0x7fff, eb = sb & 0x7fff;
  if (w[a + 1] < 0 && w[b + 1] < 0 && ea - 1 >>> 0 < 0x7ffe && eb - 1 >>> 0 < 0x7ffe) {
    return addNormal(w, d, sa >>> 15 & 1, ea, w[a + 1], w[a], sb >>> 15 & 1, eb, w[b + 1], w[b], fcw);
  }
  return addSlow(w, d, a, b, fcw, flipB);
}

function addSlow(w: Int32Array, d: number, a: number, b: number, fcw: number, flipB: number): number {
  const ca = classify(w, a), cb = classify(w, b);
  if (ca === Class.nan || cb === Class.nan || ca === Class.unsupported || cb === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  const signA = (w[a + 2] >>> 15) & 1, signB = ((w[b + 2] ^ flipB) >>> 15) & 1;
  if (ca === Class.infinity && cb === Class.infinity && signA !== signB) return invalid(w, d, fcw);
  const flags = ca === Class.denormal || cb === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  if (ca === Class.infinity) {
    copy(w, d, a);
    return flags;
  }
  if (cb === Class.infinity) {
    copy(w, d, b);
    w[d + 2] ^= flipB;
    return flags;
  }
  unpack(A, w, a);
  unpack(B, w, b);
  const pc = (fcw >>> 8) & 3;
  if (ca === Class.zero && cb === Class.zero) {
    setZero(w, d, signA === signB ? signA : (fcw & Rc.mask) === Rc.down ? 1 : 0);
    return flags;
  }
  if (ca === Class.zero) return flags | roundPack(w, d, signB, B.exp, B.hi, B.lo, 0, fcw, pc);
  if (cb === Class.zero) return flags | roundPack(w, d, signA, A.exp, A.hi, A.lo, 0, fcw, pc);
  return flags | addNormal(w, d, signA, A.exp, A.hi, A.lo, signB, B.exp, B.hi, B.lo, fcw);
}

/** Adds two non-zero numbers with normalized mantissas. */
function addNormal(
  w: Int32Array,
  d: number,
  signA: number,
  expA: number,
  hiA: number,
  loA: number,
  signB: number,
  expB: number,
  hiB: number,
  loB: number,
  fcw: number,
): number {
  let sign = signA, exp = expA, hi = hiA, lo = loA, ext = 0;
  let shift = expA - expB, yh = hiB, yl = loB, yx = 0;
  if (
    shift < 0 ||
    (shift === 0 && (hiA >>> 0 < hiB >>> 0 || (hiA === hiB && loA >>> 0 < loB >>> 0)))
  ) {
    shift = -shift;
    sign = signB;
    exp = expB;
    hi = hiB;
    lo = loB;
    yh = hiA;
    yl = loA;
  }
  if (shift >= 32) {
    if (shift >= 96) {
      yx = 1;
      yl = 0;
    } else if (shift >= 64) {
      yx = yh;
      if (shift !== 64) yx = (yh >>> shift) | ((yh << (32 - shift)) !== 0 ? 1 : 0);
      yx |= yl !== 0 ? 1 : 0;
      yl = 0;
    } else if (shift === 32) {
      yx = yl;
      yl = yh;
    } else {
      const low = yl;
      yx = (yh << (32 - shift)) | (low >>> shift) | ((low << (32 - shift)) !== 0 ? 1 : 0);
      yl = yh >>> shift;
    }
    yh = 0;
  } else if (shift !== 0) {
    yx = yl << (32 - shift);
    yl = (yh << (32 - shift)) | (yl >>> shift);
    yh = yh >>> shift;
  }
  const pc = (fcw >>> 8) & 3;
  if (signA === signB) {
    const low = (lo + yl) | 0;
    const carry = low >>> 0 < lo >>> 0 ? 1 : 0;
    const sum = (hi >>> 0) + (yh >>> 0) + carry;
    ext = yx;
    lo = low;
    hi = sum | 0;
    if (sum >= 0x100000000) {
      ext = (lo << 31) | (ext >>> 1) | (ext & 1);
      lo = (hi << 31) | (lo >>> 1);
      hi = (hi >>> 1) | 0x80000000;
      exp++;
    }
    return roundPack(w, d, sign, exp, hi, lo, ext, fcw, pc);
  }
  ext = -yx | 0;
  const borrow1 = yx !== 0 ? 1 : 0;
  const low = (lo - yl - borrow1) | 0;
  const borrow2 = (lo >>> 0) - (yl >>> 0) - borrow1 < 0 ? 1 : 0;
  hi = (hi - yh - borrow2) | 0;
  lo = low;
  if ((hi | lo | ext) === 0) {
    setZero(w, d, (fcw & Rc.mask) === Rc.down ? 1 : 0);
    return 0;
  }
  while (hi === 0) {
    hi = lo;
    lo = ext;
    ext = 0;
    exp -= 32;
  }
  const n = Math.clz32(hi);
  if (n !== 0) {
    hi = (hi << n) | (lo >>> (32 - n));
    lo = (lo << n) | (ext >>> (32 - n));
    ext <<= n;
    exp -= n;
  }
  return roundPack(w, d, sign, exp, hi, lo, ext, fcw, pc);
}

/**
 * FYL2X and FYL2XP1: y * log2(x) and y * log2(x + 1), computed far beyond 64 bits and rounded by the rounding control.
 * The log of a power of two gives an exact product, which the hardware still reports as inexact. Sources: SDM-2A FYL2X, FYL2XP1; SDM-1 8.3.9. Warm.
 */
import { bitLength, mantissaOf, roundBig, scaleOf, shiftBy } from "./big.ts";
import { BIAS, Class, classify, copy, Fsw, invalid, nan2, setInfinity, setZero } from "./format.ts";
import { F, FB, inverseTangent, ln2Fixed, ONE } from "./series.ts";
import { A, B, unpack } from "./unpack.ts";

/** d := b * log2(a). */
export function yLog2(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  const cx = classify(w, a), cy = classify(w, b);
  if (cx === Class.nan || cy === Class.nan || cx === Class.unsupported || cy === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  const signX = (w[a + 2] >>> 15) & 1, sign = (w[b + 2] >>> 15) & 1;
  if (cx === Class.zero) return yLog2Zero(w, d, cy, sign, fcw);
  if (signX !== 0) return invalid(w, d, fcw);
  const below = (w[a + 2] & 0x7fff) < BIAS;
  const isOne = (w[a + 2] & 0x7fff) === BIAS && w[a + 1] === (0x80000000 | 0) && w[a] === 0;
  if (cx === Class.infinity ? cy === Class.zero : isOne && cy === Class.infinity) return invalid(w, d, fcw);
  const flags = cx === Class.denormal || cy === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  if (cx === Class.infinity || cy === Class.infinity) setInfinity(w, d, below ? sign ^ 1 : sign);
  else if (cy === Class.zero || isOne) setZero(w, d, below ? sign ^ 1 : sign);
  else {
    unpack(A, w, a);
    unpack(B, w, b);
    return flags | yLog2Finite(w, d, fcw);
  }
  return flags;
}

/** y * log2(0). */
function yLog2Zero(w: Int32Array, d: number, cy: number, sign: number, fcw: number): number {
  if (cy === Class.zero) return invalid(w, d, fcw);
  if (cy === Class.infinity) {
    setInfinity(w, d, sign ^ 1);
    return 0;
  }
  if ((fcw & Fsw.ze) !== 0) setInfinity(w, d, sign ^ 1);
  return Fsw.ze;
}

/** A and B hold x > 0, not 1, and y not 0. */
function yLog2Finite(w: Int32Array, d: number, fcw: number): number {
  let power = A.exp - BIAS, m = mantissaOf(A);
  if (m === 1n << 63n) {
    const n = BigInt(Math.abs(power)) * mantissaOf(B);
    const flags = Fsw.pe | roundBig(w, d, power < 0 ? B.sign ^ 1 : B.sign, n, scaleOf(B), false, fcw);
    return (fcw & Fsw.ue) !== 0 && (w[d + 2] & 0x7fff) === 0 ? flags | Fsw.ue : flags;
  }
  // Mantissa into [0.7, 1.42): log2 x = power + 2 atanh((m - 1) / (m + 1)) / ln 2
  let one = 1n << 63n;
  if (m > 0xb504f333f9de6484n) {
    power++;
    one <<= 1n;
  }
  const t = ((m - one) << FB) / (m + one);
  m = ((2n * inverseTangent(t, 1n)) << FB) / ln2Fixed() + (BigInt(power) << FB);
  return roundProduct(w, d, m, F, fcw);
}

/** d := value * 2^-places * B, not exact. */
function roundProduct(w: Int32Array, d: number, value: bigint, places: number, fcw: number): number {
  const negative = value < 0n;
  const n = (negative ? -value : value) * mantissaOf(B);
  return roundBig(w, d, negative ? B.sign ^ 1 : B.sign, n, scaleOf(B) - places, true, fcw);
}

/** d := b * log2(a + 1). */
export function yLog2p1(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  const cx = classify(w, a), cy = classify(w, b);
  if (cx === Class.nan || cy === Class.nan || cx === Class.unsupported || cy === Class.unsupported) {
    return nan2(w, d, a, b, fcw);
  }
  const signX = (w[a + 2] >>> 15) & 1, sign = signX ^ ((w[b + 2] >>> 15) & 1);
  if (cx === Class.infinity && (signX !== 0 || cy === Class.zero)) return invalid(w, d, fcw);
  if (cx === Class.zero && cy === Class.infinity) return invalid(w, d, fcw);
  const flags = cx === Class.denormal || cy === Class.denormal ? Fsw.de : 0;
  if ((flags & ~fcw) !== 0) return flags;
  if (cx === Class.infinity || cy === Class.infinity) setInfinity(w, d, sign);
  else if (cx === Class.zero || cy === Class.zero) setZero(w, d, sign);
  else {
    unpack(A, w, a);
    unpack(B, w, b);
    if (signX !== 0 && A.exp >= BIAS) {
      // Not defined by the manual; the operand goes through.
      copy(w, d, a);
      return flags | Fsw.pe;
    }
    return flags | yLog2p1Finite(w, d, fcw);
  }
  return flags;
}

function yLog2p1Finite(w: Int32Array, d: number, fcw: number): number {
  const sign = A.sign !== 0 ? -1n : 1n;
  if (A.exp < BIAS - 130) {
    const n = ((sign * mantissaOf(A)) << FB << 64n) / ln2Fixed();
    return roundProduct(w, d, n, 64 - scaleOf(A), fcw);
  }
  const x = sign * shiftBy(mantissaOf(A), F + scaleOf(A));
  if (A.exp >= BIAS - 2) {
    // Beyond the range the instruction is defined for the series would not end; split off the power of two.
    const power = bitLength(ONE + x) - 1 - F;
    const m = shiftBy(ONE + x, -power);
    const t = ((m - ONE) << FB) / (m + ONE);
    return roundProduct(w, d, ((2n * inverseTangent(t, 1n)) << FB) / ln2Fixed() + (BigInt(power) << FB), F, fcw);
  }
  // log2(1 + x) = 2 atanh(x / (2 + x)) / ln 2
  const t = (x << FB) / (2n * ONE + x);
  return roundProduct(w, d, ((2n * inverseTangent(t, 1n)) << FB) / ln2Fixed(), F, fcw);
}

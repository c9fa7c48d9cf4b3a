/**
 * Exact IEEE 754 arithmetic on bit patterns, single and double, in big integers: every rounding mode, every exception.
 *
 * This is the path for what the fast one (float.ts) does not take: NaN, infinities, denormals, tiny and huge results,
 * directed rounding. A finite number is `mant * 2^exp`; a result is made with at least two bits more than the format
 * has and a sticky bit for the rest, then rounded once. Tininess is detected after rounding.
 * Sources: SDM-1 4.8, 11.5.2; IEEE 754-1985. Warm.
 */
import { DAZ, type Env, Exc, FTZ, RC } from "./env.ts";

/** A binary interchange format. */
export interface Format {
  /** Bits of the stored mantissa. */
  readonly mantBits: number;
  /** Largest exponent field (infinity, NaN). */
  readonly expMax: number;
  /** Exponent bias. */
  readonly bias: number;
  /** Sign bit. */
  readonly sign: bigint;
  /** Hidden bit: one above the stored mantissa. */
  readonly hidden: bigint;
  /** Quiet bit of a NaN. */
  readonly quiet: bigint;
  /** Infinity without sign. */
  readonly inf: bigint;
  /** The default NaN. */
  readonly indefinite: bigint;
}

function format(mantBits: number, expBits: number): Format {
  const expMax = (1 << expBits) - 1;
  const hidden = 1n << BigInt(mantBits);
  const inf = BigInt(expMax) << BigInt(mantBits);
  const sign = 1n << BigInt(mantBits + expBits);
  const quiet = hidden >> 1n;
  return { mantBits, expMax, bias: expMax >> 1, sign, hidden, quiet, inf, indefinite: sign | inf | quiet };
}

/** 32 bits. */
export const SINGLE: Format = format(23, 8);
/** 64 bits. */
export const DOUBLE: Format = format(52, 11);

/** What the exact and the fast path can compute. */
export const Arith = { add: 0, sub: 1, mul: 2, div: 3, sqrt: 4 } as const;

function isNan(f: Format, a: bigint): boolean {
  return (a & ~f.sign) > f.inf;
}

function isDenormal(f: Format, a: bigint): boolean {
  return (a & f.inf) === 0n && (a & ~f.sign) !== 0n;
}

/** Denormals as zeros, if MXCSR says so. */
function flush(e: Env, f: Format, a: bigint): bigint {
  return (e.mxcsr & DAZ) !== 0 && isDenormal(f, a) ? a & f.sign : a;
}

/** Result of an operation with a NaN operand: the first NaN, quieted; notes a signalling one. */
function nan(e: Env, f: Format, a: bigint, b: bigint): bigint {
  if ((isNan(f, a) && (a & f.quiet) === 0n) || (isNan(f, b) && (b & f.quiet) === 0n)) e.pre |= Exc.ie;
  return (isNan(f, a) ? a : b) | f.quiet;
}

function invalid(e: Env, f: Format): bigint {
  e.pre |= Exc.ie;
  return f.indefinite;
}

/** Mantissa as an integer. */
function mantissa(f: Format, a: bigint): bigint {
  const m = a & (f.hidden - 1n);
  return (a & f.inf) === 0n ? m : m | f.hidden;
}

/** Exponent that goes with the integer mantissa. */
function exponent(f: Format, a: bigint): number {
  const field = Number((a & f.inf) >> BigInt(f.mantBits));
  return (field === 0 ? 1 : field) - f.bias - f.mantBits;
}

function bitLength(m: bigint): number {
  const hex = m.toString(16);
  return (hex.length << 2) - Math.clz32(parseInt(hex[0], 16)) + 28;
}

/** One arithmetic operation on bit patterns; `b` is ignored by the square root. */
export function exact(e: Env, f: Format, op: number, a: bigint, b: bigint): bigint {
  if (op === Arith.sqrt) return squareRoot(e, f, a);
  if (isNan(f, a) || isNan(f, b)) return nan(e, f, a, b);
  a = flush(e, f, a);
  b = flush(e, f, b);
  if (op === Arith.mul || op === Arith.div) return scale(e, f, op, a, b);
  return sum(e, f, a, op === Arith.sub ? b ^ f.sign : b);
}

function noteDenormals(e: Env, f: Format, a: bigint, b: bigint): void {
  if (isDenormal(f, a) || isDenormal(f, b)) e.pre |= Exc.de;
}

function sum(e: Env, f: Format, a: bigint, b: bigint): bigint {
  const infA = (a & ~f.sign) === f.inf, infB = (b & ~f.sign) === f.inf;
  if (infA && infB && a !== b) return invalid(e, f);
  noteDenormals(e, f, a, b);
  if (infA) return a;
  if (infB) return b;
  const expA = exponent(f, a), expB = exponent(f, b), low = Math.min(expA, expB);
  const ma = mantissa(f, a) << BigInt(expA - low), mb = mantissa(f, b) << BigInt(expB - low);
  const total = ((a & f.sign) !== 0n ? -ma : ma) + ((b & f.sign) !== 0n ? -mb : mb);
  if (total === 0n) {
    if ((a & f.sign) === (b & f.sign)) return a & f.sign;
    return (e.mxcsr & RC) === 0x2000 ? f.sign : 0n;
  }
  return total < 0n ? roundPack(e, f, f.sign, -total, low, false) : roundPack(e, f, 0n, total, low, false);
}

function scale(e: Env, f: Format, op: number, a: bigint, b: bigint): bigint {
  const sign = (a ^ b) & f.sign;
  const absA = a & ~f.sign, absB = b & ~f.sign;
  const infA = absA === f.inf, infB = absB === f.inf;
  if (op === Arith.mul ? (infA && absB === 0n) || (infB && absA === 0n) : infA ? infB : absA === 0n && absB === 0n) {
    return invalid(e, f);
  }
  if (op === Arith.div && absB === 0n && !infA) {
    e.pre |= Exc.ze;
    return sign | f.inf;
  }
  noteDenormals(e, f, a, b);
  if (infA || (infB && op === Arith.mul)) return sign | f.inf;
  if (infB || absA === 0n || absB === 0n) return sign;
  const ma = mantissa(f, a), mb = mantissa(f, b);
  const expA = exponent(f, a), expB = exponent(f, b);
  if (op === Arith.mul) return roundPack(e, f, sign, ma * mb, expA + expB, false);
  const up = 2 * f.mantBits + 8;
  const wide = ma << BigInt(up), quotient = wide / mb;
  return roundPack(e, f, sign, quotient, expA - expB - up, quotient * mb !== wide);
}

function squareRoot(e: Env, f: Format, a: bigint): bigint {
  if (isNan(f, a)) return nan(e, f, a, a);
  a = flush(e, f, a);
  if ((a & ~f.sign) === 0n) return a;
  if ((a & f.sign) !== 0n) return invalid(e, f);
  if (a === f.inf) return a;
  noteDenormals(e, f, a, a);
  let exp = exponent(f, a) - (2 * f.mantBits + 8);
  let wide = mantissa(f, a) << BigInt(2 * f.mantBits + 8);
  if ((exp & 1) !== 0) {
    wide <<= 1n;
    exp--;
  }
  const root = integerRoot(wide);
  return roundPack(e, f, 0n, root, exp / 2, root * root !== wide);
}

/** Largest integer whose square is not above `n`, by Newton's iteration from above. */
function integerRoot(n: bigint): bigint {
  let x = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
}

/** Rounds `mant * 2^exp` (plus something smaller if `sticky`) to a multiple of `2^lsb`; the count of those. */
function roundAt(mxcsr: number, sign: boolean, mant: bigint, exp: number, sticky: boolean, lsb: number): bigint {
  if (exp >= lsb) return mant << BigInt(exp - lsb);
  const shift = BigInt(lsb - exp);
  const kept = mant >> shift, rest = mant - (kept << shift), half = 1n << (shift - 1n);
  if (rest === 0n && !sticky) return kept;
  switch (mxcsr & RC) {
    case 0:
      return rest > half || (rest === half && (sticky || (kept & 1n) !== 0n)) ? kept + 1n : kept;
    case 0x2000:
      return sign ? kept + 1n : kept;
    case 0x4000:
      return sign ? kept : kept + 1n;
    default:
      return kept;
  }
}

/** Rounds a non-zero value to a format and packs it; notes overflow, underflow, inexact. */
export function roundPack(e: Env, f: Format, sign: bigint, mant: bigint, exp: number, sticky: boolean): bigint {
  const negative = sign !== 0n;
  const top = bitLength(mant) - 1 + exp, least = 1 - f.bias;
  const lsb = Math.max(top, least) - f.mantBits;
  const m = roundAt(e.mxcsr, negative, mant, exp, sticky, lsb);
  const inexact = sticky || (exp < lsb && (m << BigInt(lsb - exp)) !== mant);
  if (top < least) {
    const free = roundAt(e.mxcsr, negative, mant, exp, sticky, top - f.mantBits);
    const tiny = top < least - 1 || free < f.hidden << 1n;
    if (tiny) {
      const masked = (e.mxcsr & (Exc.ue << 7)) !== 0;
      if (masked && (e.mxcsr & FTZ) !== 0) {
        e.post |= Exc.ue | Exc.pe;
        return sign;
      }
      if (!masked) {
        // Unmasked, inexact tells of the result before it was made to fit.
        e.post |= Exc.ue;
        const by = top - f.mantBits - exp;
        if (sticky || (by > 0 && (free << BigInt(by)) !== mant)) e.post |= Exc.pe;
        return sign | m;
      }
      if (inexact) e.post |= Exc.ue;
    }
    if (inexact) e.post |= Exc.pe;
    return sign | m; // a carry into the hidden bit makes the smallest normal number by itself
  }
  const bits = (BigInt(lsb + f.bias + f.mantBits - 1) << BigInt(f.mantBits)) + m;
  if (inexact) e.post |= Exc.pe;
  if (bits < f.inf) return sign | bits;
  e.post |= (e.mxcsr & (Exc.oe << 7)) !== 0 ? Exc.oe | Exc.pe : Exc.oe;
  const rc = e.mxcsr & RC;
  const infinite = rc === 0 || (rc === 0x2000 && negative) || (rc === 0x4000 && !negative);
  return sign | (infinite ? f.inf : f.inf - 1n);
}

/** Converts between the formats. */
export function convert(e: Env, from: Format, to: Format, a: bigint): bigint {
  const sign = (a & from.sign) !== 0n ? to.sign : 0n;
  const by = to.mantBits - from.mantBits;
  if (isNan(from, a)) {
    if ((a & from.quiet) === 0n) e.pre |= Exc.ie;
    const m = a & (from.hidden - 1n);
    return sign | to.inf | to.quiet | (by > 0 ? m << BigInt(by) : m >> BigInt(-by));
  }
  a = flush(e, from, a);
  if ((a & ~from.sign) === from.inf) return sign | to.inf;
  noteDenormals(e, from, a, a);
  const m = mantissa(from, a);
  return m === 0n ? sign : roundPack(e, to, sign, m, exponent(from, a), false);
}

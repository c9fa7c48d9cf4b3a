/**
 * Ordering of SSE numbers: the relation that comparisons, COMISS and MINPS share, with its exceptions.
 *
 * A signalling NaN is always invalid, a quiet one only where the instruction signals. Denormals are noted (or are
 * zeros under DAZ) unless a NaN comes first. Sources: SDM-1 11.5.2; SDM-2A CMPPS, COMISS. Hot.
 */
import { DAZ, type Env, Exc } from "./env.ts";

/** Outcome of a comparison. */
export const Order = { less: 0, equal: 1, greater: 2, unordered: 3 } as const;

const F64 = new Float64Array(2);
const F32 = new Float32Array(F64.buffer);
const I32 = new Int32Array(F64.buffer);

function isNanSingle(a: number): boolean {
  return (a & 0x7fffffff) > 0x7f800000;
}

function isDenormalSingle(a: number): boolean {
  return (a & 0x7f800000) === 0 && (a & 0x7fffff) !== 0;
}

function isNanDouble(low: number, high: number): boolean {
  const size = high & 0x7fffffff;
  return size > 0x7ff00000 || (size === 0x7ff00000 && low !== 0);
}

function isDenormalDouble(low: number, high: number): boolean {
  return (high & 0x7ff00000) === 0 && ((high & 0xfffff) | low) !== 0;
}

function relate(x: number, y: number): number {
  return x < y ? Order.less : x === y ? Order.equal : Order.greater;
}

/** Orders two singles; `signals`: a quiet NaN is invalid too. */
export function orderSingle(e: Env, a: number, b: number, signals: boolean): number {
  const nanA = isNanSingle(a), nanB = isNanSingle(b);
  if (nanA || nanB) {
    if (signals || (nanA && (a & 0x400000) === 0) || (nanB && (b & 0x400000) === 0)) e.pre |= Exc.ie;
    return Order.unordered;
  }
  if (isDenormalSingle(a) || isDenormalSingle(b)) {
    if ((e.mxcsr & DAZ) !== 0) {
      if (isDenormalSingle(a)) a = 0;
      if (isDenormalSingle(b)) b = 0;
    } else e.pre |= Exc.de;
  }
  I32[0] = a;
  I32[1] = b;
  return relate(F32[0], F32[1]);
}

/** Orders two doubles, words `w[a..]` and `w[b..]`. */
export function orderDouble(e: Env, w: Int32Array, a: number, b: number, signals: boolean): number {
  const aLow = w[a], aHigh = w[a + 1], bLow = w[b], bHigh = w[b + 1];
  const nanA = isNanDouble(aLow, aHigh), nanB = isNanDouble(bLow, bHigh);
  if (nanA || nanB) {
    if (signals || (nanA && (aHigh & 0x80000) === 0) || (nanB && (bHigh & 0x80000) === 0)) e.pre |= Exc.ie;
    return Order.unordered;
  }
  I32[0] = aLow;
  I32[1] = aHigh;
  I32[2] = bLow;
  I32[3] = bHigh;
  if (isDenormalDouble(aLow, aHigh) || isDenormalDouble(bLow, bHigh)) {
    if ((e.mxcsr & DAZ) !== 0) {
      if (isDenormalDouble(aLow, aHigh)) F64[0] = 0;
      if (isDenormalDouble(bLow, bHigh)) F64[1] = 0;
    } else e.pre |= Exc.de;
  }
  return relate(F64[0], F64[1]);
}

/** MINSS, MAXSS of one lane. */
export function minMaxSingle(e: Env, greater: boolean, a: number, b: number): number {
  const order = orderSingle(e, a, b, true);
  const r = order === (greater ? Order.greater : Order.less) ? a : b;
  return (e.mxcsr & DAZ) !== 0 && isDenormalSingle(r) ? r & -0x80000000 : r;
}

/** MINSD, MAXSD of one lane: words `w[a..]` and `w[b..]` to `to[at..]`. */
export function minMaxDouble(
  e: Env,
  greater: boolean,
  w: Int32Array,
  a: number,
  b: number,
  to: Int32Array,
  at: number,
): void {
  const order = orderDouble(e, w, a, b, true);
  const from = order === (greater ? Order.greater : Order.less) ? a : b;
  const low = w[from], high = w[from + 1];
  const zero = (e.mxcsr & DAZ) !== 0 && isDenormalDouble(low, high);
  to[at] = zero ? 0 : low;
  to[at + 1] = zero ? high & -0x80000000 : high;
}

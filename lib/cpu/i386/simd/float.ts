/**
 * Lane arithmetic of SSE and SSE2: JavaScript doubles where that is exact enough to be right, exact.ts elsewhere.
 *
 * The fast path takes finite normal numbers or zeros under rounding to nearest whose result is normal and not near
 * overflow; then the only possible exception is inexact, and an error-free transformation tells whether it happened:
 * the two-sum for additions, an exact product for the others. Single precision is computed in double and rounded
 * once more, which is innocuous for these operations since 53 >= 2 * 24 + 2.
 * Sources: SDM-1 11.5; Dekker 1971 and Knuth TAOCP 4.2.2 for the transformations. Hot.
 */
import { env, Exc, out, RC } from "./env.ts";
import { Arith, DOUBLE, exact, SINGLE } from "./exact.ts";

const F64 = new Float64Array(2);
const F32 = new Float32Array(F64.buffer);
const I32 = new Int32Array(F64.buffer);
const U64 = new BigUint64Array(F64.buffer);

const LEAST_SINGLE = 2 ** -125;
const MOST_SINGLE = 2 ** 127;
const LEAST_DOUBLE = 2 ** -900;
const MOST_DOUBLE = 2 ** 900;
/** Dekker's splitting constant for 53 bits. */
const SPLIT = 2 ** 27 + 1;

/** True if the bits are those of a zero or of a normal number. */
function plainSingle(a: number): boolean {
  const field = a & 0x7f800000;
  return field === 0 ? (a & 0x7fffff) === 0 : field !== 0x7f800000;
}

/** One lane, single precision: bits in, bits out. */
export function single(op: number, a: number, b: number): number {
  if ((env.mxcsr & RC) === 0 && plainSingle(a) && plainSingle(b)) {
    I32[0] = a;
    I32[1] = b;
    const x = F32[0], y = F32[1];
    const r = compute(op, x, y), f = Math.fround(r), size = Math.abs(f);
    if (size >= LEAST_SINGLE && size < MOST_SINGLE) {
      if (isInexactSingle(op, x, y, r, f)) env.post |= Exc.pe;
      F32[0] = f;
      return I32[0];
    }
    if (f === 0 && isZeroExact(op, x, y, r)) {
      F32[0] = f;
      return I32[0];
    }
  }
  return Number(exact(env, SINGLE, op, BigInt(a >>> 0), BigInt(b >>> 0))) | 0;
}

function compute(op: number, x: number, y: number): number {
  switch (op) {
    case Arith.add:
      return x + y;
    case Arith.sub:
      return x - y;
    case Arith.mul:
      return x * y;
    case Arith.div:
      return x / y;
    default:
      return Math.sqrt(x);
  }
}

/** A zero result that is no underflow. */
function isZeroExact(op: number, x: number, y: number, r: number): boolean {
  if (r !== 0) return false;
  if (op === Arith.mul) return x === 0 || y === 0;
  return op === Arith.div ? x === 0 : true;
}

function isInexactSingle(op: number, x: number, y: number, r: number, f: number): boolean {
  switch (op) {
    case Arith.add:
      return f !== r || sumError(x, y, r) !== 0;
    case Arith.sub:
      return f !== r || sumError(x, -y, r) !== 0;
    case Arith.mul:
      return f !== r;
    case Arith.div:
      return f * y !== x;
    default:
      return f * f !== x;
  }
}

/** Exact error of `s = x + y`. */
function sumError(x: number, y: number, s: number): number {
  const part = s - x;
  return (x - (s - part)) + (y - part);
}

/** Exact error of `p = x * y`: p + error is the product. Operands and product are far from the ends of the range. */
function productError(x: number, y: number, p: number): number {
  const a = SPLIT * x, xh = a - (a - x), xl = x - xh;
  const b = SPLIT * y, yh = b - (b - y), yl = y - yh;
  return ((xh * yh - p) + xh * yl + xl * yh) + xl * yl;
}

function plainDouble(low: number, high: number): boolean {
  const field = high & 0x7ff00000;
  return field === 0 ? ((high & 0xfffff) | low) === 0 : field !== 0x7ff00000;
}

/** One lane, double precision: words `w[a..]` and `w[b..]` in, words `out[to..]` out. */
export function double(op: number, w: Int32Array, a: number, b: number, to: number): void {
  I32[0] = w[a];
  I32[1] = w[a + 1];
  I32[2] = w[b];
  I32[3] = w[b + 1];
  if ((env.mxcsr & RC) !== 0 || !plainDouble(I32[0], I32[1]) || !plainDouble(I32[2], I32[3]) || !fastDouble(op)) {
    U64[0] = exact(env, DOUBLE, op, U64[0], U64[1]);
  }
  out[to] = I32[0];
  out[to + 1] = I32[1];
}

function inRange(v: number): boolean {
  const size = Math.abs(v);
  return size >= LEAST_DOUBLE && size < MOST_DOUBLE;
}

/** Computes F64[0] op F64[1] to F64[0]; false (nothing done) if that cannot be shown to be all. */
function fastDouble(op: number): boolean {
  const x = F64[0], y = F64[1], r = compute(op, x, y);
  if (r === 0 ? !isZeroExact(op, x, y, r) : !inRange(r)) return false;
  if (r !== 0) {
    if ((x !== 0 && !inRange(x)) || (op !== Arith.sqrt && y !== 0 && !inRange(y))) return false;
    if (isInexactDouble(op, x, y, r)) env.post |= Exc.pe;
  }
  F64[0] = r;
  return true;
}

function isInexactDouble(op: number, x: number, y: number, r: number): boolean {
  switch (op) {
    case Arith.add:
      return sumError(x, y, r) !== 0;
    case Arith.sub:
      return sumError(x, -y, r) !== 0;
    case Arith.mul:
      return productError(x, y, r) !== 0;
    case Arith.div: {
      const p = r * y;
      return p !== x || productError(r, y, p) !== 0;
    }
    default: {
      const p = r * r;
      return p !== x || productError(r, r, p) !== 0;
    }
  }
}

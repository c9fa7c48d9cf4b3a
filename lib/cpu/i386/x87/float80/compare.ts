/**
 * Comparison and classification. The result is condition bits C3, C2 and C0 together with exception flags.
 * Sources: SDM-2A FCOM, FUCOM, FTST, FXAM; SDM-1 8.1.3.2. Hot.
 */
import { Class, classify, Fsw, isSignaling } from "./format.ts";

/** Condition bits: unordered, greater, less, equal. */
export const Cond = { unordered: 0x4500, greater: 0, less: 0x100, equal: 0x4000 } as const;

/** Compares a with b; `quiet`: a quiet NaN is not invalid (FUCOM). */
export function compare(w: Int32Array, a: number, b: number, quiet: boolean): number {
  const sa = w[a + 2], sb = w[b + 2];
  const ea = sa & 0x7fff, eb = sb & 0x7fff;
  if (w[a + 1] < 0 && w[b + 1] < 0 && ea - 1 >>> 0 < 0x7ffe && eb - 1 >>> 0 < 0x7ffe) {
    return compareNumbers(w, a, b);
  }
  const ca = classify(w, a), cb = classify(w, b);
  if (ca === Class.unsupported || cb === Class.unsupported) return Cond.unordered | Fsw.ie;
  if (ca === Class.nan || cb === Class.nan) {
    const loud = !quiet || (ca === Class.nan && isSignaling(w, a)) || (cb === Class.nan && isSignaling(w, b));
    return loud ? Cond.unordered | Fsw.ie : Cond.unordered;
  }
  const flags = ca === Class.denormal || cb === Class.denormal ? Fsw.de : 0;
  if (ca === Class.zero && cb === Class.zero) return Cond.equal;
  return flags | compareNumbers(w, a, b);
}

/** FTST: compares with zero. */
export function compareZero(w: Int32Array, a: number): number {
  switch (classify(w, a)) {
    case Class.unsupported:
    case Class.nan:
      return Cond.unordered | Fsw.ie;
    case Class.zero:
      return Cond.equal;
    case Class.denormal:
      return Fsw.de | ((w[a + 2] & 0x8000) !== 0 ? Cond.less : Cond.greater);
    default:
      return (w[a + 2] & 0x8000) !== 0 ? Cond.less : Cond.greater;
  }
}

/** FXAM without the tag: C3, C2, C0 by class, C1 the sign. */
export function examine(w: Int32Array, a: number): number {
  return CLASS_BITS[classify(w, a)] | ((w[a + 2] & 0x8000) !== 0 ? Fsw.c1 : 0);
}

/** FXAM codes by {@linkcode Class}. */
const CLASS_BITS: readonly number[] = [Fsw.c2, Fsw.c3, Fsw.c2 | Fsw.c0, Fsw.c0, Fsw.c3 | Fsw.c2, 0];

/** Compares two numbers that are not NaN, not unsupported and not both zero. */
function compareNumbers(w: Int32Array, a: number, b: number): number {
  const negA = (w[a + 2] & 0x8000) !== 0, negB = (w[b + 2] & 0x8000) !== 0;
  if (negA !== negB) return negA ? Cond.less : Cond.greater;
  let order = exponent(w, a) - exponent(w, b);
  if (order === 0) order = (w[a + 1] >>> 0) - (w[b + 1] >>> 0);
  if (order === 0) order = (w[a] >>> 0) - (w[b] >>> 0);
  if (order === 0) return Cond.equal;
  return order < 0 !== negA ? Cond.less : Cond.greater;
}

/** Biased exponent; that of a denormal is 1, its integer bit is clear. */
function exponent(w: Int32Array, a: number): number {
  const e = w[a + 2] & 0x7fff;
  return e === 0 && (w[a] | w[a + 1]) !== 0 ? 1 : e;
}

/**
 * The 80-bit extended format: fields, classes, NaN rules.
 *
 * A number is three words of an Int32Array: low and high half of the mantissa (explicit integer bit in bit 31 of the
 * high half), then sign (bit 15) and biased exponent. That is how a register lies in the state block, so a kernel works
 * on registers in place: `w` is the array, `a`, `b`, `d` are word indices of operands and destination.
 * A kernel returns status word bits ({@linkcode Fsw}: exceptions and C1). It writes nothing if one of invalid, denormal
 * or divide-by-zero is among them and not masked.
 * Sources: SDM-1 4.2, 4.8, 8.2, 8.5. Hot.
 */

/** Bits of the x87 status word; the exception bits stand at the same place in the control word, as masks. */
export const Fsw = {
  ie: 1,
  de: 2,
  ze: 4,
  oe: 8,
  ue: 0x10,
  pe: 0x20,
  sf: 0x40,
  es: 0x80,
  c0: 0x100,
  c1: 0x200,
  c2: 0x400,
  c3: 0x4000,
  busy: 0x8000,
} as const;

/** Rounding control in the control word. */
export const Rc = { mask: 0xc00, nearest: 0, down: 0x400, up: 0x800, zero: 0xc00 } as const;

/** Precision control, as (control word >>> 8) & 3. */
export const Pc = { single: 0, double: 2, extended: 3 } as const;

/** Exponent bias. */
export const BIAS = 16383;

/** Bias adjustment of an unmasked overflow or underflow. */
export const BIAS_ADJUST = 24576;

/** Classes of operands. `denormal` includes pseudo-denormals; `unsupported` is pseudo-NaN, pseudo-infinity, unnormal. */
export const Class = { normal: 0, zero: 1, infinity: 2, nan: 3, denormal: 4, unsupported: 5 } as const;

/** Class of the number at `w[a]`. */
export function classify(w: Int32Array, a: number): number {
  const exp = w[a + 2] & 0x7fff, hi = w[a + 1];
  if (exp === 0) return (hi | w[a]) === 0 ? Class.zero : Class.denormal;
  if (hi >= 0) return Class.unsupported;
  if (exp !== 0x7fff) return Class.normal;
  return ((hi << 1) | w[a]) === 0 ? Class.infinity : Class.nan;
}

/** True if the NaN at `w[a]` signals. */
export function isSignaling(w: Int32Array, a: number): boolean {
  return (w[a + 1] & 0x40000000) === 0;
}

/** Writes the default NaN (real indefinite). */
export function setIndefinite(w: Int32Array, d: number): void {
  w[d] = 0;
  w[d + 1] = 0xc0000000 | 0;
  w[d + 2] = 0xffff;
}

/** Writes a signed zero; `sign` is 0 or 1. */
export function setZero(w: Int32Array, d: number, sign: number): void {
  w[d] = 0;
  w[d + 1] = 0;
  w[d + 2] = sign << 15;
}

/** Writes a signed infinity. */
export function setInfinity(w: Int32Array, d: number, sign: number): void {
  w[d] = 0;
  w[d + 1] = 0x80000000 | 0;
  w[d + 2] = (sign << 15) | 0x7fff;
}

/** Writes a signed power of two; `exp` is the biased exponent. */
export function setPower(w: Int32Array, d: number, sign: number, exp: number): void {
  w[d] = 0;
  w[d + 1] = 0x80000000 | 0;
  w[d + 2] = (sign << 15) | exp;
}

/** Copies a number. */
export function copy(w: Int32Array, d: number, a: number): void {
  w[d] = w[a];
  w[d + 1] = w[a + 1];
  w[d + 2] = w[a + 2];
}

/** Invalid operation: the default NaN if masked. */
export function invalid(w: Int32Array, d: number, fcw: number): number {
  if ((fcw & Fsw.ie) !== 0) setIndefinite(w, d);
  return Fsw.ie;
}

/** Result of an operation with one operand that is a NaN or unsupported. */
export function nan1(w: Int32Array, d: number, a: number, fcw: number): number {
  if (classify(w, a) === Class.unsupported) return invalid(w, d, fcw);
  if (isSignaling(w, a)) {
    if ((fcw & Fsw.ie) === 0) return Fsw.ie;
    copy(w, d, a);
    w[d + 1] |= 0x40000000;
    return Fsw.ie;
  }
  copy(w, d, a);
  return 0;
}

/**
 * Result of an operation with two operands of which at least one is a NaN or unsupported (SDM-1 table 4-7): a quiet NaN
 * before a signaling one, otherwise the larger mantissa, otherwise the positive one.
 */
export function nan2(w: Int32Array, d: number, a: number, b: number, fcw: number): number {
  const ca = classify(w, a), cb = classify(w, b);
  if (ca === Class.unsupported || cb === Class.unsupported) return invalid(w, d, fcw);
  if (cb !== Class.nan) return nan1(w, d, a, fcw);
  if (ca !== Class.nan) return nan1(w, d, b, fcw);
  const sa = isSignaling(w, a), sb = isSignaling(w, b);
  const flags = sa || sb ? Fsw.ie : 0;
  if ((flags & ~fcw) !== 0) return flags;
  let first: boolean;
  if (sa !== sb) first = sb;
  else if (w[a + 1] !== w[b + 1]) first = (w[a + 1] >>> 0) > (w[b + 1] >>> 0);
  else if (w[a] !== w[b]) first = (w[a] >>> 0) > (w[b] >>> 0);
  else first = (w[a + 2] & 0x8000) === 0;
  copy(w, d, first ? a : b);
  w[d + 1] |= 0x40000000;
  return flags;
}

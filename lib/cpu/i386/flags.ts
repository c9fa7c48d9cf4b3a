/**
 * Lazy arithmetic flags: an instruction records its kind and operands, and a flag is derived only when one is asked
 * for. Operands of 8- and 16-bit operations are kept shifted to the top of the word, so that carry, zero, sign and
 * overflow are the same expressions for every width; only parity and adjust need the width back.
 *
 * ADD: a + b + c, SUB: a - b - c (c is the shifted carry-in, 0 when none). RESULT: a is the result, b is CF, c is OF,
 * AF is clear. INC, DEC: a is the result, b is the old CF. WORD: a is the six flags as EFLAGS bits.
 * Sources: SDM-1 3.4.3. Warm: TypeScript side; engines emit the same expressions.
 */
import { type CpuState, Layout } from "./state.ts";

/** What the three flag words mean; the width is added by {@linkcode kindOf}. */
export const FlagsKind = { word: 0, add: 1, sub: 2, result: 3, inc: 4, dec: 5 } as const;

/** Arithmetic flags as EFLAGS bits. */
export const ARITH_MASK = 0x8d5;

/** Kind word: operation in the low 3 bits, top-alignment shift (0, 16, 24) in bits 3-7. */
export function kindOf(kind: number, width: 8 | 16 | 32): number {
  return kind | ((32 - width) << 3);
}

/** CF, 0 or 1. */
export function carry(s: CpuState): number {
  const i = s.i32;
  const a = i[Layout.flagsA >>> 2], b = i[Layout.flagsB >>> 2], c = i[Layout.flagsC >>> 2];
  switch (i[Layout.flagsKind >>> 2] & 7) {
    case FlagsKind.word:
      return a & 1;
    case FlagsKind.add: {
      const r = (a + b + c) >>> 0;
      return c !== 0 ? (r <= (a >>> 0) ? 1 : 0) : (r < (a >>> 0) ? 1 : 0);
    }
    case FlagsKind.sub:
      return c !== 0 ? ((a >>> 0) <= (b >>> 0) ? 1 : 0) : ((a >>> 0) < (b >>> 0) ? 1 : 0);
    default:
      return b;
  }
}

/** All six arithmetic flags as EFLAGS bits. */
export function arithmetic(s: CpuState): number {
  const i = s.i32;
  const kind = i[Layout.flagsKind >>> 2];
  return deriveFlags(kind, i[Layout.flagsA >>> 2], i[Layout.flagsB >>> 2], i[Layout.flagsC >>> 2]);
}

/** The six arithmetic flags of a lazy record, as EFLAGS bits. */
export function deriveFlags(kind: number, a: number, b: number, c: number): number {
  const shift = kind >>> 3;
  switch (kind & 7) {
    case FlagsKind.word:
      return a & ARITH_MASK;
    case FlagsKind.add: {
      const r = (a + b + c) | 0;
      const cf = c !== 0 ? (r >>> 0) <= (a >>> 0) : (r >>> 0) < (a >>> 0);
      return szp(r, shift) | (cf ? 1 : 0) | (((a ^ b ^ r) >>> shift) & 0x10) | ((((a ^ r) & (b ^ r)) >>> 31) << 11);
    }
    case FlagsKind.sub: {
      const r = (a - b - c) | 0;
      const cf = c !== 0 ? (a >>> 0) <= (b >>> 0) : (a >>> 0) < (b >>> 0);
      return szp(r, shift) | (cf ? 1 : 0) | (((a ^ b ^ r) >>> shift) & 0x10) | ((((a ^ b) & (a ^ r)) >>> 31) << 11);
    }
    case FlagsKind.result:
      return szp(a, shift) | b | (c << 11);
    case FlagsKind.inc:
      return szp(a, shift) | b | (((a >>> shift) & 15) === 0 ? 0x10 : 0) | ((a >>> 0) === 0x80000000 ? 0x800 : 0);
    default: // dec
      return szp(a, shift) | b | (((a >>> shift) & 15) === 15 ? 0x10 : 0) |
        ((a >>> 0) === maxPositive(shift) ? 0x800 : 0);
  }
}

function maxPositive(shift: number): number {
  return ((0x7fffffff >>> shift) << shift) >>> 0;
}

function szp(r: number, shift: number): number {
  const low = (r >>> shift) & 0xff;
  const even = (0x9669 >>> ((low ^ (low >>> 4)) & 15)) & 1;
  return (r === 0 ? 0x40 : 0) | ((r >>> 24) & 0x80) | (even << 2);
}

/** Complete EFLAGS, u32. */
export function readEflags(s: CpuState): number {
  return ((s.i32[Layout.eflags >>> 2] & ~ARITH_MASK) | arithmetic(s) | 2) >>> 0;
}

/** Sets complete EFLAGS; the caller has masked what may not change and recomputes the mode when VM changed. */
export function writeEflags(s: CpuState, value: number): void {
  const i = s.i32;
  i[Layout.eflags >>> 2] = (value & ~ARITH_MASK) | 2;
  setArithmetic(s, value);
}

/** Sets the six arithmetic flags from EFLAGS bits. */
export function setArithmetic(s: CpuState, value: number): void {
  const i = s.i32;
  i[Layout.flagsKind >>> 2] = FlagsKind.word;
  i[Layout.flagsA >>> 2] = value & ARITH_MASK;
  i[Layout.flagsB >>> 2] = 0;
  i[Layout.flagsC >>> 2] = 0;
}

/** Condition code 0-15 (O NO B AE Z NZ BE A S NS P NP L GE LE G) of a flags word. */
export function condition(cc: number, flags: number): boolean {
  const cf = (flags & 1) !== 0, zf = (flags & 0x40) !== 0;
  const less = ((flags >>> 7) & 1) !== ((flags >>> 11) & 1);
  let yes: boolean;
  switch (cc >> 1) {
    case 0:
      yes = (flags & 0x800) !== 0;
      break;
    case 1:
      yes = cf;
      break;
    case 2:
      yes = zf;
      break;
    case 3:
      yes = cf || zf;
      break;
    case 4:
      yes = (flags & 0x80) !== 0;
      break;
    case 5:
      yes = (flags & 4) !== 0;
      break;
    case 6:
      yes = less;
      break;
    default:
      yes = less || zf;
  }
  return yes !== ((cc & 1) !== 0);
}

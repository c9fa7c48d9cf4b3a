/**
 * Parts of x87 kernels: may it run, where is ST(i), what is a plain number, rounding, results.
 *
 * A number in flight is a mantissa (i64, top bit set unless zero) and sign with biased exponent (i32), as in a register.
 * Rounding takes 64 more bits below the mantissa of which the last is sticky; all four rounding modes and the precisions
 * 64 and 53 are done here, anything that over- or underflows goes to TypeScript. Cold code that makes hot code.
 * Sources: SDM-1 4.8.4, 8.1.5, 8.5.
 */
import { Cr0 } from "../../../spec/i386_regs.ts";
import { Layout } from "../state.ts";
import { BIAS, Fsw, Rc } from "../x87/float80/format.ts";
import type { Code, Local, Value } from "./code.ts";

/** A number. */
export interface Num {
  /** Mantissa, i64. */
  readonly m: Value;
  /** Sign (bit 15) and biased exponent, i32. */
  readonly se: Value;
  /** Biased exponent, if it is there by itself. */
  readonly exp?: Value;
  /** Sign, 0 or 0x8000, if it is there by itself. */
  readonly sign?: Value;
}

/** A number in locals. */
export interface LocalNum extends Num {
  readonly m: Local;
  readonly se: Local;
}

/** Top bit of a mantissa. */
export const TOP_BIT: bigint = -(1n << 63n);

/** Slow unless x87 instructions may run and no error is pending. */
export function ready(k: Code): void {
  k.slowIf(k.i("or", k.i("and", k.field(Layout.cr0), Cr0.em | Cr0.ts), k.i("and", k.field(Layout.fsw), Fsw.es)));
}

/** Slow unless an inexact result may be recorded without more: the exception is masked. Returns the control word. */
export function inexactMasked(k: Code): Local {
  const fcw = k.let("i32", k.field(Layout.fcw));
  k.slowIf(k.i("eqz", k.i("and", fcw, Fsw.pe)));
  return fcw;
}

/** A stack register: its physical number, and its byte offset from the first. */
export interface Stack {
  /** 0-7. */
  readonly n: Local;
  /** Byte offset among the registers. */
  readonly at: Local;
}

/** ST(i); `i` is a constant or a value. */
export function stack(k: Code, i: number | Value): Stack {
  const top = k.field(Layout.ftop);
  const n = k.let("i32", i === 0 ? top : k.i("and", k.i("add", top, i), 7));
  return { n, at: k.let("i32", k.i("shl", n, 4)) };
}

/** Slow if one of the registers is empty. */
export function full(k: Code, ...regs: Stack[]): void {
  const bits = regs.map((r) => k.i("shr_u", k.field(Layout.fempty), r.n));
  k.slowIf(k.i("and", bits.reduce((a, b) => k.i("or", a, b)), 1));
}

/** Reads a register. */
export function read(k: Code, r: Stack): LocalNum {
  const at = k.at(Layout.fpr);
  return { m: k.let("i64", k.load("i64.load", r.at, at)), se: k.let("i32", k.load("i32.load", r.at, at + 8)) };
}

/** Writes a register. */
export function write(k: Code, r: Stack, m: Value, se: Value): void {
  const at = k.at(Layout.fpr);
  k.store("i64.store", r.at, m, at);
  k.store("i32.store", r.at, se, at + 8);
}

/** Biased exponent. */
export function exponent(k: Code, n: Num): Value {
  return n.exp ?? k.i("and", n.se, 0x7fff);
}

/** Sign, 0 or 0x8000. */
export function signOf(k: Code, n: Num): Value {
  return n.sign ?? k.i("and", n.se, 0x8000);
}

/** 0x8000 if the signs differ, else 0. */
export function signsDiffer(k: Code, a: Num, b: Num): Value {
  const both = k.i("xor", a.sign ?? a.se, b.sign ?? b.se);
  return a.sign !== undefined && b.sign !== undefined ? both : k.i("and", both, 0x8000);
}

/** 1 if the sign is set, else 0. */
export function isNegative(k: Code, n: Num): Value {
  return k.i("shr_u", n.sign ?? n.se, 15);
}

/** True for a normal number. */
export function isNormal(k: Code, n: Num): Value {
  return k.i("and", k.l("lt_s", n.m, 0), k.i("lt_u", k.i("sub", exponent(k, n), 1), 0x7ffe));
}

/** True for a zero. */
export function isZero(k: Code, n: Num): Value {
  return k.l("eqz", k.l("or", n.m, k.l("extend_i32_u", exponent(k, n))));
}

/** Slow unless the number is normal or zero. */
export function plain(k: Code, n: Num): void {
  k.slowIf(k.i("eqz", k.i("or", isNormal(k, n), isZero(k, n))));
}

/** Records exceptions and C1 in the status word; the old C1 goes. */
export function setStatus(k: Code, flags: Value | number): void {
  const kept = k.i("and", k.field(Layout.fsw), ~Fsw.c1);
  k.setField(Layout.fsw, flags === 0 ? kept : k.i("or", kept, flags));
}

/** Frees ST(0) and raises TOP. `top` is ST(0). */
export function pop(k: Code, top: Stack): void {
  k.setField(Layout.fempty, k.i("or", k.field(Layout.fempty), k.i("shl", k.c(1), top.n)));
  k.setField(Layout.ftop, k.i("and", k.i("add", top.n, 1), 7));
}

/** The register that a push will fill; slow if it is not empty. */
export function pushSlot(k: Code): Stack {
  const slot = stack(k, 7);
  k.slowIf(k.i("eqz", k.i("and", k.i("shr_u", k.field(Layout.fempty), slot.n), 1)));
  return slot;
}

/** Pushes into the slot. */
export function push(k: Code, slot: Stack, m: Value, se: Value): void {
  write(k, slot, m, se);
  k.setField(Layout.ftop, slot.n);
  k.setField(Layout.fempty, k.i("and", k.field(Layout.fempty), k.i("xor", k.i("shl", k.c(1), slot.n), -1)));
}

/** True if the magnitude goes up; `rest` (i64) is what is cut off, top-aligned, `odd` (i64) the last bit kept. No `fcw`: to nearest. */
export function roundsUp(k: Code, fcw: Local | undefined, sign: Value, rest: Local, odd: Value): Local {
  if (fcw === undefined) return k.let("i32", nearestUp(k, rest, odd));
  const up = k.let("i32", k.c(0));
  k.if(k.i("eqz", k.i("and", fcw, Rc.mask)), () => k.set(up, nearestUp(k, rest, odd)), () => {
    const mode = k.let("i32", k.i("and", fcw, Rc.mask));
    const away = k.i(
      "or",
      k.i("and", k.i("eq", mode, Rc.down), k.i("ne", sign, 0)),
      k.i("and", k.i("eq", mode, Rc.up), k.i("eqz", sign)),
    );
    k.set(up, k.i("and", k.l("ne", rest, 0), away));
  }, "likely");
  return up;
}

/** The same to nearest. */
export function nearestUp(k: Code, rest: Local, odd: Value): Value {
  const notTie = k.l("ne", rest, TOP_BIT);
  return k.i("and", k.l("lt_s", rest, 0), k.i("or", notTie, k.l("ne", odd, 0)));
}

/** PE if something is cut off, and C1 if the magnitude went up. */
export function inexactFlags(k: Code, rest: Local, up: Local): Value {
  return k.i(
    "or",
    k.i("shl", k.l("ne", rest, 0), 5),
    k.i("shl", up, 9),
  );
}

/** A number that is not rounded yet. */
export interface Parts {
  /** Mantissa, i64, top bit set; the rounded one afterwards. */
  readonly m: Local;
  /** Bits below, i64. */
  readonly ext: Local;
  /** Biased exponent; adjusted by a carry afterwards. */
  readonly exp: Local;
  /** 0 or 0x8000. */
  readonly sign: Local;
}

/** What {@linkcode round} works on. */
export interface Unrounded extends Parts {
  /** Gets PE and C1. */
  readonly flags: Local;
}

/** Rounds to the precision of the control word. Slow if the exponent is near its ends. */
export function round(k: Code, u: Unrounded, fcw: Local): void {
  const { m, ext, exp, sign, flags } = u;
  inRange(k, exp);
  const up = k.let("i32", k.c(0));
  k.if(k.i("eq", k.i("and", fcw, 0xf00), 0x300), () => addNearest(k, u, up), () => {
    k.slowIf(k.i("eqz", k.i("and", fcw, 0x200)));
    k.if(k.i("and", fcw, 0x100), () => {
      k.set(up, roundsUp(k, fcw, sign, ext, k.l("and", m, 1)));
      k.set(m, k.l("add", m, k.l("extend_i32_u", up)));
    }, () => {
      k.set(ext, k.l("or", k.l("shl", m, 53), k.l("extend_i32_u", k.l("ne", ext, 0))));
      const odd = k.let("i64", k.l("and", m, 0x800));
      k.set(up, roundsUp(k, fcw, sign, ext, odd));
      k.set(m, k.l("add", k.l("and", m, ~0x7ffn), k.l("shl", k.l("extend_i32_u", up), 11)));
    });
  }, "likely");
  carried(k, u);
  k.set(flags, inexactFlags(k, ext, up));
}

/** Rounds to nearest with 64 bits. Slow if the exponent is near its ends. Gives what C1 becomes. */
export function roundNearest(k: Code, u: Parts): Local {
  inRange(k, u.exp);
  const up = k.let("i32", k.c(0));
  addNearest(k, u, up);
  carried(k, u);
  return up;
}

function inRange(k: Code, exp: Local): void {
  k.slowIf(k.i("ge_u", k.i("sub", exp, 1), 0x7ffd));
}

/** Adds the bit below the last place, which is right unless all below that is zero: then the last bit is cleared. */
function addNearest(k: Code, { m, ext }: Parts, up: Local): void {
  k.set(up, k.i("wrap_i64", k.l("shr_u", ext, 63)));
  const tie = k.l("eq", ext, TOP_BIT);
  k.if(
    tie,
    () => {
      k.set(up, k.i("and", k.i("wrap_i64", m), 1));
      k.set(m, k.l("add", m, k.l("and", m, 1)));
    },
    () => k.set(m, k.l("add", m, k.l("shr_u", ext, 63))),
    "unlikely",
  );
}

/** After an addition to a mantissa with its top bit set: a carry out of it goes to the exponent. */
export function carried(k: Code, { m, exp }: Pick<Parts, "m" | "exp">): void {
  k.if(
    k.l("eqz", m),
    () => {
      k.set(m, k.cl(TOP_BIT));
      k.set(exp, k.i("add", exp, 1));
    },
    undefined,
    "unlikely",
  );
}

/** Single, double or integer at an address as a number: plain ones only. */
export function loadNumber(k: Code, format: "m32" | "m64" | "i16" | "i32" | "i64", address: Value): PartedNum {
  if (format === "m32") return loadFloat(k, k.l("shl", k.load("i64.load32_u", address), 32), 8, 127);
  if (format === "m64") return loadFloat(k, k.load("i64.load", address), 11, 1023);
  const name = format === "i16" ? "i64.load16_s" : format === "i32" ? "i64.load32_s" : "i64.load";
  const v = k.let("i64", k.load(name, address));
  const minus = k.let("i64", k.l("shr_s", v, 63));
  const size = k.let("i64", k.l("sub", k.l("xor", v, minus), minus));
  const n = k.let("i64", k.l("clz", size));
  const m = k.let("i64", k.l("shl", size, n)); // a count of 64 shifts by 0: zero stays zero
  const e = k.i("sub", k.c(BIAS + 63), k.i("wrap_i64", n));
  const exp = k.let("i32", k.select(k.l("eqz", v), k.c(0), e));
  return parted(k, m, exp, k.let("i32", k.i("and", k.i("wrap_i64", minus), 0x8000)));
}

/** A number whose sign and exponent are apart. */
export interface PartedNum extends Num {
  readonly exp: Local;
  readonly sign: Local;
}

/** A number from its parts. */
export function parted(k: Code, m: Local, exp: Local, sign: Local): PartedNum & { readonly m: Local } {
  return { m, exp, sign, se: k.i("or", sign, exp) };
}

/** The number with the other sign. */
export function negated(k: Code, n: Num): Num {
  const { m, exp } = n;
  if (n.sign === undefined || exp === undefined) return { m, se: k.let("i32", k.i("xor", n.se, 0x8000)) };
  const sign = k.let("i32", k.i("xor", n.sign, 0x8000));
  return { m, exp, sign, se: k.i("or", sign, exp) };
}

/** `bits`: sign, exponent and fraction at the top of an i64. */
function loadFloat(k: Code, bits: Value, expBits: number, bias: number): PartedNum {
  const all = (1 << expBits) - 1;
  const b = k.let("i64", bits);
  const e = k.let("i32", k.i("and", k.i("wrap_i64", k.l("shr_u", b, 63 - expBits)), all));
  const sign = k.let("i32", k.i("and", k.i("wrap_i64", k.l("shr_u", b, 48)), 0x8000));
  const m = k.let("i64", k.l("or", k.l("shl", b, expBits), TOP_BIT));
  const exp = k.let("i32", k.i("add", e, BIAS - bias));
  k.if(
    k.i("ge_u", k.i("sub", e, 1), all - 1),
    () => {
      k.slowIf(k.l("ne", k.l("shl", b, 1), 0)); // neither normal nor zero
      k.set(m, k.cl(0n));
      k.set(exp, 0);
    },
    undefined,
    "unlikely",
  );
  return parted(k, m, exp, sign);
}

const LOW32 = 0xffffffffn;

/** high:low := a * b. */
export function product(k: Code, a: Value, b: Value, high: Local, low: Local): void {
  const al = k.let("i64", k.l("and", a, LOW32)), ah = k.let("i64", k.l("shr_u", a, 32));
  const bl = k.let("i64", k.l("and", b, LOW32)), bh = k.let("i64", k.l("shr_u", b, 32));
  const p1 = k.let("i64", k.l("add", k.l("mul", ah, bl), k.l("shr_u", k.l("mul", al, bl), 32)));
  const p2 = k.l("add", k.l("mul", al, bh), k.l("and", p1, LOW32));
  const top = k.l("add", k.l("shr_u", p1, 32), k.l("shr_u", p2, 32));
  k.set(low, k.l("mul", a, b));
  k.set(high, k.l("add", k.l("mul", ah, bh), top));
}

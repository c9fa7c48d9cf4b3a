/**
 * Decimal adjustment: DAA, DAS, AAA, AAS, AAM, AAD. Flags the manual leaves undefined: OF becomes 0, and SF, ZF, PF are
 * those of AL. Source: SDM-2A (pseudocode of each). Cold: builds trees.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";

const AL = 0, AX = 0, AH = 4;

/** The flags of AL with a given CF and AF. */
function flagsOfAl(b: Builder, cf: Expr, af: Expr): void {
  const al = b.let(b.reg(AL, 8));
  const zf = b.shl(b.unary("eqz", al), 6);
  const odd = b.and(b.unary("popcnt", al), b.const(1));
  const pf = b.shl(b.xor(odd, b.const(1)), 2);
  const sign = b.and(al, b.const(Flag.sf));
  b.flagsSet(b.or(b.or(b.or(zf, pf), sign), b.or(cf, b.shl(af, 4))));
}

function gt(b: Builder, a: Expr, n: number): Expr {
  return b.binary("gtU", a, b.const(n));
}

/** True if the low digit needs adjustment. */
function lowDigit(b: Builder, al: Expr, flags: Expr): Expr {
  const af = b.and(b.shr(flags, 4), b.const(1));
  return b.let(b.or(gt(b, b.and(al, b.const(15)), 9), af));
}

function decimal(b: Builder, subtract: boolean): void {
  const al = b.let(b.reg(AL, 8)), flags = b.let(b.flagsWord());
  const low = lowDigit(b, al, flags);
  const high = b.let(b.or(gt(b, al, 0x99), b.and(flags, b.const(Flag.cf))));
  const zero = b.const(0);
  const by = b.add(b.select(low, b.const(6), zero), b.select(high, b.const(0x60), zero));
  b.setReg(AL, 8, subtract ? b.sub(al, by) : b.add(al, by));
  const borrow = b.and(low, b.binary("ltU", al, b.const(6)));
  flagsOfAl(b, subtract ? b.or(high, borrow) : high, low);
}

/** DAA. */
export const daa: Semantic = (b) => decimal(b, false);
/** DAS. */
export const das: Semantic = (b) => decimal(b, true);

function ascii(b: Builder, by: number): void {
  const ax = b.let(b.reg(AX, 16));
  const adjust = lowDigit(b, ax, b.flagsWord());
  const r = b.select(adjust, b.add(ax, b.const(by)), ax);
  b.setReg(AX, 16, b.and(r, b.const(0xff0f)));
  flagsOfAl(b, adjust, adjust);
}

/** AAA. */
export const aaa: Semantic = (b) => ascii(b, 0x106);
/** AAS. */
export const aas: Semantic = (b) => ascii(b, -0x106);

/** AAM. */
export const aam: Semantic = (b) => {
  const base = b.let(b.and(b.imm(), b.const(0xff))), al = b.let(b.reg(AL, 8));
  b.if(b.unary("eqz", base), () => b.raise(Vector.de));
  b.setReg(AH, 8, b.binary("divU", al, base));
  const r = b.let(b.binary("remU", al, base));
  b.setReg(AL, 8, r);
  b.flagsLogic(8, r);
};

/** AAD. */
export const aad: Semantic = (b) => {
  const high = b.binary("mul", b.reg(AH, 8), b.and(b.imm(), b.const(0xff)));
  const r = b.let(b.mask(b.add(b.reg(AL, 8), high), 8));
  b.setReg(AX, 16, r);
  b.flagsLogic(8, r);
};

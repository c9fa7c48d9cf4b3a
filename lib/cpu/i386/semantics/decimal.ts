/**
 * Decimal adjustment. Flags the manual leaves undefined follow the result. Source: SDM-2A AAA to AAS, DAA, DAS. Cold.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";

const AL = 0, AX = 0, AH = 4;

/** SF ZF PF of an 8-bit result with CF and AF. */
function setFlags(b: Builder, result: Expr, cf: Expr, af: Expr): void {
  b.flagsResult(8, result, cf, b.const(0));
  b.flagsSet(b.or(b.flagsWord(), b.select(af, b.const(Flag.af), b.const(0))));
}

function auxiliary(b: Builder, al: Expr): Expr {
  const nine = b.binary("gtU", b.and(al, b.const(15)), b.const(9));
  return b.let(b.or(nine, b.and(b.shr(b.flagsWord(), 4), b.const(1))));
}

/** DAA, DAS. */
function adjustPacked(sign: 1 | -1): Semantic {
  return (b) => {
    const al = b.let(b.reg(AL, 8)), carry = b.let(b.cf());
    const af = auxiliary(b, al);
    const high = b.let(b.or(b.binary("gtU", al, b.const(0x99)), carry));
    const low = b.let(b.add(al, b.select(af, b.const(6 * sign), b.const(0))));
    const wrapped = b.binary("ne", b.mask(low, 8), low);
    const r = b.let(b.mask(b.add(low, b.select(high, b.const(0x60 * sign), b.const(0))), 8));
    // DAS keeps a borrow out of the first step even when the second is not made.
    const cf = b.let(sign === 1 ? high : b.or(high, b.and(af, wrapped)));
    b.setReg(AL, 8, r);
    setFlags(b, r, cf, af);
  };
}

/** AAA, AAS. */
function adjustUnpacked(sign: 1 | -1): Semantic {
  return (b) => {
    const af = auxiliary(b, b.reg(AL, 8));
    const moved = b.let(b.add(b.reg(AX, 16), b.select(af, b.const(0x106 * sign), b.const(0))));
    b.setReg(AX, 16, b.and(moved, b.const(0xff0f)));
    setFlags(b, b.and(moved, b.const(15)), af, af);
  };
}

/** Trees of this chapter. */
export const DECIMAL: Readonly<Record<string, Semantic>> = {
  daa: adjustPacked(1),
  das: adjustPacked(-1),
  aaa: adjustUnpacked(1),
  aas: adjustUnpacked(-1),
  aam: (b) => {
    const base = b.let(b.and(b.imm(), b.const(0xff)));
    b.if(b.unary("eqz", base), () => b.raise(Vector.de));
    const al = b.let(b.reg(AL, 8));
    const r = b.let(b.binary("remU", al, base));
    b.setReg(AH, 8, b.binary("divU", al, base));
    b.setReg(AL, 8, r);
    setFlags(b, r, b.const(0), b.const(0));
  },
  aad: (b) => {
    const r = b.let(b.mask(b.add(b.reg(AL, 8), b.binary("mul", b.reg(AH, 8), b.and(b.imm(), b.const(0xff)))), 8));
    b.setReg(AX, 16, r);
    setFlags(b, r, b.const(0), b.const(0));
  },
};

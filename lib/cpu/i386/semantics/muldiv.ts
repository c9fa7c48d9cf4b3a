/**
 * Multiplication and division. SF, ZF, PF after a multiplication are undefined in the manual; here they are those of
 * the low half of the product. Division leaves the flags alone. Quotients that do not fit raise #DE, and no division
 * node of a tree ever sees operands it could trap on. Source: SDM-2 MUL IMUL DIV IDIV. Cold: builds trees.
 */
import { Vector } from "../../../spec/i386_regs.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";

const EAX = 0, EDX = 2, AH = 4;

/** MUL: AX, DX:AX, EDX:EAX = accumulator * operand. */
export const mul: Semantic = (b) => {
  const y = b.read(0);
  if (b.w === 32) {
    const p = b.let(b.binary("mul", wide(b, b.reg(EAX), false), wide(b, y, false)));
    const high = b.let(b.unary("wrap", b.shr(p, 32)));
    finishWide(b, p, high, b.binary("ne", high, b.const(0)));
    return;
  }
  const p = b.let(b.binary("mul", b.reg(EAX, b.w), y));
  const high = b.let(b.shr(p, b.w));
  const over = b.let(b.binary("ne", high, b.const(0)));
  finishNarrow(b, p, high, over);
};

/** IMUL with one operand. */
export const imul1: Semantic = (b) => {
  const y = b.read(0);
  if (b.w === 32) {
    const p = b.let(b.binary("mul", wide(b, b.reg(EAX), true), wide(b, y, true)));
    const high = b.let(b.unary("wrap", b.shr(p, 32)));
    finishWide(b, p, high, b.binary("ne", high, b.sar(b.unary("wrap", p), 31)));
    return;
  }
  const p = b.let(b.binary("mul", b.signed(b.reg(EAX, b.w), b.w), b.signed(y, b.w)));
  finishNarrow(b, p, b.shr(p, b.w), b.let(b.binary("ne", p, b.signed(p, b.w))));
};

function wide(b: Builder, e: Expr, signed: boolean): Expr {
  return b.unary(signed ? "extend64S" : "extend64U", e);
}

function finishWide(b: Builder, product: Expr, high: Expr, over: Expr): void {
  const low = b.let(b.unary("wrap", product)), o = b.let(over);
  b.setReg(EAX, 32, low);
  b.setReg(EDX, 32, high);
  b.flagsResult(32, low, o, o);
}

function finishNarrow(b: Builder, product: Expr, high: Expr, over: Expr): void {
  if (b.w === 8) b.setReg(EAX, 16, product);
  else {
    b.setReg(EAX, 16, product);
    b.setReg(EDX, 16, high);
  }
  b.flagsResult(b.w, product, over, over);
}

/** IMUL r, r/m. */
export const imul2: Semantic = (b) => {
  const y = b.read(1);
  truncated(b, b.read(0), y);
};

/** IMUL r, r/m, imm. */
export const imul3: Semantic = (b) => {
  const x = b.read(1);
  truncated(b, x, b.read(2));
};

function truncated(b: Builder, x: Expr, y: Expr): void {
  let r: Expr, over: Expr;
  if (b.w === 32) {
    const p = b.let(b.binary("mul", wide(b, x, true), wide(b, y, true)));
    r = b.let(b.unary("wrap", p));
    over = b.let(b.binary("ne", p, wide(b, r, true)));
  } else {
    r = b.let(b.binary("mul", b.signed(x, b.w), b.signed(y, b.w)));
    over = b.let(b.binary("ne", r, b.signed(r, b.w)));
  }
  b.write(0, r);
  b.flagsResult(b.w, r, over, over);
}

/** DIV. A quotient fits if and only if the high half is below the divisor; that also rules out zero. */
export const div: Semantic = (b) => {
  const y = b.let(b.read(0));
  const high = b.w === 8 ? b.reg(AH, 8) : b.reg(EDX, b.w);
  b.if(b.binary("geU", high, y), () => b.raise(Vector.de));
  if (b.w === 32) {
    // Without a high half 32 bits do, which hosts divide faster.
    b.if(b.unary("eqz", b.reg(EDX)), () => {
      const low = b.let(b.reg(EAX));
      commit(b, b.binary("divU", low, y), b.binary("remU", low, y));
    }, () => {
      const n = b.let(dividend64(b)), d = b.let(wide(b, y, false));
      const q = b.let(b.unary("wrap", b.binary("divU", n, d)));
      commit(b, q, b.let(b.unary("wrap", b.binary("remU", n, d))));
    }, true);
    return;
  }
  const n = b.let(dividend32(b));
  const q = b.let(b.binary("divU", n, y));
  commit(b, q, b.let(b.binary("remU", n, y)));
};

/** IDIV. */
export const idiv: Semantic = (b) => {
  const y = b.let(b.signed(b.read(0), b.w));
  const minus1 = b.binary("eq", y, b.const(-1));
  const lowest = b.const(0x80000000);
  let trap: Expr = b.unary("eqz", y);
  if (b.w === 32) {
    const isMin = b.and(b.binary("eq", b.reg(EDX), lowest), b.unary("eqz", b.reg(EAX)));
    trap = b.or(trap, b.and(minus1, isMin));
    b.if(trap, () => b.raise(Vector.de));
    const n = b.let(dividend64(b)), d = b.let(wide(b, y, true));
    const q = b.let(b.binary("divS", n, d)), low = b.let(b.unary("wrap", q));
    b.if(b.binary("ne", q, wide(b, low, true)), () => b.raise(Vector.de));
    commit(b, low, b.let(b.unary("wrap", b.binary("remS", n, d))));
    return;
  }
  const n = b.let(b.w === 8 ? b.signed(b.reg(EAX, 16), 16) : dividend32(b));
  if (b.w === 16) trap = b.or(trap, b.and(minus1, b.binary("eq", n, lowest)));
  b.if(trap, () => b.raise(Vector.de));
  const q = b.let(b.binary("divS", n, y));
  b.if(b.binary("ne", q, b.signed(q, b.w)), () => b.raise(Vector.de));
  commit(b, q, b.let(b.binary("remS", n, y)));
};

function dividend64(b: Builder): Expr {
  return b.or(b.shl(wide(b, b.reg(EDX), false), 32), wide(b, b.reg(EAX), false));
}

function dividend32(b: Builder): Expr {
  return b.w === 8 ? b.reg(EAX, 16) : b.or(b.shl(b.reg(EDX, 16), 16), b.reg(EAX, 16));
}

function commit(b: Builder, quotient: Expr, remainder: Expr): void {
  b.setReg(EAX, b.w, quotient);
  if (b.w === 8) b.setReg(AH, 8, remainder);
  else b.setReg(EDX, b.w, remainder);
}

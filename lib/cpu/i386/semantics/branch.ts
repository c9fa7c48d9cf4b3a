/**
 * Near transfers: jumps, calls, returns, loops. The target is checked against the limit of CS before anything changes.
 * Source: SDM-2 Jcc JMP CALL RET LOOP JCXZ. Cold: builds trees.
 */
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";
import { pushValue, topOfStack } from "./stack.ts";

const ECX = 1, ZERO_SET = 4;

function relativeTarget(b: Builder): Expr {
  return b.mask(b.add(b.nextEip(), b.imm()), b.shape.opSize);
}

/** Jcc. */
export const jcc: Semantic = (b) => b.if(b.cond(b.shape.row.cc ?? 0), () => b.jumpRelative());

/** JCXZ, JECXZ. */
export const jcxz: Semantic = (b) => b.if(b.unary("eqz", b.reg(ECX, b.shape.addrSize)), () => b.jumpRelative());

function loopIf(b: Builder, also: (left: Expr) => Expr): void {
  const size = b.shape.addrSize;
  const left = b.let(b.mask(b.sub(b.reg(ECX, size), b.const(1)), size));
  b.if(also(left), () => {
    b.checkTarget(relativeTarget(b));
    b.setReg(ECX, size, left);
    b.jumpRelative();
  }, () => b.setReg(ECX, size, left));
}

/** LOOP. */
export const loop: Semantic = (b) => loopIf(b, (left) => left);

/** LOOPE. */
export const loope: Semantic = (b) => loopIf(b, (left) => b.and(b.binary("ne", left, b.const(0)), b.cond(ZERO_SET)));

/** LOOPNE. */
export const loopne: Semantic = (b) =>
  loopIf(b, (left) => b.and(b.binary("ne", left, b.const(0)), b.cond(ZERO_SET + 1)));

/** JMP rel. */
export const jmpRel: Semantic = (b) => b.jumpRelative();

/** JMP r/m. */
export const jmpInd: Semantic = (b) => {
  const target = b.let(b.read(0));
  b.checkTarget(target);
  b.jump(target);
};

/** CALL rel. */
export const callRel: Semantic = (b) => {
  pushValue(b, b.nextEip(), () => b.checkTarget(relativeTarget(b)));
  b.jumpRelative();
};

/** CALL r/m. */
export const callInd: Semantic = (b) => {
  const target = b.let(b.read(0));
  pushValue(b, b.nextEip(), () => b.checkTarget(target));
  b.jump(target);
};

/** RET, RET imm16. */
export const ret: Semantic = (b) => {
  const target = topOfStack(b);
  b.checkTarget(target);
  const after = b.stackPointer(b.shape.opSize >>> 3);
  b.setStackPointer(b.shape.row.operands.length === 0 ? after : b.add(after, b.imm()));
  b.jump(target);
};

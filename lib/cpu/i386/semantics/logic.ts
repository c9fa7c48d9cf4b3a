/**
 * AND, OR, XOR, TEST, NOT. CF and OF become 0; AF is undefined and becomes 0. Source: SDM-2. Cold: builds trees.
 */
import type { BinaryOp } from "../tree.ts";
import type { Semantic } from "../builder.ts";

function logic(op: BinaryOp): Semantic {
  return (b) => {
    const x = b.readForWrite(0), y = b.read(1);
    const r = b.let(b.binary(op, x, y));
    b.flagsLogic(b.w, r);
    b.writeBack(0, r);
  };
}

/** AND. */
export const and: Semantic = logic("and");
/** OR. */
export const or: Semantic = logic("or");
/** XOR. */
export const xor: Semantic = logic("xor");

/** TEST. */
export const test: Semantic = (b) => {
  const x = b.read(0), y = b.read(1);
  b.flagsLogic(b.w, b.and(x, y));
};

/** NOT; no flags. */
export const not: Semantic = (b) => {
  const x = b.readForWrite(0);
  b.writeBack(0, b.xor(x, b.const(-1)));
};

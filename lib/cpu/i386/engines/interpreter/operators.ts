/**
 * WebAssembly names of the tree's operators and accesses, and where a register lies in the state block. Cold data.
 */
import { InternalError } from "../../../../core/errors.ts";
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { NumericName } from "../../../../wasm/opcodes.ts";
import { typeOf } from "../../builder.ts";
import type { AccessWidth, BinaryOp, Expr, UnaryOp, ValueType } from "../../tree.ts";

/** Instruction name without type, by operator. */
const NUMERIC: Readonly<Record<BinaryOp, string>> = {
  add: "add",
  sub: "sub",
  mul: "mul",
  divS: "div_s",
  divU: "div_u",
  remS: "rem_s",
  remU: "rem_u",
  and: "and",
  or: "or",
  xor: "xor",
  shl: "shl",
  shrS: "shr_s",
  shrU: "shr_u",
  rotl: "rotl",
  rotr: "rotr",
  eq: "eq",
  ne: "ne",
  ltS: "lt_s",
  ltU: "lt_u",
  gtS: "gt_s",
  gtU: "gt_u",
  leS: "le_s",
  leU: "le_u",
  geS: "ge_s",
  geU: "ge_u",
};

/** An expression that is the same wherever its operands come from. */
export type Operation = Extract<Expr, { readonly k: "const" | "unary" | "binary" | "select" }>;

/** Emits an operation; `operand` emits what it works on. */
export function emitOperation(f: FunctionBody, e: Operation, operand: (e: Expr) => void): void {
  if (e.k === "const") {
    if (e.t === "i64") f.i64(BigInt(e.v));
    else f.i32(e.v);
    return;
  }
  operand(e.a);
  if (e.k === "unary") return emitUnary(f, e.op, typeOf(e.a));
  operand(e.b);
  if (e.k === "binary") return f.num(`${typeOf(e.a)}.${NUMERIC[e.op]}` as NumericName);
  operand(e.c);
  f.select();
}

/** Emits an operator on the value on the stack, which is of type `t`. */
function emitUnary(f: FunctionBody, op: UnaryOp, t: ValueType): void {
  switch (op) {
    case "extend8":
      return f.num("i32.extend8_s");
    case "extend16":
      return f.num("i32.extend16_s");
    case "wrap":
      return f.num("i32.wrap_i64");
    case "extend64S":
      return f.num("i64.extend_i32_s");
    case "extend64U":
      return f.num("i64.extend_i32_u");
    case "popcnt":
    case "ctz":
      if (t !== "i32") throw new InternalError(`${op} of i64 is not emitted`);
      return f.num(`i32.${op}`);
    default:
      return f.num(`${t}.${op}`);
  }
}

/** Zero-extending load by width. */
export const LOADS = { 8: "i32.load8_u", 16: "i32.load16_u", 32: "i32.load" } as const;
/** Store by width. */
export const STORES = { 8: "i32.store8", 16: "i32.store16", 32: "i32.store" } as const;

/** Byte offset of a register in the state block. */
export function registerOffset(n: number, w: AccessWidth): number {
  return w === 8 ? ((n & 3) << 2) | (n >>> 2) : n << 2;
}

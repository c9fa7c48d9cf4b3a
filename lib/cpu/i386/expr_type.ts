/**
 * Types of expressions. Cold.
 */
import type { BinaryOp, Expr, ValueType } from "./tree.ts";

/** Type of an expression. */
export function typeOf(e: Expr): ValueType {
  switch (e.k) {
    case "const":
    case "temp":
    case "select":
      return e.t;
    case "binary":
      return isComparison(e.op) ? "i32" : e.t;
    case "unary":
      if (e.op === "eqz" || e.op === "wrap") return "i32";
      return e.op === "extend64S" || e.op === "extend64U" ? "i64" : e.t;
    default:
      return "i32";
  }
}

/** True for operators that give 0 or 1. */
export function isComparison(op: BinaryOp): boolean {
  return op === "eq" || op === "ne" || /^[lg][te][SU]$/.test(op);
}

/**
 * WebAssembly names of the tree's operators and accesses, and where a register lies in the state block. Cold data.
 */
import type { AccessWidth, BinaryOp } from "../../tree.ts";

/** Instruction name without type, by operator. */
export const NUMERIC: Readonly<Record<BinaryOp, string>> = {
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

/** Zero-extending load by width. */
export const LOADS = { 8: "i32.load8_u", 16: "i32.load16_u", 32: "i32.load" } as const;
/** Store by width. */
export const STORES = { 8: "i32.store8", 16: "i32.store16", 32: "i32.store" } as const;

/** Byte offset of a register in the state block. */
export function registerOffset(n: number, w: AccessWidth): number {
  return w === 8 ? ((n & 3) << 2) | (n >>> 2) : n << 2;
}

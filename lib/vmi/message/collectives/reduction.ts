/**
 * Reductions: how two vectors become one. Integers wrap; floating-point results depend on the order of combination,
 * which is fixed by rank, so they repeat exactly for the same number of ranks and the same algorithm. Warm.
 */
import type { ReduceOp, ReduceType } from "../../../spec/message_abi.ts";

/** Combines `b` into `a`; both have the same length. */
export type Combine = (a: Uint8Array, b: Uint8Array) => void;

type Cell = number | bigint;

interface Access {
  readonly size: number;
  get(v: DataView, at: number): Cell;
  set(v: DataView, at: number, value: Cell): void;
}

const ACCESS: { readonly [T in ReduceType]: Access } = {
  i32: { size: 4, get: (v, at) => v.getInt32(at, true), set: (v, at, x) => v.setInt32(at, Number(x), true) },
  u32: { size: 4, get: (v, at) => v.getUint32(at, true), set: (v, at, x) => v.setUint32(at, Number(x), true) },
  i64: { size: 8, get: (v, at) => v.getBigInt64(at, true), set: (v, at, x) => v.setBigInt64(at, BigInt(x), true) },
  u64: { size: 8, get: (v, at) => v.getBigUint64(at, true), set: (v, at, x) => v.setBigUint64(at, BigInt(x), true) },
  f32: { size: 4, get: (v, at) => v.getFloat32(at, true), set: (v, at, x) => v.setFloat32(at, Number(x), true) },
  f64: { size: 8, get: (v, at) => v.getFloat64(at, true), set: (v, at, x) => v.setFloat64(at, Number(x), true) },
};

/** Bytes of an element. */
export function elementSize(type: ReduceType): number {
  return ACCESS[type].size;
}

function operation(op: ReduceOp, type: ReduceType): (a: Cell, b: Cell) => Cell {
  const isBig = type === "i64" || type === "u64";
  if (isBig) {
    const big: { readonly [O in ReduceOp]: (a: bigint, b: bigint) => bigint } = {
      sum: (a, b) => a + b,
      product: (a, b) => a * b,
      min: (a, b) => a < b ? a : b,
      max: (a, b) => a > b ? a : b,
      and: (a, b) => a & b,
      or: (a, b) => a | b,
      xor: (a, b) => a ^ b,
    };
    return big[op] as (a: Cell, b: Cell) => Cell;
  }
  const isFloat = type === "f32" || type === "f64";
  const small: { readonly [O in ReduceOp]: (a: number, b: number) => number } = {
    sum: (a, b) => a + b,
    product: (a, b) => isFloat ? a * b : Math.imul(a, b),
    min: (a, b) => Math.min(a, b),
    max: (a, b) => Math.max(a, b),
    and: (a, b) => a & b,
    or: (a, b) => a | b,
    xor: (a, b) => a ^ b,
  };
  return small[op] as (a: Cell, b: Cell) => Cell;
}

/** May this operation be applied to this type? Bits of floating-point numbers are not combined. */
export function isReducible(op: ReduceOp, type: ReduceType): boolean {
  return !((type === "f32" || type === "f64") && (op === "and" || op === "or" || op === "xor"));
}

/** Makes the function that combines two vectors. */
export function combiner(op: ReduceOp, type: ReduceType): Combine {
  const access = ACCESS[type];
  const apply = operation(op, type);
  return (a, b) => {
    const va = new DataView(a.buffer, a.byteOffset, a.byteLength);
    const vb = new DataView(b.buffer, b.byteOffset, b.byteLength);
    for (let at = 0; at + access.size <= a.length; at += access.size) {
      access.set(va, at, apply(access.get(va, at), access.get(vb, at)));
    }
  };
}

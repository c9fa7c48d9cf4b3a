/**
 * All kernels by number, and which one serves a decoded instruction. Cold; looked up once an instruction is translated.
 */
import type { OpRow } from "../../../spec/i386_op_row.ts";
import { Layout } from "../state.ts";
import type { Kernel, Place } from "./kernel.ts";
import { convertKernels } from "./simd_convert.ts";
import { floatKernels } from "./simd_float.ts";
import { integerKernels } from "./simd_integer.ts";
import { simdMoveKernels } from "./simd_moves.ts";
import { arithKernels } from "./x87_arith.ts";
import { ARC_TANGENT } from "./x87_arctangent.ts";
import { compareKernels } from "./x87_compare.ts";
import { LOGARITHM } from "./x87_logarithm.ts";
import { moveKernels } from "./x87_move.ts";
import { transcendentalKernels } from "./x87_transcendental.ts";

/** Kernels there may be. */
export const MOST_KERNELS = 1024;

/** Features whose instructions have kernels, and the opcode of FWAIT. */
const FEATURES: ReadonlySet<string> = new Set(["x87", "cmov", "mmx", "sse", "sse2"]), FWAIT = 0x9b;

let all: readonly Kernel[] | undefined, numbers: ReadonlyMap<string, number> | undefined;

/** All kernels, made on first use; the index is the kernel's number in the table of functions. */
export function kernels(): readonly Kernel[] {
  return all ??= [
    ...arithKernels(),
    ...moveKernels(),
    ...compareKernels(),
    ...transcendentalKernels(),
    LOGARITHM,
    ARC_TANGENT,
    ...simdMoveKernels(),
    ...integerKernels(),
    ...floatKernels(),
    ...convertKernels(),
  ];
}

const key = (sem: string, isMem: boolean): string => (isMem ? "m:" : "r:") + sem;

/** What of a decoded instruction chooses its kernel and its parameters. */
export interface Operands {
  /** Row of the opcode table. */
  readonly row: OpRow;
  /** True if the r/m operand is memory. */
  readonly isMem: boolean;
  /** ModRM.reg. */
  readonly reg: number;
  /** ModRM.rm. */
  readonly rm: number;
}

/** Number of the kernel of an instruction; -1: it has none. */
export function kernelNumber(d: Operands): number {
  if (!FEATURES.has(d.row.feature) && d.row.opcode !== FWAIT) return -1;
  numbers ??= new Map(kernels().map((one, n) => [key(one.sem, one.memory !== undefined), n]));
  return numbers.get(key(d.row.sem, d.isMem)) ?? -1;
}

/** Last-opcode field of an x87 instruction. */
export function lastOpcode(d: { readonly opcode: number; readonly modrm: number }): number {
  return ((d.opcode & 7) << 8) | d.modrm;
}

/** Value of a parameter; `state` is the byte address of the state block. */
export function placeOf(place: Place, d: Pick<Operands, "reg" | "rm">, state: number): number {
  switch (place) {
    case "none":
      return 0;
    case "sti":
      return d.rm;
    case "xmmReg":
      return state + Layout.xmm + 16 * d.reg;
    case "xmmRm":
      return state + Layout.xmm + 16 * d.rm;
    case "mmReg":
      return state + Layout.fpr + 16 * d.reg;
    case "mmRm":
      return state + Layout.fpr + 16 * d.rm;
    case "gprReg":
      return state + Layout.regs + 4 * d.reg;
    case "gprRm":
      return state + Layout.regs + 4 * d.rm;
  }
}

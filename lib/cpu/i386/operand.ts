/**
 * Operands of a row in one shape: widths, fixed registers, which register field names them. Cold.
 */
import type { Operand, OpRow } from "../../spec/i386_op_row.ts";
import { InternalError } from "../../core/errors.ts";
import type { AccessWidth, Slot } from "./tree.ts";

/** What a tree is built for. */
export interface Shape {
  /** Row of the opcode table. */
  readonly row: OpRow;
  /** True if the r/m operand is memory. */
  readonly isMem: boolean;
  /** Operand size attribute. */
  readonly opSize: 16 | 32;
  /** Address size attribute. */
  readonly addrSize: 16 | 32;
  /** 0, 0xf2 or 0xf3; only for rows with `rep`. */
  readonly rep: number;
  /** Size of the stack pointer, from SS.B. */
  readonly stackSize: 16 | 32;
}

/** Fixed-register operands: number and width; width 0 is the operand size. */
export const FIXED: Partial<Record<Operand, readonly [number, AccessWidth | 0]>> = {
  al: [0, 8],
  cl: [1, 8],
  ah: [4, 8],
  ax: [0, 16],
  dx: [2, 16],
  eax: [0, 32],
  rAX: [0, 0],
};

/** Width in bits of an operand, from its code; `w` is the width of the operation. */
export function widthOf(shape: Shape, w: AccessWidth, code: Operand): AccessWidth {
  const fixed = FIXED[code];
  if (fixed !== undefined) return fixed[1] === 0 ? shape.opSize : fixed[1];
  switch (code) {
    case "Eb":
    case "Gb":
    case "Zb":
    case "Mb":
    case "Ob":
      return 8;
    case "Ew":
    case "Gw":
    case "Mw":
      return 16;
    case "Ed":
    case "Gd":
    case "Rd":
    case "Md":
      return 32;
    case "Ev":
    case "Gv":
    case "Zv":
    case "Mv":
    case "Ov":
    case "Rv":
      return shape.opSize;
    default:
      return w;
  }
}

/** True for immediates. */
export function isImmediate(code: Operand): boolean {
  return code === "Ib" || code === "Iw" || code === "Iz" || code === "sIb" || code === "1" || code === "3";
}

/** The field of the encoding that names a general register. */
export function slotOf(code: Operand): Slot {
  switch (code[0]) {
    case "G":
      return "reg";
    case "E":
    case "Z":
    case "R":
      return "rm";
    default:
      throw new InternalError(`Operand ${code} is no general register`);
  }
}

/**
 * The modes in which code is translated: default sizes, stack pointer, and which segments are flat. Cold.
 */
import { ModeBit } from "../../state.ts";

/** What a region takes for granted. */
export interface CodeMode {
  /** Default operand and address size is 32. */
  readonly is32: boolean;
  /** Bits of the stack pointer. */
  readonly stackSize: 16 | 32;
  /** DS, ES and SS are flat. */
  readonly flatData: boolean;
  /** CS is flat: no target lies beyond its limit, and EIP is a linear address. */
  readonly flatCode: boolean;
}

/** Bits of the usual mode: 32-bit code, everything flat. */
export const FLAT: number = ModeBit.code32 | ModeBit.stack32 | ModeBit.flatData | ModeBit.flatCode;

/** The mode of a mode word. */
export function codeMode(mode: number): CodeMode {
  return {
    is32: (mode & ModeBit.code32) !== 0,
    stackSize: (mode & ModeBit.stack32) !== 0 ? 32 : 16,
    flatData: (mode & ModeBit.flatData) !== 0,
    flatCode: (mode & ModeBit.flatCode) !== 0,
  };
}

/** True in the usual mode, where FS and GS alone have bases. */
export function isUsual({ is32, stackSize, flatData, flatCode }: CodeMode): boolean {
  return is32 && stackSize === 32 && flatData && flatCode;
}

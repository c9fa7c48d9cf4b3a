/**
 * Sizes of operands by their codes, for assembler and disassembler. Source: SDM-2D appendix A.2. Cold.
 */
import type { Operand } from "../../spec/i386_op_row.ts";

const FIXED: Partial<Record<Operand, number>> = {
  "al": 8,
  "cl": 8,
  "ah": 8,
  "ax": 16,
  "dx": 16,
  "eax": 32,
  "m32fp": 32,
  "m64fp": 64,
  "m80fp": 80,
  "m16int": 16,
  "m32int": 32,
  "m64int": 64,
  "m80bcd": 80,
  "m2byte": 16,
  "RdMw": 16,
  "RdMb": 8,
  "EwRv": 16,
};

const BY_SUFFIX: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64, dq: 128 };

/** Bits of a memory operand with this code (or of a general register); 0: it has no size to name. */
export function operandBits(code: Operand, opSize: 16 | 32): number {
  const fixed = FIXED[code];
  if (fixed !== undefined) return fixed;
  if (code === "rAX") return opSize;
  const suffix = code.slice(1);
  return suffix === "v" ? opSize : BY_SUFFIX[suffix] ?? 0;
}

/** Bits of the general register an operand is when it is no memory; 0: it is none. */
export function registerBits(code: Operand, opSize: 16 | 32): number {
  if (code === "EwRv") return opSize;
  if (code === "RdMw" || code === "RdMb") return 32;
  return /^[EGZR]|^(al|cl|ah|ax|dx|eax|rAX)$/.test(code) ? operandBits(code, opSize) : 0;
}

/** True if the text of this operand tells the operand size of the instruction. */
export function tellsSize(code: Operand, isMem: boolean): boolean {
  return code === "rAX" || code === "Mp" || code === "Ap" || code === "Jz" || /^[EGZRM]v$/.test(code) ||
    (code === "EwRv" && !isMem);
}

/** Size keywords by bits. */
export const SIZE_WORDS: Readonly<Record<number, string>> = {
  8: "byte",
  16: "word",
  32: "dword",
  64: "qword",
  80: "tword",
  128: "oword",
};

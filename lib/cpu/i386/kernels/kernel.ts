/**
 * Kernels: frequent x87, MMX and SSE instructions as WebAssembly functions on the state block. The contract for engines.
 *
 * A kernel is `(reg, src, imm) -> i32`, all i32. It either does the whole instruction and answers 0 or above, or does
 * nothing at all and answers {@linkcode SLOW}: then the engine calls the TypeScript function of the row, which is the
 * definition of the instruction and raises all faults. Kernels take the common case only: instruction allowed
 * (CR0.EM, CR0.TS, CR4.OSFXSR, no x87 error pending), plain operands, no exception but a masked inexact.
 *
 * - `reg`: absolute byte address of the register that {@linkcode Kernel.reg} names, or 0.
 * - `src`: for a memory form the host address of the operand: all `size` bytes lie in one page that may be accessed so
 *   (read or write table of the TLB) and the address has `align`; the engine goes to TypeScript where that is not so,
 *   a failed segment check included. For a register form the address of the register that {@linkcode Kernel.src}
 *   names, or the number 0-7 of a stack register.
 * - `imm`: the immediate byte, 0-255, or 0.
 * - Answer: 0 done. {@linkcode SLOW} nothing done. With {@linkcode FLAGS_SET}: done, and the six arithmetic flags become
 *   the answer's bits of `ARITH_MASK` (kind `word`).
 *
 * A kernel may change x87, MMX, XMM and MXCSR fields, the operand in memory if it is one that is written, and the
 * general register it is given or, for FNSTSW, AX. It does not touch EIP, lazy flags, count, or the last-instruction
 * fields: for a kernel with `notes` the engine stores, after an answer other than SLOW, `fop`, `fip`, `fcs` and for a
 * memory form `fdp` (offset in its segment) and `fds`. It calls nothing and cannot trap.
 * Only fields of the state block below 64 KiB have constant addresses. Cold contract; kernels are hot.
 */
import type { Signature } from "../../../wasm/module.ts";
import type { Code } from "./code.ts";

export { SLOW } from "./code.ts";

/** Signature of a kernel: `(reg, src, imm) -> i32`. */
export const KERNEL_SIGNATURE: Signature = { params: ["i32", "i32", "i32"], results: ["i32"] };

/** A kernel as a function. */
export type KernelFunction = (reg: number, src: number, imm: number) => number;

/** Set in an answer that holds arithmetic flags. */
export const FLAGS_SET = 0x10000;

/** What a parameter of a kernel stands for, by the fields of the decoded instruction. */
export type Place = "none" | "sti" | "xmmReg" | "xmmRm" | "mmReg" | "mmRm" | "gprReg" | "gprRm";

/** Memory operand of a kernel. */
export interface MemoryOperand {
  /** Bytes accessed, 1-16. */
  readonly size: number;
  /** Written (then the write table of the TLB allows it), else read. */
  readonly write: boolean;
  /** Alignment that the kernel counts on, in bytes. */
  readonly align: 1 | 16;
}

/** One kernel. */
export interface Kernel {
  /** `sem` of the rows it serves. */
  readonly sem: string;
  /** Memory operand; undefined: register form. */
  readonly memory: MemoryOperand | undefined;
  /** What the first parameter is. */
  readonly reg: Place;
  /** What the second parameter is in a register form. */
  readonly src: Place;
  /** True if the engine records the last x87 instruction afterwards. */
  readonly notes: boolean;
  /** True if it answers flags. */
  readonly answers?: true;
  /** Emits the body. */
  readonly body: (k: Code) => void;
}

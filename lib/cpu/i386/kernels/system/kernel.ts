/**
 * System kernels: the usual course of frequent system instructions as WebAssembly functions on the state block. A system
 * call under Linux is ten of these instructions in four hundred; as TypeScript they took two thirds of its time, for
 * they leave the translated code, look up what it had in constants, and go through a dozen small functions each.
 *
 * A system kernel is `(a, b, linear) -> i32`. It either does the whole instruction or nothing at all; then it answers
 * `SLOW`, and the engine calls the TypeScript function of the row, which is the definition of the instruction and raises
 * all faults. Everything is in the state block before, and is read from there afterwards: registers, lazy flags, count.
 *
 * - `a`, `b`: what {@linkcode SystemKernel.a} and {@linkcode SystemKernel.b} name. `linear`: linear address of the memory
 *   operand, which is a 32-bit offset in a flat segment.
 * - Answer: {@linkcode GO_ON} or {@linkcode LOOK_UP}; in the second case `Layout.eip` is that of the next instruction.
 *
 * A kernel takes flat 32-bit protected mode only, descriptors that are as an operating system makes them, memory that the
 * TLB allows at once, and a CPU that nobody watches: no monitor, no costs, no hooks on events (`Layout.plain`); where IF is
 * set, nothing may wait to be delivered (`Layout.due`). Cold contract; the kernels are hot.
 */
import type { OpRow } from "../../../../spec/i386_op_row.ts";
import type { Code, Value } from "../code.ts";

/** Done; execution goes on behind the instruction. */
export const GO_ON = 0;
/** Done; EIP, and maybe privilege, are others now. */
export const LOOK_UP = 1;

/** What a parameter stands for, by the fields of the decoded instruction. */
export type SystemPlace =
  /** 0. */
  | "none"
  /** Address of the cache of the segment that the row's operand names. */
  | "segment"
  /** Address of the cache of segment ModRM.reg. */
  | "segmentReg"
  /** Address of general register ModRM.rm. */
  | "gprRm"
  /** Address of control register ModRM.reg. */
  | "controlReg"
  /** Immediate byte. */
  | "imm"
  /** Length of the instruction in bytes. */
  | "length";

/** What of a decoded instruction chooses its kernel. */
export interface SystemOperands {
  /** Row of the opcode table. */
  readonly row: OpRow;
  /** True if the r/m operand is memory. */
  readonly isMem: boolean;
  /** Operand size. */
  readonly opSize: 16 | 32;
  /** Address size. */
  readonly addrSize: 16 | 32;
  /** Segment of the memory operand. */
  readonly seg: number;
  /** ModRM.reg. */
  readonly reg: number;
  /** ModRM.rm. */
  readonly rm: number;
  /** First immediate. */
  readonly imm: number;
  /** Bytes. */
  readonly length: number;
}

/** What bodies may use of their module. */
export interface SystemSite {
  /** The six arithmetic flags of the state block, as EFLAGS bits. */
  readonly arithmetic: Value;
}

/** One system kernel. */
export interface SystemKernel {
  /** `sem` of the rows it serves; `fault` is no instruction, see `FAULT_KERNEL`. */
  readonly sem: string;
  /** Form: with or without a memory operand. */
  readonly isMem: boolean;
  /** The memory operand may lie in CS: it is only read, and the kernel asks whether it may be. */
  readonly inCode?: true;
  /** Further condition on the instruction. */
  readonly serves?: (d: SystemOperands) => boolean;
  /** First parameter. */
  readonly a: SystemPlace;
  /** Second parameter. */
  readonly b: SystemPlace;
  /** It answers {@linkcode LOOK_UP} always, others never do. */
  readonly looksUp?: true;
  /** Emits the body; what it leaves on the stack is its answer. */
  readonly body: (k: Code, site: SystemSite) => void;
}

/**
 * One case of the oracle: registers, memory and code before, the same after; and where things lie in the runner's
 * address space. Both sides, the host CPU and ours, start from a {@linkcode Case} and end with an {@linkcode Outcome}.
 */

import type { Step } from "./encode.ts";

/** Linear address of the only data page. */
export const PAGE_AT = 0x10000000;
/** Bytes of the memory window, the end of that page. */
export const WINDOW_BYTES = 512;
/** Linear address of the memory window; what lies before it in the page is zero. */
export const WINDOW_AT: number = PAGE_AT + 4096 - WINDOW_BYTES;
/** Linear address of the code. */
export const CODE_AT = 0x20000000;
/** Most bytes of code. */
export const CODE_BYTES = 64;
/** EFLAGS bits that cases set and compare: arithmetic ones and DF. */
export const FLAGS_MASK = 0xcd5;

/** Start of a run. */
export interface Case {
  /** EAX ECX EDX EBX ESP EBP ESI EDI, u32. */
  readonly regs: Uint32Array;
  /** EFLAGS within {@linkcode FLAGS_MASK}. */
  readonly eflags: number;
  /** FXSAVE image, 512 bytes. */
  readonly fx: Uint8Array;
  /** Memory window. */
  readonly memory: Uint8Array;
  /** Instructions. */
  readonly code: Uint8Array;
  /** Offsets in the code where instructions begin, and the end. */
  readonly starts: readonly number[];
  /** EFLAGS bits undefined at the end. */
  readonly undef: number;
  /** Mnemonics, for messages and statistics. */
  readonly name: string;
  /** The instructions. */
  readonly steps: readonly Step[];
}

/** End of a run. */
export interface Outcome {
  /** Registers, u32. */
  readonly regs: Uint32Array;
  /** Complete EFLAGS. */
  readonly eflags: number;
  /** Exception vector, -1: none, 255: did not end. */
  readonly vector: number;
  /** Error code. */
  readonly error: number;
  /** CR2, meaningful after a page fault. */
  readonly cr2: number;
  /** EIP, u32. */
  readonly eip: number;
  /** Hash of the page before the window. */
  readonly hash: number;
  /** FXSAVE image. */
  readonly fx: Uint8Array;
  /** Memory window. */
  readonly memory: Uint8Array;
}

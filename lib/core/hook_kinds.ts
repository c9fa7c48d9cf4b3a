/**
 * What a hook table keeps of each hook. Cold.
 */
import type { CodeEvent, HypercallEvent, MemoryEvent } from "./hook_events.ts";

/** A watch of memory. */
export interface MemoryHook {
  /** Fires at reads. */
  readonly read: boolean;
  /** Fires at writes. */
  readonly write: boolean;
  /** The callback. */
  readonly fn: (event: MemoryEvent) => void;
}

/** A hook of interrupts or faults. */
export interface VectorHook<E> {
  /** Which; undefined: any. */
  readonly vector: number | undefined;
  /** The callback. */
  readonly fn: (event: E) => void;
}

/** A hook of mnemonics. */
export interface InstructionHook {
  /** Does it concern this mnemonic? */
  readonly match: (mnemonic: string) => boolean;
  /** The callback. */
  readonly fn: (event: CodeEvent) => void;
}

/** A hook of hypercalls. */
export interface HypercallHook {
  /** Which; undefined: any. */
  readonly name: string | undefined;
  /** The callback. */
  readonly fn: (event: HypercallEvent) => void;
}

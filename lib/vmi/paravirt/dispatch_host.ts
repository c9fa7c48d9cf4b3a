/**
 * What the paravirtual dispatcher needs of its machine. Contract only. Cold.
 */
import type { GuestContext } from "../../core/cpu.ts";
import type { ParavirtHost } from "./backend.ts";
import type { HypercallHooks } from "./observers.ts";

/** What the machine does for the dispatcher, beside what it does for the backend. */
export interface DispatchHost extends ParavirtHost {
  /** Hypercall hooks of the machine. */
  readonly hooks?: HypercallHooks;
  /** Number of the CPU that executes, or did last. */
  current(): number;
  /** Lets virtual time pass. */
  pass(ticks: number): void;
  /** Ends the run with the stop reason `hook`. */
  stop(name: string): void;
  /**
   * Calls `fn` before each instruction at one of these linear addresses. @returns Removes the watch.
   */
  watch(
    addresses: readonly number[],
    fn: (guest: GuestContext, linear: number, stop: (name: string) => void) => void,
  ): () => void;
}

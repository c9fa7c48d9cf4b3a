/**
 * The cost model: what events cost in virtual cycles, beside the one that each instruction takes. The clock advances by it
 * at the event, so timers, time-stamp counters and alarms see it. A table is an assumption of whoever makes it; without
 * one all is free. Contracts only. Cold.
 *
 * Not modelled: caches, pipelines, and how large a processor's look-aside table is: a translation is missing when its page
 * was not used since the guest (or its monitor) last invalidated it. Unpaged accesses cost nothing.
 */

/** Prices of events in ticks; those left out are free. */
export interface CostTable {
  /** From a guest to its monitor and back, for any reason but a hypercall. */
  readonly exit?: number;
  /** A call that leaves the guest, there and back; an exit on the way to it is not counted beside it. */
  readonly hypercall?: number;
  /** An instruction that the monitor decodes and carries out, beside the exit. */
  readonly emulate?: number;
  /** An instruction that was replaced by a jump to code of the monitor's, which does it without an exit. */
  readonly patched?: number;
  /** An event that a monitor delivers to the guest by building its frame. */
  readonly deliver?: number;
  /** An interrupt or exception that the processor delivers by itself, with the return that ends it. */
  readonly gate?: number;
  /** A system call by an instruction of its own (SYSENTER), with the return. */
  readonly fastCall?: number;
  /** A translation that was missing, beside the steps of its walk. */
  readonly tlbFill?: number;
  /** An entry of a page table read in a walk for a missing translation; with nested paging those of its own walks too. */
  readonly walkStep?: number;
  /** An entry of a shadow page table made or updated, or an entry of the guest's checked. */
  readonly shadowEntry?: number;
  /** A whole page table of the guest looked through: to compare a shadow with it, or to validate it. */
  readonly wholeTable?: number;
}

/** An event with a price. */
export type CostName = keyof CostTable;

/** All of them. */
export const COST_NAMES: readonly CostName[] = [
  "exit",
  "hypercall",
  "emulate",
  "patched",
  "deliver",
  "gate",
  "fastCall",
  "tlbFill",
  "walkStep",
  "shadowEntry",
  "wholeTable",
];

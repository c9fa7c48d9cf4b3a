/**
 * The prices of the experiment, in virtual cycles. Edit them and run it again: what is counted does not change, what it
 * comes to does.
 *
 * They are assumptions in round figures, not measurements of a processor: a fault into a monitor at a lower ring and back
 * some hundred cycles, an exit of the early processors with VT-x and the entry after it some thousand. That such a processor
 * lost against software where memory management was concerned is what K. Adams and O. Agesen found, "A Comparison of
 * Software and Hardware Techniques for x86 Virtualization", ASPLOS 2006.
 */

import type { CostTable } from "../../../mod.ts";

/** What an event costs, where an instruction of the guest costs one cycle. */
export interface Costs {
  /** An interrupt or exception that the processor delivers by itself, with the IRET that ends it. */
  readonly gate: number;
  /** SYSENTER and SYSEXIT, both executed by the processor. */
  readonly fastCall: number;
  /** A step of a page walk; a walk is made for each translation that is missing. */
  readonly walkStep: number;
  /** From a de-privileged guest to its monitor and back: a hypercall, or an instruction that faults. */
  readonly ringExit: number;
  /** An instruction that the monitor decodes and carries out. */
  readonly emulate: number;
  /** An instruction that was replaced by a jump to code of the monitor's, which does it without an exit. */
  readonly patched: number;
  /** An event that the monitor delivers to the guest by building its frame. */
  readonly deliver: number;
  /** From a guest to its monitor and back with VT-x. */
  readonly hardwareExit: number;
  /** Making an entry of a shadow page table from the guest's. */
  readonly shadowEntry: number;
  /** Looking through a whole page table of the guest: to compare a shadow with it, or to validate it. */
  readonly wholeTable: number;
}

/** The prices. */
export const COSTS: Costs = {
  gate: 250,
  fastCall: 150,
  walkStep: 10,
  ringExit: 400,
  emulate: 300,
  patched: 30,
  deliver: 150,
  hardwareExit: 2100,
  shadowEntry: 200,
  wholeTable: 1500,
};

/** The table that a machine is given: a monitor is reached by faults of a lower ring, or by exits of VT-x. */
export function tableOf(monitor: "none" | "ring" | "hardware", costs: Costs): CostTable {
  const { ringExit, hardwareExit, ...others } = costs;
  const exit = monitor === "hardware" ? hardwareExit : ringExit;
  return { ...others, exit, hypercall: exit };
}

/**
 * Which machine ran last in this process, so that a failed assertion about a plain number can say where the guest
 * stands. Nothing else may depend on it. Cold.
 */
import type { Machine } from "./machine.ts";

let last: Machine | undefined;

/** Remembers a machine. */
export function noteRun(machine: Machine): void {
  last = machine;
}

/** The machine that ran last; undefined before the first run. */
export function lastMachine(): Machine | undefined {
  return last;
}

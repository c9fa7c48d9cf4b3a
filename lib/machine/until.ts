/**
 * Conditions that end a run. A condition either listens (it ends the run at the very instruction that makes it true) or
 * is polled at fixed instruction counts, so that runs repeat exactly either way. Cold.
 */
import type { Machine } from "./machine.ts";
import { checkShape } from "./shapes.ts";

/** Ends a run when it comes true. */
export interface Condition {
  /** Goes into the stop reason. */
  readonly name: string;
  /** Is it true now? Must change nothing. */
  test(): boolean;
  /**
   * Calls `fire` when it comes true; returns how to stop listening. Without it the condition is polled.
   */
  listen?(machine: Machine, fire: () => void): () => void;
  /** Instructions between two polls; default 10 000. */
  readonly every?: number;
}

/** What `until` takes: a condition, or a test that is polled. */
export type Until = Condition | (() => boolean);

/** Instructions between two polls of a test. */
export const POLL_EVERY = 10_000;

/** The run is about to execute the instruction at a linear address. */
export function reached(linear: number): Condition {
  const name = `0x${(linear >>> 0).toString(16).padStart(8, "0")}`;
  return {
    name,
    test: () => false,
    listen: (machine, fire) => machine.hooks.onCode(linear >>> 0, fire),
  };
}

/** Any of several conditions. */
export function any(...conditions: readonly Until[]): Condition {
  const all = conditions.map(toCondition);
  return {
    name: all.map((c) => c.name).join(" or "),
    test: () => all.some((c) => c.test()),
    listen: (machine, fire) => {
      const removers = all.map((c) => c.listen?.(machine, fire));
      return () => removers.forEach((remove) => remove?.());
    },
    every: Math.min(...all.map((c) => c.every ?? POLL_EVERY)),
  };
}

/** A test as a condition. @throws {ConfigError} config-value */
export function toCondition(until: Until): Condition {
  if (typeof until !== "function") {
    checkShape("until", until, ["test"], 'write a function, or a condition such as serial.contains("ready")');
  }
  return typeof until === "function" ? { name: until.name === "" ? "until" : until.name, test: until } : until;
}

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
  /** Instructions between two polls; default 10 000. A condition that listens is polled as well if it says this. */
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

/**
 * Any of several conditions. Where all of them listen the run ends at the very instruction, where none does they are
 * polled; of mixed ones those that listen are heard at once and the others are polled.
 */
export function any(...conditions: readonly Until[]): Condition {
  const all = conditions.map(toCondition);
  const listening = all.filter((c) => c.listen !== undefined), polled = all.filter((c) => c.listen === undefined);
  const condition: Condition = {
    name: all.map((c) => c.name).join(" or "),
    test: () => all.some((c) => c.test()),
    ...(polled.length === 0 ? {} : { every: Math.min(...polled.map((c) => c.every ?? POLL_EVERY)) }),
  };
  if (listening.length === 0) return condition;
  return {
    ...condition,
    listen: (machine, fire) => {
      const removers = listening.map((c) => c.listen?.(machine, fire));
      return () => removers.forEach((remove) => remove?.());
    },
  };
}

/** A test as a condition. @throws {ConfigError} config-value */
export function toCondition(until: Until): Condition {
  if (typeof until !== "function") {
    checkShape("until", until, ["test"], 'write a function, or a condition such as serial.contains("ready")');
  }
  return typeof until === "function" ? { name: until.name === "" ? "until" : until.name, test: until } : until;
}

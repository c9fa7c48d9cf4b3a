/**
 * Scenarios: what must happen, in order, and what the script does then. Each step waits for one condition within its own
 * budget; a step that is not reached fails with where the guest is instead. Cold.
 */
import type { StopReason } from "../core/stop.ts";
import type { Machine } from "../machine/machine.ts";
import { type Condition, toCondition, type Until } from "../machine/until.ts";
import { describe, show } from "./format.ts";
import { ExpectationError } from "./expect.ts";

/** One step. */
export interface ScenarioStep {
  /** Wait for this text on the serial port, counted from where the last step ended. */
  readonly serial?: string;
  /** Or for this hypercall. */
  readonly hypercall?: string;
  /** Or for any condition. */
  readonly until?: Until;
  /** Or for the run to end like this, e.g. `halt`. */
  readonly stop?: StopReason["kind"];
  /** Then type this. */
  readonly send?: string;
  /** Then do this. */
  readonly then?: (machine: Machine) => void;
  /** Instructions this step may take; default 100 000 000. */
  readonly within?: number;
}

/** What a scenario found. */
export interface ScenarioResult {
  /** How each step ended. */
  readonly stops: readonly StopReason[];
  /** Instructions of all steps as the first CPU counts them. */
  readonly instructions: number;
}

/**
 * Runs a machine through steps.
 * @throws {ExpectationError} A step's condition did not come true.
 */
export function scenario(machine: Machine, steps: readonly ScenarioStep[]): ScenarioResult {
  const before = machine.cpu.instructions;
  const stops: StopReason[] = [];
  let seen = 0;
  steps.forEach((step, i) => {
    const until = conditionOf(machine, step, seen);
    const stop = machine.run({
      instructions: step.within ?? 100_000_000,
      ...(until === undefined ? {} : { until }),
    });
    stops.push(stop);
    const ok = step.stop === undefined ? until === undefined || stop.kind === "until" : stop.kind === step.stop;
    if (!ok) {
      const wanted = step.stop ?? until?.name ?? "";
      const text = [`Step ${i + 1} of ${steps.length}: ${wanted} was not reached`, `     found: ${show(stop)}`];
      throw new ExpectationError([...text, describe(machine)].join("\n"), stop, step);
    }
    if (step.serial !== undefined) seen = machine.serial.count;
    if (step.send !== undefined) machine.serial.send(step.send);
    step.then?.(machine);
  });
  return { stops, instructions: machine.cpu.instructions - before };
}

function conditionOf(machine: Machine, step: ScenarioStep, seen: number): Condition | undefined {
  const { serial, hypercall, until } = step;
  if (serial !== undefined) {
    const there = (): boolean => machine.serial.since(seen).includes(serial);
    return {
      name: `serial ${JSON.stringify(serial)}`,
      test: there,
      listen: (_m, fire) => machine.serial.listen(() => there() && fire()),
    };
  }
  if (hypercall !== undefined) {
    return {
      name: `hypercall ${hypercall}`,
      test: () => false,
      listen: (m, fire) => m.hooks.onHypercall(hypercall, (e) => e.phase === "before" && fire()),
    };
  }
  return until === undefined ? undefined : toCondition(until);
}

/**
 * Scenarios: what must happen, in order, and what the script does then. Each step waits for one condition within its own
 * budget; a step that is not reached fails with where the guest is instead. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import { checkKeys, nearest } from "../core/keys.ts";
import type { StopReason } from "../core/stop.ts";
import type { Machine } from "../machine/machine.ts";
import { type Condition, toCondition, type Until } from "../machine/until.ts";
import { describe, show } from "./format.ts";
import { ExpectationError } from "./expect.ts";

/** One step: it waits for one thing, or with `within` alone lets the guest run so many instructions. */
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

const CONDITIONS = ["serial", "hypercall", "until", "stop"] as const;
const STOPS: readonly StopReason["kind"][] = [
  "halt",
  "budget",
  "until",
  "hook",
  "stopped",
  "fault",
  "reset",
  "power-off",
  "killed",
  "unimplemented",
];

/**
 * Runs a machine through steps.
 * @throws {ExpectationError} A step's condition did not come true.
 * @throws {ConfigError} config-key, scenario-step: a step is none; hypercall-name, no-hypervisor: its call is none. All
 * steps are looked at before the first one begins.
 */
export function scenario(machine: Machine, steps: readonly ScenarioStep[]): ScenarioResult {
  steps.forEach((step, i) => checkStep(machine, step, `step ${i + 1} of a scenario`));
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

/** @throws {ConfigError} config-key, scenario-step, hypercall-name, no-hypervisor */
function checkStep(machine: Machine, step: ScenarioStep, what: string): void {
  checkKeys(what, step, [...CONDITIONS, "send", "then", "within"]);
  const given = CONDITIONS.filter((key) => step[key] !== undefined);
  if (given.length > 1) {
    throw new ConfigError("scenario-step", `A step waits for one thing; ${what} has ${given.join(" and ")}`);
  }
  if (given.length === 0 && step.within === undefined) {
    const hint = `give ${CONDITIONS.join(", ")}, or \`within\` alone for so many instructions`;
    throw new ConfigError("scenario-step", `There is nothing that ${what} waits for; ${hint}`);
  }
  const { stop, hypercall } = step;
  if (stop !== undefined && !STOPS.includes(stop)) {
    const best = nearest(stop, STOPS);
    const hint = best === undefined ? `they end by ${STOPS.join(", ")}` : `did you mean "${best}"`;
    throw new ConfigError("scenario-step", `No run ends by "${stop}", as ${what} waits for; ${hint}`);
  }
  if (hypercall !== undefined) machine.hooks.onHypercall(hypercall, () => {})();
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

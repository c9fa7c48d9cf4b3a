/**
 * What a script has asked of the paravirtual calls, by their names; {@linkcode CallObservers} does the rest. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import { CallObservers, type HypercallHooks } from "../call_observers.ts";
import { type CallPlan, planOf, PLANS } from "./arguments.ts";
import type { CallAnswer, ParavirtCall } from "./backend.ts";

export type { Entered, HypercallHooks } from "../call_observers.ts";

/** Called at the entry of a call. */
export type BeforeFn<N extends ParavirtName = ParavirtName> = (call: ParavirtCall<N>) => void;
/** Called when the call has its result. */
export type AfterFn<N extends ParavirtName = ParavirtName> = (
  call: ParavirtCall<N>,
  result: number | bigint | undefined,
) => void;
/** Answers a call in place of the backend; `"native"`: let the backend do it after all. */
export type OverrideFn<N extends ParavirtName = ParavirtName> = (call: ParavirtCall<N>) => CallAnswer;

/** Observers of one machine's paravirtual calls. */
export class Observers extends CallObservers<ParavirtCall, CallAnswer> {
  /**
   * @param changed Called when there are more or fewer observers.
   * @param hooks The machine's hypercall hooks, when there is a machine.
   */
  constructor(changed: () => void, hooks: () => HypercallHooks | undefined) {
    super({ changed, hooks, nameOf: (no) => PLANS[no]?.name ?? "" });
  }

  /** Adds a function before a call. */
  addBefore(name: string, fn: BeforeFn): () => void {
    return this.before(known(name).no, fn);
  }

  /** Adds a function after a call. */
  addAfter(name: string, fn: AfterFn): () => void {
    const plan = known(name);
    if (plan.result === "no-return") throw noReturn(plan, "seen after");
    return this.after(plan.no, fn);
  }

  /** Sets who answers a call; the last one wins, and when it is removed the one before it answers. */
  setOverride(name: string, fn: OverrideFn): () => void {
    const plan = known(name);
    if (plan.name === "IRET" || plan.name === "SYSEXIT") throw noReturn(plan, "overridden");
    return this.replace(plan.no, fn);
  }
}

/** How often each call was made, whether it traps or not, from the moment that counting began. */
export class CallCounts {
  readonly #counts: number[] = PLANS.map(() => 0);
  readonly #removers: readonly (() => void)[];

  /** Begins to count. @param observers Where the calls are seen. */
  constructor(observers: Observers) {
    const counts = this.#counts;
    this.#removers = PLANS.map(({ no }) => observers.before(no, () => void counts[no]++));
  }

  /** Counts by name; calls that never came are left out. */
  get byName(): Readonly<Record<string, number>> {
    return Object.fromEntries(PLANS.filter((p) => this.#counts[p.no] > 0).map((p) => [p.name, this.#counts[p.no]]));
  }

  /** Ends counting; the counts stay. */
  stop(): void {
    for (const remove of this.#removers) remove();
  }
}

/** The call of that name. @throws {ConfigError} paravirt-call */
export function known(name: string): CallPlan {
  const plan = planOf(name);
  if (plan !== undefined) return plan;
  const near = PLANS.find((p) => p.name.toLowerCase() === name.toLowerCase());
  throw new ConfigError(
    "paravirt-call",
    `There is no paravirtual call "${name}"` +
      (near === undefined ? "; names are those of the call table, e.g. SetPxE" : `; write ${near.name}`),
  );
}

function noReturn(plan: CallPlan, what: string): ConfigError {
  return new ConfigError(
    "paravirt-call",
    `${plan.name} does not return to its caller, so it cannot be ${what}; use before`,
  );
}

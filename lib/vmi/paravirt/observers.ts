/**
 * What a script has asked of the calls: records, functions before and after, overrides. Cold to change, warm to ask.
 */
import { ConfigError } from "../../core/errors.ts";
import type { HookTable } from "../../core/hooks.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import { type CallPlan, planOf, PLANS } from "./arguments.ts";
import type { CallAnswer, ParavirtCall } from "./backend.ts";
import { type RecordEntry, Recording } from "./record.ts";

/** Called at the entry of a call. */
export type BeforeFn<N extends ParavirtName = ParavirtName> = (call: ParavirtCall<N>) => void;
/** Called when the call has its result. */
export type AfterFn<N extends ParavirtName = ParavirtName> = (
  call: ParavirtCall<N>,
  result: number | bigint | undefined,
) => void;
/** Answers a call in place of the backend; `"native"`: let the backend do it after all. */
export type OverrideFn<N extends ParavirtName = ParavirtName> = (call: ParavirtCall<N>) => CallAnswer;

/** What is asked of the machine's hook table. */
export type HypercallHooks = Pick<HookTable, "hasHypercall" | "hypercallHooked" | "fireHypercall">;

/** An entry whose result is still to come. */
export type MutableEntry = { -readonly [K in keyof RecordEntry]: RecordEntry[K] };

/** A call that has begun. */
export interface Entered {
  /** Its entries in the records. */
  readonly entries: readonly MutableEntry[];
  /** The result that a hypercall hook has given already. */
  readonly early: number | bigint | undefined;
}

/** Of a call that nobody observes. */
const UNSEEN: Entered = { entries: [], early: undefined };

/** Observers of one machine's calls. Each method that adds returns what removes. */
export class Observers {
  readonly #before = new Map<number, BeforeFn[]>();
  readonly #after = new Map<number, AfterFn[]>();
  readonly #override = new Map<number, OverrideFn>();
  #recordings: readonly Recording[] = [];
  readonly #changed: () => void;
  readonly #hooks: () => HypercallHooks | undefined;

  /**
   * @param changed Called when there are more or fewer observers.
   * @param hooks The machine's hypercall hooks, when there is a machine.
   */
  constructor(changed: () => void, hooks: () => HypercallHooks | undefined) {
    this.#changed = changed;
    this.#hooks = hooks;
  }

  /** Is anything observed at all? */
  get any(): boolean {
    return this.#recordings.length + this.#before.size + this.#after.size + this.#override.size > 0 ||
      (this.#hooks()?.hasHypercall ?? false);
  }

  /** Does anybody want the result of this call? */
  wantsResult(no: number, entries: readonly MutableEntry[]): boolean {
    return entries.length > 0 || this.#after.has(no) || this.#hooked(no);
  }

  /** A call begins: records it, asks the before-functions, then the machine's hooks, which may answer it. */
  enter(call: ParavirtCall): Entered {
    if (!this.wants(call.no)) return UNSEEN;
    const { no, name, args, eip, from, time } = call;
    const entries: MutableEntry[] = [];
    for (const recording of this.#recordings) {
      const entry: MutableEntry = { no, name, args, result: undefined, eip, from, time };
      recording.add(entry);
      entries.push(entry);
    }
    const before = this.#before.get(no);
    if (before !== undefined) { for (const fn of before) fn(call); }
    const early = this.#hooked(no) ? this.#hooks()?.fireHypercall("before", name, args, undefined) : undefined;
    return { entries, early };
  }

  /** A call has its result. @returns The result that the guest is to get. */
  leave(call: ParavirtCall, entered: Entered, result: number | bigint | undefined): number | bigint | undefined {
    const { no, name, args } = call;
    if (entered === UNSEEN && !this.wants(no)) return result;
    const final = this.#hooked(no) ? this.#hooks()?.fireHypercall("after", name, args, result) : result;
    for (const entry of entered.entries) entry.result = final;
    const after = this.#after.get(no);
    if (after !== undefined) { for (const fn of after) fn(call, final); }
    return final;
  }

  #hooked(no: number): boolean {
    const hooks = this.#hooks();
    return hooks !== undefined && hooks.hasHypercall && hooks.hypercallHooked(PLANS[no]?.name ?? "");
  }

  /** Who answers this call in place of the backend. */
  override(no: number): OverrideFn | undefined {
    return this.#override.get(no);
  }

  /** Is this call observed? */
  wants(no: number): boolean {
    return this.#recordings.length > 0 || this.#before.has(no) || this.#after.has(no) || this.#override.has(no) ||
      this.#hooked(no);
  }

  /** Starts a record of every call. */
  record(): Recording {
    const recording = new Recording(() => {
      this.#recordings = this.#recordings.filter((r) => r !== recording);
      this.#changed();
    });
    this.#recordings = [...this.#recordings, recording];
    this.#changed();
    return recording;
  }

  /** Adds a function before a call. */
  addBefore(name: string, fn: BeforeFn): () => void {
    return this.#add(this.#before, known(name).no, fn);
  }

  /** Adds a function after a call. */
  addAfter(name: string, fn: AfterFn): () => void {
    const plan = known(name);
    if (plan.result === "no-return") throw noReturn(plan, "seen after");
    return this.#add(this.#after, plan.no, fn);
  }

  /** Sets who answers a call; the last one wins. */
  setOverride(name: string, fn: OverrideFn): () => void {
    const plan = known(name);
    if (plan.name === "IRET" || plan.name === "SYSEXIT") throw noReturn(plan, "overridden");
    this.#override.set(plan.no, fn);
    this.#changed();
    return () => {
      if (this.#override.get(plan.no) !== fn) return;
      this.#override.delete(plan.no);
      this.#changed();
    };
  }

  #add<F>(map: Map<number, F[]>, no: number, fn: F): () => void {
    map.set(no, [...map.get(no) ?? [], fn]);
    this.#changed();
    return () => {
      const left = (map.get(no) ?? []).filter((f) => f !== fn);
      if (left.length === 0) map.delete(no);
      else map.set(no, left);
      this.#changed();
    };
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

/**
 * What a script has asked of a guest's calls to its hypervisor, whichever interface they use: records, functions before
 * and after, overrides, and the machine's hypercall hooks. Cold to change, warm to ask.
 */
import type { HookTable } from "../core/hooks.ts";
import { type RecordEntry, Recording } from "./paravirt/record.ts";

/** What is asked of the machine's hook table. */
export type HypercallHooks = Pick<HookTable, "hasHypercall" | "hypercallHooked" | "fireHypercall">;

/** An entry whose result is still to come. */
export type MutableEntry = { -readonly [K in keyof RecordEntry]: RecordEntry[K] };

/** A call as a record keeps it. */
export type ObservedCall = Omit<RecordEntry, "result">;

/** A call that has begun. */
export interface Entered {
  /** Its entries in the records. */
  readonly entries: readonly MutableEntry[];
  /** The result that a hypercall hook has given already. */
  readonly early: number | bigint | undefined;
}

/** Of a call that nobody observes. */
const UNSEEN: Entered = { entries: [], early: undefined };

/** Where observers find the machine and the names of its calls. */
export interface ObserverHost {
  /** Called when there are more or fewer observers. */
  readonly changed: () => void;
  /** The machine's hypercall hooks, when there is a machine. */
  readonly hooks: () => HypercallHooks | undefined;
  /** Name of a call by its number. */
  readonly nameOf: (no: number) => string;
}

/** Observers of one machine's calls `C`, which are answered with `A`. Each method that adds returns what removes. */
export class CallObservers<C extends ObservedCall, A> {
  readonly #before = new Map<number, ((call: C) => void)[]>();
  readonly #after = new Map<number, ((call: C, result: number | bigint | undefined) => void)[]>();
  readonly #override = new Map<number, (call: C) => A>();
  #recordings: readonly Recording[] = [];
  readonly #host: ObserverHost;

  /** @param host Machine and names. */
  constructor(host: ObserverHost) {
    this.#host = host;
  }

  /** Is anything observed at all? */
  get any(): boolean {
    return this.#recordings.length + this.#before.size + this.#after.size + this.#override.size > 0 ||
      (this.#host.hooks()?.hasHypercall ?? false);
  }

  /** Does anybody want the result of this call? */
  wantsResult(no: number, entries: readonly MutableEntry[]): boolean {
    return entries.length > 0 || this.#after.has(no) || this.#hooked(no);
  }

  /** A call begins: records it, asks the before-functions, then the machine's hooks, which may answer it. */
  enter(call: C): Entered {
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
    const hooks = this.#hooked(no) ? this.#host.hooks() : undefined;
    return { entries, early: hooks?.fireHypercall("before", name, args, undefined) };
  }

  /** A call has its result. @returns The result that the guest is to get. */
  leave(call: C, entered: Entered, result: number | bigint | undefined): number | bigint | undefined {
    const { no, name, args } = call;
    if (entered === UNSEEN && !this.wants(no)) return result;
    const final = this.#hooked(no) ? this.#host.hooks()?.fireHypercall("after", name, args, result) : result;
    for (const entry of entered.entries) entry.result = final;
    const after = this.#after.get(no);
    if (after !== undefined) { for (const fn of after) fn(call, final); }
    return final;
  }

  #hooked(no: number): boolean {
    const hooks = this.#host.hooks();
    return hooks !== undefined && hooks.hasHypercall && hooks.hypercallHooked(this.#host.nameOf(no));
  }

  /** Who answers this call in place of the hypervisor. */
  override(no: number): ((call: C) => A) | undefined {
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
      this.#host.changed();
    });
    this.#recordings = [...this.#recordings, recording];
    this.#host.changed();
    return recording;
  }

  /** Adds a function before the call of this number. */
  before(no: number, fn: (call: C) => void): () => void {
    return this.#add(this.#before, no, fn);
  }

  /** Adds a function after the call of this number. */
  after(no: number, fn: (call: C, result: number | bigint | undefined) => void): () => void {
    return this.#add(this.#after, no, fn);
  }

  /** Sets who answers the call of this number; the last one wins. */
  replace(no: number, fn: (call: C) => A): () => void {
    this.#override.set(no, fn);
    this.#host.changed();
    return () => {
      if (this.#override.get(no) !== fn) return;
      this.#override.delete(no);
      this.#host.changed();
    };
  }

  #add<F>(map: Map<number, F[]>, no: number, fn: F): () => void {
    map.set(no, [...map.get(no) ?? [], fn]);
    this.#host.changed();
    return () => {
      const left = (map.get(no) ?? []).filter((f) => f !== fn);
      if (left.length === 0) map.delete(no);
      else map.set(no, left);
      this.#host.changed();
    };
  }
}

/**
 * What a script has asked of a guest's calls to its hypervisor, whichever interface they use: records, functions before
 * and after, overrides, and the machine's hypercall hooks. Cold to change, warm to ask.
 */
import { checkCallback } from "../core/hook_checks.ts";
import type { HookTable } from "../core/hooks.ts";
import { type RecordedCall, Recording, type RecordOptions } from "./paravirt/record.ts";

/** What is asked of the machine's hook table. */
export type HypercallHooks = Pick<
  HookTable,
  "hasHypercall" | "hypercallsVersion" | "hypercallHooked" | "fireHypercall"
>;

/** A call that has begun. */
export interface Entered {
  /** Records it stands in. */
  recordings: readonly Recording[];
  /** Its sequence number in the first of them. */
  seq: number;
  /** Its sequence numbers in the others. */
  others: readonly number[];
  /** The result that a hypercall hook has given already. */
  early: number | bigint | undefined;
}

/** Who asks for the calls of one number. */
export interface Interest<C, A> {
  /** Called at entry. */
  readonly before: readonly ((call: C) => void)[];
  /** Called with the result. */
  readonly after: readonly ((call: C, result: number | bigint | undefined) => void)[];
  /** Answers in place of the hypervisor. */
  readonly override: ((call: C) => A) | undefined;
  /** All that were set and not removed, in order; the last one answers. */
  readonly overrides: readonly ((call: C) => A)[];
}

/** Numbers below this are found without search. */
const TABLE = 256;
const NOBODY = { before: [], after: [], override: undefined, overrides: [] } as const;

/** Of a call that stands in no record. */
const UNRECORDED: Readonly<Entered> = { recordings: [], seq: 0, others: [], early: undefined };

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
export class CallObservers<C extends RecordedCall, A> {
  readonly #interests = new Map<number, Interest<C, A>>();
  /** The same for small numbers, which are asked for at each call. */
  readonly #table: (Interest<C, A> | undefined)[] = new Array(TABLE).fill(undefined);
  /** Which small numbers have a hypercall hook, as far as somebody has asked, for one version of the hooks. */
  readonly #hooked: (boolean | undefined)[] = new Array(TABLE).fill(undefined);
  #hookedAt = -1;
  #recordings: readonly Recording[] = [];
  /** Of a call that is done, to be used again. */
  #spare: Entered | undefined;
  readonly #host: ObserverHost;

  /** @param host Machine and names. */
  constructor(host: ObserverHost) {
    this.#host = host;
  }

  /** Is anything observed at all? */
  get any(): boolean {
    return this.#recordings.length + this.#interests.size > 0 || (this.#host.hooks()?.hasHypercall ?? false);
  }

  /** Who asks for the calls of this number, besides records and hooks. */
  of(no: number): Interest<C, A> {
    return (no < TABLE ? this.#table[no] : this.#interests.get(no)) ?? NOBODY;
  }

  /** Does anybody want to know when this call has its result? A record does only if it `hasResult`. */
  wantsResult(no: number, hasResult: boolean): boolean {
    return (hasResult && this.#recordings.length > 0) || this.of(no).after.length > 0 || this.#hooks(no) !== undefined;
  }

  /** The record that calls of this number go to, if there is but one and nobody else asks for them. */
  onlyRecording(no: number): Recording | undefined {
    if (this.#recordings.length !== 1 || this.#interests.size > 0 && this.of(no) !== NOBODY) return undefined;
    return this.#hooks(no) === undefined ? this.#recordings[0] : undefined;
  }

  /** Is this call observed? */
  wants(no: number): boolean {
    return this.#recordings.length > 0 || this.#interests.has(no) || this.#hooks(no) !== undefined;
  }

  /** A call begins: records it, asks the before-functions, then the machine's hooks, which may answer it. */
  enter(call: C): Entered {
    const recordings = this.#recordings;
    let seq = 0, others = UNRECORDED.others;
    if (recordings.length > 0) {
      seq = recordings[0].begin(call);
      if (recordings.length > 1) others = recordings.slice(1).map((r) => r.begin(call));
    }
    const { before } = this.of(call.no);
    for (let i = 0; i < before.length; i++) before[i](call);
    const early = this.#hooks(call.no)?.fireHypercall("before", call.name, call.args, undefined);
    if (recordings.length === 0 && early === undefined) return UNRECORDED;
    const entered = this.#spare ?? { recordings, seq, others, early };
    this.#spare = undefined;
    entered.recordings = recordings;
    entered.seq = seq;
    entered.others = others;
    entered.early = early;
    return entered;
  }

  /** A call has its result, and `entered` is given up. @returns The result that the guest is to get. */
  leave(call: C, entered: Entered, result: number | bigint | undefined): number | bigint | undefined {
    const hooks = this.#hooks(call.no);
    const final = hooks === undefined ? result : hooks.fireHypercall("after", call.name, call.args, result);
    const { recordings, others } = entered;
    if (recordings.length > 0) {
      recordings[0].end(entered.seq, final);
      for (let i = 0; i < others.length; i++) recordings[i + 1].end(others[i], final);
    }
    const { after } = this.of(call.no);
    for (let i = 0; i < after.length; i++) after[i](call, final);
    if (entered !== UNRECORDED) this.#spare = entered;
    return final;
  }

  /** Who answers this call in place of the hypervisor. */
  override(no: number): ((call: C) => A) | undefined {
    return this.of(no).override;
  }

  /** Starts a record of every call. @throws {ConfigError} record-size */
  record(options?: RecordOptions): Recording {
    const recording = new Recording(() => {
      this.#recordings = this.#recordings.filter((r) => r !== recording);
      this.#host.changed();
    }, options);
    this.#recordings = [...this.#recordings, recording];
    this.#host.changed();
    return recording;
  }

  /** Adds a function before the call of this number. */
  before(no: number, fn: (call: C) => void): () => void {
    checkCallback("before(name, fn)", fn);
    this.#change(no, (now) => ({ ...now, before: [...now.before, fn] }));
    return once(() => this.#change(no, (now) => ({ ...now, before: without(now.before, fn) })));
  }

  /** Adds a function after the call of this number. */
  after(no: number, fn: (call: C, result: number | bigint | undefined) => void): () => void {
    checkCallback("after(name, fn)", fn);
    this.#change(no, (now) => ({ ...now, after: [...now.after, fn] }));
    return once(() => this.#change(no, (now) => ({ ...now, after: without(now.after, fn) })));
  }

  /** Sets who answers the call of this number; the last one wins, and when it is removed the one before it answers. */
  replace(no: number, fn: (call: C) => A): () => void {
    checkCallback("override(name, fn)", fn);
    const set = (change: (now: Interest<C, A>["overrides"]) => Interest<C, A>["overrides"]): void =>
      this.#change(no, (now) => {
        const overrides = change(now.overrides);
        return { ...now, overrides, override: overrides.at(-1) };
      });
    set((now) => [...now, fn]);
    return once(() => set((now) => without(now, fn)));
  }

  /** The machine's hypercall hooks if there is one for this call. */
  #hooks(no: number): HypercallHooks | undefined {
    const hooks = this.#host.hooks();
    if (hooks === undefined || !hooks.hasHypercall) return undefined;
    if (no >= TABLE) return hooks.hypercallHooked(this.#host.nameOf(no)) ? hooks : undefined;
    if (this.#hookedAt !== hooks.hypercallsVersion) {
      this.#hookedAt = hooks.hypercallsVersion;
      this.#hooked.fill(undefined);
    }
    const isHooked = this.#hooked[no] ??= hooks.hypercallHooked(this.#host.nameOf(no));
    return isHooked ? hooks : undefined;
  }

  #change(no: number, how: (now: Interest<C, A>) => Interest<C, A>): void {
    const now = how(this.of(no));
    const isEmpty = now.before.length + now.after.length === 0 && now.override === undefined;
    if (isEmpty) this.#interests.delete(no);
    else this.#interests.set(no, now);
    if (no < TABLE) this.#table[no] = isEmpty ? undefined : now;
    this.#host.changed();
  }
}

/** The list without one of these; a function that was added twice is still there once. */
function without<T>(list: readonly T[], one: T): readonly T[] {
  const at = list.lastIndexOf(one);
  return list.filter((_, i) => i !== at);
}

/** Does it the first time only. */
function once(remove: () => void): () => void {
  let isThere = true;
  return () => {
    if (isThere) remove();
    isThere = false;
  };
}

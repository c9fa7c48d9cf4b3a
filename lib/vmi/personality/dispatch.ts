/**
 * Takes the calls of a guest to its personality: decodes, asks before-functions, hooks, override and personality in this
 * order, writes registers, tells after-functions. The same order and the same records as for the paravirtual calls. Warm.
 */
import type { Clock } from "../../core/clock.ts";
import type { GuestContext } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import { Reg } from "../../spec/i386_regs.ts";
import { checkInjectedArgs } from "../injected_args.ts";
import { CallObservers, type HypercallHooks } from "../call_observers.ts";
import type { Recording, RecordOptions } from "../paravirt/record.ts";
import type { CallRegisters, CallRow, CallWay, Decoded, Hypercall, Personality } from "./personality.ts";

/** What a script answers a call with: EAX, registers, or `"native"`: let the personality do it after all. */
export type HypercallAnswer = number | CallRegisters | "native";

/** What is needed of the machine. */
export interface HypercallHost {
  /** Virtual time. */
  readonly clock: Clock;
  /** Hypercall hooks. */
  readonly hooks: HypercallHooks;
  /** Ends the run as `hook`. */
  stop(name: string): void;
  /** Ends the run as `killed`. */
  kill(call: string, code: string, eip: number): void;
}

const OTHERS = ["ebx", "ecx", "edx", "esi"] as const;

/** Calls of one machine. */
export class HypercallDispatch<N extends string> {
  readonly #personality: Personality<N>;
  readonly #host: () => HypercallHost;
  readonly #rows: ReadonlyMap<number, CallRow<N>>;
  readonly #observers: CallObservers<Hypercall<N>, HypercallAnswer>;
  readonly #counts = new Map<number, number>();

  /** @param personality Who answers. @param host The machine, once it is there; asked at each call. */
  constructor(personality: Personality<N>, host: () => HypercallHost | undefined) {
    this.#personality = personality;
    this.#rows = new Map(personality.calls.map((row) => [row.no, row]));
    this.#host = (): HypercallHost => {
      const made = host();
      if (made !== undefined) return made;
      throw new ConfigError("personality-machine", "This personality is in no machine yet; give it to pc()");
    };
    this.#observers = new CallObservers({
      changed: () => {},
      hooks: () => host()?.hooks,
      nameOf: (no) => this.#rows.get(no)?.name ?? "",
    });
  }

  /** How often the guest has made each call since power-on, by name; those that never came are left out. */
  get counts(): Readonly<Record<string, number>> {
    const came = this.#personality.calls.filter((row) => this.#counts.has(row.no));
    return Object.fromEntries(came.map((row) => [row.name, this.#counts.get(row.no) ?? 0]));
  }

  /** Starts a record. */
  record(options?: RecordOptions): Recording {
    return this.#observers.record(options);
  }

  /** Adds a function before. @throws {ConfigError} hypercall-name */
  before<M extends N>(name: M, fn: (call: Hypercall<M>) => void): () => void {
    return this.#observers.before(this.known(name).no, fn as (call: Hypercall<N>) => void);
  }

  /** Adds a function after. @throws {ConfigError} hypercall-name */
  after<M extends N>(name: M, fn: (call: Hypercall<M>, result: number) => void): () => void {
    const each = fn as (call: Hypercall<N>, result: number) => void;
    return this.#observers.after(this.known(name).no, (call, result) => each(call, Number(result)));
  }

  /** Sets who answers; the last one wins, then the one before it. @throws {ConfigError} hypercall-name */
  override<M extends N>(name: M, fn: (call: Hypercall<M>) => HypercallAnswer): () => void {
    return this.#observers.replace(this.known(name).no, fn as (call: Hypercall<N>) => HypercallAnswer);
  }

  /** The row of that name. @throws {ConfigError} hypercall-name */
  known(name: string): CallRow<N> {
    const { calls } = this.#personality;
    const row = calls.find((r) => r.name === name);
    if (row !== undefined) return row;
    const near = calls.find((r) => r.name.toLowerCase() === name.toLowerCase())?.name;
    const hint = near === undefined ? `its calls: ${calls.map((r) => r.name).join(", ")}` : `write ${near}`;
    throw new ConfigError("hypercall-name", `${this.#personality.name} has no call "${name}"; ${hint}`);
  }

  /**
   * The guest calls; registers other than EAX are written.
   * @returns EAX, u32; `killed`: not answered; undefined: no call of this interface.
   */
  enter(guest: GuestContext, cpu: number, way: CallWay): number | "killed" | undefined {
    const decoded = this.#personality.decode(guest, way);
    if (decoded === undefined) return undefined;
    this.#counts.set(decoded.no, (this.#counts.get(decoded.no) ?? 0) + 1);
    const answer = this.#answer(guest, cpu, way, decoded);
    if (answer === undefined) return "killed";
    for (const name of OTHERS) {
      const value = answer[name];
      if (value !== undefined) guest.setReg(Reg[name], value);
    }
    return answer.eax >>> 0;
  }

  /** A script calls; the guest's registers stay. @throws {ConfigError} hypercall-name, inject-argument, inject-kill */
  inject(guest: GuestContext, cpu: number, name: string, given: Readonly<Record<string, number | bigint>>): number {
    const row = this.known(name);
    checkInjectedArgs(name, row.args, () => 32, given);
    const args = Object.fromEntries(row.args.map((a) => [a, Number(BigInt.asUintN(32, BigInt(given[a] ?? 0)))]));
    const answer = this.#answer(guest, cpu, "script", { no: row.no, args });
    if (answer !== undefined) return answer.eax;
    throw new ConfigError("inject-kill", `A function for ${name} refused the injected call`);
  }

  /** Forgets what was counted. */
  reset(): void {
    this.#counts.clear();
  }

  /** What was counted, by number. */
  save(): readonly (readonly [number, number])[] {
    return [...this.#counts].sort(([a], [b]) => a - b);
  }

  /** Restores it. */
  load(counts: readonly (readonly [number, number])[]): void {
    this.#counts.clear();
    for (const [no, n] of counts) this.#counts.set(no, n);
  }

  #answer(guest: GuestContext, cpu: number, way: CallWay, decoded: Decoded): CallRegisters | undefined {
    const host = this.#host();
    const name = (this.#rows.get(decoded.no) ?? this.known("UNKNOWN")).name;
    const eip = guest.eip >>> 0;
    let killed = false;
    const kill = (): void => {
      killed = true;
      if (way !== "script") host.kill(name, "refused", eip);
    };
    const stop = (stopName: string = name): void => {
      if (stopName === "") {
        throw new ConfigError("hook-name", "The name that a call stops the run with must not be empty");
      }
      host.stop(stopName);
    };
    const call = { ...decoded, name, way, cpu, eip, from: eip, time: host.clock.now, guest, stop, kill };
    try {
      const entered = this.#observers.enter(call);
      if (killed) return undefined;
      const answer = this.#registers(name, entered.early ?? this.#ask(call));
      if (killed) return undefined;
      const eax = this.#observers.leave(call, entered, answer.eax);
      return eax === answer.eax ? answer : this.#registers(name, eax);
    } catch (error) {
      if (!(error instanceof Error)) throw error; // a fault of the guest
      const failure = new ConfigError("hypercall-script", `A function for ${name} failed: ${error.message}`);
      failure.cause = error;
      throw failure;
    }
  }

  #ask(call: Hypercall<N>): HypercallAnswer {
    const override = this.#observers.override(call.no);
    const answer = override === undefined ? "native" : override(call);
    return answer === "native" ? this.#personality.answer(call) : answer;
  }

  /** An answer as registers; EAX as the interface counts results. */
  #registers(name: string, answer: unknown): CallRegisters {
    const all = typeof answer === "object" && answer !== null ? answer as CallRegisters : { eax: answer as number };
    const others = Object.fromEntries(
      OTHERS.filter((r) => all[r] !== undefined).map((r) => [r, word(name, all[r]) >>> 0]),
    );
    const eax = word(name, all.eax);
    return { ...others, eax: this.#personality.signed ? eax | 0 : eax >>> 0 };
  }
}

/** A 32-bit value of a script, signed or not. */
function word(name: string, value: unknown): number {
  const n = typeof value === "bigint" ? Number(value) : value;
  if (typeof n === "number" && Number.isInteger(n) && n >= -(2 ** 31) && n < 2 ** 32) return n;
  throw new ConfigError(
    "hypercall-answer",
    `The answer to ${name} is ${String(value)}; give a 32-bit integer, { eax, ... } or "native"`,
  );
}

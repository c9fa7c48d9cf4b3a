/**
 * One call of the guest as backends and scripts see it. The words of its arguments are read when it begins; they get
 * their names when somebody asks for them. Hot where calls are observed: one object a call, and nothing else.
 */
import type { GuestContext } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import { Reg } from "../../spec/i386_regs.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import { type AnyArgs, argsOf, type CallPlan, MAX_WORDS, readWords } from "./arguments.ts";
import type { CallAnswer, KillCode, ParavirtCall } from "./backend.ts";
import { STRIDE } from "./rom.ts";

/** What a call can have done for it. */
export interface CallVerbs {
  /** See {@linkcode ParavirtCall.delay}. */
  delay(plan: CallPlan, ticks: number): void;
  /** See {@linkcode ParavirtCall.forward}. */
  forward(plan: CallPlan, call: LiveCall, changed: AnyArgs): CallAnswer;
}

/** What calls have in common that are made on one CPU in the same way. */
export interface CallSite {
  /** Number of the CPU. */
  readonly cpu: number;
  /** Its guest. */
  readonly guest: GuestContext;
  /** What calls can have done. */
  readonly verbs: CallVerbs;
  /** Asks the run to end. */
  readonly stop: (name: string) => void;
  /** Linear address of slot 0, i32. */
  readonly slots: number;
}

const scratch = new Int32Array(MAX_WORDS), row = new Int32Array(MAX_WORDS);
/** Arguments of a call whose stack is not mapped. */
const CUT: AnyArgs = Object.freeze({});

/**
 * A call that goes on, of those without arguments. What memory it takes is most of what it costs, so it has few fields;
 * numbers are kept as i32, which the engine below us need not box.
 */
export class LiveCall implements ParavirtCall {
  /** See {@linkcode ParavirtCall.time}. */
  readonly time: number;
  /** Why a script has refused the call, if it has. */
  refused: KillCode | undefined;
  readonly #site: CallSite;
  readonly #plan: CallPlan;
  readonly #from: number;
  #args: AnyArgs | undefined;

  /** @param args Arguments of a call that no guest has made; default: those in registers and stack. */
  constructor(plan: CallPlan, site: CallSite, args?: AnyArgs) {
    const { guest } = site;
    this.time = guest.now();
    this.refused = undefined;
    this.#site = site;
    this.#plan = plan;
    const from = guest.peek32(guest.reg(Reg.esp) >>> 0);
    this.#from = from < 0 ? 0 : from | 0;
    const isCut = args === undefined && plan.words.length > 0 && !readWords(guest, plan, scratch);
    this.#args = isCut ? CUT : args;
  }

  /** See {@linkcode ParavirtCall.cpu}. */
  get cpu(): number {
    return this.#site.cpu;
  }

  /** See {@linkcode ParavirtCall.guest}. */
  get guest(): GuestContext {
    return this.#site.guest;
  }

  /** The stack that holds arguments is not mapped: there are none. */
  get isCut(): boolean {
    return this.#args === CUT;
  }

  /** See {@linkcode ParavirtCall.no}. */
  get no(): number {
    return this.#plan.no;
  }

  /** See {@linkcode ParavirtCall.name}. */
  get name(): ParavirtName {
    return this.#plan.name;
  }

  /** See {@linkcode ParavirtCall.args}. */
  get args(): AnyArgs {
    return this.#args ??= this.putWords(row, 0) ? argsOf(this.#plan, row, 0) : {};
  }

  /** See {@linkcode ParavirtCall.eip}. */
  get eip(): number {
    return (this.#site.slots + this.#plan.no * STRIDE) >>> 0;
  }

  /** See {@linkcode ParavirtCall.from}. */
  get from(): number {
    return this.#from >>> 0;
  }

  /** See {@linkcode ParavirtCall.stop}. */
  stop(name: string = this.name): void {
    if (name === "") throw new ConfigError("hook-name", "The name that a call stops the run with must not be empty");
    this.#site.stop(name);
  }

  /** See {@linkcode ParavirtCall.kill}. */
  kill(code: KillCode = "refused"): void {
    this.refused ??= code;
  }

  /** See {@linkcode ParavirtCall.delay}. */
  delay(ticks: number): void {
    this.#site.verbs.delay(this.#plan, ticks);
  }

  /** See {@linkcode ParavirtCall.forward}. */
  forward(changed: AnyArgs = {}): CallAnswer {
    return this.#site.verbs.forward(this.#plan, this, changed);
  }

  /** This call with other arguments; what it asks for, this one asks for. */
  with(args: AnyArgs): ParavirtCall {
    return {
      no: this.no,
      name: this.name,
      args,
      cpu: this.cpu,
      eip: this.eip,
      from: this.from,
      time: this.time,
      guest: this.guest,
      stop: (name) => this.stop(name),
      kill: (code) => this.kill(code),
      delay: (ticks) => this.delay(ticks),
      forward: (changed) => this.forward(changed),
    };
  }

  /** Writes the words of the arguments to a row of a record. @returns False: there are none, take `args`. */
  putWords(_into: Int32Array, _at: number): boolean {
    return this.#args === undefined;
  }
}

/** What a script that prints a call sees, by the key that consoles ask for: its getters, as if they were fields. */
Object.defineProperty(LiveCall.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: LiveCall): Omit<ParavirtCall, "guest" | "stop" | "kill" | "delay" | "forward"> {
    const { no, name, args, cpu, eip, from, time } = this;
    return { no, name, args, cpu, eip, from, time };
  },
});

/** A call with up to two words of arguments. */
class ShortCall extends LiveCall {
  readonly #a: number;
  readonly #b: number;

  constructor(plan: CallPlan, site: CallSite, args?: AnyArgs) {
    super(plan, site, args);
    this.#a = scratch[0];
    this.#b = scratch[1];
  }

  override putWords(into: Int32Array, at: number): boolean {
    into[at] = this.#a;
    into[at + 1] = this.#b;
    return super.putWords(into, at);
  }
}

/** A call with as many as there can be. */
class LongCall extends LiveCall {
  readonly #a: number;
  readonly #b: number;
  readonly #c: number;
  readonly #d: number;
  readonly #e: number;

  constructor(plan: CallPlan, site: CallSite, args?: AnyArgs) {
    super(plan, site, args);
    this.#a = scratch[0];
    this.#b = scratch[1];
    this.#c = scratch[2];
    this.#d = scratch[3];
    this.#e = scratch[4];
  }

  override putWords(into: Int32Array, at: number): boolean {
    into[at] = this.#a;
    into[at + 1] = this.#b;
    into[at + 2] = this.#c;
    into[at + 3] = this.#d;
    into[at + 4] = this.#e;
    return super.putWords(into, at);
  }
}

/** A call at its entry. @param args Arguments of a call that no guest has made; default: those in registers and stack. */
export function liveCall(plan: CallPlan, site: CallSite, args?: AnyArgs): LiveCall {
  const { length } = plan.words;
  if (length === 0) return new LiveCall(plan, site, args);
  return length <= 2 ? new ShortCall(plan, site, args) : new LongCall(plan, site, args);
}

/**
 * One call of the guest as backends and scripts see it. The words of its arguments are read when it begins; they get
 * their names when somebody asks for them. Hot where calls are observed: one object a call, and nothing else.
 */
import type { GuestContext } from "../../core/cpu.ts";
import { Reg } from "../../spec/i386_regs.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import { type AnyArgs, argsOf, type CallPlan, MAX_WORDS, readWords } from "./arguments.ts";
import type { CallAnswer, KillCode, ParavirtCall } from "./backend.ts";

/** What a call can have done for it. */
export interface CallVerbs {
  /** See {@linkcode ParavirtCall.delay}. */
  delay(plan: CallPlan, ticks: number): void;
  /** See {@linkcode ParavirtCall.forward}. */
  forward(plan: CallPlan, call: LiveCall, changed: AnyArgs): CallAnswer;
}

const scratch = new Int32Array(MAX_WORDS), row = new Float64Array(MAX_WORDS);

/** A call that goes on. Words are kept as i32, which the engine below us need not box. */
export class LiveCall implements ParavirtCall {
  /** See {@linkcode ParavirtCall.cpu}. */
  readonly cpu: number;
  /** See {@linkcode ParavirtCall.time}. */
  readonly time: number;
  /** See {@linkcode ParavirtCall.guest}. */
  readonly guest: GuestContext;
  /** Why a script has refused the call, if it has. */
  refused: KillCode | undefined;
  /** The stack that holds arguments is not mapped: there are none. */
  readonly isCut: boolean;
  readonly #plan: CallPlan;
  readonly #verbs: CallVerbs;
  readonly #stop: (name: string) => void;
  readonly #eip: number;
  readonly #esp: number;
  #from: number;
  /** The return address has been read. */
  #hasFrom: boolean;
  readonly #a: number;
  readonly #b: number;
  readonly #c: number;
  readonly #d: number;
  readonly #e: number;
  #args: AnyArgs | undefined;

  /**
   * @param observed Somebody may keep it: everything is read now, what lies in memory included.
   * @param args Arguments of a call that no guest has made; default: those in registers and stack.
   */
  constructor(
    plan: CallPlan,
    guest: GuestContext,
    cpu: number,
    verbs: CallVerbs,
    stop: (name: string) => void,
    observed: boolean,
    args?: AnyArgs,
  ) {
    this.cpu = cpu;
    this.time = guest.now();
    this.guest = guest;
    this.refused = undefined;
    this.#verbs = verbs;
    this.#stop = stop;
    this.isCut = args === undefined && plan.words.length > 0 && !readWords(guest, plan, scratch);
    this.#plan = plan;
    this.#eip = guest.eip | 0;
    this.#esp = guest.reg(Reg.esp) | 0;
    this.#from = 0;
    this.#hasFrom = false;
    if (observed) this.#readFrom();
    this.#a = scratch[0];
    this.#b = scratch[1];
    this.#c = scratch[2];
    this.#d = scratch[3];
    this.#e = scratch[4];
    this.#args = this.isCut ? {} : args;
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
    if (this.#args !== undefined) return this.#args;
    this.putWords(row, 0);
    return this.#args = argsOf(this.#plan, row, 0);
  }

  /** See {@linkcode ParavirtCall.eip}. */
  get eip(): number {
    return this.#eip >>> 0;
  }

  /** See {@linkcode ParavirtCall.from}. */
  get from(): number {
    if (!this.#hasFrom) this.#readFrom();
    return this.#from >>> 0;
  }

  #readFrom(): void {
    this.#hasFrom = true;
    const from = this.guest.peek32(this.#esp >>> 0);
    if (from >= 0) this.#from = from | 0;
  }

  /** See {@linkcode ParavirtCall.stop}. */
  stop(name: string): void {
    this.#stop(name);
  }

  /** See {@linkcode ParavirtCall.kill}. */
  kill(code: KillCode = "refused"): void {
    this.refused ??= code;
  }

  /** See {@linkcode ParavirtCall.delay}. */
  delay(ticks: number): void {
    this.#verbs.delay(this.#plan, ticks);
  }

  /** See {@linkcode ParavirtCall.forward}. */
  forward(changed: AnyArgs = {}): CallAnswer {
    return this.#verbs.forward(this.#plan, this, changed);
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

  /** Stack pointer at entry, u32. */
  get esp(): number {
    return this.#esp >>> 0;
  }

  /** Writes the words of the arguments, u32, to a row of a record. @returns False: there are none, take `args`. */
  putWords(into: Float64Array, at: number): boolean {
    into[at] = this.#a >>> 0;
    into[at + 1] = this.#b >>> 0;
    into[at + 2] = this.#c >>> 0;
    into[at + 3] = this.#d >>> 0;
    into[at + 4] = this.#e >>> 0;
    return this.#args === undefined;
  }
}

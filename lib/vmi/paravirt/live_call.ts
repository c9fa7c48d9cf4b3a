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
}

const scratch = new Int32Array(MAX_WORDS), row = new Int32Array(MAX_WORDS);
/** Arguments of a call whose stack is not mapped. */
const CUT: AnyArgs = Object.freeze({});

/** A call that goes on. Words are kept as i32, which the engine below us need not box; the fields are as few as can be. */
export class LiveCall implements ParavirtCall {
  /** See {@linkcode ParavirtCall.time}. */
  readonly time: number;
  /** Why a script has refused the call, if it has. */
  refused: KillCode | undefined;
  readonly #site: CallSite;
  readonly #plan: CallPlan;
  readonly #eip: number;
  readonly #esp: number;
  /** Return address; undefined: it has not been read. */
  #from: number | undefined;
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
  constructor(plan: CallPlan, site: CallSite, observed: boolean, args?: AnyArgs) {
    const { guest } = site;
    this.time = guest.now();
    this.refused = undefined;
    this.#site = site;
    const isCut = args === undefined && plan.words.length > 0 && !readWords(guest, plan, scratch);
    this.#plan = plan;
    this.#eip = guest.eip | 0;
    const esp = guest.reg(Reg.esp) | 0;
    this.#esp = esp;
    this.#from = observed ? readFrom(guest, esp) : undefined;
    this.#a = scratch[0];
    this.#b = scratch[1];
    this.#c = scratch[2];
    this.#d = scratch[3];
    this.#e = scratch[4];
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
    return (this.#from ??= readFrom(this.#site.guest, this.#esp)) >>> 0;
  }

  /** See {@linkcode ParavirtCall.stop}. */
  stop(name: string): void {
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

  /** Stack pointer at entry, u32. */
  get esp(): number {
    return this.#esp >>> 0;
  }

  /** Writes the words of the arguments to a row of a record. @returns False: there are none, take `args`. */
  putWords(into: Int32Array, at: number): boolean {
    into[at] = this.#a;
    into[at + 1] = this.#b;
    into[at + 2] = this.#c;
    into[at + 3] = this.#d;
    into[at + 4] = this.#e;
    return this.#args === undefined;
  }
}

/** Return address of a call that begins with this stack pointer, i32; 0 where the stack is not mapped. */
function readFrom(guest: GuestContext, esp: number): number {
  const from = guest.peek32(esp >>> 0);
  return from < 0 ? 0 : from | 0;
}

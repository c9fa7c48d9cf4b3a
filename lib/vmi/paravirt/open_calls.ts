/**
 * Calls that go on in guest code and whose results somebody wants to know: found again by stack pointer and number when
 * they return. Entries are used again and again. Hot where plain code is observed.
 */
import type { GuestContext } from "../../core/cpu.ts";
import { Reg } from "../../spec/i386_regs.ts";
import type { Entered } from "../call_observers.ts";
import { type CallPlan, MAX_WORDS, readWords } from "./arguments.ts";
import type { LiveCall } from "./live_call.ts";
import type { Recording } from "./record.ts";

/** More open calls than this are forgotten, oldest first: their guest threads never came back. */
const MOST = 256;

const scratch = new Int32Array(MAX_WORDS);

/** One of them. */
export class OpenCall {
  /** Its number. */
  no = 0;
  /** Stack pointer at its entry, u32. */
  esp = 0;
  /** The call, and who was told of it; undefined: it is only recorded. */
  call: LiveCall | undefined = undefined;
  /** See {@linkcode OpenCall.call}. */
  entered: Entered | undefined = undefined;
  /** The record of a call that is only recorded. */
  recording: Recording | undefined = undefined;
  /** Its place there. */
  seq = 0;
}

/** The open calls of a machine, oldest first. */
export class OpenCalls {
  readonly #all: OpenCall[] = [];
  #count = 0;

  /** How many are there. */
  get count(): number {
    return this.#count;
  }

  /** Numbers of the calls that are open. */
  get numbers(): ReadonlySet<number> {
    return new Set(this.#all.slice(0, this.#count).map((c) => c.no));
  }

  /** Opens a call of which observers know. */
  add(call: LiveCall, entered: Entered, esp: number): void {
    const open = this.#take(call.no, esp);
    open.call = call;
    open.entered = entered;
    open.recording = undefined;
  }

  /**
   * A slot of plain code begins, and nobody but a record sees it: puts it down, with no object made for it.
   * @returns False: its arguments are not there.
   */
  record(guest: GuestContext, plan: CallPlan, recording: Recording): boolean {
    const { words, result, no } = plan;
    if (words.length > 0 && !readWords(guest, plan, scratch)) return false;
    const esp = guest.reg(Reg.esp) >>> 0, from = guest.peek32(esp);
    const seq = recording.beginRow(no, guest.eip, from < 0 ? 0 : from, guest.now());
    const { rows } = recording;
    for (let i = 0; i < words.length; i++) rows.words[rows.wordsAt + i] = scratch[i];
    if (result === "none" || result === "no-return") return true;
    const open = this.#take(no, esp);
    open.call = open.entered = undefined;
    open.recording = recording;
    open.seq = seq;
    return true;
  }

  /** The call of this number that began with this stack pointer returns. @returns It, valid until another begins. */
  close(no: number, esp: number): OpenCall | undefined {
    const all = this.#all;
    for (let at = this.#count - 1; at >= 0; at--) {
      const open = all[at];
      if (open.no !== no || open.esp !== esp) continue;
      const last = --this.#count;
      if (at < last) {
        all.splice(at, 1);
        all.splice(last, 0, open);
      }
      return open;
    }
    return undefined;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#all.length = this.#count = 0;
  }

  #take(no: number, esp: number): OpenCall {
    if (this.#count === MOST) this.#all.push(this.#all.shift() as OpenCall);
    else this.#count++;
    const open = this.#all[this.#count - 1] ??= new OpenCall();
    open.no = no;
    open.esp = esp;
    return open;
  }
}

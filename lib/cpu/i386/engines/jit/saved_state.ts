/**
 * Between the locals of a region and the state block: registers, flags, count and EIP are written where control leaves
 * and read where it comes in. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import type { FlagEmitter } from "./flag_code.ts";
import type { RegisterEmitter } from "./registers.ts";

/** Locals that are written back, and how. */
export interface Kept {
  /** The count. */
  readonly count: number;
  /** EIP. */
  readonly eip: number;
  /** All registers are written that the region changes. */
  readonly all: boolean;
}

/** The state block as one region sees it. */
export class SavedState {
  readonly #f: FunctionBody;
  readonly #at: number;
  readonly #registers: RegisterEmitter;
  readonly #flags: FlagEmitter;
  readonly #locals: Kept;

  /** @param f The function. @param at Address of the state block. @param registers Registers. @param flags Flags. @param locals Others. */
  constructor(
    f: FunctionBody,
    at: number,
    registers: RegisterEmitter,
    flags: FlagEmitter,
    locals: Kept,
  ) {
    this.#f = f;
    this.#at = at;
    this.#registers = registers;
    this.#flags = flags;
    this.#locals = locals;
  }

  /** Puts a field on the stack. */
  get(field: number): void {
    this.#f.i32(0);
    this.#f.mem("i32.load", this.#at + field);
  }

  #put(field: number, local: number): void {
    this.#f.i32(0);
    this.#f.get(local);
    this.#f.mem("i32.store", this.#at + field);
  }

  /** Reads registers, flags and count. */
  load(): void {
    this.get(Layout.count);
    this.#f.set(this.#locals.count);
    this.#registers.load();
    this.#flags.reload();
  }

  /** Writes the registers of a mask, flags, count and EIP. */
  store(mask: number): void {
    this.#registers.store(this.#locals.all ? -1 : mask);
    this.#flags.store();
    this.#put(Layout.count, this.#locals.count);
    this.#put(Layout.eip, this.#locals.eip);
  }
}

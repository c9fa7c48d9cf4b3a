/**
 * The x87 stack of one region, as the region's emitter sees it: where it is in locals, where it is written back, which
 * instructions are done in place. Without such instructions all of it is nothing. Cold code that makes hot code.
 *
 * What it gives, in CPU nanoseconds a guest instruction on warm code, before and after (kernels only / in place): see the
 * table in docs/benchmarks.md.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { FlagEmitter } from "./flag_code.ts";
import type { Instruction } from "./instruction.ts";
import type { RegisterEmitter } from "./registers.ts";
import { X87Locals } from "./x87_code.ts";
import { X87Emitter, type X87Outside } from "./x87_emit.ts";
import type { X87Plan } from "./x87_plan.ts";

/** The stack in one region. */
export class X87Region {
  readonly #f: FunctionBody;
  readonly #plan: X87Plan | undefined;
  readonly #locals: X87Locals | undefined;
  readonly #emitter: X87Emitter | undefined;
  #leave = 0;

  /**
   * @param f The function. @param out Addresses; `base` is the local with EIP of the page. @param plan Undefined: nothing is
   * done in place. @param registers Registers. @param flags Flags.
   */
  constructor(
    f: FunctionBody,
    out: X87Outside & { readonly base: number },
    plan: X87Plan | undefined,
    registers: RegisterEmitter,
    flags: FlagEmitter,
  ) {
    this.#f = f;
    this.#plan = plan;
    if (plan === undefined) return;
    this.#locals = new X87Locals(f, out.state, out.base, plan);
    this.#emitter = new X87Emitter(f, out, this.#locals, registers, flags);
  }

  /** At the start of the region: reads the stack if some entry wants it; opens the block that those who leave go to. */
  begin(entries: readonly number[]): void {
    const { states } = this.#plan ?? {};
    if (states === undefined) return;
    if (entries.some((id) => states[id].live)) this.#locals?.begin();
    this.#leave = this.#f.block();
  }

  /** At the end of the region: all who left with the stack in locals write it back here. */
  end(): void {
    if (this.#locals === undefined) return;
    this.#f.end();
    this.#locals.flushLeft();
  }

  /** Where to branch to leave: `plain`, or the code that writes the stack back first. */
  leave(plain: number): number {
    return this.#locals?.prepareLeave() === true ? this.#leave : plain;
  }

  /** At the start of a block. */
  block(id: number): void {
    if (this.#locals !== undefined && this.#plan !== undefined) this.#locals.state = this.#plan.states[id];
  }

  /** In front of a branch to a block. */
  pass(id: number): void {
    if (this.#plan !== undefined) this.#locals?.pass(this.#plan.states[id]);
  }

  /** Writes the stack back on a way out; what is known stays. */
  flush(): void {
    this.#locals?.flush();
  }

  /** Writes the stack back; from here on it is in the state block. */
  store(): void {
    this.#locals?.flush();
    this.#locals?.forget();
  }

  /** Emits an instruction in place; `leave` emits the way out in front of it. */
  emit(i: Instruction, leave: () => void): void {
    this.#emitter?.emit(i, leave);
  }
}

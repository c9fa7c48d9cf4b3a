/**
 * The x87 stack of one region, as the region's emitter sees it: where it is in locals, where it is written back, which
 * instructions are done in place. Without such instructions all of it is nothing. Cold code that makes hot code.
 *
 * Why it is fast, and what was tried; nanoseconds a guest instruction on warm code, before: polynomial 6.4, mandelbrot
 * 3.8, roots 5.7 (a kernel for each instruction, on registers in the state block), now 2.2, 1.3, 3.6:
 * - Registers, tags, status word and last-instruction fields in locals, TOP as a number known while translating, checks
 *   only where nothing is known, rare operands left to the interpreter: 2.7, 1.5, 3.9. FXCH and FLD ST(i) cost nothing.
 * - Sign and exponent as two locals, rounding by adding the bit below (ties are mended in a branch), rotations for what is
 *   shifted out, the low half of a product by a multiplication of its own: a tenth.
 * - Quotient digits by a reciprocal in a double that makes them right at once, rather than by a 64-bit division that has to
 *   be mended one time in three: FDIV of random numbers 22 to 17 ns.
 * - Looks at the TLB shared by neighbouring operands: a few per cent where there are several.
 * Tried and left out: the normalization of a product without a branch, by shifts or selects (a tenth slower, on random
 * numbers too); operands of a sum swapped in a branch (a tenth faster where the exponents are always in the same order,
 * half slower where they are not) or by masks (no gain over selects); the last digit of a root mended without a branch
 * (slower). What bounds it now is the number of host instructions, some 50 for a product and 90 for a sum: WebAssembly has
 * no 128-bit product and no carry.
 *
 * Not done in place: precision control of 53 and 24 bits (kernels then), FPREM, FSCALE, FXTRACT, transcendental functions,
 * BCD, environment and state images.
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

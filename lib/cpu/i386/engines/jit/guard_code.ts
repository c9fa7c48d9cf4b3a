/**
 * Emits instructions under a condition: executed always, and their results taken or not, if the flags allow; else under
 * a branch. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { FlagEmitter } from "./flag_code.ts";
import { flagsAfterAll } from "./flag_plan.ts";
import { type FlagState, meet } from "./flag_state.ts";
import type { Instruction } from "./instruction.ts";
import type { RegisterEmitter } from "./registers.ts";

/** Takes what `number` puts on the stack from the count. */
export function emitTake(f: FunctionBody, count: number, number: () => void): void {
  f.get(count);
  number();
  f.num("i32.sub");
  f.set(count);
}

/** Guarded instructions of one region. */
export class GuardCode {
  readonly #f: FunctionBody;
  readonly #registers: RegisterEmitter;
  readonly #flags: FlagEmitter;
  readonly #count: number;

  /** @param f The function. @param registers Registers. @param flags Flags. @param count Local of the count. */
  constructor(f: FunctionBody, registers: RegisterEmitter, flags: FlagEmitter, count: number) {
    this.#f = f;
    this.#registers = registers;
    this.#flags = flags;
    this.#count = count;
  }

  /** @param jumps Puts the condition of the jump over them on the stack. @param one Emits an instruction. */
  emit(jumps: () => void, instructions: readonly Instruction[], one: (i: Instruction) => void): void {
    const f = this.#f, before = this.#flags.state, after = flagsAfterAll(instructions, before);
    const together = meet(before, after), jumped = f.temp("i32");
    jumps();
    f.set(jumped);
    const records = instructions.filter((i) => i.flagsLive && (i.effects?.setsFlags ?? 0) > 0);
    const isSelected = this.#registers.inLocals && (records.length === 0 ||
      isSimple(before) && isSimple(after) && isSimple(together) && records.every((i) => i.effects?.setsFlags === 2));
    if (isSelected) this.#select(jumped, instructions, together, one);
    else this.#branch(jumped, instructions, before, together, one);
    this.#flags.state = together;
    f.release("i32", jumped);
  }

  #branch(
    jumped: number,
    instructions: readonly Instruction[],
    before: FlagState,
    together: FlagState,
    one: (i: Instruction) => void,
  ): void {
    const f = this.#f;
    f.get(jumped);
    f.if();
    this.#flags.settle(together);
    f.else();
    this.#flags.state = before;
    for (const i of instructions) one(i);
    this.#flags.settle(together);
    emitTake(f, this.#count, () => f.i32(instructions.length));
    f.end();
  }

  #select(
    jumped: number,
    instructions: readonly Instruction[],
    together: FlagState,
    one: (i: Instruction) => void,
  ): void {
    const f = this.#f, flags = this.#flags;
    f.get(this.#count);
    f.get(this.#count);
    f.i32(instructions.length);
    f.num("i32.sub");
    f.get(jumped);
    f.select();
    f.set(this.#count);
    const locals = this.#registers.localsOf(instructions.reduce((mask, i) => mask | i.written(), 0));
    if (instructions.some((i) => i.flagsLive && (i.effects?.setsFlags ?? 0) > 0)) {
      flags.settle(together);
      locals.push(...flags.localsOf(together));
    }
    const old = locals.map((local) => {
      const t = f.temp("i32");
      f.get(local);
      f.set(t);
      return t;
    });
    for (const i of instructions) one(i);
    flags.settle(together);
    locals.forEach((local, n) => {
      f.get(old[n]);
      f.get(local);
      f.get(jumped);
      f.select();
      f.set(local);
      f.release("i32", old[n]);
    });
  }
}

/** True for flags that are words of a known kind and nothing else. */
function isSimple(state: FlagState): boolean {
  return state.kind > 0 && state.step === 0 && state.over === 0;
}

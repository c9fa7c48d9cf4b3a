/**
 * Emits conditions from what is known about the flags: after CMP a condition is one comparison, after INC or a logic
 * instruction a test of the result; only what is not known asks for the flags word. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { NumericName } from "../../../../wasm/opcodes.ts";
import { FlagsKind } from "../../flags.ts";
import { emitPair, LOOKS_AT } from "../interpreter/conditions.ts";
import { type FlagState, UNKNOWN } from "./flag_state.ts";

/** Comparison of first and second word that decides a pair after a subtraction without borrow. */
const AFTER_SUB: readonly (NumericName | undefined)[] = [
  undefined,
  "i32.lt_u",
  "i32.eq",
  "i32.le_u",
  undefined,
  undefined,
  "i32.lt_s",
  "i32.le_s",
];

/** Locals with the flags. */
export interface FlagLocals {
  /** The lazy flags. */
  readonly words: readonly [number, number, number, number];
  /** Result of an INC or DEC on top of them. */
  readonly step: number;
  /** Single flags on top of all. */
  readonly over: number;
}

/** Conditions of one region. */
export class ConditionCode {
  readonly #f: FunctionBody;
  readonly #words: readonly [number, number, number, number];
  readonly #step: number;
  readonly #over: number;
  readonly #flags: { carry(): void; word(): void };
  #state: FlagState = UNKNOWN;

  /** @param f The function. @param locals Where flags are. @param flags Puts CF or the flags word on the stack. */
  constructor(f: FunctionBody, locals: FlagLocals, flags: { carry(): void; word(): void }) {
    this.#f = f;
    this.#words = locals.words;
    this.#step = locals.step;
    this.#over = locals.over;
    this.#flags = flags;
  }

  #b(): void {
    if (this.#state.zeroB) this.#f.i32(0);
    else this.#f.get(this.#words[2]);
  }

  #c(): void {
    if (this.#state.zeroC) this.#f.i32(0);
    else this.#f.get(this.#words[3]);
  }

  /** Condition code, 0 or 1. */
  emit(cc: number, state: FlagState): void {
    this.#state = state;
    const pair = cc >> 1, { over } = state, looks = LOOKS_AT[pair];
    if ((over & looks) !== 0 || !this.#fused(pair)) {
      if ((over & looks) === looks) this.#f.get(this.#over);
      else this.#flags.word();
      emitPair(this.#f, pair);
    }
    if ((cc & 1) !== 0) this.#f.num("i32.eqz");
  }

  /** A pair of conditions from the words; false: not known how. */
  #fused(pair: number): boolean {
    const state = this.#state;
    if (state.step !== 0) return this.#afterStep(pair);
    switch (state.kind) {
      case FlagsKind.sub:
      case FlagsKind.add:
        return this.#afterSum(pair, state.kind === FlagsKind.sub);
      case FlagsKind.result:
        return this.#afterResult(pair);
      case FlagsKind.word:
        this.#f.get(this.#words[1]);
        emitPair(this.#f, pair);
        return true;
      default:
        return false;
    }
  }

  #afterSum(pair: number, isSub: boolean): boolean {
    const f = this.#f, state = this.#state, [, a] = this.#words;
    const compare = AFTER_SUB[pair];
    if (isSub && state.zeroC && compare !== undefined) {
      f.get(a);
      this.#b();
      f.num(compare);
      return true;
    }
    if (pair === 1 && state.zeroC) {
      this.#flags.carry();
      return true;
    }
    if (pair !== 2 && pair !== 4 && pair !== 5) return false;
    const op = isSub ? "i32.sub" : "i32.add";
    f.get(a);
    this.#b();
    f.num(op);
    if (!state.zeroC) {
      this.#c();
      f.num(op);
    }
    this.#ofResult(pair);
    return true;
  }

  /** Zero, sign or parity of the result on the stack. */
  #ofResult(pair: number, shift: number = this.#state.shift): void {
    const f = this.#f;
    if (pair === 2) f.num("i32.eqz");
    else if (pair === 4) {
      f.i32(31);
      f.num("i32.shr_u");
    } else {
      if (shift !== 0) {
        f.i32(shift);
        f.num("i32.shr_u");
      }
      f.i32(0xff);
      f.num("i32.and");
      f.num("i32.popcnt");
      f.i32(1);
      f.num("i32.and");
      f.num("i32.eqz");
    }
  }

  #afterResult(pair: number): boolean {
    const f = this.#f, state = this.#state, [, a] = this.#words;
    const compare = pair === 6 ? "i32.lt_s" : pair === 7 ? "i32.le_s" : undefined;
    if (compare !== undefined && state.zeroC) {
      f.get(a);
      f.i32(0);
      f.num(compare);
      return true;
    }
    switch (pair) {
      case 0:
        this.#c();
        return true;
      case 1:
        this.#b();
        return true;
      case 3:
        f.get(a);
        f.num("i32.eqz");
        if (!state.zeroB) {
          this.#b();
          f.num("i32.or");
        }
        return true;
      case 6:
      case 7:
        f.get(a);
        f.i32(31);
        f.num("i32.shr_u");
        this.#c();
        f.num("i32.xor");
        this.#orZero(pair);
        return true;
      default:
        f.get(a);
        this.#ofResult(pair);
        return true;
    }
  }

  #orZero(pair: number, result: number = this.#words[1]): void {
    if (pair !== 7) return;
    const f = this.#f;
    f.get(result);
    f.num("i32.eqz");
    f.num("i32.or");
  }

  /** After INC or DEC; CF is that of the words below. */
  #afterStep(pair: number): boolean {
    const f = this.#f, { step, stepShift } = this.#state, a = this.#step;
    const edge = (): void => {
      f.get(a);
      f.i32(step === FlagsKind.inc ? 0x80000000 | 0 : ((0x7fffffff >>> stepShift) << stepShift) | 0);
      f.num("i32.eq");
    };
    switch (pair) {
      case 0:
        edge();
        return true;
      case 1:
        this.#flags.carry();
        return true;
      case 3:
        f.get(a);
        f.num("i32.eqz");
        this.#flags.carry();
        f.num("i32.or");
        return true;
      case 6:
      case 7:
        edge();
        f.get(a);
        f.i32(31);
        f.num("i32.shr_u");
        f.num("i32.xor");
        this.#orZero(pair, a);
        return true;
      default:
        f.get(a);
        this.#ofResult(pair, stepShift);
        return true;
    }
  }
}

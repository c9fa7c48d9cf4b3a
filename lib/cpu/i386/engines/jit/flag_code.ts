/**
 * Emits the recording and reading of flags with what is known about them: after CMP a condition is one comparison.
 * Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { InternalError } from "../../../../core/errors.ts";
import { FlagsKind } from "../../flags.ts";
import type { Expr } from "../../tree.ts";
import { Layout } from "../../state.ts";
import { ConditionCode } from "./condition_code.ts";
import {
  DEAD,
  type FlagsStmt,
  type FlagState,
  IN_MEMORY,
  isStep,
  meet,
  overlayOf,
  sameState,
  stateAfter,
  UNKNOWN,
} from "./flag_state.ts";

/** Fields of the lazy flags. */
const WORDS = [Layout.flagsKind, Layout.flagsA, Layout.flagsB, Layout.flagsC] as const;

/** Flags of one region. */
export class FlagEmitter {
  /** What is known here. */
  state: FlagState = UNKNOWN;
  readonly #f: FunctionBody;
  readonly #stateAt: number;
  readonly #words: readonly [number, number, number, number];
  readonly #step: number;
  readonly #over: number;
  readonly #fuse: boolean;
  readonly #conditions: ConditionCode;
  readonly #derive: { readonly carry: number; readonly flags: number };

  /**
   * @param f The function. @param state Address of the state block. @param fuse False: nothing is ever known.
   * @param derive Functions (kind, a, b, c) -> CF and -> the six flags.
   */
  constructor(
    f: FunctionBody,
    state: number,
    fuse: boolean,
    derive: { readonly carry: number; readonly flags: number },
  ) {
    this.#f = f;
    this.#stateAt = state;
    this.#fuse = fuse;
    this.#derive = derive;
    this.#words = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    this.#step = f.local("i32");
    this.#over = f.local("i32");
    this.#conditions = new ConditionCode(f, { words: this.#words, step: this.#step, over: this.#over }, this);
  }

  /** The words are in the state block now, and read from there when they are needed. */
  reload(): void {
    this.state = IN_MEMORY;
  }

  #load(): void {
    WORDS.forEach((at, i) => {
      this.#f.i32(0);
      this.#f.mem("i32.load", this.#stateAt + at);
      this.#f.set(this.#words[i]);
    });
  }

  /** Locals that hold flags of a known kind without anything on top. */
  localsOf(state: FlagState): number[] {
    const [, a, b, c] = this.#words;
    return [a, ...(state.zeroB ? [] : [b]), ...(state.zeroC ? [] : [c])];
  }

  /** Writes the four words to the state block; they must be settled. */
  store(): void {
    WORDS.forEach((at, i) => {
      this.#f.i32(0);
      this.#f.get(this.#words[i]);
      this.#f.mem("i32.store", this.#stateAt + at);
    });
  }

  /** Makes the locals be as `to` says, which knows what is known here or less. What is known stays unchanged. */
  settle(to: FlagState): void {
    const { state } = this;
    if (sameState(state, to) || to.kind === DEAD.kind) return;
    const isLess = state.kind !== DEAD.kind && sameState(meet(state, to), to);
    if (!isLess) throw new InternalError("Knowledge about flags differs from the plan");
    const flat = to.step === 0 && to.over === 0;
    if (state.over !== 0 && flat) this.#settleWord();
    else if (state.step !== 0 && flat) this.#settleStep();
    else this.#settleBase(to);
  }

  /** All six flags as a word. */
  #settleWord(): void {
    const f = this.#f, [kind, a, b, c] = this.#words;
    this.word();
    f.set(a);
    for (const local of [kind, b, c]) {
      f.i32(0);
      f.set(local);
    }
  }

  /** The INC or DEC on top becomes what the words say, with CF as its second word. */
  #settleStep(): void {
    const f = this.#f, { state } = this, [kind, a, b, c] = this.#words;
    this.carry();
    f.set(b);
    f.get(this.#step);
    f.set(a);
    f.i32(state.step | (state.stepShift << 3));
    f.set(kind);
    f.i32(0);
    f.set(c);
  }

  /** The words below what lies on top. */
  #settleBase(to: FlagState): void {
    const f = this.#f, { state } = this, [kind, , b, c] = this.#words;
    if (state.kind === to.kind && state.kind < 0) return;
    if (state.kind < 0) {
      this.#load();
      return;
    }
    if (to.kind < 0) {
      f.i32(this.#kindWord());
      f.set(kind);
    }
    if (state.zeroB && !to.zeroB) {
      f.i32(0);
      f.set(b);
    }
    if (state.zeroC && !to.zeroC) {
      f.i32(0);
      f.set(c);
    }
  }

  /** Settles, and nothing is known from here on. */
  forget(): void {
    this.settle(UNKNOWN);
    this.state = UNKNOWN;
  }

  #kindWord(): number {
    return this.state.kind | (this.state.shift << 3);
  }

  /** Records flags; `expr` puts an expression on the stack. */
  record(s: FlagsStmt, expr: (e: Expr) => void): void {
    const f = this.#f, before = this.state;
    const after = stateAfter(s, before);
    const over = overlayOf(s);
    if (over !== undefined) {
      if (before.over !== 0 && (before.over & ~over.mask) !== 0) {
        f.get(this.#over);
        f.i32(~over.mask);
        f.num("i32.and");
        if (over.value !== undefined) expr(over.value);
        else f.i32(over.bits);
        f.num("i32.or");
      } else if (over.value !== undefined) expr(over.value);
      else f.i32(over.bits);
      f.set(this.#over);
    } else if (isStep(s)) {
      expr(s.a);
      this.#align(after.stepShift);
      f.set(this.#step);
      if (after.over !== 0 && after.over !== before.over) { // the others of the single flags are its own now
        f.get(this.#over);
        f.i32(after.over);
        f.num("i32.and");
        f.set(this.#over);
      }
    } else this.#words3(s, after, expr);
    this.state = after;
    if (!this.#fuse) this.forget();
  }

  #align(by: number): void {
    if (by === 0) return;
    this.#f.i32(by);
    this.#f.num("i32.shl");
  }

  #words3(s: FlagsStmt, after: FlagState, expr: (e: Expr) => void): void {
    const f = this.#f, [, a, b, c] = this.#words;
    const isSum = s.kind === FlagsKind.add || s.kind === FlagsKind.sub, shift = isSum ? after.shift : 0;
    const put = (e: Expr, by: number): void => {
      expr(e);
      this.#align(by);
    };
    put(s.a, after.shift);
    if (s.b !== null && !after.zeroB) put(s.b, shift);
    if (s.c !== null && !after.zeroC) put(s.c, shift);
    if (!after.zeroC) f.set(c);
    if (!after.zeroB) f.set(b);
    f.set(a);
  }

  /** CF, 0 or 1. */
  carry(): void {
    if ((this.state.over & 1) === 0) return this.#carryBelow();
    this.#f.get(this.#over);
    this.#f.i32(1);
    this.#f.num("i32.and");
  }

  /** CF of the words. */
  #carryBelow(): void {
    const f = this.#f, { state } = this, [, a] = this.#words;
    switch (state.kind) {
      case FlagsKind.sub:
        if (!state.zeroC) break;
        f.get(a);
        this.#b();
        f.num("i32.lt_u");
        return;
      case FlagsKind.add:
        if (!state.zeroC) break;
        f.get(a);
        this.#b();
        f.num("i32.add");
        f.get(a);
        f.num("i32.lt_u");
        return;
      case FlagsKind.word:
        f.get(a);
        f.i32(1);
        f.num("i32.and");
        return;
      case FlagsKind.result:
      case FlagsKind.inc:
      case FlagsKind.dec:
        this.#b();
        return;
    }
    this.#arguments();
    f.call(this.#derive.carry);
  }

  /** The six flags. */
  word(): void {
    const f = this.#f, { state } = this;
    this.#base();
    if (state.over === 0) return;
    f.i32(~state.over);
    f.num("i32.and");
    f.get(this.#over);
    f.num("i32.or");
  }

  /** The six flags below the single ones. */
  #base(): void {
    const f = this.#f, { state } = this;
    if (state.step !== 0) {
      f.i32(state.step | (state.stepShift << 3));
      f.get(this.#step);
      this.#carryBelow();
      f.i32(0);
      f.call(this.#derive.flags);
      return;
    }
    if (state.kind === FlagsKind.word) {
      f.get(this.#words[1]);
      f.i32(0x8d5);
      f.num("i32.and");
      return;
    }
    this.#arguments();
    f.call(this.#derive.flags);
  }

  #arguments(): void {
    const f = this.#f, [kind, a] = this.#words;
    if (this.state.kind === IN_MEMORY.kind) {
      for (const at of WORDS) {
        f.i32(0);
        f.mem("i32.load", this.#stateAt + at);
      }
      return;
    }
    if (this.state.kind < 0) f.get(kind);
    else f.i32(this.#kindWord());
    f.get(a);
    this.#b();
    this.#c();
  }

  #b(): void {
    if (this.state.zeroB) this.#f.i32(0);
    else this.#f.get(this.#words[2]);
  }

  #c(): void {
    if (this.state.zeroC) this.#f.i32(0);
    else this.#f.get(this.#words[3]);
  }

  /** Condition code, 0 or 1. */
  condition(cc: number): void {
    this.#conditions.emit(cc, this.state);
  }
}

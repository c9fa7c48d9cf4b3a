/**
 * Emits the recording and reading of flags with what is known about them: after CMP a condition is one comparison.
 * Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { InternalError } from "../../../../core/errors.ts";
import type { NumericName } from "../../../../wasm/opcodes.ts";
import { FlagsKind } from "../../flags.ts";
import type { Expr } from "../../tree.ts";
import { Layout } from "../../state.ts";
import { type FlagsStmt, type FlagState, overlayOf, sameState, stateAfter, UNKNOWN } from "./flag_state.ts";

/** EFLAGS bits a pair of conditions looks at, by condition code / 2. */
const LOOKS_AT: readonly number[] = [0x800, 1, 0x40, 0x41, 0x80, 4, 0x880, 0x8c0];

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

/** Flags of one region. */
export class FlagEmitter {
  /** What is known here. */
  state: FlagState = UNKNOWN;
  readonly #f: FunctionBody;
  readonly #stateAt: number;
  readonly #words: readonly [number, number, number, number];
  readonly #over: number;
  readonly #fuse: boolean;
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
    this.#over = f.local("i32");
  }

  /** Reads the four words from the state block. */
  load(): void {
    [Layout.flagsKind, Layout.flagsA, Layout.flagsB, Layout.flagsC].forEach((at, i) => {
      this.#f.i32(0);
      this.#f.mem("i32.load", this.#stateAt + at);
      this.#f.set(this.#words[i]);
    });
    this.state = UNKNOWN;
  }

  /** Writes the four words to the state block; they must be settled. */
  store(): void {
    [Layout.flagsKind, Layout.flagsA, Layout.flagsB, Layout.flagsC].forEach((at, i) => {
      this.#f.i32(0);
      this.#f.get(this.#words[i]);
      this.#f.mem("i32.store", this.#stateAt + at);
    });
  }

  /** Makes the locals be as `to` says, which is what is known here or nothing. What is known stays unchanged. */
  settle(to: FlagState): void {
    const f = this.#f, { state } = this;
    if (sameState(state, to)) return;
    if (!sameState(to, UNKNOWN)) throw new InternalError("Knowledge about flags differs from the plan");
    const [kind, a, b, c] = this.#words;
    if (state.over !== 0) {
      this.#base();
      f.i32(~state.over);
      f.num("i32.and");
      f.get(this.#over);
      f.num("i32.or");
      f.set(a);
      for (const local of [kind, b, c]) {
        f.i32(0);
        f.set(local);
      }
      return;
    }
    f.i32(this.#kindWord());
    f.set(kind);
    if (state.zeroB) {
      f.i32(0);
      f.set(b);
    }
    if (state.zeroC) {
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
    } else this.#words3(s, after, expr);
    this.state = after;
    if (!this.#fuse) this.forget();
  }

  #words3(s: FlagsStmt, after: FlagState, expr: (e: Expr) => void): void {
    const f = this.#f, [, a, b, c] = this.#words;
    const shift = s.kind === FlagsKind.word || s.kind === FlagsKind.result ? 0 : after.shift;
    const put = (e: Expr, by: number): void => {
      expr(e);
      if (by === 0) return;
      f.i32(by);
      f.num("i32.shl");
    };
    put(s.a, after.shift);
    const step = s.kind === FlagsKind.inc || s.kind === FlagsKind.dec;
    if (step) this.carry();
    else if (s.b !== null && !after.zeroB) put(s.b, shift);
    if (s.c !== null && !after.zeroC) put(s.c, shift);
    if (!after.zeroC) f.set(c);
    if (!after.zeroB) f.set(b);
    f.set(a);
  }

  /** CF, 0 or 1. */
  carry(): void {
    const f = this.#f, { state } = this, [, a] = this.#words;
    if ((state.over & 1) !== 0) {
      f.get(this.#over);
      f.i32(1);
      f.num("i32.and");
      return;
    }
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
    const f = this.#f;
    if (this.state.kind === FlagsKind.word) {
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
    const pair = cc >> 1, { over } = this.state, looks = LOOKS_AT[pair];
    if ((over & looks) !== 0 || !this.#fused(pair)) {
      if ((over & looks) === looks) this.#f.get(this.#over);
      else this.word();
      this.#fromWord(pair);
    }
    if ((cc & 1) !== 0) this.#f.num("i32.eqz");
  }

  /** A pair of conditions from the words; false: not known how. */
  #fused(pair: number): boolean {
    const { state } = this;
    switch (state.kind) {
      case FlagsKind.sub:
      case FlagsKind.add:
        return this.#afterSum(pair, state.kind === FlagsKind.sub);
      case FlagsKind.result:
        return this.#afterResult(pair);
      case FlagsKind.inc:
      case FlagsKind.dec:
        return this.#afterStep(pair);
      case FlagsKind.word:
        this.#f.get(this.#words[1]);
        this.#fromWord(pair);
        return true;
      default:
        return false;
    }
  }

  #afterSum(pair: number, isSub: boolean): boolean {
    const f = this.#f, { state } = this, [, a] = this.#words;
    const compare = AFTER_SUB[pair];
    if (isSub && state.zeroC && compare !== undefined) {
      f.get(a);
      this.#b();
      f.num(compare);
      return true;
    }
    if (pair === 1 && state.zeroC) {
      this.carry();
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
  #ofResult(pair: number): void {
    const f = this.#f;
    if (pair === 2) f.num("i32.eqz");
    else if (pair === 4) {
      f.i32(31);
      f.num("i32.shr_u");
    } else {
      if (this.state.shift !== 0) {
        f.i32(this.state.shift);
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
    const f = this.#f, { state } = this, [, a] = this.#words;
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

  #orZero(pair: number): void {
    if (pair !== 7) return;
    const f = this.#f;
    f.get(this.#words[1]);
    f.num("i32.eqz");
    f.num("i32.or");
  }

  #afterStep(pair: number): boolean {
    const f = this.#f, { state } = this, [, a] = this.#words;
    const edge = (): void => {
      f.get(a);
      f.i32(state.kind === FlagsKind.inc ? 0x80000000 | 0 : ((0x7fffffff >>> state.shift) << state.shift) | 0);
      f.num("i32.eq");
    };
    switch (pair) {
      case 0:
        edge();
        return true;
      case 1:
        this.#b();
        return true;
      case 3:
        f.get(a);
        f.num("i32.eqz");
        this.#b();
        f.num("i32.or");
        return true;
      case 6:
      case 7:
        edge();
        f.get(a);
        f.i32(31);
        f.num("i32.shr_u");
        f.num("i32.xor");
        this.#orZero(pair);
        return true;
      default:
        f.get(a);
        this.#ofResult(pair);
        return true;
    }
  }

  /** A pair of conditions from the flags word on the stack. */
  #fromWord(pair: number): void {
    const f = this.#f;
    if (pair < 6) {
      f.i32(LOOKS_AT[pair]);
      f.num("i32.and");
      f.i32(0);
      f.num("i32.ne");
      return;
    }
    const word = f.temp("i32");
    f.tee(word);
    f.i32(7);
    f.num("i32.shr_u");
    f.get(word);
    f.i32(11);
    f.num("i32.shr_u");
    f.num("i32.xor");
    f.i32(1);
    f.num("i32.and");
    if (pair === 7) {
      f.get(word);
      f.i32(0x40);
      f.num("i32.and");
      f.i32(0);
      f.num("i32.ne");
      f.num("i32.or");
    }
    f.release("i32", word);
  }
}

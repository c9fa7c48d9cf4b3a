/**
 * Emits conditions over the lazy flags held in locals. Conditions after a subtraction without borrow (CMP, SUB) become
 * one comparison of its operands; the others ask for the flags word. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { NumericName } from "../../../../wasm/opcodes.ts";
import { FlagsKind } from "../../flags.ts";
import type { Calls, Locals } from "./emit.ts";

/** Emits condition codes into one function body. */
export class ConditionEmitter {
  readonly #f: FunctionBody;
  readonly #l: Locals;
  readonly #calls: Calls;

  /** @param f The function. @param locals Where the flags are. @param calls Functions that derive them. */
  constructor(f: FunctionBody, locals: Locals, calls: Calls) {
    this.#f = f;
    this.#l = locals;
    this.#calls = calls;
  }

  /** Puts the four flag words on the stack. */
  flagArgs(): void {
    const l = this.#l;
    for (const local of [l.kind, l.a, l.b, l.c]) this.#f.get(local);
  }

  /** Condition code: fused for the flags of a subtraction without borrow, derived for the rest. */
  cond(cc: number): void {
    const f = this.#f, l = this.#l;
    const fused = FUSED[cc >> 1];
    if (fused === undefined) {
      this.#condSlow(cc);
      return;
    }
    const out = f.temp("i32");
    f.get(l.kind);
    f.i32(7);
    f.num("i32.and");
    f.i32(FlagsKind.sub);
    f.num("i32.xor");
    f.get(l.c);
    f.num("i32.or");
    f.num("i32.eqz");
    f.if();
    f.get(l.a);
    f.get(l.b);
    f.num(fused);
    f.set(out);
    f.else();
    if (cc >> 1 === 2) this.#zero();
    else this.#condSlow(cc & ~1);
    f.set(out);
    f.end();
    f.get(out);
    if ((cc & 1) !== 0) f.num("i32.eqz");
    f.release("i32", out);
  }

  /** ZF where the flags are not those of a plain subtraction: kinds of a stored result need no call. */
  #zero(): void {
    const f = this.#f, l = this.#l;
    const out = f.temp("i32");
    f.get(l.kind);
    f.i32(7);
    f.num("i32.and");
    f.i32(FlagsKind.result);
    f.num("i32.ge_u");
    f.if();
    f.get(l.a);
    f.num("i32.eqz");
    f.set(out);
    f.else();
    this.#condSlow(4);
    f.set(out);
    f.end();
    f.get(out);
    f.release("i32", out);
  }

  /** Condition from the flags word. */
  #condSlow(cc: number): void {
    const f = this.#f;
    this.flagArgs();
    f.call(this.#calls.flags);
    emitPair(f, cc >> 1);
    if ((cc & 1) !== 0) f.num("i32.eqz");
  }
}

/** EFLAGS bits a pair of conditions looks at, by condition code / 2. */
export const LOOKS_AT: readonly number[] = [0x800, 1, 0x40, 0x41, 0x80, 4, 0x880, 0x8c0];

/** The first condition of a pair, 1 or 0, from the flags word on the stack. */
export function emitPair(f: FunctionBody, pair: number): void {
  const isSet = (bits: number): void => {
    f.i32(bits);
    f.num("i32.and");
    f.i32(0);
    f.num("i32.ne");
  };
  if (pair < 6) return isSet(LOOKS_AT[pair]);
  const word = f.temp("i32");
  f.tee(word);
  f.i32(7);
  f.num("i32.shr_u");
  f.get(word);
  f.i32(11);
  f.num("i32.shr_u");
  f.num("i32.xor"); // SF != OF
  f.i32(1);
  f.num("i32.and");
  if (pair === 7) {
    f.get(word);
    isSet(0x40);
    f.num("i32.or");
  }
  f.release("i32", word);
}

/** Comparison of a and b that decides a condition pair after a subtraction. */
const FUSED: readonly (NumericName | undefined)[] = [
  undefined,
  "i32.lt_u",
  "i32.eq",
  "i32.le_u",
  undefined,
  undefined,
  "i32.lt_s",
  "i32.le_s",
];

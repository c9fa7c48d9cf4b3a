/**
 * A small notation for kernel bodies: values are closures that push one WebAssembly value, so that arithmetic reads as
 * nested calls; statements are emitted as they are called. Registers of the x87 and fields of the state block are
 * addressed by constants. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../wasm/body.ts";
import { emitJumpEntry } from "../engines/interpreter/jump_entry.ts";
import type { MemName, NumericName, ValTypeName } from "../../../wasm/opcodes.ts";
import type { SimdLaneName, SimdMemName, SimdName } from "../../../wasm/simd.ts";

/** Pushes one value; may be used more than once. */
export type Value = () => void;

/** A local variable as a value. */
export interface Local extends Value {
  /** Number of the local. */
  readonly index: number;
}

/** A value, or a constant of the type that the operation wants. */
export type Arg = Value | number | bigint;

/** Operation names of one type, without the type. */
export type NameOf<P extends string, N extends string> = N extends `${P}.${infer R}` ? R : never;

/** What a kernel answers when it did nothing: the TypeScript function must do it. */
export const SLOW = -1;

/** Where the parameters of a kernel come from, and where it leads when it does nothing. */
export interface Frame {
  /** First parameter: address of the destination register. */
  readonly reg: Value;
  /** Second parameter: address of the source, or the number of a stack register. */
  readonly src: Value;
  /** Third parameter: immediate. */
  readonly imm: Value;
  /** Label. */
  readonly slow: number;
}

/** Emits one kernel, as a function of its own or within another one. */
export class Code {
  /** See {@linkcode Frame}. */
  readonly reg: Value;
  /** See {@linkcode Frame}. */
  readonly src: Value;
  /** See {@linkcode Frame}. */
  readonly imm: Value;
  readonly #f: FunctionBody;
  readonly #state: number;
  readonly #slow: number;
  readonly #temps: [ValTypeName, number][] = [];

  /** @param f The function. @param state Byte address of the state block. @param frame Parameters and the slow way. */
  constructor(f: FunctionBody, state: number, frame: Frame) {
    this.#f = f;
    this.#state = state;
    this.reg = frame.reg;
    this.src = frame.src;
    this.imm = frame.imm;
    this.#slow = frame.slow;
  }

  /** Gives the locals back: the body is complete. */
  release(): void {
    for (const [type, local] of this.#temps) this.#f.release(type, local);
    this.#temps.length = 0;
  }

  /** A local that stays. */
  local(type: ValTypeName): Local {
    return this.#local(this.#f.local(type));
  }

  #local(index: number): Local {
    return Object.assign(() => this.#f.get(index), { index });
  }

  #push(arg: Arg, type: ValTypeName): void {
    if (typeof arg === "function") arg();
    else if (type === "i64") this.#f.i64(BigInt(arg));
    else if (type === "f64") this.#f.f64(Number(arg));
    else this.#f.i32(Number(arg));
  }

  /** Integer operation on 32 bits; constants are i32. */
  i(name: NameOf<"i32", NumericName>, ...args: Arg[]): Value {
    return this.#op(`i32.${name}`, "i32", args);
  }

  /** Integer operation on 64 bits; constants are i64. */
  l(name: NameOf<"i64", NumericName>, ...args: Arg[]): Value {
    return this.#op(`i64.${name}`, "i64", args);
  }

  /** Operation on doubles; constants are f64. */
  d(name: NameOf<"f64", NumericName>, ...args: Arg[]): Value {
    return this.#op(`f64.${name}`, "f64", args);
  }

  /** Operation on singles. */
  s(name: NameOf<"f32", NumericName>, ...args: Value[]): Value {
    return this.#op(`f32.${name}`, "f32", args);
  }

  #op(name: NumericName, type: ValTypeName, args: readonly Arg[]): Value {
    return () => {
      for (const a of args) this.#push(a, type);
      this.#f.num(name);
    };
  }

  /** Vector operation. */
  v(name: SimdName, ...args: Arg[]): Value {
    return () => {
      for (const a of args) this.#push(a, "i32");
      this.#f.simd(name);
    };
  }

  /** Vector operation on a lane. */
  lane(name: SimdLaneName, lane: number, ...args: Value[]): Value {
    return () => {
      for (const a of args) a();
      this.#f.simdLane(name, lane);
    };
  }

  /** Bytes of two vectors: 0-15 of the first, 16-31 of the second. */
  shuffle(a: Value, b: Value, lanes: readonly number[]): Value {
    return () => {
      a();
      b();
      this.#f.shuffle(lanes);
    };
  }

  /** Constant vector of four words. */
  v128(...words: number[]): Value {
    const bytes = new Uint8Array(new Int32Array(words).buffer);
    return () => this.#f.v128(bytes);
  }

  /** i32 constant. */
  c(value: number): Value {
    return () => this.#f.i32(value);
  }

  /** f64 constant. */
  c64(value: number): Value {
    return () => this.#f.f64(value);
  }

  /** i64 constant. */
  cl(value: bigint): Value {
    return () => this.#f.i64(value);
  }

  /** One of two values without a branch. */
  select(cond: Value, yes: Value, no: Value): Value {
    return () => {
      yes();
      no();
      cond();
      this.#f.select();
    };
  }

  /** A new local with a value. */
  let(type: ValTypeName, value: Value): Local {
    const local = this.#local(this.#f.temp(type));
    this.#temps.push([type, local.index]);
    this.set(local, value);
    return local;
  }

  /** Assigns an i32, or any type by a value. */
  set(local: Local, value: Value | number): void {
    this.#push(value, "i32");
    this.#f.set(local.index);
  }

  /** Loads at an address plus a constant. */
  load(name: MemName, address: Value, offset: number = 0): Value {
    return () => {
      address();
      this.#f.mem(name, offset);
    };
  }

  /** Stores at an address plus a constant; a number is an i32. */
  store(name: MemName, address: Value, value: Value | number, offset: number = 0): void {
    address();
    this.#push(value, "i32");
    this.#f.mem(name, offset);
  }

  /** Vector load. */
  loadV(name: SimdMemName, address: Value, offset: number = 0): Value {
    return () => {
      address();
      this.#f.simdMem(name, offset);
    };
  }

  /** Vector store. */
  storeV(address: Value, value: Value, offset: number = 0): void {
    address();
    value();
    this.#f.simdMem("v128.store", offset);
  }

  /** Absolute address of a field of the state block. */
  at(field: number): number {
    return this.#state + field;
  }

  /** i32 field of the state block. */
  field(offset: number): Value {
    return this.load("i32.load", this.c(0), this.#state + offset);
  }

  /** Sets an i32 field of the state block. */
  setField(offset: number, value: Value | number): void {
    this.store("i32.store", this.c(0), value, this.#state + offset);
  }

  /** Leaves everything to TypeScript if the condition holds. Nothing may have been stored before. */
  slowIf(cond: Value): void {
    cond();
    this.#f.brIf(this.#slow, "unlikely");
  }

  /** Answers a value instead of 0; only in a function of its own, see `answers` of the kernel. */
  answer(value: Value): void {
    value();
    this.#f.return();
  }

  /** A block that `leave` inside it jumps behind. */
  block(body: (leave: (cond?: Value, hint?: "likely" | "unlikely") => void) => void): void {
    const label = this.#f.block();
    body((cond, hint) => {
      if (cond === undefined) this.#f.br(label);
      else {
        cond();
        this.#f.brIf(label, hint);
      }
    });
    this.#f.end();
  }

  /** A branch. */
  if(cond: Value, yes: () => void, no?: () => void, hint?: "likely" | "unlikely"): void {
    cond();
    this.#f.if(hint);
    yes();
    if (no !== undefined) {
      this.#f.else();
      no();
    }
    this.#f.end();
  }

  /** A loop: `again` inside it starts over if its condition holds; else it is left at its end. */
  loop(body: (again: (cond: Value) => void) => void): void {
    const label = this.#f.loop();
    body((cond) => {
      cond();
      this.#f.brIf(label);
    });
    this.#f.end();
  }

  /** Sets `to` to the address of the entry of an EIP in the jump cache at `base`. */
  jumpEntry(eip: Local, to: Local, base: Value): void {
    emitJumpEntry(this.#f, eip.index, to.index, 0, () => {
      base();
      this.#f.num("i32.add");
    });
  }

  /** Copies bytes as if through a buffer. */
  copy(to: Value, from: Value, bytes: Value): void {
    to();
    from();
    bytes();
    this.#f.memoryCopy();
  }

  /** Sets bytes to a value. */
  fill(to: Value, value: Value, bytes: Value): void {
    to();
    value();
    bytes();
    this.#f.memoryFill();
  }
}

/**
 * One WebAssembly function body: an instruction stream with locals on demand. Temporaries are pooled by type, so that
 * a large function keeps few locals (they cost Liftoff code). Branch hints are collected as byte offsets. Warm.
 */
import {
  BLOCK_VOID,
  Mem,
  type MemName,
  MiscOp,
  Numeric,
  type NumericName,
  Op,
  ValType,
  type ValTypeName,
} from "./opcodes.ts";
import {
  Simd,
  SimdLane,
  type SimdLaneName,
  SimdMem,
  type SimdMemName,
  type SimdName,
  V128_CONST,
  V128_SHUFFLE,
} from "./simd.ts";
import { Sink } from "./sink.ts";

/** A function body under construction. Nesting depth is counted so that labels can be depths of their block. */
export class FunctionBody {
  /** The instructions, without the final end. */
  readonly code: Sink = new Sink(4096);
  /** Pairs (offset in code of a br_if or if, 0 unlikely or 1 likely). */
  readonly hints: number[] = [];
  /** Open blocks. */
  depth = 0;
  #params: number;
  #locals: ValTypeName[] = [];
  #free: Record<ValTypeName, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };

  /** @param params Number of parameters; they are locals 0 to params-1. */
  constructor(params: number) {
    this.#params = params;
  }

  /** A local of its own, zero at entry. */
  local(type: ValTypeName): number {
    this.#locals.push(type);
    return this.#params + this.#locals.length - 1;
  }

  /** A pooled temporary; give it back with {@linkcode FunctionBody.release}. */
  temp(type: ValTypeName): number {
    return this.#free[type].pop() ?? this.local(type);
  }

  /** Gives a temporary back. */
  release(type: ValTypeName, local: number): void {
    this.#free[type].push(local);
  }

  /** The local declarations, encoded. */
  localsBytes(): Uint8Array {
    const runs: [number, ValTypeName][] = [];
    for (const t of this.#locals) {
      const last = runs.at(-1);
      if (last !== undefined && last[1] === t) last[0]++;
      else runs.push([1, t]);
    }
    const s = new Sink(16);
    s.leb(runs.length);
    for (const [n, t] of runs) {
      s.leb(n);
      s.u8(ValType[t]);
    }
    return s.view();
  }

  /** An instruction without immediates. */
  num(name: NumericName): void {
    this.code.u8(Numeric[name]);
  }

  /** A load or store; natural alignment is not promised. */
  mem(name: MemName, offset: number): void {
    this.code.u8(Mem[name]);
    this.code.u8(0);
    this.code.leb(offset);
  }

  /** A vector instruction without immediates. */
  simd(name: SimdName): void {
    this.code.u8(Op.simd);
    this.code.leb(Simd[name]);
  }

  /** A vector instruction with a lane number. */
  simdLane(name: SimdLaneName, lane: number): void {
    this.code.u8(Op.simd);
    this.code.leb(SimdLane[name]);
    this.code.u8(lane);
  }

  /** A vector load or store; natural alignment is not promised. */
  simdMem(name: SimdMemName, offset: number): void {
    this.code.u8(Op.simd);
    this.code.leb(SimdMem[name]);
    this.code.u8(0);
    this.code.leb(offset);
  }

  /** memory.copy: target, source and number of bytes are on the stack. */
  memoryCopy(): void {
    this.code.raw([Op.misc, MiscOp.memoryCopy, 0, 0]);
  }

  /** memory.fill: target, value and number of bytes are on the stack. */
  memoryFill(): void {
    this.code.raw([Op.misc, MiscOp.memoryFill, 0]);
  }

  /** v128.const from 16 bytes. */
  v128(bytes: Uint8Array | readonly number[]): void {
    this.code.u8(Op.simd);
    this.code.leb(V128_CONST);
    this.code.raw(bytes);
  }

  /** i8x16.shuffle with 16 lane numbers 0-31. */
  shuffle(lanes: readonly number[]): void {
    this.code.u8(Op.simd);
    this.code.leb(V128_SHUFFLE);
    this.code.raw(lanes);
  }

  /** f64.const */
  f64(value: number): void {
    this.code.u8(Op.f64Const);
    this.code.raw(new Uint8Array(new Float64Array([value]).buffer));
  }

  /** i32.const */
  i32(value: number): void {
    this.code.u8(Op.i32Const);
    this.code.sleb(value);
  }

  /** i64.const */
  i64(value: bigint): void {
    this.code.u8(Op.i64Const);
    this.code.sleb64(value);
  }

  /** local.get */
  get(local: number): void {
    this.code.u8(Op.localGet);
    this.code.leb(local);
  }

  /** local.set */
  set(local: number): void {
    this.code.u8(Op.localSet);
    this.code.leb(local);
  }

  /** local.tee */
  tee(local: number): void {
    this.code.u8(Op.localTee);
    this.code.leb(local);
  }

  /** Opens a block; returns its label. */
  block(): number {
    this.code.u8(Op.block);
    this.code.u8(BLOCK_VOID);
    return ++this.depth;
  }

  /** Opens a loop; returns its label (a branch to it starts over). */
  loop(): number {
    this.code.u8(Op.loop);
    this.code.u8(BLOCK_VOID);
    return ++this.depth;
  }

  /** Opens an if on the value on the stack; returns its label. */
  if(hint?: "likely" | "unlikely"): number {
    this.#hint(hint);
    this.code.u8(Op.if);
    this.code.u8(BLOCK_VOID);
    return ++this.depth;
  }

  /** else */
  else(): void {
    this.code.u8(Op.else);
  }

  /** Closes the innermost block, loop or if. */
  end(): void {
    this.code.u8(Op.end);
    this.depth--;
  }

  /** Branches to a label. */
  br(label: number): void {
    this.code.u8(Op.br);
    this.code.leb(this.depth - label);
  }

  /** Branches to a label if the value on the stack is not zero. */
  brIf(label: number, hint?: "likely" | "unlikely"): void {
    this.#hint(hint);
    this.code.u8(Op.brIf);
    this.code.leb(this.depth - label);
  }

  /** br_table over labels, the last being the default. */
  brTable(labels: readonly number[], otherwise: number): void {
    this.code.u8(Op.brTable);
    this.code.leb(labels.length);
    for (const l of labels) this.code.leb(this.depth - l);
    this.code.leb(this.depth - otherwise);
  }

  /** Calls function `index`. */
  call(index: number): void {
    this.code.u8(Op.call);
    this.code.leb(index);
  }

  /** Calls through a table: parameters, then the element index, are on the stack; `type` is {@linkcode ModuleBuilder.typeOf}. */
  callIndirect(type: number, table: number = 0): void {
    this.code.u8(Op.callIndirect);
    this.code.leb(type);
    this.code.leb(table);
  }

  /** Leaves by calling function `index`: its result is this function's. */
  returnCall(index: number): void {
    this.code.u8(Op.returnCall);
    this.code.leb(index);
  }

  /** As {@linkcode FunctionBody.callIndirect}, but the result is this function's. */
  returnCallIndirect(type: number): void {
    this.code.u8(Op.returnCallIndirect);
    this.code.leb(type);
    this.code.u8(0);
  }

  /** return */
  return(): void {
    this.code.u8(Op.return);
  }

  /** select */
  select(): void {
    this.code.u8(Op.select);
  }

  /** drop */
  drop(): void {
    this.code.u8(Op.drop);
  }

  /** unreachable */
  unreachable(): void {
    this.code.u8(Op.unreachable);
  }

  #hint(hint: "likely" | "unlikely" | undefined): void {
    if (hint !== undefined) this.hints.push(this.code.length, hint === "likely" ? 1 : 0);
  }
}

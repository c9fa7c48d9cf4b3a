/**
 * The typed builder that semantics are written against: operands of the row, expressions, effects in order.
 *
 * A semantic function receives a Builder for one shape (row, memory or register operand, sizes, repeat prefix) and
 * calls its methods; {@linkcode buildTree} returns what it said. Reading an operand of memory emits the load at that
 * point. Cold: trees are built once per shape.
 */
import { FlagsKind } from "./flags.ts";
import { typeOf } from "./expr_type.ts";
import { FIXED, isImmediate, type Shape, slotOf, widthOf } from "./operand.ts";
import type { AccessWidth, BinaryOp, Expr, Stmt, Tree, UnaryOp, ValueType } from "./tree.ts";

export { isComparison, typeOf } from "./expr_type.ts";
export type { Shape } from "./operand.ts";

/** What an instruction does, said to a builder. */
export type Semantic = (b: Builder) => void;

/** Builds one tree. */
export class Builder {
  /** What is being built. */
  readonly shape: Shape;
  /** Width of the operation: the row's, "v" resolved; 8, 16 or 32 (rows of other widths have no tree). */
  readonly w: AccessWidth;
  #out: Stmt[] = [];
  #temps: ValueType[] = [];
  #addresses: Map<number, Expr> = new Map();

  /** @param shape What to build for. */
  constructor(shape: Shape) {
    this.shape = shape;
    const w = shape.row.width === "v" ? shape.opSize : shape.row.width;
    this.w = w === 8 || w === 16 ? w : 32;
  }

  /** The finished tree. */
  finish(): Tree {
    return { body: this.#out, temps: this.#temps };
  }

  // Operands.

  /** Width in bits of operand `i`, from its code. */
  operandWidth(i: number): AccessWidth {
    return widthOf(this.shape, this.w, this.shape.row.operands[i]);
  }

  /** Value of operand `i`, zero-extended; memory is loaded here. Immediates are as the row extends them. */
  read(i: number): Expr {
    const code = this.shape.row.operands[i];
    if (isImmediate(code)) return code === "1" ? this.const(1) : { k: "imm" };
    if (this.isMemory(i)) return this.load(this.operandWidth(i), this.address(i, false));
    return this.#register(i);
  }

  /** As {@linkcode Builder.read} for an operand that will be written: memory is checked for writing. */
  readForWrite(i: number): Expr {
    if (!this.isMemory(i)) return this.#register(i);
    const id = this.#temp("i32");
    this.#out.push({ s: "loadForWrite", id, w: this.operandWidth(i), addr: this.address(i, true) });
    return { k: "temp", id, t: "i32" };
  }

  /** Writes operand `i`, whole width, not read before through {@linkcode Builder.readForWrite}. */
  write(i: number, e: Expr): void {
    if (this.isMemory(i)) this.store(this.operandWidth(i), this.address(i, true), e);
    else this.#setRegister(i, e);
  }

  /** Writes operand `i` after {@linkcode Builder.readForWrite}. */
  writeBack(i: number, e: Expr): void {
    if (this.isMemory(i)) this.#out.push({ s: "storeBack", w: this.operandWidth(i), e });
    else this.#setRegister(i, e);
  }

  /** True if operand `i` lies in memory in this shape. */
  isMemory(i: number): boolean {
    const code = this.shape.row.operands[i];
    if (code === "Ob" || code === "Ov") return true;
    return this.shape.isMem && /^[EMQW]/.test(code);
  }

  /** Linear address of memory operand `i`, checked once per operand for its width and use. */
  address(i: number, write: boolean): Expr {
    let e = this.#addresses.get(i);
    if (e === undefined) this.#addresses.set(i, e = this.ea(this.operandWidth(i) >>> 3, write));
    return e;
  }

  /** Linear address of the r/m memory operand (or moffs) checked for `size` bytes; `add` is added to its offset. */
  ea(size: number, write: boolean, add: Expr | null = null): Expr {
    const id = this.#temp("i32");
    this.#out.push({ s: "ea", id, size, write, add });
    return { k: "temp", id, t: "i32" };
  }

  /** Effective offset of the r/m memory operand. */
  offset(): Expr {
    return { k: "offset" };
  }

  /** First immediate. */
  imm(): Expr {
    return { k: "imm" };
  }

  // Registers, memory, state.

  /** Fixed register. */
  reg(n: number, w: AccessWidth = 32): Expr {
    return { k: "reg", n, w };
  }

  /** Sets a fixed register; narrower widths keep the rest. */
  setReg(n: number, w: AccessWidth, e: Expr): void {
    this.#out.push({ s: "setReg", n, w, e });
  }

  /** i32 field of the state block. */
  state(at: number): Expr {
    return { k: "state", at };
  }

  /** Sets an i32 field of the state block. */
  setState(at: number, e: Expr): void {
    this.#out.push({ s: "setState", at, e });
  }

  /** Linear address of an offset in a segment, checked. */
  segment(seg: number | "operand", offset: Expr, size: number, write: boolean): Expr {
    const id = this.#temp("i32");
    this.#out.push({ s: "address", id, seg, offset, size, write });
    return { k: "temp", id, t: "i32" };
  }

  /** Loads from a linear address. */
  load(w: AccessWidth, addr: Expr): Expr {
    const id = this.#temp("i32");
    this.#out.push({ s: "load", id, w, addr });
    return { k: "temp", id, t: "i32" };
  }

  /** Stores to a linear address. */
  store(w: AccessWidth, addr: Expr, e: Expr): void {
    this.#out.push({ s: "store", w, addr, e });
  }

  /** Loads from a linear address that will be written; see {@linkcode Builder.storeBack}. */
  loadForWrite(w: AccessWidth, addr: Expr): Expr {
    const id = this.#temp("i32");
    this.#out.push({ s: "loadForWrite", id, w, addr });
    return { k: "temp", id, t: "i32" };
  }

  /** Writes to the place of the last {@linkcode Builder.loadForWrite}. */
  storeBack(w: AccessWidth, e: Expr): void {
    this.#out.push({ s: "storeBack", w, e });
  }

  /** ESP or SP (zero-extended) moved by `delta` bytes, wrapped to the stack's size. */
  stackPointer(delta: number): Expr {
    return this.mask(this.add(this.reg(4), this.const(delta)), this.shape.stackSize);
  }

  /** Sets ESP or SP. */
  setStackPointer(e: Expr): void {
    this.setReg(4, this.shape.stackSize, e);
  }

  /** Linear address of `size` bytes on the stack at ESP + delta. */
  stackAddress(delta: number, size: number, write: boolean): Expr {
    return this.segment(2, this.stackPointer(delta), size, write);
  }

  // Expressions.

  /** i32 constant. */
  const(v: number): Expr {
    return { k: "const", t: "i32", v: v | 0 };
  }

  /** i64 constant from a number (exact up to 2^53). */
  const64(v: number): Expr {
    return { k: "const", t: "i64", v };
  }

  /** Evaluates `e` here and once. */
  let(e: Expr): Expr {
    if (e.k === "temp" || e.k === "const") return e;
    const t = typeOf(e);
    const id = this.#temp(t);
    this.#out.push({ s: "let", id, e });
    return { k: "temp", id, t };
  }

  /** A temporary to be set in branches; starts undefined. */
  variable(t: ValueType = "i32"): Expr & { readonly k: "temp" } {
    return { k: "temp", id: this.#temp(t), t };
  }

  /** Sets a variable. */
  set(v: Expr & { readonly k: "temp" }, e: Expr): void {
    this.#out.push({ s: "let", id: v.id, e });
  }

  /** Operation on one value. */
  unary(op: UnaryOp, a: Expr): Expr {
    return { k: "unary", op, t: typeOf(a), a };
  }

  /** Operation on two values of one type. */
  binary(op: BinaryOp, a: Expr, b: Expr): Expr {
    return { k: "binary", op, t: typeOf(a), a, b };
  }

  /** Sum. */
  add(a: Expr, b: Expr): Expr {
    return this.binary("add", a, b);
  }

  /** Difference. */
  sub(a: Expr, b: Expr): Expr {
    return this.binary("sub", a, b);
  }

  /** Bitwise and. */
  and(a: Expr, b: Expr): Expr {
    return this.binary("and", a, b);
  }

  /** Bitwise or. */
  or(a: Expr, b: Expr): Expr {
    return this.binary("or", a, b);
  }

  /** Bitwise exclusive or. */
  xor(a: Expr, b: Expr): Expr {
    return this.binary("xor", a, b);
  }

  /** Left shift by a constant. */
  shl(a: Expr, n: number): Expr {
    return this.binary("shl", a, typeOf(a) === "i64" ? this.const64(n) : this.const(n));
  }

  /** Logical right shift by a constant. */
  shr(a: Expr, n: number): Expr {
    return this.binary("shrU", a, typeOf(a) === "i64" ? this.const64(n) : this.const(n));
  }

  /** Arithmetic right shift by a constant. */
  sar(a: Expr, n: number): Expr {
    return this.binary("shrS", a, typeOf(a) === "i64" ? this.const64(n) : this.const(n));
  }

  /** Zero-extends the low `w` bits. */
  mask(a: Expr, w: AccessWidth): Expr {
    return w === 32 ? a : this.and(a, this.const(w === 8 ? 0xff : 0xffff));
  }

  /** Sign-extends the low `w` bits. */
  signed(a: Expr, w: AccessWidth): Expr {
    return w === 32 ? a : this.unary(w === 8 ? "extend8" : "extend16", a);
  }

  /** c != 0 ? a : b, both evaluated. */
  select(c: Expr, a: Expr, b: Expr): Expr {
    return { k: "select", t: typeOf(a), c, a, b };
  }

  /** CF, 0 or 1. */
  cf(): Expr {
    return { k: "cf" };
  }

  /** The six arithmetic flags as EFLAGS bits. */
  flagsWord(): Expr {
    return { k: "flagsWord" };
  }

  /** Condition code, 0 or 1. */
  cond(cc: number): Expr {
    return { k: "cond", cc };
  }

  /** EIP of the following instruction. */
  nextEip(): Expr {
    return { k: "nextEip" };
  }

  // Flags.

  /** Flags of a + b (+ carry). */
  flagsAdd(w: AccessWidth, a: Expr, b: Expr, carry: Expr | null = null): void {
    this.#out.push({ s: "flags", kind: FlagsKind.add, w, a, b, c: carry });
  }

  /** Flags of a - b (- borrow). */
  flagsSub(w: AccessWidth, a: Expr, b: Expr, borrow: Expr | null = null): void {
    this.#out.push({ s: "flags", kind: FlagsKind.sub, w, a, b, c: borrow });
  }

  /** ZF SF PF of a result, CF and OF as given (0 or 1), AF clear. */
  flagsResult(w: AccessWidth, result: Expr, cf: Expr, of: Expr): void {
    this.#out.push({ s: "flags", kind: FlagsKind.result, w, a: result, b: cf, c: of });
  }

  /** Flags of a logic instruction: CF = OF = AF = 0. */
  flagsLogic(w: AccessWidth, result: Expr): void {
    this.flagsResult(w, result, this.const(0), this.const(0));
  }

  /** Flags of INC; CF is kept. */
  flagsInc(w: AccessWidth, result: Expr): void {
    this.#out.push({ s: "flags", kind: FlagsKind.inc, w, a: result, b: null, c: null });
  }

  /** Flags of DEC; CF is kept. */
  flagsDec(w: AccessWidth, result: Expr): void {
    this.#out.push({ s: "flags", kind: FlagsKind.dec, w, a: result, b: null, c: null });
  }

  /** All six flags from EFLAGS bits. */
  flagsSet(word: Expr): void {
    this.#out.push({ s: "flags", kind: FlagsKind.word, w: 32, a: word, b: null, c: null });
  }

  // Control.

  /** Two branches of effects; `isShortcut`: the second would do alone. */
  if(c: Expr, then: () => void, otherwise: () => void = () => {}, isShortcut = false): void {
    const outer = this.#out;
    const a: Stmt[] = [], b: Stmt[] = [];
    this.#out = a;
    then();
    this.#out = b;
    otherwise();
    this.#out = outer;
    outer.push({ s: "if", c, then: a, otherwise: b, ...(isShortcut ? { shortcut: true } : {}) });
  }

  /** Continues at nextEip + imm. */
  jumpRelative(): void {
    this.#out.push({ s: "jumpRelative" });
  }

  /** Continues at an EIP. */
  jump(target: Expr): void {
    this.#out.push({ s: "jump", target });
  }

  /** #GP(0) if an EIP is beyond the limit of CS. */
  checkTarget(target: Expr): void {
    this.#out.push({ s: "checkTarget", target });
  }

  /** Iterations done at once, ahead of the one that follows; see {@linkcode Stmt}. */
  bulk(what: Omit<Stmt & { readonly s: "bulk" }, "s" | "id" | "w" | "mask">): Expr {
    const id = this.#temp("i32");
    this.#out.push({ ...what, s: "bulk", id, w: this.w, mask: this.shape.addrSize === 32 ? -1 : 0xffff });
    return { k: "temp", id, t: "i32" };
  }

  /** Executes the instruction again. */
  again(): void {
    this.#out.push({ s: "again" });
  }

  /** Raises a fault. */
  raise(vector: number, code: number = -1): void {
    this.#out.push({ s: "raise", vector, code });
  }

  #temp(t: ValueType): number {
    return this.#temps.push(t) - 1;
  }

  #register(i: number): Expr {
    const code = this.shape.row.operands[i];
    const fixed = FIXED[code];
    if (fixed !== undefined) return { k: "reg", n: fixed[0], w: this.operandWidth(i) };
    return { k: "gpr", slot: slotOf(code), w: this.operandWidth(i) };
  }

  #setRegister(i: number, e: Expr): void {
    const code = this.shape.row.operands[i];
    const fixed = FIXED[code];
    if (fixed !== undefined) this.setReg(fixed[0], this.operandWidth(i), e);
    else this.#out.push({ s: "setGpr", slot: slotOf(code), w: this.operandWidth(i), e });
  }
}

/** Builds the tree of one shape. */
export function buildTree(shape: Shape, semantic: Semantic): Tree {
  const b = new Builder(shape);
  semantic(b);
  return b.finish();
}

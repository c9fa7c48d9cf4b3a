/**
 * Runs a tree in plain TypeScript: slow, and the easiest place to step through what an instruction does. The reference
 * engine runs everything this way; the interpreter what it has no case for. i64 values are BigInt. Warm.
 */
import { checkAlignment } from "./alignment.ts";
import { Vector } from "../../spec/i386_regs.ts";
import { typeOf } from "./builder.ts";
import type { Context, Op } from "./context.ts";
import { arithmetic, carry, condition, FlagsKind, kindOf, setArithmetic } from "./flags.ts";
import { checkSegment, inCode } from "./segment.ts";
import { Layout } from "./state.ts";
import type { AccessWidth, BinaryOp, Expr, Stmt, Tree } from "./tree.ts";

type Value = number | bigint;

/** How a list of statements ended. */
const GO_ON = false, DONE = true;

/** Executes `tree` for `op`: registers, memory, flags; `c.nextEip` where control goes elsewhere. Guest faults are thrown. */
export function evaluate(c: Context, op: Op, tree: Tree): void {
  new Evaluation(c, op, tree).run(tree.body);
}

class Evaluation {
  readonly #c: Context;
  readonly #op: Op;
  readonly #temps: Value[];
  readonly #next: number;
  #place = 0;

  constructor(c: Context, op: Op, tree: Tree) {
    this.#c = c;
    this.#op = op;
    this.#temps = tree.temps.map((t) => t === "i64" ? 0n : 0);
    this.#next = c.nextEip;
  }

  run(body: readonly Stmt[]): boolean {
    for (const s of body) if (this.#stmt(s)) return DONE;
    return GO_ON;
  }

  #stmt(s: Stmt): boolean {
    const c = this.#c, state = c.state;
    switch (s.s) {
      case "let":
        this.#temps[s.id] = this.#value(s.e);
        return GO_ON;
      case "setGpr":
        this.#setRegister(s.slot === "rm" ? this.#op.rm : this.#op.reg, s.w, this.#i32(s.e));
        return GO_ON;
      case "setReg":
        this.#setRegister(s.n, s.w, this.#i32(s.e));
        return GO_ON;
      case "setState":
        state.set(s.at, this.#i32(s.e));
        return GO_ON;
      case "ea":
        this.#temps[s.id] = this.#address(s.size, s.write, s.add);
        return GO_ON;
      case "address": {
        const seg = s.seg === "operand" ? this.#op.seg : s.seg;
        this.#temps[s.id] = checkSegment(c, seg, this.#i32(s.offset) >>> 0, s.size, s.write);
        return GO_ON;
      }
      case "load":
        this.#temps[s.id] = this.#load(s.w, this.#i32(s.addr));
        return GO_ON;
      case "loadForWrite":
        this.#place = this.#i32(s.addr);
        checkAlignment(c, this.#place, s.w >>> 3);
        c.mem.probeWrite(this.#place, s.w >>> 3, state.get(Layout.cpl) === 3);
        this.#temps[s.id] = this.#load(s.w, this.#place);
        return GO_ON;
      case "store":
        this.#store(s.w, this.#i32(s.addr), this.#i32(s.e));
        return GO_ON;
      case "storeBack":
        this.#store(s.w, this.#place, this.#i32(s.e));
        return GO_ON;
      case "flags":
        this.#flags(s);
        return GO_ON;
      case "if":
        return this.run(this.#i32(s.c) !== 0 ? s.then : s.otherwise);
      case "checkTarget":
        this.#checkTarget(this.#i32(s.target));
        return GO_ON;
      case "jumpRelative": {
        const to = this.#next + this.#op.imm;
        this.#jump(this.#op.opSize === 16 ? to & 0xffff : to >>> 0);
        return DONE;
      }
      case "jump":
        this.#jump(this.#i32(s.target) >>> 0);
        return DONE;
      case "bulk": // iterations are done one by one
        this.#temps[s.id] = 0;
        return GO_ON;
      case "again":
        c.nextEip = state.get(Layout.eip) >>> 0;
        return DONE;
      case "raise":
        return c.raise(s.vector, s.code);
    }
  }

  #checkTarget(eip: number): void {
    if (!inCode(this.#c.state, eip)) this.#c.raise(Vector.gp, 0);
  }

  #jump(eip: number): void {
    this.#checkTarget(eip);
    this.#c.nextEip = eip;
  }

  #address(size: number, write: boolean, add: Expr | null): number {
    const op = this.#op;
    if (add === null) return op.linear(size, write);
    const sum = (op.offset() + this.#i32(add)) >>> 0;
    return checkSegment(this.#c, op.seg, op.addrSize === 32 ? sum : sum & 0xffff, size, write);
  }

  #load(w: AccessWidth, linear: number): number {
    const { mem } = this.#c;
    return w === 8 ? mem.read8(linear) : w === 16 ? mem.read16(linear) : mem.read32(linear);
  }

  #store(w: AccessWidth, linear: number, value: number): void {
    const { mem } = this.#c;
    if (w === 8) mem.write8(linear, value & 0xff);
    else if (w === 16) mem.write16(linear, value & 0xffff);
    else mem.write32(linear, value);
  }

  #register(n: number, w: AccessWidth): number {
    const s = this.#c.state;
    return w === 8 ? s.reg8(n) : w === 16 ? s.reg16(n) : s.reg32(n);
  }

  #setRegister(n: number, w: AccessWidth, value: number): void {
    const s = this.#c.state;
    if (w === 8) s.setReg8(n, value);
    else if (w === 16) s.setReg16(n, value);
    else s.setReg32(n, value);
  }

  #flags(s: Stmt & { readonly s: "flags" }): void {
    const state = this.#c.state;
    const a = this.#i32(s.a), b = s.b === null ? 0 : this.#i32(s.b), c = s.c === null ? 0 : this.#i32(s.c);
    if (s.kind === FlagsKind.word) {
      setArithmetic(state, a);
      return;
    }
    const shift = 32 - s.w;
    const raw = s.kind === FlagsKind.result;
    const old = s.kind === FlagsKind.inc || s.kind === FlagsKind.dec ? carry(state) : 0;
    state.set(Layout.flagsKind, kindOf(s.kind, s.w));
    state.set(Layout.flagsA, a << shift);
    state.set(Layout.flagsB, raw ? b : s.b === null ? old : b << shift);
    state.set(Layout.flagsC, raw ? c : c << shift);
  }

  #i32(e: Expr): number {
    return this.#value(e) as number;
  }

  /** i32 values are signed numbers, i64 values BigInt. */
  #value(e: Expr): Value {
    const state = this.#c.state, op = this.#op;
    switch (e.k) {
      case "const":
        return e.t === "i64" ? BigInt(e.v) : e.v;
      case "imm":
        return op.imm | 0;
      case "imm2":
        return op.imm2 | 0;
      case "gpr":
        return this.#register(e.slot === "rm" ? op.rm : op.reg, e.w);
      case "reg":
        return this.#register(e.n, e.w);
      case "state":
        return state.get(e.at);
      case "temp":
        return this.#temps[e.id];
      case "unary":
        return unary(e.op, this.#value(e.a));
      case "binary": {
        const a = this.#value(e.a), b = this.#value(e.b);
        return typeOf(e.a) === "i64"
          ? binary64(e.op, a as bigint, b as bigint)
          : binary32(e.op, a as number, b as number);
      }
      case "select":
        return this.#value(this.#i32(e.c) !== 0 ? e.a : e.b);
      case "cf":
        return carry(state);
      case "flagsWord":
        return arithmetic(state);
      case "cond":
        return condition(e.cc, arithmetic(state)) ? 1 : 0;
      case "nextEip":
        return this.#next | 0;
      case "offset":
        return op.offset() | 0;
    }
  }
}

function unary(op: string, a: Value): Value {
  switch (op) {
    case "eqz":
      return a === 0 || a === 0n ? 1 : 0;
    case "clz":
      return Math.clz32(a as number);
    case "ctz":
      return a === 0 ? 32 : 31 - Math.clz32((a as number) & -(a as number));
    case "popcnt":
      return (BigInt.asUintN(typeof a === "bigint" ? 64 : 32, BigInt(a))).toString(2).replaceAll("0", "").length;
    case "extend8":
      return ((a as number) << 24) >> 24;
    case "extend16":
      return ((a as number) << 16) >> 16;
    case "wrap":
      return Number(BigInt.asIntN(32, a as bigint));
    case "extend64S":
      return BigInt(a as number);
    default: // extend64U
      return BigInt((a as number) >>> 0);
  }
}

function binary32(op: BinaryOp, a: number, b: number): number {
  const ua = a >>> 0, ub = b >>> 0;
  switch (op) {
    case "add":
      return (a + b) | 0;
    case "sub":
      return (a - b) | 0;
    case "mul":
      return Math.imul(a, b);
    case "divS":
      return (a / b) | 0;
    case "divU":
      return (ua / ub) | 0;
    case "remS":
      return (a % b) | 0;
    case "remU":
      return (ua % ub) | 0;
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "shl":
      return a << b;
    case "shrS":
      return a >> b;
    case "shrU":
      return (a >>> b) | 0;
    case "rotl":
      return (a << b) | (a >>> (-b & 31));
    case "rotr":
      return (a >>> b) | (a << (-b & 31));
    default:
      return compare(op, a, b, ua, ub) ? 1 : 0;
  }
}

function compare(op: BinaryOp, a: Value, b: Value, ua: Value, ub: Value): boolean {
  switch (op) {
    case "eq":
      return a === b;
    case "ne":
      return a !== b;
    case "ltS":
      return a < b;
    case "ltU":
      return ua < ub;
    case "gtS":
      return a > b;
    case "gtU":
      return ua > ub;
    case "leS":
      return a <= b;
    case "leU":
      return ua <= ub;
    case "geS":
      return a >= b;
    default: // geU
      return ua >= ub;
  }
}

function binary64(op: BinaryOp, a: bigint, b: bigint): Value {
  const ua = BigInt.asUintN(64, a), ub = BigInt.asUintN(64, b), n = ub & 63n;
  const signed = (v: bigint): bigint => BigInt.asIntN(64, v);
  switch (op) {
    case "add":
      return signed(a + b);
    case "sub":
      return signed(a - b);
    case "mul":
      return signed(a * b);
    case "divS":
      return signed(a / b);
    case "divU":
      return signed(ua / ub);
    case "remS":
      return signed(a % b);
    case "remU":
      return signed(ua % ub);
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "shl":
      return signed(ua << n);
    case "shrS":
      return a >> n;
    case "shrU":
      return signed(ua >> n);
    case "rotl":
      return signed((ua << n) | (ua >> ((64n - n) & 63n)));
    case "rotr":
      return signed((ua >> n) | (ua << ((64n - n) & 63n)));
    default:
      return compare(op, a, b, ua, ub) ? 1 : 0;
  }
}

/**
 * The lazy flags as WebAssembly functions: CF alone, and all six. The same expressions as flags.ts. Cold code that makes
 * warm code.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { FlagsKind } from "../../flags.ts";

const KIND = 0, A = 1, B = 2, C = 3;

/** (kind, a, b, c) -> CF, 0 or 1. */
export function carryBody(): FunctionBody {
  const f = new FunctionBody(4);
  whenKind(f, FlagsKind.sub, () => borrow(f));
  whenKind(f, FlagsKind.word, () => {
    f.get(A);
    f.i32(1);
    f.num("i32.and");
  });
  whenKind(f, FlagsKind.add, () => carryOut(f));
  f.get(B);
  return f;
}

/** (kind, a, b, c) -> the six flags as EFLAGS bits. */
export function flagsBody(): FunctionBody {
  const f = new FunctionBody(4);
  const shift = f.local("i32"), r = f.local("i32");
  whenKind(f, FlagsKind.word, () => {
    f.get(A);
    f.i32(0x8d5);
    f.num("i32.and");
  });
  f.get(KIND);
  f.i32(3);
  f.num("i32.shr_u");
  f.set(shift);
  whenKind(f, FlagsKind.sub, () => {
    operation(f, r, "i32.sub");
    szp(f, r, shift);
    borrow(f);
    f.num("i32.or");
    adjust(f, r, shift);
    overflow(f, r, B);
  });
  whenKind(f, FlagsKind.add, () => {
    operation(f, r, "i32.add");
    szp(f, r, shift);
    carryOut(f);
    f.num("i32.or");
    adjust(f, r, shift);
    // (a ^ r) & (b ^ r)
    xor(f, A, r);
    xor(f, B, r);
    f.num("i32.and");
    toOverflow(f);
  });
  f.get(A);
  f.set(r);
  whenKind(f, FlagsKind.result, () => {
    szp(f, r, shift);
    f.get(B);
    f.num("i32.or");
    f.get(C);
    f.i32(11);
    f.num("i32.shl");
    f.num("i32.or");
  });
  whenKind(f, FlagsKind.inc, () => step(f, r, shift, 0, () => f.i32(0x80000000 | 0)));
  step(f, r, shift, 15, () => {
    f.i32(0x7fffffff);
    f.get(shift);
    f.num("i32.shr_u");
    f.get(shift);
    f.num("i32.shl");
  });
  return f;
}

function whenKind(f: FunctionBody, kind: number, then: () => void): void {
  f.get(KIND);
  f.i32(7);
  f.num("i32.and");
  f.i32(kind);
  f.num("i32.eq");
  f.if();
  then();
  f.return();
  f.end();
}

/** c ? a <= b : a < b, unsigned. */
function borrow(f: FunctionBody): void {
  f.get(A);
  f.get(B);
  f.num("i32.le_u");
  f.get(A);
  f.get(B);
  f.num("i32.lt_u");
  f.get(C);
  f.select();
}

/** r = a + b + c; c ? r <= a : r < a, unsigned. */
function carryOut(f: FunctionBody): void {
  for (const op of ["i32.le_u", "i32.lt_u"] as const) {
    f.get(A);
    f.get(B);
    f.num("i32.add");
    f.get(C);
    f.num("i32.add");
    f.get(A);
    f.num(op);
  }
  f.get(C);
  f.select();
}

function operation(f: FunctionBody, r: number, op: "i32.add" | "i32.sub"): void {
  f.get(A);
  f.get(B);
  f.num(op);
  f.get(C);
  f.num(op);
  f.set(r);
}

function xor(f: FunctionBody, a: number, b: number): void {
  f.get(a);
  f.get(b);
  f.num("i32.xor");
}

/** SF ZF PF of r on the stack. */
function szp(f: FunctionBody, r: number, shift: number): void {
  f.get(r);
  f.num("i32.eqz");
  f.i32(6);
  f.num("i32.shl");
  f.get(r);
  f.i32(24);
  f.num("i32.shr_u");
  f.i32(0x80);
  f.num("i32.and");
  f.num("i32.or");
  f.get(r);
  f.get(shift);
  f.num("i32.shr_u");
  f.i32(0xff);
  f.num("i32.and");
  f.num("i32.popcnt");
  f.i32(1);
  f.num("i32.and");
  f.num("i32.eqz");
  f.i32(2);
  f.num("i32.shl");
  f.num("i32.or");
}

/** Adds AF from a ^ b ^ r. */
function adjust(f: FunctionBody, r: number, shift: number): void {
  xor(f, A, B);
  f.get(r);
  f.num("i32.xor");
  f.get(shift);
  f.num("i32.shr_u");
  f.i32(0x10);
  f.num("i32.and");
  f.num("i32.or");
}

/** Adds OF from (a ^ other) & (a ^ r). */
function overflow(f: FunctionBody, r: number, other: number): void {
  xor(f, A, other);
  xor(f, A, r);
  f.num("i32.and");
  toOverflow(f);
}

function toOverflow(f: FunctionBody): void {
  f.i32(31);
  f.num("i32.shr_u");
  f.i32(11);
  f.num("i32.shl");
  f.num("i32.or");
}

/** INC and DEC: CF is b, AF when the low digit is `digit`, OF when the result is `edge`. */
function step(f: FunctionBody, r: number, shift: number, digit: number, edge: () => void): void {
  szp(f, r, shift);
  f.get(B);
  f.num("i32.or");
  f.get(r);
  f.get(shift);
  f.num("i32.shr_u");
  f.i32(15);
  f.num("i32.and");
  f.i32(digit);
  f.num("i32.eq");
  f.i32(4);
  f.num("i32.shl");
  f.num("i32.or");
  f.get(r);
  edge();
  f.num("i32.eq");
  f.i32(11);
  f.num("i32.shl");
  f.num("i32.or");
}

/**
 * PUSH, POP, PUSHA, POPA, LEAVE. The stack pointer moves after the last access that can fault. Source: SDM-2. ENTER
 * has a loop and is a TypeScript function. Cold: builds trees.
 */
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";

const ESP = 4, EBP = 5, SS = 2;

/** Pushes a value of the operand size; `check` runs after the address checks, before the store. */
export function pushValue(b: Builder, value: Expr, check: () => void = () => {}): void {
  const size = b.shape.opSize;
  const sp = b.let(b.stackPointer(-(size >>> 3)));
  const at = b.segment(SS, sp, size >>> 3, true);
  check();
  b.store(size, at, value);
  b.setStackPointer(sp);
}

/** The value on top of the stack; the pointer stays. */
export function topOfStack(b: Builder): Expr {
  const size = b.shape.opSize;
  return b.load(size, b.stackAddress(0, size >>> 3, false));
}

/** PUSH; PUSH ESP stores the value before the decrement. */
export const push: Semantic = (b) => pushValue(b, b.read(0));

/**
 * POP. The address of a memory operand with ESP as its base counts ESP as moved: the displacement of the decoded
 * operation is adjusted for it. POP ESP keeps the value popped.
 */
export const pop: Semantic = (b) => {
  const v = topOfStack(b), after = b.stackPointer(b.shape.opSize >>> 3);
  if (b.isMemory(0)) {
    b.write(0, v);
    b.setStackPointer(after);
  } else {
    b.setStackPointer(after);
    b.write(0, v);
  }
};

/** PUSHA, PUSHAD: all is checked for writing first, in the order of the pushes, so nothing is half pushed. */
export const pusha: Semantic = (b) => {
  const size = b.shape.opSize, bytes = size >>> 3;
  const at: Expr[] = [];
  for (let n = 0; n < 8; n++) at.push(b.stackAddress(-bytes * (n + 1), bytes, true));
  b.loadForWrite(size, at[0]);
  b.if(b.shr(b.xor(at[0], at[7]), 12), () => { // on two pages
    for (let n = 1; n < 7; n++) b.loadForWrite(size, at[n]);
  });
  b.loadForWrite(size, at[7]);
  for (let n = 0; n < 8; n++) b.store(size, at[n], b.reg(n, size));
  b.setStackPointer(b.stackPointer(-8 * bytes));
};

/** POPA, POPAD: the stack pointer's own slot is skipped. */
export const popa: Semantic = (b) => {
  const size = b.shape.opSize, bytes = size >>> 3;
  const values: [number, Expr][] = [];
  for (let n = 7; n >= 0; n--) {
    if (n !== ESP) values.push([n, b.load(size, b.stackAddress(bytes * (7 - n), bytes, false))]);
  }
  for (const [n, v] of values) b.setReg(n, size, v);
  b.setStackPointer(b.stackPointer(8 * bytes));
};

/** LEAVE. */
export const leave: Semantic = (b) => {
  const size = b.shape.opSize, bytes = size >>> 3, stack = b.shape.stackSize;
  const frame = b.let(b.reg(EBP, stack));
  const v = b.load(size, b.segment(SS, frame, bytes, false));
  b.setStackPointer(b.add(frame, b.const(bytes)));
  b.setReg(EBP, size, v);
};

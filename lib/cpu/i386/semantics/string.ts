/**
 * MOVS, CMPS, STOS, LODS, SCAS. With REP one execution is one iteration: it counts down and asks to be executed again
 * until the count is used up or, for CMPS and SCAS, the condition fails. So interrupts and faults find exact state.
 * Sources: SDM-2 (each), REP. Cold: builds trees.
 */
import { Flag } from "../../../spec/i386_regs.ts";
import { Layout } from "../state.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";

const EAX = 0, ECX = 1, ESI = 6, EDI = 7, ES = 0, REPE = 0xf3;

/** Bytes to move an index by: the element size, negative if DF is set. */
function step(b: Builder): Expr {
  const bytes = b.w >>> 3;
  // DF is bit 10; twice the size is bit 1, 2 or 3.
  const shift = b.w === 8 ? 9 : b.w === 16 ? 8 : 7;
  return b.sub(b.const(bytes), b.shr(b.and(b.state(Layout.eflags), b.const(Flag.df)), shift));
}

function advance(b: Builder, ...indices: number[]): void {
  const delta = b.let(step(b));
  for (const n of indices) b.setReg(n, b.shape.addrSize, b.add(b.reg(n, b.shape.addrSize), delta));
}

function source(b: Builder): Expr {
  return b.load(b.w, b.segment("operand", b.reg(ESI, b.shape.addrSize), b.w >>> 3, false));
}

function destination(b: Builder, write: boolean): Expr {
  return b.segment(ES, b.reg(EDI, b.shape.addrSize), b.w >>> 3, write);
}

/** One iteration, or the whole instruction without REP. `iterate` gives what must also hold to go on, if anything. */
function repeated(b: Builder, iterate: () => Expr | undefined): void {
  if (b.shape.rep === 0) {
    iterate();
    return;
  }
  const size = b.shape.addrSize;
  const left = b.let(b.reg(ECX, size));
  b.if(left, () => {
    const condition = iterate();
    b.setReg(ECX, size, b.sub(left, b.const(1)));
    const more = b.binary("ne", left, b.const(1));
    b.if(condition === undefined ? more : b.and(more, condition), () => b.again());
  });
}

/** Compares; gives the condition of REPE or REPNE. */
function compare(b: Builder, x: Expr, y: Expr): Expr {
  b.flagsSub(b.w, x, y);
  return b.binary(b.shape.rep === REPE ? "eq" : "ne", x, y);
}

/** MOVS. */
export const movs: Semantic = (b) =>
  repeated(b, () => {
    const v = source(b);
    b.store(b.w, destination(b, true), v);
    advance(b, ESI, EDI);
    return undefined;
  });

/** CMPS: the source minus the destination. */
export const cmps: Semantic = (b) =>
  repeated(b, () => {
    const x = source(b), y = b.load(b.w, destination(b, false));
    advance(b, ESI, EDI);
    return compare(b, x, y);
  });

/** STOS. */
export const stos: Semantic = (b) =>
  repeated(b, () => {
    b.store(b.w, destination(b, true), b.reg(EAX, b.w));
    advance(b, EDI);
    return undefined;
  });

/** LODS. */
export const lods: Semantic = (b) =>
  repeated(b, () => {
    const v = source(b);
    b.setReg(EAX, b.w, v);
    advance(b, ESI);
    return undefined;
  });

/** SCAS: the accumulator minus the destination. */
export const scas: Semantic = (b) =>
  repeated(b, () => {
    const y = b.load(b.w, destination(b, false));
    advance(b, EDI);
    return compare(b, b.let(b.reg(EAX, b.w)), y);
  });

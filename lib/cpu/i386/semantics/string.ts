/**
 * MOVS, CMPS, STOS, LODS, SCAS. With REP one execution is one iteration: it counts down and asks to be executed again
 * until the count is used up or, for CMPS and SCAS, the condition fails. So interrupts and faults find exact state.
 * Engines may do iterations ahead of one where these only repeat what it will do: they stay on its pages.
 * Sources: SDM-2 (each), REP. Cold: builds trees.
 */
import { Flag } from "../../../spec/i386_regs.ts";
import { Layout } from "../state.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr, StringOp } from "../tree.ts";

const EAX = 0, ECX = 1, ESI = 6, EDI = 7, ES = 0, REPE = 0xf3;
/** Iterations left from which on it is worth trying to do several at once. */
const WORTH_BULK = 4;

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

/** Does iterations at once where nothing can come of it but what the single ones would do. */
function bulk(b: Builder, op: StringOp, left: Expr & { readonly k: "temp" }): void {
  const size = b.shape.addrSize;
  const indices = [...(op === "stos" || op === "scas" ? [] : [ESI]), ...(op === "lods" ? [] : [EDI])];
  const compares = op === "cmps" || op === "scas";
  b.if(b.binary("geU", left, b.const(WORTH_BULK)), () => {
    const done = b.bulk({
      op,
      more: compares ? (b.shape.rep === REPE ? "eq" : "ne") : "always",
      source: indices.includes(ESI) ? b.reg(ESI, size) : b.const(0),
      destination: indices.includes(EDI) ? b.reg(EDI, size) : b.const(0),
      value: op === "stos" || op === "scas" ? b.reg(EAX, b.w) : b.const(0),
      left,
    });
    b.if(done, () => {
      const delta = b.let(b.binary("mul", done, step(b)));
      for (const n of indices) b.setReg(n, size, b.add(b.reg(n, size), delta));
      b.set(left, b.sub(left, done));
      b.setReg(ECX, size, left); // what follows may go back to the start of the instruction
    });
  });
}

/** One iteration, or the whole instruction without REP. `iterate` gives what must also hold to go on, if anything. */
function repeated(b: Builder, op: StringOp, iterate: () => Expr | undefined): void {
  if (b.shape.rep === 0) {
    iterate();
    return;
  }
  const size = b.shape.addrSize;
  const left = b.variable();
  b.set(left, b.reg(ECX, size));
  b.if(left, () => {
    bulk(b, op, left);
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
  repeated(b, "movs", () => {
    const v = source(b);
    b.store(b.w, destination(b, true), v);
    advance(b, ESI, EDI);
    return undefined;
  });

/** CMPS: the source minus the destination. */
export const cmps: Semantic = (b) =>
  repeated(b, "cmps", () => {
    const x = source(b), y = b.load(b.w, destination(b, false));
    advance(b, ESI, EDI);
    return compare(b, x, y);
  });

/** STOS. */
export const stos: Semantic = (b) =>
  repeated(b, "stos", () => {
    b.store(b.w, destination(b, true), b.reg(EAX, b.w));
    advance(b, EDI);
    return undefined;
  });

/** LODS. */
export const lods: Semantic = (b) =>
  repeated(b, "lods", () => {
    const v = source(b);
    b.setReg(EAX, b.w, v);
    advance(b, ESI);
    return undefined;
  });

/** SCAS: the accumulator minus the destination. */
export const scas: Semantic = (b) =>
  repeated(b, "scas", () => {
    const y = b.load(b.w, destination(b, false));
    advance(b, EDI);
    return compare(b, b.let(b.reg(EAX, b.w)), y);
  });

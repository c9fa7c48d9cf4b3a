/**
 * What is known while translating about the lazy flags held in locals: their kind, which of the operand words are
 * known to be 0, the result of an INC or DEC that lies over them (all flags but CF are its), and single flags that lie
 * over that in a word of their own (rotates and bit tests change one or two flags and keep the rest). Where paths with
 * different knowledge meet what they share stays known, else the kind is a run-time value. Cold data.
 */
import { ARITH_MASK, FlagsKind } from "../../flags.ts";
import type { Expr, Stmt } from "../../tree.ts";

/** Knowledge about the flags. */
export interface FlagState {
  /** {@linkcode FlagsKind}, or -1: only known at run time, -2: so, and in the state block. */
  readonly kind: number;
  /** 32 minus the width of the operation. */
  readonly shift: number;
  /** Second word is 0 (and its local is not set). */
  readonly zeroB: boolean;
  /** Third word is 0 (and its local is not set). */
  readonly zeroC: boolean;
  /** {@linkcode FlagsKind} of an INC or DEC after that, whose result is in a word of its own; 0: none. */
  readonly step: number;
  /** 32 minus the width of the INC or DEC. */
  readonly stepShift: number;
  /** EFLAGS bits that lie in the word on top. */
  readonly over: number;
}

/** Nothing is known: all four words are in their locals. */
export const UNKNOWN: FlagState = { kind: -1, shift: 0, zeroB: false, zeroC: false, step: 0, stepShift: 0, over: 0 };

/** The four words are in the state block, not in their locals. */
export const IN_MEMORY: FlagState = { ...UNKNOWN, kind: -2 };

/** Nobody sees the flags: their locals hold anything. */
export const DEAD: FlagState = { ...UNKNOWN, kind: -3 };

/** True if two states say the same. */
export function sameState(a: FlagState, b: FlagState): boolean {
  return a === b ||
    (sameBase(a, b) && a.zeroB === b.zeroB && a.zeroC === b.zeroC && sameTop(a, b));
}

function sameBase(a: FlagState, b: FlagState): boolean {
  return a.kind === b.kind && a.shift === b.shift;
}

function sameTop(a: FlagState, b: FlagState): boolean {
  return a.over === b.over && a.step === b.step && a.stepShift === b.stepShift;
}

/** What is known where two paths meet; either can be settled to it. */
export function meet(a: FlagState, b: FlagState): FlagState {
  if (sameState(a, b)) return a;
  if (a.kind === DEAD.kind || b.kind === DEAD.kind || !sameTop(a, b)) return UNKNOWN;
  if (!sameBase(a, b)) return { ...UNKNOWN, step: a.step, stepShift: a.stepShift, over: a.over };
  return { ...a, zeroB: a.zeroB && b.zeroB, zeroC: a.zeroC && b.zeroC };
}

/** A statement that records flags. */
export type FlagsStmt = Stmt & { readonly s: "flags" };

/** A change of single flags: the others are kept. */
export interface Overlay {
  /** Flags that change. */
  readonly mask: number;
  /** Their new values, no other bits; undefined: cleared or set as `bits` says. */
  readonly value: Expr | undefined;
  /** Constant values when `value` is undefined. */
  readonly bits: number;
}

/** The change of single flags a statement is, if it is one. */
export function overlayOf(s: FlagsStmt): Overlay | undefined {
  if (s.kind !== FlagsKind.word || s.a.k !== "binary") return undefined;
  const { op, a, b } = s.a;
  if (a.k === "flagsWord" && b.k === "const") {
    if (op === "and") return { mask: ~b.v & ARITH_MASK, value: undefined, bits: 0 };
    if (op === "or") return { mask: b.v & ARITH_MASK, value: undefined, bits: b.v & ARITH_MASK };
    return undefined;
  }
  if (op !== "or" || a.k !== "binary" || a.op !== "and" || a.a.k !== "flagsWord" || a.b.k !== "const") return undefined;
  return { mask: ~a.b.v & ARITH_MASK, value: b, bits: 0 };
}

/** The state after a statement that records flags. */
export function stateAfter(s: FlagsStmt, before: FlagState): FlagState {
  const over = overlayOf(s);
  if (over !== undefined) return { ...before, over: before.over | over.mask };
  if (isStep(s)) return { ...before, step: s.kind, stepShift: 32 - s.w, over: before.over & 1 };
  return {
    ...UNKNOWN,
    kind: s.kind,
    shift: s.kind === FlagsKind.word ? 0 : 32 - s.w,
    zeroB: isZero(s.b),
    zeroC: isZero(s.c),
  };
}

/** True for INC and DEC, which keep CF, unless they record it. */
export function isStep(s: FlagsStmt): boolean {
  return (s.kind === FlagsKind.inc || s.kind === FlagsKind.dec) && s.b === null;
}

function isZero(e: Expr | null): boolean {
  return e === null || (e.k === "const" && e.v === 0);
}

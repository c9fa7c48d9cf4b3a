/**
 * What is known while translating about the lazy flags held in locals: their kind, which of the operand words are
 * known to be 0, and single flags that lie over them in a word of their own (rotates and bit tests change one or two
 * flags and keep the rest). Where paths with different knowledge meet nothing is known and the kind is a run-time value.
 * Cold data.
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
  /** EFLAGS bits that lie in the word on top. */
  readonly over: number;
}

/** Nothing is known: all four words are in their locals. */
export const UNKNOWN: FlagState = { kind: -1, shift: 0, zeroB: false, zeroC: false, over: 0 };

/** The four words are in the state block, not in their locals. */
export const IN_MEMORY: FlagState = { ...UNKNOWN, kind: -2 };

/** True if two states say the same. */
export function sameState(a: FlagState, b: FlagState): boolean {
  return a === b ||
    (a.kind === b.kind && a.shift === b.shift && a.zeroB === b.zeroB && a.zeroC === b.zeroC && a.over === b.over);
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
  const step = s.kind === FlagsKind.inc || s.kind === FlagsKind.dec;
  return {
    kind: s.kind,
    shift: s.kind === FlagsKind.word ? 0 : 32 - s.w,
    zeroB: !step && isZero(s.b),
    zeroC: isZero(s.c),
    over: 0,
  };
}

function isZero(e: Expr | null): boolean {
  return e === null || (e.k === "const" && e.v === 0);
}

/**
 * Which function of the interpreter has which case: two loops with the common cases, one for 32-bit code in flat segments
 * and one for everything else, and a function of its own for each rare case.
 *
 * V8 optimizes a function as a whole: with all cases in one it took a quarter of a second of CPU time in every process,
 * spent even by programs of a few thousand instructions. Counted over a boot of Debian's kernel 95 of 100 cold
 * instructions lie in the flat loop. The second loop and the rare functions are made when code first needs them: emitting
 * them all took four fifths of the time it took to make an interpreter. Cold.
 */
import { TREES } from "../../semantics/index.ts";
import type { OpRow } from "../../../../spec/i386_op_row.ts";
import { FIRST_TREE } from "./record.ts";

/** Where a case is: in the loop for 32-bit code in flat segments, in the one for everything else, or in neither. */
export type CaseKind = "flat" | "other" | "rare";

/** The kinds in the order of their numbers. */
export const CASE_KINDS: readonly CaseKind[] = ["flat", "other", "rare"];

/** First number of each kind. A loop tells by the number of a case that is not its own what to do with it. */
export const FIRST_OF: Readonly<Record<CaseKind, number>> = { flat: FIRST_TREE, other: 160, rare: 400 };

/** Numbers that there may be. */
export const MOST_HANDLERS = 1536;

/** Semantics that are common in one form or other. */
const COMMON: ReadonlySet<string> = new Set(
  ("mov movzx movsx lea push pop leave callRel callInd ret jmpRel jmpInd jcc add or and sub xor cmp test inc dec shl shr " +
    "sar rol ror imul2 imul3 div nop").split(" "),
);

/** Of these the byte forms too. */
const BYTES: ReadonlySet<string> = new Set(["mov", "movzx", "movsx", "cmp", "test", "jcc", "jmpRel"]);

/** Of these the forms with a first operand in memory too: they do not read, change and write it. */
const PLAIN: ReadonlySet<string> = new Set(["mov", "cmp", "test", "push", "callInd", "jmpInd"]);

/** True if a form of a row has a tree and belongs into a loop. */
export function isCommon({ sem, operands, width }: OpRow, isMem: boolean): boolean {
  if (!COMMON.has(sem) || TREES[sem] === undefined || (width === 8 && !BYTES.has(sem))) return false;
  if (isMem && operands[0]?.startsWith("E") && !PLAIN.has(sem)) return false;
  return operands[1] !== "cl";
}

/** What decides the kind of a case. */
export interface CaseForm {
  /** Row of the opcode table. */
  readonly row: OpRow;
  /** The ModRM operand is in memory. */
  readonly isMem: boolean;
  /** Operand size. */
  readonly opSize: 16 | 32;
  /** Segments are checked. */
  readonly segmented: boolean;
}

/** The kind of a case. Forms for bytes are flat, but the other loop has them too. */
export function kindOf({ row, isMem, opSize, segmented }: CaseForm): CaseKind {
  if (!isCommon(row, isMem)) return "rare";
  return segmented || opSize === 16 ? "other" : "flat";
}

/**
 * Which function of the interpreter has which case: two loops with the common cases, one for 32-bit code in flat segments
 * and one for everything else, and small functions that execute one rare instruction.
 *
 * V8 optimizes a function as a whole: with all cases in one it took a quarter of a second of CPU time in every process,
 * spent even by programs of a few thousand instructions. Counted over a boot of Debian's kernel 95 of 100 cold
 * instructions lie in the flat loop. Cold.
 */
import { cases, type CaseTree } from "./cases.ts";
import { FIRST_TREE } from "./record.ts";

/** Semantics that are common in one form or other. */
const COMMON: ReadonlySet<string> = new Set(
  ("mov movzx movsx lea push pop leave callRel callInd ret jmpRel jmpInd jcc add or and sub xor cmp test inc dec shl shr " +
    "sar rol ror imul2 imul3 div nop").split(" "),
);

/** Of these the byte forms too. */
const BYTES: ReadonlySet<string> = new Set(["mov", "movzx", "movsx", "cmp", "test", "jcc", "jmpRel"]);

/** Of these the forms with a first operand in memory too: they do not read, change and write it. */
const PLAIN: ReadonlySet<string> = new Set(["mov", "cmp", "test", "push", "callInd", "jmpInd"]);

/** Cases of one rare function. */
export const RARE_CASES = 12;

function isCommon({ row, isMem }: CaseTree): boolean {
  const { sem, operands, width } = row;
  if (!COMMON.has(sem) || (width === 8 && !BYTES.has(sem))) return false;
  if (isMem && operands[0]?.startsWith("E") && !PLAIN.has(sem)) return false;
  return operands[1] !== "cl";
}

/** Handlers by function. */
export interface Partition {
  /** Of the loop for 32-bit code in flat segments. */
  readonly flat: ReadonlySet<number>;
  /** Of the loop for 16-bit code and segments that are not flat. */
  readonly other: ReadonlySet<number>;
  /** Of neither. */
  readonly rare: readonly number[];
}

/** Finds each case its place; forms for bytes are in both loops. */
export function partition(): Partition {
  const flat = new Set<number>(), other = new Set<number>(), rare: number[] = [];
  cases().trees.forEach((one, i) => {
    const handler = FIRST_TREE + i;
    if (!isCommon(one)) {
      rare.push(handler);
      return;
    }
    const isNarrow = one.segmented || one.opSize === 16;
    if (!isNarrow) flat.add(handler);
    if (isNarrow || one.row.width === 8) other.add(handler);
  });
  return { flat, other, rare };
}

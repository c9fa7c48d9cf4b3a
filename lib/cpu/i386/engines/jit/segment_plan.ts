/**
 * What a region of code that is not flat asks of the segments before it does anything: CS reaches over all its code, and
 * each segment that it accesses begins at offset 0, is no shorter than any access, and may be read or written. So an end is
 * all that is left to be checked at an access. Segments of another kind leave the code to the interpreter. Warm.
 */
import { Rights, SegReg } from "../../segment.ts";
import type { Stmt } from "../../tree.ts";
import { type CodeMode, isUsual } from "./code_mode.ts";
import type { Block } from "./discover.ts";
import type { Instruction } from "./instruction.ts";

/** Segments of a region. */
export interface SegmentPlan {
  /** The mode. */
  readonly mode: CodeMode;
  /** False in the usual mode: nothing is checked when the region is entered. */
  readonly isChecked: boolean;
  /** Rights by segment, for those that are not flat. */
  readonly needs: ReadonlyMap<number, number>;
  /** Lowest offset in the first page that control may come to. */
  readonly low: number;
  /** Offset of the last byte of code. */
  readonly high: number;
}

/** Offsets a region may know as targets: those of two pages. */
export const REACH = 0x2000;

/** Makes the plan. */
export function planSegments(blocks: readonly Block[], mode: CodeMode): SegmentPlan {
  const needs = new Map<number, number>();
  const isChecked = !isUsual(mode);
  let low = REACH, high = 0;
  for (const b of blocks) {
    low = Math.min(low, b.start);
    high = Math.max(high, b.start);
    for (const i of [...b.instructions, ...b.guarded?.instructions ?? []]) {
      const target = targetOf(i);
      low = Math.min(low, i.offset, target ?? low);
      high = Math.max(high, i.next - 1, target ?? 0);
      if (isChecked) { for (const s of i.tree?.body ?? []) note(i, s, mode, needs); }
    }
  }
  return { mode, isChecked, needs, low, high };
}

/** Offset that a relative transfer leads to, if it is one that a region may know. */
export function targetOf(i: Instruction): number | undefined {
  if (!i.isRelative) return undefined;
  const target = i.next + i.imm;
  return target >= 0 && target < REACH ? target : undefined;
}

/** True for segments that are flat by the mode. */
export function isFlat(seg: number, mode: CodeMode): boolean {
  return mode.flatData && (seg === SegReg.es || seg === SegReg.ss || seg === SegReg.ds);
}

function note(i: Instruction, s: Stmt, mode: CodeMode, needs: Map<number, number>): void {
  if (s.s === "if") {
    for (const one of [...s.then, ...s.otherwise]) note(i, one, mode, needs);
    return;
  }
  if (s.s !== "ea" && s.s !== "address") return;
  const seg = s.s === "ea" || s.seg === "operand" ? i.seg : s.seg;
  if (isFlat(seg, mode)) return;
  const rights = Rights.usable | (s.write ? Rights.write : Rights.read);
  needs.set(seg, (needs.get(seg) ?? 0) | rights);
}

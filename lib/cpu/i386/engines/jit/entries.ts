/**
 * Where a region is entered. Every entry costs something: nothing is known there about the flags, and one in the middle
 * of a loop is a second way into it. The interpreter stops anywhere, so an instruction in the middle of a block may be the
 * first that was executed often enough: then the loop around it is entered at its head, and when regions become one,
 * entries in the middle of blocks are given up. Warm.
 */
import type { Block } from "./discover.ts";

/** The offset of the head of the innermost loop around the first block, if that is another block; else undefined. */
export function headAround(blocks: readonly Block[]): number | undefined {
  const [first] = blocks;
  if (first.afterCall) return undefined;
  let head: Block | undefined;
  for (const b of blocks) {
    for (const s of b.successors) {
      const to = blocks[s];
      if (to.start > b.start) continue;
      if (to === first) return undefined;
      const around = to.start < first.start && b.start >= first.start;
      if (around && (head === undefined || to.start > head.start)) head = to;
    }
  }
  return head?.start;
}

/** True if an instruction lies in the middle of a block. */
export function isInside(blocks: readonly Block[], offset: number): boolean {
  return blocks.some((b) => b.start < offset && b.instructions.some((i) => i.offset === offset));
}

/**
 * Repeats the bodies of small loops: a copy's way back leads to the next copy, that of the last one to the first. What is
 * done once a round (V8's own check at the head of a loop, the check of the count) is done once in several rounds, and
 * flags that only the head would keep alive are dead between copies. Warm.
 */
import type { Block } from "./discover.ts";
import { lengthOf } from "./checks.ts";
import type { Item } from "./structure.ts";

/** Copies of a body at most, the original included. */
const MOST_COPIES = 4;
/** Instructions of all copies together at most. */
const MOST_INSTRUCTIONS = 48;

/** Repeats the innermost loops among the items. @returns True if there are new blocks. */
export function unroll(blocks: Block[], items: readonly Item[]): boolean {
  let any = false;
  for (const item of items) {
    if (item.kind === "block") continue;
    const inner = item.body.some((i) => i.kind === "loop");
    if (inner) any = unroll(blocks, item.body) || any;
    else if (item.entries.length === 1) any = repeat(blocks, item.heads[0], idsOf(item.body)) || any;
  }
  return any;
}

function idsOf(items: readonly Item[]): number[] {
  return items.flatMap((i) => i.kind === "block" ? [i.id] : []);
}

/** True if a block may be copied: nobody enters it but by the loop's head, and it is not checked. */
function isPlain(block: Block, head: number): boolean {
  return block.instructions.length > 0 && !block.afterCall && (!block.isEntry || block.id === head) &&
    block.instructions.every((i) => i.tree !== undefined && i.effects?.repeats !== true);
}

function repeat(blocks: Block[], head: number, body: readonly number[]): boolean {
  if (!body.every((id) => isPlain(blocks[id], head))) return false;
  const size = body.reduce((sum, id) => sum + lengthOf(blocks[id]), 0);
  const copies = Math.min(MOST_COPIES, Math.floor(MOST_INSTRUCTIONS / size));
  if (copies < 2) return false;
  const originals = body.map((id) => [...blocks[id].successors]);
  let from = body;
  for (let copy = 1; copy < copies; copy++) {
    const to = body.map((id) => blocks.push(copyOf(blocks[id], blocks.length)) - 1);
    link(blocks, from, originals, body, head, to);
    from = to;
  }
  link(blocks, from, originals, body, head, body);
  return true;
}

/** Sets the successors of one copy: inside it, and from its ways back to the head of the next. */
function link(
  blocks: Block[],
  from: readonly number[],
  originals: readonly (readonly number[])[],
  body: readonly number[],
  head: number,
  next: readonly number[],
): void {
  from.forEach((id, n) => {
    const successors = originals[n].map((s) => {
      const at = body.indexOf(s);
      return at < 0 ? s : s === head ? next[at] : from[at];
    });
    blocks[id].successors.splice(0, Infinity, ...successors);
  });
}

function copyOf(block: Block, id: number): Block {
  const { start, guarded } = block;
  return {
    ...{ id, start, instructions: block.instructions.map((i) => i.copy()), successors: [] },
    ...{ isEntry: false, afterCall: false, guarded: guarded === undefined ? undefined : copyOf(guarded, guarded.id) },
  };
}

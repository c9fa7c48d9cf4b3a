/**
 * Finds branches over one or two plain instructions: they become part of the block before, executed under its condition,
 * without a branch where that is possible. What a host's processor cannot foretell costs nothing then. Warm.
 */
import type { Block } from "./discover.ts";
import type { Effects } from "./effects.ts";
import { type Instruction, isOnEdge } from "./instruction.ts";

/** Instructions under a condition at most. */
const MOST = 2;

/** Takes such blocks out of the graph; the block before has them as `guarded`. */
export function guardBlocks(blocks: readonly Block[]): void {
  const ways = blocks.map(() => 0);
  for (const b of blocks) for (const s of b.successors) ways[s]++;
  for (const b of blocks) {
    const last = b.instructions.at(-1);
    if (last?.sem !== "jcc" || b.successors.length !== 2 || b.afterCall) continue;
    const over = b.successors.find((s) => blocks[s].start === last.next);
    const to = b.successors.find((s) => blocks[s].start === last.next + last.imm);
    if (over === undefined || to === undefined || over === to) continue;
    const one = blocks[over];
    const isAlone = ways[over] === 1 && !one.isEntry && !one.afterCall && one.guarded === undefined;
    if (!isAlone || !isPlain(one, blocks[to], last)) continue;
    b.guarded = one;
    b.successors.splice(0, 2, to);
    one.successors.length = 0;
    ways[to]--;
  }
}

function isPlain(one: Block, to: Block, branch: Instruction): boolean {
  const { instructions, successors } = one;
  if (instructions.length === 0 || instructions.length > MOST || instructions.at(-1)?.next !== to.start) return false;
  if (successors.length !== 1 || successors[0] !== to.id || (branch.offset < 0x1000 && to.start >= 0x1000)) {
    return false;
  }
  return instructions.every((i) => !isOnEdge(i) && isQuiet(i.effects));
}

/** True for an instruction that neither stops nor leads anywhere else. */
function isQuiet(e: Effects | undefined): boolean {
  return e !== undefined && !e.mayLeave && !e.jumps && !e.repeats;
}

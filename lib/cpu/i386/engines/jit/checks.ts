/**
 * Where a region checks the count: at entries, in loops, and where control comes back from elsewhere. At least as many
 * instructions must be left as the longest way to the next check has, else the interpreter goes on; so slices end at the
 * same instruction.
 *
 * In a loop any one place serves. Whoever leaves there sees the flags, so the best place is behind an instruction that
 * sets them all: where the loop begins they are dead then, and need not be carried around. An entry at such a head gets a
 * block of its own with a check. Warm.
 */
import { type Block, isStub } from "./discover.ts";
import { isOnEdge } from "./instruction.ts";
import type { Item } from "./structure.ts";

/** Checks of one region. */
export class Checks {
  readonly #blocks: readonly Block[];
  readonly #at: Map<number, number> = new Map();
  readonly #cost: number[] = [];

  /** @param blocks All blocks. @param items Their layout. @param late Checks in loops may come late. */
  constructor(blocks: readonly Block[], items: readonly Item[], late: boolean) {
    this.#blocks = blocks;
    for (const b of blocks) if (b.isEntry || b.afterCall) this.#at.set(b.id, 0);
    this.#loops(items, late);
  }

  #loops(items: readonly Item[], late: boolean): void {
    for (const item of items) {
      if (item.kind === "block") continue;
      const place = late && item.heads.length === 1 ? latePlace(this.#blocks[item.heads[0]]) : 0;
      for (const e of item.heads) if (!this.#at.has(e)) this.#at.set(e, place);
      this.#loops(item.body, late);
    }
  }

  /** Before which instruction of a block the count is checked; -1: nowhere. */
  at(id: number): number {
    return this.#at.get(id) ?? -1;
  }

  /** What must be left at the check of a block; 0: it has none. */
  need(id: number): number {
    const at = this.at(id);
    return at < 0 ? 0 : Math.max(isStub(this.#blocks[id]) ? 0 : 1, lengthOf(this.#blocks[id]) - at + this.#rest(id));
  }

  /** Longest way from the end of a block to the next check. */
  #rest(id: number): number {
    let rest = 0;
    for (const s of this.#blocks[id].successors) {
      const at = this.at(s);
      rest = Math.max(rest, at >= 0 ? at : this.#way(s));
    }
    return rest;
  }

  #way(id: number): number {
    return this.#cost[id] ??= lengthOf(this.#blocks[id]) + this.#rest(id);
  }
}

/** Instructions of a block, those it jumps over included. */
export function lengthOf(block: Block): number {
  return block.instructions.length + (block.guarded?.instructions.length ?? 0);
}

/** The place for the check of a loop that begins with a block: behind the first that sets all flags, or 0. */
function latePlace(head: Block): number {
  for (let k = 0; k < head.instructions.length - 1; k++) {
    const i = head.instructions[k], e = i.effects;
    if (
      e === undefined || e.mayLeave || isOnEdge(i) || e.jumps || e.repeats || e.usesFlags || e.needsFlags ||
      e.setsFlags === 1
    ) {
      return 0;
    }
    if (e.setsFlags === 2) return k + 1;
  }
  return 0;
}

/**
 * Gives entries that are heads of loops with a late check a block of their own, which takes their number.
 * @returns True if there are new blocks.
 */
export function splitEntries(blocks: Block[], items: readonly Item[]): boolean {
  let any = false;
  for (const item of items) {
    if (item.kind === "block") continue;
    const [head] = item.heads;
    if (item.heads.length === 1 && blocks[head].isEntry && !blocks[head].afterCall && latePlace(blocks[head]) > 0) {
      split(blocks, head);
      any = true;
    }
    any = splitEntries(blocks, item.body) || any;
  }
  return any;
}

function split(blocks: Block[], id: number): void {
  const { start } = blocks[id], moved = { ...blocks[id], id: blocks.length, isEntry: false };
  blocks.push(moved);
  for (const b of blocks) b.successors.forEach((s, n) => b.successors[n] = s === id ? moved.id : s);
  blocks[id] = {
    ...{ id, start, instructions: [], successors: [moved.id] },
    ...{ isEntry: true, afterCall: false, guarded: undefined },
  };
}

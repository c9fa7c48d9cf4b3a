/**
 * Where a region checks the count: at entries, in loops, and where control comes back from elsewhere. At least as many
 * instructions must be left as the longest way to the next check has, else the interpreter goes on; so slices end at the
 * same instruction.
 *
 * Tried: a check in a loop behind the first instruction that sets all flags, where they need not be carried around the
 * loop for those who leave; it gave nothing that could be measured. Warm.
 */
import type { Block } from "./discover.ts";
import type { Item } from "./structure.ts";

/** Checks of one region. */
export class Checks {
  readonly #blocks: readonly Block[];
  readonly #checked: Set<number> = new Set();
  readonly #cost: number[] = [];

  /** @param blocks All blocks. @param items Their layout. @param few False: in each block. */
  constructor(blocks: readonly Block[], items: readonly Item[], few: boolean) {
    this.#blocks = blocks;
    for (const b of blocks) if (!few || b.isEntry || b.afterCall) this.#checked.add(b.id);
    this.#loops(items);
  }

  #loops(items: readonly Item[]): void {
    for (const item of items) {
      if (item.kind === "block") continue;
      for (const head of item.heads) this.#checked.add(head);
      this.#loops(item.body);
    }
  }

  /** True if the count is checked where a block begins. */
  has(id: number): boolean {
    return this.#checked.has(id);
  }

  /** What must be left where a block begins; 0: it is not checked. */
  need(id: number): number {
    return this.has(id) ? Math.max(1, lengthOf(this.#blocks[id]) + this.#rest(id)) : 0;
  }

  /** Longest way from the end of a block to the next check. */
  #rest(id: number): number {
    let rest = 0;
    for (const s of this.#blocks[id].successors) if (!this.has(s)) rest = Math.max(rest, this.#way(s));
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

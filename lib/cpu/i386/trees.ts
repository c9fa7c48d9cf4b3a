/**
 * Trees by shape, built once each on first use. Warm.
 */
import { OPS } from "../../spec/i386_ops.ts";
import { buildTree } from "./builder.ts";
import { TREES } from "./semantics/index.ts";
import type { Tree } from "./tree.ts";

const known: Map<number, Tree> = new Map();

/** The tree of a row in one shape; the row's `sem` must name a tree. */
export function treeFor(
  rowIndex: number,
  isMem: boolean,
  opSize: 16 | 32,
  addrSize: 16 | 32,
  rep: number,
  stackSize: 16 | 32,
): Tree {
  const bits = (isMem ? 1 : 0) | (opSize >>> 4 & 2) | (addrSize >>> 3 & 4) | (stackSize >>> 2 & 8);
  const key = (rowIndex * 16 + bits) * 256 + rep;
  let tree = known.get(key);
  if (tree === undefined) {
    const row = OPS[rowIndex];
    tree = buildTree({ row, isMem, opSize, addrSize, rep, stackSize }, TREES[row.sem]);
    known.set(key, tree);
  }
  return tree;
}

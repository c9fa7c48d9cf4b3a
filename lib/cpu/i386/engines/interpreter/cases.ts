/**
 * The cases of the interpreter: one per distinct tree over all shapes of 32-bit flat code. Cold; made on first use.
 */
import { OPS } from "../../../../spec/i386_ops.ts";
import { Builder } from "../../builder.ts";
import { TREES } from "../../semantics/index.ts";
import type { Tree } from "../../tree.ts";
import { type Needs, needsOf } from "./needs.ts";
import { FIRST_TREE } from "./record.ts";

/** A case: its number and what it needs. */
export interface Case {
  readonly handler: number;
  readonly needs: Needs;
}

/** Cases by shape key. */
export interface Cases {
  readonly trees: readonly { readonly tree: Tree; readonly opSize: 16 | 32; readonly addrSize: 16 | 32 }[];
  readonly byShape: ReadonlyMap<number, Case>;
}

/** Key of a shape: what decides the tree. */
export function shapeKey(rowIndex: number, isMem: boolean, opSize: number, addrSize: number, rep: number): number {
  const r = rep === 0 ? 0 : rep === 0xf2 ? 1 : 2;
  return (((rowIndex * 2 + (isMem ? 1 : 0)) * 2 + (opSize >> 5)) * 2 + (addrSize >> 5)) * 3 + r;
}

let allCases: Cases | undefined;

/** All cases, made on first use: shapes whose trees are equal share one. */
export function cases(): Cases {
  if (allCases !== undefined) return allCases;
  const trees: { tree: Tree; opSize: 16 | 32; addrSize: 16 | 32 }[] = [];
  const known = new Map<string, Case>();
  const byShape = new Map<number, Case>();
  OPS.forEach((row, index) => {
    const semantic = TREES[row.sem];
    if (semantic === undefined) return;
    const hasModrm = row.operands.some((o) => /^[EMRG]/.test(o)) || row.digit !== undefined;
    const mems = row.mod === "mem" ? [true] : row.mod === "reg" || !hasModrm ? [false] : [false, true];
    for (const isMem of mems) {
      for (const opSize of [32, 16] as const) {
        for (const addrSize of [32, 16] as const) {
          for (const rep of row.rep === undefined ? [0] : [0, 0xf2, 0xf3]) {
            const b = new Builder({ row, isMem, opSize, addrSize, rep, stackSize: 32 });
            semantic(b);
            const tree = b.finish();
            const text = JSON.stringify(tree);
            const usesSize = (text.includes('"jumpRelative"') ? opSize : 0) +
              (text.includes('"k":"offset"') ? addrSize * 64 : 0);
            const key = text + usesSize;
            let one = known.get(key);
            if (one === undefined) {
              one = { handler: FIRST_TREE + trees.length, needs: needsOf(tree) };
              known.set(key, one);
              trees.push({ tree, opSize, addrSize });
            }
            byShape.set(shapeKey(index, isMem, opSize, addrSize, rep), one);
          }
        }
      }
    }
  });
  allCases = { trees, byShape };
  return allCases;
}

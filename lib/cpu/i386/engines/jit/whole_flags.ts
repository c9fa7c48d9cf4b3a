/**
 * Trees whose flags are recorded as a whole, for the switches `steps` and `singleFlags`: what INC, DEC, rotates and bit
 * tests keep of the flags before them is computed and recorded with what they change. Warm; results are kept per tree.
 */
import { FlagsKind } from "../../flags.ts";
import type { Stmt, Tree, ValueType } from "../../tree.ts";
import { isStep, overlayOf } from "./flag_state.ts";

/** Which flags are recorded in part. */
export interface PartialFlags {
  /** Those of INC and DEC. */
  readonly steps: boolean;
  /** Single flags. */
  readonly singleFlags: boolean;
}

const known: readonly WeakMap<Tree, Tree>[] = [new WeakMap(), new WeakMap(), new WeakMap()];

/** The tree with the other flags recorded as a whole. */
export function wholeFlags(tree: Tree, part: PartialFlags): Tree {
  if (part.steps && part.singleFlags) return tree;
  const trees = known[(part.steps ? 1 : 0) + (part.singleFlags ? 2 : 0)];
  let out = trees.get(tree);
  if (out === undefined) {
    const temps: ValueType[] = [...tree.temps];
    out = { body: whole(tree.body, part, temps), temps };
    trees.set(tree, out);
  }
  return out;
}

function whole(body: readonly Stmt[], part: PartialFlags, temps: ValueType[]): Stmt[] {
  return body.flatMap((s): Stmt[] => {
    if (s.s === "if") {
      return [{ ...s, then: whole(s.then, part, temps), otherwise: whole(s.otherwise, part, temps) }];
    }
    if (s.s !== "flags") return [s];
    if (isStep(s) && !part.steps) return [{ ...s, b: { k: "cf" } }];
    if (overlayOf(s) === undefined || part.singleFlags) return [s];
    const id = temps.push("i32") - 1;
    return [{ s: "let", id, e: s.a }, { ...s, kind: FlagsKind.word, a: { k: "temp", t: "i32", id } }];
  });
}

/**
 * Emits the call of a run: iterations of a repeated string instruction at once, ahead of the one that follows. Cold code
 * that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { runNumber } from "../../kernels/string_runs.ts";
import { Layout, SEG_BYTES } from "../../state.ts";
import type { Expr, Stmt } from "../../tree.ts";
import type { Instruction } from "./instruction.ts";
import type { Control, Site } from "./tree_code.ts";

/** What a run needs of the region. */
export interface RunSite {
  /** Addresses and functions. */
  readonly site: Site;
  /** The count. */
  readonly control: Control;
  /** Puts a value on the stack. */
  readonly expr: (e: Expr) => void;
}

/** Emits a run; how many iterations it did goes to a local and is taken from the count. */
export function emitRun(
  f: FunctionBody,
  i: Instruction,
  s: Stmt & { readonly s: "bulk" },
  local: number,
  { site, control, expr }: RunSite,
): void {
  expr(s.source);
  f.i32(site.state + Layout.segs + i.seg * SEG_BYTES);
  expr(s.destination);
  expr(s.left);
  control.spare(i);
  expr(s.value);
  f.i32(s.mask);
  f.call(site.runs.get(runNumber(s)) as number);
  f.set(local);
  control.spend(local);
}

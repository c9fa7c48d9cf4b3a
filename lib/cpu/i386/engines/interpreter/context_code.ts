/**
 * Emits what functions of the interpreter do at their edges: count and lazy flags live in locals inside and in the state
 * block outside. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import type { Locals } from "./locals.ts";
import { Rec } from "./record.ts";

/** Locals that have fields in the state block. */
type Kept = "count" | "kind" | "a" | "b" | "c";

/** The fields. */
const FIELDS: readonly (readonly [number, Kept])[] = [
  [Layout.count, "count"],
  [Layout.flagsKind, "kind"],
  [Layout.flagsA, "a"],
  [Layout.flagsB, "b"],
  [Layout.flagsC, "c"],
];

/** Locals of a function whose parameter is the record. */
export function makeLocals(f: FunctionBody): Locals {
  const local = (): number => f.local("i32");
  return {
    rec: 0,
    count: local(),
    kind: local(),
    a: local(),
    b: local(),
    c: local(),
    eip: local(),
    from: local(),
    place: local(),
    la: local(),
    t: local(),
  }; // deno-fmt-ignore
}

/** Puts a field of the state block on the stack. */
export function getField(f: FunctionBody, state: number, at: number): void {
  f.i32(0);
  f.mem("i32.load", state + at);
}

/** Count and flags from the state block. */
export function reload(f: FunctionBody, l: Locals, state: number): void {
  for (const [at, name] of FIELDS) {
    getField(f, state, at);
    f.set(l[name]);
  }
}

/** Count and flags to the state block. */
export function save(f: FunctionBody, l: Pick<Locals, Kept>, state: number): void {
  for (const [at, name] of FIELDS) {
    f.i32(0);
    f.get(l[name]);
    f.mem("i32.store", state + at);
  }
}

/** State block := EIP of record, count, flags. */
export function saveContext(
  f: FunctionBody,
  l: Pick<Locals, "rec" | Kept>,
  state: number,
): void {
  f.i32(0);
  f.get(l.rec);
  f.mem("i32.load", Rec.offset);
  getField(f, state, Layout.codeBase);
  f.num("i32.add");
  f.mem("i32.store", state + Layout.eip);
  save(f, l, state);
}

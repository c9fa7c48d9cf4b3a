/**
 * A function of the interpreter that executes one rare instruction: (record) -> the record that follows, 0: look up the
 * EIP in the state block, or -1: a fault is recorded. Cold code that makes hot code.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import type { Case } from "./cases.ts";
import { makeLocals, reload, save, saveContext } from "./context_code.ts";
import { type Calls, TreeEmitter } from "./emit.ts";

/** The function of a case. */
export function rareBody(one: Case, state: number, calls: Calls): FunctionBody {
  const f = new FunctionBody(1), l = makeLocals(f);
  reload(f, l, state);
  const fault = f.block(), lookup = f.block(), next = f.block();
  new TreeEmitter(f, l, calls, { next, lookup, fault }, state).emit(one);
  f.end(); // next
  save(f, l, state);
  f.get(l.rec);
  f.return();
  f.end(); // lookup
  save(f, l, state);
  f.i32(0);
  f.get(l.eip);
  f.mem("i32.store", state + Layout.eip);
  f.i32(0);
  f.return();
  f.end(); // fault: registers are those before the instruction
  saveContext(f, l, state);
  f.i32(-1);
  return f;
}

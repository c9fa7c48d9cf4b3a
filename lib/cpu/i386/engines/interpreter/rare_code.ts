/**
 * Functions of the interpreter that execute one instruction each, of those that are rare: (record) -> the record that
 * follows, 0: look up the EIP in the state block, or -1: a fault is recorded. Cold code that makes hot code.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import { cases } from "./cases.ts";
import { makeLocals, reload, save, saveContext } from "./context_code.ts";
import { type Calls, TreeEmitter } from "./emit.ts";
import { RARE_CASES } from "./partition.ts";
import { FIRST_TREE, Rec } from "./record.ts";

/** A function of rare cases. */
export interface RareBody {
  /** The handlers it has, in order. */
  readonly handlers: readonly number[];
  /** The function. */
  readonly body: FunctionBody;
}

/** Distributes rare handlers over functions. */
export function rareBodies(handlers: readonly number[], state: number, calls: Calls): RareBody[] {
  const out: RareBody[] = [];
  for (let from = 0; from < handlers.length; from += RARE_CASES) {
    const some = handlers.slice(from, from + RARE_CASES);
    out.push({ handlers: some, body: rareBody(some, state, calls) });
  }
  return out;
}

function rareBody(handlers: readonly number[], state: number, calls: Calls): FunctionBody {
  const f = new FunctionBody(1), l = makeLocals(f);
  reload(f, l, state);
  const fault = f.block(), lookup = f.block(), next = f.block();
  const e = new TreeEmitter(f, l, calls, { next, lookup, fault }, state);
  const blocks = handlers.map(() => f.block()).reverse();
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.handler);
  const first = handlers[0], last = handlers[handlers.length - 1];
  f.i32(first);
  f.num("i32.sub");
  const labels: number[] = [];
  for (let h = first; h <= last; h++) labels.push(blocks[Math.max(0, handlers.indexOf(h))]);
  f.brTable(labels, blocks[0]);
  for (const h of handlers) {
    f.end();
    e.emit(cases().trees[h - FIRST_TREE]);
  }
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

/** Calls the function that has the record's handler. */
export function rareDispatch(functions: readonly { handlers: readonly number[]; index: number }[]): FunctionBody {
  const f = new FunctionBody(1), rec = 0;
  const blocks = functions.map(() => f.block()).reverse();
  const table: number[] = [];
  functions.forEach(({ handlers }, i) => handlers.forEach((h) => table[h] = blocks[i]));
  f.get(rec);
  f.mem("i32.load16_u", Rec.handler);
  f.brTable(Array.from(table, (label) => label ?? blocks[0]), blocks[0]);
  for (const { index } of functions) {
    f.end();
    f.get(rec);
    f.returnCall(index);
  }
  f.unreachable();
  return f;
}

/**
 * Emits what a record does that reads a soft constant (soft.ts): constant of the following record := memory. Cold code that
 * makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { Locals } from "./locals.ts";
import { Rec, RECORD_BYTES } from "./record.ts";

/** Emits it; the record stays the same. */
export function emitRefresh(f: FunctionBody, l: Locals): void {
  const field = (at: number): void => {
    f.get(l.rec);
    f.mem("i32.load", at);
  };
  field(Rec.imm);
  f.mem("i32.load", 0);
  field(Rec.disp);
  f.num("i32.and");
  field(Rec.link);
  f.num("i32.xor");
  field(Rec.link);
  f.num("i32.sub");
  f.set(l.t);
  // A jump to another target than before does not know its record.
  f.get(l.rec);
  f.mem("i32.load8_u", Rec.scale);
  f.if("unlikely");
  field(Rec.op);
  f.mem("i32.load", 0);
  f.get(l.t);
  f.num("i32.ne");
  f.if();
  f.get(l.rec);
  f.i32(0);
  f.mem("i32.store", RECORD_BYTES + Rec.link);
  f.end();
  f.end();
  field(Rec.op);
  f.get(l.t);
  f.mem("i32.store", 0);
}

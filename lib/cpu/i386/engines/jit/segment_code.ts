/**
 * Emits the address of an access by a segment: none of ES, SS, DS in flat code; FS and GS if they are flat from their base
 * on, else the region is left. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Rights, SegReg } from "../../segment.ts";
import { Layout, Seg, SEG_BYTES } from "../../state.ts";

/** Offset on the stack -> linear address; `leave` emits the way out. */
export function emitSegment(f: FunctionBody, state: number, seg: number, write: boolean, leave: () => void): void {
  if (seg === SegReg.es || seg === SegReg.ss || seg === SegReg.ds) return; // flat by the mode
  const at = state + Layout.segs + seg * SEG_BYTES;
  const rights = Rights.usable | (write ? Rights.write : Rights.read);
  const field = (offset: number): void => {
    f.i32(0);
    f.mem("i32.load", at + offset);
  };
  field(Seg.lo);
  field(Seg.hi);
  f.i32(-1);
  f.num("i32.xor");
  f.num("i32.or");
  field(Seg.rights);
  f.i32(rights);
  f.num("i32.and");
  f.i32(rights);
  f.num("i32.xor");
  f.num("i32.or");
  f.if("unlikely");
  leave();
  f.end();
  field(Seg.base);
  f.num("i32.add");
}

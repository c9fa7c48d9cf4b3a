/**
 * Fixed parts of the interpreter function: finding the record of an EIP, and segmented addresses. Cold code that makes
 * hot code.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { Layout, Seg } from "../../state.ts";
import type { Locals } from "./emit.ts";
import { emitJumpEntry } from "./jump_entry.ts";
import { emitOffset } from "./memory_code.ts";
import { Rec } from "./record.ts";

/** Jump cache inline, then TypeScript. */
export function emitLookup(
  f: FunctionBody,
  l: Locals,
  state: number,
  find: number,
  leave: number,
  reload: () => void,
): void {
  const get = (at: number): void => {
    f.i32(0);
    f.mem("i32.load", state + at);
  };
  const found = f.block();
  emitJumpEntry(f, l.eip, l.t, 0, () => {
    get(Layout.jumpCache);
    f.num("i32.add");
  });
  f.get(l.t);
  f.mem("i32.load", 0);
  f.get(l.eip);
  f.num("i32.eq");
  f.if("likely");
  f.get(l.t);
  f.mem("i32.load", 4);
  f.tee(l.rec);
  f.mem("i32.load16_u", Rec.handler); // 0: dropped, or the empty place of EIP 0
  f.brIf(found, "likely");
  f.end();
  f.i32(0);
  f.get(l.eip);
  f.mem("i32.store", state + Layout.eip);
  f.i32(0);
  f.get(l.count);
  f.mem("i32.store", state + Layout.count);
  for (
    const [at, from] of [[Layout.flagsKind, l.kind], [Layout.flagsA, l.a], [Layout.flagsB, l.b], [Layout.flagsC, l.c]]
  ) {
    f.i32(0);
    f.get(from);
    f.mem("i32.store", state + at);
  }
  f.call(find);
  f.tee(l.rec);
  f.num("i32.eqz");
  f.brIf(leave, "unlikely");
  reload();
  // A hook may have moved EIP: then it is not where the last jump led.
  get(Layout.eip);
  f.get(l.eip);
  f.num("i32.ne");
  f.if("unlikely");
  get(Layout.eip);
  f.set(l.eip);
  f.i32(0);
  f.set(l.from);
  f.end();
  f.end(); // found
  f.i32(0);
  f.get(l.eip);
  f.get(l.rec);
  f.mem("i32.load", Rec.offset);
  f.num("i32.sub");
  f.mem("i32.store", state + Layout.codeBase);
  f.get(l.from);
  f.if();
  f.get(l.from);
  f.get(l.rec);
  f.mem("i32.store", Rec.link);
  f.i32(0);
  f.set(l.from);
  f.end();
}

/**
 * Segmented address of the record that follows, into Layout.ea. `failed` ends the case where a check fails; the address
 * of the segment cache is in `la`.
 */
export function emitAddress(
  f: FunctionBody,
  l: Locals,
  state: number,
  dispatch: number,
  failed: () => void,
): void {
  const field = (at: number): void => {
    f.get(l.la);
    f.mem("i32.load", at);
  };
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.rm);
  f.set(l.la);
  emitOffset(f, l.rec);
  f.get(l.rec);
  f.mem("i32.load", Rec.imm);
  f.num("i32.and");
  f.set(l.t);
  const bad = f.block();
  const good = f.block();
  // Rights.
  field(Seg.rights);
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.reg);
  f.num("i32.and");
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.reg);
  f.num("i32.ne");
  f.brIf(bad, "unlikely");
  // Flat: everything goes, wrapping included.
  field(Seg.lo);
  f.num("i32.eqz");
  field(Seg.hi);
  f.i32(-1);
  f.num("i32.eq");
  f.num("i32.and");
  f.brIf(good, "likely");
  f.get(l.t);
  field(Seg.lo);
  f.num("i32.lt_u");
  f.brIf(bad, "unlikely");
  // hi - offset < size - 1, computed only where offset <= hi.
  f.get(l.t);
  field(Seg.hi);
  f.num("i32.gt_u");
  f.brIf(bad, "unlikely");
  field(Seg.hi);
  f.get(l.t);
  f.num("i32.sub");
  f.get(l.rec);
  f.mem("i32.load8_u", Rec.length);
  f.i32(1);
  f.num("i32.sub");
  f.num("i32.lt_u");
  f.brIf(bad, "unlikely");
  f.end(); // good
  f.i32(0);
  f.get(l.t);
  field(Seg.base);
  f.num("i32.add");
  f.mem("i32.store", state + Layout.ea);
  f.get(l.rec);
  f.i32(32);
  f.num("i32.add");
  f.set(l.rec);
  f.br(dispatch);
  f.end(); // bad
  failed();
}

/** (segment cache, offset, bytes - 1, rights) -> 0 with the linear address in Layout.ea, or 1 after `fail`. */
export function segmentBody(state: number, fail: number): FunctionBody {
  const f = new FunctionBody(4);
  const CACHE = 0, OFFSET = 1, LAST = 2, RIGHTS = 3;
  const field = (at: number): void => {
    f.get(CACHE);
    f.mem("i32.load", at);
  };
  const bad = f.block();
  const good = f.block();
  field(Seg.rights);
  f.get(RIGHTS);
  f.num("i32.and");
  f.get(RIGHTS);
  f.num("i32.ne");
  f.brIf(bad, "unlikely");
  // Flat: everything goes, wrapping included.
  field(Seg.lo);
  f.num("i32.eqz");
  field(Seg.hi);
  f.i32(-1);
  f.num("i32.eq");
  f.num("i32.and");
  f.brIf(good);
  f.get(OFFSET);
  field(Seg.lo);
  f.num("i32.lt_u");
  f.brIf(bad, "unlikely");
  f.get(OFFSET);
  field(Seg.hi);
  f.num("i32.gt_u");
  f.brIf(bad, "unlikely");
  field(Seg.hi);
  f.get(OFFSET);
  f.num("i32.sub");
  f.get(LAST);
  f.num("i32.lt_u");
  f.brIf(bad, "unlikely");
  f.end(); // good
  f.i32(0);
  f.get(OFFSET);
  field(Seg.base);
  f.num("i32.add");
  f.mem("i32.store", state + Layout.ea);
  f.i32(0);
  f.return();
  f.end(); // bad
  f.get(CACHE);
  f.call(fail);
  f.i32(1);
  return f;
}

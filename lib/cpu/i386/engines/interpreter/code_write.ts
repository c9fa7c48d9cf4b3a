/**
 * Functions of the interpreter's module for accesses that are not fast: what is not aligned but lies in one page, and
 * writes to pages with code that no code depends on (code_map.ts). What is left is TypeScript's. Cold code that makes
 * hot code.
 */
import { Flag } from "../../../../spec/i386_regs.ts";
import { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import { MAP_PAGES, MAP_PLACES } from "./code_map.ts";

/** Pushes whether an access of `size` bytes at `linear` lies in one page and may be unaligned, or is not. */
function emitFits(f: FunctionBody, state: number, linear: number, size: number): void {
  f.get(linear);
  f.i32(0xfff);
  f.num("i32.and");
  f.get(size);
  f.num("i32.add");
  f.i32(0x1000);
  f.num("i32.le_u");
  // CR0.AM and EFLAGS.AC are the same bit.
  for (const at of [Layout.eflags, Layout.cr0]) {
    f.i32(0);
    f.mem("i32.load", state + at);
  }
  f.num("i32.and");
  f.i32(Flag.ac);
  f.num("i32.and");
  f.num("i32.eqz");
  f.i32(0);
  f.mem("i32.load", state + Layout.cpl);
  f.i32(3);
  f.num("i32.ne");
  f.num("i32.or");
  f.get(linear);
  f.get(size);
  f.i32(1);
  f.num("i32.sub");
  f.num("i32.and");
  f.num("i32.eqz");
  f.num("i32.or");
  f.num("i32.and");
}

/** Sets local `t` to the entry of `linear` in the table at field `table`, exclusive-or `linear`. */
function emitEntry(f: FunctionBody, state: number, table: number, linear: number, t: number): void {
  f.get(linear);
  f.i32(12);
  f.num("i32.shr_u");
  f.i32(2);
  f.num("i32.shl");
  f.i32(0);
  f.mem("i32.load", state + table);
  f.num("i32.add");
  f.mem("i32.load", 0);
  f.get(linear);
  f.num("i32.xor");
  f.set(t);
}

/** (linear, size) -> host address of a read in one page that the TLB allows, or -1. */
export function quickReadBody(state: number): FunctionBody {
  const f = new FunctionBody(2), linear = 0, size = 1, t = f.local("i32");
  emitEntry(f, state, Layout.tlbRead, linear, t);
  f.get(t);
  f.i32(-1);
  emitFits(f, state, linear, size);
  f.get(t);
  f.i32(0);
  f.num("i32.ge_s");
  f.num("i32.and");
  f.select();
  return f;
}

/**
 * (linear, size) -> host address of a write in one page that concerns nobody; with bit 31 set: code may depend on the
 * bytes there; -1: nothing is known.
 */
export function quickWriteBody(state: number): FunctionBody {
  const f = new FunctionBody(2), linear = 0, size = 1, t = f.local("i32"), at = f.local("i32");
  emitEntry(f, state, Layout.tlbWrite, linear, t);
  emitFits(f, state, linear, size);
  f.num("i32.eqz");
  // An entry that says nothing leaves the linear address but for bit 31.
  f.get(t);
  f.get(linear);
  f.num("i32.xor");
  f.i32(0x7fffffff);
  f.num("i32.and");
  f.num("i32.eqz");
  f.num("i32.or");
  f.if();
  f.i32(-1);
  f.return();
  f.end();
  f.get(t);
  f.i32(0);
  f.num("i32.ge_s");
  f.if();
  f.get(t);
  f.return();
  f.end();
  f.get(t);
  f.i32(0x7fffffff);
  f.num("i32.and");
  f.set(t);
  emitMapped(f, state, t, size, at);
  f.get(t);
  f.i32(0x80000000 | 0);
  f.num("i32.or");
  return f;
}

/** Returns the host address in `t` if the map says that a write there concerns no code, or -1 if it says nothing. */
function emitMapped(f: FunctionBody, state: number, t: number, size: number, at: number): void {
  const map = (): void => {
    f.i32(0);
    f.mem("i32.load", state + Layout.codeMap);
    f.num("i32.add");
    f.set(at);
  };
  const bit = (offset: () => void): void => {
    f.get(at);
    f.mem("i64.load", 8);
    f.get(t);
    offset();
    f.i32(6);
    f.num("i32.shr_u");
    f.num("i64.extend_i32_u"); // the shift takes the low six bits
    f.num("i64.shr_u");
    f.num("i32.wrap_i64");
  };
  f.get(t);
  f.i32(12);
  f.num("i32.shr_u");
  f.i32(MAP_PAGES - 1);
  f.num("i32.and");
  f.i32(4);
  f.num("i32.shl");
  map();
  f.get(at);
  f.mem("i32.load", 0);
  f.get(t);
  f.i32(12);
  f.num("i32.shr_u");
  f.num("i32.ne");
  f.if("unlikely");
  f.i32(-1);
  f.return();
  f.end();
  bit(() => {});
  bit(() => {
    f.get(size);
    f.num("i32.add");
    f.i32(1);
    f.num("i32.sub");
  });
  f.num("i32.or");
  f.i32(1);
  f.num("i32.and");
  f.num("i32.eqz");
  f.if();
  f.get(t);
  f.return();
  f.end();
  f.get(t);
  f.i32(MAP_PLACES - 1);
  f.num("i32.and");
  f.i32(3);
  f.num("i32.shl");
  map();
  f.get(at);
  f.mem("i32.load", MAP_PAGES * 16);
  f.get(t);
  f.num("i32.eq");
  f.get(at);
  f.mem("i32.load", MAP_PAGES * 16 + 4);
  f.get(size);
  f.num("i32.eq");
  f.num("i32.and");
  f.if();
  f.get(t);
  f.return();
  f.end();
}

/** (linear, size, value) -> 0: it is written; or not 0. `quick` is the function of {@linkcode quickWriteBody}. */
export function quickStoreBody(quick: number): FunctionBody {
  const f = new FunctionBody(3), linear = 0, size = 1, value = 2, host = f.local("i32");
  f.get(linear);
  f.get(size);
  f.call(quick);
  f.tee(host);
  f.i32(-1);
  f.num("i32.eq");
  f.if();
  f.i32(-1);
  f.return();
  f.end();
  const free = f.block();
  f.get(host);
  f.i32(0);
  f.num("i32.ge_s");
  f.brIf(free);
  // Code depends on what is there: a write that changes nothing is none.
  f.get(host);
  f.i32(0x7fffffff);
  f.num("i32.and");
  f.set(host);
  emitBySize(f, size, (w) => {
    f.get(host);
    f.mem(w === 1 ? "i32.load8_u" : w === 2 ? "i32.load16_u" : "i32.load", 0);
    f.get(value);
    if (w < 4) {
      f.i32(w === 1 ? 0xff : 0xffff);
      f.num("i32.and");
    }
    f.num("i32.ne");
    f.return();
  });
  f.end(); // free
  emitBySize(f, size, (w) => {
    f.get(host);
    f.get(value);
    f.mem(w === 1 ? "i32.store8" : w === 2 ? "i32.store16" : "i32.store", 0);
    f.i32(0);
    f.return();
  });
  f.i32(-1);
  return f;
}

/** One of three pieces of code, which all return. */
function emitBySize(f: FunctionBody, size: number, one: (bytes: 1 | 2 | 4) => void): void {
  for (const bytes of [4, 1, 2] as const) {
    f.get(size);
    f.i32(bytes);
    f.num("i32.eq");
    f.if();
    one(bytes);
    f.end();
  }
}

/** (linear, size) -> host address of a write, or -1: the interpreter has to do it. For translated code. */
export function regionWriteBody(quick: number, fill: number): FunctionBody {
  const f = new FunctionBody(2), linear = 0, size = 1, host = f.local("i32");
  f.get(linear);
  f.get(size);
  f.call(quick);
  f.tee(host);
  f.i32(0);
  f.num("i32.ge_s");
  f.if();
  f.get(host);
  f.return();
  f.end();
  f.get(host);
  f.i32(-1);
  f.num("i32.ne");
  f.if();
  f.i32(-1);
  f.return();
  f.end();
  f.get(linear);
  f.get(size);
  f.call(fill);
  return f;
}

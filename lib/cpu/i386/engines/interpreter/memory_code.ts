/**
 * Emits memory accesses: the TLB inline, TypeScript for everything unusual. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import type { AccessWidth } from "../../tree.ts";
import type { Calls, Locals } from "./emit.ts";
import { STORES } from "./operators.ts";
import { Rec } from "./record.ts";

/** Alignment bits of an access and the bit of an entry that allows no fast access: 0 in a host address that may be used. */
export function slowBits(w: AccessWidth): number {
  return (0x80000000 | ((w >>> 3) - 1)) | 0;
}

/**
 * Linear address on the stack -> something not 0 on the stack if the access is not fast; the linear address in `la`,
 * the host address in `t`. `table` is the byte address of the TLB table, or puts it on the stack.
 */
export function emitProbe(f: FunctionBody, w: AccessWidth, la: number, t: number, table: number | (() => void)): void {
  f.tee(la);
  f.i32(12);
  f.num("i32.shr_u");
  f.i32(2);
  f.num("i32.shl");
  if (typeof table === "number") f.mem("i32.load", table);
  else {
    table();
    f.num("i32.add");
    f.mem("i32.load", 0);
  }
  f.get(la);
  f.num("i32.xor");
  f.tee(t);
  f.i32(slowBits(w));
  f.num("i32.and");
}

/** Effective offset of the record's memory operand on the stack. */
export function emitOffset(f: FunctionBody, rec: number): void {
  f.get(rec);
  f.mem("i32.load16_u", Rec.base);
  f.mem("i32.load", 0);
  f.get(rec);
  f.mem("i32.load16_u", Rec.index);
  f.mem("i32.load", 0);
  f.get(rec);
  f.mem("i32.load8_u", Rec.scale);
  f.num("i32.shl");
  f.num("i32.add");
  f.get(rec);
  f.mem("i32.load", Rec.disp);
  f.num("i32.add");
}

/** Emits accesses into one function body. */
export class MemoryEmitter {
  readonly #f: FunctionBody;
  readonly #l: Locals;
  readonly #calls: Calls;
  readonly #state: number;

  /** @param f The function. @param locals Its locals. @param calls Slow paths. @param state Address of the state block. */
  constructor(f: FunctionBody, locals: Locals, calls: Calls, state: number) {
    this.#f = f;
    this.#l = locals;
    this.#calls = calls;
    this.#state = state;
  }

  /** Reads the count back after TypeScript ran. */
  reloadCount(): void {
    this.#f.i32(0);
    this.#f.mem("i32.load", this.#state + Layout.count);
    this.#f.set(this.#l.count);
  }

  /** Linear address on the stack -> host address on the stack; leaves by the fault label. */
  translate(w: AccessWidth, table: number, slow: number, fault: number): void {
    const f = this.#f, l = this.#l;
    this.#probe(w, table);
    f.if("unlikely");
    f.get(l.la);
    f.i32(w >>> 3);
    this.#context();
    f.call(slow);
    f.set(l.t);
    this.reloadCount();
    f.get(l.t);
    f.i32(-1);
    f.num("i32.eq");
    f.brIf(fault, "unlikely");
    f.end();
    f.get(l.t);
  }

  #probe(w: AccessWidth, table: number): void {
    const f = this.#f, l = this.#l;
    if (!this.#calls.settings.probes) {
      f.set(l.la);
      f.i32(1);
      return;
    }
    emitProbe(f, w, l.la, l.t, () => {
      f.i32(0);
      f.mem("i32.load", this.#state + table);
    });
  }

  /** Stores local `value` at the linear address on the stack; leaves by the fault label. */
  store(w: AccessWidth, value: number, fault: number): void {
    const f = this.#f, l = this.#l;
    this.#probe(w, Layout.tlbWrite);
    f.if("unlikely");
    f.get(l.la);
    f.i32(w >>> 3);
    f.get(value);
    this.#context();
    f.call(this.#calls.store);
    f.set(l.t);
    this.reloadCount();
    f.get(l.t);
    f.brIf(fault, "unlikely");
    f.else();
    f.get(l.t);
    f.get(value);
    f.mem(STORES[w], 0);
    f.end();
  }

  #context(): void {
    const l = this.#l;
    for (const local of [l.rec, l.count, l.kind, l.a, l.b, l.c]) this.#f.get(local);
  }
}

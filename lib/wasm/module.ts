/**
 * Builds a WebAssembly module: types, imports, functions, exports, code and branch hints. Knows nothing of x86.
 * Sections are laid out once, in {@linkcode ModuleBuilder.bytes}. Sources: WASM-2.0 5.5, WASM branch hinting. Cold.
 */
import type { FunctionBody } from "./body.ts";
import { Sink } from "./sink.ts";
import { FUNCREF, Op, ValType, type ValTypeName } from "./opcodes.ts";

/** Parameter and result types of a function. */
export interface Signature {
  /** Parameters. */
  readonly params: readonly ValTypeName[];
  /** Results. */
  readonly results: readonly ValTypeName[];
}

interface Import {
  readonly module: string;
  readonly name: string;
  readonly type: number;
}

/** A module under construction. All function imports are declared before the first function. */
export class ModuleBuilder {
  #types: string[] = [];
  #signatures: Signature[] = [];
  #imports: Import[] = [];
  #memory: { module: string; name: string; pages: number } | undefined = undefined;
  #tables: { module: string; name: string; size: number }[] = [];
  #elements: { slot: number; index: number }[] = [];
  #functions: { type: number; body: FunctionBody; export: string | undefined }[] = [];
  readonly #hints: boolean;

  /** @param hints Branch hints are part of the module. */
  constructor(hints: boolean = true) {
    this.#hints = hints;
  }

  /** Declares the imported memory with its true, fixed size in 64 KiB pages: V8 then drops checks of constant addresses. */
  importMemory(module: string, name: string, pages: number): void {
    this.#memory = { module, name, pages };
  }

  /** Declares an imported table of functions with its fixed size; returns its index. */
  importTable(module: string, name: string, size: number): number {
    return this.#tables.push({ module, name, size }) - 1;
  }

  /** Puts function `index` into the first imported table when the module is instantiated. */
  addElement(slot: number, index: number): void {
    this.#elements.push({ slot, index });
  }

  /** Declares an imported function; returns its index. */
  importFunction(module: string, name: string, signature: Signature): number {
    this.#imports.push({ module, name, type: this.typeOf(signature) });
    return this.#imports.length - 1;
  }

  /** Adds a function; returns its index. Bodies may be filled until {@linkcode ModuleBuilder.bytes} is called. */
  addFunction(signature: Signature, body: FunctionBody, exportName?: string): number {
    this.#functions.push({ type: this.typeOf(signature), body, export: exportName });
    return this.#imports.length + this.#functions.length - 1;
  }

  /** Index of a signature in the type section. */
  typeOf(signature: Signature): number {
    const key = signature.params.join() + ">" + signature.results.join();
    let at = this.#types.indexOf(key);
    if (at < 0) {
      at = this.#types.push(key) - 1;
      this.#signatures.push(signature);
    }
    return at;
  }

  /** The finished module. */
  bytes(): Uint8Array<ArrayBuffer> {
    const out = new Sink(64 * 1024);
    out.raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    section(out, 1, (s) => this.#typeSection(s));
    section(out, 2, (s) => this.#importSection(s));
    section(out, 3, (s) => {
      s.leb(this.#functions.length);
      for (const f of this.#functions) s.leb(f.type);
    });
    section(out, 7, (s) => this.#exportSection(s));
    if (this.#elements.length > 0) section(out, 9, (s) => this.#elementSection(s));
    const hinted = this.#hints && this.#functions.some((f) => f.body.hints.length > 0);
    if (hinted) section(out, 0, (s) => this.#hintSection(s));
    section(out, 10, (s) => {
      s.leb(this.#functions.length);
      for (const f of this.#functions) {
        const locals = f.body.localsBytes();
        const code = f.body.code.view();
        s.leb(locals.length + code.length + 1);
        s.raw(locals);
        s.raw(code);
        s.u8(0x0b);
      }
    });
    return out.view().slice();
  }

  #typeSection(s: Sink): void {
    s.leb(this.#signatures.length);
    for (const { params, results } of this.#signatures) {
      s.u8(0x60);
      s.leb(params.length);
      for (const t of params) s.u8(ValType[t]);
      s.leb(results.length);
      for (const t of results) s.u8(ValType[t]);
    }
  }

  #importSection(s: Sink): void {
    s.leb(this.#imports.length + (this.#memory === undefined ? 0 : 1) + this.#tables.length);
    for (const i of this.#imports) {
      s.name(i.module);
      s.name(i.name);
      s.u8(0);
      s.leb(i.type);
    }
    if (this.#memory !== undefined) {
      s.name(this.#memory.module);
      s.name(this.#memory.name);
      s.raw([2, 1]);
      s.leb(this.#memory.pages);
      s.leb(this.#memory.pages);
    }
    for (const table of this.#tables) {
      s.name(table.module);
      s.name(table.name);
      s.raw([1, FUNCREF, 1]);
      s.leb(table.size);
      s.leb(table.size);
    }
  }

  #elementSection(s: Sink): void {
    s.leb(this.#elements.length);
    for (const { slot, index } of this.#elements) {
      s.u8(0);
      s.u8(Op.i32Const);
      s.sleb(slot);
      s.u8(Op.end);
      s.leb(1);
      s.leb(index);
    }
  }

  #exportSection(s: Sink): void {
    const exported = this.#functions.map((f, i) => ({ f, i })).filter(({ f }) => f.export !== undefined);
    s.leb(exported.length);
    for (const { f, i } of exported) {
      s.name(f.export ?? "");
      s.u8(0);
      s.leb(this.#imports.length + i);
    }
  }

  #hintSection(s: Sink): void {
    s.name("metadata.code.branch_hint");
    const hinted = this.#functions.map((f, i) => ({ f, i })).filter(({ f }) => f.body.hints.length > 0);
    s.leb(hinted.length);
    for (const { f, i } of hinted) {
      const before = f.body.localsBytes().length;
      s.leb(this.#imports.length + i);
      s.leb(f.body.hints.length / 2);
      for (let h = 0; h < f.body.hints.length; h += 2) {
        s.leb(before + f.body.hints[h]);
        s.leb(1);
        s.u8(f.body.hints[h + 1]);
      }
    }
  }
}

function section(out: Sink, id: number, fill: (s: Sink) => void): void {
  const s = new Sink();
  fill(s);
  out.u8(id);
  out.leb(s.length);
  out.raw(s.view());
}

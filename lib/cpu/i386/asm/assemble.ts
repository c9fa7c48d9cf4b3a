/**
 * A small assembler that speaks nasm's language: labels (local ones with a dot), DB DW DD DQ, EQU, ORG, ALIGN, TIMES,
 * RESB, BITS, expressions, every instruction of the opcode table, jumps as short as they can be.
 *
 * Idea: lines are parsed once; passes encode all of them until no size changes. Jumps start short, and what grew once
 * stays long, so the passes end.
 * Not emulated: macros and other `%` directives, sections, structures, floating-point constants. Cold.
 */
import { ConfigError, InternalError } from "../../../core/errors.ts";
import { littleEndian } from "./address.ts";
import { encodeInstruction } from "./encode.ts";
import { evaluate, type Expression, type Scope, unknownName, type Value } from "./expression.ts";
import { asmError, type SourceLine } from "./lexer.ts";
import { type Action, parseLine, type ParseState, type Statement } from "./statement.ts";

/** Options of {@linkcode assemble}. */
export interface AssembleOptions {
  /** Address of the first byte; default 0; `org` in the source goes before. */
  readonly origin?: number;
  /** Code size at the start; default 32. */
  readonly bits?: 16 | 32;
}

/** Where a source line went. */
export interface AssembledLine {
  /** Line number, from 1. */
  readonly line: number;
  /** Address of its first byte. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
}

/** Assembled code. */
export interface Assembly {
  /** The bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Address of the first byte. */
  readonly origin: number;
  /** Addresses and constants by name; a local label has its full name, `start.loop`. */
  readonly labels: ReadonlyMap<string, number>;
  /** Lines that made bytes. */
  readonly lines: readonly AssembledLine[];
  /** Code size at the start. */
  readonly bits: 16 | 32;
}

const MOST_PASSES = 64;
const MOST_BYTES = 1 << 26;

/**
 * Assembles source text.
 *
 * @throws {ConfigError} asm-syntax, asm-mnemonic, asm-operands, asm-size, asm-range, asm-symbol, asm-label: with line,
 * column and the line itself; asm-passes.
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembly {
  const bits = options.bits ?? 32;
  const state: ParseState = { bits, global: "" };
  const statements = source.split("\n").map((text, i) =>
    parseLine({ line: i + 1, text: text.replace(/\r$/, "") }, state)
  );
  checkLabels(statements);
  const run = new Passes(statements, options.origin ?? 0);
  return run.finish(bits);
}

function checkLabels(statements: readonly Statement[]): void {
  const seen = new Map<string, number>();
  for (const { at, label, action } of statements) {
    const name = action?.k === "equ" ? action.name : label;
    if (name === "") continue;
    const before = seen.get(name);
    if (before !== undefined) throw asmError("asm-label", at, 1, `"${name}" is already defined in line ${before}`);
    seen.set(name, at.line);
  }
}

/** The passes over one source. */
class Passes implements Scope {
  here = 0;
  start: number;
  readonly #statements: readonly Statement[];
  readonly #sizes: Int32Array;
  readonly #wide: Uint8Array;
  #symbols: Map<string, Value> = new Map();
  #out: number[] = [];
  #changed = true;
  #last = false;

  constructor(statements: readonly Statement[], origin: number) {
    this.#statements = statements;
    this.#sizes = new Int32Array(statements.length).fill(-1);
    this.#wide = new Uint8Array(statements.length);
    this.start = origin;
  }

  lookup(name: string): Value | undefined {
    return this.#symbols.get(name);
  }

  finish(bits: 16 | 32): Assembly {
    for (let pass = 0; this.#changed; pass++) {
      if (pass === MOST_PASSES) {
        throw new ConfigError(
          "asm-passes",
          "Addresses and names depend on each other without end; look for EQU in a circle",
        );
      }
      this.#pass();
    }
    this.#last = true;
    const lines = this.#pass();
    if (this.#changed) throw new InternalError("The assembler's last pass differs from the one before");
    const labels = new Map<string, number>();
    for (const [name, { v }] of this.#symbols) labels.set(name, Number(v));
    return { bytes: Uint8Array.from(this.#out), origin: this.start, labels, lines, bits };
  }

  #pass(): AssembledLine[] {
    const lines: AssembledLine[] = [];
    this.#out = [];
    this.#changed = false;
    this.here = this.start;
    this.#statements.forEach(({ at, label, action }, i) => {
      if (label !== "") this.#define(label, { v: BigInt(this.here), labels: 1, known: true });
      if (action === undefined) return;
      const before = this.#out.length, address = this.here;
      this.#emit(action, at, i);
      const size = this.#out.length - before;
      if (size !== this.#sizes[i]) {
        if (this.#sizes[i] >= 0 && size > this.#sizes[i]) this.#wide[i] = 1;
        this.#sizes[i] = size;
        this.#changed = true;
      }
      if (size > 0) lines.push({ line: at.line, address, length: size });
      this.here = this.start + this.#out.length;
    });
    return lines;
  }

  #define(name: string, value: Value): void {
    const before = this.#symbols.get(name);
    if (before === undefined || before.v !== value.v || before.known !== value.known) this.#changed = true;
    this.#symbols.set(name, value);
  }

  #value(e: Expression, at: SourceLine): Value {
    const value = evaluate(e, this, at);
    if (!value.known && this.#last) this.#unknown(e, at);
    return value;
  }

  #unknown(e: Expression, at: SourceLine): never {
    const name = unknownName(e, this);
    throw asmError("asm-symbol", at, name?.column ?? 1, `"${name?.name ?? ""}" is not defined`);
  }

  #emit(a: Action, at: SourceLine, i: number): void {
    switch (a.k) {
      case "instruction":
        return this.#emitInstruction(a, at, i);
      case "data":
        return this.#emitData(a, at);
      case "reserve":
        return this.#fill(this.#count(a.count, at) * a.size, 0, at);
      case "align":
        return this.#emitAlign(a, at);
      case "times": {
        const n = this.#count(a.count, at);
        for (let k = 0; k < n; k++) {
          this.#emit(a.action, at, i);
          this.here = this.start + this.#out.length;
          if (this.#out.length > MOST_BYTES) throw asmError("asm-range", at, 1, "More than 64 MiB of output");
        }
        return;
      }
      case "equ":
        return this.#define(a.name, this.#value(a.e, at));
      case "org":
        this.#emitOrg(this.#value(a.e, at), at);
    }
  }

  #emitInstruction(a: Action & { readonly k: "instruction" }, at: SourceLine, i: number): void {
    if (this.#last) {
      for (const o of a.one.operands) {
        const parts = o.kind === "immediate" ? [o.e, o.offset] : o.kind === "memory" ? [o.displacement] : [];
        for (const e of parts) if (e !== undefined) this.#value(e, at);
      }
    }
    const wide = this.#wide[i] !== 0;
    for (const b of encodeInstruction(a.one, { at, bits: a.bits, scope: this, wide })) this.#out.push(b);
  }

  #emitData(a: Action & { readonly k: "data" }, at: SourceLine): void {
    for (const item of a.items) {
      if (item.k === "str") {
        const bytes = new TextEncoder().encode(item.text);
        for (const b of bytes) this.#out.push(b);
        for (let n = bytes.length; n % a.size !== 0; n++) this.#out.push(0);
        continue;
      }
      const { v, known } = this.#value(item, at);
      const bits = BigInt(8 * a.size);
      if (known && (v < -(1n << (bits - 1n)) || v >= 1n << bits)) {
        throw asmError("asm-range", at, 1, `Value ${v} does not fit ${bits} bits`);
      }
      this.#out.push(...littleEndian(v, a.size));
    }
  }

  #emitAlign(a: Action & { readonly k: "align" }, at: SourceLine): void {
    const to = this.#count(a.to, at);
    if (to === 0 || (to & (to - 1)) !== 0) throw asmError("asm-range", at, 1, "ALIGN needs a power of two");
    const fill = a.fill !== undefined ? Number(this.#value(a.fill, at).v & 0xffn) : a.nops ? 0x90 : 0;
    this.#fill((to - (this.#out.length % to)) % to, fill, at);
  }

  #emitOrg(value: Value, at: SourceLine): void {
    if (this.#out.length !== 0) throw asmError("asm-syntax", at, 1, "ORG stands before the first byte");
    const start = Number(value.v);
    if (start !== this.start) this.#changed = true;
    this.start = start;
  }

  #count(e: Expression, at: SourceLine): number {
    const { v, known } = this.#value(e, at);
    if (!known || v < 0n && !this.#last) return 0;
    if (v < 0n || v > BigInt(MOST_BYTES)) throw asmError("asm-range", at, 1, `${v} is no count of bytes`);
    return Number(v);
  }

  #fill(count: number, byte: number, at: SourceLine): void {
    if (this.#out.length + count > MOST_BYTES) throw asmError("asm-range", at, 1, "More than 64 MiB of output");
    for (let i = 0; i < count; i++) this.#out.push(byte);
  }
}

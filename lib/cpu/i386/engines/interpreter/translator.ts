/**
 * What the interpreter asks of a translator of hot code, and what it lends to one. The interpreter puts a counter record
 * before every block it decodes; a counter used up is offered, and may be turned into a record that calls the
 * translation. Cold contract.
 */
import type { OpcodeIndex } from "../../opcode_index.ts";
import type { StringRuns } from "../../kernels/string_runs.ts";
import type { CodeCache } from "./code_cache.ts";
import type { Lowerer } from "./lower.ts";
import type { VolatileCode } from "./volatile.ts";

/** Parts of the interpreter a translator works with. */
export interface TranslatorHost {
  /** Predecoded code. */
  readonly cache: CodeCache;
  /** List of TypeScript instructions. */
  readonly lowerer: Lowerer;
  /** Opcodes of the model. */
  readonly index: OpcodeIndex;
  /** Bytes of code that are written over and over. */
  readonly volatile: VolatileCode;
  /**
   * Gives the function for a write of translated code that is not fast: (linear, bytes) -> host address, or -1: the
   * interpreter has to do it.
   */
  readonly write: () => (linear: number, size: number) => number;
  /** Runs of string instructions as imports of a module. */
  readonly runs: StringRuns;
  /** Byte address of the jump cache for supervisor or user code. */
  jumpCache(user: boolean): number;
  /** Key of the mode in which the CPU decodes now, as in {@linkcode CodeCache.page}. */
  decodeKey(): number;
  /** The record at which the block at `offset` of a page is entered if there is one, else 0. */
  known(pfn: number, offset: number): number;
  /** The same, decoding it if need be; 0: there is no room. */
  entry(pfn: number, offset: number): number;
  /** Runs TypeScript instruction `index` at `Layout.eip`: 0 go on, 1 look EIP up, 2 a fault is recorded. */
  call(index: number): number;
  /** Everything is forgotten before the next instruction is run. */
  forgetSoon(): void;
}

/** Translates hot code. */
export interface Translator {
  /** Regions by slot. */
  readonly table: WebAssembly.Table;
  /** Size of the table. */
  readonly tableSize: number;
  /** Instructions after which the run loop is seen again while there is translated code. */
  readonly longestStay: number;
  /** True if code of this mode is counted and offered. */
  accepts(mode: number): boolean;
  /** Executions after which a block of page `pfn` is offered. */
  threshold(pfn: number): number;
  /** The block behind counter `record` is hot: it gets another count, or becomes a call of its region. */
  hot(record: number): void;
  /**
   * Bytes `from` to `to` (exclusive) of page `pfn` were written, where there may be code.
   * @returns True if translations were dropped.
   */
  dropped(pfn: number, from: number, to: number): boolean;
  /** Fills the TLB for a write: host address, or -1: the interpreter has to do it. */
  fill(linear: number, size: number): number;
  /** Linear addresses may mean other pages now; if not `all`, only those of pages that are not global. */
  translationsChanged(all: boolean): void;
  /** All code was dropped. */
  forget(): void;
}

/** Makes the translator of one CPU. */
export type TranslatorMaker = (host: TranslatorHost) => Translator;

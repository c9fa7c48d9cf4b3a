/**
 * What the CPU's run loop asks of an engine. The reference engine and the WebAssembly interpreter implement it. Cold
 * contract.
 */
import type { I386Cpu } from "./cpu.ts";

/** Executes instructions. */
export interface Engine {
  /**
   * Executes until `Layout.count` is 0 or below, counting one per attempt. True: a guest fault is recorded in the state
   * (EIP is that of the faulting instruction); the caller delivers it.
   */
  run(): boolean;
  /**
   * Translations were dropped: nothing may be assumed of linear addresses; if not `all`, only of those whose page is
   * not global (`LinearAccess.isLocalFetch`).
   */
  translationsChanged(all: boolean): void;
  /** Mode bits or privilege changed. */
  modeChanged(): void;
  /** Registers were changed from outside. */
  stateChanged(): void;
  /** Bytes of a page with code were written. */
  codeWritten(pfn: number, from: number, to: number): void;
  /**
   * Enters the handler of the fault that is recorded, if that takes its usual course; the state is the handler's then. False
   * or absent: nothing is done.
   */
  enterFault?(): boolean;
  /** Forgets all translated code. */
  forget(): void;
  /**
   * True: it asks `cpu.points.before` itself before each instruction that has hooks or breakpoints. Otherwise the run
   * loop steps one instruction at a time while there are any.
   */
  readonly seesHooks?: boolean;
  /** Hooks or breakpoints were added or removed. */
  hooksChanged?(): void;
}

/** Makes engines of one kind. */
export interface EngineFactory {
  /** For example `interpreter`. */
  readonly name: string;
  /** Bytes of working memory after the TLB, a multiple of 64 KiB. */
  readonly workBytes: number;
  /** Makes the engine of one CPU. */
  create(cpu: I386Cpu): Engine;
}

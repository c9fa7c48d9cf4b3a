/**
 * The kernels as one WebAssembly module for a memory size and state address, compiled once, and its instance in a table
 * of functions for a CPU. Cold.
 */
import { FunctionBody } from "../../../wasm/body.ts";
import { ModuleBuilder, type Signature } from "../../../wasm/module.ts";
import { Code } from "./code.ts";
import { KERNELS } from "./index.ts";

/** Signature of a kernel: `(reg, src, imm) -> i32`. */
export const KERNEL_SIGNATURE: Signature = { params: ["i32", "i32", "i32"], results: ["i32"] };

/** A kernel as a function. */
export type KernelFunction = (reg: number, src: number, imm: number) => number;

const compiled: Map<string, WebAssembly.Module> = new Map();

/** Bytes of the module; it exports kernel n as `kn`. */
export function buildKernels(memoryPages: number, state: number): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", memoryPages);
  KERNELS.forEach((kernel, n) => {
    const f = new FunctionBody(3);
    const k = new Code(f, state);
    kernel.body(k);
    k.finish();
    m.addFunction(KERNEL_SIGNATURE, f, `k${n}`);
  });
  return m.bytes();
}

/** The kernels of one CPU: function n is kernel n. `state` is the byte address of the CPU's state block. */
export function kernelFunctions(memory: WebAssembly.Memory, state: number): readonly KernelFunction[] {
  const pages = memory.buffer.byteLength >>> 16, key = `${pages}:${state}`;
  let module = compiled.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(buildKernels(pages, state));
    compiled.set(key, module);
  }
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return KERNELS.map((_, n) => exports[`k${n}`] as KernelFunction);
}

/** The kernels of one CPU as a table for `call_indirect`; they are made when the first one is needed. */
export class KernelTable {
  /** Function n is kernel n, once filled. */
  readonly table: WebAssembly.Table;
  readonly #memory: WebAssembly.Memory;
  readonly #state: number;
  #isFilled = false;

  /** @param memory The machine's memory. @param state Byte address of the CPU's state block. */
  constructor(memory: WebAssembly.Memory, state: number) {
    this.table = new WebAssembly.Table({ element: "anyfunc", initial: KERNELS.length, maximum: KERNELS.length });
    this.#memory = memory;
    this.#state = state;
  }

  /** Makes the kernels unless they are there. */
  fill(): void {
    if (this.#isFilled) return;
    this.#isFilled = true;
    kernelFunctions(this.#memory, this.#state).forEach((f, n) => this.table.set(n, f));
  }
}

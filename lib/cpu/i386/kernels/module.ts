/**
 * Kernels as WebAssembly functions of one CPU. Each kernel is a module of its own, made when it is first needed: a guest
 * uses few of them. Compiled modules are kept for CPUs with the same memory size and state address. Cold.
 */
import { FunctionBody } from "../../../wasm/body.ts";
import { ModuleBuilder } from "../../../wasm/module.ts";
import { Code, SLOW } from "./code.ts";
import { kernels, MOST_KERNELS } from "./index.ts";
import { KERNEL_SIGNATURE, type KernelFunction } from "./kernel.ts";
import { SYSTEM_KERNELS } from "./system/index.ts";
import { systemKernels } from "./system/module.ts";

const sizes: number[] = [];

/** Bytes of the body of kernel `n`, as far as they matter for emitting it in place; infinite if that cannot be done. */
export function kernelSize(n: number): number {
  return sizes[n] ??= kernels()[n].answers === true ? Infinity : buildKernel(n, 1, 0).length;
}

const compiled: Map<string, WebAssembly.Module> = new Map();

/** Bytes of the module of kernel `n`; it exports `kernel`. */
export function buildKernel(n: number, memoryPages: number, state: number): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", memoryPages);
  const f = new FunctionBody(3);
  const slow = f.block();
  const k = new Code(f, state, { reg: () => f.get(0), src: () => f.get(1), imm: () => f.get(2), slow });
  kernels()[n].body(k);
  f.i32(0);
  f.return();
  f.end();
  f.i32(SLOW);
  m.addFunction(KERNEL_SIGNATURE, f, "kernel");
  return m.bytes();
}

/** Elements of a table of kernels: those of x87, MMX and SSE, then the system kernels. */
export const KERNEL_COUNT: number = MOST_KERNELS + SYSTEM_KERNELS.length;

/** The kernels of one CPU, as functions and as a table for `call_indirect`. */
export class KernelTable {
  /** Element n is kernel n, once it was asked for. */
  readonly table: WebAssembly.Table;
  readonly #functions: (KernelFunction | undefined)[] = new Array(MOST_KERNELS).fill(undefined);
  #system: readonly KernelFunction[] | undefined = undefined;
  readonly #memory: WebAssembly.Memory;
  readonly #state: number;

  /** @param memory The machine's memory. @param state Byte address of the CPU's state block. */
  constructor(memory: WebAssembly.Memory, state: number) {
    this.table = new WebAssembly.Table({ element: "anyfunc", initial: KERNEL_COUNT, maximum: KERNEL_COUNT });
    this.#memory = memory;
    this.#state = state;
  }

  /** Kernel `n`; from now on it stands in the table. */
  get(n: number): KernelFunction {
    const known = this.#functions[n];
    if (known !== undefined) return known;
    const pages = this.#memory.buffer.byteLength >>> 16, key = `${n}:${pages}:${this.#state}`;
    let module = compiled.get(key);
    if (module === undefined) {
      module = new WebAssembly.Module(buildKernel(n, pages, this.#state));
      compiled.set(key, module);
    }
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    const made = exports.kernel as KernelFunction;
    this.#functions[n] = made;
    this.table.set(n, made);
    return made;
  }

  /** True once a system kernel was asked for. */
  get hasSystem(): boolean {
    return this.#system !== undefined;
  }

  /** System kernel `n`; from now on all of them stand in the table, behind the other kernels. */
  system(n: number): KernelFunction {
    if (this.#system === undefined) {
      this.#system = systemKernels(this.#memory, this.#state);
      this.#system.forEach((made, i) => this.table.set(MOST_KERNELS + i, made));
    }
    return this.#system[n];
  }
}

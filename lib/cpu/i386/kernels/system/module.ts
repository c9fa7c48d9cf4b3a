/**
 * System kernels as one WebAssembly module, made when the first of them is needed. The compiled module is kept for CPUs with
 * the same memory size and state address. Cold.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { ModuleBuilder } from "../../../../wasm/module.ts";
import { flagsBody } from "../../engines/interpreter/flags_code.ts";
import { Layout } from "../../state.ts";
import { Code, SLOW } from "../code.ts";
import { KERNEL_SIGNATURE, type KernelFunction } from "../kernel.ts";
import { SYSTEM_KERNELS } from "./index.ts";
import type { SystemKernel } from "./kernel.ts";

const compiled: Map<string, WebAssembly.Module> = new Map();

/** The system kernels of a CPU by number. */
export function systemKernels(memory: WebAssembly.Memory, state: number): KernelFunction[] {
  const pages = memory.buffer.byteLength >>> 16, key = `${pages}:${state}`;
  let module = compiled.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(buildSystemKernels(pages, state));
    compiled.set(key, module);
  }
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return SYSTEM_KERNELS.map((_, n) => exports[`s${n}`] as KernelFunction);
}

/** Bytes of the module; kernel n is exported as `sn`. */
export function buildSystemKernels(memoryPages: number, state: number): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory("env", "memory", memoryPages);
  const four = { params: ["i32", "i32", "i32", "i32"], results: ["i32"] } as const;
  const flags = m.addFunction(four, flagsBody());
  SYSTEM_KERNELS.forEach((kernel, n) => m.addFunction(KERNEL_SIGNATURE, bodyOf(kernel, state, flags), `s${n}`));
  return m.bytes();
}

function bodyOf({ body }: SystemKernel, state: number, flags: number): FunctionBody {
  const f = new FunctionBody(3);
  const slow = f.block();
  const k = new Code(f, state, { reg: () => f.get(0), src: () => f.get(1), imm: () => f.get(2), slow });
  const fields = [Layout.flagsKind, Layout.flagsA, Layout.flagsB, Layout.flagsC].map((at) => k.field(at));
  body(k, {
    arithmetic: () => {
      for (const field of fields) field();
      f.call(flags);
    },
  });
  f.return();
  f.end();
  f.i32(SLOW);
  return f;
}

/**
 * Emits calls of instructions that are not translated: the system kernel if there is one, and TypeScript where that refuses
 * or there is none. Everything is in the state block by then. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { Instruction } from "./instruction.ts";
import type { RegisterEmitter } from "./registers.ts";

/** What calls need of the module. */
export interface CallSite {
  /** Function (index) -> 0, 1, 2: runs a TypeScript instruction. */
  readonly call: number;
  /** Imported system kernels by number. */
  readonly system: ReadonlyMap<number, number>;
}

/** Executes an instruction; local `answer` becomes 0: go on, 1: look EIP up, 2: a fault is recorded. */
export function emitCall(
  f: FunctionBody,
  i: Instruction,
  site: CallSite,
  registers: RegisterEmitter,
  answer: number,
): void {
  const typescript = (): void => {
    f.i32(i.call);
    f.call(site.call);
    f.set(answer);
  };
  const kernel = i.system === undefined ? undefined : site.system.get(i.system.number);
  if (i.system === undefined || kernel === undefined) return typescript();
  f.i32(i.system.a);
  f.i32(i.system.b);
  registers.address(i);
  f.call(kernel);
  f.tee(answer);
  f.i32(0);
  f.num("i32.lt_s");
  f.if("unlikely");
  typescript();
  f.end();
}

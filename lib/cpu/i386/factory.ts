/**
 * `i386(...)`: what a script writes to choose the CPU of its machine. Cold.
 */
import type { Cpu } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import type { CpuBoard, CpuFactory } from "../../memory/board.ts";
import { I386Cpu } from "./cpu.ts";
import type { EngineFactory } from "./engine.ts";
import { interpreterWith } from "./engines/interpreter/engine.ts";
import type { InterpreterOptions } from "./engines/interpreter/options.ts";
import { jit } from "./engines/jit/engine.ts";
import type { JitOptions } from "./engines/jit/options.ts";
import { reference } from "./engines/reference.ts";
import type { Model, ModelName } from "./model.ts";
import { MODELS } from "./models.ts";
import { TLB_BYTES } from "./tlb.ts";

/** Engines by name. */
const ENGINES: Readonly<Record<string, (options: I386Options) => EngineFactory>> = {
  interpreter: (options) => interpreterWith(options.interpreter),
  jit: (options) => jit(options.jit),
  reference: () => reference,
};

/** Name of an engine. */
export type EngineName = "interpreter" | "jit" | "reference";

/** Which engine CPUs have for which none is named; a run of tests may choose another one for all that it makes. */
export const usual: { engine: EngineName } = { engine: "jit" };

/** Options of {@linkcode i386}. */
export interface I386Options {
  /** Which processor; default `pentium4`. */
  readonly model?: ModelName | Model;
  /** Who executes; default `jit`. Results are the same with every engine. */
  readonly engine?: EngineName;
  /** Switches and sizes of the JIT; used with `engine: "jit"` only. */
  readonly jit?: JitOptions;
  /** Switches of the interpreter; used with `engine: "interpreter"` only, the JIT has them among its own. */
  readonly interpreter?: InterpreterOptions;
}

/**
 * An i386 processor for `machine({ cpu })`.
 *
 * @throws {ConfigError} cpu-model, cpu-engine: no such model or engine.
 */
export function i386(options: I386Options = {}): CpuFactory {
  const model = typeof options.model === "object" ? options.model : MODELS[options.model ?? "pentium4"];
  if (model === undefined) {
    throw new ConfigError("cpu-model", `No CPU model "${options.model}"; there are ${Object.keys(MODELS).join(", ")}`);
  }
  const make = ENGINES[options.engine ?? usual.engine];
  if (make === undefined) {
    throw new ConfigError("cpu-engine", `No engine "${options.engine}"; there are ${Object.keys(ENGINES).join(", ")}`);
  }
  const engine = make(options);
  return {
    architecture: "i386",
    workBytes: TLB_BYTES + engine.workBytes,
    create: (name: string, board: CpuBoard): Cpu => new I386Cpu(name, board, model, engine),
  };
}

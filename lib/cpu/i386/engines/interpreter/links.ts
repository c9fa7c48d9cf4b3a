/**
 * The modules of one CPU's interpreter, put together: the main one at once, the loop for code that is not flat and 32-bit
 * when the first such instruction is decoded, a rare case's function likewise. They meet in a table: the other loop is its
 * first element, each rare function stands at the number of its case. Warm: one test for each decoded instruction.
 */
import type { StringRuns } from "../../kernels/string_runs.ts";
import type { Case } from "./cases.ts";
import { MOST_HANDLERS } from "./partition.ts";
import {
  type Compiled,
  mainModule,
  OTHER_LOOP,
  otherModule,
  type ProgramImports,
  type ProgramPlace,
  rareModule,
} from "./program.ts";

/** What else the modules import. */
export interface ProgramParts {
  /** The memory. */
  readonly memory: WebAssembly.Memory;
  /** Regions, where there is a translator. */
  readonly regions: WebAssembly.Table | undefined;
  /** Kernels. */
  readonly kernels: WebAssembly.Table;
  /** Runs of string instructions. */
  readonly runs: StringRuns;
}

/** The interpreter's code of one CPU. */
export class Program {
  /** Runs until the slice ends (0) or a fault is recorded (1). */
  readonly run: () => number;
  /** A write of translated code that is not fast; only there with a translator. */
  readonly write: (linear: number, size: number) => number;
  readonly #place: ProgramPlace;
  readonly #env: Record<string, WebAssembly.ImportValue>;
  readonly #runs: StringRuns;
  readonly #rare: WebAssembly.Table;
  readonly #linked: Uint8Array = new Uint8Array(MOST_HANDLERS);

  /** @param place What it is made for. @param parts Tables and memory. @param functions Those in TypeScript. */
  constructor(place: ProgramPlace, parts: ProgramParts, functions: ProgramImports) {
    const { memory, regions, kernels, runs } = parts;
    this.#place = place;
    this.#runs = runs;
    this.#rare = new WebAssembly.Table({ element: "anyfunc", initial: MOST_HANDLERS, maximum: MOST_HANDLERS });
    this.#env = { ...functions, memory, kernels, rare: this.#rare };
    if (regions !== undefined) this.#env.regions = regions;
    const { exports } = new WebAssembly.Instance(mainModule(place).module, { env: this.#env });
    Object.assign(this.#env, exports);
    this.run = exports.run as () => number;
    this.write = exports.write as Program["write"];
  }

  /** Sees to it that a case can be executed. */
  link(one: Case): void {
    if (one.kind === "flat") return;
    const slot = one.kind === "other" ? OTHER_LOOP : one.handler;
    if (this.#linked[slot] !== 0) return;
    this.#linked[slot] = 1;
    const made = one.kind === "other" ? otherModule(this.#place) : rareModule(one, this.#place);
    this.#rare.set(slot, this.#instance(made).exports.loop as CallableFunction);
  }

  #instance({ module, runs }: Compiled): WebAssembly.Instance {
    for (const n of runs) this.#env[`run${n}`] ??= this.#runs.get(n);
    return new WebAssembly.Instance(module, { env: this.#env });
  }
}

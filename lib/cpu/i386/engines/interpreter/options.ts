/**
 * Options of the interpreter: a switch for each optimisation. The JIT has them too, for the cold code that it interprets.
 * Results never depend on them. What has no switch is no optimisation but the way the engine works: predecoded records,
 * lazy flags in the state block (all engines leave them there, and a snapshot may be taken anywhere), functions that are made
 * when code first needs them (partition.ts), and the TLB, which a guest can tell from none by the translations it forgets
 * to drop. Cold.
 */

import { ConfigError } from "../../../../core/errors.ts";

/** Options of the interpreter. */
export interface InterpreterOptions {
  /** Instructions in flat segments have cases of their own, without checks of segments. */
  readonly flatCases?: boolean;
  /** What code lies at an EIP is remembered where jumps are executed. */
  readonly jumpCache?: boolean;
  /** Jumps to global pages stay remembered when CR3 is written. */
  readonly globalJumps?: boolean;
  /** Jumps inside a page remember the record they lead to. */
  readonly recordLinks?: boolean;
  /** Instructions that were written over are decoded again in place. */
  readonly patch?: boolean;
  /** Constants inside instructions that are written over and over are read from memory each time. */
  readonly soft?: boolean;
  /** Code that comes back as it was is not decoded again. */
  readonly revive?: boolean;
  /** Writes beside code, in a page that has some, and those that change nothing are done where they are met. */
  readonly besideCode?: boolean;
  /** Repeated string instructions are done many iterations at once. */
  readonly bulk?: boolean;
  /** Frequent x87, MMX and SSE instructions are WebAssembly functions rather than TypeScript. */
  readonly kernels?: boolean;
  /**
   * The usual course of system instructions is WebAssembly, and translated code goes on behind those that change nothing
   * else.
   */
  readonly system?: boolean;
  /** Memory accesses look at the TLB where they are, without a call. */
  readonly probes?: boolean;
  /** Operands for which an instruction is easy are done the easy way: a division without a high half by 32 bits. */
  readonly shortcuts?: boolean;
  /** V8 is told which branches are rarely taken. */
  readonly branchHints?: boolean;
}

/** All options with their values. */
export type InterpreterSettings = Required<InterpreterOptions>;

/** Everything is on. */
const ON: InterpreterSettings = {
  flatCases: true,
  jumpCache: true,
  globalJumps: true,
  recordLinks: true,
  patch: true,
  soft: true,
  revive: true,
  besideCode: true,
  bulk: true,
  kernels: true,
  system: true,
  probes: true,
  shortcuts: true,
  branchHints: true,
};

/** Fills in the defaults. @throws {ConfigError} config-key, config-value */
export function interpreterSettings(options: InterpreterOptions = {}): InterpreterSettings {
  return withDefaults("interpreter", options, ON);
}

/** Options over defaults, of the kinds that those have. @throws {ConfigError} config-key, config-value */
export function withDefaults<T extends object>(engine: string, options: Partial<T>, defaults: T): T {
  const kinds = new Map<string, string>(Object.entries(defaults).map(([name, value]) => [name, typeof value]));
  for (const [name, value] of Object.entries(options)) {
    const kind = kinds.get(name);
    if (kind === undefined) {
      throw new ConfigError(
        "config-key",
        `No option "${name}" of the ${engine} engine; there are ${[...kinds.keys()].join(", ")}`,
      );
    }
    if (kind !== "undefined" && typeof value !== kind) {
      throw new ConfigError("config-value", `Option "${name}" of the ${engine} engine is a ${kind}, not ${value}`);
    }
  }
  return { ...defaults, ...options };
}

/** Switches that change the generated module. */
export type ProgramSettings = Pick<
  InterpreterSettings,
  "recordLinks" | "bulk" | "probes" | "shortcuts" | "branchHints"
>;

/** The same for all settings that give the same module. */
export function settingsKey({ recordLinks, bulk, probes, shortcuts, branchHints }: ProgramSettings): string {
  return [recordLinks, bulk, probes, shortcuts, branchHints].map(Number).join("");
}

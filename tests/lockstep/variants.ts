/** Settings of the JIT that are compared with the interpreter: all on, all off, each switch off, small sizes. Cold. */
import { type JitOptions, jitSettings } from "../../lib/cpu/i386/engines/jit/options.ts";

/** Names of all switches, those of the interpreter inside the JIT included. */
export const SWITCHES: readonly string[] = Object.entries(jitSettings())
  .filter(([, value]) => typeof value === "boolean").map(([name]) => name);

/** All switches off. */
export const OFF: JitOptions = Object.fromEntries(SWITCHES.map((name) => [name, false]));

/** Settings by name. */
export const VARIANTS: Readonly<Record<string, JitOptions>> = {
  "all on": {},
  "all off": OFF,
  ...Object.fromEntries(SWITCHES.map((name) => [`${name} off`, { [name]: false }])),
  "small regions": { regionInstructions: 5 },
  "small cache": { cacheBytes: 6_000 },
  "warm code alone": { warm: 1 },
  "short stays": { longestStay: 7 },
};

/**
 * Speed of an engine on the benchmark programs, in this process. Cold.
 */
import { type EngineName, i386, type Machine, machine, MiB, ram } from "../../mod.ts";
import { endless } from "./images.ts";
import type { Kernel } from "./kernels.ts";

/** A machine that runs a program for ever; data are zero. */
export function prepare(kernel: Kernel, engine: EngineName): Machine {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 4 * MiB })] });
  return m.load(0x10_0000, endless(kernel));
}

/**
 * Millions of instructions a second, the best of several pieces that together take about `milliseconds`.
 * @param now Milliseconds of some steady clock.
 */
export function mips(kernel: Kernel, engine: EngineName, milliseconds: number, now: () => number): number {
  const m = prepare(kernel, engine);
  const piece = engine === "reference" ? 20_000 : 2_000_000;
  m.run({ instructions: piece });
  let best = 0;
  const end = now() + milliseconds;
  do {
    const began = now();
    m.run({ instructions: piece });
    best = Math.max(best, piece / 1000 / Math.max(now() - began, 1e-3));
  } while (now() < end);
  return best;
}

/** Geometric mean. */
export function geomean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
}

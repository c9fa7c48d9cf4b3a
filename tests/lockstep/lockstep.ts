/**
 * Two engines in lockstep: registers, flags, memory and ticks are compared at the end of each slice, whose lengths are
 * random, so that regions are entered, left and cut short everywhere. What differs is shrunk to the shortest program
 * that still does. Cold.
 */
import { Prng } from "../../lib/base/prng.ts";
import { jit } from "../../lib/cpu/i386/engines/jit/engine.ts";
import type { JitOptions } from "../../lib/cpu/i386/engines/jit/options.ts";
import { interpreter } from "../../lib/cpu/i386/engines/interpreter/engine.ts";
import { equal } from "../../scripts/deps/std.ts";
import { Rig } from "../unit/cpu/i386/rig.ts";
import { generate, listing, place, type Program } from "./programs.ts";

/** All switches off. */
const OFF = {
  ...{ registersInLocals: false, deadFlags: false, groups: false, fuse: false, loops: false, bulk: false },
  ...{ tables: false, calls: false, links: false, merge: false, besideCode: false, unroll: false },
  ...{ lateChecks: false, x87: false },
} satisfies JitOptions;

/** Settings of the JIT that are compared with the interpreter, by name. */
export const VARIANTS: Readonly<Record<string, JitOptions>> = {
  "all on": {},
  "all off": OFF,
  ...Object.fromEntries(Object.keys(OFF).map((name) => [`${name} off`, { [name]: false }])),
  "small regions": { regionInstructions: 5 },
  "small cache": { cacheBytes: 6_000 },
  "warm code alone": { warm: 1 },
};

/** Two rigs that should behave alike. */
export type Pair = readonly [Rig, Rig];

/** The interpreter and the JIT with some options. */
export function pairOf(options: JitOptions): Pair {
  return [new Rig(interpreter), new Rig(jit({ threshold: 2, ...options }))];
}

/** Runs a program on both. @returns What differs first, or undefined. */
export function difference(pair: Pair, program: Program): string | undefined {
  for (const rig of pair) place(rig, program);
  const r = new Prng(program.seed);
  for (let slice = 0; slice < 12; slice++) {
    const limit = 1 + r.below(r.pick([4, 40, 400]));
    const [x, y] = pair.map((rig) => rig.outcome(rig.cpu.run(limit)));
    if (!equal(x, y)) return `slice ${slice} of ${limit}: ${JSON.stringify(x)} against ${JSON.stringify(y)}`;
  }
  return undefined;
}

/** The shortest program that still differs, found by leaving out blocks and parts as long as that goes. */
export function shrink(pair: Pair, program: Program): Program {
  let best = program;
  for (let changed = true; changed;) {
    changed = false;
    for (const smaller of candidates(best)) {
      if (difference(pair, smaller) === undefined) continue;
      best = smaller;
      changed = true;
      break;
    }
  }
  return best;
}

function* candidates(program: Program): Generator<Program> {
  const { blocks } = program;
  for (let b = blocks.length - 1; b > 0; b--) yield { ...program, blocks: blocks.filter((_, i) => i !== b) };
  for (const [b, block] of blocks.entries()) {
    for (let p = 0; p < block.parts.length; p++) {
      const parts = block.parts.filter((_, i) => i !== p);
      yield { ...program, blocks: blocks.map((one, i) => i === b ? { ...one, parts } : one) };
    }
  }
}

/** Compares the programs of some seeds. @returns Reports of those that differ, shrunk, with how to run them again. */
export function compare(variant: string, first: number, count: number, most = 3): string[] {
  const pair = pairOf(VARIANTS[variant]), out: string[] = [];
  for (let seed = first; seed < first + count && out.length < most; seed++) {
    const program = generate(seed);
    if (difference(pair, program) === undefined) continue;
    const small = shrink(pair, program);
    out.push([
      `JIT, ${variant}, seed ${seed}: ${difference(pair, small)}`,
      listing(small),
      `again: deno task fuzz --cases 0 --lengths 0 --x87 0 --system 0 --guests 0 --changing 0 --lockstep 1 --seed ${seed} --variant '${variant}'`,
    ].join("\n"));
  }
  return out;
}

/**
 * Two engines in lockstep on random programs. Wherever a region of the JIT begins, goes on behind a TypeScript instruction
 * or ends, the other engine is run by the same number of ticks and the whole state is compared: registers, flags, memory.
 * Slices have random lengths, so that regions are entered, left and cut short everywhere. What differs is shrunk to the
 * shortest program that still does. Cold.
 */
import { Prng } from "../../lib/base/prng.ts";
import type { EngineFactory } from "../../lib/cpu/i386/engine.ts";
import { interpreter } from "../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../lib/cpu/i386/engines/jit/engine.ts";
import type { JitOptions } from "../../lib/cpu/i386/engines/jit/options.ts";
import { equal } from "../../scripts/deps/std.ts";
import { Rig } from "../unit/cpu/i386/rig.ts";
import { generate, listing, place, type Program } from "./programs.ts";
import { cpuDifference, memoryDifference } from "./state.ts";
import { VARIANTS } from "./variants.ts";

/** Thrown out of the tested engine where the states differ. */
class Difference extends Error {}

/** Makes the engine under test, which calls `boundary` where its state is complete. */
export type Tested = (boundary: () => void) => EngineFactory;

/** Two rigs that should behave alike. */
export class Pair {
  /** Boundaries at which states were compared. */
  boundaries = 0;
  readonly #tested: Rig;
  readonly #other: Rig;
  readonly #memory: readonly [Uint8Array, Uint8Array] = [new Uint8Array(0x10000), new Uint8Array(0x10000)];
  readonly #words: readonly Int32Array[] = this.#memory.map((m) => new Int32Array(m.buffer));

  /** @param tested The engine under test. @param other The one that is right. */
  constructor(tested: Tested, other: EngineFactory = interpreter) {
    this.#tested = new Rig(tested(() => this.#boundary()));
    this.#other = new Rig(other);
  }

  /** Runs a program on both. @returns What differs first, or undefined. */
  difference(program: Program): string | undefined {
    const a = this.#tested, b = this.#other;
    for (const rig of [a, b]) place(rig, program);
    const r = new Prng(program.seed);
    for (let slice = 0; slice < 12; slice++) {
      const limit = 1 + r.below(r.pick([4, 40, 400])), before = b.cpu.instructions;
      try {
        const exit = a.cpu.run(limit);
        const left = before + limit - b.cpu.instructions;
        const [x, y] = [a.outcome(exit), b.outcome(b.cpu.run(left))];
        const different = cpuDifference(a.cpu, b.cpu, false);
        if (!equal(x, y)) return `slice ${slice} of ${limit}: ${JSON.stringify(x)} against ${JSON.stringify(y)}`;
        if (different !== undefined) return `slice ${slice} of ${limit}: ${different}`;
      } catch (thrown) {
        if (!(thrown instanceof Difference)) throw thrown;
        return `slice ${slice} of ${limit}, ${thrown.message}`;
      }
    }
    return undefined;
  }

  #boundary(): void {
    const a = this.#tested, b = this.#other;
    const ticks = a.cpu.instructions - b.cpu.instructions;
    if (ticks > 0) b.cpu.run(ticks);
    this.boundaries++;
    [a, b].forEach((rig, n) => rig.space.readPhysical(0, this.#memory[n]));
    const different = cpuDifference(a.cpu, b.cpu, true) ?? memoryDifference(this.#words[0], this.#words[1]);
    if (different !== undefined) {
      throw new Difference(`region boundary at tick ${a.cpu.instructions}, ${different}`);
    }
  }
}

/** The JIT with some options and the interpreter. */
export function pairOf(options: JitOptions): Pair {
  return new Pair((boundary) => jit({ threshold: 2, ...options, boundary }));
}

/** The shortest program that still differs, found by leaving out blocks and parts as long as that goes. */
export function shrink(pair: Pair, program: Program): Program {
  let best = program;
  for (let changed = true; changed;) {
    changed = false;
    for (const smaller of candidates(best)) {
      if (pair.difference(smaller) === undefined) continue;
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

/** What a comparison found. */
export interface Comparison {
  /** Reports of the programs that differ, shrunk, with how to run them again. */
  readonly reports: readonly string[];
  /** Boundaries at which states were compared. */
  readonly boundaries: number;
}

/** Compares the programs of some seeds, until `most` differ. */
export function compare(
  variant: string,
  first: number,
  count: number,
  most = 3,
  pair: Pair = pairOf(VARIANTS[variant]),
): Comparison {
  const reports: string[] = [];
  for (let seed = first; seed < first + count && reports.length < most; seed++) {
    const program = generate(seed);
    if (pair.difference(program) === undefined) continue;
    const small = shrink(pair, program);
    reports.push([
      `JIT, ${variant}, seed ${seed}: ${pair.difference(small)}`,
      listing(small),
      `again: deno task fuzz --parts lockstep --lockstep 1 --guests 0 --changing 0 --seed ${seed} --variant '${variant}'`,
    ].join("\n"));
  }
  return { reports, boundaries: pair.boundaries };
}

/**
 * Breakpoints of the lab: linear addresses at which a run ends before the instruction there, on whichever CPU meets one.
 * They are hooks only while the page lets the machine run, so going back does not meet them. Cold.
 */
import { hex32 } from "../../base/hex.ts";
import type { Machine } from "../../machine/machine.ts";

/** Most there may be: each is a hook. */
const MOST = 64;

/** The breakpoints of one machine. */
export class LabBreakpoints {
  readonly #m: Machine;
  /** How to take away the hook, while there are hooks. */
  readonly #all: Map<number, (() => void) | undefined> = new Map();
  #isArmed = false;
  /** Index of the CPU that met the last one, or -1. */
  met = -1;

  /** @param m The machine. */
  constructor(m: Machine) {
    this.#m = m;
  }

  /** The addresses in order. */
  get list(): readonly number[] {
    return [...this.#all.keys()].sort((a, b) => a - b);
  }

  /** Sets one, or takes it away if there is one; no more than there may be. */
  toggle(at: number): void {
    const remove = this.#all.get(at);
    if (this.#all.delete(at)) remove?.();
    else if (this.#all.size < MOST) this.#all.set(at, this.#isArmed ? this.#hook(at) : undefined);
  }

  /** True if a CPU stands at one. */
  isAt(cpu: number): boolean {
    return this.#all.has(this.#m.cpus[cpu].pcLinear);
  }

  /** From now on they end a run. */
  arm(): void {
    this.#isArmed = true;
    this.met = -1;
    for (const at of this.#all.keys()) this.#all.set(at, this.#hook(at));
  }

  /** From now on they do nothing. */
  disarm(): void {
    this.#isArmed = false;
    for (const [at, remove] of this.#all) {
      remove?.();
      this.#all.set(at, undefined);
    }
  }

  #hook(at: number): () => void {
    return this.#m.hooks.onCode(at, (event) => {
      this.met = event.cpu;
      event.stop(`breakpoint ${hex32(at)}`);
    });
  }
}

/**
 * A lead-in: the first instructions of a CPU run on the reference engine, and only then is the real engine made. Making
 * the interpreter means generating and compiling all its cases, which takes longer than a short program does, and many
 * programs are short: lessons, tests, most machines that a script makes to try one thing.
 *
 * Engines agree in every result and count, so nothing can be seen of the change. Where instructions have hooks the real
 * engine is made at once, because the reference engine does not see hooks by itself. Warm: one test a run.
 */
import type { I386Cpu } from "../cpu.ts";
import type { Engine } from "../engine.ts";
import { reference } from "./reference.ts";

/** Runs one CPU on the reference engine for a while, then on another one. */
export class LeadInEngine implements Engine {
  /** See {@linkcode Engine.seesHooks}: it does once there are any. */
  readonly seesHooks = true;
  readonly #cpu: I386Cpu;
  readonly #make: () => Engine;
  #engine: Engine;
  #left: number;

  /** @param cpu The CPU. @param instructions Length of the lead-in, more than 0. @param make Makes the real engine. */
  constructor(cpu: I386Cpu, instructions: number, make: () => Engine) {
    this.#cpu = cpu;
    this.#left = instructions;
    this.#make = make;
    this.#engine = reference.create(cpu);
  }

  run(): boolean {
    if (this.#left > 0) {
      if (!this.#cpu.points.any) return this.#lead();
      this.#left = 0;
    }
    if (this.#left === 0) this.#change();
    return this.#engine.run();
  }

  translationsChanged(all: boolean): void {
    this.#engine.translationsChanged(all);
  }

  modeChanged(): void {
    this.#engine.modeChanged();
  }

  stateChanged(): void {
    this.#engine.stateChanged();
  }

  codeWritten(pfn: number, from: number, to: number): void {
    this.#engine.codeWritten(pfn, from, to);
  }

  hooksChanged(): void {
    this.#engine.hooksChanged?.();
  }

  enterFault(): boolean {
    return this.#engine.enterFault?.() === true;
  }

  forget(): void {
    this.#engine.forget();
  }

  /** Runs on the reference engine, no further than the lead-in goes; the slice goes on afterwards. */
  #lead(): boolean {
    const cpu = this.#cpu, before = cpu.elapsed();
    cpu.pauseAfter(this.#left);
    try {
      return this.#engine.run();
    } finally {
      this.#left = Math.max(0, this.#left - (cpu.elapsed() - before));
    }
  }

  /** Makes the real engine and tells it what has happened so far. */
  #change(): void {
    this.#left = -1;
    this.#engine = this.#make();
    this.#engine.modeChanged();
    this.#engine.hooksChanged?.();
  }
}

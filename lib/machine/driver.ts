/**
 * Runs the loop for a script: turns how the loop ended and what was asked for meanwhile into one stop reason. The first
 * cause wins, later ones go to the trace. Cold.
 */
import type { Cpu } from "../core/cpu.ts";
import type { StopReason } from "../core/stop.ts";
import type { MachineParts } from "./board.ts";
import type { LoopEnd, RunLoop, StopDraft } from "./run_loop.ts";
import type { Shutdown } from "./state_keeper.ts";

/** What the driver works with. */
export interface DriverParts {
  /** The loop. */
  readonly loop: RunLoop;
  /** The machine. */
  readonly parts: MachineParts;
  /** Does a reset reboot? */
  readonly reboot: boolean;
  /** Resets the machine. */
  readonly reset: () => void;
  /** What a CPU in shutdown reported. */
  readonly shutdown: () => Shutdown | undefined;
}

/** One run. */
export interface DriverRun {
  /** Instructions. */
  readonly budget: number;
  /** Absolute tick. */
  readonly deadline: number;
  /** See `Limits.poll`. */
  readonly poll: (() => boolean) | undefined;
  /** Name of the polled condition. */
  readonly name: string;
  /** Instructions between two polls. */
  readonly every: number;
}

/** Driver of one machine. */
export class Driver {
  readonly #d: DriverParts;
  #request: StopReason | undefined = undefined;
  #failure: Error | undefined = undefined;
  #off = false;
  /** Where hooks stopped CPUs that have not gone on since: linear address and instructions retired then. */
  readonly #skips: Map<number, { readonly at: number; readonly since: number }> = new Map();

  /** @param parts What it works with. */
  constructor(parts: DriverParts) {
    this.#d = parts;
  }

  /** Is a stop asked for? */
  get requested(): boolean {
    return this.#request !== undefined;
  }

  /** Is the machine powered off? */
  get off(): boolean {
    return this.#off;
  }

  /** The CPU that runs or ran last. */
  get current(): Cpu {
    const { cpus } = this.#d.parts;
    return cpus[this.#d.loop.current] ?? cpus[0];
  }

  /** Asks for a stop. */
  request(draft: StopDraft): void {
    const { parts, loop } = this.#d;
    parts.hooks.noteStop();
    if (this.#request !== undefined) {
      parts.note("stop", `also ${draft.kind}`);
      return;
    }
    // The program counter of a draft without one is read when the run has come to its boundary.
    this.#request = { eip: -1, ...draft } as StopReason;
    loop.attention();
  }

  /** Ends the run and throws the error from it. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.request({ kind: "stopped", name: "error" });
  }

  /** Forgets requests: after reset and restore. */
  clear(off: boolean): void {
    this.#request = undefined;
    this.#failure = undefined;
    this.#off = off;
    this.#d.parts.hooks.stoppedBefore = -1;
    this.#skips.clear();
  }

  /** Runs to a stop reason. */
  run(run: DriverRun): StopReason {
    const { loop, parts } = this.#d;
    const { clock } = parts;
    const { deadline, poll, every } = run;
    let executed = 0;
    this.#beginSkips();
    while (true) {
      const left = run.budget - executed;
      const isSkipping = this.#skips.size !== 0;
      const end = loop.run({ instructions: isSkipping ? Math.min(1, left) : left, deadline, poll, every });
      executed += loop.executed;
      if (isSkipping) {
        this.#endSkips(false);
        if (end === "budget" && executed < run.budget && clock.now < deadline) continue;
        this.#endSkips(true);
      }
      const stop = this.#stopOf(end, executed, run.name);
      if (stop.kind !== "reset" || !this.#d.reboot) return stop;
      parts.note("reset", "the guest reboots");
      this.#d.reset();
    }
  }

  /** CPUs that a hook stopped before an instruction go on with it; others may get their turn first. */
  #beginSkips(): void {
    const { loop, parts: { hooks, cpus } } = this.#d;
    if (hooks.stoppedBefore >= 0) {
      this.#skips.set(loop.current, { at: hooks.stoppedBefore, since: this.current.instructions });
    }
    hooks.stoppedBefore = -1;
    for (const [index, { at, since }] of this.#skips) {
      const cpu = cpus[index];
      if (cpu.pcLinear === at && cpu.instructions === since) hooks.skipOnce(at, index);
      else {
        hooks.endSkip(index);
        this.#skips.delete(index);
      }
    }
  }

  /** Ends the skips of CPUs that went on; with `all` the others wait for the next run. */
  #endSkips(all: boolean): void {
    const { hooks, cpus } = this.#d.parts;
    for (const [index, { since }] of this.#skips) {
      const isDone = cpus[index].instructions !== since;
      if (isDone || all) hooks.endSkip(index);
      if (isDone) this.#skips.delete(index);
    }
  }

  #stopOf(end: LoopEnd, instructions: number, name: string): StopReason {
    const failure = this.#failure;
    const request = this.#request;
    this.#failure = this.#request = undefined;
    if (failure !== undefined) throw failure;
    const eip = this.current.pc;
    if (request !== undefined) {
      if (request.kind === "power-off") this.#off = true;
      return request.eip === -1 ? { ...request, eip } : request;
    }
    if (end === "shutdown" || this.#d.shutdown() !== undefined) {
      if (this.#d.reboot) return { kind: "reset", eip };
      return { kind: "fault", ...(this.#d.shutdown() ?? { vector: 8, errorCode: 0, linear: 0 }), eip };
    }
    if (end === "polled") return { kind: "until", name, eip };
    return end === "halt" ? { kind: "halt", eip } : { kind: "budget", instructions, eip };
  }
}

/**
 * Running in pieces, so that consoles, debuggers and browsers stay alive. The pieces are counted in instructions, not in
 * host time: the run is the same as in one piece. Cold.
 */
import type { StopReason } from "../core/stop.ts";
import type { Machine, RunOptions } from "./machine.ts";

/** How to run in pieces. */
export interface RunAsyncOptions extends RunOptions {
  /** Ends the run as `{ kind: "stopped", name: "abort" }`. */
  readonly signal?: AbortSignal;
  /** Called after each piece. */
  readonly onProgress?: (progress: RunProgress) => void;
  /** Instructions of a piece; default 4 000 000, some ten milliseconds. */
  readonly piece?: number;
  /** Waits between two pieces; default: one turn of the event loop. A host may pace virtual time here. */
  readonly pause?: () => Promise<void>;
}

/** How far a run is. */
export interface RunProgress {
  /** Instructions so far. */
  readonly instructions: number;
  /** Virtual time in ticks. */
  readonly now: number;
}

/** See {@linkcode Machine.runAsync}. */
export async function runAsync(machine: Machine, options: RunAsyncOptions): Promise<StopReason> {
  const { signal, onProgress, piece = 4_000_000, pause = turn, instructions, ticks, until } = options;
  const budget = instructions ?? Infinity;
  const deadline = machine.now + (ticks ?? Infinity);
  let done = 0;
  while (true) {
    if (signal?.aborted === true) return { kind: "stopped", name: "abort", eip: machine.cpu.pc };
    const left = deadline - machine.now;
    const stop = machine.run({
      instructions: Math.min(piece, budget - done),
      ticks: Math.min(left, machine.clock.hz / 20),
      ...(until === undefined ? {} : { until }),
    });
    if (stop.kind !== "budget") return stop;
    done += stop.instructions;
    onProgress?.({ instructions: done, now: machine.now });
    if (done >= budget || machine.now >= deadline) return { ...stop, instructions: done };
    await pause();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Runs the nasty guest at an edge. Cold. */
import { guests, type StopReason, vmiPc, type VmiPcMachine } from "../../../mod.ts";
import type { Candidate } from "../paravirt/backends.ts";

/** Engines that the guest runs on. */
export type NastyEngine = "interpreter" | "jit";

/** What came of it. */
export interface Outcome {
  /** Stop reason and what the guest has said. */
  readonly text: string;
  readonly m: VmiPcMachine;
}

const BUDGET = 400_000;

/** A machine with the guest loaded. */
export function nastyMachine(candidate: Candidate, edge: string, engine: NastyEngine = "interpreter"): VmiPcMachine {
  const m = vmiPc({ backend: candidate.make(), memory: 16 << 20, engine });
  m.boot(guests.nasty(edge));
  return m;
}

/** Lets it run to whatever end. */
export function finish(m: VmiPcMachine): Outcome {
  const stop = m.run({ instructions: BUDGET });
  const said = m.serial.text.trim().split("\n").slice(1).map((line) => line.replaceAll(/\b0+(?=[0-9a-f])/g, ""));
  return { m, text: [describe(stop), ...said].join(", ") };
}

/** Boots and runs. */
export function outcome(candidate: Candidate, edge: string, engine: NastyEngine = "interpreter"): Outcome {
  return finish(nastyMachine(candidate, edge, engine));
}

/** A stop reason without addresses of the ROM, which differ between backends. */
function describe(stop: StopReason): string {
  if (stop.kind === "killed") return `killed ${stop.code} ${stop.call.replace(/0x[0-9a-f]+/g, "ADDRESS")}`;
  // The CPU shut down: no handler could be entered.
  return stop.kind === "fault" ? `shutdown by ${stop.vector.toString(16)}` : stop.kind;
}

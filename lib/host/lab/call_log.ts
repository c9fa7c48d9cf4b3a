/**
 * The last calls of a guest to its hypervisor, paravirtual ones and those of today in the order of their times. What
 * replays call again does not count twice, and calls after a time one goes back to are forgotten. Cold.
 */
import { hex } from "../../base/hex.ts";
import type { Machine } from "../../machine/machine.ts";
import type { RecordEntry, Recording } from "../../vmi/paravirt/record.ts";
import type { LabCall } from "./protocol.ts";

/** Calls shown. */
const SHOWN = 300;
/** Rows a record may have before it is begun anew. */
const MOST_ROWS = 20_000;

/** What of a machine makes calls, if it has it. */
interface Calling {
  readonly paravirt?: { readonly backend: { readonly name: string }; record(): Recording };
  readonly hypercalls?: { readonly name: string; record(): Recording };
}

/** Calls of one machine. */
export class CallLog {
  /** Who answers, or empty: nobody. */
  readonly hypervisor: string;
  readonly #records: readonly Recording[];
  /** Calls whose rows are given up. */
  #kept: readonly RecordEntry[] = [];
  /** Calls before those of the records. */
  #before = 0;

  /** Begins to record. */
  constructor(m: Machine) {
    const { paravirt, hypercalls } = m as Calling;
    this.hypervisor = [paravirt?.backend.name, hypercalls?.name].filter((name) => name !== undefined).join(", ");
    this.#records = [paravirt?.record(), hypercalls?.record()].filter((r) => r !== undefined);
  }

  /** Calls so far; NaN: it is not known, because time went back beyond the calls that are kept. */
  get count(): number {
    return this.#records.reduce((sum, r) => sum + r.length, this.#before);
  }

  /** The last ones, oldest first. */
  get last(): readonly LabCall[] {
    return this.#entries().map(show);
  }

  /** Keeps the records short; to be called between pieces of a run. */
  trim(): void {
    if (this.#records.every((r) => r.length < MOST_ROWS)) return;
    this.#forget(this.#entries(), this.count);
  }

  /** Does something that goes back in time, and calls again what was called on the way; `now` is asked after it. */
  goingBack(go: () => void, now: () => number): void {
    const entries = this.#entries();
    const count = this.count;
    this.#forget([], NaN);
    go();
    const left = entries.filter((e) => e.time < now());
    const isKnown = left.length > 0 || count === entries.length;
    if (isKnown) this.#forget(left, count - (entries.length - left.length));
  }

  /** The machine is at its beginning again. */
  restart(): void {
    this.#forget([], 0);
  }

  /** Ends recording. */
  stop(): void {
    for (const r of this.#records) r.stop();
  }

  #entries(): readonly RecordEntry[] {
    const all = [...this.#kept, ...this.#records.flatMap((r) => r.last(SHOWN))];
    return all.sort((a, b) => a.time - b.time).slice(-SHOWN);
  }

  #forget(kept: readonly RecordEntry[], count: number): void {
    this.#kept = kept;
    this.#before = count;
    for (const r of this.#records) r.clear();
  }
}

function show(e: RecordEntry): LabCall {
  const args = Object.entries(e.args).map(([name, value]) => `${name}=${hex(value, 1)}`).join(" ");
  const result = e.result === undefined ? "" : hex(e.result, 1);
  return { name: e.name, args, result, from: hex(e.from), time: e.time };
}

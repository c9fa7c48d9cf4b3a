/**
 * The conformance suite: every test on every backend and both engines, or with the reason why not.
 *
 * A file of tests calls {@linkcode conformance} once; its function is asked for each backend and engine. A test that a
 * backend cannot have names a {@linkcode Reason}. Whoever wants the table of all cells in place of the tests calls
 * {@linkcode collect} before the files are loaded.
 */
import { ALL, type Candidate } from "./backends.ts";

/** Engines that every test runs on. */
export const ENGINES = ["interpreter", "jit"] as const;

/** One of them. */
export type Engine = typeof ENGINES[number];

/** Why a backend does not have a test. */
export interface Reason {
  /** For a person. */
  readonly reason: string;
  /** Is it so for this backend? */
  applies(candidate: Candidate, backend: string): boolean;
}

/** The guest makes no calls. */
export const NO_CALLS: Reason = {
  reason: "the guest is told nothing of the hypervisor: it finds no ROM and makes no calls",
  applies: (c) => c.transparent,
};
/** The guest calls. */
export const CALLS: Reason = {
  reason: "the guest starts its CPUs by a call, with a state, and not in real mode",
  applies: (c, backend) => !c.transparent && !["native", "scripted"].includes(backend),
};
/** Nobody takes the guest's privileges. */
export const RING_0: Reason = {
  reason: "the guest's kernel keeps ring 0: there is nothing to confine it to",
  applies: (c) => !c.deprivileges,
};
/** The backend has no memory of its own. */
export const HIDES_NOTHING: Reason = {
  reason: "the backend keeps no memory for itself: there is none to reach for",
  applies: (c) => c.make().memory === undefined,
};
/** Every call is done at once. */
export const DEFERS_NOTHING: Reason = {
  reason: "the calls are the processor's own instructions, done at once: there is nothing to keep for later",
  applies: (c) => !c.deprivileges,
};
/** There is no ROM. */
export const NO_ROM: Reason = {
  reason: "the guest is told nothing of the hypervisor: there is no ROM",
  applies: (c) => c.transparent,
};

/** A test on a backend and an engine. */
export interface Cell {
  /** What the tests of a file are about. */
  readonly part: string;
  /** What the test shows. */
  readonly title: string;
  /** Name of the backend. */
  readonly backend: string;
  readonly engine: Engine;
  /** Why it does not run here; absent: it runs. */
  readonly reason?: string;
}

/** Takes tests. */
export interface Taker {
  /** A test. */
  test(title: string, fn: () => void): void;
}

/** Where a file's function stands. */
export interface Place extends Taker {
  readonly backend: string;
  readonly candidate: Candidate;
  readonly engine: Engine;
  /** Tests that are left out where one of these applies, the first of them being the reason. */
  unless(...reasons: readonly Reason[]): Taker;
}

let collected: Cell[] | undefined;

/** From now on tests are not run but listed. @returns The list, which grows. */
export function collect(): readonly Cell[] {
  collected ??= [];
  return collected;
}

/** Name of a cell's test. */
export function testName({ part, title, backend, engine }: Cell): string {
  return `paravirt ${part}: ${title} [${backend}, ${engine}]`;
}

/** Takes the name of a cell's test apart; `undefined`: it is no such name. */
export function parseName(name: string): Omit<Cell, "reason"> | undefined {
  const [, part = "", title = "", backend = "", engine = ""] =
    /^paravirt (\S+): (.*) \[(.*), (interpreter|jit)\]$/.exec(name) ?? [];
  return part === "" ? undefined : { part, title, backend, engine: engine as Engine };
}

/** Defines the tests of a file. */
export function conformance(part: string, define: (on: Place) => void): void {
  for (const [backend, candidate] of Object.entries(ALL)) {
    for (const engine of ENGINES) {
      const unless = (...reasons: readonly Reason[]): Taker => ({
        test: (title, fn) => {
          const reason = reasons.find((u) => u.applies(candidate, backend))?.reason;
          add({ part, title, backend, engine, ...(reason === undefined ? {} : { reason }) }, fn);
        },
      });
      define({ backend, candidate, engine, unless, test: unless().test });
    }
  }
}

function add(cell: Cell, fn: () => void): void {
  if (collected !== undefined) collected.push(cell);
  else if (cell.reason === undefined) Deno.test(testName(cell), fn);
}

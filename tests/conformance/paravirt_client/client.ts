/** Runs a client kernel on a machine with a backend, and reads its journal. Cold. */
import {
  type ParavirtBackend,
  type ParavirtName,
  type RecordEntry,
  type StopReason,
  vmiPc,
  type VmiPcMachine,
} from "../../../mod.ts";
import { At, lin, MEMORY, ORIGIN, PAGE_OFFSET } from "./head.ts";
import { FAULT_BYTES } from "./handlers.ts";
import { numberOf } from "./kit.ts";
import { type Program, program } from "./program.ts";
import type { Config } from "./releases.ts";

/** Where the image is loaded. */
const LOADED = ORIGIN - PAGE_OFFSET;

/** A call as the client has made it. */
export interface MadeCall {
  readonly no: number;
  readonly eax: number;
  readonly ecx: number;
  readonly edx: number;
  readonly stack: readonly [number, number];
  readonly resultEax: number;
  readonly resultEdx: number;
}

/** An exception as the client has seen it. */
export interface SeenFault {
  readonly vector: number;
  readonly code: number;
  readonly eip: number;
  readonly cs: number;
  readonly eflags: number;
  readonly cr2: number;
  readonly frame: number;
  readonly ds: number;
}

/** What a query was answered. */
export interface Answer {
  readonly no: number;
  readonly address: number;
  readonly edx: number;
}

/** A client after its run. */
export interface Client {
  readonly m: VmiPcMachine;
  readonly program: Program;
  readonly stop: StopReason;
  /** Mismatches, as texts. */
  readonly failures: readonly string[];
  readonly calls: readonly MadeCall[];
  readonly faults: readonly SeenFault[];
  readonly answers: readonly Answer[];
  /** What the host has recorded. */
  readonly recorded: readonly RecordEntry[];
  /** A variable of the client. */
  variable(name: string): number;
}

/** What can be chosen. */
export interface RunOptions {
  readonly engine?: "interpreter" | "jit" | "reference";
  readonly record?: boolean;
  readonly cpus?: number;
  readonly rom?: Parameters<typeof vmiPc>[0] extends infer O | undefined ? O extends { rom?: infer R } ? R : never
    : never;
  /** Runs before the guest starts. */
  readonly prepare?: (m: VmiPcMachine, p: Program) => void;
  readonly instructions?: number;
}

/** A machine with the client loaded, not started. */
export function makeClient(backend: ParavirtBackend, config: Config, options: RunOptions = {}): VmiPcMachine {
  const p = program(config);
  const m = vmiPc({
    backend,
    memory: MEMORY,
    engine: options.engine ?? "interpreter",
    cpus: options.cpus ?? 1,
    ...(options.rom === undefined ? {} : { rom: options.rom }),
  });
  m.boot({
    name: `client ${config.release.name}`,
    load: (target) => {
      target.place(LOADED, p.bytes, "client");
      return { mode: "flat32", entry: LOADED, stack: At.stack };
    },
  });
  return m;
}

/** Runs a client to its end. */
export function runClient(backend: ParavirtBackend, config: Config, options: RunOptions = {}): Client {
  const m = makeClient(backend, config, options), p = program(config);
  const recording = options.record === true ? m.paravirt.record() : undefined;
  options.prepare?.(m, p);
  const stop = m.run({ instructions: options.instructions ?? 20_000_000 });
  recording?.stop();
  return { ...readJournal(m, p), stop, recorded: recording?.entries ?? [] };
}

/** What the client has written. */
export function readJournal(m: VmiPcMachine, p: Program): Omit<Client, "stop" | "recorded"> {
  const words = (at: number, count: number): Uint32Array => new Uint32Array(m.peek(at, 4 * count).slice().buffer);
  const variable = (name: string): number => {
    const at = p.labels.get(name);
    if (at === undefined) throw new Error(`The client has no ${name}`);
    return words(at - PAGE_OFFSET, 1)[0] ?? 0;
  };
  const rows = (from: number, end: number, bytes: number): number[][] => {
    const all = words(from, Math.max(0, end - lin(from)) / 4), n = bytes / 4;
    return Array.from({ length: Math.floor(all.length / n) }, (_, i) => [...all.subarray(n * i, n * i + n)]);
  };
  const failures = rows(At.failures, variable("failure_end"), 8).map(([id = 0, value = 0]) => {
    const text = p.kit.checks[id & 0xffff] ?? `check ${id}`;
    const call = id >>> 31 === 1 ? `call ${id >>> 16 & 0x7fff}: ` : "";
    return `${call}${text}: 0x${value.toString(16)}`;
  });
  return {
    m,
    program: p,
    failures,
    calls: rows(At.calls, variable("call_end"), 32).map((
      [no = 0, eax = 0, ecx = 0, edx = 0, s0 = 0, s1 = 0, a = 0, d = 0],
    ) => ({
      no,
      eax,
      ecx,
      edx,
      stack: [s0, s1],
      resultEax: a,
      resultEdx: d,
    })),
    faults: rows(At.faults, variable("fault_end"), FAULT_BYTES).map(
      ([vector = 0, code = 0, eip = 0, cs = 0, eflags = 0, cr2 = 0, frame = 0, ds = 0]) => ({
        ...{ vector, code, eip, cs, eflags, cr2, frame, ds },
      }),
    ),
    answers: rows(At.queries, variable("query_end"), 16).map(([no = 0, address = 0, edx = 0]) => ({
      no,
      address,
      edx,
    })),
    variable,
  };
}

/** Number of a call, for tests. */
export const no: (name: ParavirtName) => number = numberOf;

/**
 * What a job is told and what it gives, and the checks of what it is told. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { Limits } from "./connection_host.ts";
import type { EventQueue } from "./event_queue.ts";
import type { LinkReport } from "./links.ts";
import type { MessageModule, NetAddress, TraceRecord } from "./module.ts";
import type { JobNode, RankProgram, RankResult } from "./node.ts";
import type { HostClock } from "./real_time.ts";
import type { Runtime } from "./runtime.ts";
import type { MessageSpec } from "./spec.ts";
import type { Transport } from "./transport.ts";

/** Makes the node of a rank; default: one that runs the program. */
export type NodeMaker = (rank: number, runtime: Runtime, queue: EventQueue, job: NodeContext) => JobNode;

/** What a node may ask of its job. */
export interface NodeContext {
  /** A line for the log. */
  log(text: string): void;
  /** Is time virtual? */
  readonly isVirtual: boolean;
}

/** Options of {@linkcode job}. */
export interface JobOptions {
  /** Ranks. */
  readonly ranks: number;
  /** What each rank runs: one program for all, or one each. */
  readonly program?: RankProgram | readonly RankProgram[];
  /** Makes nodes of another kind; instead of `program`. */
  readonly node?: NodeMaker;
  /** Devices and chains, or JSON of them; default: credit over loopback (over the transport's medium, if there is one). */
  readonly spec?: MessageSpec | string;
  /** Modules the spec may name besides those that ship. */
  readonly modules?: readonly MessageModule[];
  /** Key of the job; default `job`. */
  readonly key?: string;
  /** Seed of all chance; default 1. */
  readonly seed?: number;
  /** Virtual (default) or real time; real needs a clock. */
  readonly time?: "virtual" | "real";
  /** The host's clock, for real time. */
  readonly clock?: HostClock;
  /** Cluster of each rank; default: all in cluster 0. */
  readonly clusters?: readonly number[];
  /** Limits; what is left out has its default. */
  readonly limits?: Partial<Limits>;
  /** Connects this process with the others of the job. */
  readonly transport?: Transport;
  /** Process of each rank; default: in equal blocks. */
  readonly placement?: readonly number[];
  /**
   * When another process is lost: the job ends with an error (default), or goes on without its ranks, which count as
   * killed; connections to them end with `peerGone`. Only in real time, and over media that can lose one process.
   */
  readonly lostProcess?: "end" | "go-on";
}

/** Options of a run. */
export interface JobRunOptions {
  /** Ends the run at this time, ns. */
  readonly untilNs?: number;
  /** Told now and then how far a run in virtual time is. */
  readonly onProgress?: (progress: JobProgress) => void;
}

/** How far a run is. */
export interface JobProgress {
  /** Virtual time, ns. */
  readonly time: number;
  /** Ranks of this process that have not ended. */
  readonly live: number;
  /** Messages that ranks of this process have sent. */
  readonly messages: number;
}

/** What a job gives. */
export interface JobResult {
  /** Time at which the last rank ended, ns. */
  readonly time: number;
  /** All ranks. */
  readonly ranks: readonly RankResult[];
  /** Lines that ranks and devices logged. */
  readonly log: readonly string[];
  /** What trace filters saw, in order of time. */
  readonly trace: readonly TraceRecord[];
  /** What went over each connection, by sender and receiver. */
  readonly links: readonly LinkReport[];
}

/** Most ranks of a job. */
export const MAX_RANKS = 4096;

const KEYS: readonly string[] = [
  ...["ranks", "program", "node", "spec", "modules", "key", "seed", "time", "clock", "clusters", "limits"],
  ...["transport", "placement", "lostProcess"],
];
const LIMITS: readonly string[] = ["maxMessage", "maxInline", "maxQueued", "connectNs"];

/** The program of a rank. */
export function programOf(o: JobOptions, rank: number): RankProgram {
  const p = o.program;
  return typeof p === "function" ? p : p?.[rank] ?? ((): void => {});
}

/** Checks the options. @throws {ConfigError} For everything that is wrong with them. */
export function checkJob(o: JobOptions): JobOptions {
  const unknown = Object.keys(o).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw new ConfigError("message-option", `A job has no option "${unknown}"; it has ${KEYS.join(", ")}`);
  }
  if (!Number.isInteger(o.ranks) || o.ranks < 1 || o.ranks > MAX_RANKS) {
    throw new ConfigError("message-ranks", `ranks must be an integer from 1 to ${MAX_RANKS}, not ${o.ranks}`);
  }
  if ((o.program === undefined) === (o.node === undefined)) {
    throw new ConfigError("message-program", "A job needs a program (or node, which makes nodes of another kind)");
  }
  if (Array.isArray(o.program) && o.program.length !== o.ranks) {
    throw new ConfigError("message-program", `There are ${o.program.length} programs for ${o.ranks} ranks`);
  }
  checkValues(o);
  if (o.clusters !== undefined && o.clusters.length !== o.ranks) {
    throw new ConfigError("message-clusters", `clusters names ${o.clusters.length} ranks of ${o.ranks}`);
  }
  if (o.placement !== undefined && o.placement.length !== o.ranks) {
    throw new ConfigError("message-placement", `placement names ${o.placement.length} ranks of ${o.ranks}`);
  }
  return o;
}

function checkValues(o: JobOptions): void {
  if (o.time !== undefined && o.time !== "virtual" && o.time !== "real") {
    throw new ConfigError("message-time", `time must be "virtual" or "real", not ${o.time}`);
  }
  if (o.lostProcess !== undefined && o.lostProcess !== "end" && o.lostProcess !== "go-on") {
    throw new ConfigError("message-lost", `lostProcess must be "end" or "go-on", not ${o.lostProcess}`);
  }
  if (o.lostProcess === "go-on" && o.time !== "real") {
    throw new ConfigError("message-lost", 'lostProcess "go-on" needs a job in real time; give time: "real"');
  }
  if (o.key !== undefined && typeof o.key !== "string") throw new ConfigError("message-key", "key must be a text");
  if (o.seed !== undefined && !Number.isSafeInteger(o.seed)) {
    throw new ConfigError("message-seed", `seed must be an integer, not ${o.seed}`);
  }
  const processes = o.transport?.processes ?? 1;
  for (
    const [name, values, most] of [["clusters", o.clusters, MAX_RANKS], ["placement", o.placement, processes]] as const
  ) {
    const wrong = values?.findIndex((v) => !Number.isInteger(v) || v < 0 || v >= most) ?? -1;
    if (wrong < 0) continue;
    const text = `${name}[${wrong}] must be an integer from 0 to ${most - 1}, not ${values?.[wrong]}`;
    throw new ConfigError(`message-${name}`, text);
  }
  for (const [name, value] of Object.entries(o.limits ?? {})) {
    if (!LIMITS.includes(name)) {
      throw new ConfigError("message-limits", `limits has no "${name}"; it has ${LIMITS.join(", ")}`);
    }
    if (typeof value === "number" && value >= 0) continue;
    throw new ConfigError("message-limits", `limits.${name} must be a number of at least 0, not ${value}`);
  }
  for (const [i, m] of (o.modules ?? []).entries()) {
    if (typeof m === "object" && m !== null && typeof m.name === "string") continue;
    throw new ConfigError("message-module", `modules[${i}] must be an object with a name`);
  }
}

/** Where each rank is. */
export function placeRanks(o: JobOptions): readonly NetAddress[] {
  const processes = o.transport?.processes ?? 1;
  return Array.from({ length: o.ranks }, (_, rank) => ({
    rank,
    cluster: o.clusters?.[rank] ?? 0,
    process: o.placement?.[rank] ?? Math.floor((rank * processes) / o.ranks),
  }));
}

/** Credit over one network. @param medium Network that carries frames between processes; default loopback. */
export function defaultSpec(medium = "loopback"): MessageSpec {
  return {
    devices: { net: { module: `builtin:${medium}` } },
    chains: [{ name: "default", layers: ["credit", "net"] }],
  };
}

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

/** The program of a rank. */
export function programOf(o: JobOptions, rank: number): RankProgram {
  const p = o.program;
  return typeof p === "function" ? p : p?.[rank] ?? ((): void => {});
}

/** Checks the options. @throws {ConfigError} For everything that is wrong with them. */
export function checkJob(o: JobOptions): JobOptions {
  if (!Number.isInteger(o.ranks) || o.ranks < 1 || o.ranks > MAX_RANKS) {
    throw new ConfigError("message-ranks", `ranks must be an integer from 1 to ${MAX_RANKS}, not ${o.ranks}`);
  }
  if ((o.program === undefined) === (o.node === undefined)) {
    throw new ConfigError("message-program", "A job needs a program (or node, which makes nodes of another kind)");
  }
  if (Array.isArray(o.program) && o.program.length !== o.ranks) {
    throw new ConfigError("message-program", `There are ${o.program.length} programs for ${o.ranks} ranks`);
  }
  if (o.clusters !== undefined && o.clusters.length !== o.ranks) {
    throw new ConfigError("message-clusters", `clusters names ${o.clusters.length} ranks of ${o.ranks}`);
  }
  if (o.placement !== undefined && o.placement.length !== o.ranks) {
    throw new ConfigError("message-placement", `placement names ${o.placement.length} ranks of ${o.ranks}`);
  }
  return o;
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

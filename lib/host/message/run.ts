/**
 * Running one job on several Workers, or on several processes by tcp or mpi. Functions cannot travel, so the job is
 * described by a module: it exports `describe`, which gives the options of a cluster for the arguments of the run. Every
 * process loads the module, runs its own nodes, and learns the results of all. Cold.
 *
 * @example A module that describes a job
 * ```ts
 * import type { ClusterOptions } from "../../machine/message/cluster.ts";
 *
 * export function describe(args: { nodes: number }): ClusterOptions {
 *   return { nodes: args.nodes, program: async (rank) => await rank.mesh() };
 * }
 * ```
 */
import { ConfigError } from "../../core/errors.ts";
import { cluster, type ClusterOptions } from "../../machine/message/cluster.ts";
import type { JobProgress, JobResult, JobRunOptions } from "../../vmi/message/job.ts";
import type { Transport } from "../../vmi/message/transport.ts";
import { hostClock } from "./clock.ts";
import { joinMpi } from "./mpi_transport.ts";
import { joinTcp, type TcpOptions } from "./tcp_transport.ts";
import { RING_BYTES, ringMemory, WorkerTransport } from "./worker_transport.ts";

/** Arguments of a description; plain data. */
export type DescribeArgs = { readonly [name: string]: unknown };

/** Runs this process's part of a job described by a module, over a transport, and closes the transport. */
export async function runPart(
  module: string | URL,
  args: DescribeArgs,
  transport: Transport,
  run: JobRunOptions = {},
): Promise<JobResult> {
  try {
    return await cluster(await described(module, args, transport)).run(run);
  } finally {
    await transport.close();
  }
}

async function described(module: string | URL, args: DescribeArgs, transport: Transport): Promise<ClusterOptions> {
  const loaded = await import(String(module)) as {
    describe?: (args: DescribeArgs) => ClusterOptions | Promise<ClusterOptions>;
  };
  if (typeof loaded.describe !== "function") {
    throw new ConfigError("message-module", `${module} does not export a function describe(args)`);
  }
  const options = await loaded.describe(args);
  return { ...options, transport, ...(options.time === "real" ? { clock: options.clock ?? hostClock() } : {}) };
}

/** Options of {@linkcode runOnWorkers}. */
export interface WorkerRunOptions {
  /** Workers. */
  readonly workers: number;
  /** Arguments of the description. */
  readonly args?: DescribeArgs;
  /** Bytes of a ring; default 1 MiB. */
  readonly ringBytes?: number;
  /** Ends the run at this time, ns. */
  readonly untilNs?: number;
  /** Told now and then how far the Workers are, together: the time of the furthest, the rest in sum. */
  readonly onProgress?: (progress: JobProgress) => void;
}

/** What a Worker is told. */
export interface WorkerTask {
  /** Rings and doorbells. */
  readonly memory: SharedArrayBuffer;
  /** Its number. */
  readonly process: number;
  /** All. */
  readonly processes: number;
  /** Address of the module. */
  readonly module: string;
  /** Arguments of the description. */
  readonly args: DescribeArgs;
  /** Ends the run at this time, ns. */
  readonly untilNs: number | undefined;
  /** Does anybody want to know how far it is? */
  readonly watched: boolean;
}

/** What a Worker answers: any number of reports, then one of the others. */
export type WorkerAnswer =
  | { readonly progress: JobProgress }
  | { readonly result: JobResult }
  | { readonly error: string };

/**
 * Runs a job on Workers.
 * @throws {ConfigError} message-workers, message-worker: one of them failed.
 */
export async function runOnWorkers(module: string | URL, options: WorkerRunOptions): Promise<JobResult> {
  const { workers, args = {}, ringBytes = RING_BYTES, untilNs, onProgress } = options;
  if (!Number.isInteger(workers) || workers < 1 || workers > 64) {
    throw new ConfigError("message-workers", `workers must be an integer from 1 to 64, not ${workers}`);
  }
  const memory = ringMemory(workers, ringBytes);
  const all: Worker[] = [];
  const progress = new Map<number, JobProgress>();
  const report = (process: number, p: JobProgress): void => {
    progress.set(process, p);
    onProgress?.(together([...progress.values()]));
  };
  try {
    const answers = Array.from({ length: workers }, (_, process) => {
      const worker = new Worker(new URL("./worker_main.ts", import.meta.url), { type: "module" });
      all.push(worker);
      return new Promise<FinalAnswer>((resolve) => {
        worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>): void => {
          if ("progress" in data) report(process, data.progress);
          else resolve(data);
        };
        worker.onerror = (e): void => {
          e.preventDefault();
          resolve({ error: e.message });
        };
        const job = { module: String(module), args, untilNs, watched: onProgress !== undefined };
        const task: WorkerTask = { memory, process, processes: workers, ...job };
        worker.postMessage(task);
      });
    });
    return merge(await firstFailure(answers));
  } finally {
    for (const w of all) w.terminate();
  }
}

type FinalAnswer = Exclude<WorkerAnswer, { readonly progress: JobProgress }>;

function together(all: readonly JobProgress[]): JobProgress {
  return all.reduce((a, b) => ({
    time: Math.max(a.time, b.time),
    live: a.live + b.live,
    messages: a.messages + b.messages,
  }));
}

/** All answers, or an error as soon as one Worker fails: the others would wait for it. */
async function firstFailure(answers: readonly Promise<FinalAnswer>[]): Promise<JobResult[]> {
  return await Promise.all(answers.map(async (answer, n) => {
    const a = await answer;
    if ("error" in a) throw new ConfigError("message-worker", `Worker ${n} failed: ${a.error}`);
    return a.result;
  }));
}

/** One result of those of all parts: all know all ranks; each has its own log and trace. */
function merge(parts: readonly JobResult[]): JobResult {
  const [first] = parts;
  return {
    ...first,
    log: parts.flatMap((p) => p.log),
    trace: parts.flatMap((p) => p.trace).sort((a, b) => a.time - b.time || a.rank - b.rank),
  };
}

/** The part of a Worker; called by its main file. */
export async function workerPart(task: WorkerTask, report: (progress: JobProgress) => void): Promise<WorkerAnswer> {
  const { untilNs } = task;
  try {
    const transport = new WorkerTransport(task.memory, task.process, task.processes);
    const run = {
      ...(untilNs === undefined ? {} : { untilNs }),
      ...(task.watched ? { onProgress: report } : {}),
    };
    return { result: await runPart(task.module, task.args, transport, run) };
  } catch (e) {
    return { error: e instanceof Error ? `${e.name}: ${e.message}` : String(e) };
  }
}

/** Runs this process's part of a job over tcp. @throws {ConfigError} message-key, message-tcp, and those of the job */
export async function runOverTcp(
  module: string | URL,
  options: TcpOptions,
  args: DescribeArgs = {},
): Promise<JobResult> {
  return await runPart(module, args, await joinTcp(options));
}

/** Runs this process's part of a job under `mpirun`. @throws {ConfigError} message-mpi, and those of the job */
export async function runOverMpi(module: string | URL, args: DescribeArgs = {}, library?: string): Promise<JobResult> {
  return await runPart(module, args, joinMpi(library));
}

/** Runs one job in several parts, each over its own end of a transport, in one process: so programs may be closures. */
import { ringMemory, WorkerTransport } from "../../../lib/host/message/worker_transport.ts";
import { joinTcp } from "../../../lib/host/message/tcp_transport.ts";
import { cluster, type ClusterOptions } from "../../../lib/machine/message/cluster.ts";
import { job, type JobOptions, type JobResult } from "../../../lib/vmi/message/job.ts";
import type { Transport } from "../../../lib/vmi/message/transport.ts";

/** Ends of rings; none blocks its thread. */
export function ringEnds(parts: number, ringBytes: number = 1 << 16): Transport[] {
  const memory = ringMemory(parts, ringBytes);
  return Array.from({ length: parts }, (_, p) => new WorkerTransport(memory, p, parts, false));
}

/** Sockets on the loopback address. */
export async function tcpEnds(parts: number): Promise<Transport[]> {
  const key = "only for this test";
  let port = 0;
  let known: (port: number) => void = () => {};
  const ready = new Promise<number>((resolve) => known = resolve);
  const zero = joinTcp({ key, process: 0, processes: parts, first: { port: 0 }, onListen: (p) => known(p) });
  port = await ready;
  const rest = Array.from(
    { length: parts - 1 },
    (_, i) => joinTcp({ key, process: i + 1, processes: parts, first: { port } }),
  );
  return await Promise.all([zero, ...rest]);
}

/** Runs a job in parts; the result of the first part, with the traces of all. */
export async function runSplit(options: JobOptions, ends: readonly Transport[]): Promise<JobResult> {
  return await merged(ends, (transport) => job({ ...options, transport }).run());
}

/** Runs a cluster in parts. */
export async function clusterSplit(options: ClusterOptions, ends: readonly Transport[]): Promise<JobResult> {
  return await merged(ends, (transport) => cluster({ ...options, transport }).run());
}

async function merged(ends: readonly Transport[], run: (t: Transport) => Promise<JobResult>): Promise<JobResult> {
  const results = await Promise.all(ends.map(run));
  await Promise.all(ends.map((t) => t.close()));
  const trace = results.flatMap((r) => r.trace).sort((a, b) => a.time - b.time || a.rank - b.rank);
  return { ...results[0], trace };
}

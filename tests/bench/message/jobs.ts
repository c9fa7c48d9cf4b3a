/**
 * Jobs of the message benchmarks, in real time, in the manner of the OSU micro-benchmarks: half round trip, and windows of
 * messages that one message answers. The best of several batches counts, since the host is shared. Cold.
 */
import { type ClusterOptions, ep, type MessageRank, pingPongGuest } from "../../../mod.ts";

/** Sizes that are measured, bytes. */
export const SIZES: readonly number[] = [8, 64, 1024, 8192, 65536, 524288, 4194304];
/** Sizes guests exchange; their library's receive buffer is at most 1 MiB. */
export const GUEST_SIZES: readonly number[] = [8, 1024, 65536];
/** Messages of a window. */
const WINDOW = 64;
/** Bytes of a window at most. */
const WINDOW_BYTES = 1 << 25;
/** Batches of a size. */
export const BATCHES = 12;

/** Round trips of a batch. */
export function rounds(size: number): number {
  return Math.max(2, Math.min(500, Math.floor((1 << 23) / (size + 4096))));
}

/** Half of a round trip, us: the best batch. */
async function latency(rank: MessageRank, size: number): Promise<number> {
  const c = rank.to(1 - rank.rank);
  const region = rank.register(new Uint8Array(size));
  const send = (): void => void c.send([{ region, offset: 0, length: size }]);
  const n = rounds(size);
  let best = Infinity;
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = performance.now();
    for (let i = 0; i < n; i++) {
      if (rank.rank === 1) await rank.receive();
      send();
      if (rank.rank === 0) await rank.receive();
    }
    best = Math.min(best, ((performance.now() - start) * 1000) / (2 * n));
  }
  return best;
}

/** Megabytes (10^6) a second from rank 0 to rank 1: the best batch. */
async function bandwidth(rank: MessageRank, size: number): Promise<number> {
  const c = rank.to(1 - rank.rank);
  const region = rank.register(new Uint8Array(size));
  const window = Math.max(2, Math.min(WINDOW, Math.floor(WINDOW_BYTES / size)));
  const windows = Math.max(1, Math.floor(rounds(size) / 16));
  let best = 0;
  for (let batch = 0; batch < BATCHES / 2; batch++) {
    const start = performance.now();
    for (let w = 0; w < windows; w++) {
      for (let i = 0; i < window; i++) {
        if (rank.rank === 1) await rank.receive();
        else if (c.send([{ region, offset: 0, length: size }]) !== 0) throw new Error("window too large");
      }
      if (rank.rank === 1) c.sendInline(Uint8Array.of(1));
      else await rank.receive();
    }
    best = Math.max(best, (windows * window * size) / ((performance.now() - start) * 1000));
  }
  return best;
}

/** What rank 0 of the job `osu` returns: half round trips in us and MB/s, by size. */
export interface OsuResult {
  /** Half round trips, us. */
  readonly latency: readonly number[];
  /** MB/s. */
  readonly bandwidth: readonly number[];
}

async function osu(rank: MessageRank): Promise<OsuResult | undefined> {
  await rank.mesh();
  const result = { latency: [] as number[], bandwidth: [] as number[] };
  for (const size of SIZES) {
    result.latency.push(await latency(rank, size));
    result.bandwidth.push(await bandwidth(rank, size));
  }
  return rank.rank === 0 ? result : undefined;
}

/** Describes a job: `osu`, `guest` with `size`, or `ep` with `nodes` and `m`; over `medium`. */
export function describe(args: { [name: string]: unknown }): ClusterOptions {
  const base = { nodes: 2, time: "real", spec: { chains: [{ name: "c", layers: [String(args["medium"])] }] } } as const;
  switch (args["job"]) {
    case "guest":
      return { ...base, program: pingPongGuest(Number(args["size"]), 40 * rounds(Number(args["size"]))) };
    case "ep":
      return { ...base, nodes: Number(args["nodes"]), program: ep(Number(args["m"])) };
    default:
      return { ...base, program: osu };
  }
}

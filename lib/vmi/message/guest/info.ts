/**
 * Blocks the commands INFO and QUERY write. INFO, 64 bytes: rank, size, cluster, clusters, features, largest inline
 * message, largest message, registrations (u32 each), time in ns (u64), zeros. QUERY, 32 bytes: state, one-way latency
 * in us, messages sent, messages received (u32 each), name of the chain's lowest layer (16 bytes). Cold.
 */
import { AdapterFeature } from "../../../spec/message_abi.ts";
import type { Connection } from "../connection.ts";
import type { ConnectionState } from "../connection_host.ts";
import type { Runtime } from "../runtime.ts";
import { INLINE_MAX } from "./entry.ts";

/** Everything an adapter can do. */
export function features(runtime: Runtime): number {
  const all = Object.values(AdapterFeature).reduce((a, b) => a | b, 0);
  return runtime.isVirtual ? all : all & ~AdapterFeature.virtualTime;
}

/** Clusters of the job. */
export function clusterCount(runtime: Runtime): number {
  return new Set(runtime.addresses.map((a) => a.cluster)).size;
}

/** Block of INFO. */
export function infoBlock(runtime: Runtime): Uint8Array {
  const out = new Uint8Array(64);
  const v = new DataView(out.buffer);
  const { rank, size, local, limits } = runtime;
  const words = [
    rank,
    size,
    local.cluster,
    clusterCount(runtime),
    features(runtime),
    INLINE_MAX,
    limits.maxMessage,
    4096,
  ];
  words.forEach((w, i) => v.setUint32(4 * i, w, true));
  v.setBigUint64(32, BigInt(Math.floor(runtime.now())), true);
  return out;
}

const STATES: readonly ConnectionState[] = [
  "idle",
  "connecting",
  "connected",
  "rejected",
  "error",
  "disconnecting",
  "disconnected",
];

/** Block of QUERY. */
export function queryBlock(c: Connection): Uint8Array {
  const out = new Uint8Array(32);
  const v = new DataView(out.buffer);
  const words = [STATES.indexOf(c.state), Math.round(c.oneWayLatencyUs), c.counters.sent, c.counters.received];
  words.forEach((w, i) => v.setUint32(4 * i, w, true));
  out.set(new TextEncoder().encode(c.chain?.names.at(-1) ?? "").subarray(0, 16), 16);
  return out;
}

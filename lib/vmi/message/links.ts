/**
 * What went over each connection of a job, as plain data: counters of the connection, the chain it used, and what the
 * layers of that chain say of themselves. Cold.
 */
import type { ConnectionState } from "./connection_host.ts";
import type { ControlAnswer } from "./module.ts";
import type { JobNode } from "./node.ts";

/** One direction of one connection, as its sender saw it. */
export interface LinkReport {
  /** Sender. */
  readonly from: number;
  /** Receiver. */
  readonly to: number;
  /** Where the connection stood at the end. */
  readonly state: ConnectionState;
  /** Stream messages sent, those of collectives included. */
  readonly messages: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Stream messages that came back. */
  readonly received: number;
  /** Their bytes. */
  readonly receivedBytes: number;
  /** Frames of the peer that never came. */
  readonly lost: number;
  /** Frames of the peer that came again or too late. */
  readonly duplicate: number;
  /** One-way latency, us. */
  readonly latencyUs: number;
  /** Names of the layers, top first. */
  readonly chain: readonly string[];
  /** What layers answer when asked, by name; composites' children included. */
  readonly layers: { readonly [name: string]: ControlAnswer };
}

/** Reports of all connections that ranks of these nodes have used. */
export function linksOf(nodes: readonly JobNode[]): LinkReport[] {
  return nodes.flatMap(({ runtime }) =>
    runtime.connections.filter(({ counters: c }) => c.sent + c.received > 0).map((c) => ({
      from: runtime.rank,
      to: c.peer,
      state: c.state,
      messages: c.counters.sent,
      bytes: c.counters.sentBytes,
      received: c.counters.received,
      receivedBytes: c.counters.receivedBytes,
      lost: c.counters.lost,
      duplicate: c.counters.duplicate,
      latencyUs: c.oneWayLatencyUs,
      chain: c.chain?.names ?? [],
      layers: c.chain?.query() ?? {},
    }))
  );
}

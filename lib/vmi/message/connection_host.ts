/**
 * What a connection is to its neighbours: its states and counters, its limits, and what it needs of its runtime.
 * Contracts only. Cold.
 */
import type { Status } from "../../spec/message_abi.ts";
import type { Chain } from "./chain.ts";
import type { Connection } from "./connection.ts";
import type { MessageEvent, Token } from "./events.ts";
import type { Frame } from "./frame.ts";
import type { ChainChange } from "./reconfigure.ts";

/** Where a connection stands. */
export type ConnectionState =
  | "idle"
  | "connecting"
  | "connected"
  | "rejected"
  | "error"
  | "disconnecting"
  | "disconnected";

/** Answer to a request to connect. */
export type ConnectResponse = "accept" | "reject" | "error";

/** What a connection needs of its runtime. */
export interface ConnectionHost {
  /** This rank. */
  readonly rank: number;
  /** Limits of the job. */
  readonly limits: Limits;
  /** Is time virtual? */
  readonly isVirtual: boolean;
  /** Has this rank ended? Requests are then refused. */
  readonly isFinalized: boolean;
  /** Time, ns. */
  now(): number;
  /** Time of the event being handled, ns. */
  readonly eventTime: number;
  /** Bytes that wait to leave this process, of all connections; 0 in virtual time, where none of them counts. */
  readonly backlog: number;
  /** Makes a timer. */
  timer(fire: () => void): { armAt(time: number): void; cancel(): void };
  /** A fresh number for publications and operations. */
  number(): number;
  /** Reports. */
  emit(event: MessageEvent): void;
  /** A message of a collective operation. */
  internal(source: number, tag: number, data: Uint8Array): void;
  /** The chain by which `peer` is reached by default, or chain number `chain`; undefined: not reachable. */
  chain(connection: Connection, chain?: number): { readonly chain: Chain; readonly number: number } | undefined;
  /** Begins a change of filters at the peer and here. */
  reconfigure(connection: Connection, change: ChainChange, token: Token): Status;
  /** Is a rank gone for good? */
  isLost(peer: number): boolean;
  /** A connection begins. */
  began(peer: number): void;
  /** A management frame arrived. */
  control(connection: Connection, frame: Frame): void;
}

/** Bounds of a runtime. */
export interface Limits {
  /** Largest message, put or get; bytes. */
  readonly maxMessage: number;
  /** Largest inline message; bytes. */
  readonly maxInline: number;
  /** Bytes that may wait in a connection's chain before operations answer `noResource`. */
  readonly maxQueued: number;
  /** How long connecting and disconnecting may take, ns. */
  readonly connectNs: number;
}

/** Counters of a connection. */
export interface ConnectionCounters {
  /** Stream messages sent, those of collectives included. */
  sent: number;
  /** Their bytes. */
  sentBytes: number;
  /** Stream messages received. */
  received: number;
  /** Their bytes. */
  receivedBytes: number;
  /** Frames that never came. */
  lost: number;
  /** Frames dropped because they came again or too late. */
  duplicate: number;
  /** Frames whose contents make no sense. */
  malformed: number;
  /** Frames for a connection that was not there. */
  early: number;
}

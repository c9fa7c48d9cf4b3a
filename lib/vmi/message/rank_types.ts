/**
 * What a rank of host-side programs takes and gives. Contracts only. Cold.
 */
import type { Status } from "../../spec/message_abi.ts";
import type { Connection } from "./connection.ts";

/** What a rank needs of the node it runs on. */
export interface RankHost {
  /** Waits until `ready` or the time, ns; the program is not running meanwhile. `resumed` is called before it goes on. */
  block(ready: () => boolean, until: number, resumed: () => void): Promise<void>;
  /** A line for the job's log. */
  log(text: string): void;
}

/** A message taken by {@linkcode MessageRank.receive}. */
export interface Received {
  /** Sender. */
  readonly source: number;
  /** Connection it came by. */
  readonly connection: Connection;
  /** Data; the caller's own. */
  readonly data: Uint8Array;
}

/** Options of {@linkcode MessageRank.connect}. */
export interface ConnectOptions {
  /** Data for the peer's handler. */
  readonly data?: Uint8Array;
  /** Chain by name; default: the first that fits. */
  readonly chain?: string;
}

/** How an attempt to connect ended. */
export interface ConnectResult {
  /** Success, or why not. */
  readonly status: Status;
  /** The connection, whatever its state. */
  readonly connection: Connection;
  /** Data of the peer's answer. */
  readonly data: Uint8Array;
}

/**
 * What the runtime reports to whoever uses it: a host-side rank, which runs handlers for it, or a guest's adapter, which
 * writes completions. Contracts only. Warm.
 */
import type { Status } from "../../spec/message_abi.ts";
import type { Connection } from "./connection.ts";
import type { LinkEvent } from "./module.ts";

/** Given with an operation and returned with its completion; opaque to the runtime. */
export type Token = unknown;

/** A peer's published buffer. */
export interface RemoteBuffer {
  /** Connection it came by; it is valid on this one only. */
  readonly connection: Connection;
  /** The publisher's number. */
  readonly id: number;
  /** Tells uses of the same number apart. */
  readonly generation: number;
  /** Bytes. */
  readonly size: number;
  /** 64 bits the publisher chose for us. */
  readonly peerContext: bigint;
  /** False after the publisher took it back, after release, and after the connection ended. */
  readonly isLive: boolean;
  /** Forgets it. */
  release(): void;
}

/** One thing to report. */
export type MessageEvent =
  /** A peer asks to connect; answer with `connection.respond`. */
  | { readonly kind: "request"; readonly connection: Connection; readonly data: Uint8Array }
  /** Our own request ended. */
  | {
    readonly kind: "connected";
    readonly connection: Connection;
    readonly status: Status;
    readonly data: Uint8Array;
    readonly token: Token;
  }
  /** The connection ended: the peer asked, or it failed. */
  | { readonly kind: "disconnected"; readonly connection: Connection; readonly status: Status }
  /** A stream message. Call `connection.consumed` when its data was taken. */
  | {
    readonly kind: "message";
    readonly connection: Connection;
    readonly data: Uint8Array;
    readonly frames: number;
    readonly multicast: boolean;
    readonly arrived: number;
  }
  /** A peer lends us a buffer. */
  | {
    readonly kind: "published";
    readonly connection: Connection;
    readonly buffer: RemoteBuffer;
    readonly data: Uint8Array;
  }
  /** A peer wrote to our buffer and wanted us to know. */
  | {
    readonly kind: "put";
    readonly connection: Connection;
    readonly size: number;
    readonly context: number;
    readonly status: Status;
  }
  /** A peer has read our buffer and wanted us to know. */
  | { readonly kind: "got"; readonly connection: Connection; readonly context: number; readonly status: Status }
  /** An operation of ours is complete. */
  | { readonly kind: "done"; readonly status: Status; readonly token: Token; readonly data?: Uint8Array }
  /** Something happened below a connection. */
  | { readonly kind: "link"; readonly connection: Connection; readonly event: LinkEvent };

/** The program has taken an event, or will never: its sender may go on. */
export function settle(event: MessageEvent): void {
  if (event.kind === "message") event.connection.consumed(event.frames, event.data.length);
  else if (event.kind === "published" || event.kind === "put" || event.kind === "got") event.connection.consumed(1, 0);
}

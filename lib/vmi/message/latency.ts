/**
 * One-way latency of a connection. In virtual time it is what the chain is configured for; in real time eight pings are
 * sent when the connection begins, and it is half of the fastest round trip. Warm.
 */
import { FrameType } from "../../spec/message_abi.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionHost } from "./connection_host.ts";
import type { Frame } from "./frame.ts";
import { packFields, unpackFields } from "./operation.ts";

const PINGS = 8;

/** Measures one connection. */
export class LatencyProbe {
  readonly #c: Connection;
  readonly #host: ConnectionHost;
  #best = Infinity;
  #left = 0;

  /** Made by a connection. @param connection Its owner. @param host The runtime. */
  constructor(connection: Connection, host: ConnectionHost) {
    this.#c = connection;
    this.#host = host;
  }

  /** Microseconds; 0 while nothing is known. */
  get us(): number {
    if (this.#host.isVirtual) return (this.#c.chain?.latencyNs ?? 0) / 1000;
    return this.#best === Infinity ? 0 : this.#best / 2000;
  }

  /** The connection began. The lower rank asks, both learn. */
  begin(): void {
    if (this.#host.isVirtual) return;
    this.#left = PINGS;
    this.#ping();
  }

  /** A ping or its answer; false: malformed. */
  received(frame: Frame): boolean {
    const f = unpackFields(frame, 1);
    if (f === undefined) return false;
    if (!this.#c.isConnected) return true;
    if (frame.type === FrameType.ping) {
      this.#c.post(FrameType.pong, 0, frame.extensions);
      return true;
    }
    const trip = this.#host.now() - f.number(0);
    if (trip >= 0 && trip < this.#best) this.#best = trip;
    this.#ping();
    return true;
  }

  #ping(): void {
    if (this.#left-- > 0) this.#c.post(FrameType.ping, 0, [packFields(Math.max(0, Math.floor(this.#host.now())))]);
  }
}

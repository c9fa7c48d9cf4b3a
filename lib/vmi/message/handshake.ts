/**
 * Connecting and disconnecting. A request carries data to the peer's accept handler, which answers accept, reject or
 * error; both sides may ask at once and get the one connection they share. Ending mirrors it. Neither waits for ever:
 * after the limit the operation ends with `timeout`. Warm.
 */
import { FrameType, MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionHost, ConnectResponse } from "./connection_host.ts";
import type { Token } from "./events.ts";
import type { Frame } from "./frame.ts";
import { packFields, unpackFields } from "./operation.ts";

/** Largest data of a request or an answer; bytes. */
export const CONNECT_DATA = 65535;

const CODES: readonly ConnectResponse[] = ["accept", "reject", "error"];
const NONE: Uint8Array<ArrayBuffer> = new Uint8Array(0);

interface Pending {
  readonly token: Token;
  readonly timer: { armAt(time: number): void; cancel(): void };
}

/** The handshake half of a connection. */
export class Handshake {
  readonly #c: Connection;
  readonly #host: ConnectionHost;
  #connecting: Pending | undefined;
  #disconnecting: Pending | undefined;
  #asked = false;

  /** Made by a connection. @param connection Its owner. @param host The runtime. */
  constructor(connection: Connection, host: ConnectionHost) {
    this.#c = connection;
    this.#host = host;
  }

  /** See {@linkcode Connection.connect}. */
  connect(data: Uint8Array, token: Token, chain: number | undefined): Status {
    const c = this.#c;
    if (data.length > CONNECT_DATA) return MessageStatus.invalidArgument;
    if (c.state === "connecting" || c.state === "connected" || c.state === "disconnecting") {
      return MessageStatus.badState;
    }
    if (this.#host.isLost(c.peer) || !c.bind(chain)) return MessageStatus.peerGone;
    c.state = "connecting";
    this.#connecting = this.#pending(token, () => this.#connectEnds(MessageStatus.timeout, NONE));
    c.post(FrameType.connect, 0, [packFields(0)], data.slice());
    return MessageStatus.success;
  }

  /** See {@linkcode Connection.respond}. */
  respond(answer: ConnectResponse, data: Uint8Array): Status {
    const c = this.#c;
    const code = CODES.indexOf(answer);
    if (code < 0 || data.length > CONNECT_DATA) return MessageStatus.invalidArgument;
    if (!this.#asked) return MessageStatus.badState;
    this.#asked = false;
    if (!c.bind()) return MessageStatus.peerGone;
    if (code === 0 && !c.isConnected) {
      // Before the answer goes out, so that a peer that sends at once finds us ready.
      c.state = "connected";
      c.began();
    }
    c.post(FrameType.connectResponse, 0, [packFields(code)], data.slice());
    if (code === 0 && this.#connecting !== undefined) this.#connectEnds(MessageStatus.success, NONE);
    return MessageStatus.success;
  }

  /** See {@linkcode Connection.disconnectWith}. */
  disconnect(token: Token): Status {
    const c = this.#c;
    if (!c.isConnected) return MessageStatus.notConnected;
    c.state = "disconnecting";
    this.#disconnecting = this.#pending(token, () => this.#disconnectEnds(MessageStatus.timeout));
    c.post(FrameType.disconnect, 0, [packFields(0)]);
    return MessageStatus.success;
  }

  /** See {@linkcode Connection.fail}. */
  fail(status: Status): void {
    const c = this.#c;
    if (this.#connecting !== undefined) this.#connectEnds(status, NONE);
    else if (this.#disconnecting !== undefined) this.#disconnectEnds(status);
    else if (c.isConnected) {
      c.state = "disconnected";
      c.ended(MessageStatus.linkDown);
      this.#host.emit({ kind: "disconnected", connection: c, status });
    }
  }

  /** A frame of the handshake; false: malformed. */
  received(frame: Frame): boolean {
    const f = unpackFields(frame, 1);
    if (f === undefined) return false;
    switch (frame.type) {
      case FrameType.connect:
        return this.#request(frame.payload);
      case FrameType.connectResponse:
        return this.#response(f.number(0), frame.payload);
      case FrameType.disconnect:
        return this.#peerLeaves();
      case FrameType.disconnectResponse:
        if (this.#disconnecting !== undefined) this.#disconnectEnds(MessageStatus.success);
        return true;
      default:
        return false;
    }
  }

  #request(data: Uint8Array): boolean {
    const c = this.#c;
    this.#asked = true;
    if (this.#host.isFinalized || c.state === "disconnecting") this.respond("error", NONE);
    else if (c.isConnected) this.respond("accept", NONE);
    else this.#host.emit({ kind: "request", connection: c, data });
    return true;
  }

  #response(code: number, data: Uint8Array): boolean {
    const c = this.#c;
    if (code >= CODES.length) return false;
    if (this.#connecting === undefined) {
      // The answer came after we gave up: tell the peer that there is no connection.
      if (code === 0 && !c.isConnected && c.state !== "disconnecting") c.post(FrameType.disconnect, 0, [packFields(0)]);
      return true;
    }
    if (code === 0) {
      c.state = "connected";
      c.began();
    }
    const status = [MessageStatus.success, MessageStatus.rejected, MessageStatus.badState][code];
    this.#connectEnds(status, data);
    return true;
  }

  #peerLeaves(): boolean {
    const c = this.#c;
    const wasOpen = c.isConnected;
    if (!c.bind()) return true;
    c.post(FrameType.disconnectResponse, 0, [packFields(0)]);
    if (wasOpen) {
      c.state = "disconnected";
      c.ended(MessageStatus.cancelled);
      this.#host.emit({ kind: "disconnected", connection: c, status: MessageStatus.success });
    }
    return true;
  }

  #connectEnds(status: Status, data: Uint8Array): void {
    const c = this.#c;
    const pending = this.#connecting;
    if (pending === undefined) return;
    this.#connecting = undefined;
    pending.timer.cancel();
    if (status === MessageStatus.rejected) c.state = "rejected";
    else if (status !== MessageStatus.success) c.state = "error";
    this.#host.emit({ kind: "connected", connection: c, status, data, token: pending.token });
  }

  #disconnectEnds(status: Status): void {
    const c = this.#c;
    const pending = this.#disconnecting;
    if (pending === undefined) return;
    this.#disconnecting = undefined;
    pending.timer.cancel();
    c.state = "disconnected";
    c.ended(status === MessageStatus.success ? MessageStatus.cancelled : MessageStatus.linkDown);
    this.#host.emit({ kind: "done", status, token: pending.token });
  }

  #pending(token: Token, expire: () => void): Pending {
    const timer = this.#host.timer(expire);
    timer.armAt(this.#host.now() + this.#host.limits.connectNs);
    return { token, timer };
  }
}

/**
 * Connection: this end of the link between two ranks. It numbers frames, cuts long messages into fragments and joins
 * them, keeps order, and hands the rest to its two halves: the handshake and remote memory access.
 *
 * There is one connection per pair of ranks (and one of a rank with itself); it can be made again after it ended.
 * Messages are delivered in order and at most once whatever the chain does; what a chain without a reliable layer loses
 * is counted and reported as a link event. Warm.
 */
import { FrameType, MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import type { Chain } from "./chain.ts";
import type { ConnectionCounters, ConnectionHost, ConnectionState, ConnectResponse } from "./connection_host.ts";
import type { RemoteBuffer, Token } from "./events.ts";
import { type Extension, type Frame, FrameFlag } from "./frame.ts";
import { Handshake } from "./handshake.ts";
import { LatencyProbe } from "./latency.ts";
import { gather, type MemoryRegion, type Piece, totalBytes } from "./memory.ts";
import type { ChainChange, Reconfiguration } from "./reconfigure.ts";
import type { LinkEvent } from "./module.ts";
import { type Fields, packFields, unpackFields } from "./operation.ts";
import { type Publication, type PublishOptions, Rdma, type RdmaOp } from "./rdma.ts";
import type { Slab } from "./slab.ts";

const NO_FIELDS: readonly Extension[] = [];

/** This end of a connection. */
export class Connection {
  /** The other rank. */
  readonly peer: number;
  /** The user's own. */
  context: unknown = undefined;
  /** Where it stands. */
  state: ConnectionState = "idle";
  /** Counters. */
  readonly counters: ConnectionCounters = {
    sent: 0,
    sentBytes: 0,
    received: 0,
    receivedBytes: 0,
    lost: 0,
    duplicate: 0,
    malformed: 0,
    early: 0,
  };
  /** Handlers of host programs; run by `poll`. */
  readonly handlers: {
    publish?: (buffer: RemoteBuffer, data: Slab) => void;
    put?: (size: number, context: number, status: Status) => void;
    get?: (context: number, status: Status) => void;
  } = {};
  /** Changes of the filter list in progress. */
  reconfiguration: Reconfiguration | undefined = undefined;
  readonly #host: ConnectionHost;
  readonly #handshake: Handshake;
  readonly #rdma: Rdma;
  readonly #latency: LatencyProbe;
  #send: Chain | undefined;
  #chainNumber = 0;
  #sequence = 0;
  #expected = 1;
  #parts: Uint8Array[] = [];
  #partBytes = 0;

  /** Made by a runtime. @param host The runtime. @param peer The other rank. */
  constructor(host: ConnectionHost, peer: number) {
    this.#host = host;
    this.peer = peer;
    this.#handshake = new Handshake(this, host);
    this.#rdma = new Rdma(this, host);
    this.#latency = new LatencyProbe(this, host);
  }

  /** Is it open for traffic? */
  get isConnected(): boolean {
    return this.state === "connected";
  }

  /** The send chain. @throws nothing; undefined before the connection is bound. */
  get chain(): Chain | undefined {
    return this.#send;
  }

  /** Number of the send chain in the spec. */
  get chainNumber(): number {
    return this.#chainNumber;
  }

  /** One-way latency in microseconds: measured in real time, configured in virtual time. */
  get oneWayLatencyUs(): number {
    return this.#latency.us;
  }

  // --- set-up and teardown

  /** Chooses the send chain; false: the peer cannot be reached so. */
  bind(chain?: number): boolean {
    if (this.#send !== undefined && (chain === undefined || chain === this.#chainNumber)) return true;
    const found = this.#host.chain(this, chain);
    if (found === undefined) return false;
    this.#send = found.chain;
    this.#chainNumber = found.number;
    return true;
  }

  /** Asks the peer to connect; the answer is an event. */
  connect(data: Uint8Array = new Uint8Array(0), token?: Token, chain?: number): Status {
    return this.#handshake.connect(data, token, chain);
  }

  /** Answers a peer's request. */
  respond(answer: ConnectResponse, data: Uint8Array = new Uint8Array(0)): Status {
    return this.#handshake.respond(answer, data);
  }

  /** Ends the connection; complete when the peer knows. */
  disconnectWith(token?: Token): Status {
    return this.#handshake.disconnect(token);
  }

  /** The connection cannot go on. */
  fail(status: Status): void {
    this.#handshake.fail(status);
  }

  /** Called by the handshake when traffic ends: operations in flight end with `status`. */
  ended(status: Status): void {
    this.#rdma.cancel(status);
    this.#parts = [];
    this.#partBytes = 0;
  }

  /** Called by the handshake when traffic begins. */
  began(): void {
    this.#host.began(this.peer);
    this.#latency.begin();
  }

  // --- stream messages

  /** Sends a copy of the parts; they may be reused at once. At most the inline limit. */
  sendInline(...parts: readonly Uint8Array[]): Status {
    let size = 0;
    for (const p of parts) size += p.length;
    if (size > this.#host.limits.maxInline) return MessageStatus.invalidArgument;
    const data = new Uint8Array(size);
    let at = 0;
    for (const p of parts) {
      data.set(p, at);
      at += p.length;
    }
    return this.sendBytes(data, 0, 0);
  }

  /** Sends registered memory; it is lent until the completion. */
  send(pieces: readonly Piece[], token?: Token): Status {
    const size = totalBytes(pieces);
    if (size < 0 || size > this.#host.limits.maxMessage) return MessageStatus.invalidArgument;
    const data = new Uint8Array(size);
    if (!gather(pieces, 0, data)) return MessageStatus.access;
    const status = this.sendBytes(data, 0, 0);
    if (status === MessageStatus.success && token !== undefined) {
      this.#host.emit({ kind: "done", status, token });
    }
    return status;
  }

  /**
   * Sends bytes the caller will not change.
   *
   * @param tag 0: a user's message, otherwise a collective's.
   * @param always However much is queued already.
   */
  sendBytes(data: Uint8Array, flags: number, tag: number, always = false): Status {
    const ready = this.ready(data.length);
    if (ready !== MessageStatus.success && !(always && ready === MessageStatus.noResource)) return ready;
    const max = this.fragment;
    for (let at = 0; at === 0 || at < data.length; at += max) {
      const end = Math.min(at + max, data.length);
      const more = end < data.length ? FrameFlag.more : 0;
      const internal = tag === 0 ? 0 : FrameFlag.internal;
      const type = (flags & FrameFlag.multicast) !== 0 ? FrameType.multicast : FrameType.stream;
      this.post(
        type,
        flags | more | internal,
        [packFields(at, data.length, tag)],
        at === 0 && more === 0 ? data : data.subarray(at, end),
      );
    }
    this.counters.sent++;
    this.counters.sentBytes += data.length;
    return MessageStatus.success;
  }

  /** May `size` bytes be sent now? */
  ready(size: number): Status {
    if (this.state !== "connected" || this.#send === undefined) return MessageStatus.notConnected;
    if (size > this.#host.limits.maxMessage) return MessageStatus.invalidArgument;
    const queued = this.#send.queued + this.#host.backlog;
    return queued > 0 && queued + size > this.#host.limits.maxQueued ? MessageStatus.noResource : MessageStatus.success;
  }

  /** The program took a message's data. */
  consumed(frames: number, bytes: number): void {
    this.#receiveChain?.consumed(frames, bytes);
  }

  // --- remote memory

  /** Lends registered memory to the peer. */
  publish(region: MemoryRegion, options: PublishOptions): Publication {
    return this.#rdma.publish(region, options);
  }

  /** Writes local pieces into a peer's buffer. */
  put(op: RdmaOp, token?: Token): Status {
    return this.#rdma.put(op, token);
  }

  /** Reads from a peer's buffer into local pieces. */
  get(op: RdmaOp, token?: Token): Status {
    return this.#rdma.get(op, token);
  }

  /** Runs when the peer lends a buffer. */
  onPublish(handler: (buffer: RemoteBuffer, data: Slab) => void): void {
    this.handlers.publish = handler;
  }

  /** Runs when the peer wrote with notification. */
  onPut(handler: (size: number, context: number, status: Status) => void): void {
    this.handlers.put = handler;
  }

  /** Runs when the peer has read with notification. */
  onGet(handler: (context: number, status: Status) => void): void {
    this.handlers.get = handler;
  }

  // --- management

  /** Adds a filter, removes one, or changes a parameter, at both ends; complete when both agree. */
  change(change: ChainChange, token?: Token): Status {
    return this.#host.reconfigure(this, change, token);
  }

  // --- frames

  /** Largest payload of one frame. */
  get fragment(): number {
    return Math.max(1, this.#send?.reach.maxFrame ?? 65536);
  }

  /** Sends one frame of the connection's own. */
  post(type: number, flags: number, extensions: readonly Extension[] = NO_FIELDS, payload?: Uint8Array): void {
    const chain = this.#send;
    if (chain === undefined) return;
    chain.down({
      type,
      flags,
      chain: this.#chainNumber,
      source: this.#host.rank,
      destination: this.peer,
      sequence: ++this.#sequence,
      sentAt: this.#host.now(),
      epoch: chain.epoch,
      extensions,
      payload: payload ?? new Uint8Array(0),
    });
  }

  #receiveChain: Chain | undefined;

  /** A frame came up through `chain`. */
  received(frame: Frame, chain: Chain): void {
    this.#receiveChain = chain;
    if (frame.sequence < this.#expected) {
      this.counters.duplicate++;
      return;
    }
    if (frame.sequence > this.#expected) {
      this.counters.lost += frame.sequence - this.#expected;
      this.linkEvent({ kind: "loss", from: chain.names.at(-1) ?? "", to: "", resent: 0 });
    }
    this.#expected = frame.sequence + 1;
    if (!this.#take(frame)) this.counters.malformed++;
    const isMessage = frame.type === FrameType.stream || frame.type === FrameType.multicast;
    const isLast = (frame.flags & (FrameFlag.more | FrameFlag.internal)) === 0;
    // A user's last fragment is consumed when the program takes the message, a frame that became a notification when it
    // takes that; everything else at once.
    if (isMessage && isLast && this.isConnected) return;
    chain.consumed(this.#rdma.hasNotified ? 0 : 1, frame.payload.length);
    this.#rdma.hasNotified = false;
  }

  /** Reports what happened below. */
  linkEvent(event: LinkEvent): void {
    this.#host.emit({ kind: "link", connection: this, event });
  }

  #take(frame: Frame): boolean {
    const t = frame.type;
    if (t === FrameType.stream || t === FrameType.multicast) return this.#stream(frame);
    if (t <= FrameType.disconnectResponse) return this.#handshake.received(frame);
    if (t >= FrameType.publish && t <= FrameType.getDone) return this.#rdma.received(frame);
    if (t === FrameType.ping || t === FrameType.pong) return this.#latency.received(frame);
    if (t === FrameType.control) {
      this.#host.control(this, frame);
      return true;
    }
    return false;
  }

  #stream(frame: Frame): boolean {
    const f = unpackFields(frame, 3);
    if (f === undefined) return false;
    if (!this.isConnected) {
      this.counters.early++;
      return true;
    }
    const data = this.#join(frame, f);
    if (data === "bad") return false;
    if (data === undefined) return true;
    this.counters.received++;
    this.counters.receivedBytes += data.length;
    if ((frame.flags & FrameFlag.internal) !== 0) {
      this.#host.internal(this.peer, f.number(2), data);
      return true;
    }
    const multicast = frame.type === FrameType.multicast;
    this.#host.emit({
      kind: "message",
      connection: this,
      data,
      frames: 1,
      multicast,
      arrived: this.#host.eventTime,
    });
    return true;
  }

  /** Joins fragments; undefined: more to come. */
  #join(frame: Frame, f: Fields): Uint8Array | "bad" | undefined {
    const [offset, total] = [f.number(0), f.number(1)];
    const { payload } = frame;
    const more = (frame.flags & FrameFlag.more) !== 0;
    const end = offset + payload.length;
    if (total > this.#host.limits.maxMessage || end > total || more !== (end < total)) return "bad";
    if (offset === 0) {
      this.#parts = [];
      this.#partBytes = 0;
    } else if (offset !== this.#partBytes) {
      return "bad"; // an earlier fragment was lost
    }
    if (!more && offset === 0) return payload;
    this.#parts.push(payload);
    this.#partBytes = end;
    if (more) return undefined;
    const data = new Uint8Array(total);
    let at = 0;
    for (const p of this.#parts) {
      data.set(p, at);
      at += p.length;
    }
    this.#parts = [];
    this.#partBytes = 0;
    return data;
  }
}

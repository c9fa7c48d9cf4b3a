/**
 * Remote memory access of one connection: published buffers, put and get.
 *
 * Rules: a remote buffer is (connection, number, generation); access outside it or after it was taken back ends with
 * `access` at the initiator and changes nothing at the target. The bytes of a put become visible in ascending order,
 * then the initiator hears that it is done, then, if asked, the target. The notification of a get follows the
 * initiator's completion. Warm.
 */
import { FrameType, MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionHost } from "./connection_host.ts";
import type { MessageEvent, RemoteBuffer, Token } from "./events.ts";
import { type Frame, FrameFlag } from "./frame.ts";
import { gather, type MemoryRegion, type Piece, scatter, totalBytes } from "./memory.ts";
import { packFields, unpackFields } from "./operation.ts";

/** Options of a publication. */
export interface PublishOptions {
  /** u32 that notifications about this buffer carry. */
  readonly context: number;
  /** 64 bits for the peer; default 0. */
  readonly peerContext?: bigint;
  /** Data for the peer's handler. */
  readonly data?: Uint8Array;
}

/** A buffer we lend. */
export interface Publication {
  /** Did the publication go out? */
  readonly status: Status;
  /** Our number of it. */
  readonly id: number;
  /** Takes it back: later access by the peer fails. */
  unpublish(): Status;
}

/** A put or a get. */
export interface RdmaOp {
  /** Local pieces: source of a put, target of a get. */
  readonly local: readonly Piece[];
  /** The peer's buffer. */
  readonly remote: RemoteBuffer;
  /** First byte in it. */
  readonly remoteOffset: number;
  /** Tell the peer when it is done; default false. */
  readonly notify?: boolean;
}

interface Lent {
  readonly region: MemoryRegion;
  readonly generation: number;
  readonly context: number;
}

interface Remote extends RemoteBuffer {
  isLive: boolean;
}

interface Operation {
  readonly token: Token;
  readonly local: readonly Piece[];
  readonly length: number;
  done: number;
}

/** Remote memory access of one connection. */
export class Rdma {
  /** Has the last frame become a notification, which the program has to take? */
  hasNotified = false;
  readonly #c: Connection;
  readonly #host: ConnectionHost;
  readonly #lent: Map<number, Lent> = new Map();
  readonly #remote: Map<number, Remote> = new Map();
  readonly #operations: Map<number, Operation> = new Map();
  /** Gets we answered and whose notification is due: operation to context. */
  readonly #reading: Map<number, number> = new Map();
  #incoming: { op: number; bytes: number } = { op: 0, bytes: 0 };

  /** Made by a connection. @param connection Its owner. @param host The runtime. */
  constructor(connection: Connection, host: ConnectionHost) {
    this.#c = connection;
    this.#host = host;
  }

  /** See {@linkcode Connection.publish}. */
  publish(region: MemoryRegion, options: PublishOptions): Publication {
    const { context, peerContext = 0n, data = new Uint8Array(0) } = options;
    const id = this.#host.number();
    const generation = this.#host.number();
    const bad = region.references === 0 || !Number.isInteger(context) || context < 0 || context > 0xffffffff ||
      data.length > this.#c.fragment;
    const status = bad ? MessageStatus.invalidArgument : this.#c.ready(data.length);
    if (status !== MessageStatus.success) return { status, id, unpublish: () => MessageStatus.invalidHandle };
    this.#lent.set(id, { region, generation, context });
    this.#c.post(FrameType.publish, 0, [packFields(id, generation, region.length, peerContext)], data.slice());
    return { status, id, unpublish: () => this.unpublish(id) };
  }

  /** Takes a publication back. */
  unpublish(id: number): Status {
    const lent = this.#lent.get(id);
    if (lent === undefined) return MessageStatus.invalidHandle;
    this.#lent.delete(id);
    if (this.#c.isConnected) this.#c.post(FrameType.unpublish, 0, [packFields(id, lent.generation)]);
    return MessageStatus.success;
  }

  /** See {@linkcode Connection.put}. */
  put(op: RdmaOp, token: Token): Status {
    const length = this.#check(op);
    if (typeof length !== "number") return length.status;
    const { remote, remoteOffset } = op;
    const data = new Uint8Array(length);
    if (!gather(op.local, 0, data)) return MessageStatus.access;
    const id = this.#host.number();
    if (token !== undefined) this.#operations.set(id, { token, local: [], length, done: 0 });
    const last = (op.notify === true ? FrameFlag.notify : 0) | (token === undefined ? 0 : FrameFlag.signal);
    const max = this.#c.fragment;
    for (let at = 0; at === 0 || at < length; at += max) {
      const end = Math.min(at + max, length);
      const fields = packFields(remote.id, remote.generation, id, remoteOffset, length, at);
      this.#c.post(FrameType.put, end < length ? FrameFlag.more : last, [fields], data.subarray(at, end));
    }
    return MessageStatus.success;
  }

  /** See {@linkcode Connection.get}. */
  get(op: RdmaOp, token: Token): Status {
    const length = this.#check(op);
    if (typeof length !== "number") return length.status;
    const id = this.#host.number();
    this.#operations.set(id, { token, local: op.local, length, done: 0 });
    const fields = packFields(op.remote.id, op.remote.generation, id, op.remoteOffset, length);
    this.#c.post(FrameType.getRequest, op.notify === true ? FrameFlag.notify : 0, [fields]);
    return MessageStatus.success;
  }

  /** Ends everything in flight; buffers of the peer are dead, ours are taken back. */
  cancel(status: Status): void {
    for (const r of this.#remote.values()) r.isLive = false;
    this.#remote.clear();
    this.#lent.clear();
    this.#reading.clear();
    const pending = [...this.#operations.values()];
    this.#operations.clear();
    for (const { token } of pending) if (token !== undefined) this.#host.emit({ kind: "done", status, token });
  }

  /** A frame of remote memory access; false: malformed. */
  received(frame: Frame): boolean {
    if (!this.#c.isConnected) {
      this.#c.counters.early++;
      return true;
    }
    switch (frame.type) {
      case FrameType.publish:
        return this.#published(frame);
      case FrameType.unpublish:
        return this.#unpublished(frame);
      case FrameType.put:
        return this.#putArrives(frame);
      case FrameType.putDone:
        return this.#putDone(frame);
      case FrameType.getRequest:
        return this.#getRequest(frame);
      case FrameType.getData:
        return this.#getData(frame);
      default:
        return this.#getDone(frame);
    }
  }

  /** Length of an operation, or why it cannot be. */
  #check(op: RdmaOp): number | { readonly status: Status } {
    const { remote, remoteOffset } = op;
    const length = totalBytes(op.local);
    if (length < 0 || length > this.#host.limits.maxMessage) return { status: MessageStatus.invalidArgument };
    if (remote.connection !== this.#c) return { status: MessageStatus.invalidHandle };
    const ready = this.#c.ready(length);
    if (ready !== MessageStatus.success) return { status: ready };
    const inside = Number.isInteger(remoteOffset) && remoteOffset >= 0 && remoteOffset + length <= remote.size;
    return remote.isLive && inside ? length : { status: MessageStatus.access };
  }

  #published(frame: Frame): boolean {
    const f = unpackFields(frame, 4);
    if (f === undefined) return false;
    const id = f.number(0);
    const buffer: Remote = {
      connection: this.#c,
      id,
      generation: f.number(1),
      size: f.number(2),
      peerContext: f.big(3),
      isLive: true,
      release: (): void => {
        buffer.isLive = false;
        if (this.#remote.get(id) === buffer) this.#remote.delete(id);
      },
    };
    this.#remote.set(id, buffer);
    this.#notify({ kind: "published", connection: this.#c, buffer, data: frame.payload });
    return true;
  }

  #notify(event: MessageEvent): void {
    this.hasNotified = true;
    this.#host.emit(event);
  }

  #unpublished(frame: Frame): boolean {
    const f = unpackFields(frame, 2);
    if (f === undefined) return false;
    const r = this.#remote.get(f.number(0));
    if (r !== undefined && r.generation === f.number(1)) r.release();
    return true;
  }

  /** The lent buffer a frame means, if it allows `length` bytes at `offset`. */
  #allowed(id: number, generation: number, offset: number, length: number): Lent | undefined {
    const lent = this.#lent.get(id);
    if (lent === undefined || lent.generation !== generation || lent.region.references === 0) return undefined;
    return offset + length <= lent.region.length ? lent : undefined;
  }

  #putArrives(frame: Frame): boolean {
    const f = unpackFields(frame, 6);
    if (f === undefined) return false;
    const [id, generation, op, offset, length, at] = [0, 1, 2, 3, 4, 5].map((n) => f.number(n));
    const { payload, flags } = frame;
    if (at + payload.length > length) return false;
    if (at === 0) this.#incoming = { op, bytes: 0 };
    const lent = this.#allowed(id, generation, offset, length);
    const written = lent !== undefined && lent.region.write(offset + at, payload);
    if (written && this.#incoming.op === op) this.#incoming.bytes += payload.length;
    if ((flags & FrameFlag.more) !== 0) return true;
    const whole = this.#incoming.op === op && this.#incoming.bytes === length;
    const status = !written ? MessageStatus.access : whole ? MessageStatus.success : MessageStatus.corrupt;
    if ((flags & FrameFlag.signal) !== 0) this.#c.post(FrameType.putDone, 0, [packFields(op, status)]);
    if ((flags & FrameFlag.notify) !== 0 && lent !== undefined) {
      this.#notify({ kind: "put", connection: this.#c, size: length, context: lent.context, status });
    }
    return true;
  }

  #putDone(frame: Frame): boolean {
    const f = unpackFields(frame, 2);
    if (f === undefined) return false;
    this.#finish(f.number(0), f.number(1));
    return true;
  }

  #getRequest(frame: Frame): boolean {
    const f = unpackFields(frame, 5);
    if (f === undefined) return false;
    const [id, generation, op, offset, length] = [0, 1, 2, 3, 4].map((n) => f.number(n));
    const lent = this.#allowed(id, generation, offset, length);
    const max = this.#c.fragment;
    const ok = lent !== undefined && length <= this.#host.limits.maxMessage;
    const data = new Uint8Array(ok ? length : 0);
    const status = ok && lent.region.read(offset, data) ? MessageStatus.success : MessageStatus.access;
    if (status !== MessageStatus.success) {
      this.#c.post(FrameType.getData, 0, [packFields(op, status, 0)]);
      return true;
    }
    const notify = frame.flags & FrameFlag.notify;
    if (notify !== 0 && lent !== undefined) this.#reading.set(op, lent.context);
    for (let at = 0; at === 0 || at < length; at += max) {
      const end = Math.min(at + max, length);
      const flags = end < length ? FrameFlag.more : notify;
      this.#c.post(FrameType.getData, flags, [packFields(op, status, at)], data.subarray(at, end));
    }
    return true;
  }

  #getData(frame: Frame): boolean {
    const f = unpackFields(frame, 3);
    if (f === undefined) return false;
    const [op, status, at] = [0, 1, 2].map((n) => f.number(n));
    const operation = this.#operations.get(op);
    if (operation === undefined) return true;
    const { payload, flags } = frame;
    const fits = at + payload.length <= operation.length;
    const stored = status === MessageStatus.success && fits && scatter(operation.local, at, payload);
    if (stored) operation.done += payload.length;
    if ((flags & FrameFlag.more) !== 0) return true;
    const whole = operation.done === operation.length;
    const result = status !== MessageStatus.success
      ? status
      : !stored
      ? MessageStatus.access
      : whole
      ? MessageStatus.success
      : MessageStatus.corrupt;
    this.#finish(op, result);
    if ((flags & FrameFlag.notify) !== 0) this.#c.post(FrameType.getDone, 0, [packFields(op, result)]);
    return true;
  }

  #getDone(frame: Frame): boolean {
    const f = unpackFields(frame, 2);
    if (f === undefined) return false;
    const context = this.#reading.get(f.number(0));
    if (context === undefined) return true;
    this.#reading.delete(f.number(0));
    this.#notify({ kind: "got", connection: this.#c, context, status: f.number(1) });
    return true;
  }

  #finish(op: number, status: Status): void {
    const operation = this.#operations.get(op);
    if (operation === undefined) return;
    this.#operations.delete(op);
    if (operation.token !== undefined) this.#host.emit({ kind: "done", status, token: operation.token });
  }
}

/**
 * The command executor: what a guest may ask of the message runtime, whichever way it asks. It reads and writes the
 * node's own RAM only, and only ranges that lie in it whole; whatever a guest hands over ends in a status, never in an
 * error here. Completions collect in order; a front end hands them to the guest. Warm.
 */
import { CompletionType, EntrySize, MessageOp, MessageStatus, SubmitFlag } from "../../../spec/message_abi.ts";
import type { Status } from "../../../spec/message_abi.ts";
import { Ahead } from "../ahead.ts";
import { CollectiveSteps } from "../collectives/calls.ts";
import type { Connection } from "../connection.ts";
import { type MessageEvent, type RemoteBuffer, settle } from "../events.ts";
import { FrameFlag } from "../frame.ts";
import type { MemoryRegion } from "../memory.ts";
import type { Publication } from "../rdma.ts";
import type { Runtime } from "../runtime.ts";
import { collective, isCollective } from "./collective.ts";
import { completionOf, publishedAs } from "./completions.ts";
import { type Completion, INLINE_MAX, readSubmission, type Submission } from "./entry.ts";
import { infoBlock, queryBlock } from "./info.ts";
import { type GuestRam, Registrations } from "./registrations.ts";

/** What the executor needs of its node. */
export interface ExecutorHost {
  /** The node's RAM. */
  readonly ram: GuestRam;
  /** Completions wait to be handed over. */
  ready(): void;
  /** The guest waits until a completion is there or the time has come, ns. */
  wait(until: number): void;
  /** The guest has ended. `failed`: it asked to be counted as failed. */
  exit(code: number, failed: boolean): void;
  /** A line for the log. */
  log(text: string): void;
}

/** Completions that may wait for the guest; commands that would add to more are refused. */
const MAX_WAITING = 65536;
/** Collective operations that may be under way. */
const MAX_COLLECTIVES = 256;
/** Data of log lines, connect requests and publications; bytes. */
const MAX_SMALL = 65535;

const ok: Status = MessageStatus.success;

/** Is a command one of a connection? A fence holds no others, whatever their field for one says. */
function isOnConnection(op: number): boolean {
  const M = MessageOp;
  return (op >= M.connect && op <= M.query) || op === M.send || op === M.sendInline ||
    (op >= M.publish && op <= M.release);
}

interface Request {
  readonly cookie: bigint;
  readonly connection: number;
  readonly signal: boolean;
  readonly type: number;
  /** A fence counts it. */
  readonly fenced: boolean;
}

/** Runs a guest's commands. */
export class Executor {
  /** The runtime. */
  readonly runtime: Runtime;
  /** Steps of offloaded collectives. */
  readonly steps: CollectiveSteps;
  readonly #host: ExecutorHost;
  readonly #memory: Registrations;
  readonly #publications: Map<number, { readonly publication: Publication; readonly region: MemoryRegion }> = new Map();
  readonly #remotes: Map<number, RemoteBuffer> = new Map();
  readonly #ahead: Ahead<Completion>;
  readonly #plain: Completion[] = [];
  readonly #withData: Completion[] = [];
  readonly #inFlight: Map<number, number> = new Map();
  readonly #fenced: Submission[] = [];
  readonly #held: Set<number> = new Set();
  /** Collective operations under way. */
  #collecting = 0;

  /** Makes one. @param runtime The rank's runtime. @param host The node. */
  constructor(runtime: Runtime, host: ExecutorHost) {
    this.runtime = runtime;
    this.steps = new CollectiveSteps(runtime);
    this.#host = host;
    this.#ahead = new Ahead(runtime.limits.maxQueued, (c) => c.data?.length ?? 0, (c) => c.taken?.());
    this.#memory = new Registrations(host.ram, runtime.limits.maxMessage);
  }

  /** The node's RAM. */
  get ram(): GuestRam {
    return this.#host.ram;
  }

  /** Are completions waiting? */
  get hasCompletions(): boolean {
    return this.#plain.length > 0 || this.#withData.length > 0;
  }

  /** Is nothing under way that changes the node's memory, or lets others read it? */
  get isQuiet(): boolean {
    if (this.#collecting > 0 || this.#publications.size > 0 || this.#fenced.length > 0) return false;
    for (const n of this.#inFlight.values()) if (n > 0) return false;
    return true;
  }

  /** Do so many completions wait that commands must? */
  get isFull(): boolean {
    return this.#plain.length + this.#withData.length >= MAX_WAITING;
  }

  /** The next completion that needs no receive buffer, or, if `buffered`, one that does. Taken with `take`. */
  peek(buffered: boolean): Completion | undefined {
    return buffered ? this.#withData[0] : this.#plain[0];
  }

  /** Takes what `peek` showed. */
  take(buffered: boolean): void {
    (buffered ? this.#withData : this.#plain).shift();
  }

  /** Runs the entry in RAM; the status of starting it. @param always Post a completion for failures too. */
  submitAt(address: number, always: boolean): Status {
    const bytes = new Uint8Array(EntrySize.submission);
    if (!this.#host.ram.read(address, bytes)) return MessageStatus.access;
    return this.submit(readSubmission(bytes), always);
  }

  /** Runs a command. @param always Post a completion for failures too. */
  submit(s: Submission, always: boolean): Status {
    const ends = s.op === MessageOp.wait || s.op === MessageOp.exit || s.op === MessageOp.abort;
    if (!always && this.isFull && !ends) return MessageStatus.noResource;
    const fence = (s.flags & SubmitFlag.fence) !== 0 && this.#flying(s.connection) > 0;
    if (isOnConnection(s.op) && (fence || this.#held.has(s.connection))) {
      if (this.#fenced.length >= 65536) return MessageStatus.noResource;
      this.#held.add(s.connection);
      this.#fenced.push(s);
      return ok;
    }
    const status = this.#run(s);
    if (status !== ok && always) this.post(this.#done(s, status));
    return status;
  }

  /** Posts a completion. */
  post(c: Completion): void {
    (c.data === undefined ? this.#plain : this.#withData).push(c);
    this.#ahead.arrived(c);
    this.#host.ready();
  }

  /** The guest has got a completion: its sender may go on. */
  taken(c: Completion): void {
    this.#ahead.taken(c);
  }

  /** May one more collective operation begin? */
  get mayCollect(): boolean {
    return this.#collecting < MAX_COLLECTIVES;
  }

  /** An offloaded collective operation begins; call what it returns at its end. */
  collects(): () => void {
    this.#ahead.begin([...this.#plain, ...this.#withData]);
    this.#collecting++;
    return () => {
      this.#ahead.end();
      this.#collecting--;
    };
  }

  /** An event of the runtime becomes a completion. */
  event(e: MessageEvent): void {
    if (e.kind === "done") return this.#complete(e.token, e.status, undefined);
    if (e.kind === "connected") return this.#complete(e.token, e.status, e.data.length === 0 ? undefined : e.data);
    if (e.kind === "published") return this.#published(e);
    this.post(completionOf(e));
  }

  /** Copies a small range; undefined: too long, or not RAM. */
  bytes(at: number, length: number, limit: number = MAX_SMALL): Uint8Array | undefined {
    return length > limit ? undefined : this.#memory.bytes(at, length);
  }

  /** A request's mark for the runtime. */
  #request(s: Submission, type: number = CompletionType.done, fenced = false): Request {
    if (fenced) this.#inFlight.set(s.connection, this.#flying(s.connection) + 1);
    const signal = (s.flags & SubmitFlag.signal) !== 0;
    return { cookie: s.cookie, connection: s.connection, signal, type, fenced };
  }

  #flying(connection: number): number {
    return this.#inFlight.get(connection) ?? 0;
  }

  #done(s: Submission, status: Status, context = 0, length = 0): Completion {
    const { connection, cookie } = s;
    return { type: CompletionType.done, status, connection, cookie, length, context, aux: 0n, data: undefined };
  }

  #signal(s: Submission, context = 0): Status {
    if ((s.flags & SubmitFlag.signal) !== 0) this.post(this.#done(s, ok, context));
    return ok;
  }

  #complete(token: unknown, status: Status, data: Uint8Array | undefined): void {
    const r = token as Request | undefined;
    if (r === undefined) return;
    if (r.signal || status !== ok || r.type !== CompletionType.done) {
      const { type, connection, cookie } = r;
      this.post({ type, status, connection, cookie, length: data?.length ?? 0, context: 0, aux: 0n, data });
    }
    if (!r.fenced) return;
    this.#inFlight.set(r.connection, this.#flying(r.connection) - 1);
    if (this.#flying(r.connection) === 0) this.#release(r.connection);
  }

  /** Commands held behind a fence go on. */
  #release(connection: number): void {
    this.#held.delete(connection);
    const mine = this.#fenced.filter((s) => s.connection === connection);
    const rest = this.#fenced.filter((s) => s.connection !== connection);
    this.#fenced.splice(0, this.#fenced.length, ...rest);
    for (const s of mine) this.submit(s, true);
  }

  #run(s: Submission): Status {
    if (isCollective(s.op)) return collective(this, s);
    switch (s.op) {
      case MessageOp.info:
        return this.#give(s, infoBlock(this.runtime));
      case MessageOp.init:
        return this.#signal(s);
      case MessageOp.finalize:
        this.runtime.finalize();
        return this.#signal(s);
      case MessageOp.time:
        return this.#give(s, new Uint8Array(BigUint64Array.of(BigInt(Math.floor(this.runtime.now()))).buffer));
      case MessageOp.log:
        return this.#log(s);
      case MessageOp.exit:
      case MessageOp.abort:
        this.#host.exit(s.context, s.op === MessageOp.abort);
        return ok;
      case MessageOp.register:
        return this.#register(s);
      case MessageOp.deregister:
        return this.#deregister(s);
      case MessageOp.wait:
        this.#host.wait(s.remoteOffset === 0 ? Infinity : this.runtime.now() + s.remoteOffset);
        return ok;
      default:
        return this.#onConnection(s);
    }
  }

  #onConnection(s: Submission): Status {
    const c = this.runtime.connection(s.connection);
    if (s.op === MessageOp.multicast) return this.#multicast(s);
    if (c === undefined) return MessageStatus.invalidHandle;
    switch (s.op) {
      case MessageOp.connect: {
        const data = this.bytes(s.payloadAddress, s.payloadLength);
        return data === undefined ? MessageStatus.access : c.connect(data, this.#request(s, CompletionType.connected));
      }
      case MessageOp.respond: {
        const data = this.bytes(s.payloadAddress, s.payloadLength);
        const answer = (["accept", "reject", "error"] as const)[s.context];
        if (answer === undefined) return MessageStatus.invalidArgument;
        return data === undefined ? MessageStatus.access : c.respond(answer, data);
      }
      case MessageOp.disconnect:
        return c.disconnectWith(this.#request(s));
      case MessageOp.query:
        return this.#give(s, queryBlock(c));
      case MessageOp.sendInline:
        return s.count > INLINE_MAX
          ? MessageStatus.invalidArgument
          : this.#after(s, c.sendInline(s.inline.subarray(0, s.count)));
      case MessageOp.send:
        return this.#send(s, c);
      case MessageOp.publish:
        return this.#publish(s, c);
      case MessageOp.unpublish:
        return this.#unpublish(s);
      case MessageOp.put:
      case MessageOp.get:
        return this.#rdma(s, c);
      case MessageOp.release: {
        const remote = this.#remotes.get(Number(s.remote));
        if (remote === undefined) return MessageStatus.invalidHandle;
        remote.release();
        this.#remotes.delete(Number(s.remote));
        return this.#signal(s);
      }
      default:
        return MessageStatus.unsupported;
    }
  }

  #after(s: Submission, status: Status): Status {
    return status === ok ? this.#signal(s) : status;
  }

  #give(s: Submission, bytes: Uint8Array): Status {
    if (s.length < bytes.length) return MessageStatus.invalidArgument;
    return this.#host.ram.write(s.address, bytes) ? this.#signal(s) : MessageStatus.access;
  }

  #log(s: Submission): Status {
    const text = this.bytes(s.address, s.length);
    if (text === undefined) return MessageStatus.access;
    this.#host.log(String.fromCharCode(...text.subarray(0, 4096)));
    return this.#signal(s);
  }

  #register(s: Submission): Status {
    const handle = this.runtime.number() >>> 0;
    const status = this.#memory.register(handle, s.address, s.length);
    if (status === ok) this.post(this.#done(s, ok, handle, s.length));
    return status;
  }

  #deregister(s: Submission): Status {
    const status = this.#memory.deregister(s.registration);
    return this.#after(s, status);
  }

  // --- messages and remote memory

  #send(s: Submission, c: Connection): Status {
    if (s.registration === 0 && (s.flags & SubmitFlag.list) === 0) {
      // Unregistered memory is copied.
      const data = this.bytes(s.address, s.length, this.runtime.limits.maxMessage);
      return data === undefined ? MessageStatus.access : this.#after(s, c.sendBytes(data, 0, 0));
    }
    const pieces = this.#memory.pieces(s);
    return typeof pieces === "number" ? pieces : c.send(pieces, this.#request(s));
  }

  #multicast(s: Submission): Status {
    const data = this.bytes(s.address, s.length, this.runtime.limits.maxMessage);
    const list = this.bytes(s.payloadAddress, s.payloadLength);
    if (data === undefined || list === undefined) return MessageStatus.access;
    const v = new DataView(list.buffer);
    let status: Status = ok;
    for (let at = 0; at + 4 <= list.length; at += 4) {
      const c = this.runtime.connection(v.getUint32(at, true));
      const one = c?.sendBytes(data, FrameFlag.multicast, 0) ?? MessageStatus.invalidHandle;
      if (status === ok) status = one;
    }
    return this.#after(s, status);
  }

  #publish(s: Submission, c: Connection): Status {
    const piece = this.#memory.piece(s.address, s.length, s.registration);
    if (typeof piece === "number") return piece;
    const data = this.bytes(s.payloadAddress, s.payloadLength);
    const region = data === undefined ? undefined : this.#memory.region(s.address, s.length);
    if (data === undefined || region === undefined) return MessageStatus.access;
    const publication = c.publish(region, { context: s.context, peerContext: s.remote, data });
    if (publication.status !== ok) {
      region.release();
      return publication.status;
    }
    this.#publications.set(publication.id, { publication, region });
    return this.#signal(s, publication.id);
  }

  #unpublish(s: Submission): Status {
    const known = this.#publications.get(Number(s.remote));
    if (known === undefined) return MessageStatus.invalidHandle;
    this.#publications.delete(Number(s.remote));
    const status = known.publication.unpublish();
    known.region.release();
    return this.#after(s, status);
  }

  #rdma(s: Submission, c: Connection): Status {
    const local = this.#memory.pieces(s);
    if (typeof local === "number") return local;
    const remote = this.#remotes.get(Number(s.remote));
    if (remote === undefined) return MessageStatus.invalidHandle;
    const op = { local, remote, remoteOffset: s.remoteOffset, notify: (s.flags & SubmitFlag.notify) !== 0 };
    const token = this.#request(s, CompletionType.done, true);
    const status = s.op === MessageOp.put ? c.put(op, token) : c.get(op, token);
    if (status !== ok) this.#inFlight.set(s.connection, this.#flying(s.connection) - 1);
    return status;
  }

  #published(e: MessageEvent & { readonly kind: "published" }): void {
    const { buffer, data: payload } = e;
    // The guest's handle is ours: numbers of different publishers may be the same.
    const handle = this.runtime.number();
    this.#remotes.set(handle, buffer);
    this.post(publishedAs(handle, buffer, payload, () => settle(e)));
  }
}

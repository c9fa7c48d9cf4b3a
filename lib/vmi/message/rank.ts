/**
 * A rank as a host-side program sees it: the interface of this toolkit's message layer in TypeScript.
 *
 * A program is an async function of its rank. It starts operations, and waits; handlers and completions run only inside
 * `poll` and the waits that poll, one after another. A handler may start operations but never wait: `poll` inside one
 * answers `badState`. Operations that wait are awaited one at a time. Warm.
 *
 * @example Two ranks
 * ```ts
 * import { job } from "./job.ts";
 *
 * const result = await job({
 *   ranks: 2,
 *   program: async (rank) => {
 *     await rank.mesh();
 *     if (rank.rank === 0) rank.to(1).sendInline(new TextEncoder().encode("hello"));
 *     else return new TextDecoder().decode((await rank.receive()).data);
 *   },
 * }).run();
 * if (result.ranks[1].value !== "hello") throw new Error("lost");
 * ```
 */
import { MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import { ConfigError } from "../../core/errors.ts";
import { Collectives } from "./collectives/calls.ts";
import type { Connection } from "./connection.ts";
import type { ConnectResponse } from "./connection_host.ts";
import { Ahead } from "./ahead.ts";
import { type MessageEvent, settle } from "./events.ts";
import { FrameFlag } from "./frame.ts";
import { BufferKeys, hostBacking, type MemoryRegion } from "./memory.ts";
import type { LinkEvent, NetAddress } from "./module.ts";
import type { Steps } from "./mailbox.ts";
import type { ConnectOptions, ConnectResult, RankHost, Received } from "./rank_types.ts";
import { complete, notify, Parking } from "./rank_events.ts";
import type { Runtime } from "./runtime.ts";
import { Slab } from "./slab.ts";
import { statusName } from "./status.ts";

/** One rank of a job. */
export class MessageRank {
  /** The engine below. */
  readonly runtime: Runtime;
  readonly #host: RankHost;
  readonly #events: MessageEvent[] = [];
  readonly #inbox: (MessageEvent & { kind: "message" })[] = [];
  readonly #hasNews = (): boolean => this.#events.length > 0;
  readonly #parking: Parking = new Parking();
  readonly #ahead: Ahead<MessageEvent & { kind: "message" }>;
  readonly #keys: BufferKeys = new BufferKeys();
  #accept: ((c: Connection, data: Slab) => ConnectResponse) | undefined;
  #message: ((c: Connection, slab: Slab) => "done" | "keep") | undefined;
  #left: ((c: Connection, status: Status) => void) | undefined;
  #link: ((c: Connection, event: LinkEvent) => void) | undefined;
  #inHandler = false;
  #waiting = false;
  readonly #resumed = (): void => void (this.#waiting = false);
  #all: Collectives | undefined;

  /** Made by a job. @param runtime The engine. @param host The node. */
  constructor(runtime: Runtime, host: RankHost) {
    this.runtime = runtime;
    this.#host = host;
    this.#ahead = new Ahead(
      runtime.limits.maxQueued,
      ({ data }: MessageEvent & { kind: "message" }) => data.length,
      settle,
    );
  }

  /** This rank's number. */
  get rank(): number {
    return this.runtime.rank;
  }
  /** Ranks of the job. */
  get size(): number {
    return this.runtime.size;
  }
  /** Cluster this rank belongs to. */
  get cluster(): number {
    return this.runtime.local.cluster;
  }
  /** Where this rank is. */
  get localAddress(): NetAddress {
    return this.runtime.local;
  }
  /** Time in ns: virtual, or of the host. */
  get now(): number {
    return Math.max(this.runtime.now(), this.runtime.busyUntil);
  }
  /** Is anything waiting to be handled by `poll`? */
  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  /** Called by the job with every event. */
  push(event: MessageEvent): void {
    this.#events.push(event);
  }

  /** The program has ended: what was not handled is refused or thrown away. */
  discard(): void {
    for (const event of this.#events.splice(0)) {
      if (event.kind === "request") event.connection.respond("error");
      else if (event.kind === "message") this.#ahead.taken(event);
      else this.#parking.settle(event);
    }
  }

  /** A line for the job's log. */
  log(text: string): void {
    this.#host.log(text);
  }

  // --- handlers

  /** Answers requests to connect; default: accept all. */
  onConnect(handler: (c: Connection, data: Slab) => ConnectResponse): void {
    this.#accept = handler;
  }
  /** Runs when a connection ended without our asking. */
  onDisconnect(handler: (c: Connection, status: Status) => void): void {
    this.#left = handler;
  }
  /** Runs for each stream message, those that wait included; without it messages wait for `receive`. */
  onMessage(handler: (c: Connection, slab: Slab) => "done" | "keep"): void {
    this.#message = handler;
    this.#events.unshift(...this.#inbox.splice(0));
  }
  /** Runs when a network below a connection is switched, lost or found again. */
  onLink(handler: (c: Connection, event: LinkEvent) => void): void {
    this.#link = handler;
  }

  // --- progress

  /** Handles what has happened, at most `budget` events. Returns their number, or `badState` inside a handler. */
  poll(budget: number = Infinity): number {
    if (this.#inHandler) return MessageStatus.badState;
    this.#events.unshift(...this.#parking.ready());
    let done = 0;
    this.#inHandler = true;
    try {
      while (done < budget) {
        const event = this.#events.shift();
        if (event === undefined) break;
        this.#handle(event);
        done++;
      }
    } finally {
      this.#inHandler = false;
    }
    return done;
  }

  /** Waits for something to happen and handles it; false: nothing happened within `timeoutNs`. */
  async wait(timeoutNs: number = Infinity): Promise<boolean> {
    this.#events.unshift(...this.#parking.ready());
    // Infinity needs no look at the clock.
    await this.#block(this.#hasNews, timeoutNs === Infinity ? Infinity : this.now + timeoutNs);
    return this.poll() > 0;
  }

  /** Polls and waits until `condition` holds; false: not within `timeoutNs`. */
  async until(condition: () => boolean, timeoutNs: number = Infinity): Promise<boolean> {
    const end = timeoutNs === Infinity ? Infinity : this.now + timeoutNs;
    this.poll();
    while (!condition()) {
      if (end !== Infinity && this.now >= end) return false;
      this.#events.unshift(...this.#parking.ready());
      await this.#block(this.#hasNews, end);
      this.poll();
    }
    return true;
  }

  /** Computes for `ns`: nothing is handled meanwhile. */
  advance(ns: number): Promise<void> {
    if (!(ns >= 0)) throw new ConfigError("message-time", `Time cannot advance by ${ns} ns`);
    return this.#block(() => false, this.now + Math.round(ns));
  }

  /** Computes what takes `ns` in virtual time; in real time the work itself takes its time, and this none. */
  async compute(ns: number): Promise<void> {
    if (this.runtime.isVirtual) await this.advance(ns);
  }

  // --- connections

  /** The connection with a rank. @throws {ConfigError} message-rank */
  to(rank: number): Connection {
    const c = this.runtime.connection(rank);
    if (c !== undefined) return c;
    throw new ConfigError("message-rank", `There is no rank ${rank}; the job has ranks 0 to ${this.size - 1}`);
  }

  /** Connects to a rank, and says how it ended. */
  async tryConnect(remote: number | NetAddress, options: ConnectOptions = {}): Promise<ConnectResult> {
    const connection = this.to(typeof remote === "number" ? remote : remote.rank);
    let result: ConnectResult | undefined;
    const token = (status: Status, data?: Uint8Array): void => {
      result = { status, connection, data: data ?? new Uint8Array(0) };
    };
    const chain = options.chain === undefined ? undefined : this.runtime.chainNumber(options.chain);
    if (chain === -1) throw new ConfigError("message-chain", `The spec has no chain "${options.chain}"`);
    const status = connection.connect(options.data, token, chain);
    if (status !== MessageStatus.success) return { status, connection, data: new Uint8Array(0) };
    await this.until(() => result !== undefined);
    return result ?? { status: MessageStatus.internal, connection, data: new Uint8Array(0) };
  }

  /** Connects to a rank. @throws {ConfigError} message-connect: the peer refused or cannot be reached. */
  async connect(remote: number | NetAddress, options: ConnectOptions = {}): Promise<Connection> {
    const { status, connection } = await this.tryConnect(remote, options);
    if (status === MessageStatus.success) return connection;
    throw new ConfigError(
      "message-connect",
      `Rank ${this.rank} cannot connect to rank ${connection.peer}: ${statusName(status)}`,
    );
  }

  /**
   * Connects every pair: to all lower ranks, waiting for all higher ones. Connections that are there stay.
   * @throws {ConfigError} message-connect
   */
  async mesh(): Promise<void> {
    for (let r = 0; r < this.rank; r++) if (!this.to(r).isConnected) await this.connect(r);
    const open = (): boolean => this.#higher().every((c) => c.isConnected);
    const lost = (): boolean => this.#higher().some((c) => !c.isConnected && this.runtime.isLost(c.peer));
    await this.until(() => open() || lost(), this.runtime.limits.connectNs);
    if (open()) return;
    const missing = this.#higher().filter((c) => !c.isConnected).map((c) => c.peer).join(", ");
    throw new ConfigError("message-connect", `Rank ${this.rank} waited in vain for ranks ${missing}`);
  }

  /** Ends a connection; the status is `timeout` if the peer does not answer. */
  async disconnect(c: Connection): Promise<Status> {
    let result: Status | undefined;
    const status = c.disconnectWith((s: Status) => {
      result = s;
    });
    if (status !== MessageStatus.success) return status;
    await this.until(() => result !== undefined);
    return result ?? MessageStatus.internal;
  }

  /** Ends all connections to lower ranks and waits for the higher ones to end theirs. */
  async terminate(): Promise<void> {
    for (const c of this.runtime.connections) if (c.peer < this.rank && c.isConnected) await this.disconnect(c);
    const open = (): boolean => this.#higher().some((c) => c.isConnected);
    await this.until(() => !open(), this.runtime.limits.connectNs);
    this.runtime.finalize();
  }

  // --- memory and messages

  /** Registers host memory; the same view again costs nothing. */
  register(view: Uint8Array): MemoryRegion {
    return this.runtime.cache.register(this.#keys.of(view), view.length, () => hostBacking(view));
  }

  /** Takes the next message, from `source` if given; for programs without a message handler. */
  async receive(source?: number, timeoutNs: number = Infinity): Promise<Received> {
    let at = -1;
    const matches = (): boolean => {
      at = source === undefined
        ? (this.#inbox.length === 0 ? -1 : 0)
        : this.#inbox.findIndex((event) => event.connection.peer === source);
      return at >= 0;
    };
    if (!await this.until(matches, timeoutNs)) {
      throw new ConfigError("message-timeout", `Rank ${this.rank} received nothing within ${timeoutNs} ns`);
    }
    const [event] = this.#inbox.splice(at, 1);
    const { connection, data } = event;
    this.#ahead.taken(event);
    return { source: connection.peer, connection, data };
  }

  /** Sends the same bytes to several ranks; the first status that is no success, or success. */
  multicast(ranks: readonly number[], data: Uint8Array): Status {
    const copy = data.slice();
    let status: Status = MessageStatus.success;
    for (const r of ranks) {
      const one = this.to(r).sendBytes(copy, FrameFlag.multicast, 0);
      if (status === MessageStatus.success) status = one;
    }
    return status;
  }

  // --- collectives

  /** Collective operations of all ranks. */
  get all(): Collectives {
    return this.#all ??= new Collectives(this.runtime, (steps) => this.collective(steps));
  }

  /** Runs the steps of a collective operation to their end. @throws {ConfigError} message-collective */
  async collective<T>(steps: Steps<T>): Promise<T> {
    let end: { readonly status: Status; readonly result: T | undefined } | undefined;
    this.runtime.mailbox.run(steps, (status, result) => {
      end = { status, result };
      this.push({ kind: "done", status, token: undefined });
    });
    this.#ahead.begin(this.#inbox);
    try {
      await this.until(() => end !== undefined);
    } finally {
      this.#ahead.end();
    }
    if (end?.status === MessageStatus.success) return end.result as T;
    throw new ConfigError(
      "message-collective",
      `A collective operation of rank ${this.rank} failed: ${statusName(end?.status ?? MessageStatus.internal)}`,
    );
  }

  #higher(): Connection[] {
    const all: Connection[] = [];
    for (let r = this.rank + 1; r < this.size; r++) all.push(this.to(r));
    return all;
  }

  #block(ready: () => boolean, until: number): Promise<void> {
    if (this.#inHandler) {
      throw new ConfigError("message-reentrant", "A handler may start operations but not wait; wait in the program");
    }
    if (this.#waiting) {
      throw new ConfigError("message-wait", `Rank ${this.rank} waits already; await one operation at a time`);
    }
    this.#waiting = true;
    return this.#host.block(ready, until, this.#resumed);
  }

  #handle(event: MessageEvent): void {
    switch (event.kind) {
      case "request":
        event.connection.respond(this.#accept?.(event.connection, new Slab(event.data)) ?? "accept");
        break;
      case "connected":
        complete(event.token, event.status, event.data);
        break;
      case "disconnected":
        this.#left?.(event.connection, event.status);
        break;
      case "message":
        this.#take(event);
        break;
      case "published":
      case "put":
      case "got":
        if (notify(event)) this.#parking.settle(event);
        else this.#parking.park(event);
        break;
      case "done":
        complete(event.token, event.status, event.data);
        break;
      case "link":
        this.#link?.(event.connection, event.event);
        break;
    }
  }

  #take(event: MessageEvent & { kind: "message" }): void {
    if (this.#message === undefined) {
      this.#inbox.push(event);
      this.#ahead.arrived(event);
      return;
    }
    const slab = new Slab(event.data);
    if (this.#message(event.connection, slab) === "done") slab.discard();
    this.#ahead.taken(event);
  }
}

/**
 * Runtime of one rank: its devices, its connections and their chains, and the mailbox of the collectives. It knows
 * neither guests nor programs: what happens it reports as events; what it needs of time and transport it is given. Warm.
 */
import { ConfigError } from "../../core/errors.ts";
import { MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import { Chain } from "./chain.ts";
import { Connection } from "./connection.ts";
import type { ConnectionHost, Limits } from "./connection_host.ts";
import type { EventQueue, LayerTimer } from "./event_queue.ts";
import type { MessageEvent, Token } from "./events.ts";
import type { Frame } from "./frame.ts";
import { RegistrationCache } from "./memory.ts";
import type { MessageDevice, MessageModule, NetAddress, Parameters, TraceRecord } from "./module.ts";
import { type ChainChange, Reconfigurer } from "./reconfigure.ts";
import { type CheckedDevice, type CheckedSpec, defaultChain } from "./spec.ts";
import { checkParameters } from "./spec_parameters.ts";
import { Mailbox } from "./mailbox.ts";

/** What a runtime needs of its job. */
export interface RuntimeHost {
  /** Where all ranks are. */
  readonly addresses: readonly NetAddress[];
  /** Key of the job. */
  readonly key: string;
  /** Seed of the job. */
  readonly seed: number;
  /** Is time virtual? */
  readonly isVirtual: boolean;
  /** Media that carry frames to other processes. */
  readonly media: ReadonlySet<string>;
  /** Limits. */
  readonly limits: Limits;
  /** Devices and chains. */
  readonly spec: CheckedSpec;
  /** Modules that may be named later. */
  readonly modules: ReadonlyMap<string, MessageModule>;
  /** This node's events. */
  readonly queue: EventQueue;
  /** Time, ns. */
  now(): number;
  /** Bytes that wait to leave this process; 0 in virtual time. */
  backlog(): number;
  /** A frame leaves; it arrives at the peer's end of `device` after `delayNs`. */
  transmit(device: string, frame: Frame, delayNs: number): void;
  /** Reports. */
  emit(event: MessageEvent): void;
  /** A line for the log. */
  log(text: string): void;
  /** A record for the trace. */
  trace(record: TraceRecord): void;
}

/** The default limits. */
export const DEFAULT_LIMITS: Limits = {
  maxMessage: 64 * 1024 * 1024,
  maxInline: 16384,
  maxQueued: 128 * 1024 * 1024,
  connectNs: 300_000_000_000,
};

/** A frame names its chain in a byte. */
const MAX_CHAINS = 256;

/** One rank's runtime. */
export class Runtime implements ConnectionHost {
  /** This rank. */
  readonly rank: number;
  /** Ranks of the job. */
  readonly size: number;
  /** Registered memory. */
  readonly cache: RegistrationCache = new RegistrationCache();
  /** Messages of collectives. */
  readonly mailbox: Mailbox;
  /** Frames that belonged to nothing. */
  stray = 0;
  /** Virtual time: the node's program goes on no earlier, ns. */
  busyUntil = 0;
  #finalized = false;
  readonly #host: RuntimeHost;
  readonly #connections: Map<number, Connection> = new Map();
  readonly #chains: Map<number, Chain> = new Map();
  readonly #devices: Map<string, MessageDevice> = new Map();
  readonly #added: Map<string, { readonly module: MessageModule; readonly parameters: Parameters }> = new Map();
  readonly #reconfigurer: Reconfigurer;
  readonly #lost: Set<number> = new Set();
  #number = 0;

  /** Makes one. @param rank Its rank. @param host The job. */
  constructor(rank: number, host: RuntimeHost) {
    this.rank = rank;
    this.size = host.addresses.length;
    this.#host = host;
    this.mailbox = new Mailbox((to, tag, data, always) => this.sendInternal(to, tag, data, always));
    this.#reconfigurer = new Reconfigurer({
      rank,
      key: host.key,
      number: () => this.number(),
      emit: (event) => host.emit(event),
      chainAt: (c, n) => this.#chain(c, n),
      ensureFilter: (name, module, parameters) => this.#ensureFilter(name, module, parameters),
    });
  }

  /** Limits of the job. */
  get limits(): Limits {
    return this.#host.limits;
  }
  /** Is time virtual? */
  get isVirtual(): boolean {
    return this.#host.isVirtual;
  }
  /** Has this rank ended? */
  get isFinalized(): boolean {
    return this.#finalized;
  }
  /** Where this rank is. */
  get local(): NetAddress {
    return this.#host.addresses[this.rank];
  }
  /** Where all ranks are. */
  get addresses(): readonly NetAddress[] {
    return this.#host.addresses;
  }
  /** All connections ever begun, by rank. */
  get connections(): readonly Connection[] {
    return [...this.#connections.values()].sort((a, b) => a.peer - b.peer);
  }

  /** Time, ns. */
  now(): number {
    return this.#host.now();
  }
  /** Time of the event being handled, ns; the host's clock is not asked for it. */
  get eventTime(): number {
    return this.#host.queue.time;
  }
  /** See {@linkcode ConnectionHost.backlog}. */
  get backlog(): number {
    return this.#host.backlog();
  }
  /** A timer of this node. */
  timer(fire: () => void): LayerTimer {
    return this.#host.queue.timer(fire);
  }
  /** A fresh number. */
  number(): number {
    return ++this.#number;
  }
  /** Reports. */
  emit(event: MessageEvent): void {
    if (event.kind === "disconnected") this.mailbox.gone(event.connection.peer, MessageStatus.peerGone);
    this.#host.emit(event);
  }
  /** See {@linkcode ConnectionHost.isLost}. */
  isLost(peer: number): boolean {
    return this.#lost.has(peer);
  }
  /** A rank is gone for good: its connection ends, and cannot be made again. */
  lost(rank: number): void {
    this.#lost.add(rank);
    const c = this.connection(rank);
    c?.fail(MessageStatus.peerGone);
    c?.linkEvent({ kind: "gone", from: "", to: "", resent: 0 });
  }
  /** See {@linkcode ConnectionHost.began}. */
  began(peer: number): void {
    this.mailbox.began(peer);
  }
  /** A message of a collective arrived. */
  internal(source: number, tag: number, data: Uint8Array): void {
    this.mailbox.arrived(source, tag, data);
  }

  /** The connection with `peer`, made if there is none; undefined: no such rank. */
  connection(peer: number): Connection | undefined {
    if (!Number.isInteger(peer) || peer < 0 || peer >= this.size) return undefined;
    let c = this.#connections.get(peer);
    if (c === undefined) this.#connections.set(peer, c = new Connection(this, peer));
    return c;
  }

  /** Sends a collective's message; `always`: however much is queued already. */
  sendInternal(to: number, tag: number, data: Uint8Array, always: boolean): Status {
    const c = this.#connections.get(to);
    return c === undefined ? MessageStatus.notConnected : c.sendBytes(data, 0, tag, always);
  }

  /** Number of a chain by name; -1: there is none. */
  chainNumber(name: string): number {
    return this.#host.spec.chains.findIndex((c) => c.name === name);
  }

  /** See {@linkcode ConnectionHost.chain}. */
  chain(connection: Connection, chain?: number): { readonly chain: Chain; readonly number: number } | undefined {
    const remote = this.#host.addresses[connection.peer];
    const number = chain ?? defaultChain(this.#host.spec, this.local, remote, (name) => this.#reaches(name, remote));
    if (number === undefined) return undefined;
    const found = this.#chain(connection, number);
    return found === undefined ? undefined : { chain: found, number };
  }

  /** See {@linkcode ConnectionHost.reconfigure}. */
  reconfigure(connection: Connection, change: ChainChange, token: Token): Status {
    return this.#reconfigurer.begin(connection, change, token);
  }

  /** See {@linkcode ConnectionHost.control}. */
  control(connection: Connection, frame: Frame): void {
    this.#reconfigurer.received(connection, frame);
  }

  /** A frame arrived by a network. Whatever it holds, this does not throw for it. */
  arrive(device: string, frame: Frame): void {
    const c = frame.destination === this.rank ? this.connection(frame.source) : undefined;
    const chain = c === undefined ? undefined : this.#chain(c, frame.chain);
    if (chain === undefined || !chain.arrive(device, frame)) this.stray++;
  }

  /** From now on requests to connect are refused. */
  finalize(): void {
    this.#finalized = true;
  }

  /** Cancels all timers. */
  close(): void {
    for (const chain of this.#chains.values()) chain.close();
  }

  #chain(c: Connection, number: number): Chain | undefined {
    const key = c.peer * MAX_CHAINS + number;
    const known = this.#chains.get(key);
    if (known !== undefined) return known;
    const plan = this.#host.spec.chains[number];
    if (plan === undefined) return undefined;
    const remote = this.#host.addresses[c.peer];
    const chain: Chain = new Chain(plan.layers, {
      local: this.local,
      remote,
      chain: number,
      device: (name) => this.#device(name),
      now: () => this.now(),
      transmit: (device, frame, delayNs) => this.#host.transmit(device, frame, delayNs),
      received: (frame) => c.received(frame, chain),
      event: (event) => c.linkEvent(event),
      fail: (status) => c.fail(status),
    });
    this.#chains.set(key, chain);
    return chain;
  }

  #busy(until: number): void {
    if (this.isVirtual && until > this.busyUntil) this.busyUntil = until;
  }

  #reaches(name: string, remote: NetAddress): boolean {
    return this.#device(name).reach?.(remote) !== undefined;
  }

  #device(name: string): MessageDevice {
    const known = this.#devices.get(name);
    if (known !== undefined) return known;
    const plan = this.#added.get(name) ?? this.#host.spec.devices.get(name);
    if (plan === undefined) throw new RangeError(`No device "${name}"`);
    const device = this.#create(name, plan);
    this.#devices.set(name, device);
    return device;
  }

  #create(name: string, { module, parameters }: CheckedDevice): MessageDevice {
    const host = this.#host;
    const what = `Device "${name}": module "${module.name}"`;
    let device: MessageDevice;
    try {
      device = module.create(parameters, {
        local: this.local,
        addresses: host.addresses,
        media: host.media,
        size: this.size,
        key: host.key,
        seed: host.seed,
        isVirtual: host.isVirtual,
        name,
        now: () => this.now(),
        timer: (fire) => this.timer(fire),
        busy: (until) => this.#busy(until),
        log: (text) => host.log(text),
        trace: (record) => host.trace(record),
      });
    } catch (e) {
      throw new ConfigError(
        "message-module",
        `${what} failed in create: ${e instanceof Error ? e.message : String(e)}`,
      );
    }
    if (typeof device?.open === "function") return device;
    throw new ConfigError("message-module", `${what} made no device: create must return an object with open`);
  }

  #ensureFilter(name: string, module: string | undefined, parameters: Parameters | undefined): boolean {
    const known = this.#host.spec.devices.get(name) ?? this.#added.get(name);
    if (known !== undefined) return module === undefined && known.module.kind === "filter";
    const found = module === undefined ? undefined : this.#host.modules.get(module);
    if (found === undefined || found.kind !== "filter") return false;
    try {
      this.#added.set(name, { module: found, parameters: checkParameters(name, found, parameters ?? {}, this.size) });
      return true;
    } catch {
      return false; // wrong parameters: the caller answers invalidArgument
    }
  }
}

/**
 * Medium `tcp`: one socket for each pair of processes, records with a length before them. Process 0 is where the others
 * find each other: each tells it where it listens, and gets the list when all are there; then the higher process of a
 * pair connects to the lower. When a socket breaks the higher process connects again, and what the other end has not got
 * is sent again: records come once and in order. A process that does not come again in time is lost.
 *
 * Nobody joins without the job's key: both ends of a socket prove by HMAC-SHA-256 over fresh numbers of both that they
 * know it, before anything else is read. A stranger is dropped without a word and costs nothing but its socket; lengths
 * are bounded before anything is allocated. The default is to listen on the loopback address only. Records themselves
 * are not encrypted: the filter `encrypt` does that per connection. Warm.
 */
import { ConfigError } from "../../core/errors.ts";
import { deriveKey } from "../../vmi/message/sha256.ts";
import type { Transport } from "../../vmi/message/transport.ts";
import { acquaint, type Acquaintance, greet, type Greeting, welcome } from "./tcp_hello.ts";
import { TcpLink } from "./tcp_link.ts";
import { TcpPeer } from "./tcp_peer.ts";

/** Options of {@linkcode joinTcp}. */
export interface TcpOptions {
  /** Key of the job; at least 8 characters. */
  readonly key: string;
  /** This process. */
  readonly process: number;
  /** All processes. */
  readonly processes: number;
  /** Where process 0 listens; default host 127.0.0.1. Port 0: any, only for process 0, see `onListen`. */
  readonly first: { readonly hostname?: string; readonly port: number };
  /** Address this process listens on; default 127.0.0.1. */
  readonly hostname?: string;
  /** How long all may take to come together, ms; default 30 000. */
  readonly timeoutMs?: number;
  /** How long a process may take to come again after its socket broke, ms; default 5000. */
  readonly reconnectMs?: number;
  /** Told where this process listens. */
  readonly onListen?: (port: number) => void;
}

/** Bytes of the list of processes. */
const LONGEST_LIST = 1 << 20;
/** How long a stranger may take to prove itself, ms. */
const HELLO_MS = 5000;

/** How long a process may take to come again after its socket broke, ms. */
const RECONNECT_MS = 5000;
/** Time between two attempts, ms. */
const ATTEMPT_MS = 50;

/** Transport between processes by TCP. */
export class TcpTransport implements Transport {
  /** Name of the medium. */
  readonly medium = "tcp";
  /** This process. */
  readonly process: number;
  /** All processes. */
  readonly processes: number;
  readonly #meeting: Meeting;
  #wake: (() => void) | undefined;

  /** Made by {@linkcode joinTcp}. @param process This one. @param processes All. @param meeting Where all have met. */
  constructor(process: number, processes: number, meeting: Meeting) {
    this.process = process;
    this.processes = processes;
    this.#meeting = meeting;
    meeting.onNews = (): void => this.#wake?.();
  }

  /** Bytes not yet handed to the system. */
  get queued(): number {
    let sum = 0;
    for (const peer of this.#meeting.peers.values()) sum += peer.queued;
    return sum;
  }

  /** Sockets that broke and were replaced. */
  get reconnects(): number {
    return this.#meeting.reconnects;
  }

  /** See {@linkcode Transport.lost}. */
  get lost(): ReadonlyMap<number, string> {
    const lost = new Map<number, string>();
    for (const [p, peer] of this.#meeting.peers) if (peer.lost !== undefined) lost.set(p, peer.lost);
    return lost;
  }

  /** Why it cannot go on. */
  get broken(): string | undefined {
    for (const [p, peer] of this.#meeting.peers) {
      if (peer.lost !== undefined) return `The connection to process ${p} was lost: ${peer.lost}`;
    }
    return undefined;
  }

  /** See {@linkcode Transport.send}. */
  send(to: number, record: Uint8Array): void {
    this.#meeting.peers.get(to)?.send(record);
  }

  /** See {@linkcode Transport.poll}. */
  poll(deliver: (from: number, record: Uint8Array) => void): number {
    let count = 0;
    for (const [p, peer] of this.#meeting.peers) {
      for (let record = peer.take(); record !== undefined; record = peer.take()) {
        deliver(p, record);
        count++;
      }
    }
    return count;
  }

  /** See {@linkcode Transport.sleep}. */
  async sleep(ms: number): Promise<void> {
    for (const peer of this.#meeting.peers.values()) if (peer.hasNews) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#wake = undefined;
  }

  /** Sends what was accepted and closes all sockets. */
  async close(): Promise<void> {
    await this.#meeting.close();
  }
}

/**
 * Joins the processes of a job.
 * @throws {ConfigError} message-key, message-tcp
 */
export async function joinTcp(options: TcpOptions): Promise<TcpTransport> {
  const { process, processes, key } = options;
  if (key.length < 8) throw new ConfigError("message-key", "A job over tcp needs a key of at least 8 characters");
  if (!Number.isInteger(process) || process < 0 || process >= processes) {
    throw new ConfigError("message-tcp", `process must be from 0 to ${processes - 1}, not ${process}`);
  }
  const hostname = options.hostname ?? "127.0.0.1";
  const port = process === 0 ? options.first.port : 0;
  const listener = Deno.listen({ hostname: process === 0 ? options.first.hostname ?? hostname : hostname, port });
  const own = (listener.addr as Deno.NetAddr).port;
  options.onListen?.(own);
  const meeting = new Meeting(options, listener, `${hostname}:${own}`);
  await meeting.run();
  return new TcpTransport(process, processes, meeting);
}

/** All sockets of one process: coming together, and coming again. */
class Meeting {
  /** The others. */
  readonly peers: Map<number, TcpPeer> = new Map();
  /** Told when there is something to poll. */
  onNews: () => void = () => {};
  /** Sockets that were replaced. */
  reconnects = 0;
  readonly #o: TcpOptions;
  readonly #listener: Deno.TcpListener;
  readonly #self: string;
  readonly #secret: Uint8Array;
  readonly #instance: string = crypto.randomUUID();
  readonly #links: Map<number, TcpLink> = new Map();
  readonly #places: Map<number, string> = new Map();
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();
  readonly #hellos: Set<TcpLink> = new Set();
  #changed: () => void = () => {};
  #accepting: Promise<void> = Promise.resolve();
  #isClosed = false;
  /** Why the last caller was refused. */
  #refused: string | undefined;

  constructor(options: TcpOptions, listener: Deno.TcpListener, self: string) {
    this.#o = options;
    this.#listener = listener;
    this.#self = self;
    this.#secret = deriveKey(options.key, "tcp hello");
  }

  async run(): Promise<void> {
    const { process, processes } = this.#o;
    const limit = Date.now() + (this.#o.timeoutMs ?? 30_000);
    this.#accepting = this.#accept().catch(() => {});
    try {
      if (process === 0) await this.#lead(limit);
      else await this.#follow(limit);
      await this.#until(() => this.#links.size === processes - 1, limit);
    } catch (e) {
      for (const link of this.#links.values()) link.abort();
      await this.close();
      throw e;
    }
    for (const [p, link] of this.#links) this.peers.get(p)?.attach(link, 0);
    this.#links.clear();
  }

  /** Leaves: what was accepted is sent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.peers.values()].map((p) => p.close()));
    for (const timer of this.#timers) clearTimeout(timer);
    for (const link of this.#hellos) link.abort();
    this.#listener.close();
    await this.#accepting;
  }

  /** Process 0: waits for all, then tells all where all are. */
  async #lead(limit: number): Promise<void> {
    const { processes } = this.#o;
    await this.#until(() => this.#links.size === processes - 1, limit);
    const list = Array.from({ length: processes }, (_, p) => this.#places.get(p) ?? "");
    const text = new TextEncoder().encode(JSON.stringify(list));
    for (const link of this.#links.values()) await link.write(text);
  }

  /** Others: tell process 0, learn the list, connect to all lower ones. */
  async #follow(limit: number): Promise<void> {
    const { first, process } = this.#o;
    this.#places.set(0, `${first.hostname ?? "127.0.0.1"}:${first.port}`);
    const zero = await this.#connect(0, limit);
    const list: unknown = JSON.parse(new TextDecoder().decode(await zero.read(limit, LONGEST_LIST)));
    if (!Array.isArray(list)) throw new ConfigError("message-tcp", "Process 0 sent no list of processes");
    for (let p = 1; p < process; p++) {
      this.#places.set(p, String(list[p]));
      await this.#connect(p, limit);
    }
  }

  /** A new peer; its sockets are looked after from now on. */
  #peer(process: number, instance: string): TcpPeer {
    const peer: TcpPeer = new TcpPeer(process, instance, () => this.onNews(), () => void this.#again(peer));
    this.peers.set(process, peer);
    return peer;
  }

  async #connect(p: number, limit: number): Promise<TcpLink> {
    while (true) {
      try {
        const { link, theirs } = await this.#call(p);
        this.#peer(p, theirs.instance);
        this.#links.set(p, link);
        return link;
      } catch (e) {
        if (e instanceof ConfigError || Date.now() > limit) throw e;
        await this.#pause(ATTEMPT_MS);
      }
    }
  }

  /** One call of a lower process, hello included. @throws Whatever goes wrong; the socket is closed then. */
  async #call(p: number): Promise<{ link: TcpLink; theirs: Acquaintance }> {
    const place = this.#places.get(p) ?? "";
    const [hostname, port] = [place.slice(0, place.lastIndexOf(":")), Number(place.slice(place.lastIndexOf(":") + 1))];
    const link = new TcpLink(await Deno.connect({ hostname, port }));
    this.#hellos.add(link);
    try {
      const { process, processes } = this.#o;
      const me: Greeting = { process, processes, place: this.#self, instance: this.#instance };
      const limit = Date.now() + HELLO_MS;
      await greet(link, this.#secret, me, limit);
      const theirs = await acquaint(link, this.#instance, (who) => this.#got(p, who), limit);
      if (theirs === undefined) throw new Deno.errors.ConnectionRefused("It is not the process that was there");
      return { link, theirs };
    } catch (e) {
      link.abort();
      throw e;
    } finally {
      this.#hellos.delete(link);
    }
  }

  /** How far a peer's records have come; undefined: this is another process. */
  #got(p: number, instance: string): number | undefined {
    const peer = this.peers.get(p);
    if (peer === undefined) return 0;
    return peer.instance === instance && peer.lost === undefined ? peer.got : undefined;
  }

  /** A socket broke: the higher process calls again, the lower one waits for that. */
  async #again(peer: TcpPeer): Promise<void> {
    const why = peer.lastWhy;
    const ms = this.#o.reconnectMs ?? RECONNECT_MS;
    const limit = Date.now() + ms;
    const calls = peer.process < this.#o.process;
    let last = "";
    this.#refused = undefined;
    while (!peer.isAttached && peer.lost === undefined && !this.#isClosed) {
      if (Date.now() >= limit) {
        const more = calls ? `the last call ended with: ${last}` : this.#refusedWords() ?? "it did not call";
        return peer.giveUp(`${why}; it did not come again within ${ms} ms: ${more}`);
      }
      if (calls) {
        try {
          const { link, theirs } = await this.#call(peer.process);
          return this.#isClosed ? link.abort() : this.#back(peer, link, theirs);
        } catch (e) {
          last = e instanceof Error ? e.message : String(e); // not yet
        }
      }
      await this.#pause(ATTEMPT_MS);
    }
  }

  /** What to say of callers that were refused; undefined: none was. */
  #refusedWords(): string | undefined {
    return this.#refused === undefined ? undefined : `a caller was refused: ${this.#refused}`;
  }

  #back(peer: TcpPeer, link: TcpLink, theirs: Acquaintance): void {
    this.reconnects++;
    peer.attach(link, theirs.got);
    this.onNews();
  }

  /** Takes sockets until the listener is closed. */
  async #accept(): Promise<void> {
    for await (const socket of this.#listener) {
      const link = new TcpLink(socket);
      this.#hellos.add(link);
      this.#welcome(link).catch(() => link.abort()).finally(() => this.#hellos.delete(link));
    }
  }

  async #welcome(link: TcpLink): Promise<void> {
    const limit = Date.now() + HELLO_MS;
    const g = await welcome(link, this.#secret, this.#o.processes, limit);
    if (typeof g === "string") return this.#refuse(link, g);
    if (g.process <= this.#o.process || this.#links.has(g.process)) {
      return this.#refuse(link, `process ${g.process} is there already, or is not to call`);
    }
    const known = this.peers.get(g.process);
    const theirs = await acquaint(link, this.#instance, (who) => this.#got(g.process, who), limit);
    if (theirs === undefined || theirs.instance !== g.instance || this.#isClosed) {
      return this.#refuse(link, `it is not the process ${g.process} that was there`);
    }
    if (known !== undefined) return this.#back(known, link, theirs);
    this.#peer(g.process, g.instance);
    this.#places.set(g.process, g.place);
    this.#links.set(g.process, link);
    this.#changed();
  }

  #refuse(link: TcpLink, why: string): void {
    this.#refused = why;
    link.abort();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.add(timer);
    });
  }

  async #until(condition: () => boolean, limit: number): Promise<void> {
    while (!condition()) {
      const left = limit - Date.now();
      if (left <= 0) {
        const refused = this.#refusedWords();
        const more = refused === undefined ? "" : `; ${refused}`;
        throw new ConfigError(
          "message-tcp",
          `Only ${this.#links.size + 1} of ${this.#o.processes} processes came${more}`,
        );
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
        timer = setTimeout(resolve, Math.min(left, 100));
      });
      clearTimeout(timer);
    }
  }
}

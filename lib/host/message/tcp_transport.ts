/**
 * Medium `tcp`: one socket for each pair of processes, records with a length before them. Process 0 is where the others
 * find each other: each tells it where it listens, and gets the list when all are there; then the higher process of a
 * pair connects to the lower.
 *
 * Nobody joins without the job's key: both ends of a socket prove by HMAC-SHA-256 over fresh numbers of both that they
 * know it, before anything else is read. A stranger is dropped without a word and costs nothing but its socket; lengths
 * are bounded before anything is allocated. The default is to listen on the loopback address only. Records themselves
 * are not encrypted: the filter `encrypt` does that per connection.
 *
 * Not emulated: reconnecting (the composite `failover` goes around a broken link). Warm.
 */
import { ConfigError } from "../../core/errors.ts";
import { deriveKey } from "../../vmi/message/sha256.ts";
import type { Transport } from "../../vmi/message/transport.ts";
import { greet, type Greeting, welcome } from "./tcp_hello.ts";
import { TcpLink } from "./tcp_link.ts";

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
  /** Told where this process listens. */
  readonly onListen?: (port: number) => void;
}

/** How long a stranger may take to prove itself, ms. */
const HELLO_MS = 5000;

/** Transport between processes by TCP. */
export class TcpTransport implements Transport {
  /** Name of the medium. */
  readonly medium = "tcp";
  /** This process. */
  readonly process: number;
  /** All processes. */
  readonly processes: number;
  readonly #links: Map<number, TcpLink>;
  #wake: (() => void) | undefined;

  /** Made by {@linkcode joinTcp}. @param process This one. @param processes All. @param links Sockets to the others. */
  constructor(process: number, processes: number, links: Map<number, TcpLink>) {
    this.process = process;
    this.processes = processes;
    this.#links = links;
    for (const link of links.values()) link.start(() => this.#wake?.());
  }

  /** Bytes not yet handed to the system. */
  get queued(): number {
    let sum = 0;
    for (const link of this.#links.values()) sum += link.queued;
    return sum;
  }

  /** Why it cannot go on. */
  get broken(): string | undefined {
    for (const [p, link] of this.#links) {
      if (link.ended !== undefined && !link.hasData) return `The connection to process ${p} was lost: ${link.ended}`;
    }
    return undefined;
  }

  /** See {@linkcode Transport.send}. */
  send(to: number, record: Uint8Array): void {
    this.#links.get(to)?.send(record);
  }

  /** See {@linkcode Transport.poll}. */
  poll(deliver: (from: number, record: Uint8Array) => void): number {
    let count = 0;
    for (const [p, link] of this.#links) {
      for (let record = link.take(); record !== undefined; record = link.take()) {
        deliver(p, record);
        count++;
      }
    }
    return count;
  }

  /** See {@linkcode Transport.sleep}. */
  async sleep(ms: number): Promise<void> {
    const has = (): boolean => [...this.#links.values()].some((l) => l.hasData || l.ended !== undefined);
    if (has()) return;
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
    await Promise.all([...this.#links.values()].map((l) => l.close()));
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
  try {
    return new TcpTransport(process, processes, await meeting.run());
  } finally {
    listener.close();
  }
}

/** All sockets of one process coming together. */
class Meeting {
  readonly #o: TcpOptions;
  readonly #listener: Deno.TcpListener;
  readonly #self: string;
  readonly #secret: Uint8Array;
  readonly #links: Map<number, TcpLink> = new Map();
  readonly #places: Map<number, string> = new Map();
  #changed: () => void = () => {};

  constructor(options: TcpOptions, listener: Deno.TcpListener, self: string) {
    this.#o = options;
    this.#listener = listener;
    this.#self = self;
    this.#secret = deriveKey(options.key, "tcp hello");
  }

  async run(): Promise<Map<number, TcpLink>> {
    const { process, processes } = this.#o;
    const limit = Date.now() + (this.#o.timeoutMs ?? 30_000);
    const accepting = this.#accept();
    accepting.catch(() => {});
    try {
      if (process === 0) await this.#lead(limit);
      else await this.#follow(limit);
      await this.#until(() => this.#links.size === processes - 1, limit);
      return this.#links;
    } catch (e) {
      for (const link of this.#links.values()) link.abort();
      throw e;
    }
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
    const zero = await this.#connect(0, `${first.hostname ?? "127.0.0.1"}:${first.port}`, limit);
    const list: unknown = JSON.parse(new TextDecoder().decode(await zero.read(limit)));
    if (!Array.isArray(list)) throw new ConfigError("message-tcp", "Process 0 sent no list of processes");
    for (let p = 1; p < process; p++) await this.#connect(p, String(list[p]), limit);
  }

  async #connect(p: number, place: string, limit: number): Promise<TcpLink> {
    const [hostname, port] = [place.slice(0, place.lastIndexOf(":")), Number(place.slice(place.lastIndexOf(":") + 1))];
    while (true) {
      try {
        const socket = await Deno.connect({ hostname, port });
        const link = new TcpLink(socket);
        const me: Greeting = { process: this.#o.process, processes: this.#o.processes, place: this.#self };
        await greet(link, this.#secret, me, Date.now() + HELLO_MS);
        this.#links.set(p, link);
        return link;
      } catch (e) {
        if (e instanceof ConfigError || Date.now() > limit) throw e;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Takes sockets until the listener is closed. */
  async #accept(): Promise<void> {
    for await (const socket of this.#listener) {
      const link = new TcpLink(socket);
      welcome(link, this.#secret, this.#o.processes, Date.now() + HELLO_MS).then((g) => {
        if (g === undefined || g.process <= this.#o.process || this.#links.has(g.process)) return link.abort();
        this.#places.set(g.process, g.place);
        this.#links.set(g.process, link);
        this.#changed();
      }, () => link.abort());
    }
  }

  async #until(condition: () => boolean, limit: number): Promise<void> {
    while (!condition()) {
      const left = limit - Date.now();
      if (left <= 0) {
        throw new ConfigError("message-tcp", `Only ${this.#links.size + 1} of ${this.#o.processes} processes came`);
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

/**
 * Serves the lab: a web page on loopback from which one person looks at a guest and drives it. Who drives it may do all that
 * the guest can, so the address carries a token that no other page can guess, only requests to loopback's own name are
 * answered, and the WebSocket is opened only to the page itself. What a client sends is data: a request that is none ends
 * its connection. A client that does not read gets no more until it does; what the guest writes meanwhile is kept by the
 * serial line, within its bound. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { Machine } from "../../machine/machine.ts";
import { labFile, SECURITY_HEADERS } from "./files.ts";
import { type LabConsole, parseRequest } from "./protocol.ts";
import { LabSession, type LabSubject } from "./session.ts";

/** How to serve. */
export interface LabOptions {
  /** TCP port; default 0: any free one. */
  readonly port?: number;
  /** The secret part of the address; default: a new one from the host's source of chance. */
  readonly token?: string;
  /** Told what goes on, one line each. */
  readonly say?: (text: string) => void;
}

/** A lab that is open. */
export interface LabServer {
  /** The page's address, token included. */
  readonly url: string;
  /** Settles when it is closed. */
  readonly done: Promise<void>;
  /** Ends the run and the server. */
  close(): Promise<void>;
}

/** Pages that may look at once. */
const MOST_CLIENTS = 4;
/** Requests of one page that may wait for their ends. */
const MOST_PENDING = 64;
/** Bytes a client has not read before it gets no more. */
const MOST_UNREAD = 1 << 20;
/** Characters of serial output sent at once. */
const MOST_CONSOLE = 1 << 16;
/** Milliseconds between two looks at a running guest. */
const EVERY = 100;
/** WebSocket's code for a client that breaks the rules. */
const POLICY = 1008;

/**
 * Opens the lab for a machine, which nobody else may run meanwhile, or for another subject.
 * @throws {ConfigError} lab-listen: the port cannot be had.
 */
export function serveLab(what: Machine | LabSubject, options: LabOptions = {}): LabServer {
  const subject = "handle" in what ? what : new LabSession(what);
  const token = options.token ?? crypto.getRandomValues(new Uint8Array(16)).toHex();
  const lab = new Lab(subject, token, options.say ?? ((): void => {}));
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({
      hostname: "127.0.0.1",
      port: options.port ?? 0,
      onListen: () => {},
      onError: () => new Response("The lab failed\n", { status: 500 }),
    }, (request) => lab.answer(request));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      "lab-listen",
      `Cannot listen on 127.0.0.1:${options.port ?? 0}: ${reason}; choose another port`,
    );
  }
  lab.authority = `127.0.0.1:${server.addr.port}`;
  return {
    url: `http://${lab.authority}/${token}/`,
    done: server.finished,
    close: async (): Promise<void> => {
      await lab.close();
      await server.shutdown();
    },
  };
}

/** One page that looks. */
interface Client {
  readonly socket: WebSocket;
  /** Bytes of serial output it has. */
  seen: number;
  /** The past it knows; -1: none yet. */
  era: number;
  /** The last state it was sent. */
  state: string;
  /** Requests not done yet. */
  pending: number;
}

/** Requests and clients of one lab. */
class Lab {
  /** Host and port in the page's address. */
  authority = "";
  readonly #subject: LabSubject;
  readonly #token: string;
  readonly #say: (text: string) => void;
  readonly #clients: Set<Client> = new Set();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(subject: LabSubject, token: string, say: (text: string) => void) {
    this.#subject = subject;
    this.#token = token;
    this.#say = say;
  }

  /** Answers one request. */
  async answer(request: Request): Promise<Response> {
    const { pathname, host } = new URL(request.url);
    // Another name for this host would be a page that has its own name lead here.
    if (host !== this.authority || request.headers.get("host") !== this.authority) return refuse(403);
    const [, token, name, ...rest] = pathname.split("/");
    if (!isEqual(token ?? "", this.#token) || name === undefined || rest.length > 0) return refuse(404);
    if (name === "socket") return this.#socket(request);
    if (request.method !== "GET") return refuse(405);
    const file = await labFile(name);
    return file === undefined
      ? refuse(404)
      : new Response(file.text, { headers: { ...SECURITY_HEADERS, "content-type": file.type } });
  }

  /** Ends the run and all connections. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#subject.close();
    await Promise.all([...this.#clients].map((c) =>
      new Promise<void>((resolve) => {
        c.socket.addEventListener("close", () => resolve(), { once: true });
        c.socket.close(1001, "the lab is closed");
      })
    ));
  }

  #socket(request: Request): Response {
    if (request.headers.get("origin") !== `http://${this.authority}`) return refuse(403);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return refuse(426);
    if (this.#clients.size >= MOST_CLIENTS) return refuse(503);
    const { socket, response } = Deno.upgradeWebSocket(request);
    const client: Client = { socket, seen: 0, era: -1, state: "", pending: 0 };
    this.#clients.add(client);
    socket.addEventListener("open", () => {
      this.#say("a page has connected");
      this.#timer ??= setInterval(() => this.#show(), EVERY);
      this.#show();
    });
    socket.addEventListener("message", ({ data }) => void this.#take(client, data));
    socket.addEventListener("error", () => {}); // a close follows
    socket.addEventListener("close", () => {
      this.#clients.delete(client);
      if (this.#clients.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    return response;
  }

  async #take(client: Client, data: unknown): Promise<void> {
    const request = parseRequest(data);
    if (request === undefined || client.pending >= MOST_PENDING) {
      return client.socket.close(POLICY, request === undefined ? "not a request" : "too many requests");
    }
    client.pending++;
    try {
      const done = this.#subject.handle(request);
      this.#show();
      await done;
    } catch (error) {
      this.#say(`the request failed: ${error instanceof Error ? error.stack ?? error.message : String(error)}`);
      client.socket.close(1011, "the lab failed");
    } finally {
      client.pending--;
    }
    this.#show();
  }

  /** Sends every page what is new. */
  #show(): void {
    const { subject, state } = { subject: this.#subject, state: JSON.stringify(this.#subject.state()) };
    for (const c of this.#clients) {
      if (c.socket.readyState !== WebSocket.OPEN || c.socket.bufferedAmount > MOST_UNREAD) continue;
      const output = consoleFor(c, subject);
      if (output !== undefined) c.socket.send(JSON.stringify(output));
      if (state === c.state) continue;
      c.state = state;
      c.socket.send(state);
    }
  }
}

/** Serial output that a page has not seen. */
function consoleFor(client: Client, { serial, era }: LabSubject): LabConsole | undefined {
  const reset = client.era !== era;
  const count = serial?.count ?? 0;
  const seen = reset ? 0 : client.seen;
  if (!reset && count === seen) return undefined;
  client.era = era;
  client.seen = count;
  const text = serial?.since(seen).slice(-MOST_CONSOLE) ?? "";
  return { kind: "console", reset, lost: count - seen - text.length, text };
}

function refuse(status: number): Response {
  return new Response("No lab here; use the whole address that vmikit lab printed\n", {
    status,
    headers: SECURITY_HEADERS,
  });
}

/** Compares secrets in a time that does not tell where they differ. */
function isEqual(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a.charCodeAt(i) | 0) ^ b.charCodeAt(i);
  return difference === 0;
}

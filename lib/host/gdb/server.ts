/**
 * Listens for GDB and serves one client at a time. A client's bytes are only ever data: floods, damaged packets and lost
 * connections end the session at most. Listens on loopback unless told otherwise, because a debugger may do everything to
 * the guest. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { Machine } from "../../machine/machine.ts";
import { encodePacket, PacketReader } from "./packet.ts";
import { Session } from "./session.ts";

/** How to listen. */
export interface GdbOptions {
  /** Address; default `127.0.0.1`: only this host may connect. */
  readonly hostname?: string;
  /** TCP port; 0: any free one. Default 1234, the one that GDB's users expect. */
  readonly port?: number;
  /** Close when the first client has gone; default: serve until {@linkcode GdbServer.close}. */
  readonly once?: boolean;
  /** Told what goes on, one line each. */
  readonly say?: (text: string) => void;
}

/** A debugger server. */
export interface GdbServer {
  /** Where it listens. */
  readonly address: Deno.NetAddr;
  /** Settles when the server is closed. */
  readonly done: Promise<void>;
  /** Ends the session and the server. */
  close(): void;
}

/** Packets that may wait while one is answered. */
const MOST_WAITING = 64;

/**
 * Serves a machine to GDB: `target remote 127.0.0.1:1234`. The machine must not be run by anybody else meanwhile.
 * @throws {ConfigError} gdb-listen: the address or port cannot be had.
 */
export function serveGdb(machine: Machine, options: GdbOptions = {}): GdbServer {
  const { hostname = "127.0.0.1", port = 1234, once = false, say = (): void => {} } = options;
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname, port });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      "gdb-listen",
      `Cannot listen on ${hostname}:${port}: ${reason}; choose another address or port`,
    );
  }
  let current: Deno.TcpConn | undefined;
  const accept = async (): Promise<void> => {
    for await (const connection of listener) {
      if (current !== undefined) { // one debugger at a time: two would undo each other's work
        connection.close();
        say("a second client was turned away");
        continue;
      }
      current = connection;
      say("a client has connected");
      serve(machine, connection).then(say, (error) => say(`the session failed: ${error}`)).finally(() => {
        current = undefined;
        if (once) closeQuietly(listener);
      });
    }
  };
  return {
    address: listener.addr as Deno.NetAddr,
    done: accept(),
    close: (): void => {
      closeQuietly(listener);
      if (current !== undefined) closeQuietly(current);
    },
  };
}

/** Closes what may be closed already. */
function closeQuietly(what: { close(): void }): void {
  try {
    what.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** One client from its first byte to its last; resolves to how it ended. */
async function serve(machine: Machine, connection: Deno.TcpConn): Promise<string> {
  const line = new Line(connection);
  const session = new Session(machine, (text) => line.send(text));
  const reader = new PacketReader();
  const buffer = new Uint8Array(0x10000);
  let waiting = 0;
  let work: Promise<void> = Promise.resolve();
  let failure: unknown;
  let flooded = false;
  const take = (text: string): void => {
    waiting++;
    work = work.then(() => session.ended === undefined ? session.handle(text) : undefined).catch((error) => {
      failure ??= error;
      closeQuietly(connection);
    }).finally(() => {
      waiting--;
      if (session.ended !== undefined) void line.drained.then(() => closeQuietly(connection));
    });
  };
  try {
    while (!flooded) {
      const n = await connection.read(buffer);
      if (n === null) break;
      for (const item of reader.take(buffer.subarray(0, n))) {
        if (item.kind === "interrupt") session.interrupt();
        else if (item.kind === "again") line.again();
        else if (item.kind === "damaged") line.acknowledge(session.noAck, "-");
        else {
          line.acknowledge(session.noAck, "+");
          take(item.text);
        }
        flooded ||= waiting > MOST_WAITING;
      }
    }
  } catch (error) {
    if (session.ended === undefined && !isGone(error)) throw error;
  } finally {
    session.ended ??= "disconnected"; // a guest that still runs stops, what waits is not answered
    await work;
    closeQuietly(connection);
  }
  if (failure !== undefined) throw failure;
  return flooded ? "the client sent more than it waits for; session ended" : `the client has gone (${session.ended})`;
}

/** Did the other side go away? */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.UnexpectedEof;
}

/** The sending half, in order. */
class Line {
  readonly #connection: Deno.TcpConn;
  #last: Uint8Array | undefined;
  /** Settles when everything sent so far is out, or the client is gone. */
  drained: Promise<void> = Promise.resolve();

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  send(text: string): void {
    this.#last = encodePacket(text);
    this.#write(this.#last);
  }

  again(): void {
    if (this.#last !== undefined) this.#write(this.#last);
  }

  acknowledge(off: boolean, sign: "+" | "-"): void {
    if (!off) this.#write(Uint8Array.of(sign.charCodeAt(0)));
  }

  #write(bytes: Uint8Array): void {
    this.drained = this.drained.then(async () => {
      for (let done = 0; done < bytes.length;) done += await this.#connection.write(bytes.subarray(done));
    }).catch(() => {}); // the reading half notices that the client is gone
  }
}

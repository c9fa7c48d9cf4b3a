/**
 * One socket that carries records: a length word, then the bytes. Before the job begins records are read one by one with
 * a time limit; afterwards they collect. Warm.
 */
import { ConfigError } from "../../core/errors.ts";

/** Largest record; a frame of the largest message fits. */
const LARGEST = 1 << 28;
/** Largest record before the other end has proved that it knows the key. */
const LARGEST_HELLO = 4096;
const CHUNK = 1 << 16;
/** How long to wait at the end for the other end to close, ms. */
const LINGER_MS = 500;

/** A socket. */
export class TcpLink {
  readonly #socket: Deno.TcpConn;
  readonly #records: Uint8Array[] = [];
  readonly #out: Uint8Array[] = [];
  #first = 0;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(CHUNK);
  #from = 0;
  #to = 0;
  #queued = 0;
  #ended: string | undefined;
  #writing: Promise<void> | undefined;
  #reading: Promise<void> | undefined;
  #closing = false;
  #wake: () => void = () => {};

  /** Takes a socket. @param socket Connected. */
  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  /** Bytes not yet handed to the system. */
  get queued(): number {
    return this.#queued;
  }
  /** Are there records? */
  get hasData(): boolean {
    return this.#first < this.#records.length;
  }
  /** Why it ended; undefined: it is open. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** The next record. */
  take(): Uint8Array | undefined {
    if (this.#first === this.#records.length) return undefined;
    const record = this.#records[this.#first++];
    if (this.#first === this.#records.length) this.#records.length = this.#first = 0;
    return record;
  }

  /** Queues a record, `first` before it; small ones of one turn go out together. */
  send(record: Uint8Array, first: Uint8Array = new Uint8Array(0)): void {
    if (this.#ended !== undefined) return;
    const head = new Uint8Array(4 + first.length);
    new DataView(head.buffer).setUint32(0, first.length + record.length, true);
    head.set(first, 4);
    this.#out.push(head, record);
    this.#queued += head.length + record.length;
    this.#writing ??= this.#flush();
  }

  /** From now on records collect; `wake` is called for each batch. */
  start(wake: () => void): void {
    this.#wake = wake;
    this.#reading = this.#collect();
  }

  /** Writes one record, before the job begins. */
  async write(record: Uint8Array): Promise<void> {
    this.send(record);
    await this.#writing;
  }

  /** Reads one record, before the job begins. @throws {ConfigError} message-tcp: too late, too long, or closed. */
  async read(limit: number, largest: number = LARGEST_HELLO): Promise<Uint8Array> {
    const timer = setTimeout(() => this.abort(), Math.max(0, limit - Date.now()));
    try {
      while (true) {
        const record = this.#parse(largest);
        if (record !== undefined) return record;
        if (!await this.#fill()) throw new ConfigError("message-tcp", `The other end closed: ${this.#ended}`);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes at once. */
  abort(): void {
    this.#end("closed");
  }

  /**
   * Closes after everything was written, and, for a while, after the other end has closed as well: a socket that is closed
   * with something unread in it takes with it what is still under way to the other end.
   */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#closing = true;
    if (this.#ended === undefined && this.#reading !== undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, LINGER_MS));
      await this.#socket.closeWrite().catch(() => {});
      await Promise.race([this.#reading, late]);
      clearTimeout(timer);
    }
    this.#end("closed");
    await this.#reading;
  }

  #end(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    this.#out.length = 0;
    this.#queued = 0;
    try {
      this.#socket.close();
    } catch {
      // closed by the other end already
    }
    this.#wake();
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // let the rest of this turn join
    try {
      while (this.#out.length > 0 && this.#ended === undefined) {
        const batch = this.#batch();
        for (let at = 0; at < batch.length;) at += await this.#socket.write(batch.subarray(at));
        this.#queued -= batch.length;
      }
    } catch (e) {
      this.#end(e instanceof Error ? e.message : String(e));
    }
    this.#writing = undefined;
  }

  #batch(): Uint8Array {
    let size = 0;
    let count = 0;
    while (count < this.#out.length && (count < 2 || size + this.#out[count].length <= CHUNK)) {
      size += this.#out[count++].length;
    }
    const parts = this.#out.splice(0, count);
    const out = new Uint8Array(size);
    let at = 0;
    for (const p of parts) {
      out.set(p, at);
      at += p.length;
    }
    return out;
  }

  async #collect(): Promise<void> {
    while (true) {
      try {
        for (let r = this.#parse(LARGEST); r !== undefined; r = this.#parse(LARGEST)) this.#records.push(r);
      } catch (e) {
        this.#end(e instanceof Error ? e.message : String(e));
      }
      if (this.hasData) this.#wake();
      if (this.#ended !== undefined || !await this.#fill()) return;
    }
  }

  /** A whole record from the buffer. @throws {ConfigError} message-tcp: its length cannot be. */
  #parse(largest: number): Uint8Array | undefined {
    const have = this.#to - this.#from;
    if (have < 4) return undefined;
    const view = new DataView(this.#buffer.buffer, this.#from, 4);
    const length = view.getUint32(0, true);
    if (length > largest) throw new ConfigError("message-tcp", `A record of ${length} bytes is too long`);
    if (have < 4 + length) {
      this.#room(4 + length);
      return undefined;
    }
    const record = this.#buffer.slice(this.#from + 4, this.#from + 4 + length);
    this.#from += 4 + length;
    return record;
  }

  /** Makes room for `size` bytes from the beginning of what is there. */
  #room(size: number): void {
    const have = this.#to - this.#from;
    if (this.#buffer.length - this.#from >= size && this.#to < this.#buffer.length) return;
    const next = size > this.#buffer.length ? new Uint8Array(Math.max(size, CHUNK)) : this.#buffer;
    next.set(this.#buffer.subarray(this.#from, this.#to));
    this.#buffer = next;
    this.#from = 0;
    this.#to = have;
  }

  /** Reads more; false: it ended. */
  async #fill(): Promise<boolean> {
    if (this.#from === this.#to) this.#from = this.#to = 0;
    this.#room(Math.max(4, this.#to - this.#from + 1));
    try {
      const n = await this.#socket.read(this.#buffer.subarray(this.#to));
      if (n === null) this.#end(this.#closing ? "closed" : "the other end closed it");
      else this.#to += n;
      return n !== null;
    } catch (e) {
      this.#end(e instanceof Error ? e.message : String(e));
      return false;
    }
  }
}

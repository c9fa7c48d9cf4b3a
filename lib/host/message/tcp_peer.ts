/**
 * The other process at one end of tcp, through any number of sockets: records are numbered, kept until the other end says
 * that it has them, and sent again when a broken socket was replaced. So every record comes once and in order whatever
 * happens to sockets, as long as one comes about again in time.
 *
 * Before each record on the wire: its number (0: none, only an answer; -1: the process leaves) and the number up to which
 * records have come, 8 bytes each. Hot.
 */
import type { TcpLink } from "./tcp_link.ts";

/** Bytes before a record. */
const HEAD = 16;
/** What may come before it is answered. */
const OWED_RECORDS = 64;
const OWED_BYTES = 1 << 18;
const ANSWER = 0;
const LEAVES = -1;
const NOTHING = new Uint8Array(0);

interface Kept {
  readonly number: number;
  readonly record: Uint8Array;
}

/** One other process. */
export class TcpPeer {
  /** Its number. */
  readonly process: number;
  /** Tells it from another one with its number. */
  readonly instance: string;
  /** Why nothing more can come; undefined: it is there, or may be again. */
  lost: string | undefined;
  readonly #wake: () => void;
  readonly #broke: () => void;
  readonly #kept: Kept[] = [];
  #link: TcpLink | undefined;
  #next = 1;
  #got = 0;
  #told = 0;
  #owedBytes = 0;
  #keptBytes = 0;
  #isLeaving = false;
  #lastWhy = "";

  /**
   * Makes one, without a socket.
   *
   * @param process Its number.
   * @param instance What it calls itself.
   * @param wake Told when something came.
   * @param broke Told when its socket broke and another is needed.
   */
  constructor(process: number, instance: string, wake: () => void, broke: () => void) {
    this.process = process;
    this.instance = instance;
    this.#wake = wake;
    this.#broke = broke;
  }

  /** Number up to which its records have come. */
  get got(): number {
    return this.#got;
  }

  /** Bytes not yet handed to the system. */
  get queued(): number {
    if (this.lost !== undefined) return 0;
    return this.#link === undefined ? this.#keptBytes : this.#link.queued;
  }

  /** Has it a socket? */
  get isAttached(): boolean {
    return this.#link !== undefined;
  }

  /** Why the last socket ended. */
  get lastWhy(): string {
    return this.#lastWhy;
  }

  /** Is something there to be taken, or has it ended? */
  get hasNews(): boolean {
    return this.#link?.hasData === true || this.lost !== undefined;
  }

  /** Takes a socket whose hello is over. @param theirs Number up to which the other end has our records. */
  attach(link: TcpLink, theirs: number): void {
    this.#link?.abort();
    this.#link = link;
    this.#acknowledged(theirs);
    link.start(() => this.#ring(link));
    for (const { number, record } of this.#kept) this.#write(number, record);
  }

  /** Sends a record. */
  send(record: Uint8Array): void {
    if (this.lost !== undefined || this.#isLeaving) return;
    const number = this.#next++;
    this.#kept.push({ number, record });
    this.#keptBytes += record.length;
    this.#write(number, record);
  }

  /** The next record. */
  take(): Uint8Array | undefined {
    while (true) {
      const link = this.#link;
      const bytes = link?.take();
      if (bytes === undefined) {
        if (link?.ended !== undefined) this.#ended(link.ended);
        return undefined;
      }
      const record = this.#parse(bytes);
      if (record !== undefined) return record;
    }
  }

  /** No other socket came in time. */
  giveUp(why: string): void {
    this.lost ??= why;
    this.#link?.abort();
    this.#wake();
  }

  /** Sends what was accepted, says that this process leaves, and closes; waits a little for the other end to do so. */
  async close(): Promise<void> {
    this.#isLeaving = true;
    this.#write(LEAVES, NOTHING);
    this.lost ??= "closed";
    await this.#link?.close();
  }

  /** The socket has records, or it has ended. */
  #ring(link: TcpLink): void {
    if (link !== this.#link) return;
    if (link.ended !== undefined && !link.hasData) this.#ended(link.ended);
    this.#wake();
  }

  #ended(why: string): void {
    this.#link = undefined;
    if (this.lost !== undefined || this.#isLeaving) return;
    this.#lastWhy = why;
    this.#broke();
  }
  #write(number: number, record: Uint8Array): void {
    const head = new Uint8Array(HEAD);
    const view = new DataView(head.buffer);
    view.setFloat64(0, number, true);
    view.setFloat64(8, this.#got, true);
    this.#told = this.#got;
    this.#owedBytes = 0;
    this.#link?.send(record, head);
  }

  /** A record without its head; undefined: it was an answer, or nonsense, which ends the socket. */
  #parse(bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length < HEAD) return this.#refuse();
    const view = new DataView(bytes.buffer, bytes.byteOffset, HEAD);
    const [number, theirs] = [view.getFloat64(0, true), view.getFloat64(8, true)];
    if (!(theirs >= 0 && theirs < this.#next)) return this.#refuse();
    this.#acknowledged(theirs);
    if (number === ANSWER) return undefined;
    if (number === LEAVES) {
      this.lost ??= "it left";
      return undefined;
    }
    if (number <= this.#got) return undefined; // it came by the socket before
    if (number !== this.#got + 1) return this.#refuse();
    this.#got = number;
    this.#owedBytes += bytes.length;
    if (this.#got - this.#told >= OWED_RECORDS || this.#owedBytes >= OWED_BYTES) this.#write(ANSWER, NOTHING);
    return bytes.subarray(HEAD);
  }

  #refuse(): undefined {
    this.#link?.abort();
    return undefined;
  }

  #acknowledged(theirs: number): void {
    const kept = this.#kept;
    let count = 0;
    while (count < kept.length && kept[count].number <= theirs) this.#keptBytes -= kept[count++].record.length;
    if (count > 0) kept.splice(0, count);
  }
}

/**
 * Medium `worker`: a ring in shared memory for each ordered pair of Workers, and a doorbell for each. A Worker with
 * nothing to do says that it sleeps, looks once more, and sleeps on its doorbell; a writer rings only for sleepers. Hot.
 */
import { ConfigError } from "../../core/errors.ts";
import type { Transport } from "../../vmi/message/transport.ts";
import { Patience } from "./patience.ts";
import { Ring, RING_HEADER } from "./ring.ts";

/** Bytes of a ring unless told otherwise. */
export const RING_BYTES: number = 1 << 20;
/** Words of a doorbell: sequence and sleeping flag, alone on their line. */
const BELL_WORDS = 16;
/** Longest look before sleeping, us, where each Worker has a CPU of its own. */
const LOOK_US = 50;

/** Memory for the rings of a number of Workers. @throws {ConfigError} message-ring */
export function ringMemory(processes: number, ringBytes: number = RING_BYTES): SharedArrayBuffer {
  if (!Number.isInteger(Math.log2(ringBytes)) || ringBytes < 4096 || ringBytes > 1 << 30) {
    throw new ConfigError("message-ring", `A ring has a power of two of bytes from 4096 on, not ${ringBytes}`);
  }
  const bells = 4 * BELL_WORDS * processes;
  return new SharedArrayBuffer(bells + processes * processes * (RING_HEADER + ringBytes));
}

/** Transport between Workers. */
export class WorkerTransport implements Transport {
  /** Name of the medium. */
  readonly medium = "worker";
  /** This Worker's number. */
  readonly process: number;
  /** Workers. */
  readonly processes: number;
  /** Records are copied into a ring, or kept as a copy. */
  readonly copies = true;
  /** Nothing breaks it. */
  readonly broken: string | undefined = undefined;
  readonly #bells: Int32Array;
  readonly #in: (Ring | undefined)[] = [];
  readonly #out: (Ring | undefined)[] = [];
  readonly #waiting: { readonly to: number; readonly record: Uint8Array; done: number }[] = [];
  #queued = 0;

  readonly #blocks: boolean;
  readonly #patience: Patience;
  readonly #has = (): boolean => this.#hasWork();

  /**
   * Makes one end.
   *
   * @param memory Of {@linkcode ringMemory}.
   * @param process Number of this Worker.
   * @param processes All.
   * @param blocks Sleeping stops the whole thread; false where an event loop must run, as on a page's or script's main
   * thread.
   */
  constructor(memory: SharedArrayBuffer, process: number, processes: number, blocks: boolean = true) {
    this.#blocks = blocks;
    this.#patience = new Patience(processes <= navigator.hardwareConcurrency ? LOOK_US : 0);
    this.process = process;
    this.processes = processes;
    const bells = 4 * BELL_WORDS * processes;
    const each = (memory.byteLength - bells) / processes ** 2;
    this.#bells = new Int32Array(memory, 0, BELL_WORDS * processes);
    const ring = (from: number, to: number): Ring =>
      new Ring(memory, bells + (from * processes + to) * each, each - RING_HEADER);
    for (let p = 0; p < processes; p++) {
      this.#in.push(p === process ? undefined : ring(p, process));
      this.#out.push(p === process ? undefined : ring(process, p));
    }
  }

  /** Bytes that wait for room in a ring. */
  get queued(): number {
    return this.#queued;
  }

  /** See {@linkcode Transport.send}. */
  send(to: number, record: Uint8Array): void {
    const ring = this.#out[to];
    if (ring === undefined) return;
    let done = 0;
    if (!this.#waiting.some((w) => w.to === to)) done = this.#write(ring, to, record, 0);
    if (done === record.length) return;
    this.#waiting.push({ to, record: record.slice(), done });
    this.#queued += record.length - done;
  }

  /** See {@linkcode Transport.poll}. */
  poll(deliver: (from: number, record: Uint8Array) => void): number {
    if (this.#waiting.length > 0) this.#flush();
    let count = 0;
    for (let p = 0; p < this.processes; p++) {
      const ring = this.#in[p];
      if (ring === undefined) continue;
      let record = ring.read();
      let took = 0;
      while (record !== undefined) {
        deliver(p, record);
        took++;
        record = took < 256 ? ring.read() : undefined;
      }
      // A writer that waits for room sleeps as well.
      if (took > 0) this.#ring(p);
      count += took;
    }
    return count;
  }

  /** See {@linkcode Transport.sleep}. */
  sleep(ms: number): Promise<void> {
    if (!this.#blocks) return this.#rest(ms);
    if (this.#patience.look(this.#has)) return Promise.resolve();
    const [sequence, flag] = [this.process * BELL_WORDS, this.process * BELL_WORDS + 1];
    const seen = Atomics.load(this.#bells, sequence);
    Atomics.store(this.#bells, flag, 1);
    if (!this.#hasWork()) Atomics.wait(this.#bells, sequence, seen, this.#longest(ms));
    Atomics.store(this.#bells, flag, 0);
    return Promise.resolve();
  }

  /** A writer that waits for room looks again soon: its reader rings, but only if it was asleep in time. */
  #longest(ms: number): number {
    return this.#waiting.length > 0 ? Math.min(ms, 1) : ms;
  }

  /** Sleeps while the event loop runs. */
  async #rest(ms: number): Promise<void> {
    if (this.#hasWork()) return;
    const [sequence, flag] = [this.process * BELL_WORDS, this.process * BELL_WORDS + 1];
    const seen = Atomics.load(this.#bells, sequence);
    Atomics.store(this.#bells, flag, 1);
    const limit = this.#longest(ms);
    const rung = this.#hasWork() ? undefined : Atomics.waitAsync(this.#bells, sequence, seen, limit);
    if (rung?.async === true) {
      const alive = setTimeout(() => {}, limit + 1); // waiting alone does not keep a process alive
      await rung.value;
      clearTimeout(alive);
    }
    Atomics.store(this.#bells, flag, 0);
  }

  /** Waits until everything is in the rings. */
  async close(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#flush();
      if (this.#waiting.length > 0) await this.sleep(1);
    }
  }

  #hasWork(): boolean {
    for (const ring of this.#in) if (ring?.hasData === true) return true;
    return false;
  }

  #write(ring: Ring, to: number, record: Uint8Array, from: number): number {
    let at = from;
    do {
      const next = ring.write(record, at);
      if (next === at && record.length > 0) break;
      at = next;
    } while (at < record.length);
    if (at > from || record.length === 0) this.#ring(to);
    return at;
  }

  #ring(to: number): void {
    const base = to * BELL_WORDS;
    if (Atomics.load(this.#bells, base + 1) === 0) return;
    Atomics.add(this.#bells, base, 1);
    Atomics.notify(this.#bells, base);
  }

  #flush(): void {
    const full = new Set<number>();
    let kept = 0;
    for (const w of this.#waiting) {
      const ring = this.#out[w.to];
      if (ring !== undefined && !full.has(w.to)) {
        const before = w.done;
        w.done = this.#write(ring, w.to, w.record, w.done);
        this.#queued -= w.done - before;
      }
      if (w.done < w.record.length) {
        full.add(w.to);
        this.#waiting[kept++] = w;
      }
    }
    this.#waiting.length = kept;
  }
}

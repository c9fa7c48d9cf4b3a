/**
 * Repetition until acknowledged: what `reliable` and `failover` share. Every frame gets a number; the receiver delivers
 * in order, once, and answers with the number up to which it has all, and a map of what it has beyond. The sender keeps
 * frames until then, and sends again what is missing when its time has run out. The time follows the measured round
 * trip; each frame carries the time at which it was sent, and the answer returns it. Warm.
 */
import type { LayerTimer } from "../event_queue.ts";
import { type Frame, getU64, setU64, WAITING_FRAME } from "../frame.ts";
import type { ModuleHost } from "../module.ts";

/** What the machine needs of its link. */
export interface ArqHost {
  /** The node. */
  readonly node: ModuleHost;
  /** Frames that may be under way. */
  readonly window: number;
  /** First guess of the time to wait for an answer, ns. */
  readonly firstTimeout: number;
  /** Least time to wait, ns. */
  readonly leastTimeout: number;
  /** Bytes a second of the way; `Infinity`: not limited. */
  bytesPerSecond(): number;
  /** How long an answer may wait for more frames to answer, ns. */
  readonly answerDelay: number;
  /** Sends a frame with this header. */
  transmit(frame: Frame, header: Uint8Array): void;
  /** Sends an answer alone. */
  answer(header: Uint8Array): void;
  /** Passes a frame up. */
  deliver(frame: Frame): void;
  /** No answer in time, for the `tries`th time in a row. Sending again is up to this. */
  timeout(tries: number): void;
  /** An answer brought news. */
  progress(): void;
}

/** Kinds of header. */
export const ArqKind = { data: 1, ack: 2, ping: 3, pong: 4 } as const;

/** Bytes of a header: kind, number, answered number, map, time, echoed time. */
export const ARQ_HEADER = 48;

interface Sent {
  readonly number: number;
  readonly frame: Frame;
  known: boolean;
}

/** Makes a header. */
export function arqHeader(
  kind: number,
  number: number,
  ack: number,
  time: number,
  echo: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(ARQ_HEADER);
  const view = new DataView(out.buffer);
  out[0] = kind;
  setU64(view, 8, number);
  setU64(view, 16, ack);
  setU64(view, 32, time);
  setU64(view, 40, echo);
  return out;
}

/** Both directions of one link. */
export class Arq {
  readonly #h: ArqHost;
  readonly #timer: LayerTimer;
  readonly #answerTimer: LayerTimer;
  readonly #queue: Sent[] = [];
  readonly #early: Map<number, Frame> = new Map();
  #next = 1;
  #underWay = 0;
  #queuedBytes = 0;
  #tries = 0;
  #trip = 0;
  #variance = 0;
  #delivered = 0;
  #owed = 0;
  #echo = 0;
  #resent = 0;
  #repeated = 0;

  /** Makes one. @param host Its link. */
  constructor(host: ArqHost) {
    this.#h = host;
    this.#timer = host.node.timer(() => this.#expired());
    this.#answerTimer = host.node.timer(() => this.#answerNow());
  }

  /** Bytes not yet acknowledged, each frame's own cost included. */
  get queued(): number {
    return this.#queuedBytes + this.#queue.length * WAITING_FRAME;
  }
  /** Frames not yet acknowledged. */
  get unacknowledged(): number {
    return this.#queue.length;
  }
  /** Frames sent again, and frames received again. */
  get counters(): { readonly resent: number; readonly repeated: number; readonly roundTripNs: number } {
    return { resent: this.#resent, repeated: this.#repeated, roundTripNs: Math.round(this.#trip) };
  }
  /** Time to wait for an answer, ns. */
  get timeoutNs(): number {
    const base = this.#trip === 0 ? this.#h.firstTimeout : this.#trip + 4 * this.#variance + 2 * this.#h.answerDelay;
    return Math.max(this.#h.leastTimeout, base) * 2 ** Math.min(6, this.#tries) + this.drainNs;
  }
  /** What the bytes under way take on the wire, ns. */
  get drainNs(): number {
    let bytes = 0;
    for (let i = 0; i < this.#underWay; i++) bytes += this.#queue[i].frame.payload.length;
    const rate = this.#h.bytesPerSecond();
    return rate > 0 ? (bytes * 1e9) / rate : 0;
  }

  /** Sends a frame as soon as the window allows. */
  send(frame: Frame): void {
    this.#queue.push({ number: this.#next++, frame, known: false });
    this.#queuedBytes += frame.payload.length;
    this.#pump();
  }

  /** Sends everything under way again, in order; returns the number of frames. */
  resend(): number {
    let count = 0;
    for (let i = 0; i < this.#underWay; i++) {
      const sent = this.#queue[i];
      if (sent === undefined || sent.known) continue;
      this.#transmit(sent);
      count++;
    }
    this.#resent += count;
    if (this.#queue.length > 0) this.#arm();
    return count;
  }

  /** Begins to count failures anew, after the way was changed. */
  calm(): void {
    this.#tries = 0;
  }

  /** A data frame, without its header, or an answer, came up. */
  received(frame: Frame, header: Uint8Array): void {
    if (header.length !== ARQ_HEADER) return;
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    const number = getU64(view, 8);
    this.#acknowledged(getU64(view, 16), view.getUint32(24, true), view.getUint32(28, true), getU64(view, 40));
    if (header[0] === ArqKind.data) this.#data(number, frame, getU64(view, 32));
  }

  /** Stops all timers. */
  close(): void {
    this.#timer.cancel();
    this.#answerTimer.cancel();
  }

  #pump(): void {
    while (this.#underWay < Math.min(this.#queue.length, this.#h.window)) {
      this.#transmit(this.#queue[this.#underWay++]);
    }
    if (this.#queue.length > 0 && !this.#timer.isArmed) this.#arm();
  }

  #arm(): void {
    this.#timer.armAt(this.#h.node.now() + Math.round(this.timeoutNs));
  }

  #header(kind: number, number: number): Uint8Array<ArrayBuffer> {
    this.#owed = 0;
    this.#answerTimer.cancel();
    const out = arqHeader(kind, number, this.#delivered, Math.floor(this.#h.node.now()), this.#echo);
    const view = new DataView(out.buffer);
    for (const n of this.#early.keys()) {
      const bit = n - this.#delivered - 2; // the next one is what is missing
      if (bit < 0 || bit >= 64) continue;
      const at = bit < 32 ? 24 : 28;
      view.setUint32(at, (view.getUint32(at, true) | (1 << (bit & 31))) >>> 0, true);
    }
    return out;
  }

  #transmit(sent: Sent): void {
    this.#h.transmit(sent.frame, this.#header(ArqKind.data, sent.number));
  }

  #answerNow(): void {
    this.#h.answer(this.#header(ArqKind.ack, 0));
  }

  #acknowledged(ack: number, low: number, high: number, echo: number): void {
    if (ack >= this.#next) return; // nonsense
    let news = false;
    while (this.#queue.length > 0 && this.#queue[0].number <= ack) {
      const sent = this.#queue.shift();
      this.#underWay--;
      this.#queuedBytes -= sent?.frame.payload.length ?? 0;
      news = true;
    }
    for (let i = 0; i < this.#underWay; i++) {
      const bit = this.#queue[i].number - ack - 2;
      if (bit < 0 || bit >= 64) continue;
      const set = bit < 32 ? (low >>> bit) & 1 : (high >>> (bit - 32)) & 1;
      if (set === 1 && !this.#queue[i].known) news = this.#queue[i].known = true;
    }
    if (!news) return;
    this.#measure(echo);
    this.#tries = 0;
    this.#timer.cancel();
    this.#pump();
    this.#h.progress();
  }

  #measure(echo: number): void {
    const trip = this.#h.node.now() - echo;
    if (echo === 0 || trip < 0) return;
    if (this.#trip === 0) [this.#trip, this.#variance] = [trip, trip / 2];
    else {
      this.#variance += (Math.abs(trip - this.#trip) - this.#variance) / 4;
      this.#trip += (trip - this.#trip) / 8;
    }
  }

  #data(number: number, frame: Frame, time: number): void {
    this.#echo = time;
    if (number <= this.#delivered || this.#early.has(number)) {
      this.#repeated++;
      return this.#answerNow(); // our answer was lost
    }
    if (number > this.#delivered + 2 * this.#h.window) return;
    this.#early.set(number, frame);
    if (number !== this.#delivered + 1) return this.#answerNow(); // something is missing
    while (true) {
      const next = this.#early.get(this.#delivered + 1);
      if (next === undefined) break;
      this.#early.delete(++this.#delivered);
      this.#owed++;
      this.#h.deliver(next);
    }
    if (this.#owed >= Math.max(1, this.#h.window / 4)) this.#answerNow();
    else if (this.#owed > 0 && !this.#answerTimer.isArmed) {
      this.#answerTimer.armAt(this.#h.node.now() + this.#h.answerDelay);
    }
  }

  #expired(): void {
    if (this.#queue.length === 0) return;
    this.#tries++;
    this.#arm();
    this.#h.timeout(this.#tries);
  }
}

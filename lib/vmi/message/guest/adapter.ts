/**
 * The adapter: registers, doorbells and three rings in the guest's memory, in the manner of the user-level network
 * cards of the time. One write to a doorbell submits a batch; completions are seen by their phase bit in memory alone,
 * or by an interrupt.
 *
 * The device writes data, then the entry, then raises the interrupt. A full completion ring stops it: nothing is
 * dropped. A message longer than the next receive buffer is completed as truncated. Ring addresses outside RAM set the
 * fatal bit of STATUS and stop the adapter until it is reset. While the guest has bus mastering off nothing is read or
 * written: work waits. MODERATION is the least time between the causes of an interrupt and its signal, ns. Warm.
 */
import { AdapterDoorbell, AdapterRegister, EntrySize, FRAME_MAGIC, MessageStatus } from "../../../spec/message_abi.ts";
import type { LayerTimer } from "../event_queue.ts";
import type { Runtime } from "../runtime.ts";
import { type Completion, INLINE_MAX, writeCompletion } from "./entry.ts";
import type { Executor } from "./executor.ts";
import { clusterCount, features } from "./info.ts";
import { MAX_REGISTRATIONS } from "./registrations.ts";

/** What an adapter needs of its node. */
export interface AdapterHost {
  /** The runtime. */
  readonly runtime: Runtime;
  /** The executor. */
  readonly executor: Executor;
  /** The interrupt: its level. */
  interrupt(level: boolean): void;
  /** Does the guest let the adapter master the bus? */
  mayMaster(): boolean;
  /** Brings the node's events up to now; called before anything is looked at or done. */
  sync(): void;
}

/** ISR bits. */
export const AdapterInterrupt = { completion: 1, receiveLow: 2, link: 4, fatal: 8 } as const;

const READY = 1;
const LINK_UP = 2;
const FATAL = 4;
/** Largest ring: 2^16 entries. */
const LARGEST = 16;

interface Ring {
  base: number;
  log2: number;
  /** Where the reader is. */
  head: number;
  /** Where the writer is. */
  tail: number;
}

const ring = (): Ring => ({ base: 0, log2: 0, head: 0, tail: 0 });

/** Registers and rings of one node. */
export class Adapter {
  readonly #h: AdapterHost;
  #sq = ring();
  #cq = ring();
  #rq = ring();
  #phase = 1;
  #control = 0;
  #isr = 0;
  #imr = 0;
  #moderation = 0;
  #timeHigh = 0;
  #fatal = false;
  #busy = false;
  #level = false;
  readonly #moderated: LayerTimer;

  /** Makes one. @param host Its node. */
  constructor(host: AdapterHost) {
    this.#h = host;
    this.#moderated = host.runtime.timer(() => this.#signal(this.#wanted));
  }

  /** Has the guest enabled it? */
  get isEnabled(): boolean {
    return (this.#control & 1) !== 0;
  }

  /** Has the guest enabled it or its interrupt? */
  get isActive(): boolean {
    return this.#control !== 0;
  }

  /** Is it enabled and whole, and may it reach memory? */
  get isOn(): boolean {
    return this.isEnabled && !this.#fatal && this.#h.mayMaster();
  }

  /** Bus mastering was switched: what waited goes on. */
  resume(): void {
    this.#submit();
  }

  /** Are there completions in the ring that the guest has not taken? */
  get hasUnseen(): boolean {
    return this.#cq.head !== this.#cq.tail;
  }

  /** Power-on state. */
  reset(): void {
    [this.#sq, this.#cq, this.#rq] = [ring(), ring(), ring()];
    this.#phase = 1;
    this.#control =
      this.#isr =
      this.#imr =
      this.#moderation =
      this.#timeHigh =
        0;
    this.#fatal = false;
    this.#line();
  }

  /** Reads BAR0 at an offset that is a multiple of four; u32. */
  read(at: number): number {
    this.#h.sync();
    const { runtime } = this.#h;
    const R = AdapterRegister;
    const time = (): number => Math.floor(runtime.now());
    switch (at) {
      case R.id:
        return FRAME_MAGIC;
      case R.version:
        return 1 << 16;
      case R.features:
        return features(runtime);
      case R.rank:
        return runtime.rank;
      case R.processes:
        return runtime.size;
      case R.cluster:
        return runtime.local.cluster;
      case R.clusters:
        return clusterCount(runtime);
      case R.control:
        return this.#control;
      case R.status:
        return (this.#fatal ? FATAL : READY) | LINK_UP;
      case R.isr:
        return this.#isr;
      case R.imr:
        return this.#imr;
      case R.timeLow:
        this.#timeHigh = Math.floor(time() / 2 ** 32);
        return time() % 2 ** 32;
      case R.timeHigh:
        return this.#timeHigh;
      case R.inlineMax:
        return INLINE_MAX;
      case R.maxMessage:
        return runtime.limits.maxMessage;
      case R.maxRegistrations:
        return MAX_REGISTRATIONS;
      case R.moderation:
        return this.#moderation;
      default:
        return this.#readRing(at);
    }
  }

  /** Writes BAR0. */
  write(at: number, value: number): void {
    this.#h.sync();
    const R = AdapterRegister;
    if (at === R.control) {
      if ((value & 2) !== 0) return this.reset();
      this.#control = value & 5;
      this.ready();
    } else if (at === R.isr) this.#isr &= ~value;
    else if (at === R.imr) this.#imr = value & 15;
    else if (at === R.moderation) this.#moderation = value;
    else if (at >= R.sqBase && at <= R.rqHead) this.#writeRing(at, value);
    this.#line();
  }

  /** Writes BAR1. */
  doorbell(at: number, value: number): void {
    this.#h.sync();
    if (at === AdapterDoorbell.sqTail) {
      this.#sq.tail = value & mask(this.#sq);
      this.#submit();
    } else if (at === AdapterDoorbell.cqHead) {
      this.#cq.head = value & mask(this.#cq);
      this.ready();
      this.#submit(); // commands that waited for room
    } else if (at === AdapterDoorbell.rqTail) {
      this.#rq.tail = value & mask(this.#rq);
      this.ready();
    }
  }

  /** Completions wait: as many as there is room for go to the ring. */
  ready(): void {
    if (this.#busy || !this.isOn || this.#cq.log2 === 0) return;
    this.#busy = true;
    try {
      while (this.isOn && this.#deliver());
    } finally {
      this.#busy = false;
    }
    this.#line();
  }

  /** Reads the rings' registers. */
  #readRing(at: number): number {
    const [r, which] = this.#ring(at);
    if (r === undefined) return 0;
    if ((at & 15) === 0) return r.base % 2 ** 32;
    if ((at & 15) === 4) return Math.floor(r.base / 2 ** 32);
    return (at & 15) === 8 ? r.log2 : which === "cq" ? r.tail : r.head;
  }

  /** A new base or size empties the ring. */
  #writeRing(at: number, value: number): void {
    const [r, which] = this.#ring(at);
    if (r === undefined) return;
    if ((at & 15) === 0) r.base = Math.floor(r.base / 2 ** 32) * 2 ** 32 + value;
    else if ((at & 15) === 4) r.base = (r.base % 2 ** 32) + (value & 0x1fffff) * 2 ** 32;
    else if ((at & 15) === 8) r.log2 = Math.min(LARGEST, value & 31);
    else return;
    r.head = r.tail = 0;
    if (which === "cq") this.#phase = 1;
  }

  #ring(at: number): [Ring | undefined, string] {
    const group = at & ~15;
    if (group === AdapterRegister.sqBase) return [this.#sq, "sq"];
    if (group === AdapterRegister.cqBase) return [this.#cq, "cq"];
    return group === AdapterRegister.rqBase ? [this.#rq, "rq"] : [undefined, ""];
  }

  #submit(): void {
    const r = this.#sq;
    while (this.isOn && r.log2 > 0 && r.head !== r.tail && !this.#h.executor.isFull) {
      const at = r.base + r.head * EntrySize.submission;
      r.head = (r.head + 1) & mask(r);
      if (this.#h.executor.submitAt(at, true) === MessageStatus.access && !this.#readable(at)) {
        this.#die();
        return;
      }
    }
    this.ready();
  }

  #readable(at: number): boolean {
    return this.#h.executor.ram.has(at, EntrySize.submission);
  }

  /** Hands one completion to the guest; false: none is there, or there is no room for it. */
  #deliver(): boolean {
    const { executor } = this.#h;
    const cq = this.#cq;
    if (((cq.tail + 1) & mask(cq)) === cq.head) return false;
    const plain = executor.peek(false);
    if (plain !== undefined) {
      executor.take(false);
      executor.taken(plain);
      return this.#complete(plain);
    }
    const withData = executor.peek(true);
    if (withData === undefined) return false;
    const rq = this.#rq;
    if (rq.log2 === 0 || rq.head === rq.tail) {
      this.#isr |= AdapterInterrupt.receiveLow;
      return false;
    }
    const entry = new Uint8Array(EntrySize.receive);
    if (!executor.ram.read(rq.base + rq.head * EntrySize.receive, entry)) return this.#die();
    rq.head = (rq.head + 1) & mask(rq);
    executor.take(true);
    return this.#complete(receive(executor, withData, entry));
  }

  #complete(c: Completion): boolean {
    const cq = this.#cq;
    const at = cq.base + cq.tail * EntrySize.completion;
    if (!this.#h.executor.ram.write(at, writeCompletion(c, this.#phase))) return this.#die();
    cq.tail = (cq.tail + 1) & mask(cq);
    if (cq.tail === 0) this.#phase ^= 1;
    this.#isr |= AdapterInterrupt.completion;
    if (c.type === 0x8a) this.#isr |= AdapterInterrupt.link;
    return true;
  }

  #die(): false {
    this.#fatal = true;
    this.#isr |= AdapterInterrupt.fatal;
    this.#line();
    return false;
  }

  get #wanted(): boolean {
    return (this.#control & 4) !== 0 && (this.#isr & this.#imr) !== 0;
  }

  #line(): void {
    const level = this.#wanted;
    if (level && !this.#level && this.#moderation > 0 && !this.#fatal) {
      if (!this.#moderated.isArmed) this.#moderated.armAt(this.#h.runtime.now() + this.#moderation);
      return;
    }
    this.#moderated.cancel();
    this.#signal(level);
  }

  #signal(level: boolean): void {
    this.#level = level;
    this.#h.interrupt(level);
  }
}

function mask(r: Ring): number {
  return (1 << r.log2) - 1;
}

/** Puts a completion's data into a receive buffer described by an entry. */
export function receive(executor: Executor, c: Completion, entry: Uint8Array): Completion {
  const v = new DataView(entry.buffer, entry.byteOffset, EntrySize.receive);
  const address = v.getUint32(0, true) + v.getUint32(4, true) * 2 ** 32;
  const [length, cookie] = [v.getUint32(8, true), BigInt(v.getUint32(12, true))];
  const data = c.data ?? new Uint8Array(0);
  executor.taken(c);
  // A publication's cookie is the peer's 64 bits only without data.
  if (data.length > length) return { ...c, cookie, status: MessageStatus.truncated };
  if (data.length > 0 && !executor.ram.write(address, data)) return { ...c, cookie, status: MessageStatus.access };
  return { ...c, cookie };
}

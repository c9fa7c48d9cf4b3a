/**
 * What is going to happen at one node: arrivals of frames and timers of its layers, in one order that does not depend
 * on the host: by time, then arrivals before timers, then by source rank, then by the source's own count. Warm.
 */
import { InternalError } from "../../core/errors.ts";

/** One thing to happen. */
interface Entry {
  readonly time: number;
  /** Source rank of an arrival; `TIMER` for timers. */
  readonly source: number;
  readonly order: number;
  fire: (() => void) | undefined;
}

/** A one-shot alarm of a layer. */
export interface LayerTimer {
  /** Arms or re-arms it at an absolute time in ns; a time in the past fires at once, after what is due before it. */
  armAt(time: number): void;
  /** Disarms it. */
  cancel(): void;
  /** Is it armed? */
  readonly isArmed: boolean;
}

const TIMER = 2 ** 33;

/** The queue; also the node's engine time. */
export class EventQueue {
  #heap: Entry[] = [];
  #order = 0;
  #time = 0;

  /** Time of the event being handled, or the latest time reached; ns. */
  get time(): number {
    return this.#time;
  }

  /** Time of the earliest event, or `Infinity`. */
  get next(): number {
    this.#drop();
    return this.#heap.length === 0 ? Infinity : this.#heap[0].time;
  }

  /** Live and cancelled entries. */
  get size(): number {
    return this.#heap.length;
  }

  /** A frame arrives. @param order The source's own count, so that order does not depend on when it was inserted. */
  arrival(time: number, source: number, order: number, fire: () => void): void {
    this.#push({ time, source, order, fire });
  }

  /** Makes a timer. */
  timer(fire: () => void): LayerTimer {
    let entry: Entry | undefined;
    const cancel = (): void => {
      if (entry !== undefined) entry.fire = undefined;
      entry = undefined;
    };
    return {
      armAt: (time: number): void => {
        cancel();
        const mine: Entry = {
          time: Math.max(Math.ceil(time), this.#time),
          source: TIMER,
          order: this.#order++,
          fire: (): void => {
            entry = undefined;
            fire();
          },
        };
        entry = mine;
        this.#push(mine);
      },
      cancel,
      get isArmed(): boolean {
        return entry !== undefined;
      },
    };
  }

  /** Handles the earliest event if its time is at most `limit`; false: there is none. */
  step(limit: number): boolean {
    this.#drop();
    const first = this.#heap[0];
    if (first === undefined || first.time > limit) return false;
    this.#pop();
    if (first.time > this.#time) this.#time = first.time;
    first.fire?.();
    return true;
  }

  /** Handles everything up to and including `limit`, and moves time there. */
  runTo(limit: number): void {
    while (this.step(limit));
    this.advanceTo(limit);
  }

  /** Moves time forward; nothing may be due before. */
  advanceTo(time: number): void {
    if (this.next < time) throw new InternalError(`Event at ${this.next} ns passed over by a step to ${time} ns`);
    if (time > this.#time) this.#time = time;
  }

  #drop(): void {
    while (this.#heap.length > 0 && this.#heap[0].fire === undefined) this.#pop();
  }

  #push(e: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(e);
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(e, heap[up])) break;
      heap[i] = heap[up];
      i = up;
    }
    heap[i] = e;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    while (true) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.time !== b.time) return a.time < b.time;
  if (a.source !== b.source) return a.source < b.source;
  return a.order < b.order;
}

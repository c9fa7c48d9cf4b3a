/**
 * A bounded ring of what happened lately: faults, interrupts, hypercalls, device notes. Cheap enough to be always on
 * for rare events; per-instruction tracing is a hook. Warm.
 */

/** One entry of the trace. */
export interface TraceEntry {
  /** Virtual time, ticks. */
  readonly time: number;
  /** Index of the CPU that ran then, or had run last. */
  readonly cpu: number;
  /** What kind of thing, e.g. `fault`, `interrupt`, `hypercall`, `device`. */
  readonly kind: string;
  /** Program counter at that time, u32. */
  readonly eip: number;
  /** One line for a person. */
  readonly text: string;
}

/** Bounded event ring. */
export class Trace {
  /** How many entries are kept. */
  readonly capacity: number;
  #ring: TraceEntry[] = [];
  #next = 0;
  #total = 0;

  /** Makes one. @param capacity Entries kept, at least 1. */
  constructor(capacity: number) {
    this.capacity = Math.max(1, capacity | 0);
  }

  /** Entries ever added. */
  get total(): number {
    return this.#total;
  }

  /** Adds an entry, forgetting the oldest when full. */
  add(entry: TraceEntry): void {
    this.#ring[this.#next] = entry;
    this.#next = (this.#next + 1) % this.capacity;
    this.#total++;
  }

  /** The newest `count` entries, oldest first. */
  tail(count: number = this.capacity): TraceEntry[] {
    const all = this.#total < this.capacity
      ? this.#ring.slice(0, this.#next)
      : [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return all.slice(Math.max(0, all.length - count));
  }

  /** Forgets everything. */
  clear(): void {
    this.#ring = [];
    this.#next = 0;
    this.#total = 0;
  }
}

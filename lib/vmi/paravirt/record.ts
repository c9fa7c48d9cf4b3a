/**
 * The record of a guest's calls, as a script reads it. Warm: an entry is made for each recorded call.
 */
import type { AnyArgs } from "./arguments.ts";

/** One recorded call. */
export interface RecordEntry {
  /** Number; the two entries count on after the calls. */
  readonly no: number;
  /** The interface's own name. */
  readonly name: string;
  /** Arguments by name: u32, bigint for 64 bits. */
  readonly args: AnyArgs;
  /** What the guest got; `undefined` while the call goes on, and for calls without result. */
  readonly result: number | bigint | undefined;
  /** Linear address of the slot, u32. */
  readonly eip: number;
  /** Return address, u32: the instruction after the guest's call. */
  readonly from: number;
  /** Virtual time at entry, ticks. */
  readonly time: number;
}

/** A {@linkcode RecordEntry} as JSON: 64-bit values are decimal strings. */
export type RecordJson = Omit<RecordEntry, "args" | "result"> & {
  /** Arguments. */
  readonly args: Readonly<Record<string, number | string>>;
  /** Result, or null. */
  readonly result: number | string | null;
};

/** What {@linkcode Recording.filter} takes. */
export type RecordFilter = string | readonly string[] | ((entry: RecordEntry) => boolean);

/** A growing record of calls, in the order of their entries. */
export class Recording {
  readonly #entries: RecordEntry[] = [];
  readonly #stop: () => void;

  /** Begins a record. @param stop Called once, when recording is to end. */
  constructor(stop: () => void = () => {}) {
    this.#stop = stop;
  }

  /** The entries so far; do not change them. */
  get entries(): readonly RecordEntry[] {
    return this.#entries;
  }

  /** Number of entries. */
  get length(): number {
    return this.#entries.length;
  }

  /** Adds an entry; for the dispatcher. */
  add(entry: RecordEntry): void {
    this.#entries.push(entry);
  }

  /** Names in order. */
  names(): string[] {
    return this.#entries.map((e) => e.name);
  }

  /** Entries of a name, of some names, or that pass a test. */
  filter(which: RecordFilter): RecordEntry[] {
    if (typeof which === "function") return this.#entries.filter(which);
    return this.#entries.filter((e) => typeof which === "string" ? e.name === which : which.includes(e.name));
  }

  /** How often each name was called, in the order of first calls. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const e of this.#entries) counts.set(e.name, (counts.get(e.name) ?? 0) + 1);
    return counts;
  }

  /** Forgets the entries. */
  clear(): void {
    this.#entries.length = 0;
  }

  /** Ends recording; the entries stay. */
  stop(): void {
    this.#stop();
  }

  /** Plain data for `JSON.stringify`. */
  toJSON(): RecordJson[] {
    const plain = (v: number | bigint): number | string => typeof v === "bigint" ? v.toString() : v;
    return this.#entries.map((e) => ({
      ...e,
      args: Object.fromEntries(Object.entries(e.args).map(([k, v]) => [k, plain(v)])),
      result: e.result === undefined ? null : plain(e.result),
    }));
  }
}

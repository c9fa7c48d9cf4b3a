/**
 * The record of a guest's calls, as a script reads it. Calls are kept in columns of numbers, call_rows.ts; entries are
 * made from them when a script looks. A record keeps its latest calls, a million unless told otherwise, and counts those
 * that it has dropped: it takes about 50 bytes a call, and 300 more for each entry that a script has looked at. Warm.
 */
import { ConfigError } from "../../core/errors.ts";
import { checkKeys } from "../../core/keys.ts";
import { type AnyArgs, argsOf, PLANS } from "./arguments.ts";
import { CallRows, Kind } from "./call_rows.ts";

/** Calls that a record keeps unless told otherwise. */
const MOST = 1 << 20;

/** Entries that a printed record shows, the last ones. */
const PRINTED = 10;

/** What can be chosen about a record. */
export interface RecordOptions {
  /** How many calls it keeps, the latest ones: a whole number from 1 on, or `Infinity`. Default 1,048,576. */
  readonly most?: number;
}

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

/** A call as a record keeps it. */
export interface RecordedCall extends Omit<RecordEntry, "result"> {
  /** Writes the words of its arguments to a row. @returns False: there are none, its arguments are kept as they are. */
  putWords?(row: Int32Array, at: number): boolean;
}

/** A record of calls, in the order of their entries. */
export class Recording {
  /** Sequence number of the first call that is kept. */
  #first = 0;
  /** Sequence number of the next call. */
  #next = 0;
  #dropped = 0;
  readonly #most: number;
  readonly #rows: CallRows = new CallRows();
  /** Entries made so far, from the call with sequence number `#madeFrom` on. */
  #made: { -readonly [K in keyof RecordEntry]: RecordEntry[K] }[] = [];
  #madeFrom = 0;
  /** Name and arguments of calls that have no row of the call table, by sequence number. */
  readonly #others: Map<number, Pick<RecordEntry, "name" | "args">> = new Map();
  /** Results that no 64 bits hold as they are, by sequence number. */
  readonly #odd: Map<number, number | bigint> = new Map();
  readonly #stop: () => void;

  /**
   * Begins a record. @param stop Called when recording is to end.
   * @throws {ConfigError} record-size, config-key
   */
  constructor(stop: () => void = () => {}, options: RecordOptions = {}) {
    if (typeof options !== "object") {
      throw new ConfigError("record-size", `record() takes an object, such as { most: 10_000 }, not ${options}`);
    }
    checkKeys("record()", options, ["most"]);
    const most = options.most ?? MOST;
    if (!(most >= 1) || (most !== Infinity && !Number.isSafeInteger(most))) {
      throw new ConfigError(
        "record-size",
        `A record keeps a whole number of calls from 1 on, or Infinity, not ${most}`,
      );
    }
    this.#most = most;
    this.#stop = stop;
  }

  /** The calls that are kept; do not change them. */
  get entries(): readonly RecordEntry[] {
    if (this.#madeFrom < this.#first) {
      this.#made = this.#made.slice(this.#first - this.#madeFrom);
      this.#madeFrom = this.#first;
    }
    while (this.#made.length < this.length) this.#made.push(this.#make(this.#first + this.#made.length));
    return this.#made;
  }

  /** The entries one by one, as {@linkcode Recording.entries} has them. */
  [Symbol.iterator](): IterableIterator<RecordEntry> {
    return this.entries[Symbol.iterator]();
  }

  /** Number of entries. */
  get length(): number {
    return this.#next - this.#first;
  }

  /** How many calls were recorded and are no longer kept, because later ones have their place; since it was cleared. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The last `n` entries, made for the caller alone: cheaper than all of them. */
  last(n: number): RecordEntry[] {
    const from = Math.max(this.#first, this.#next - n);
    return Array.from({ length: this.#next - from }, (_, i) => this.#make(from + i));
  }

  /** A call begins; for the dispatcher. @returns Its sequence number, for {@linkcode Recording.end}. */
  begin(call: RecordedCall): number {
    const seq = this.beginRow(call.no, call.eip, call.from, call.time);
    const { rows } = this;
    if (call.putWords?.(rows.words, rows.wordsAt) !== true) this.#others.set(seq, { name: call.name, args: call.args });
    return seq;
  }

  /** The same for a call whose words the caller puts where {@linkcode Recording.rows} says. */
  beginRow(no: number, eip: number, from: number, time: number): number {
    const seq = this.#next++;
    if (seq - this.#first >= this.#most) this.#drop();
    this.#rows.begin(no, eip, from, time);
    return seq;
  }

  /** Where the words of the call that has just begun go. */
  get rows(): { readonly words: Int32Array; readonly wordsAt: number } {
    return this.#rows;
  }

  /** The call of that sequence number has its result; for the dispatcher. */
  end(seq: number, result: number | bigint | undefined): void {
    if (seq < this.#first) return; // forgotten meanwhile
    const made = this.#made[seq - this.#madeFrom];
    if (made !== undefined) made.result = result;
    if (!this.#rows.end(seq, result) && result !== undefined) this.#odd.set(seq, result);
  }

  /** The same for a result in one register, or `isWide` in two. */
  endRow(seq: number, isWide: boolean, low: number, high: number): void {
    if (seq < this.#first) return;
    this.#rows.endWords(seq, isWide ? Kind.bigint : Kind.number, low, high);
    const made = this.#made[seq - this.#madeFrom];
    if (made !== undefined) made.result = this.#result(seq);
  }

  /** Names in order. */
  names(): string[] {
    return Array.from({ length: this.length }, (_, i) => this.#name(this.#first + i));
  }

  /** Entries of a name, of some names, or that pass a test. */
  filter(which: RecordFilter): RecordEntry[] {
    if (typeof which === "function") return this.entries.filter(which);
    return this.entries.filter((e) => typeof which === "string" ? e.name === which : which.includes(e.name));
  }

  /** How often each name was called, in the order of first calls. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (let seq = this.#first; seq < this.#next; seq++) {
      const name = this.#name(seq);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  /** Forgets the entries. */
  clear(): void {
    this.#first = this.#madeFrom = this.#next;
    this.#dropped = 0;
    this.#made = [];
    this.#rows.clear();
    this.#others.clear();
    this.#odd.clear();
  }

  /** Ends recording; the entries stay. */
  stop(): void {
    this.#stop();
  }

  /** Plain data for `JSON.stringify`. */
  toJSON(): RecordJson[] {
    const plain = (v: number | bigint): number | string => typeof v === "bigint" ? v.toString() : v;
    return this.entries.map((e) => ({
      ...e,
      args: Object.fromEntries(Object.entries(e.args).map(([k, v]) => [k, plain(v)])),
      result: e.result === undefined ? null : plain(e.result),
    }));
  }

  /** The first call gives its place to the one that begins. */
  #drop(): void {
    if (this.#others.size > 0) this.#others.delete(this.#first);
    if (this.#odd.size > 0) this.#odd.delete(this.#first);
    this.#rows.dropTo(++this.#first);
    this.#dropped++;
  }

  #name(seq: number): string {
    return this.#others.get(seq)?.name ?? PLANS[this.#rows.no(seq)].name;
  }

  #result(seq: number): number | bigint | undefined {
    return this.#rows.kind(seq) === Kind.odd ? this.#odd.get(seq) : this.#rows.result(seq);
  }

  #make(seq: number): RecordEntry {
    const no = this.#rows.no(seq), other = this.#others.get(seq);
    return {
      no,
      name: other?.name ?? PLANS[no].name,
      args: other?.args ?? argsOf(PLANS[no], ...this.#rows.wordsOf(seq)),
      result: this.#result(seq),
      ...this.#rows.place(seq),
    };
  }
}

/** What a script that prints a record sees, by the key that consoles ask for. */
Object.defineProperty(Recording.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: Recording): object {
    const { length, dropped } = this;
    return { length, dropped, last: this.last(PRINTED) };
  },
});

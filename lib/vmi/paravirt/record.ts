/**
 * The record of a guest's calls, as a script reads it. A recorded call costs a row of numbers; entries are made from
 * the rows when a script looks at them. Warm.
 */
import { type AnyArgs, argsOf, MAX_WORDS, PLANS } from "./arguments.ts";

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
  putWords?(row: Float64Array, at: number): boolean;
}

/** Fields of a row; the words of the arguments follow. */
const Row = { no: 0, eip: 1, from: 2, time: 3, kind: 4, value: 5, words: 6 } as const;
const ROW = Row.words + MAX_WORDS;
/** What a result is. */
const Kind = { none: 0, number: 1, bigint: 2 } as const;
/** Rows of a piece, a power of two. */
const PIECE = 1024;

/** A growing record of calls, in the order of their entries. */
export class Recording {
  /** Sequence number of the first row. */
  #first = 0;
  #length = 0;
  readonly #pieces: Float64Array[] = [];
  /** Entries made so far, from the first row on. */
  #made: { -readonly [K in keyof RecordEntry]: RecordEntry[K] }[] = [];
  /** Name and arguments of calls that have no row of the call table, by sequence number. */
  readonly #others: Map<number, Pick<RecordEntry, "name" | "args">> = new Map();
  readonly #wide: Map<number, bigint> = new Map();
  readonly #stop: () => void;

  /** Begins a record. @param stop Called once, when recording is to end. */
  constructor(stop: () => void = () => {}) {
    this.#stop = stop;
  }

  /** The entries so far; do not change them. */
  get entries(): readonly RecordEntry[] {
    while (this.#made.length < this.#length) this.#made.push(this.#make(this.#made.length));
    return this.#made;
  }

  /** Number of entries. */
  get length(): number {
    return this.#length;
  }

  /** The last `n` entries, made for the caller alone: cheaper than all of them. */
  last(n: number): RecordEntry[] {
    const from = Math.max(0, this.#length - n);
    return Array.from({ length: this.#length - from }, (_, i) => this.#make(from + i));
  }

  /** A call begins; for the dispatcher. @returns Its sequence number, for {@linkcode Recording.end}. */
  begin(call: RecordedCall): number {
    const i = this.#length++, seq = this.#first + i;
    const at = (i & (PIECE - 1)) * ROW;
    if (at === 0 && this.#pieces.length === i / PIECE) this.#pieces.push(new Float64Array(PIECE * ROW));
    const row = this.#pieces[(i / PIECE) | 0];
    row[at] = call.no;
    row[at + Row.eip] = call.eip;
    row[at + Row.from] = call.from;
    row[at + Row.time] = call.time;
    row[at + Row.kind] = Kind.none;
    if (call.putWords?.(row, at + Row.words) !== true) this.#others.set(seq, { name: call.name, args: call.args });
    return seq;
  }

  /** The call of that sequence number has its result; for the dispatcher. */
  end(seq: number, result: number | bigint | undefined): void {
    const i = seq - this.#first;
    if (i < 0) return; // forgotten meanwhile
    const made = i < this.#made.length ? this.#made[i] : undefined;
    if (made !== undefined) made.result = result;
    const row = this.#pieces[(i / PIECE) | 0], at = (i & (PIECE - 1)) * ROW;
    if (typeof result === "number") {
      row[at + Row.kind] = Kind.number;
      row[at + Row.value] = result;
    } else if (result !== undefined) {
      row[at + Row.kind] = Kind.bigint;
      this.#wide.set(seq, result);
    } else row[at + Row.kind] = Kind.none;
  }

  /** Names in order. */
  names(): string[] {
    return Array.from({ length: this.#length }, (_, i) => this.#name(i));
  }

  /** Entries of a name, of some names, or that pass a test. */
  filter(which: RecordFilter): RecordEntry[] {
    if (typeof which === "function") return this.entries.filter(which);
    return this.entries.filter((e) => typeof which === "string" ? e.name === which : which.includes(e.name));
  }

  /** How often each name was called, in the order of first calls. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (let i = 0; i < this.#length; i++) {
      const name = this.#name(i);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  /** Forgets the entries. */
  clear(): void {
    this.#first += this.#length;
    this.#length = 0;
    this.#pieces.length = Math.min(1, this.#pieces.length);
    this.#made = [];
    this.#others.clear();
    this.#wide.clear();
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

  #name(i: number): string {
    const no = this.#pieces[(i / PIECE) | 0][(i & (PIECE - 1)) * ROW];
    return this.#others.get(this.#first + i)?.name ?? PLANS[no].name;
  }

  #make(i: number): RecordEntry {
    const row = this.#pieces[(i / PIECE) | 0], at = (i & (PIECE - 1)) * ROW, seq = this.#first + i;
    const kind = row[at + Row.kind], no = row[at], other = this.#others.get(seq);
    return {
      no,
      name: other?.name ?? PLANS[no].name,
      args: other?.args ?? argsOf(PLANS[no], row, at + Row.words),
      result: kind === Kind.number ? row[at + Row.value] : kind === Kind.bigint ? this.#wide.get(seq) : undefined,
      eip: row[at + Row.eip],
      from: row[at + Row.from],
      time: row[at + Row.time],
    };
  }
}

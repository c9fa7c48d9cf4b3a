/**
 * NAS Parallel Benchmark IS, integer sort: ten times the keys of all ranks are ranked by a bucket sort whose keys go to
 * all ranks and from all; five keys are checked each time against published ranks, and at the end the order of all.
 * Constants: NAS reports RNR-94-007 and NAS-95-020. Cold, but for the inner loops.
 */
import { ConfigError } from "../../../core/errors.ts";
import type { MessageRank } from "../rank.ts";
import { NpbRandom } from "./npb_random.ts";

interface IsClass {
  readonly keys: number;
  readonly range: number;
  readonly indices: readonly number[];
  readonly ranks: readonly number[];
  /** How many of the first checks grow with the iteration; the rest shrink. */
  readonly growing: number;
  /** Iterations at which the published ranks hold: of those that grow, and of the rest. */
  readonly offsets: readonly [number, number];
}

const CLASSES: { readonly [name: string]: IsClass } = {
  S: {
    keys: 2 ** 16,
    range: 2 ** 11,
    indices: [48427, 17148, 23627, 62548, 4431],
    ranks: [0, 18, 346, 64917, 65463],
    growing: 3,
    offsets: [0, 0],
  },
  W: {
    keys: 2 ** 20,
    range: 2 ** 16,
    indices: [357773, 934767, 875723, 898999, 404505],
    ranks: [1249, 11698, 1039987, 1043896, 1048018],
    growing: 2,
    offsets: [2, 0],
  },
  A: {
    keys: 2 ** 23,
    range: 2 ** 19,
    indices: [2112377, 662041, 5336171, 3642833, 4250760],
    ranks: [104, 17523, 123928, 8288932, 8388264],
    growing: 3,
    offsets: [1, 1],
  },
};

const ITERATIONS = 10;
const SEED = 314159265;
/** Virtual time a key takes in an iteration, ns. */
const KEY_NS = 20;

/** What IS found. */
export interface IsResult {
  /** Checks that agreed, of 51. */
  readonly passed: number;
  /** Did all? */
  readonly verified: boolean;
}

/** Makes the program. @throws {ConfigError} message-program: there is no such class. */
export function is(name: "S" | "W" | "A"): (rank: MessageRank) => Promise<IsResult> {
  const c = CLASSES[name];
  if (c === undefined) throw new ConfigError("message-program", `IS has the classes S, W and A, not ${name}`);
  return async (rank) => {
    await rank.mesh();
    const sorter = new Sorter(rank, c);
    let passed = 0;
    for (let i = 1; i <= ITERATIONS; i++) passed += await sorter.iterate(i);
    passed += await sorter.isSorted() ? 1 : 0;
    return { passed, verified: passed === 5 * ITERATIONS + 1 };
  };
}

/** One rank's part. */
class Sorter {
  readonly #rank: MessageRank;
  readonly #c: IsClass;
  readonly #first: number;
  readonly #keys: Int32Array;
  /** Keys below this are with lower ranks. */
  #low = 0;
  #lower = 0;
  #mine: Int32Array = new Int32Array(0);

  constructor(rank: MessageRank, c: IsClass) {
    this.#rank = rank;
    this.#c = c;
    const edge = (r: number): number => Math.floor((c.keys * r) / rank.size);
    this.#first = edge(rank.rank);
    const random = new NpbRandom(SEED, 4 * this.#first);
    const quarter = c.range / 4;
    this.#keys = Int32Array.from(
      { length: edge(rank.rank + 1) - this.#first },
      () => Math.floor(quarter * (random.next() + random.next() + random.next() + random.next())),
    );
  }

  /** Ranks all keys; returns the number of checks that agree. */
  async iterate(i: number): Promise<number> {
    const { range, indices, ranks, growing, offsets } = this.#c;
    this.#set(i, i);
    this.#set(i + ITERATIONS, range - i);
    // The keys to be checked, wherever they are.
    const checked = new Int32Array(indices.length);
    indices.forEach((index, k) => {
      const at = index - this.#first;
      if (at >= 0 && at < this.#keys.length) checked[k] = this.#keys[at];
    });
    const wanted = await this.#rank.all.allreduce(checked);
    await this.#distribute();
    await this.#rank.compute(this.#keys.length * KEY_NS);
    // Number of keys smaller than each key of this rank's range.
    const counts = new Int32Array(range + 1);
    for (const k of this.#mine) counts[k - this.#low + 1]++;
    for (let k = 1; k <= range; k++) counts[k] += counts[k - 1];
    const found = new Int32Array(indices.length);
    const high = this.#high;
    wanted.forEach((key, k) => {
      if (key >= this.#low && key < high) found[k] = this.#lower + counts[key - this.#low] + 1;
    });
    const all = await this.#rank.all.allreduce(found);
    const shift = (k: number): number => k < growing ? i - offsets[0] : offsets[1] - i;
    return all.filter((r, k) => r - 1 === ranks[k] + shift(k)).length;
  }

  #high = 0;

  #set(index: number, key: number): void {
    const at = index - this.#first;
    if (at >= 0 && at < this.#keys.length) this.#keys[at] = key;
  }

  /** Keys go to the rank whose range they are in; ranges are chosen so that all get about as many. */
  async #distribute(): Promise<void> {
    const { keys, range } = this.#c;
    const { size, rank } = this.#rank;
    const buckets = Math.min(range, 1024);
    const width = range / buckets;
    const counts = new Int32Array(buckets);
    for (const k of this.#keys) counts[Math.floor(k / width)]++;
    const totals = await this.#rank.all.allreduce(counts);
    const owner = new Int32Array(buckets);
    let sum = 0;
    for (let b = 0; b < buckets; b++) {
      owner[b] = Math.min(size - 1, Math.floor((sum * size) / keys));
      if (owner[b] < rank) this.#lower = sum + totals[b];
      sum += totals[b];
    }
    if (rank === 0) this.#lower = 0;
    const first = owner.indexOf(rank);
    this.#low = first < 0 ? 0 : first * width;
    this.#high = first < 0 ? 0 : (owner.lastIndexOf(rank) + 1) * width;
    const parts: number[][] = Array.from({ length: size }, () => []);
    for (const k of this.#keys) parts[owner[Math.floor(k / width)]].push(k);
    const bytes = parts.map((p) => new Uint8Array(Int32Array.from(p).buffer));
    const got = await this.#rank.all.alltoall(bytes);
    this.#mine = Int32Array.from(got.flatMap((g) => [...new Int32Array(g.slice().buffer)]));
  }

  /** Are the keys in order, over all ranks, and none lost? */
  async isSorted(): Promise<boolean> {
    const sorted = this.#mine.slice().sort();
    const ends = Int32Array.of(sorted.length === 0 ? -1 : sorted[0], sorted.at(-1) ?? -1, sorted.length);
    const all = (await this.#rank.all.allgather(new Uint8Array(ends.buffer))).map((b) =>
      new Int32Array(b.slice().buffer)
    );
    let last = -1;
    let count = 0;
    for (const [low, high, length] of all) {
      count += length;
      if (length === 0) continue;
      if (low < last) return false;
      last = high;
    }
    return count === this.#c.keys;
  }
}

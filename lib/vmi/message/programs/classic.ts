/**
 * Classic programs on distributed memory: ring, ping-pong, heat stencil in fixed-point numbers, matrix multiplication
 * by rotating blocks, and a sample sort with an exchange of all with all. Each returns what can be checked. Cold.
 */
import { Prng } from "../../../base/prng.ts";
import type { MessageRank } from "../rank.ts";

/** A token goes `rounds` times around; every rank adds its number. Rank 0 returns rounds * P(P-1)/2, others nothing. */
export function ring(rounds: number): (rank: MessageRank) => Promise<number | undefined> {
  return async (rank) => {
    await rank.mesh();
    const next = rank.to((rank.rank + 1) % rank.size);
    let token = 0;
    for (let i = 0; i < rounds; i++) {
      if (rank.rank > 0) [token] = numbers((await rank.receive()).data);
      next.sendInline(bytes(Uint32Array.of(token + rank.rank)));
      if (rank.rank === 0) [token] = numbers((await rank.receive()).data);
    }
    return rank.rank === 0 ? token : undefined;
  };
}

/** Ranks 0 and 1 send `size` bytes to and fro; rank 0 returns half of the mean round trip in ns. */
export function pingPong(size: number, rounds: number): (rank: MessageRank) => Promise<number | undefined> {
  return async (rank) => {
    await rank.mesh();
    await rank.all.barrier();
    if (rank.rank > 1) return undefined;
    const c = rank.to(1 - rank.rank);
    const region = rank.register(new Uint8Array(size));
    const start = rank.now;
    for (let i = 0; i < rounds; i++) {
      if (rank.rank === 1) await rank.receive(0);
      c.send([{ region, offset: 0, length: size }]);
      if (rank.rank === 0) await rank.receive(1);
    }
    return rank.rank === 0 ? (rank.now - start) / (2 * rounds) : undefined;
  };
}

/** Sum and hash of the heat program: h := 31 h + u modulo 2^32 over all cells, row by row. */
export interface HeatResult {
  /** Sum of all cells. */
  readonly sum: number;
  /** Hash, u32. */
  readonly hash: number;
}

/** Virtual time a cell takes, ns. */
const CELL_NS = 4;

/**
 * Heat in a plate of `n` by `n` 32-bit cells: row 0 is 65536, the rest 0; an inner cell becomes (N+S+W+E) >> 2 in each
 * step. Rows are divided among the ranks. Rank 0 returns the result.
 */
export function heat(n: number, steps: number): (rank: MessageRank) => Promise<HeatResult | undefined> {
  return async (rank) => {
    await rank.mesh();
    const edge = (r: number): number => Math.floor((n * r) / rank.size);
    const [first, rows] = [edge(rank.rank), edge(rank.rank + 1) - edge(rank.rank)];
    let old = new Int32Array((rows + 2) * n);
    if (first === 0 && rows > 0) old.fill(65536, n, 2 * n);
    let next = old.slice();
    const [up, down] = [rank.rank - 1, rank.rank + 1];
    for (let step = 0; step < steps && rows > 0; step++) {
      if (up >= 0) rank.to(up).sendInline(bytes(old.subarray(n, 2 * n)));
      if (down < rank.size) rank.to(down).sendInline(bytes(old.subarray(rows * n, (rows + 1) * n)));
      if (up >= 0) old.set(integers((await rank.receive(up)).data), 0);
      if (down < rank.size) old.set(integers((await rank.receive(down)).data), (rows + 1) * n);
      for (let r = 1; r <= rows; r++) {
        if (first + r - 1 === 0 || first + r - 1 === n - 1) continue;
        for (let at = r * n + 1; at < r * n + n - 1; at++) {
          next[at] = (old[at - n] + old[at + n] + old[at - 1] + old[at + 1]) >> 2;
        }
      }
      await rank.compute(rows * n * CELL_NS);
      [old, next] = [next, old];
    }
    const parts = await rank.all.gather(0, bytes(old.subarray(n, (rows + 1) * n)));
    if (rank.rank !== 0) return undefined;
    let [sum, hash] = [0, 0];
    for (const part of parts) {
      for (const u of integers(part)) {
        sum += u;
        hash = (Math.imul(hash, 31) + u) >>> 0;
      }
    }
    return { sum, hash };
  };
}

/** Cell (i, j) of the matrices that are multiplied. */
function cell(seed: number, i: number, j: number): number {
  return (Math.imul(i * 7919 + j * 104729 + seed, 0x9e3779b1) >>> 20) - 2048;
}

/**
 * Multiplies two `n` by `n` integer matrices: each rank has rows of A and of B, and B's rows go around the ring. Rank 0
 * returns the sum and the trace of the product.
 */
export function matrixMultiply(n: number): (rank: MessageRank) => Promise<{ sum: number; trace: number } | undefined> {
  return async (rank) => {
    await rank.mesh();
    const { size, rank: me } = rank;
    const edge = (r: number): number => Math.floor((n * r) / size);
    const [first, rows] = [edge(me), edge(me + 1) - edge(me)];
    const make = (seed: number): Int32Array<ArrayBuffer> =>
      Int32Array.from({ length: rows * n }, (_, k) => cell(seed, first + Math.floor(k / n), k % n));
    const a = make(1);
    let b = make(2);
    const c = new Float64Array(rows * n);
    for (let turn = 0; turn < size; turn++) {
      const owner = (me + turn) % size;
      const [low, count] = [edge(owner), edge(owner + 1) - edge(owner)];
      for (let i = 0; i < rows; i++) {
        for (let k = 0; k < count; k++) {
          const x = a[i * n + low + k];
          for (let j = 0; j < n; j++) c[i * n + j] += x * b[k * n + j];
        }
      }
      await rank.compute(rows * count * n);
      if (turn === size - 1) break;
      const region = rank.register(bytes(b));
      rank.to((me - 1 + size) % size).send([{ region, offset: 0, length: region.length }]);
      b = integers((await rank.receive((me + 1) % size)).data);
      region.release();
    }
    const totals = new Float64Array(2);
    c.forEach((x, k) => {
      totals[0] += x;
      if (first + Math.floor(k / n) === k % n) totals[1] += x;
    });
    const [sum, trace] = await rank.all.reduce(0, totals);
    return me === 0 ? { sum, trace } : undefined;
  };
}

/** The same sum and trace by plain loops, for checks. */
export function matrixProduct(n: number): { sum: number; trace: number } {
  let [sum, trace] = [0, 0];
  for (let k = 0; k < n; k++) {
    let [column, row] = [0, 0];
    for (let i = 0; i < n; i++) column += cell(1, i, k);
    for (let j = 0; j < n; j++) row += cell(2, k, j);
    sum += column * row;
    for (let i = 0; i < n; i++) trace += cell(1, i, k) * cell(2, k, i);
  }
  return { sum, trace };
}

/** What the sort found: keys, their sum before and after, and whether they are in order over all ranks. */
export interface SortResult {
  /** Keys of all ranks. */
  readonly count: number;
  /** Sum of all keys before. */
  readonly before: number;
  /** And after. */
  readonly after: number;
  /** In order? */
  readonly sorted: boolean;
  /** Sum of place times key, places from 1, modulo 2^32. */
  readonly check: number;
}

/** Sample sort of `count` random keys a rank. */
export function sampleSort(count: number): (rank: MessageRank) => Promise<SortResult> {
  return async (rank) => {
    await rank.mesh();
    const prng = new Prng(rank.rank + 1);
    const keys = Uint32Array.from({ length: count }, () => prng.u32()).sort();
    const total = (list: Uint32Array): number => list.reduce((a, b) => a + b, 0);
    // Every rank shows evenly spaced samples; all choose the same dividing keys.
    const samples = Uint32Array.from({ length: rank.size }, (_, i) => keys[Math.floor((count * i) / rank.size)] ?? 0);
    const all = Uint32Array.from((await rank.all.allgather(bytes(samples))).flatMap((b) => [...numbers(b)])).sort();
    const dividers = Array.from({ length: rank.size - 1 }, (_, i) => all[(i + 1) * rank.size]);
    const parts: number[][] = Array.from({ length: rank.size }, () => []);
    for (const k of keys) {
      const to = dividers.findIndex((d) => k < d);
      parts[to < 0 ? rank.size - 1 : to].push(k);
    }
    const got = await rank.all.alltoall(parts.map((p) => bytes(Uint32Array.from(p))));
    const mine = Uint32Array.from(got.flatMap((b) => [...numbers(b)])).sort();
    const ends = (await rank.all.allgather(bytes(Uint32Array.of(mine[0] ?? 0, mine.at(-1) ?? 0, mine.length)))).map(
      numbers,
    );
    let sorted = true;
    let last = 0;
    for (const [low, high, length] of ends) {
      if (length === 0) continue;
      if (low < last) sorted = false;
      last = high;
    }
    const place = ends.slice(0, rank.rank).reduce((n, [, , length]) => n + length, 1);
    const weight = mine.reduce((sum, k, i) => (sum + Math.imul(place + i, k)) >>> 0, 0);
    const sums = await rank.all.allreduce(Float64Array.of(total(keys), total(mine), mine.length));
    const [check] = await rank.all.allreduce(Uint32Array.of(weight));
    return { count: sums[2], before: sums[0], after: sums[1], sorted, check };
  };
}

function bytes(v: Int32Array | Uint32Array): Uint8Array {
  return new Uint8Array(v.buffer, v.byteOffset, v.byteLength).slice();
}

function numbers(b: Uint8Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(b.slice().buffer);
}

function integers(b: Uint8Array): Int32Array<ArrayBuffer> {
  return new Int32Array(b.slice().buffer);
}

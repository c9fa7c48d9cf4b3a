/**
 * The collective algorithms, over groups. Switch points between the forms for small and large data are those that
 * MPICH documents for its own; the algorithms are the textbook ones (Thakur, Rabenseifner and Gropp, 2005). Warm.
 */
import type { Steps } from "../mailbox.ts";
import { type Group, join, packList, unpackList } from "./group.ts";
import type { Combine } from "./reduction.ts";

/** Bytes from which the forms for large data are used. */
export const LARGE = { broadcast: 12288, allreduce: 2048, allgather: 81920, alltoall: 256 } as const;

const NONE: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Dissemination barrier: ceil(log2 P) rounds. */
export function* barrier(g: Group): Steps<void> {
  for (let k = 1, round = 0; k < g.size; k *= 2, round++) {
    yield* g.send((g.me + k) % g.size, round, NONE);
    yield* g.receive((g.me - k + g.size) % g.size, round);
  }
}

/** Central barrier: all tell the first, it tells all; 2(P - 1) messages. */
export function* centralBarrier(g: Group): Steps<void> {
  if (g.me !== 0) {
    yield* g.send(0, 0, NONE);
    yield* g.receive(0, 1);
    return;
  }
  for (let r = 1; r < g.size; r++) yield* g.receive(r, 0);
  for (let r = 1; r < g.size; r++) yield* g.send(r, 1, NONE);
}

/** Broadcast from member `root`; others' data is ignored. Large data is scattered and gathered again. */
export function* broadcast(g: Group, root: number, data: Uint8Array): Steps<Uint8Array> {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, data.length, true);
  // Only the root knows the size: it comes with the first message.
  if (g.size === 1) return data;
  const isLarge = g.me === root && data.length > LARGE.broadcast && g.size >= 8;
  const first = yield* binomial(
    g,
    root,
    0,
    g.me === root ? (isLarge ? join([Uint8Array.of(1), head]) : join([Uint8Array.of(0), data])) : NONE,
  );
  if (first[0] === 0) return first.subarray(1);
  const size = new DataView(first.buffer, first.byteOffset, first.byteLength).getUint32(1, true);
  const share = Math.ceil(size / g.size);
  const parts = Array.from({ length: g.size }, (_, i) => data.subarray(i * share, Math.min(size, (i + 1) * share)));
  let mine = parts[g.me];
  if (g.me === root) { for (let r = 0; r < g.size; r++) if (r !== root) yield* g.send(r, 64, parts[r]); }
  else mine = yield* g.receive(root, 64);
  return join(yield* allgatherRing(g, mine, 128));
}

/** One message down the binomial tree under `root`. */
function* binomial(g: Group, root: number, round: number, data: Uint8Array): Steps<Uint8Array> {
  const v = (g.me - root + g.size) % g.size;
  let got = data;
  let bit = 1;
  while (bit < g.size && (v & bit) === 0) bit *= 2;
  if (v !== 0) got = yield* g.receive((v - bit + root) % g.size, round);
  for (let b = bit / 2; b >= 1; b /= 2) if (v + b < g.size) yield* g.send((v + b + root) % g.size, round, got);
  return got;
}

/** Broadcast by a tree with `k` children each, as the Charm++ layer used it. */
export function* broadcastTree(g: Group, root: number, data: Uint8Array, k = 4): Steps<Uint8Array> {
  const v = (g.me - root + g.size) % g.size;
  const got = v === 0 ? data : yield* g.receive((Math.floor((v - 1) / k) + root) % g.size, 0);
  for (let c = k * v + 1; c <= k * v + k && c < g.size; c++) yield* g.send((c + root) % g.size, 0, got);
  return got;
}

/** Reduction to member `root`; the result is combined in the order of the members. Others get an empty array. */
export function* reduce(g: Group, root: number, data: Uint8Array, combine: Combine): Steps<Uint8Array> {
  const sum = data.slice();
  for (let bit = 1, round = 0; bit < g.size; bit *= 2, round++) {
    if ((g.me & bit) !== 0) {
      yield* g.send(g.me - bit, round, sum);
      break;
    }
    if (g.me + bit < g.size) combine(sum, yield* g.receive(g.me + bit, round));
  }
  if (root === 0) return g.me === 0 ? sum : NONE;
  if (g.me === 0) yield* g.send(root, 64, sum);
  return g.me === root ? yield* g.receive(0, 64) : NONE;
}

/** Reduction whose result all members get. `unit` is the size of an element. */
export function* allreduce(g: Group, data: Uint8Array, combine: Combine, unit: number): Steps<Uint8Array> {
  const isPower = (g.size & (g.size - 1)) === 0;
  if (!isPower) {
    const sum = yield* reduce(g, 0, data, combine);
    return yield* broadcast(g.sub(g.ranks.map((_, i) => i), 1), 0, sum);
  }
  if (data.length <= LARGE.allreduce || data.length < unit * g.size) return yield* doubling(g, data, combine);
  return yield* rabenseifner(g, data, combine, unit);
}

function* doubling(g: Group, data: Uint8Array, combine: Combine): Steps<Uint8Array> {
  let sum = data.slice();
  for (let bit = 1, round = 0; bit < g.size; bit *= 2, round++) {
    const peer = g.me ^ bit;
    yield* g.send(peer, round, sum);
    const other = yield* g.receive(peer, round);
    const [low, high] = peer > g.me ? [sum.slice(), other] : [other.slice(), sum];
    combine(low, high);
    sum = low;
  }
  return sum;
}

/** Reduce-scatter by halving, then allgather by doubling; P is a power of two. */
function* rabenseifner(g: Group, data: Uint8Array, combine: Combine, unit: number): Steps<Uint8Array> {
  const sum = data.slice();
  const cells = data.length / unit;
  const edge = (i: number): number => Math.floor((cells * i) / g.size) * unit;
  let [low, high] = [0, g.size];
  const halves: [peer: number, low: number, high: number][] = [];
  for (let round = 0; high - low > 1; round++) {
    const middle = (low + high) / 2;
    const half = middle - low;
    const peer = g.me < middle ? g.me + half : g.me - half;
    const [keep, give] = g.me < middle ? [[low, middle], [middle, high]] : [[middle, high], [low, middle]];
    yield* g.send(peer, round, sum.slice(edge(give[0]), edge(give[1])));
    halves.push([peer, give[0], give[1]]);
    const other = yield* g.receive(peer, round);
    const mine = sum.subarray(edge(keep[0]), edge(keep[1]));
    if (peer > g.me) combine(mine, other);
    else {
      const first = other.slice();
      combine(first, mine);
      mine.set(first);
    }
    [low, high] = [keep[0], keep[1]];
  }
  for (const [peer, from, to] of halves.reverse()) {
    yield* g.send(peer, 64 + to - from, sum.slice(edge(low), edge(high)));
    sum.set(yield* g.receive(peer, 64 + to - from), edge(from));
    [low, high] = [Math.min(low, from), Math.max(high, to)];
  }
  return sum;
}

/** All members' data at `root`, in order; others get an empty list. */
export function* gather(g: Group, root: number, data: Uint8Array): Steps<Uint8Array[]> {
  // Binomial: each member passes on what it and those behind it have.
  const v = (g.me - root + g.size) % g.size;
  const have: Uint8Array[] = [data];
  for (let bit = 1; bit < g.size; bit *= 2) {
    if ((v & bit) !== 0) {
      yield* g.send((v - bit + root) % g.size, 0, packList(have));
      return [];
    }
    if (v + bit < g.size) {
      const message = yield* g.receive((v + bit + root) % g.size, 0);
      have.push(...unpackList(message));
    }
  }
  return Array.from({ length: g.size }, (_, i) => have[(i - root + g.size) % g.size]);
}

/** Member `root` gives each member its part. */
export function* scatter(g: Group, root: number, parts: readonly Uint8Array[]): Steps<Uint8Array> {
  const v = (g.me - root + g.size) % g.size;
  let have = Array.from({ length: v === 0 ? g.size : 0 }, (_, i) => parts[(i + root) % g.size] ?? NONE);
  let bit = 1;
  while (bit < g.size && (v & bit) === 0) bit *= 2;
  if (v !== 0) have = unpackList(yield* g.receive((v - bit + root) % g.size, 0));
  for (let b = bit / 2; b >= 1; b /= 2) {
    if (v + b >= g.size) continue;
    yield* g.send((v + b + root) % g.size, 0, packList(have.slice(b)));
    have = have.slice(0, b);
  }
  return have[0];
}

/** All members' data at all members, in order. */
export function* allgather(g: Group, data: Uint8Array): Steps<Uint8Array[]> {
  // The form must be chosen alike everywhere: by this member's size if all are equal, which is what callers give.
  if (data.length * g.size > LARGE.allgather) return yield* allgatherRing(g, data, 0);
  let have: Uint8Array[] = [data]; // of members me, me + 1, ...
  for (let k = 1, round = 0; k < g.size; k *= 2, round++) {
    const count = Math.min(k, g.size - k);
    yield* g.send((g.me - k + g.size) % g.size, round, packList(have.slice(0, count)));
    have = [...have, ...unpackList(yield* g.receive((g.me + k) % g.size, round))];
  }
  return Array.from({ length: g.size }, (_, i) => have[(i - g.me + g.size) % g.size]);
}

/** Allgather around a ring; parts may differ in size. */
export function* allgatherRing(g: Group, data: Uint8Array, round: number): Steps<Uint8Array[]> {
  const parts = new Array<Uint8Array>(g.size).fill(NONE);
  parts[g.me] = data;
  for (let k = 0; k < g.size - 1; k++) {
    yield* g.send((g.me + 1) % g.size, round + k, parts[(g.me - k + g.size) % g.size]);
    parts[(g.me - k - 1 + g.size) % g.size] = yield* g.receive((g.me - 1 + g.size) % g.size, round + k);
  }
  return parts;
}

/** Each member has a part for each; `uniform`: all parts of all members have one size, so that small ones may be sent on. */
export function* alltoall(g: Group, parts: readonly Uint8Array[], uniform: boolean): Steps<Uint8Array[]> {
  if (uniform && parts[0].length <= LARGE.alltoall) return yield* bruck(g, parts);
  const out = new Array<Uint8Array>(g.size).fill(NONE);
  out[g.me] = parts[g.me];
  for (let k = 1; k < g.size; k++) {
    yield* g.send((g.me + k) % g.size, k, parts[(g.me + k) % g.size]);
    const from = (g.me - k + g.size) % g.size;
    out[from] = yield* g.receive(from, k);
  }
  return out;
}

function* bruck(g: Group, parts: readonly Uint8Array[]): Steps<Uint8Array[]> {
  const have = Array.from({ length: g.size }, (_, i) => parts[(g.me + i) % g.size]);
  for (let k = 1, round = 0; k < g.size; k *= 2, round++) {
    const moved = have.map((_, i) => i).filter((i) => (i & k) !== 0);
    yield* g.send((g.me + k) % g.size, round, packList(moved.map((i) => have[i])));
    const got = unpackList(yield* g.receive((g.me - k + g.size) % g.size, round));
    moved.forEach((i, n) => have[i] = got[n]);
  }
  return Array.from({ length: g.size }, (_, i) => have[(g.me - i + g.size) % g.size]);
}

/**
 * Collectives of a job whose ranks lie in several clusters: inside each cluster first, then between the clusters'
 * leaders (their lowest ranks), then back, so that few messages cross the slow links. Warm.
 */
import type { Steps } from "../mailbox.ts";
import { allreduce, barrier, broadcast, reduce } from "./algorithms.ts";
import type { Group } from "./group.ts";
import type { Combine } from "./reduction.ts";

/** A group divided into clusters. */
export interface Divided {
  /** All members. */
  readonly group: Group;
  /** Members of this member's cluster, by their number in the group. */
  readonly mine: readonly number[];
  /** Leaders of all clusters. */
  readonly leaders: readonly number[];
}

/** Divides a group; undefined: it lies in one cluster. @param clusterOf Cluster of a rank. */
export function divide(group: Group, clusterOf: (rank: number) => number): Divided | undefined {
  const clusters = new Map<number, number[]>();
  group.ranks.forEach((rank, i) => {
    const list = clusters.get(clusterOf(rank));
    if (list === undefined) clusters.set(clusterOf(rank), [i]);
    else list.push(i);
  });
  if (clusters.size < 2) return undefined;
  const mine = clusters.get(clusterOf(group.ranks[group.me])) ?? [];
  return { group, mine, leaders: [...clusters.values()].map((c) => c[0]).sort((a, b) => a - b) };
}

/** Barrier. */
export function* clusterBarrier(d: Divided): Steps<void> {
  const isLeader = d.mine[0] === d.group.me;
  yield* barrier(d.group.sub(d.mine, 1));
  if (isLeader) yield* barrier(d.group.sub(d.leaders, 2));
  yield* broadcast(d.group.sub(d.mine, 3), 0, new Uint8Array(0));
}

/** Broadcast from member `root`. */
export function* clusterBroadcast(d: Divided, root: number, data: Uint8Array): Steps<Uint8Array> {
  const { group, mine, leaders } = d;
  let have = data;
  // The root hands to its own cluster, whose leader tells the other leaders, who tell theirs.
  const home = mine.includes(root);
  if (home) have = yield* broadcast(group.sub(mine, 1), mine.indexOf(root), data);
  const isLeader = mine[0] === group.me;
  if (isLeader) {
    const known = group.sub(leaders, 2);
    const source = yield* homeOf(known, home);
    have = yield* broadcast(group.sub(leaders, 3), source, have);
  }
  return home ? have : yield* broadcast(group.sub(mine, 4), 0, have);
}

/** Which leader has the data: each tells the first, which tells all. */
function* homeOf(leaders: Group, mine: boolean): Steps<number> {
  const mark = new Uint8Array(leaders.size);
  if (mine) mark[leaders.me] = 1;
  const all = yield* allreduce(leaders, mark, (a, b) => b.forEach((x, i) => a[i] |= x), 1);
  return all.indexOf(1);
}

/** Reduction for all. */
export function* clusterAllreduce(d: Divided, data: Uint8Array, combine: Combine, unit: number): Steps<Uint8Array> {
  const { group, mine, leaders } = d;
  let sum = yield* reduce(group.sub(mine, 1), 0, data, combine);
  if (mine[0] === group.me) sum = yield* allreduce(group.sub(leaders, 2), sum, combine, unit);
  return yield* broadcast(group.sub(mine, 4), 0, sum);
}

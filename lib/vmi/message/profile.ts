/**
 * What a job did between its ranks, and where its ranks should be next time. A profile is a matrix of messages and bytes
 * with the latency of each connection; placement divides the ranks into groups of given sizes so that little traffic
 * crosses between groups: recursive bisection with exchanges after Kernighan and Lin (1970). The same profile always
 * gives the same placement. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { JobResult } from "./job_options.ts";

/** Traffic from one rank to another. */
export interface ProfileEntry {
  /** Sender. */
  readonly from: number;
  /** Receiver. */
  readonly to: number;
  /** Stream messages. */
  readonly messages: number;
  /** Their bytes. */
  readonly bytes: number;
  /** One-way latency of the connection, us. */
  readonly latencyUs: number;
}

/** A job's traffic. */
export interface Profile {
  /** Key of the job. */
  readonly key: string;
  /** Ranks. */
  readonly ranks: number;
  /** Pairs with traffic. */
  readonly entries: readonly ProfileEntry[];
}

/** Profile of a job's result. */
export function profileOf(result: Pick<JobResult, "ranks" | "links">, key = "job"): Profile {
  const entries = result.links.filter((l) => l.messages > 0).map((l) => ({
    from: l.from,
    to: l.to,
    messages: l.messages,
    bytes: l.bytes,
    latencyUs: l.latencyUs,
  }));
  return { key, ranks: result.ranks.length, entries };
}

/** A line of the profile database. */
export function profileLine(profile: Profile): string {
  return `${JSON.stringify(profile)}\n`;
}

/** The last profile of a key in a database of JSON lines; undefined: there is none. @throws {ConfigError} message-profile */
export function readProfile(lines: string, key: string): Profile | undefined {
  let found: Profile | undefined;
  for (const [i, line] of lines.split("\n").entries()) {
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new ConfigError("message-profile", `Line ${i + 1} of the profile database is not JSON`);
    }
    const p = value as Profile;
    if (typeof p !== "object" || p === null || !Array.isArray(p.entries) || !Number.isInteger(p.ranks)) {
      throw new ConfigError("message-profile", `Line ${i + 1} of the profile database is no profile`);
    }
    if (p.key === key) found = p;
  }
  return found;
}

/** What crossing between groups costs. */
export interface PlacementCost {
  /** A message, ns; default 1 000 000. */
  readonly messageNs?: number;
  /** A byte, ns; default 9. */
  readonly byteNs?: number;
}

/** Cost of all traffic between groups, ns. */
export function placementCost(profile: Profile, groups: readonly number[], cost: PlacementCost = {}): number {
  const { messageNs = 1e6, byteNs = 9 } = cost;
  return profile.entries
    .filter((e) => groups[e.from] !== groups[e.to])
    .reduce((sum, e) => sum + e.messages * messageNs + e.bytes * byteNs, 0);
}

/**
 * Group of each rank, for groups of these sizes.
 * @throws {ConfigError} message-placement: the sizes do not add up to the ranks.
 */
export function placeByProfile(profile: Profile, sizes: readonly number[], cost: PlacementCost = {}): number[] {
  const { ranks } = profile;
  if (
    sizes.length === 0 || sizes.some((s) => !Number.isInteger(s) || s < 1) || sizes.reduce((a, b) => a + b) !== ranks
  ) {
    throw new ConfigError("message-placement", `Group sizes ${sizes.join(", ")} do not add up to ${ranks} ranks`);
  }
  const { messageNs = 1e6, byteNs = 9 } = cost;
  const weight = Array.from({ length: ranks }, () => new Float64Array(ranks));
  for (const e of profile.entries) {
    const w = e.messages * messageNs + e.bytes * byteNs;
    weight[e.from][e.to] += w;
    weight[e.to][e.from] += w;
  }
  const groups = new Array<number>(ranks).fill(0);
  const all = Array.from({ length: ranks }, (_, i) => i);
  divide(weight, all, sizes.map((size, group) => ({ size, group })), groups);
  return groups;
}

interface Part {
  readonly size: number;
  readonly group: number;
}

function divide(
  weight: readonly Float64Array[],
  members: readonly number[],
  parts: readonly Part[],
  groups: number[],
): void {
  if (parts.length === 1) {
    for (const m of members) groups[m] = parts[0].group;
    return;
  }
  const half = Math.ceil(parts.length / 2);
  const [a, b] = [parts.slice(0, half), parts.slice(half)];
  const size = a.reduce((n, p) => n + p.size, 0);
  const left = new Set(seed(weight, members, size));
  improve(weight, members, left);
  divide(weight, members.filter((m) => left.has(m)), a, groups);
  divide(weight, members.filter((m) => !left.has(m)), b, groups);
}

/** A first half: grown from the lowest member by the heaviest ties; equal ones by rank. */
function seed(weight: readonly Float64Array[], members: readonly number[], size: number): number[] {
  const chosen = [members[0]];
  while (chosen.length < size) {
    let [best, most] = [-1, -1];
    for (const m of members) {
      if (chosen.includes(m)) continue;
      const tie = chosen.reduce((sum, c) => sum + weight[m][c], 0);
      if (tie > most) [best, most] = [m, tie];
    }
    chosen.push(best);
  }
  return chosen;
}

/** Exchanges pairs while that makes crossing traffic less. */
function improve(weight: readonly Float64Array[], members: readonly number[], left: Set<number>): void {
  const gain = (m: number): number => {
    const mine = left.has(m);
    return members.reduce((sum, o) => o === m ? sum : sum + (left.has(o) === mine ? -weight[m][o] : weight[m][o]), 0);
  };
  for (let pass = 0; pass < members.length; pass++) {
    let [best, a, b] = [1e-9, -1, -1];
    for (const x of members.filter((m) => left.has(m))) {
      for (const y of members.filter((m) => !left.has(m))) {
        const g = gain(x) + gain(y) - 2 * weight[x][y];
        if (g > best) [best, a, b] = [g, x, y];
      }
    }
    if (a < 0) return;
    left.delete(a);
    left.add(b);
  }
}

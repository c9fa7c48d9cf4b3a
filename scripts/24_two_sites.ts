#!/usr/bin/env -S deno run
/**
 * Lesson 24, an experiment: the heat stencil on two sites, joined by a line of growing latency, the same cells and the
 * same result each time. How much of the line shows depends on how ranks are placed: the profile of a first run places
 * them better in the second. Prints a table. Needs no permission.
 */
import {
  expect,
  heat,
  job,
  type MessageRank,
  type MessageSpec,
  placeByProfile,
  placementCost,
  profileOf,
} from "../mod.ts";

function spec(lineUs: number): MessageSpec {
  return {
    devices: {
      san: { module: "builtin:loggp", parameters: { preset: "myrinet-2000" } },
      line: { module: "builtin:delay", parameters: { latencyUs: lineUs, crossCluster: true } },
    },
    chains: [{ name: "main", layers: ["line", "san", "loopback"] }],
  };
}

const RANKS = 8;
const STEPS = 40;

/** Ranks in an unlucky order: neighbours in the plate are often on different sites. */
const UNLUCKY = [0, 1, 0, 1, 0, 1, 0, 1];
const start = async (rank: MessageRank): Promise<unknown> => {
  const result = await heat(64, STEPS)(rank);
  return result === undefined ? undefined : { ...result, end: rank.now };
};

interface Run {
  readonly time: number;
  /** Messages over the line. */
  readonly crossing: number;
  /** Where the ranks should be. */
  readonly groups: number[];
}

async function run(lineUs: number, clusters: readonly number[]): Promise<Run> {
  const j = job({ ranks: RANKS, clusters, spec: spec(lineUs), program: start });
  const result = await j.run();
  const { ranks, time } = result;
  const { sum, hash } = ranks[0].value as { sum: number; hash: number };
  expect([sum, hash]).toEqual([expected.sum, expected.hash]);
  const profile = profileOf(result);
  const crossing = placementCost(profile, clusters, { messageNs: 1, byteNs: 0 });
  return { time, crossing, groups: placeByProfile(profile, [RANKS / 2, RANKS / 2]) };
}

const [alone] = (await job({ ranks: 1, program: heat(64, STEPS) }).run()).ranks;
const expected = alone.value as { sum: number; hash: number };

console.log("         unlucky order            placed by profile");
console.log("line us  us a step  over the line  us a step  over the line");
for (const lineUs of [0, 100, 1000, 10_000]) {
  const unlucky = await run(lineUs, UNLUCKY);
  const placed = await run(lineUs, unlucky.groups);
  expect(placed.time).toBeLessThanOrEqual(unlucky.time);
  expect(placed.crossing).toBeLessThan(unlucky.crossing / 5);
  const cells = [unlucky, placed].flatMap((
    r,
  ) => [(r.time / STEPS / 1000).toFixed(1).padStart(11), String(r.crossing).padStart(15)]);
  console.log(`${String(lineUs).padStart(7)}${cells.join("")}`);
}
console.log(`The result was the same each time: sum ${expected.sum}.`);

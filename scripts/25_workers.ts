#!/usr/bin/env -S deno run --allow-read
/**
 * Lesson 25, the same job on several Workers: NPB EP in virtual time gives the same result at the same virtual time on
 * one Worker and on two; in real time two are faster when there are CPUs for them. Reads its own modules.
 */
import { expect } from "../mod.ts";
import { runOnWorkers } from "../lib/host/mod.ts";

const module = new URL("./cli/cluster_jobs.ts", import.meta.url);
const args = {
  program: "ep",
  size: 20,
  nodes: 4,
  time: "virtual",
  seed: 1,
  spec: { devices: { net: { module: "builtin:worker" } }, chains: [{ name: "main", layers: ["credit", "net"] }] },
};

const one = await runOnWorkers(module, { workers: 1, args });
const two = await runOnWorkers(module, { workers: 2, args });
expect(two.ranks).toEqual(one.ranks);
const { sx, sy, verified } = two.ranks[0].value as { sx: number; sy: number; verified: boolean };
expect(verified).toBe(true);
console.log(`EP on four ranks: ${sx} ${sy}, verified.`);
console.log(`Virtual time on one and on two Workers: ${two.time} ns.`);

for (const workers of [1, 2]) {
  const start = performance.now();
  const { ranks } = await runOnWorkers(module, { workers, args: { ...args, time: "real" } });
  expect(ranks.every((r) => r.state === "done")).toBe(true);
  console.log(`Real time on ${workers}: ${(performance.now() - start).toFixed(0)} ms, Workers started included.`);
}

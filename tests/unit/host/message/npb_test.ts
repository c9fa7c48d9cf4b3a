/**
 * NPB EP and IS of class S on 1, 2, 4 and 8 nodes over every medium, between real Workers and processes: they verify, and
 * take the same virtual time everywhere. And emulated machines in real time over each medium.
 */
import { cluster, type JobResult } from "../../../../mod.ts";
import { runOnWorkers } from "../../../../lib/host/message/run.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { describe } from "./jobs.ts";
import { JOBS, mpirun, runOnTwoByMpi, runOnTwoByTcp } from "./parts.ts";

const launcher = mpirun();
const mpi = launcher === undefined ? " (no MPICH here: not over mpi)" : ", mpi";
type Ranks = JobResult["ranks"];

for (const nodes of [1, 2, 4, 8]) {
  Deno.test(`NPB EP and IS class S on ${nodes} nodes verify at one virtual time over loopback, worker, tcp${mpi}`, async () => {
    const plain = (ranks: Ranks): Ranks => JSON.parse(JSON.stringify(ranks));
    const here = plain((await cluster(describe({ job: "npb", nodes, medium: "loopback" })).run()).ranks);
    for (const r of here) {
      const [ep, is] = r.value as { verified: boolean }[];
      assertEquals([r.state, ep.verified, is.verified], ["done", true, true], JSON.stringify(r));
    }
    const workers = await runOnWorkers(JOBS, { workers: 2, args: { job: "npb", nodes } });
    assertEquals(plain(workers.ranks), here, "worker");
    assertEquals(plain((await runOnTwoByTcp("npb", { nodes })).ranks), here, "tcp");
    if (launcher !== undefined) assertEquals(await runOnTwoByMpi(launcher, "npb", { nodes }), here, "mpi");
  });
}

Deno.test(`NPB EP and IS class S verify in real time between Workers, by tcp${mpi}`, async () => {
  const args = { nodes: 4, time: "real", m: 18 };
  const verified = (ranks: Ranks): unknown[] =>
    ranks.map((r) => (r.value as { verified: boolean }[]).map((v) => v.verified));
  const want = new Array(4).fill([true, true]);
  assertEquals(verified((await runOnWorkers(JOBS, { workers: 2, args: { job: "npb", ...args } })).ranks), want);
  assertEquals(verified((await runOnTwoByTcp("npb", args)).ranks), want);
  if (launcher !== undefined) assertEquals(verified(await runOnTwoByMpi(launcher, "npb", args)), want);
});

Deno.test(`emulated machines give the same in real and in virtual time over loopback, worker, tcp${mpi}`, async () => {
  const word = (ranks: Ranks): unknown[] => ranks.map((r) => [r.state, r.value, r.error ?? undefined]);
  for (const which of [0, 1, 2, 3]) {
    const args = { nodes: 4, which };
    const here = await cluster(describe({ job: "machines", medium: "loopback", ...args })).run();
    const want = word(here.ranks);
    assertEquals(here.ranks.map((r) => r.state), new Array(4).fill("done"));
    for (const time of ["virtual", "real"]) {
      const job = { ...args, time };
      const results: [string, Ranks][] = [
        ["worker", (await runOnWorkers(JOBS, { workers: 2, args: { job: "machines", ...job } })).ranks],
      ];
      if (which === 0 || which === 2) results.push(["tcp", (await runOnTwoByTcp("machines", job)).ranks]);
      if (launcher !== undefined && which === 2) results.push(["mpi", await runOnTwoByMpi(launcher, "machines", job)]);
      for (const [medium, ranks] of results) {
        assertEquals(word(ranks), want, `${which} over ${medium} in ${time} time`);
        if (time === "virtual") assertEquals(ranks.map((r) => r.time), here.ranks.map((r) => r.time), medium);
      }
    }
  }
});

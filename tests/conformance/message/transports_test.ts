/**
 * The suite over the media between processes, and that a job's virtual time does not depend on them.
 */
import { cluster } from "../../../lib/machine/message/cluster.ts";
import { ringGuest } from "../../../lib/guests/message/programs.ts";
import { job, type JobOptions } from "../../../lib/vmi/message/job.ts";
import type { MessageRank } from "../../../lib/vmi/message/rank.ts";
import type { MessageSpec } from "../../../lib/vmi/message/spec.ts";
import { ep } from "../../../lib/vmi/message/programs/ep.ts";
import { is } from "../../../lib/vmi/message/programs/is.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";
import { underAllFilters } from "./all_filters.ts";
import { clusterSplit, ringEnds, runSplit, tcpEnds } from "./split.ts";
import { messageSuite } from "./suite.ts";

function over(network: string): MessageSpec {
  return { chains: [{ name: "c", layers: ["credit", network] }] };
}

messageSuite("rings between 2 parts", {
  spec: over("worker"),
  run: (o) => runSplit(o, ringEnds(Math.min(2, o.ranks))),
});
messageSuite("small rings between 3 parts, all filters", {
  spec: underAllFilters("worker"),
  run: (o) => runSplit(o, ringEnds(Math.min(3, o.ranks), 8192)),
  largest: 50_000,
});
messageSuite("tcp between 3 parts, all filters", {
  spec: underAllFilters("tcp"),
  run: async (o) => await runSplit(o, await tcpEnds(Math.min(3, o.ranks))),
  largest: 50_000,
});
messageSuite("tcp between 2 parts", {
  spec: over("tcp"),
  run: async (o) => await runSplit(o, await tcpEnds(Math.min(2, o.ranks))),
});

/** A job that talks at random, with everything it sees. */
async function chatter(rank: MessageRank): Promise<unknown> {
  await rank.mesh();
  const prng = new Prng(rank.rank + 7);
  const seen: string[] = [];
  rank.onMessage((c, slab) => {
    seen.push(`${rank.now} ${c.peer} ${slab.copy(1)[0]}`);
    return "done";
  });
  for (let i = 0; i < 25; i++) {
    const to = (rank.rank + 1 + prng.below(rank.size - 1)) % rank.size;
    rank.to(to).sendInline(Uint8Array.of(i), new Uint8Array(prng.below(3000)));
    if (prng.below(2) === 0) await rank.advance(prng.below(4000));
    else await rank.wait(prng.below(4000));
  }
  await rank.all.barrier();
  rank.poll();
  return seen;
}

Deno.test("the same job sees the same messages at the same times on 1, 2, 3 and 4 parts of every medium", async () => {
  const spec = (network: string): MessageSpec => ({
    devices: {
      see: { module: "builtin:trace" },
      model: { module: "builtin:loggp", parameters: { preset: "infiniband-4x" } },
      lossy: { module: "builtin:drop", parameters: { probability: 0.1 } },
      net: { module: `builtin:${network}` },
    },
    chains: [{ name: "c", layers: ["see", "credit", "reliable", "model", "lossy", "net"] }],
  });
  const options = (network: string): JobOptions => ({ ranks: 6, seed: 5, spec: spec(network), program: chatter });
  const one = await job(options("loopback")).run();
  assertEquals(one.ranks.map((r) => r.error), new Array(6).fill(undefined));
  const want = JSON.stringify(one.ranks);
  // What layers do after a rank's end depends on how far its process ran.
  const until = (t: { time: number; rank: number }): boolean => t.time <= one.ranks[t.rank].time;
  const traces = JSON.stringify(one.trace.filter(until));
  for (const parts of [2, 3, 4]) {
    const rings = await runSplit(options("worker"), ringEnds(parts));
    assertEquals(JSON.stringify(rings.ranks), want, `${parts} parts over rings`);
    assertEquals(JSON.stringify(rings.trace.filter(until)), traces, `${parts} parts over rings`);
    const tcp = await runSplit(options("tcp"), await tcpEnds(parts));
    assertEquals(JSON.stringify(tcp.ranks), want, `${parts} parts over tcp`);
    assertEquals(JSON.stringify(tcp.trace.filter(until)), traces, `${parts} parts over tcp`);
  }
});

Deno.test("emulated machines run at the same times on 1 and 2 parts", async () => {
  const net = (name: string): MessageSpec => ({ chains: [{ name: "c", layers: ["credit", name] }] });
  const one = await cluster({ nodes: 4, program: ringGuest(5), spec: net("loopback") }).run();
  assertEquals(one.ranks.map((r) => r.state), new Array(4).fill("done"));
  const plain = JSON.stringify(one.ranks);
  const rings = await clusterSplit({ nodes: 4, program: ringGuest(5), spec: net("worker") }, ringEnds(2));
  assertEquals(JSON.stringify(rings.ranks), plain);
  const tcp = await clusterSplit({ nodes: 4, program: ringGuest(5), spec: net("tcp") }, await tcpEnds(2));
  assertEquals(JSON.stringify(tcp.ranks), plain);
});

Deno.test("NPB EP and IS verify over every medium on 1, 2, 4 and 8 nodes, at the same virtual time", async () => {
  for (const nodes of [1, 2, 4, 8]) {
    for (const [name, program] of [["EP", ep(18)], ["IS class S", is("S")]] as const) {
      const base = await job({ ranks: nodes, program, spec: over("loopback") }).run();
      for (const r of base.ranks) assertEquals((r.value as { verified: boolean }).verified, true, name);
      const parts = Math.min(2, nodes);
      for (const [medium, ends] of [["worker", ringEnds(parts)], ["tcp", await tcpEnds(parts)]] as const) {
        const split = await runSplit({ ranks: nodes, program, spec: over(medium) }, ends);
        assertEquals(JSON.stringify(split.ranks), JSON.stringify(base.ranks), `${name} on ${nodes} over ${medium}`);
      }
    }
  }
});

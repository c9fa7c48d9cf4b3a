/** Filters that take time, measured by the virtual clock. */
import { job } from "../../../../../lib/vmi/message/job.ts";
import type { MessageSpec } from "../../../../../lib/vmi/message/spec.ts";
import type { ParameterValue } from "../../../../../lib/vmi/message/module.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../../../../scripts/deps/std.ts";

function spec(module: string, parameters: { readonly [name: string]: ParameterValue }): MessageSpec {
  return {
    devices: { it: { module: `builtin:${module}`, parameters }, net: { module: "builtin:loopback" } },
    chains: [{ name: "c", layers: ["it", "net"] }],
  };
}

/** Arrival times of messages that rank 0 sends back to back; ns after the first was sent. */
async function arrivals(s: MessageSpec, sizes: readonly number[], ranks = 2): Promise<number[]> {
  const result = await job({
    ranks,
    spec: s,
    clusters: Array.from({ length: ranks }, (_, i) => i % 2),
    program: async (rank) => {
      await rank.mesh();
      await rank.advance(1e8 - rank.now);
      if (rank.rank === 0) {
        for (const n of sizes) rank.to(ranks - 1).sendInline(new Uint8Array(n));
        return;
      }
      const times: number[] = [];
      rank.onMessage(() => {
        times.push(rank.now - 1e8);
        return "done";
      });
      if (rank.rank === ranks - 1) await rank.until(() => times.length === sizes.length);
      return times;
    },
  }).run();
  return result.ranks[ranks - 1].value as number[];
}

Deno.test("delay adds its latency to that of the network and keeps order under jitter", async () => {
  assertEquals(await arrivals(spec("delay", { latencyUs: 10 }), [1, 1]), [11_000, 11_000]);
  const jittered = await arrivals(spec("delay", { latencyUs: 10, jitterUs: 50 }), new Array(40).fill(1));
  assertEquals(jittered, [...jittered].sort((a, b) => a - b));
  assert(jittered[39] > 40_000 && jittered[39] <= 61_000, `${jittered[39]}`);
  assertEquals(await arrivals(spec("delay", { latencyUs: 10, jitterUs: 50 }), new Array(40).fill(1)), jittered);
});

Deno.test("delay acts only on the pairs it is given, or across clusters", async () => {
  assertEquals(await arrivals(spec("delay", { latencyUs: 10, pairs: [[0, 0]] }), [1]), [1000]);
  assertEquals(await arrivals(spec("delay", { latencyUs: 10, pairs: [[1, 0]] }), [1]), [11_000]);
  assertEquals(await arrivals(spec("delay", { latencyUs: 10, crossCluster: true }), [1], 3), [1000]);
  assertEquals(await arrivals(spec("delay", { latencyUs: 10, crossCluster: true }), [1], 2), [11_000]);
});

Deno.test("loggp gives back the L, o, g and G it was given", async () => {
  const [L, o, g, G] = [6000, 700, 1500, 4.1];
  const s = spec("loggp", { L: 6, o: 0.7, g: 1.5, G: 4.1 });
  const [small] = await arrivals(s, [1]);
  assertEquals(small, L + 2 * o);
  const [large] = await arrivals(s, [10_001]);
  assertAlmostEquals((large - small) / 10_000, G, 0.01);
  const many = await arrivals(s, new Array(50).fill(1));
  assertAlmostEquals((many[49] - many[9]) / 40, Math.max(g, o), 1);
  const preset = await arrivals(spec("loggp", { preset: "myrinet-2000" }), [1]);
  assertEquals(preset, [small]);
});

Deno.test("loggp: the sender's program pays the overhead, and nothing else", async () => {
  const s = spec("loggp", { L: 6, o: 0.7, g: 1.5, G: 4.1 });
  const result = await job({
    ranks: 2,
    spec: s,
    program: async (rank) => {
      await rank.mesh();
      await rank.advance(1e6 - rank.now);
      const c = rank.to(1 - rank.rank);
      if (rank.rank === 1) {
        await rank.receive();
        const got = rank.now;
        await rank.advance(1e6);
        return [got, rank.now - got];
      }
      const times = [rank.now];
      for (let i = 0; i < 10; i++) {
        c.sendInline(new Uint8Array(1000));
        times.push(rank.now);
      }
      await rank.advance(5000);
      times.push(rank.now);
      await rank.advance(5000); // it computes; the wire is still busy with what was sent
      times.push(rank.now);
      return times.map((t) => t - times[0]);
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  const [sender, [got, computed]] = result.ranks.map((r) => r.value as number[]);
  assertEquals(sender, [...Array.from({ length: 11 }, (_, i) => 700 * i), 7000 + 5000, 7000 + 10_000]);
  assertEquals(got, 1e6 + 6000 + 2 * 700 + Math.round(999 * 4.1));
  assertEquals(computed, 1e6);
});

Deno.test("bandwidth passes its bytes a second after the burst", async () => {
  const times = await arrivals(spec("bandwidth", { bytesPerSecond: 1e6, burst: 5000 }), new Array(40).fill(952));
  // 952 bytes and a frame's 76 others: 1028 us a message once the burst is used up.
  assertAlmostEquals((times[39] - times[20]) / 19, 1_028_000, 3000);
  assertEquals(times[0], 1000);
});

Deno.test("a network's own bandwidth and latency are those of its parameters", async () => {
  const s: MessageSpec = {
    devices: { net: { module: "builtin:loopback", parameters: { latencyNs: 5000, bytesPerSecond: 1e8 } } },
    chains: [{ name: "c", layers: ["net"] }],
  };
  const times = await arrivals(s, [924, 924]);
  assertEquals(times[0], 15_000); // 1000 bytes at 10 ns, and the latency
  assertEquals(times[1], 25_000);
});

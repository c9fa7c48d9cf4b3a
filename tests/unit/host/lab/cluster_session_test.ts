import { type Cluster, cluster, ring, ringGuest } from "../../../../mod.ts";
import { LabCluster } from "../../../../lib/host/lab/cluster_session.ts";
import type { LabState } from "../../../../lib/host/lab/protocol.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";

const SPEC = {
  devices: { net: { module: "builtin:loopback" } },
  chains: [{ name: "default", layers: ["trace", "credit", "net"] }],
};

const machines = (): Cluster => cluster({ nodes: 3, program: ringGuest(20), spec: SPEC });

/** What belongs to a place in time, and nothing of the way to it. */
function place(lab: LabCluster): Partial<LabState> {
  const { position, seconds, registers, code, messages } = lab.state();
  return { position, seconds, registers, code, ...(messages === undefined ? {} : { messages }) };
}

Deno.test("LabCluster runs to the end and shows ranks, their machines and all messages", async () => {
  const lab = new LabCluster(machines);
  assertEquals([lab.state().said, lab.state().messages?.count], ["at the beginning", 0]);
  await lab.handle({ do: "run" });
  const { said, messages, choices, registers, running } = lab.state();
  assertEquals([said, running, choices], ["every rank is done", false, ["rank 0", "rank 1", "rank 2"]]);
  assert(registers.length > 10);
  const result = await machines().run();
  assertEquals(messages?.count, result.trace.filter((t) => t.direction === "down").length);
  assert(messages?.last.some((m) => m.source === 2 && m.destination === 0 && m.arrived !== undefined));
  assertEquals(
    messages?.lines.slice(0, 3),
    result.ranks.map((r) => `rank ${r.rank}: done at ${(r.time / 1000).toFixed(3)} us ${r.value}`),
  );
});

Deno.test("LabCluster is at a time what it was there before, forth and back", async () => {
  const lab = new LabCluster(machines);
  const places: Partial<LabState>[] = [];
  for (let n = 0; n < 5; n++) {
    await lab.handle({ do: "step", count: 20 });
    places.push(place(lab));
  }
  assertEquals(lab.state().said, "at 100 us");
  assertEquals(new Set(places.map((p) => p.position)).size, 5);
  for (const n of [3, 2, 1, 0]) {
    await lab.handle({ do: "back", count: 20 });
    assertEquals(place(lab), places[n]);
  }
  await lab.handle({ do: "look", at: 2 });
  assert(JSON.stringify(place(lab)) !== JSON.stringify(places[0]));
  await lab.handle({ do: "back", count: 1000 });
  assertEquals([lab.state().said, lab.state().seconds, lab.state().messages?.count], ["at the beginning", 0, 0]);
});

Deno.test("LabCluster pauses a long run and answers meanwhile", async () => {
  const lab = new LabCluster(() => cluster({ nodes: 2, program: ringGuest(1_000_000), spec: SPEC }));
  const running = lab.handle({ do: "run" });
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert(lab.state().running);
  await lab.handle({ do: "pause" });
  await running;
  assertEquals([lab.state().said, lab.state().running], ["paused", false]);
  assert((lab.state().messages?.count ?? 0) > 10 && lab.state().seconds > 0);
  await lab.close();
});

Deno.test("LabCluster shows host-side ranks without registers, and refuses a cluster in real time", async () => {
  const lab = new LabCluster(() => cluster({ nodes: 2, program: ring(3), spec: SPEC }));
  await lab.handle({ do: "run" });
  assertEquals([lab.state().said, lab.state().registers, lab.state().code], ["every rank is done", [], []]);
  const clock = { now: () => 0, sleep: () => Promise.resolve() };
  assertThrows(
    () => new LabCluster(() => cluster({ nodes: 2, program: ring(3), spec: SPEC, time: "real", clock })),
    Error,
    "virtual time only",
  );
});

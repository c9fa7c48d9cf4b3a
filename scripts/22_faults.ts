#!/usr/bin/env -S deno run
/**
 * Lesson 22, faults: networks that lose, repeat, change and delay frames, that break, flap and slow down, and a node that
 * dies; and what the job sees of each. Everything is chance from a seed, so that it happens again. Needs no permission.
 */
import {
  cluster,
  expect,
  job,
  type JobResult,
  type LayerSpec,
  type MessageRank,
  type ParameterValue,
  ringGuest,
  statusName,
} from "../mod.ts";

type Devices = { [name: string]: [module: string, parameters?: { [name: string]: ParameterValue }] };

/** A job of two ranks: rank 0 sends a hundred numbered messages, rank 1 says what came. */
function run(devices: Devices, layers: LayerSpec[], kill?: number): Promise<JobResult> {
  const spec = {
    devices: Object.fromEntries(
      Object.entries(devices).map((
        [name, [module, parameters = {}]],
      ) => [name, { module: `builtin:${module}`, parameters }]),
    ),
    chains: [{ name: "main", layers }],
  };
  const j = job({ ranks: 2, seed: 1, spec, program: flow });
  if (kill !== undefined) j.kill(1, kill);
  return j.run();
}

async function flow(rank: MessageRank): Promise<unknown> {
  const seen: string[] = [];
  const peer = rank.to(1 - rank.rank);
  let [got, damaged, last] = [0, 0, -1];
  let inOrder = true;
  let ended = "";
  rank.onLink((_connection, e) =>
    void seen.push(e.kind === "switch" ? `switch to ${e.to}, ${e.resent} again` : e.kind)
  );
  rank.onDisconnect((_connection, status) => ended = statusName(status));
  rank.onMessage((_connection, slab) => {
    const data = slab.copy();
    got++;
    if (data.some((b) => b !== data[0])) damaged++;
    else {
      inOrder &&= data[0] > last;
      last = data[0];
    }
    return "done";
  });
  await rank.mesh();
  for (let i = 0; rank.rank === 0 && i < 100; i++) {
    rank.to(1).sendInline(new Uint8Array(100).fill(i));
    await rank.wait(2000);
  }
  await rank.until(() => got === 100 || ended !== "", 2e7);
  const { duplicate: doubled } = peer.counters;
  return { got, damaged, doubled, inOrder, events: [...new Set(seen)], ended, time: rank.now };
}

interface Seen {
  readonly got: number;
  readonly damaged: number;
  readonly doubled: number;
  readonly inOrder: boolean;
  readonly events: string[];
  readonly ended: string;
  readonly time: number;
}

function show(title: string, result: JobResult, rank = 1): Seen {
  const seen = result.ranks[rank].value as Seen;
  console.log(`${title}: ${seen.got} of 100 messages, ${seen.events.join(", ") || "no events"} ${seen.ended}`);
  return seen;
}

// Each harm alone, with nothing that mends it: what is there is counted, what is missing is reported.
const lost = show("loses a tenth", await run({ it: ["drop"] }, ["it", "loopback"]));
expect(lost.got).toBeLessThan(100);
expect(lost.events).toEqual(["loss"]);
expect(lost.doubled).toBe(0);

const repeated = show("repeats a tenth", await run({ it: ["duplicate"] }, ["it", "loopback"]));
expect([repeated.got, repeated.events]).toEqual([100, []]); // a connection takes each frame once
expect(repeated.doubled).toBeGreaterThan(0);

const mixed = show("reorders a tenth", await run({ it: ["reorder"] }, ["it", "loopback"]));
expect(mixed.got).toBeLessThan(100); // what comes too late is not taken: order is kept
expect(mixed.inOrder).toBe(true);
expect(mixed.events).toEqual(["loss"]);

const changed = show("corrupts a tenth", await run({ it: ["corrupt"] }, ["it", "loopback"]));
expect(changed.damaged).toBeGreaterThan(0); // nobody looks: damage arrives
const checked = show(
  "corrupts a tenth, under a checksum",
  await run({ it: ["corrupt"] }, ["checksum", "it", "loopback"]),
);
expect(checked.damaged).toBe(0);
expect(checked.got).toBeLessThan(100);

// The same, mended.
for (const harm of ["drop", "duplicate", "reorder", "corrupt"]) {
  const seen = show(
    `${harm}, under reliable and checksum`,
    await run({ it: [harm] }, ["reliable", "checksum", "it", "loopback"]),
  );
  expect([seen.got, seen.damaged, seen.inOrder, seen.events]).toEqual([100, 0, true, []]);
}
const all: Devices = { a: ["drop"], b: ["duplicate"], c: ["reorder"], d: ["corrupt"] };
const mended = show(
  "all four, under reliable and checksum",
  await run(all, ["reliable", "checksum", "a", "b", "c", "d", "loopback"]),
);
expect([mended.got, mended.damaged, mended.events]).toEqual([100, 0, []]);

const two: Devices = {
  near: ["loopback", { latencyNs: 2000 }],
  far: ["loopback", { latencyNs: 20_000 }],
  cut: ["outage", { afterFrames: 50 }],
  either: ["failover", { holdUs: 50 }],
};
const switched = show(
  "first network breaks in mid-flow",
  await run(two, [{ device: "either", children: [["cut", "near"], ["far"]] }]),
  0,
);
expect(switched.events[0]).toContain("switch to far");
expect(switched.ended).toBe("");

const alone = show(
  "the only network breaks in mid-flow",
  await run({ cut: ["outage", { afterFrames: 50 }] }, ["reliable", "cut", "loopback"]),
  0,
);
expect(alone.ended).toBe("peerGone");

const flaps: Devices = { ...two, cut: ["outage", { periodUs: 400, downUs: 200 }] };
const flapping = show(
  "first network flaps",
  await run(flaps, [{ device: "either", children: [["cut", "near"], ["far"]] }]),
);
expect(flapping.got).toBe(100);

const slow = show(
  "network slows down",
  await run({ slow: ["bandwidth", { bytesPerSecond: 1e6 }] }, ["slow", "loopback"]),
);
expect(slow.got).toBe(100);
expect(slow.time).toBeGreaterThan(mended.time);

const dead = show("the peer dies", await run({}, ["reliable", "loopback"], 60_000), 0);
expect(dead.ended).toBe("peerGone");

// Machines: one of a ring dies while the token is going around; the others wait for ever, and the job says so.
const ring = cluster({ nodes: 4, program: ringGuest(1000) });
ring.kill(2, 300_000);
const states = (await ring.run()).ranks.map((r) => r.state);
console.log(`a machine of a ring dies: ${states.join(", ")}`);
expect(states).toEqual(["blocked", "blocked", "killed", "blocked"]);

console.log("Each of them was seen, and none went unseen.");

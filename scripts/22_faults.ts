#!/usr/bin/env -S deno run
/**
 * Lesson 22, faults: networks that lose, repeat, change and delay frames, that break, flap and slow down, and a node that
 * dies; and what the job sees of each. Everything is chance from a seed, so that it happens again. Needs no permission.
 */
import {
  expect,
  job,
  type JobResult,
  type LayerSpec,
  type MessageRank,
  type ParameterValue,
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
  let got = 0;
  let ended = "";
  rank.onLink((_connection, e) =>
    void seen.push(e.kind === "switch" ? `switch to ${e.to}, ${e.resent} again` : e.kind)
  );
  rank.onDisconnect((_connection, status) => ended = statusName(status));
  rank.onMessage((_connection, slab) => {
    got += slab.remaining > 0 ? 1 : 0;
    return "done";
  });
  await rank.mesh();
  for (let i = 0; rank.rank === 0 && i < 100; i++) {
    rank.to(1).sendInline(new Uint8Array(100).fill(i));
    await rank.wait(2000);
  }
  await rank.until(() => got === 100 || ended !== "", 2e7);
  return { got, events: [...new Set(seen)], ended, time: rank.now };
}

interface Seen {
  readonly got: number;
  readonly events: string[];
  readonly ended: string;
  readonly time: number;
}

function show(title: string, result: JobResult, rank = 1): Seen {
  const seen = result.ranks[rank].value as Seen;
  console.log(`${title}: ${seen.got} of 100 messages, ${seen.events.join(", ") || "no events"} ${seen.ended}`);
  return seen;
}

const bare = show("loses a tenth, nobody cares", await run({ lossy: ["drop"] }, ["lossy", "loopback"]));
expect(bare.got).toBeLessThan(100);
expect(bare.events).toEqual(["loss"]);

const all: Devices = { a: ["drop"], b: ["duplicate"], c: ["reorder"], d: ["corrupt"] };
const mended = show(
  "loses, repeats, reorders, corrupts, under reliable and checksum",
  await run(all, ["reliable", "checksum", "a", "b", "c", "d", "loopback"]),
);
expect([mended.got, mended.events]).toEqual([100, []]);

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

console.log("Each of them was seen, and none went unseen.");

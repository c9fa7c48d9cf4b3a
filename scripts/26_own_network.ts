#!/usr/bin/env -S deno run
/**
 * Lesson 26, message devices of one's own: a network that works like the post (a van leaves at fixed times and takes all
 * that lies there), and a composite that sends small frames by wire and large ones by post. Needs no permission.
 */
import { expect, job, type JobResult, type MessageModule, type MessageSpec, type ParameterRule } from "../mod.ts";

const number = (name: string, value: number): ParameterRule => ({ name, type: "number", default: value, min: 1 });

const bags = { left: 0, letters: 0 };

/** A network: says how well it reaches a peer, and with what delay a frame arrives at the other end. */
const post: MessageModule = {
  name: "post",
  abi: 1,
  kind: "network",
  parameters: [number("everyNs", 100_000), number("latencyNs", 20_000)],
  create(parameters, node) {
    const every = Number(parameters["everyNs"]), way = Number(parameters["latencyNs"]);
    return {
      reach: () => ({ latencyNs: way, bytesPerSecond: Infinity, maxFrame: 65536 }),
      open(host) {
        let leaves = 0;
        return {
          down(frame) {
            const next = Math.floor(node.now() / every + 1) * every;
            if (next !== leaves) bags.left++;
            bags.letters++;
            leaves = next;
            host.transmit(frame, leaves - node.now() + way);
          },
          up: (frame) => host.up(frame),
          latencyNs: every, // the van may just have left
        };
      },
    };
  },
};

/** A composite: has children below it, and says which of them a frame takes. */
const bySize: MessageModule = {
  name: "by-size",
  abi: 1,
  kind: "composite",
  parameters: [number("above", 100)],
  create: (parameters) => ({
    open: (host) => ({
      down: (frame) => host.children[frame.payload.length > Number(parameters["above"]) ? 1 : 0].send(frame),
      up: (frame) => host.up(frame),
      upFrom: (_child, frame) => host.up(frame),
    }),
  }),
};

/** Rank 0 sends a large message and then a small one; rank 1 says what came, and when. */
function run(spec: MessageSpec): Promise<JobResult> {
  bags.left = bags.letters = 0;
  return job({
    ranks: 2,
    modules: [post, bySize],
    spec,
    program: async (rank) => {
      const begun = 1_000_000, came: string[] = []; // a millisecond after the start, on every rank
      rank.onMessage((_connection, slab) => {
        came.push(`${slab.remaining} bytes after ${rank.now - begun} ns`);
        return "done";
      });
      rank.onLink((_connection, event) => void came.push(event.kind));
      await rank.mesh();
      await rank.advance(begun - rank.now);
      if (rank.rank === 0) {
        for (const size of [2000, 10]) rank.to(1).sendInline(new Uint8Array(size));
      }
      await rank.until(() => came.length === 2, 1_000_000);
      return came;
    },
  }).run();
}

const devices = { van: { module: "post" }, wire: { module: "builtin:loopback" }, clerk: { module: "by-size" } };
const posted = await run({ devices, chains: [{ name: "main", layers: ["van"] }] });
expect(posted.ranks.map((r) => r.error)).toEqual([undefined, undefined]);
expect(posted.ranks[1].value).toEqual(["2000 bytes after 120000 ns", "10 bytes after 120000 ns"]);
console.log(`All by post, ${bags.letters} letters in ${bags.left} bags: ${posted.ranks[1].value}`);

const either = { device: "clerk", children: [["wire"], ["van"]] };
const sorted = await run({ devices, chains: [{ name: "main", layers: [either] }] });
expect(sorted.ranks[1].value).toEqual(["loss", "10 bytes after 1000 ns"]);
console.log(`By size, the small one overtakes, and the large one comes too late: ${sorted.ranks[1].value}`);

const inOrder = await run({ devices, chains: [{ name: "main", layers: ["reliable", either] }] });
expect(inOrder.ranks[1].value).toEqual(["2000 bytes after 120000 ns", "10 bytes after 120000 ns"]);
console.log(`With the filter "reliable" above, it waits its turn: ${inOrder.ranks[1].value}`);

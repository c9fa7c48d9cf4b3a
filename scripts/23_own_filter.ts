#!/usr/bin/env -S deno run
/**
 * Lesson 23, a filter and a network of one's own: a message device is an object with a small interface. The filter here
 * turns letters into capitals on their way; the network is slower at night. Needs no permission.
 */
import { expect, job, type MessageModule } from "../mod.ts";

const capitals: MessageModule = {
  name: "capitals",
  abi: 1,
  kind: "filter",
  parameters: [],
  create: () => ({
    open: (host) => ({
      down: (frame) => host.down({ ...frame, payload: frame.payload.map((b) => b >= 97 && b <= 122 ? b - 32 : b) }),
      up: (frame) => host.up(frame),
    }),
  }),
};

const tides: MessageModule = {
  name: "tides",
  abi: 1,
  kind: "network",
  parameters: [{ name: "latencyNs", type: "number", default: 1000, min: 1 }, {
    name: "dayNs",
    type: "number",
    default: 100_000,
  }],
  create: (parameters, node) => ({
    reach: () => ({ latencyNs: Number(parameters["latencyNs"]), bytesPerSecond: Infinity, maxFrame: 65536 }),
    open: (host) => ({
      down(frame): void {
        const isNight = node.now() % Number(parameters["dayNs"]) > Number(parameters["dayNs"]) / 2;
        host.transmit(frame, Number(parameters["latencyNs"]) * (isNight ? 10 : 1));
      },
      up: (frame) => host.up(frame),
    }),
  }),
};

const result = await job({
  ranks: 2,
  modules: [capitals, tides],
  spec: {
    devices: { loud: { module: "capitals" }, sea: { module: "tides" } },
    chains: [{ name: "main", layers: ["loud", "sea"] }],
  },
  program: async (rank) => {
    await rank.mesh();
    const trips: number[] = [];
    for (const when of [210_000, 270_000]) {
      await rank.advance(when - rank.now);
      if (rank.rank === 0) rank.to(1).sendInline(new TextEncoder().encode("hello"));
      else {
        const { data } = await rank.receive();
        expect(new TextDecoder().decode(data)).toBe("HELLO");
        trips.push(rank.now - when);
      }
    }
    return trips;
  },
}).run();

expect(result.ranks.map((r) => r.error)).toEqual([undefined, undefined]);
expect(result.ranks[1].value).toEqual([1000, 10_000]);
console.log("By day a message takes 1000 ns, by night 10000 ns, and it shouts.");

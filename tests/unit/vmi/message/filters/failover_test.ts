/** Fail-over and striping when links break: once, in order, and reported. */
import { job, type JobResult } from "../../../../../lib/vmi/message/job.ts";
import type { MessageSpec } from "../../../../../lib/vmi/message/spec.ts";
import type { MessageRank } from "../../../../../lib/vmi/message/rank.ts";
import type { LinkEvent } from "../../../../../lib/vmi/message/module.ts";
import { MessageStatus } from "../../../../../lib/spec/message_abi.ts";
import { Prng } from "../../../../../lib/base/prng.ts";
import { pattern } from "../../../../conformance/message/suite.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";

function twoNetworks(
  outage: { readonly [name: string]: number | boolean },
  second: { readonly up: boolean },
): MessageSpec {
  return {
    devices: {
      first: { module: "builtin:loopback", parameters: { latencyNs: 2000 } },
      second: { module: "builtin:loopback", parameters: { latencyNs: 8000 } },
      breaks: { module: "builtin:outage", parameters: outage },
      also: { module: "builtin:outage", parameters: second },
      either: { module: "builtin:failover", parameters: { holdUs: 1000 } },
    },
    chains: [{ name: "c", layers: [{ device: "either", children: [["breaks", "first"], ["also", "second"]] }] }],
  };
}

/** Streams, puts and gets in full flow; returns what went wrong, and the link events. */
async function flow(rank: MessageRank): Promise<{ events: LinkEvent[]; received: number; puts: number; gets: number }> {
  const events: LinkEvent[] = [];
  rank.onLink((_c, e) => void events.push(e));
  const peer = 1 - rank.rank;
  const c = rank.to(peer);
  let [received, puts, gets, putsDone, getsDone] = [0, 0, 0, 0, 0];
  rank.onMessage((_c, slab) => {
    assertEquals(slab.copy(1)[0], received++ & 255, "stream out of order or not once");
    assertEquals(slab.copy(), pattern(5000, 3));
    return "done";
  });
  const memory = new Uint8Array(4096);
  const from = rank.register(pattern(4096, 5));
  const into = new Uint8Array(4096);
  const target = rank.register(into);
  c.onPut((size, context, status) => {
    assertEquals([size, context, status], [4096, 7, MessageStatus.success]);
    puts++;
  });
  c.onGet((context, status) => {
    assertEquals([context, status], [7, MessageStatus.success]);
    gets++;
  });
  c.onPublish((remote) => {
    const local = [{ region: from, offset: 0, length: 4096 }];
    for (let i = 0; i < 10; i++) c.put({ local, remote, remoteOffset: 0, notify: true }, () => putsDone++);
    const back = [{ region: target, offset: 0, length: 4096 }];
    for (let i = 0; i < 10; i++) c.get({ local: back, remote, remoteOffset: 0, notify: true }, () => getsDone++);
  });
  await rank.mesh();
  c.publish(rank.register(memory), { context: 7 });
  for (let i = 0; i < 30; i++) {
    c.sendInline(Uint8Array.of(i), pattern(5000, 3));
    await rank.wait(500);
  }
  await rank.until(() => received >= 30 && puts === 10 && gets === 10 && putsDone === 10 && getsDone === 10, 1e9);
  assertEquals(memory, pattern(4096, 5));
  assertEquals(into, pattern(4096, 5));
  await rank.advance(1e6);
  rank.poll();
  return { events, received, puts, gets };
}

function check(result: JobResult): { events: LinkEvent[] }[] {
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  for (const r of result.ranks) {
    const { received, puts, gets } = r.value as { received: number; puts: number; gets: number };
    assertEquals([received, puts, gets], [30, 10, 10]);
  }
  return result.ranks.map((r) => r.value as { events: LinkEvent[] });
}

Deno.test("a job that loses its first network at a thousand points delivers everything once and in order", async () => {
  const prng = new Prng(2026);
  let switches = 0;
  for (let round = 0; round < 1000; round++) {
    const afterFrames = 1 + prng.below(180);
    const downUs = prng.below(3) === 0 ? 0 : 10 + prng.below(3000);
    const result = await job({
      ranks: 2,
      seed: round,
      spec: twoNetworks({ afterFrames, downUs }, { up: true }),
      program: flow,
    })
      .run();
    for (const { events } of check(result)) switches += events.filter((e) => e.kind === "switch").length;
  }
  assert(switches > 1000, `only ${switches} switches`);
});

Deno.test("one job in full flow loses its first network a thousand times, and every message comes once", async () => {
  const prng = new Prng(1000);
  const windows: [number, number][] = [];
  let at = 500;
  for (let i = 0; i < 1050; i++) {
    const from = at + 300 + prng.below(300);
    const to = from + 250 + prng.below(250);
    windows.push([from, to]);
    at = to;
  }
  const end = (at + 2000) * 1000;
  const result = await job({
    ranks: 2,
    spec: {
      devices: {
        first: { module: "builtin:loopback", parameters: { latencyNs: 2000 } },
        second: { module: "builtin:loopback", parameters: { latencyNs: 8000 } },
        breaks: { module: "builtin:outage", parameters: { windowsUs: windows } },
        either: { module: "builtin:failover", parameters: { holdUs: 20, probeUs: 40 } },
      },
      chains: [{ name: "c", layers: [{ device: "either", children: [["breaks", "first"], ["second"]] }] }],
    },
    program: async (rank) => {
      let [sent, received, lost] = [0, 0, 0];
      rank.onLink((_c, e) => void (lost += e.kind === "switch" && e.from === "first" ? 1 : 0));
      rank.onMessage((_c, slab) => {
        const [a, b, c] = slab.copy(3);
        assertEquals(a | (b << 8) | (c << 16), received++, "out of order or not once");
        assertEquals(slab.remaining, received % 50);
        return "done";
      });
      await rank.mesh();
      const c = rank.to(1 - rank.rank);
      while (rank.now < end) {
        for (let k = 0; k < 3; k++, sent++) {
          c.sendInline(Uint8Array.of(sent, sent >> 8, sent >> 16), new Uint8Array((sent + 1) % 50));
        }
        await rank.advance(45_000 + 1000 * (sent % 7));
        rank.poll();
      }
      const [total] = await rank.all.allreduce(Float64Array.of(sent));
      await rank.until(() => received >= total - sent, 1e8);
      await rank.advance(1e6);
      rank.poll();
      return { sent, received, lost };
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  const [a, b] = result.ranks.map((r) => r.value as { sent: number; received: number; lost: number });
  assertEquals([a.received, b.received], [b.sent, a.sent]);
  assert(a.sent > 50_000 && b.sent > 50_000, `${a.sent} and ${b.sent} sent`);
  assert(a.lost >= 1000 && b.lost >= 1000, `${a.lost} and ${b.lost} times`);
});

Deno.test("a network lost in the middle of a megabyte: of a stream, a put, a get, and before a notification", async () => {
  const size = 1 << 20;
  const prng = new Prng(77);
  for (let round = 0; round < 16; round++) {
    const result = await job({
      ranks: 2,
      seed: round,
      spec: twoNetworks({ afterFrames: 4 + prng.below(170) }, { up: true }),
      program: async (rank) => {
        const c = rank.to(1 - rank.rank);
        const data = pattern(size, rank.rank);
        const other = pattern(size, 1 - rank.rank);
        const memory = new Uint8Array(size);
        const into = new Uint8Array(size);
        const [from, target] = [rank.register(data), rank.register(into)];
        const seen: string[] = [];
        c.onPut((n, context) => void seen.push(`put ${n} ${context} ${memory[size - 1] === other[size - 1]}`));
        c.onGet((context) => void seen.push(`got ${context}`));
        c.onPublish((remote) => {
          if (remote.peerContext === 1n) {
            c.put({ local: [{ region: from, offset: 0, length: size }], remote, remoteOffset: 0, notify: true });
          } else c.get({ local: [{ region: target, offset: 0, length: size }], remote, remoteOffset: 0, notify: true });
        });
        await rank.mesh();
        c.publish(rank.register(memory), { context: 5, peerContext: 1n });
        c.publish(from, { context: 6, peerContext: 2n });
        c.send([{ region: from, offset: 0, length: size }]);
        const { data: got } = await rank.receive();
        await rank.until(() => seen.length === 2);
        for (const bytes of [got, memory, into]) assert(bytes.every((b, i) => b === other[i]));
        await rank.all.barrier();
        await rank.advance(1e7);
        rank.poll();
        return seen.sort();
      },
    }).run();
    assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
    for (const r of result.ranks) assertEquals(r.value, ["got 6", `put ${size} 5 true`]);
  }
});

Deno.test("the switch is reported with names and count, and the preferred network is taken again", async () => {
  const result = await job({
    ranks: 2,
    spec: twoNetworks({ afterFrames: 40, downUs: 2000 }, { up: true }),
    program: async (rank) => {
      const seen = await flow(rank);
      // Traffic for the return: nothing is probed while nothing is sent.
      for (let i = 0; i < 60; i++) {
        rank.to(1 - rank.rank).sendInline(Uint8Array.of(30 + i), pattern(5000, 3));
        await rank.advance(100_000);
        rank.poll();
      }
      return { ...seen, state: rank.to(1 - rank.rank).chain?.find("either")?.control?.({ kind: "query" }) };
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  const [{ events, state }] = result.ranks.map((r) =>
    r.value as { events: LinkEvent[]; state: { active: string; switches: number } }
  );
  const [first] = events.filter((e) => e.kind === "switch");
  assertEquals([first.from, first.to], ["first", "second"]);
  assert(first.resent > 0);
  assertEquals([state.active, state.switches], ["first", 2]);
});

Deno.test("a connection with no network left ends with peerGone, what is in flight with linkDown", async () => {
  const result = await job({
    ranks: 2,
    spec: twoNetworks({ afterFrames: 30 }, { up: false }),
    program: async (rank) => {
      await rank.mesh();
      const c = rank.to(1 - rank.rank);
      const events: string[] = [];
      let [status, put] = [-1, -1];
      rank.onLink((_c, e) => void events.push(e.kind));
      rank.onDisconnect((_c, s) => status = s);
      const region = rank.register(new Uint8Array(64));
      c.onPublish((remote) => {
        for (let i = 0; i < 40; i++) c.sendInline(new Uint8Array(8));
        c.put({ local: [{ region, offset: 0, length: 64 }], remote, remoteOffset: 0 }, (s: number) => put = s);
      });
      c.publish(region, { context: 0 });
      await rank.until(() => status >= 0);
      assertEquals(c.state, "disconnected");
      assertEquals(c.sendInline(new Uint8Array(1)), MessageStatus.notConnected);
      rank.poll();
      return [status, put, events];
    },
  }).run();
  const { peerGone, linkDown } = MessageStatus;
  for (const r of result.ranks) assertEquals(r.value, [peerGone, linkDown, ["switch", "gone"]]);
});

Deno.test("a rank that dies is noticed by its peers", async () => {
  const j = job({
    ranks: 3,
    spec: { chains: [{ name: "c", layers: ["reliable", "loopback"] }] },
    program: async (rank) => {
      await rank.mesh();
      const gone: number[] = [];
      rank.onDisconnect((c, s) => {
        assertEquals(s, MessageStatus.peerGone);
        gone.push(c.peer);
      });
      rank.onMessage(() => "done");
      await rank.advance(60_000);
      for (let r = 0; r < 3; r++) if (r !== rank.rank) rank.to(r).sendInline(new Uint8Array(9));
      await rank.until(() => gone.length > 0);
      return gone;
    },
  }).kill(1, 50_000);
  const result = await j.run();
  assertEquals(result.ranks.map((r) => [r.state, r.value]), [["done", [1]], ["killed", undefined], ["done", [1]]]);
});

Deno.test("a stripe spreads large messages by bandwidth, and survives a lost child under failover", async () => {
  const spec: MessageSpec = {
    devices: {
      fast: { module: "builtin:loopback", parameters: { bytesPerSecond: 9e8 } },
      slow: { module: "builtin:loopback", parameters: { bytesPerSecond: 1e8 } },
      spare: { module: "builtin:loopback", parameters: { latencyNs: 5000 } },
      cut: { module: "builtin:outage", parameters: { afterFrames: 60 } },
      both: { module: "builtin:stripe" },
      either: { module: "builtin:failover" },
    },
    chains: [
      {
        name: "c",
        layers: [{
          device: "either",
          children: [[{ device: "both", children: [["fast"], ["cut", "slow"]] }], ["spare"]],
        }],
      },
    ],
  };
  const result = await job({
    ranks: 2,
    spec,
    program: async (rank) => {
      await rank.mesh();
      const data = pattern(1 << 20, 1);
      if (rank.rank === 1) {
        for (let i = 0; i < 4; i++) assertEquals((await rank.receive()).data, data);
        rank.to(0).sendInline(Uint8Array.of(1));
        await rank.advance(1e6);
        return;
      }
      const events: string[] = [];
      rank.onLink((_c, e) => void events.push(`${e.kind} ${e.to}`));
      const region = rank.register(data);
      rank.to(1).send([{ region, offset: 0, length: 1 << 20 }]);
      await rank.advance(1_200_000);
      const { sent } = rank.to(1).chain?.find("both")?.control?.({ kind: "query" }) as { sent: number[] };
      for (let i = 0; i < 3; i++) rank.to(1).send([{ region, offset: 0, length: 1 << 20 }]);
      await rank.receive();
      return { ratio: sent[0] / sent[1], events };
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  const { ratio, events } = result.ranks[0].value as { ratio: number; events: string[] };
  assert(ratio > 8 && ratio < 10, `${ratio}`);
  assertEquals(events[0], "switch spare");
});

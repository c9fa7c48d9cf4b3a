/** The runtime: limits, damage from below, registration, event order. */
import type { Connection } from "../../../../lib/vmi/message/connection.ts";
import type { RemoteBuffer } from "../../../../lib/vmi/message/events.ts";
import type { RdmaOp } from "../../../../lib/vmi/message/rdma.ts";
import { EventQueue } from "../../../../lib/vmi/message/event_queue.ts";
import { job } from "../../../../lib/vmi/message/job.ts";
import { gather, hostBacking, RegistrationCache, scatter, totalBytes } from "../../../../lib/vmi/message/memory.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../../../lib/vmi/message/frame.ts";
import type { MessageModule } from "../../../../lib/vmi/message/module.ts";
import { MessageStatus } from "../../../../lib/spec/message_abi.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../../../scripts/deps/std.ts";

Deno.test("EventQueue orders by time, arrivals before timers, source, then count", () => {
  const q = new EventQueue();
  const seen: string[] = [];
  q.timer(() => seen.push("timer")).armAt(5);
  q.arrival(5, 2, 0, () => seen.push("2.0"));
  q.arrival(5, 1, 1, () => seen.push("1.1"));
  q.arrival(5, 1, 0, () => seen.push("1.0"));
  q.arrival(4, 9, 9, () => seen.push("9.9"));
  const cancelled = q.timer(() => seen.push("never"));
  cancelled.armAt(1);
  cancelled.cancel();
  q.runTo(5);
  assertEquals(seen, ["9.9", "1.0", "1.1", "2.0", "timer"]);
  assertEquals([q.time, q.next], [5, Infinity]);
});

Deno.test("EventQueue agrees with sorting under random insertion", () => {
  const prng = new Prng(3);
  const q = new EventQueue();
  const all: [number, number, number][] = [];
  const seen: [number, number, number][] = [];
  for (let i = 0; i < 500; i++) {
    const e: [number, number, number] = [prng.below(40), prng.below(5), i];
    all.push(e);
    q.arrival(...e, () => seen.push(e));
  }
  q.runTo(100);
  assertEquals(seen, all.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]));
});

Deno.test("RegistrationCache forgets the range released longest ago", () => {
  const cache = new RegistrationCache(2);
  const make = () => hostBacking(new Uint8Array(8));
  for (const key of ["a", "b", "c"]) cache.register(key, 8, make).release();
  assertEquals(cache.stats, { hits: 0, misses: 3, evictions: 1, live: 0, idle: 2 });
  cache.register("b", 8, make);
  cache.register("a", 8, make);
  assertEquals(cache.stats, { hits: 1, misses: 4, evictions: 1, live: 2, idle: 1 });
  const off = new RegistrationCache(0);
  off.register("a", 8, make).release();
  off.register("a", 8, make);
  assertEquals(off.stats.misses, 2);
});

Deno.test("gather() and scatter() walk pieces; released regions and bad pieces are refused", () => {
  const cache = new RegistrationCache();
  const bytes = Uint8Array.from({ length: 10 }, (_, i) => i);
  const region = cache.register("x", 10, () => hostBacking(bytes));
  const pieces = [{ region, offset: 7, length: 3 }, { region, offset: 0, length: 2 }];
  const out = new Uint8Array(3);
  assert(gather(pieces, 1, out));
  assertEquals(out, Uint8Array.of(8, 9, 0));
  assert(scatter(pieces, 2, Uint8Array.of(99, 98)));
  assertEquals([bytes[9], bytes[0]], [99, 98]);
  assertEquals(gather(pieces, 4, out), false);
  assertEquals(totalBytes(pieces), 5);
  assertEquals(totalBytes([{ region, offset: 8, length: 3 }]), -1);
  assertEquals(totalBytes([{ region, offset: -1, length: 3 }]), -1);
  region.release();
  assertEquals(totalBytes(pieces), -1);
  assertEquals(region.read(0, out), false);
});

Deno.test("a connection keeps the limits of its job", async () => {
  const limits = { maxInline: 100, maxMessage: 1000, maxQueued: 5000, connectNs: 1e9 };
  const result = await job({
    ranks: 2,
    limits,
    program: async (rank) => {
      await rank.mesh();
      const c = rank.to(1 - rank.rank);
      if (rank.rank === 1) return await rank.advance(1e9);
      assertEquals(c.sendInline(new Uint8Array(101)), MessageStatus.invalidArgument);
      const region = rank.register(new Uint8Array(2000));
      assertEquals(c.send([{ region, offset: 0, length: 1001 }]), MessageStatus.invalidArgument);
      assertEquals(c.send([{ region, offset: 1500, length: 501 }]), MessageStatus.invalidArgument);
      // Nobody takes these: credit runs out, then the queue is full; memory stays bounded.
      let sent = 0;
      while (sent < 10_000 && c.sendInline(new Uint8Array(100)) === MessageStatus.success) sent++;
      assert(sent >= 64 && sent < 64 + 51, `${sent} sent`);
      assertEquals(c.sendInline(new Uint8Array(100)), MessageStatus.noResource);
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
});

Deno.test("credit of few bytes passes messages of every size", async () => {
  const credit = { module: "builtin:credit", parameters: { bytes: 1000 } };
  const sizes = [200, 900, 0, 10, 999, 5000, 1];
  const result = await job({
    ranks: 2,
    spec: { devices: { credit }, chains: [{ name: "c", layers: ["credit", "loopback"] }] },
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 0) { for (const n of sizes) rank.to(1).sendInline(new Uint8Array(n)); }
      else for (const n of sizes) assertEquals((await rank.receive()).data.length, n);
    },
  }).run();
  assertEquals(result.ranks.map((r) => [r.state, r.error]), new Array(2).fill(["done", undefined]));
});

Deno.test("messages without a byte are stopped as well: what waits is counted by the frame", async () => {
  const devices = {
    slow: { module: "builtin:delay", parameters: { latencyUs: 1e6 } },
    narrow: { module: "builtin:bandwidth", parameters: { bytesPerSecond: 1000 } },
  };
  for (const layer of ["credit", "reliable", "slow", "narrow"]) {
    const result = await job({
      ranks: 2,
      limits: { maxQueued: 100_000 },
      spec: { devices, chains: [{ name: "c", layers: [layer, "loopback"] }] },
      program: async (rank) => {
        if (rank.rank === 1) {
          await rank.connect(0);
          return await rank.advance(1e9); // takes nothing
        }
        await rank.until(() => rank.to(1).isConnected);
        let sent = 0;
        while (sent < 10_000 && rank.to(1).sendInline() === MessageStatus.success) sent++;
        assertEquals(rank.to(1).sendInline(), MessageStatus.noResource);
        return sent;
      },
    }).run({ untilNs: 20e9 });
    const sent = Number(result.ranks[0].value);
    assert(sent > 50 && sent < 300, `${layer}: ${sent} sent ${result.ranks[0].error}`);
  }
});

Deno.test("notifications that a peer does not take stop their sender, and all come when it does", async () => {
  type Act = (c: Connection, remote: RemoteBuffer, local: RdmaOp["local"]) => number;
  const acts: { readonly [name: string]: Act } = {
    put: (c, remote, local) => c.put({ local, remote, remoteOffset: 0, notify: true }),
    get: (c, remote, local) => c.get({ local, remote, remoteOffset: 0, notify: true }),
    publish: (c, _remote, [{ region }]) => c.publish(region, { context: 1 }).status,
  };
  for (const [name, act] of Object.entries(acts)) {
    const result = await job({
      ranks: 2,
      limits: { maxQueued: 50_000 },
      program: async (rank) => {
        await rank.mesh();
        const c = rank.to(1 - rank.rank);
        const region = rank.register(new Uint8Array(8));
        let [count, sent] = [0, 0];
        if (rank.rank === 1) {
          const heard = (): void => void count++;
          c.onPut(heard);
          c.onGet(heard);
          c.onPublish(heard);
          c.publish(region, { context: 1 });
          await rank.advance(1e9); // takes nothing
          await rank.until(() => false, 2e9);
          return count;
        }
        let remote: RemoteBuffer | undefined;
        c.onPublish((b) => remote = b);
        await rank.until(() => remote !== undefined);
        if (remote === undefined) return;
        while (sent < 10_000 && act(c, remote, [{ region, offset: 0, length: 8 }]) === MessageStatus.success) {
          if (++sent % 10 === 0) await rank.advance(100_000);
        }
        await rank.until(() => false, 4e9);
        return sent;
      },
    }).run();
    const [sent, heard] = result.ranks.map((r) => Number(r.value));
    assert(sent > 64 && sent < 200, `${name}: ${sent} sent ${result.ranks[0].error}`);
    assertEquals(heard, sent, name);
  }
});

Deno.test("a rank that logs without end does not fill the memory, and the log says so", async () => {
  const line = "x".repeat(4096);
  const { log } = await job({
    ranks: 1,
    program: (rank) => {
      for (let i = 0; i < 10_000; i++) rank.log(line);
    },
  }).run();
  assert(log.length > 4000 && log.length < 4100, `${log.length} lines`);
  assertEquals(log.at(-1), `the log is full: ${10_000 - (log.length - 1)} lines were left out`);
});

Deno.test("a peer that never answers ends in a timeout, and can be tried again", async () => {
  const result = await job({
    ranks: 2,
    program: async (rank) => {
      if (rank.rank === 1) {
        await rank.advance(301e9); // does not poll: the request waits
        await rank.until(() => rank.to(0).isConnected);
        return;
      }
      const first = await rank.tryConnect(1);
      assertEquals([first.status, rank.now, first.connection.state], [MessageStatus.timeout, 300e9, "error"]);
      await rank.connect(1);
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
});

Deno.test("a job says which ranks are blocked for ever, and what failed", async () => {
  const result = await job({
    ranks: 3,
    program: async (rank) => {
      if (rank.rank === 0) throw new Error("boom");
      if (rank.rank === 1) await rank.receive();
      await rank.advance(500);
    },
  }).run();
  assertEquals(result.ranks.map((r) => [r.state, r.error]), [
    ["failed", "Error: boom"],
    ["blocked", undefined],
    ["done", undefined],
  ]);
  assertEquals(result.time, 500);
});

Deno.test("a rank waits for one thing at a time and not in a handler", async () => {
  const result = await job({
    ranks: 1,
    program: async (rank) => {
      const first = rank.wait(100);
      await assertRejects(() => rank.wait(5), Error, "waits already");
      await first;
      rank.onMessage(() => {
        assertThrows(() => void rank.advance(5), Error, "not wait");
        return "done";
      });
      const c = await rank.connect(0);
      c.sendInline(new Uint8Array(1));
      await rank.until(() => c.counters.received === 1);
      rank.poll();
    },
  }).run();
  assertEquals(result.ranks[0].error, undefined);
});

/** A network that lets a test damage what arrives. */
function damaging(damage: (frame: Frame, n: number) => Frame | undefined): MessageModule {
  return {
    name: "damage",
    abi: 1,
    kind: "filter",
    parameters: [],
    create: () => ({
      open: (host) => {
        let n = 0;
        return {
          down: (frame) => host.down(frame),
          up: (frame) => {
            const f = damage(frame, n++);
            if (f !== undefined) host.up(f);
          },
        };
      },
    }),
  };
}

Deno.test("frames of garbage below a connection are counted and do no harm", async () => {
  const prng = new Prng(99);
  const module = damaging((frame) => {
    if (frame.type < 16 || prng.below(2) === 0) return frame;
    const bytes = encodeFrame(frame);
    for (let k = 0; k < 3; k++) bytes[48 + prng.below(bytes.length - 48)] = prng.u32();
    return decodeFrame(bytes).frame;
  });
  const result = await job({
    ranks: 2,
    modules: [module],
    spec: {
      devices: { bad: { module: "damage" } },
      chains: [{ name: "x", layers: ["bad", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      const c = rank.to(1 - rank.rank);
      const memory = new Uint8Array(256);
      const region = rank.register(memory);
      c.onPublish((remote) => {
        for (let i = 0; i < 20; i++) {
          c.put({ local: [{ region, offset: 0, length: 8 }], remote, remoteOffset: i, notify: true });
          c.get({ local: [{ region, offset: 0, length: 8 }], remote, remoteOffset: i, notify: true });
        }
      });
      for (let i = 0; i < 50; i++) {
        c.publish(region, { context: i });
        c.sendInline(new Uint8Array(i * 3));
        await rank.wait(1000);
      }
      return c.counters;
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  const { malformed, received } = result.ranks[0].value as { malformed: number; received: number };
  assert(malformed > 10 && received > 10, `${malformed} malformed, ${received} received`);
});

Deno.test("lost and repeated frames: order is kept, losses are counted and reported", async () => {
  let held: Frame | undefined;
  const module = damaging((frame, n) => {
    if (frame.type < 16) return frame;
    if (n % 7 === 3) return undefined;
    if (n % 7 === 5) held = frame;
    return n % 7 === 6 ? held : frame;
  });
  const result = await job({
    ranks: 2,
    modules: [module],
    spec: { devices: { bad: { module: "damage" } }, chains: [{ name: "x", layers: ["bad", "loopback"] }] },
    program: async (rank) => {
      await rank.mesh();
      let events = 0;
      rank.onLink((_c, e) => {
        assertEquals(e.kind, "loss");
        events++;
      });
      const got: number[] = [];
      rank.onMessage((_c, slab) => {
        got.push(slab.copy(1)[0]);
        return "done";
      });
      if (rank.rank === 0) { for (let i = 0; i < 100; i++) rank.to(1).sendInline(Uint8Array.of(i)); }
      await rank.until(() => got.length >= 1000, 1e6);
      return { got, events, ...rank.to(1 - rank.rank).counters };
    },
  }).run();
  const { got, lost, duplicate, events } = result.ranks[1].value as {
    got: number[];
    lost: number;
    duplicate: number;
    events: number;
  };
  assertEquals(got, [...new Set(got)].sort((a, b) => a - b));
  assert(lost > 10 && duplicate > 10 && events > 10, `${lost} ${duplicate} ${events}`);
  // The last lost frames may have had no successor that shows the loss.
  assert(got.length + lost >= 98, `${got.length} + ${lost}`);
});

Deno.test("the same job gives the same times and messages on every run", async () => {
  const run = async (): Promise<unknown> => {
    const order: string[] = [];
    const result = await job({
      ranks: 5,
      program: async (rank) => {
        await rank.mesh();
        const prng = new Prng(rank.rank);
        rank.onMessage((c, slab) => {
          order.push(`${rank.now} ${c.peer}->${rank.rank} ${slab.copy(1)[0]}`);
          return "done";
        });
        for (let i = 0; i < 30; i++) {
          rank.to((rank.rank + 1 + prng.below(4)) % 5).sendInline(Uint8Array.of(i));
          await rank.wait(prng.below(3000));
        }
        await rank.until(() => false, 100_000);
      },
    }).run();
    return { order, times: result.ranks.map((r) => r.time), errors: result.ranks.map((r) => r.error) };
  };
  const first = await run();
  assertEquals(await run(), first);
});

Deno.test("a long run reports how far it is, and lets the event loop go on", async () => {
  const seen: number[] = [];
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const result = await job({
    ranks: 2,
    program: async (rank) => {
      await rank.mesh();
      for (let i = 0; i < 6000; i++) {
        if (rank.rank === 0) rank.to(1).sendInline(new Uint8Array(1));
        await rank.receive();
        if (rank.rank === 1) rank.to(0).sendInline(new Uint8Array(1));
      }
    },
  }).run({
    onProgress: ({ time, live, messages }) => {
      assertEquals(live, 2);
      assert(messages > 0);
      seen.push(time);
    },
  });
  clearInterval(timer);
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  assert(seen.length > 1 && turns > 0, `${seen.length} reports, ${turns} turns`);
  assertEquals(seen, [...seen].sort((a, b) => a - b));
});

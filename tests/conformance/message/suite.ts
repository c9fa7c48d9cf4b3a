/**
 * The conformance suite of the message layer: what every network, every filter and every composite must keep. It is run
 * once for each of them; a run is a spec, and a way of running a job.
 */
import { job, type JobOptions, type JobResult } from "../../../lib/vmi/message/job.ts";
import type { Connection } from "../../../lib/vmi/message/connection.ts";
import type { RemoteBuffer } from "../../../lib/vmi/message/events.ts";
import type { MessageRank } from "../../../lib/vmi/message/rank.ts";
import type { MessageSpec } from "../../../lib/vmi/message/spec.ts";
import { MessageStatus } from "../../../lib/spec/message_abi.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";

/** What is under test. */
export interface SuiteOptions {
  /** Devices and chains. */
  readonly spec: MessageSpec | string;
  /** Runs a job; default: in this process, in virtual time. */
  readonly run?: (options: JobOptions) => Promise<JobResult>;
  /** Sizes above this are left out, for slow stacks. */
  readonly largest?: number;
}

/** Deterministic bytes. */
export function pattern(size: number, seed: number): Uint8Array {
  const out = new Uint8Array(size);
  let x = (seed + 1) * 0x9e3779b1;
  for (let i = 0; i < size; i++) {
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + 0x6b43a9b5;
    out[i] = x >>> 24;
  }
  return out;
}

const ok = MessageStatus.success;

/** A published buffer and its owner's handle on it. */
async function lend(rank: MessageRank, to: number, memory: Uint8Array, context: number): Promise<void> {
  const region = rank.register(memory);
  assertEquals(rank.to(to).publish(region, { context, peerContext: 0xfedcba9876543210n }).status, ok);
  await rank.advance(0);
}

/** The next buffer the peer publishes. */
async function borrowed(rank: MessageRank, from: number, count = 1): Promise<RemoteBuffer[]> {
  const got: RemoteBuffer[] = [];
  rank.to(from).onPublish((b) => void got.push(b));
  await rank.until(() => got.length >= count);
  return got;
}

/** Registers the whole suite under a name. */
export function messageSuite(name: string, options: SuiteOptions): void {
  const run = options.run ?? ((o: JobOptions): Promise<JobResult> => job(o).run());
  const largest = options.largest ?? 4 * 1024 * 1024;
  const test = (what: string, ranks: number, program: (rank: MessageRank) => Promise<unknown>): void => {
    Deno.test(`message over ${name}: ${what}`, async () => {
      const result = await run({ ranks, program, spec: options.spec });
      assertEquals(result.ranks.map((r) => r.error), new Array(ranks).fill(undefined));
      assertEquals(result.ranks.map((r) => r.state), new Array(ranks).fill("done"));
    });
  };
  for (const add of [messages, connections, ownership, remoteMemory, reentrancy, crossing]) add(test, largest);
}

type Test = (what: string, ranks: number, program: (rank: MessageRank) => Promise<unknown>) => void;

function messages(test: Test, largest: number): void {
  const sizes = [0, 1, 47, 48, 49, 2047, 2048, 16383, 16384, 16385, 262143, 262144, 262145, 4194304]
    .filter((n) => n <= largest);
  test("messages of boundary sizes arrive whole, gathered from 1 to 8 pieces", 2, async (rank) => {
    await rank.mesh();
    const c = rank.to(1 - rank.rank);
    for (const [i, size] of sizes.entries()) {
      const data = pattern(size, i);
      if (rank.rank === 1) {
        const { data: got, source } = await rank.receive();
        assertEquals([source, got.length], [0, size]);
        assert(got.every((b, k) => b === data[k]), `size ${size}`);
        if (i % 4 === 3) c.sendInline(Uint8Array.of(1)); // lets the sender go on
        continue;
      }
      const region = rank.register(data);
      const pieces = 1 + (i % 8);
      const list = Array.from({ length: pieces }, (_, k) => {
        const from = Math.floor((size * k) / pieces);
        return { region, offset: from, length: Math.floor((size * (k + 1)) / pieces) - from };
      });
      let done: number | undefined;
      assertEquals(c.send(list, (s: number) => done = s), ok);
      await rank.until(() => done !== undefined);
      assertEquals(done, ok);
      region.release();
      if (i % 4 === 3) await rank.receive();
    }
  });
  test("order is kept per pair under random sizes", 3, async (rank) => {
    await rank.mesh();
    const prng = new Prng(77 + rank.rank);
    const count = 60;
    const seen = [0, 0, 0];
    rank.onMessage((c, slab) => {
      const head = slab.copy(4);
      const n = head[0] | (head[1] << 8);
      assertEquals(n, seen[c.peer]++);
      const want = pattern(head[2] | (head[3] << 8), n);
      assertEquals(slab.remaining, want.length);
      assert(slab.peek().every((b, i) => b === want[i]));
      return "done";
    });
    for (let n = 0; n < count; n++) {
      for (let to = 0; to < rank.size; to++) {
        if (to === rank.rank) continue;
        const size = prng.below(4) === 0 ? prng.below(9000) : prng.below(64);
        const status = rank.to(to).sendInline(Uint8Array.of(n, n >> 8, size, size >> 8), pattern(size, n));
        assertEquals(status, ok);
      }
      if (prng.below(3) === 0) await rank.advance(prng.below(5000));
    }
    await rank.until(() => seen.every((n, r) => r === rank.rank || n === count));
  });
  test("multicast reaches every member once", 4, async (rank) => {
    await rank.mesh();
    if (rank.rank === 0) assertEquals(rank.multicast([1, 2, 3], pattern(5000, 9)), ok);
    else assertEquals((await rank.receive(0)).data, pattern(5000, 9));
  });
  test("a rank sends to itself", 1, async (rank) => {
    const c = await rank.connect(0);
    assertEquals(c.sendInline(Uint8Array.of(1, 2, 3)), ok);
    assertEquals((await rank.receive()).data, Uint8Array.of(1, 2, 3));
    assertEquals(await rank.disconnect(c), ok);
  });
}

function connections(test: Test): void {
  test("accept, reject and error reach the caller with data", 4, async (rank) => {
    if (rank.rank !== 0) {
      const answers = ["accept", "reject", "error"] as const;
      rank.onConnect((_c, data) => {
        assertEquals(data.copy(), Uint8Array.of(rank.rank, 7));
        return answers[rank.rank - 1];
      });
      await rank.wait();
      await rank.receive(0, 1e9).catch(() => {});
      return;
    }
    const want = [ok, MessageStatus.rejected, MessageStatus.badState];
    const states = ["connected", "rejected", "error"];
    for (let r = 1; r < 4; r++) {
      const { status, connection } = await rank.tryConnect(r, { data: Uint8Array.of(r, 7) });
      assertEquals([status, connection.state], [want[r - 1], states[r - 1]]);
      if (r > 1) assertEquals(connection.sendInline(new Uint8Array(1)), MessageStatus.notConnected);
    }
    rank.to(1).sendInline(Uint8Array.of(0));
  });
  test("both sides may connect at once, and again after an end", 2, async (rank) => {
    const peer = 1 - rank.rank;
    for (let turn = 0; turn < 3; turn++) {
      const c = await rank.connect(peer).catch(() => rank.to(peer));
      await rank.until(() => c.isConnected);
      assertEquals(c.sendInline(Uint8Array.of(turn)), ok);
      assertEquals((await rank.receive()).data, Uint8Array.of(turn));
      c.sendInline(Uint8Array.of(99)); // both have everything
      assertEquals((await rank.receive()).data, Uint8Array.of(99));
      if (rank.rank === 0) assertEquals(await rank.disconnect(c), ok);
      else await rank.until(() => c.state === "disconnected");
      assertEquals(c.sendInline(new Uint8Array(1)), MessageStatus.notConnected);
      // Whoever connects first again may find the other still leaving: it tries until it is taken.
      await rank.advance(1_000_000);
    }
  });
  test("messages sent at once after accepting are not lost", 2, async (rank) => {
    if (rank.rank === 0) {
      await rank.connect(1);
      for (let i = 0; i < 20; i++) assertEquals((await rank.receive()).data, Uint8Array.of(i));
    } else {
      await rank.until(() => rank.to(0).isConnected);
      for (let i = 0; i < 20; i++) rank.to(0).sendInline(Uint8Array.of(i));
    }
  });
  for (const ranks of [1, 2, 3, 16]) {
    test(`full mesh of ${ranks} comes up and goes down`, ranks, async (rank) => {
      await rank.mesh();
      const peers = rank.runtime.connections.filter((c) => c.isConnected).map((c) => c.peer);
      assertEquals(peers, Array.from({ length: ranks }, (_, i) => i).filter((r) => r !== rank.rank));
      await rank.terminate();
      assertEquals(rank.runtime.connections.filter((c) => c.isConnected).length, 0);
    });
  }
}

function ownership(test: Test): void {
  test("a source may be overwritten after inline send and after completion", 2, async (rank) => {
    await rank.mesh();
    const c = rank.to(1 - rank.rank);
    if (rank.rank === 1) {
      for (let i = 0; i < 2; i++) assertEquals((await rank.receive()).data, pattern(3000, i));
      return;
    }
    const source = pattern(3000, 0);
    c.sendInline(source);
    source.fill(0xee);
    source.set(pattern(3000, 1));
    let done = false;
    const region = rank.register(source);
    c.send([{ region, offset: 0, length: 3000 }], () => done = true);
    await rank.until(() => done);
    source.fill(0xee);
  });
  test("slabs: save, partial copy, restore, keep and late read", 2, async (rank) => {
    await rank.mesh();
    if (rank.rank === 0) {
      for (let i = 0; i < 3; i++) rank.to(1).sendInline(pattern(100, i));
      return;
    }
    const kept: { copy(n?: number): Uint8Array; readonly remaining: number }[] = [];
    rank.onMessage((_c, slab) => {
      const at = slab.save();
      assertEquals(slab.remaining, 100);
      const first = slab.copy(10);
      assertEquals(slab.remaining, 90);
      slab.restore(at);
      assertEquals(slab.copy(10), first);
      assertThrows(() => slab.copy(91), Error, "90 bytes left");
      slab.restore(at);
      kept.push(slab);
      return kept.length === 2 ? "done" : "keep";
    });
    await rank.until(() => kept.length === 3);
    assertEquals(kept[0].copy(), pattern(100, 0));
    assertThrows(() => kept[1].copy(), Error, "given back");
    assertEquals(kept[2].copy(), pattern(100, 2));
  });
  test("registration is cached and counted", 1, (rank) => {
    const memory = new Uint8Array(64);
    const a = rank.register(memory);
    const b = rank.register(memory);
    assert(a === b);
    a.release();
    b.release();
    assertThrows(() => b.release(), Error, "more often");
    rank.register(memory).release();
    const { hits, misses, live } = rank.runtime.cache.stats;
    assertEquals([hits, misses, live], [2, 1, 0]);
    return Promise.resolve();
  });
}

function remoteMemory(test: Test, largest: number): void {
  test("put with notify: data first, then the initiator, then the target", 2, async (rank) => {
    await rank.mesh();
    const size = Math.min(largest, 300_000);
    if (rank.rank === 1) {
      const memory = new Uint8Array(size + 20);
      const seen: unknown[] = [];
      rank.to(0).onPut((n, context, status) => {
        seen.push([n, context, status]);
        assertEquals(memory.subarray(10, 10 + size), pattern(size, 5));
      });
      await lend(rank, 0, memory, 0xffffffff);
      await rank.until(() => seen.length > 0);
      assertEquals(seen, [[size, 0xffffffff, ok]]);
      assertEquals([memory[9], memory[10 + size]], [0, 0]);
      return;
    }
    const [remote] = await borrowed(rank, 1);
    assertEquals([remote.size, remote.peerContext], [size + 20, 0xfedcba9876543210n]);
    const region = rank.register(pattern(size, 5));
    const local = [
      { region, offset: 0, length: 1000 },
      { region, offset: 1000, length: size - 1000 },
    ];
    let done: number | undefined;
    assertEquals(rank.to(1).put({ local, remote, remoteOffset: 10, notify: true }, (s: number) => done = s), ok);
    await rank.until(() => done !== undefined);
    assertEquals(done, ok);
  });
  test("put without notify is seen by a sentinel behind the data", 2, async (rank) => {
    await rank.mesh();
    if (rank.rank === 1) {
      const memory = new Uint8Array(1001);
      await lend(rank, 0, memory, 0);
      while (memory[1000] === 0) await rank.advance(1000);
      assertEquals(memory.subarray(0, 1000), pattern(1000, 3));
      return;
    }
    const [remote] = await borrowed(rank, 1);
    const source = new Uint8Array(1001);
    source.set(pattern(1000, 3));
    source[1000] = 1;
    const region = rank.register(source);
    assertEquals(rank.to(1).put({ local: [{ region, offset: 0, length: 1001 }], remote, remoteOffset: 0 }), ok);
    await rank.advance(0);
  });
  test("get: the initiator has the data, then the target hears of it", 2, async (rank) => {
    await rank.mesh();
    const size = Math.min(largest, 200_001);
    if (rank.rank === 1) {
      const seen: unknown[] = [];
      rank.to(0).onGet((context, status) => void seen.push([context, status]));
      await lend(rank, 0, pattern(size, 8), 0);
      await rank.until(() => seen.length > 0);
      assertEquals(seen, [[0, ok]]);
      return;
    }
    const [remote] = await borrowed(rank, 1);
    const into = new Uint8Array(size);
    const region = rank.register(into);
    const local = [{ region, offset: 100, length: size - 100 }, { region, offset: 0, length: 100 }];
    let done: number | undefined;
    rank.to(1).get({ local, remote, remoteOffset: 0, notify: true }, (s: number) => done = s);
    await rank.until(() => done !== undefined);
    assertEquals(done, ok);
    const want = pattern(size, 8);
    assertEquals(into.subarray(100), want.subarray(0, size - 100));
    assertEquals(into.subarray(0, 100), want.subarray(size - 100));
  });
  test("access outside a buffer, after unpublish and by another's handle is refused", 2, async (rank) => {
    await rank.mesh();
    const c = rank.to(1 - rank.rank);
    const memory = pattern(64, 1);
    if (rank.rank === 1) {
      const region = rank.register(memory);
      const one = c.publish(region, { context: 1 });
      const two = c.publish(region, { context: 2, data: Uint8Array.of(9) });
      assertEquals([one.status, two.status], [ok, ok]);
      await rank.receive();
      assertEquals(memory, pattern(64, 1)); // nothing was changed by the refused operations
      assertEquals(one.unpublish(), ok);
      assertEquals(one.unpublish(), MessageStatus.invalidHandle);
      c.sendInline(Uint8Array.of(1));
      await rank.receive();
      assertEquals(memory[0], 0xaa);
      return;
    }
    const [first, second] = await borrowed(rank, 1, 2);
    const region = rank.register(new Uint8Array(65).fill(0xaa));
    const put = (remote: RemoteBuffer, remoteOffset: number, length: number): number =>
      c.put({ local: [{ region, offset: 0, length }], remote, remoteOffset });
    assertEquals(put(first, 0, 65), MessageStatus.access);
    assertEquals(put(first, 60, 5), MessageStatus.access);
    assertEquals(put(first, -1, 1), MessageStatus.access);
    assertEquals(put({ ...first, connection: {} as Connection }, 0, 1), MessageStatus.invalidHandle);
    // A handle whose generation is wrong passes here and is refused there.
    let refused: number | undefined;
    const forged = { ...first, isLive: true, generation: first.generation + 1 };
    c.put({ local: [{ region, offset: 0, length: 1 }], remote: forged, remoteOffset: 0 }, (s: number) => refused = s);
    await rank.until(() => refused !== undefined);
    assertEquals(refused, MessageStatus.access);
    refused = undefined;
    c.get({ local: [{ region, offset: 0, length: 1 }], remote: forged, remoteOffset: 0 }, (s: number) => refused = s);
    await rank.until(() => refused !== undefined);
    assertEquals(refused, MessageStatus.access);
    c.sendInline(Uint8Array.of(1));
    await rank.receive();
    assertEquals(put(first, 0, 1), MessageStatus.access);
    assertEquals(put(second, 0, 1), ok); // the second publication of the same memory lives on
    c.sendInline(Uint8Array.of(2));
    await rank.advance(0);
  });
}

function reentrancy(test: Test): void {
  test("each of the five handlers may start operations, and may not wait", 2, async (rank) => {
    const peer = 1 - rank.rank;
    const c = rank.to(peer);
    const ran = new Set<string>();
    const memory = new Uint8Array(16);
    const region = rank.register(memory);
    const reenter = (who: string): void => {
      ran.add(who);
      assertEquals(rank.poll(), MessageStatus.badState, who);
      if (c.isConnected) assertEquals(c.sendInline(Uint8Array.of(ran.size)), ok);
    };
    rank.onConnect(() => {
      reenter("connect");
      return "accept";
    });
    rank.onMessage(() => {
      ran.add("message");
      assertEquals(rank.poll(), MessageStatus.badState);
      return "done";
    });
    c.onPublish((remote) => {
      reenter("publish");
      const local = [{ region, offset: 0, length: 8 }];
      const more = (): void => {
        reenter("done");
        c.get({ local, remote, remoteOffset: 8, notify: true });
      };
      assertEquals(c.put({ local, remote, remoteOffset: 0, notify: true }, more), ok);
    });
    c.onPut(() => reenter("put"));
    c.onGet(() => reenter("get"));
    await rank.mesh();
    c.publish(region, { context: 1 });
    const want = rank.rank === 0 ? 6 : 5; // only rank 0 is asked to connect
    await rank.until(() => ran.size >= want);
    await rank.advance(1_000_000);
  });
}

function crossing(test: Test, largest: number): void {
  const size = Math.min(largest, 700_000);
  const chunk = 262144;
  test("rendezvous by get and by pipelined puts give the same bytes, both ways at once", 2, async (rank) => {
    await rank.mesh();
    const c = rank.to(1 - rank.rank);
    const source = pattern(size, 40 + rank.rank);
    const want = pattern(size, 41 - rank.rank);
    const [byGet, byPut] = [new Uint8Array(size), new Uint8Array(size)];
    const into = rank.register(byGet);
    const from = rank.register(source);
    let [got, done, arrived] = [false, 0, 0];
    const chunks = Math.ceil(size / chunk);
    const publishChunk = (n: number): void => {
      const view = byPut.subarray(n * chunk, Math.min(size, (n + 1) * chunk));
      c.publish(rank.register(view), { context: n, peerContext: BigInt(n + 1) });
    };
    c.onPublish((remote) => {
      if (remote.peerContext === 0n) {
        c.get({ local: [{ region: into, offset: 0, length: size }], remote, remoteOffset: 0 }, () => got = true);
        return;
      }
      const n = Number(remote.peerContext) - 1;
      const local = [{ region: from, offset: n * chunk, length: remote.size }];
      c.put({ local, remote, remoteOffset: 0, notify: true }, () => done++);
    });
    c.onPut(() => {
      arrived++;
      if (arrived + 2 < chunks) publishChunk(arrived + 2);
    });
    c.publish(from, { context: 99 });
    for (let n = 0; n < Math.min(3, chunks); n++) publishChunk(n);
    await rank.until(() => got && done === chunks && arrived === chunks);
    assert(byGet.every((b, i) => b === want[i]));
    assert(byPut.every((b, i) => b === want[i]));
    // The peer may still be reading from us.
    c.sendInline(Uint8Array.of(1));
    await rank.receive();
  });
}

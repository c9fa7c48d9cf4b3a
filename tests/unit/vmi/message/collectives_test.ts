/** Collectives against plain loops, on many numbers of ranks, sizes and roots. */
import { job } from "../../../../lib/vmi/message/job.ts";
import type { MessageRank } from "../../../../lib/vmi/message/rank.ts";
import {
  allgather,
  allreduce,
  alltoall,
  barrier,
  broadcast,
  broadcastTree,
  centralBarrier,
  gather,
} from "../../../../lib/vmi/message/collectives/algorithms.ts";
import { Group } from "../../../../lib/vmi/message/collectives/group.ts";
import { combiner, isReducible } from "../../../../lib/vmi/message/collectives/reduction.ts";
import { AHEAD, Mailbox, type Steps } from "../../../../lib/vmi/message/mailbox.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { WAITING_FRAME } from "../../../../lib/vmi/message/frame.ts";
import { MessageStatus, REDUCE_OPS, REDUCE_TYPES } from "../../../../lib/spec/message_abi.ts";
import { pattern } from "../../../conformance/message/suite.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../../../scripts/deps/std.ts";

async function run(
  ranks: number,
  program: (rank: MessageRank) => Promise<unknown>,
  clusters?: number[],
): Promise<unknown[]> {
  const all = async (rank: MessageRank): Promise<unknown> => {
    await rank.mesh();
    return await program(rank);
  };
  const result = await job({ ranks, program: all, ...(clusters === undefined ? {} : { clusters }) }).run();
  assertEquals(result.ranks.map((r) => [r.state, r.error]), new Array(ranks).fill(["done", undefined]));
  return result.ranks.map((r) => r.value);
}

const RANKS = [1, 2, 3, 4, 5, 8, 9, 16];
const of = (rank: number, size: number): Uint8Array => pattern(size, rank);

/** Clusters of several shapes for a number of ranks. */
function shapes(ranks: number): (number[] | undefined)[] {
  if (ranks < 3) return [undefined];
  return [
    undefined,
    Array.from({ length: ranks }, (_, i) => i % 2),
    Array.from({ length: ranks }, (_, i) => i < 2 ? 7 : 3),
  ];
}

for (const ranks of RANKS) {
  Deno.test(`collectives of ${ranks} ranks give what plain loops give`, async () => {
    for (const clusters of shapes(ranks)) {
      await run(ranks, async (rank) => {
        const me = rank.rank;
        const everyone = Array.from({ length: ranks }, (_, i) => i);
        for (const size of [0, 1, 1000, 20_000, 70_000]) {
          for (const root of new Set([0, ranks - 1, ranks >> 1])) {
            const got = await rank.all.broadcast(root, me === root ? of(root, size) : new Uint8Array(3));
            assertEquals(got, of(root, size));
            const gathered = await rank.all.gather(root, of(me, size));
            assertEquals(gathered, me === root ? everyone.map((r) => of(r, size)) : []);
            const part = await rank.all.scatter(root, me === root ? everyone.map((r) => of(r + 100, size)) : []);
            assertEquals(part, of(me + 100, size));
          }
          assertEquals(await rank.all.allgather(of(me, size)), everyone.map((r) => of(r, size)));
          const parts = everyone.map((to) => of(me * 100 + to, size === 0 ? 0 : size + to));
          const want = everyone.map((from) => of(from * 100 + me, size === 0 ? 0 : size + me));
          assertEquals(await rank.all.alltoall(parts), want);
        }
        const even = everyone.map((to) => of(me * 100 + to, 64));
        const small = await rank.collective(rank.all.steps.alltoall(even, true));
        assertEquals(small, everyone.map((from) => of(from * 100 + me, 64)));
        for (const length of [1, 3, 600, 5000]) {
          const mine = Int32Array.from({ length }, (_, i) => Math.imul(i + 1, me + 0x10000001));
          const sum = new Int32Array(length);
          for (const r of everyone) for (let i = 0; i < length; i++) sum[i] += Math.imul(i + 1, r + 0x10000001);
          assertEquals(await rank.all.allreduce(mine), sum);
          assertEquals(await rank.all.reduce(ranks - 1, mine), me === ranks - 1 ? sum : new Int32Array(0));
          const most = await rank.all.allreduce(Float64Array.of(me, -me), "max");
          assertEquals(most, Float64Array.of(ranks - 1, 0));
        }
        await rank.all.barrier();
      }, clusters);
    }
  });
}

Deno.test("no rank leaves a barrier before the last has come", async () => {
  for (const clusters of [undefined, [0, 0, 1, 1, 1, 2, 2]]) {
    const times = await run(7, async (rank) => {
      await rank.advance(1e7 + 1e5 * ((rank.rank * 3) % 7) - rank.now);
      const came = rank.now;
      await rank.all.barrier();
      return [came, rank.now];
    }, clusters) as [number, number][];
    const last = Math.max(...times.map(([came]) => came));
    for (const [, left] of times) assert(left >= last);
  }
});

Deno.test("central barrier and 4-ary tree work as variants", async () => {
  await run(11, async (rank) => {
    const everyone = Array.from({ length: 11 }, (_, i) => i);
    const group = (n: number): Group => new Group(rank.runtime.mailbox, everyone, rank.rank, 1e9 + n * 65536);
    await rank.collective(centralBarrier(group(0)));
    const data = rank.rank === 6 ? of(6, 500) : new Uint8Array(0);
    assertEquals(await rank.collective(broadcastTree(group(1), 6, data)), of(6, 500));
  });
});

Deno.test("floating-point sums repeat exactly and are alike at all ranks", async () => {
  const go = (): Promise<unknown[]> =>
    run(
      6,
      async (rank) => [
        ...await rank.all.allreduce(Float64Array.from({ length: 400 }, (_, i) => 1 / (i + rank.rank + 1))),
      ],
    );
  const first = await go();
  for (const r of first) assertEquals(r, first[0]);
  assertEquals(await go(), first);
});

Deno.test("combiner() wraps integers and covers every operation and type", () => {
  for (const type of REDUCE_TYPES) {
    for (const op of REDUCE_OPS) {
      if (!isReducible(op, type)) continue;
      const a = new Uint8Array(16).fill(0xff);
      combiner(op, type)(a, new Uint8Array(16).fill(op === "min" ? 1 : 0));
      assert(a.length === 16);
    }
  }
  const bytes = (v: ArrayBufferView): Uint8Array => new Uint8Array(v.buffer, 0, v.byteLength);
  const i32 = Int32Array.of(0x7fffffff, 5, -2);
  combiner("sum", "i32")(bytes(i32), bytes(Int32Array.of(1, -7, 2)));
  assertEquals(i32, Int32Array.of(-0x80000000, -2, 0));
  const product = Uint32Array.of(0x12345679);
  combiner("product", "u32")(bytes(product), bytes(Uint32Array.of(0x9abcdef1)));
  assertEquals(product[0], Number((0x12345679n * 0x9abcdef1n) & 0xffffffffn));
  const u64 = BigUint64Array.of(2n ** 64n - 1n, 3n);
  combiner("sum", "u64")(bytes(u64), bytes(BigUint64Array.of(2n, 4n)));
  assertEquals(u64, BigUint64Array.of(1n, 7n));
  const xor = Int32Array.of(0b1100);
  combiner("xor", "i32")(bytes(xor), bytes(Int32Array.of(0b1010)));
  assertEquals(xor[0], 0b0110);
});

Deno.test("what waits to be received stops no collective operation, up to the job's limit", async () => {
  const go = async (count: number, maxQueued: number): Promise<unknown[]> => {
    const result = await job({
      ranks: 3,
      limits: { maxQueued },
      program: async (rank) => {
        await rank.mesh();
        const seen: number[] = [];
        for (let turn = 0; turn < 2; turn++) {
          if (rank.rank === 0) { for (let i = 0; i < count; i++) rank.to(1).sendInline(Uint8Array.of(i)); }
          const [sum] = await rank.all.allreduce(Int32Array.of(1));
          assertEquals(sum, 3);
          if (rank.rank === 1) { for (let i = 0; i < count; i++) seen.push((await rank.receive(0)).data[0]); }
        }
        const want = Array.from({ length: 2 * count }, (_, i) => (i % count) & 255);
        if (rank.rank === 1) assertEquals(seen, want);
      },
    }).run({ untilNs: 1e9 });
    return result.ranks.map((r) => r.error ?? r.state);
  };
  assertEquals(await go(500, 1 << 20), ["done", "done", "done"]);
  assertEquals((await go(500, 1 << 18)).includes("blocked"), true); // held back: memory is bounded
});

/** Most that waits in the mailbox of a rank whose peers are as far ahead as they may be. */
const WAITS = { messages: AHEAD.messages, bytes: AHEAD.bytes + (3 << 20) };

for (const [ranks, size, count] of [[2, 0, 300], [3, 100, 300], [9, 5000, 400], [4, 40_000, 200], [8, 1 << 20, 12]]) {
  Deno.test(`a root that broadcasts ${count} times ${size} bytes to ${ranks - 1} ranks that sleep waits for them`, async () => {
    const wake = 1e9;
    await run(ranks, async (rank) => {
      if (rank.rank !== 0) {
        await rank.advance(wake);
        const { messages, bytes } = rank.runtime.mailbox.waiting;
        assert(messages <= WAITS.messages && bytes <= WAITS.bytes, `${messages} messages of ${bytes} bytes wait`);
        assert(rank.rank > 1 || messages > 0, "nothing waits");
      }
      let early = 0;
      for (let i = 0; i < count; i++) {
        const got = await rank.all.broadcast(0, rank.rank === 0 ? of(i, size) : undefined);
        const want = size <= 5000 ? of(i, size) : of(i, 1);
        assertEquals(got.length, size);
        assert(want.every((b, k) => b === got[k]), `broadcast ${i}`);
        if (rank.now < wake) early++;
      }
      assert(early < count, `${early} of ${count} before anybody took one`);
    });
  });
}

Deno.test("leaves of a reduction wait for a root that sleeps; a member that goes ends what waits for room", async () => {
  await run(2, async (rank) => {
    if (rank.rank === 0) {
      await rank.advance(1e9);
      assert(rank.runtime.mailbox.waiting.messages <= AHEAD.messages);
    }
    for (let i = 0; i < 200; i++) {
      const sum = await rank.all.reduce(0, Int32Array.of(rank.rank + i));
      if (rank.rank === 0) assertEquals(sum, Int32Array.of(1 + 2 * i));
    }
  });
  const result = await job({
    ranks: 2,
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 1) {
        await rank.advance(1e6);
        return await rank.disconnect(rank.to(0));
      }
      for (let i = 0;; i++) await rank.all.broadcast(0, of(i, 1000));
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.state), ["failed", "done"]);
  assertStringIncludes(String(result.ranks[0].error), "failed: peerGone");
});

Deno.test("a root that waits for room hears of it from a rank whose queue was full for a while", async () => {
  const message = new Uint8Array(1), waiting = 20;
  const result = await job({
    ranks: 2,
    spec: { devices: {}, chains: [{ name: "c", layers: ["credit", "loopback"] }] },
    limits: { maxQueued: waiting * (WAITING_FRAME + message.length) + 1 },
    program: async (rank) => {
      let got = 0, sent = 0;
      rank.onMessage(() => {
        got++;
        return "done";
      });
      await rank.mesh();
      if (rank.rank === 1) {
        await rank.advance(5e6); // as many broadcasts wait as may
        while (rank.to(0).sendInline(message) === MessageStatus.success) sent++;
      }
      for (let i = 0; i < 3 * AHEAD.messages; i++) {
        assertEquals(await rank.all.broadcast(0, of(i, 100)), of(i, 100));
      }
      return [sent, got];
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.state), ["done", "done"]);
  assertEquals(result.ranks[0].value, [0, 64 + waiting]);
  assertEquals(result.ranks[1].value, [64 + waiting, 0]);
});

Deno.test("collectives end however little a sender may be ahead, and however messages are late", () => {
  const prng = new Prng(77);
  for (let round = 0; round < 24; round++) {
    const size = 1 + prng.below(12);
    const ahead = prng.pick([{ messages: 1, bytes: 1 << 20 }, { messages: 64, bytes: 1 }, { messages: 2, bytes: 300 }]);
    const wires = new Map<string, (() => void)[]>();
    const boxes: Mailbox[] = Array.from({ length: size }, (_, me) =>
      new Mailbox((to, tag, data) => {
        const key = `${me}>${to}`;
        const wire = wires.get(key) ?? [];
        wires.set(key, wire);
        wire.push(() => boxes[to].arrived(me, tag, data.slice()));
        return 0;
      }, ahead));
    const ranks = Array.from({ length: size }, (_, i) => i);
    const plan = Array.from({ length: 12 }, () => [prng.below(6), prng.below(size), prng.pick([3, 200, 3000, 20_000])]);
    const or = (a: Uint8Array, b: Uint8Array): void => b.forEach((x, i) => a[i] |= x);
    const ended = new Array(size).fill(0);
    const begin = (me: number): void => {
      const [kind, root, bytes] = plan[ended[me]];
      const g = new Group(boxes[me], ranks, me, (ended[me] + 1) * 65536);
      const data = of(me, bytes);
      const parts = (): Uint8Array[] => ranks.map((r) => of(me * 16 + r, bytes));
      const steps = [
        () => barrier(g),
        () => broadcast(g, root, data),
        () => allreduce(g, data, or, 1),
        () => gather(g, root, data),
        () => allgather(g, data),
        () => alltoall(g, parts(), bytes < 100),
      ][kind]() as Steps<unknown>;
      boxes[me].run(steps, (status, result) => {
        assertEquals(status, 0);
        const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);
        if (kind === 1) assert(same(result as Uint8Array, of(root, bytes)));
        if (kind === 4) (result as Uint8Array[]).forEach((p, r) => assert(same(p, of(r, bytes))));
        if (kind === 5) (result as Uint8Array[]).forEach((p, r) => assert(same(p, of(r * 16 + me, bytes))));
        ended[me]++;
      });
    };
    // Ranks begin their next operation, and wires deliver their next message, in any order.
    const begun = new Array(size).fill(0);
    while (true) {
      const can = ranks.filter((r) => begun[r] === ended[r] && begun[r] < plan.length);
      const full = [...wires.values()].filter((w) => w.length > 0);
      if (can.length + full.length === 0) break;
      const n = prng.below(can.length + full.length);
      if (n < can.length) {
        begun[can[n]]++;
        begin(can[n]);
      } else full[n - can.length].shift()?.();
    }
    assertEquals(ended, new Array(size).fill(plan.length), `round ${round}: ${JSON.stringify(ahead)}`);
  }
});

Deno.test("wrong use of collectives is refused", async () => {
  await run(2, async (rank) => {
    await assertRejects(async () => await rank.all.broadcast(2), ConfigError, "no rank 2");
    await assertRejects(async () => await rank.all.alltoall([]), ConfigError, "a part for each of 2");
    await assertRejects(
      async () => await rank.all.allreduce(Float64Array.of(1), "and"),
      ConfigError,
      "not defined for f64",
    );
  });
});

Deno.test("a collective ends with an error when a member is gone", async () => {
  const result = await job({
    ranks: 2,
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 1) return await rank.disconnect(rank.to(0));
      await rank.all.barrier();
    },
  }).run();
  assert(result.ranks[0].error?.includes("failed: peerGone"), result.ranks[0].error);
});

/** Collectives against plain loops, on many numbers of ranks, sizes and roots. */
import { job } from "../../../../lib/vmi/message/job.ts";
import type { MessageRank } from "../../../../lib/vmi/message/rank.ts";
import { broadcastTree, centralBarrier } from "../../../../lib/vmi/message/collectives/algorithms.ts";
import { Group } from "../../../../lib/vmi/message/collectives/group.ts";
import { combiner, isReducible } from "../../../../lib/vmi/message/collectives/reduction.ts";
import { REDUCE_OPS, REDUCE_TYPES } from "../../../../lib/spec/message_abi.ts";
import { pattern } from "../../../conformance/message/suite.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { assert, assertEquals, assertRejects } from "../../../../scripts/deps/std.ts";

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

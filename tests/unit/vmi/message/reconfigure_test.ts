/** Filters added and removed on a live connection; management requests. */
import { job } from "../../../../lib/vmi/message/job.ts";
import type { MessageRank } from "../../../../lib/vmi/message/rank.ts";
import type { ChainChange } from "../../../../lib/vmi/message/reconfigure.ts";
import { MessageStatus } from "../../../../lib/spec/message_abi.ts";
import { assert, assertEquals } from "../../../../scripts/deps/std.ts";

async function change(rank: MessageRank, what: ChainChange): Promise<{ status: number; data: unknown }> {
  let result: { status: number; data: unknown } | undefined;
  const token = (status: number, data?: Uint8Array): void => {
    result = { status, data: data === undefined ? undefined : JSON.parse(new TextDecoder().decode(data)) };
  };
  const status = rank.to(1 - rank.rank).change(what, token);
  if (status !== MessageStatus.success) return { status, data: undefined };
  await rank.until(() => result !== undefined);
  return result ?? { status: MessageStatus.internal, data: undefined };
}

Deno.test("filters come and go on a loaded connection, and no frame is lost", async () => {
  const result = await job({
    ranks: 2,
    spec: {
      devices: {
        slow: { module: "builtin:delay", parameters: { latencyUs: 40 } },
        credit: { module: "builtin:credit" },
      },
      chains: [{ name: "c", layers: ["credit", "slow", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      const c = rank.to(1 - rank.rank);
      let received = 0;
      rank.onMessage((_c, slab) => {
        const n = slab.copy(2);
        assertEquals(n[0] | (n[1] << 8), received++);
        return "done";
      });
      let sent = 0;
      const load = async (n: number): Promise<void> => {
        for (let i = 0; i < n; i++, sent++) {
          assertEquals(c.sendInline(Uint8Array.of(sent, sent >> 8), new Uint8Array(sent % 700)), MessageStatus.success);
          await rank.wait(3000);
        }
      };
      const names: string[] = [];
      await load(50);
      if (rank.rank === 0) {
        const steps: ChainChange[] = [
          { kind: "insert", device: "sum", module: "builtin:checksum", position: 1 },
          { kind: "insert", device: "zip", module: "builtin:compress", parameters: { minimum: 10 }, position: 0 },
          { kind: "remove", device: "sum" },
          { kind: "insert", device: "key", module: "builtin:encrypt", position: 99 },
          { kind: "remove", device: "zip" },
        ];
        for (const step of steps) {
          assertEquals((await change(rank, step)).status, MessageStatus.success);
          names.push(c.chain?.names.join(" ") ?? "");
          await load(20);
        }
      } else await load(100);
      await load(50);
      await rank.until(() => received === 200, 1e9);
      return { names, received, sent, counters: c.counters, chain: c.chain?.names };
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  const [a, b] = result.ranks.map((r) =>
    r.value as { names: string[]; received: number; sent: number; counters: { lost: number }; chain: string[] }
  );
  assertEquals([a.received, a.sent, b.received, b.sent], [200, 200, 200, 200]);
  assertEquals([a.counters.lost, b.counters.lost], [0, 0]);
  assertEquals(a.names, [
    "credit sum slow loopback",
    "zip credit sum slow loopback",
    "zip credit slow loopback",
    "zip credit slow key loopback",
    "credit slow key loopback",
  ]);
  assertEquals(b.chain, a.chain);
});

Deno.test("impossible changes are refused and change nothing", async () => {
  const result = await job({
    ranks: 2,
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 1) return await rank.until(() => false, 1e6);
      const tries: ChainChange[] = [
        { kind: "insert", device: "x" },
        { kind: "insert", device: "x", module: "builtin:nothing" },
        { kind: "insert", device: "x", module: "builtin:loopback" },
        { kind: "insert", device: "x", module: "builtin:delay" },
        { kind: "insert", device: "x", module: "builtin:delay", parameters: { latencyUs: -1 } },
        { kind: "remove", device: "net" },
        { kind: "remove", device: "x" },
        { kind: "set", device: "credit", name: "frames", value: 3 },
        { kind: "query", device: "x" },
      ];
      for (const t of tries) {
        assertEquals((await change(rank, t)).status, MessageStatus.invalidArgument, JSON.stringify(t));
      }
      assertEquals(rank.to(1).chain?.names, ["credit", "net"]);
      const { status, data } = await change(rank, { kind: "query", device: "net" });
      assertEquals(status, MessageStatus.success);
      assert((data as { received: number }).received > 0);
    },
  }).run();
  assertEquals(result.ranks[0].error, undefined);
});

Deno.test("when both ends change at once the lower rank's change takes place", async () => {
  const result = await job({
    ranks: 2,
    program: async (rank) => {
      await rank.mesh();
      await rank.advance(1e6 - rank.now);
      const device = `from${rank.rank}`;
      const { status } = await change(rank, { kind: "insert", device, module: "builtin:checksum" });
      for (let i = 0; i < 10; i++) rank.to(1 - rank.rank).sendInline(Uint8Array.of(i));
      for (let i = 0; i < 10; i++) assertEquals((await rank.receive()).data, Uint8Array.of(i));
      await rank.advance(1e6);
      return [status, rank.to(1 - rank.rank).chain?.names];
    },
  }).run();
  const names = ["from0", "credit", "net"];
  assertEquals(result.ranks.map((r) => r.value), [[MessageStatus.success, names], [MessageStatus.badState, names]]);
});

Deno.test("a parameter set at one end holds at both", async () => {
  const result = await job({
    ranks: 2,
    spec: {
      devices: { slow: { module: "builtin:delay", parameters: { latencyUs: 1 } } },
      chains: [{ name: "c", layers: ["slow", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 0) {
        const set: ChainChange = { kind: "set", device: "slow", name: "latencyUs", value: 500 };
        assertEquals((await change(rank, set)).status, MessageStatus.success);
        const start = rank.now;
        rank.to(1).sendInline(new Uint8Array(1));
        await rank.receive();
        return rank.now - start;
      }
      await rank.receive();
      rank.to(0).sendInline(new Uint8Array(1));
      await rank.advance(1e7);
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
  assertEquals(result.ranks[0].value, 1_002_000);
});

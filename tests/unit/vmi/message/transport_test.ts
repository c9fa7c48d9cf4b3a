/** Jobs over transports that misbehave: garbage records, processes that leave, big meshes. */
import { job, type JobOptions } from "../../../../lib/vmi/message/job.ts";
import type { MessageRank } from "../../../../lib/vmi/message/rank.ts";
import { MessageStatus } from "../../../../lib/spec/message_abi.ts";
import { hostClock } from "../../../../lib/host/message/clock.ts";
import { ring } from "../../../../lib/vmi/message/programs/classic.ts";
import type { Transport } from "../../../../lib/vmi/message/transport.ts";
import { frameRecord, resultRecord, syncRecord } from "../../../../lib/vmi/message/transport.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { ringEnds, tcpEnds } from "../../../conformance/message/split.ts";
import { assert, assertEquals, assertRejects } from "../../../../scripts/deps/std.ts";

const OPTIONS: JobOptions = {
  ranks: 4,
  program: ring(20),
  spec: { chains: [{ name: "c", layers: ["credit", "worker"] }] },
};

/** A transport whose peer now and then hears garbage. */
function noisy(base: Transport, prng: Prng): Transport {
  const garbage = (): Uint8Array => {
    const frame = {
      ...{
        type: prng.below(60),
        flags: prng.below(256),
        chain: prng.below(4),
        source: prng.below(6),
        destination: prng.below(6),
      },
      ...{
        sequence: prng.below(100),
        sentAt: 0,
        epoch: prng.below(3),
        extensions: [],
        payload: prng.bytes(prng.below(50)),
      },
    };
    const frames = frameRecord({ device: prng.below(4), arrival: 1e12, order: prng.below(9), frame });
    return prng.pick([
      prng.bytes(prng.below(90)),
      new Uint8Array(0),
      resultRecord("[{]"),
      resultRecord('[{"rank":0}]'),
      resultRecord("7"),
      frames,
    ]);
  };
  return {
    ...base,
    get queued(): number {
      return base.queued;
    },
    broken: undefined,
    send: (to, record): void => {
      // Garbage that happens to be a valid record of a kind would be believed: it is authenticated traffic.
      if (prng.below(3) === 0) {
        const bytes = garbage();
        if (bytes[0] !== 2) base.send(to, bytes);
      }
      base.send(to, record);
    },
    poll: (deliver) => base.poll(deliver),
    sleep: (ms) => base.sleep(ms),
    close: () => base.close(),
  };
}

Deno.test("records of garbage between processes are counted and change nothing", async () => {
  const want = await job({ ...OPTIONS, spec: { chains: [{ name: "c", layers: ["credit", "loopback"] }] } }).run();
  for (let seed = 0; seed < 5; seed++) {
    const ends = ringEnds(2);
    const jobs = ends.map((t, i) => job({ ...OPTIONS, transport: noisy(t, new Prng(10 * seed + i)) }));
    const results = await Promise.all(jobs.map((j) => j.run()));
    assertEquals(JSON.stringify(results[0].ranks), JSON.stringify(want.ranks));
    assert(jobs.every((j) => j.malformedRecords > 10));
  }
});

Deno.test("a process that leaves in the middle ends the job with a clear error", async () => {
  const [a, b] = await tcpEnds(2);
  const spec = { chains: [{ name: "c", layers: ["credit", "tcp"] }] };
  const running = job({ ...OPTIONS, spec, program: ring(1_000_000), transport: a }).run();
  const other = job({ ...OPTIONS, spec, program: ring(1_000_000), transport: b }).run();
  const ended = assertRejects(() => running, ConfigError, "The connection to process 1 was lost");
  const gone = assertRejects(() => other, ConfigError, "lost");
  await new Promise((resolve) => setTimeout(resolve, 100));
  await b.close();
  await Promise.all([ended, gone]);
  await a.close();
});

Deno.test("processes that run different jobs notice", async () => {
  const [a, b] = ringEnds(2);
  b.send(0, syncRecord({ round: 99, next: 0, live: 1, ended: 0 }));
  await assertRejects(() => job({ ...OPTIONS, transport: a }).run(), ConfigError, "do all run the same job");
});

Deno.test("a process that stops reading stops its senders, with or without credit; nothing is lost", async () => {
  for (const layers of [["worker"], ["credit", "worker"]]) {
    const ends = ringEnds(2, 8192);
    const [reads, stalls] = ends;
    let isStalled = false;
    // A process that hangs: what was sent to it stays in the ring and behind it.
    const hung: Transport = {
      medium: stalls.medium,
      process: 1,
      processes: 2,
      send: (to, record) => stalls.send(to, record),
      poll: (deliver) => isStalled ? 0 : stalls.poll(deliver),
      sleep: (ms) => stalls.sleep(ms),
      get queued(): number {
        return stalls.queued;
      },
      broken: undefined,
      close: () => stalls.close(),
    };
    const limit = 1_000_000;
    const program = async (rank: MessageRank): Promise<unknown> => {
      await rank.mesh();
      const c = rank.to(1 - rank.rank);
      if (rank.rank === 1) {
        let got = 0;
        while ((await rank.receive()).data.length > 0) got++;
        return got;
      }
      isStalled = true;
      let [sent, most] = [0, 0];
      while (sent < 1000 && c.sendInline(new Uint8Array(10_000)) === MessageStatus.success) {
        sent++;
        most = Math.max(most, reads.queued + (c.chain?.queued ?? 0));
      }
      assertEquals(c.sendInline(new Uint8Array(10_000)), MessageStatus.noResource);
      assert(most <= limit + 20_000, `${most} bytes wait`);
      isStalled = false;
      while (c.sendInline(new Uint8Array(0)) === MessageStatus.noResource) await rank.wait(1e6);
      return sent;
    };
    const spec = { chains: [{ name: "c", layers }] };
    const options: JobOptions = {
      ranks: 2,
      program,
      spec,
      time: "real",
      clock: hostClock(),
      limits: { maxQueued: limit },
    };
    const [result] = await Promise.all([reads, hung].map((transport) => job({ ...options, transport }).run()));
    assertEquals(result.ranks.map((r) => r.error), [undefined, undefined], layers.join());
    const [sent, got] = result.ranks.map((r) => Number(r.value));
    assert(sent > 50 && sent < 1000, `${sent} sent`);
    assertEquals(got, sent);
  }
});

Deno.test("a mesh of 64 ranks comes up, works and goes down", async () => {
  const result = await job({
    ranks: 64,
    program: async (rank) => {
      await rank.mesh();
      const [sum] = await rank.all.allreduce(Int32Array.of(rank.rank));
      await rank.terminate();
      return sum;
    },
  }).run();
  assertEquals(result.ranks.map((r) => [r.state, r.value]), new Array(64).fill(["done", 2016]));
});

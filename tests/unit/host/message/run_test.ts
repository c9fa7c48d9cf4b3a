/** Jobs on real Workers, on real processes by tcp, under mpirun where there is one; virtual and real time. */
import { runOnWorkers, runOverTcp } from "../../../../lib/host/message/run.ts";
import { hostClock } from "../../../../lib/host/message/clock.ts";
import { MessageStatus } from "../../../../lib/spec/message_abi.ts";
import { FLAGS, mpirun, PART, ranks, start } from "./parts.ts";
import { job, type JobResult } from "../../../../lib/vmi/message/job.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  fromFileUrl,
} from "../../../../scripts/deps/std.ts";

const JOBS = new URL("./jobs.ts", import.meta.url);
const launcher = mpirun();

function done(result: JobResult): unknown[] {
  assertEquals(result.ranks.map((r) => [r.state, r.error]), result.ranks.map(() => ["done", undefined]));
  return result.ranks.map((r) => r.value);
}

Deno.test("runOnWorkers() gives the same results and times on 1, 2 and 3 Workers", async () => {
  for (const name of ["ring", "guests", "is"]) {
    const one = await runOnWorkers(JOBS, { workers: 1, args: { job: name } });
    done(one);
    for (const workers of [2, 3]) {
      const many = await runOnWorkers(JOBS, { workers, args: { job: name } });
      assertEquals(many.ranks, one.ranks, `${name} on ${workers}`);
    }
  }
});

Deno.test("runOnWorkers() in real time: EP verifies, ping-pong takes real time", async () => {
  for (const r of done(await runOnWorkers(JOBS, { workers: 2, args: { job: "ep", nodes: 2, m: 16, time: "real" } }))) {
    assertEquals((r as { verified: boolean }).verified, true);
  }
  const [half] = done(await runOnWorkers(JOBS, { workers: 2, args: { job: "ping", nodes: 2, time: "real" } }));
  assert(Number(half) > 0);
});

Deno.test("runOnWorkers() says what failed", async () => {
  await assertRejects(
    () => runOnWorkers(JOBS, { workers: 2, args: { job: "throw" } }),
    ConfigError,
    "no such job today",
  );
  await assertRejects(() => runOnWorkers(new URL("./none.ts", JOBS), { workers: 1 }), ConfigError, "Worker 0 failed");
  await assertRejects(() => runOnWorkers(PART, { workers: 0 }), ConfigError, "1 to 64");
});

Deno.test("processes joined by tcp run one job, and agree with Workers", async () => {
  const key = "a key for two processes";
  let child: Deno.ChildProcess | undefined;
  const result = await runOverTcp(JOBS, {
    key,
    process: 0,
    processes: 2,
    first: { port: 0 },
    onListen: (port) => child = start(Deno.execPath(), [...FLAGS, "tcp", String(port), key, "guests"]),
  }, { job: "guests", medium: "tcp" });
  done(result);
  assert(child !== undefined);
  assertEquals(await ranks(child), JSON.parse(JSON.stringify(result.ranks)));
  const workers = await runOnWorkers(JOBS, { workers: 2, args: { job: "guests" } });
  assertEquals(JSON.stringify(workers.ranks), JSON.stringify(result.ranks));
});

for (const over of ["one network", "failover"]) {
  Deno.test(`a job over ${over} goes on without a process that dies, if it is to; otherwise it says which was lost`, async () => {
    const run = async (lost: string): Promise<JobResult> => {
      const key = "a key for two processes";
      let child: Deno.ChildProcess | undefined;
      const args = { nodes: 4, time: "real", over, lost };
      const first = { port: 0 };
      const onListen = (port: number): void => {
        child = start(Deno.execPath(), [...FLAGS, "tcp", String(port), key, "survivors", JSON.stringify(args)]);
      };
      const options = { key, process: 0, processes: 2, first, onListen, reconnectMs: 300 };
      try {
        return await runOverTcp(JOBS, options, { job: "survivors", medium: "tcp", ...args });
      } finally {
        assertEquals((await child?.output())?.code, 7);
      }
    };
    const { ranks, log } = await run("go-on");
    const { peerGone, notConnected } = MessageStatus;
    const want = (other: number): unknown => [[[2, peerGone], [3, peerGone]], 40 + other, peerGone, notConnected];
    assertEquals(ranks.map((r) => [r.state, r.value]), [
      ["done", want(1)],
      ["done", want(0)],
      ["killed", undefined],
      ["killed", undefined],
    ]);
    for (const r of ranks.slice(2)) assertStringIncludes(String(r.error), "Process 1 was lost: ");
    assertEquals(log.filter((l) => l.startsWith("Process 1 was lost: ")).length, 1);
    await assertRejects(() => run("end"), ConfigError, "The connection to process 1 was lost: ");
  });
}

Deno.test("real time over loopback in one process: delays take their time", async () => {
  const result = await job({
    ranks: 2,
    time: "real",
    clock: hostClock(),
    spec: {
      devices: { slow: { module: "builtin:delay", parameters: { latencyUs: 20_000 } } },
      chains: [{ name: "c", layers: ["slow", "credit", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      const start = rank.now;
      if (rank.rank === 1) rank.to(0).sendInline((await rank.receive()).data);
      else {
        rank.to(1).sendInline(Uint8Array.of(1));
        await rank.receive();
      }
      await rank.all.barrier();
      return [rank.now - start, rank.to(1 - rank.rank).oneWayLatencyUs];
    },
  }).run();
  const [[trip]] = done(result) as [number, number][];
  assert(trip >= 40e6 && trip < 5e9, `${trip} ns`);
});

Deno.test({
  name: `mpirun starts one job of 2 processes${launcher === undefined ? " (no MPICH here)" : ""}`,
  ignore: launcher === undefined,
  async fn() {
    if (launcher === undefined) return;
    for (const name of ["ring", "guests", "is"]) {
      const got = await ranks(start(launcher, ["-n", "2", Deno.execPath(), ...FLAGS, "mpi", name]));
      const workers = await runOnWorkers(JOBS, { workers: 2, args: { job: name } });
      assertEquals(got, JSON.parse(JSON.stringify(workers.ranks)));
    }
  },
});

Deno.test({
  name: `the conformance suite passes over mpi${launcher === undefined ? " (no MPICH here)" : ""}`,
  ignore: launcher === undefined,
  async fn() {
    if (launcher === undefined) return;
    const main = fromFileUrl(new URL("../../../conformance/message/mpi_main.ts", import.meta.url));
    const allow = ["read", "ffi", "env", "write", "run"].map((what) => `--allow-${what}`); // guests are compiled
    const flags = ["test", "--no-prompt", ...allow, "--no-check", "--quiet", main];
    const { code, stdout, stderr } = await start(launcher, ["-n", "2", Deno.execPath(), ...flags]).output();
    const text = new TextDecoder();
    const all = text.decode(stdout) + text.decode(stderr);
    assertEquals(code, 0, all);
    assertStringIncludes(all, "ok | ");
  },
});

Deno.test("without an MPI library joining says so", async () => {
  const { joinMpi } = await import("../../../../lib/host/message/mpi_transport.ts");
  await assertRejects(async () => await joinMpi("libnothing.so.1"), ConfigError, "Cannot load libnothing.so.1");
});

/** Joining by tcp: nobody without the key, and broken peers do no harm. */
import { joinTcp, type TcpOptions, type TcpTransport } from "../../../../lib/host/message/tcp_transport.ts";
import { job, type JobOptions } from "../../../../lib/vmi/message/job.ts";
import { is } from "../../../../lib/vmi/message/programs/is.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { pattern } from "../../../conformance/message/suite.ts";
import { assert, assertEquals, assertRejects } from "../../../../scripts/deps/std.ts";

const KEY = "a key of this test";

/** Process 0 of a job, and the port where it waits. */
async function wait(options: Partial<TcpOptions> = {}): Promise<{ port: number; joined: Promise<TcpTransport> }> {
  let known: (port: number) => void = () => {};
  const port = new Promise<number>((resolve) => known = resolve);
  const joined = joinTcp({
    key: KEY,
    process: 0,
    processes: 2,
    first: { port: 0 },
    onListen: (p) => known(p),
    ...options,
  });
  joined.catch(() => {});
  return { port: await port, joined };
}

function join(port: number, options: Partial<TcpOptions> = {}): Promise<TcpTransport> {
  return joinTcp({ key: KEY, process: 1, processes: 2, first: { port }, ...options });
}

Deno.test("a process with another key is refused and does not disturb the others", async () => {
  const { port, joined } = await wait();
  await assertRejects(() => join(port, { key: "another key of this test" }), ConfigError, "key");
  const [a, b] = await Promise.all([joined, join(port)]);
  a.send(1, Uint8Array.of(1, 2, 3));
  let got: Uint8Array | undefined;
  while (got === undefined) {
    if (b.poll((_from, record) => void (got = record)) === 0) await b.sleep(100);
  }
  assertEquals(got, Uint8Array.of(1, 2, 3));
  await Promise.all([a.close(), b.close()]);
});

Deno.test("strangers that say nothing, garbage or too much are dropped", async () => {
  const { port, joined } = await wait();
  const open: Deno.Conn[] = [];
  for (const bytes of [[], [0xff, 0xff, 0xff, 0x7f, 1, 2], [4, 0, 0, 0, 1, 2, 3, 4], [...new Uint8Array(5000)]]) {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    open.push(socket);
    if (bytes.length > 0) await socket.write(Uint8Array.from(bytes));
  }
  const [a, b] = await Promise.all([joined, join(port)]);
  for (const socket of open) socket.close();
  await Promise.all([a.close(), b.close()]);
});

Deno.test("a hello that was seen before does not serve again", async () => {
  const { port, joined } = await wait();
  // A recorder between a true process and the listener.
  const middle = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const recorded: Uint8Array[] = [];
  const relay = (async (): Promise<void> => {
    const from = await middle.accept();
    const to = await Deno.connect({ hostname: "127.0.0.1", port });
    const pump = async (a: Deno.Conn, b: Deno.Conn, keep: boolean): Promise<void> => {
      const chunk = new Uint8Array(4096);
      for (let n = await a.read(chunk); n !== null; n = await a.read(chunk)) {
        if (keep) recorded.push(chunk.slice(0, n));
        await b.write(chunk.subarray(0, n));
      }
      try {
        b.close();
      } catch {
        // closed already
      }
    };
    await Promise.allSettled([pump(from, to, true), pump(to, from, false)]);
    for (const s of [from, to]) {
      try {
        s.close();
      } catch {
        // closed already
      }
    }
  })();
  const [a, b] = await Promise.all([joined, join((middle.addr as Deno.NetAddr).port)]);
  await Promise.all([a.close(), b.close()]);
  await relay;
  middle.close();
  const again = await wait({ timeoutMs: 600 });
  const thief = await Deno.connect({ hostname: "127.0.0.1", port: again.port });
  await thief.write(recorded[0]);
  await assertRejects(() => again.joined, ConfigError, "Only 1 of 2");
  thief.close();
});

Deno.test("a job whose processes do not all come ends with a clear error", async () => {
  const { joined } = await wait({ timeoutMs: 200 });
  await assertRejects(() => joined, ConfigError, "Only 1 of 2 processes came");
  await assertRejects(
    () => joinTcp({ key: "short", process: 0, processes: 2, first: { port: 0 } }),
    ConfigError,
    "8 characters",
  );
  await assertRejects(
    () => joinTcp({ key: KEY, process: 2, processes: 2, first: { port: 0 } }),
    ConfigError,
    "from 0 to 1",
  );
});

Deno.test("a peer that leaves is noticed; what it sent before arrives", async () => {
  const { port, joined } = await wait();
  const [a, b] = await Promise.all([joined, join(port)]);
  const long = pattern(300_000, 4);
  b.send(0, long);
  b.send(0, Uint8Array.of(9));
  await b.close();
  const got: Uint8Array[] = [];
  while (a.broken === undefined) {
    if (a.poll((_f, r) => void got.push(r)) === 0) await a.sleep(100);
  }
  assertEquals([got[0].length, got[1]], [300_000, Uint8Array.of(9)]);
  assert(got[0].every((x, i) => x === long[i]));
  assert(a.broken?.includes("process 1"), a.broken);
  await a.close();
});

/** A relay between processes whose sockets can be cut. */
class Relay {
  readonly port: number;
  cuts = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open: Set<Deno.Conn> = new Set();
  #done: Promise<void>;
  isUp = true;
  /** Port it leads to. */
  target: number;

  constructor(target: number) {
    this.target = target;
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#done = this.#run();
  }

  /** Cuts every socket, whatever is under way. */
  cut(): void {
    if (this.#open.size > 0) this.cuts++;
    for (const s of this.#open) close(s);
    this.#open.clear();
  }

  async close(): Promise<void> {
    this.cut();
    this.#listener.close();
    await this.#done;
  }

  async #run(): Promise<void> {
    const pumps: Promise<void>[] = [];
    try {
      for await (const from of this.#listener) {
        if (!this.isUp) {
          from.close();
          continue;
        }
        const to = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
        this.#open.add(from).add(to);
        pumps.push(pump(from, to), pump(to, from));
      }
    } catch {
      // the listener was closed
    }
    await Promise.all(pumps);
  }
}

function close(s: Deno.Conn): void {
  try {
    s.close();
  } catch {
    // closed already
  }
}

async function pump(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const chunk = new Uint8Array(1 << 16);
  try {
    for (let n = await from.read(chunk); n !== null; n = await from.read(chunk)) {
      for (let at = 0; at < n;) at += await to.write(chunk.subarray(at, n));
    }
  } catch {
    // cut
  }
  close(from);
  close(to);
}

Deno.test("records come once and in order through sockets that are cut in full flow", async () => {
  const { port, joined } = await wait();
  const relay = new Relay(port);
  const [a, b] = await Promise.all([joined, join(relay.port)]);
  const prng = new Prng(4);
  const count = 400;
  const record = (from: number, n: number): Uint8Array => {
    const out = pattern(16 + ((n * 7919) % 30_000), n + from);
    out.set([n, n >> 8]);
    return out;
  };
  const next = [0, 0];
  const deliver = (to: number) => (_from: number, bytes: Uint8Array): void => {
    const n = next[to]++;
    assertEquals(bytes.length, record(1 - to, n).length, `record ${n}`);
    assertEquals(bytes, record(1 - to, n));
  };
  for (let n = 0; n < count || next[0] < count || next[1] < count;) {
    for (let k = prng.below(12); k > 0 && n < count; k--, n++) {
      a.send(1, record(0, n));
      b.send(0, record(1, n));
    }
    if (prng.below(6) === 0) relay.cut();
    if (a.poll(deliver(0)) + b.poll(deliver(1)) === 0) await Promise.race([a.sleep(20), b.sleep(20)]);
    else await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals([a.broken, b.broken], [undefined, undefined]);
  }
  assert(relay.cuts >= 10, `${relay.cuts} cuts`);
  assert(b.reconnects >= 10 && a.reconnects >= 10, `${a.reconnects} and ${b.reconnects}`);
  await Promise.all([a.close(), b.close()]);
  await relay.close();
});

Deno.test("a job over tcp whose sockets are cut gives the same results at the same virtual times", async () => {
  const options = (medium: string): JobOptions => ({
    ranks: 4,
    program: is("S"),
    spec: { chains: [{ name: "c", layers: ["credit", medium] }] },
  });
  const want = await job(options("loopback")).run();
  const { port, joined } = await wait();
  const relay = new Relay(port);
  const ends = await Promise.all([joined, join(relay.port)]);
  const cutting = setInterval(() => relay.cut(), 40);
  const [got] = await Promise.all(ends.map((transport) => job({ ...options("tcp"), transport }).run()));
  clearInterval(cutting);
  assertEquals(JSON.stringify(got.ranks), JSON.stringify(want.ranks));
  assert(ends[1].reconnects > 0);
  await Promise.all(ends.map((t) => t.close()));
  await relay.close();
});

Deno.test("a process that does not come again in time is lost; one that takes its place is refused", async () => {
  const { port, joined } = await wait({ reconnectMs: 400 });
  const relay = new Relay(port);
  const [a, b] = await Promise.all([joined, join(relay.port, { reconnectMs: 400 })]);
  relay.isUp = false;
  relay.cut();
  // Another process with the same number and the right key, but not the one that was there.
  await assertRejects(() => join(port, { timeoutMs: 150 }));
  const end = Date.now() + 20_000;
  while ((a.broken === undefined || b.broken === undefined) && Date.now() < end) {
    for (const t of [a, b]) t.poll(() => {});
    await Promise.all([a.sleep(50), b.sleep(50)]);
  }
  assert(
    a.broken?.includes("process 1 was lost") && b.broken?.includes("process 0 was lost"),
    `${a.broken} ${b.broken}`,
  );
  await Promise.all([a.close(), b.close()]);
  await relay.close();
});

Deno.test("who waits in vain is told what became of those that called", async () => {
  const { port, joined } = await wait({ timeoutMs: 500 });
  await assertRejects(() => join(port, { key: "another key of this test" }), ConfigError, "key");
  await assertRejects(
    () => joined,
    ConfigError,
    "Only 1 of 2 processes came; a caller was refused: it does not know this job's key",
  );
  const { port: second, joined: other } = await wait({ timeoutMs: 500 });
  await assertRejects(() => join(second, { processes: 3 }), ConfigError, "key");
  await assertRejects(() => other, ConfigError, "it knows of 3 processes, this one of 2");
});

Deno.test("a socket that breaks and is not replaced: both causes are told, the first and why no other came", async () => {
  const { port, joined } = await wait({ reconnectMs: 700 });
  const relay = new Relay(port);
  const [a, b] = await Promise.all([joined, join(relay.port, { reconnectMs: 700 })]);
  // From now on the way leads to a process of another job; one of another job calls the first, too.
  const stranger = await wait({ key: "another key of this test" });
  relay.target = stranger.port;
  relay.cut();
  for (const t of [a, b]) t.poll(() => {}); // they see that it broke
  await assertRejects(() => join(port, { key: "another key of this test", timeoutMs: 300 }), ConfigError, "key");
  const end = Date.now() + 20_000;
  while ((a.broken === undefined || b.broken === undefined) && Date.now() < end) {
    for (const t of [a, b]) t.poll(() => {});
    await Promise.all([a.sleep(50), b.sleep(50)]);
  }
  for (
    const [t, want] of [
      [a, "did not come again within 700 ms: a caller was refused: it does not know this job's key"],
      [b, "within 700 ms: the last call ended with: The other process does not accept this job's key"],
    ] as const
  ) assert(t.broken?.includes(want), t.broken);
  // The stranger's own job gets its process; nothing was disturbed there.
  const theirs = await join(stranger.port, { key: "another key of this test" });
  const own = await stranger.joined;
  await Promise.all([a.close(), b.close(), own.close(), theirs.close()]);
  await relay.close();
});

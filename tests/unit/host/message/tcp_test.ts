/** Joining by tcp: nobody without the key, and broken peers do no harm. */
import { joinTcp, type TcpOptions, type TcpTransport } from "../../../../lib/host/message/tcp_transport.ts";
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

import { asm16, pc } from "../../../../mod.ts";
import type { LabState } from "../../../../lib/host/lab/protocol.ts";
import { type LabServer, serveLab } from "../../../../lib/host/lab/server.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../../scripts/deps/std.ts";

/** A lab over a guest that writes for ever. */
function lab(): LabServer {
  const m = pc({ engine: "interpreter" });
  m.load(
    0x7c00,
    asm16`
    mov dx, 0x3f8
    mov al, 'x'
again:
    out dx, al
    jmp again`,
  );
  return serveLab(m);
}

/** A raw request, so that every header is ours. */
async function raw(url: string, path: string, headers: readonly string[]): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
  const text = [`GET ${path} HTTP/1.1`, ...headers, "Connection: close", "", ""].join("\r\n");
  await connection.write(new TextEncoder().encode(text));
  let answer = "";
  const buffer = new Uint8Array(0x10000);
  for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
    answer += new TextDecoder().decode(buffer.subarray(0, n));
    if (answer.startsWith("HTTP/1.1 101")) break;
  }
  return answer.split("\r\n", 1)[0].slice(9);
}

const UPGRADE = [
  ...["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];

Deno.test("serveLab answers only who knows the whole address, on loopback's own name", async () => {
  const server = lab();
  const { host, pathname } = new URL(server.url);
  assertEquals(host.split(":")[0], "127.0.0.1");
  assertEquals(pathname.length, 34);
  const page = await fetch(server.url);
  assertEquals([page.status, page.headers.get("referrer-policy")], [200, "no-referrer"]);
  assertStringIncludes(page.headers.get("content-security-policy") ?? "", "default-src 'none'");
  assertStringIncludes(await page.text(), "vmikit lab");
  for (const name of ["lab.js", "draw.js", "lab.css", "xterm.js", "xterm.css"]) {
    const file = await fetch(server.url + name);
    assertEquals(file.status, 200, name);
    assert((await file.text()).length > 500, name);
  }
  const one = pathname.slice(0, -2) + (pathname.at(-2) === "0" ? "1" : "0") + "/";
  for (const path of ["/", "/lab.js", one, `${pathname}../`, `${pathname}x`, `${pathname}a/b`, `/${"0".repeat(32)}/`]) {
    assertEquals(await raw(server.url, path, [`Host: ${host}`]), "404 Not Found", path);
  }
  assertEquals(await raw(server.url, pathname, ["Host: lab.example"]), "403 Forbidden");
  const posted = await fetch(server.url, { method: "POST", body: "{}" });
  assertEquals([posted.status, (await posted.text()).length > 0], [405, true]);
  await server.close();
});

Deno.test("serveLab opens its socket only to the page itself", async () => {
  const server = lab();
  const { host, pathname, origin } = new URL(server.url);
  const open = (path: string, ...more: string[]): Promise<string> =>
    raw(server.url, path, [`Host: ${host}`, ...UPGRADE, ...more]);
  assertEquals(await open(`${pathname}socket`, "Origin: http://other.example"), "403 Forbidden");
  assertEquals(await open(`${pathname}socket`, `Origin: http://127.0.0.1:1`), "403 Forbidden");
  assertEquals(await open(`${pathname}socket`, "Origin: null"), "403 Forbidden");
  assertEquals(await open(`${pathname}socket`), "403 Forbidden");
  assertEquals(await open("/socket", `Origin: ${origin}`), "404 Not Found");
  assertEquals(await open(`/${"a".repeat(32)}/socket`, `Origin: ${origin}`), "404 Not Found");
  assertEquals(await open(`${pathname}socket`, `Origin: ${origin}`), "101 Switching Protocols");
  await server.close();
});

/** A WebSocket as the page opens it. */
async function connect(server: LabServer): Promise<WebSocket> {
  const { origin } = new URL(server.url);
  const address = `${server.url.replace("http", "ws")}socket`;
  const socket = new WebSocket(address, { headers: { origin } } as unknown as string[]);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  return socket;
}

Deno.test("serveLab ends a connection that sends no request, or too many", async () => {
  for (const data of ["{", '{"do":"eval"}', new Uint8Array(8), "x".repeat(100_000)]) {
    const server = lab();
    const socket = await connect(server);
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve, { once: true }));
    socket.send(data);
    assertEquals((await closed).code, 1008);
    await server.close();
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  const server = serveLab({
    handle: () => promise,
    state: () => ({ kind: "state" }) as LabState,
    serial: undefined,
    era: 0,
    close: () => Promise.resolve(resolve()),
  });
  const socket = await connect(server);
  const closed = new Promise<CloseEvent>((done) => socket.addEventListener("close", done, { once: true }));
  for (let n = 0; n < 64; n++) socket.send('{"do":"run"}');
  await new Promise((done) => setTimeout(done, 300));
  assertEquals(socket.readyState, WebSocket.OPEN);
  socket.send('{"do":"run"}');
  assertEquals((await closed).code, 1008);
  await server.close();
});

/** Characters of a flood; one piece of a run writes more of them than are sent at once. */
const WRITTEN = 400_000;

Deno.test("serveLab sends a flood of output in bounded pieces and says what it left out", async () => {
  const server = lab();
  const socket = await connect(server);
  let [shown, lost, longest, unseen] = [0, 0, 0, true];
  const enough = new Promise<void>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      const said = JSON.parse(data);
      if (said.kind === "state") unseen = false;
      if (said.kind !== "console") return;
      shown += said.text.length;
      lost += said.lost;
      longest = Math.max(longest, said.text.length);
      if (said.text.length + said.lost > 0 && shown + lost === WRITTEN) resolve();
    });
  });
  socket.send(JSON.stringify({ do: "step", count: 2 + 2 * WRITTEN }));
  await enough;
  assertEquals([longest, lost > 0, unseen], [65_536, true, false]);
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve, { once: true }));
  await server.close();
  await closed;
});

Deno.test("serveLab says when a port cannot be had", async () => {
  const server = lab();
  const port = Number(new URL(server.url).port);
  assertThrows(() => serveLab(pc(), { port }), Error, `Cannot listen on 127.0.0.1:${port}`);
  await server.close();
});

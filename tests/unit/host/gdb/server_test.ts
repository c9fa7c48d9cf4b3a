/**
 * The debugger's server over real connections: clients that send garbage, floods, nothing, or leave in the middle.
 */
import { asm, ConfigError, MiB, pc, type PcMachine, Prng } from "../../../../mod.ts";
import { encodePacket } from "../../../../lib/host/gdb/packet.ts";
import { type GdbServer, serveGdb } from "../../../../lib/host/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../../scripts/deps/std.ts";

interface Served {
  readonly m: PcMachine;
  readonly server: GdbServer;
  readonly said: string[];
  readonly port: number;
}

async function served(test: (s: Served) => Promise<void>): Promise<void> {
  const m = pc({ memory: 4 * MiB });
  m.load(
    0x7c00,
    asm`again: inc eax
    jmp again`,
  );
  const said: string[] = [];
  const server = serveGdb(m, { port: 0, say: (text) => said.push(text) });
  try {
    await test({ m, server, said, port: server.address.port });
  } finally {
    server.close();
    await server.done;
  }
}

/** Connects when the server is free, which it is a moment after the client before has gone. */
async function connect({ port, said }: Served): Promise<Deno.TcpConn> {
  const turnedAway = (): number => said.filter((text) => text.includes("turned away")).length;
  for (let n = 0;; n++) {
    const before = [turnedAway(), said.filter((text) => text.includes("connected")).length];
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    while (turnedAway() === before[0] && said.filter((t) => t.includes("connected")).length === before[1]) {
      await pause(2);
    }
    if (turnedAway() === before[0]) return connection;
    connection.close();
    assert(n < 500, "the server stays busy");
    await pause(10);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends all of the bytes; a peer that closes meanwhile is no failure. */
async function write(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
  } catch (error) {
    assert(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset, String(error));
  }
}

/** Asks a question and reads until the reply has come. */
async function ask(connection: Deno.TcpConn, text: string): Promise<string> {
  await write(connection, encodePacket(text));
  let said = "";
  const buffer = new Uint8Array(4096);
  while (!/\$([^#]*)#..$/.test(said)) {
    const n = await connection.read(buffer);
    if (n === null) return said;
    said += String.fromCharCode(...buffer.subarray(0, n));
  }
  return /\$([^#]*)#..$/.exec(said)?.[1] ?? "";
}

Deno.test("serveGdb() listens on loopback, answers, and lets a client come back", async () => {
  await served(async (s) => {
    assertEquals(s.server.address.hostname, "127.0.0.1");
    for (let round = 0; round < 3; round++) {
      const connection = await connect(s);
      assertEquals(await ask(connection, "p8"), "007c0000");
      assertEquals(await ask(connection, "D"), "OK");
      connection.close();
    }
    assertEquals(s.said.filter((text) => text.includes("detached")).length >= 2, true);
  });
});

Deno.test("serveGdb() survives garbage, damaged packets and clients that leave in the middle", async () => {
  await served(async (s) => {
    const random = new Prng(17);
    for (let round = 0; round < 25; round++) {
      const connection = await connect(s);
      const noise = Uint8Array.from({ length: 1 + random.below(2000) }, () => random.below(256));
      if (round % 3 === 0) await write(connection, encodePacket("c")); // it leaves while the guest runs
      if (round % 3 === 1) await write(connection, noise);
      if (round % 3 === 2) await write(connection, encodePacket("m0,4000").subarray(0, 1 + random.below(8)));
      if (round % 2 === 0) await pause(5);
      connection.close();
    }
    const connection = await connect(s);
    assertEquals((await ask(connection, "g")).length > 500, true);
    connection.close();
  });
});

Deno.test("serveGdb() ends the session of a client that floods it, and stays within bounds", async () => {
  await served(async (s) => {
    const connection = await connect(s);
    const packet = encodePacket("g");
    const flood = new Uint8Array(packet.length * 5000);
    for (let i = 0; i < 5000; i++) flood.set(packet, i * packet.length);
    await write(connection, encodePacket("c")); // nothing is answered while the guest runs
    await write(connection, flood);
    while (!s.said.some((text) => text.includes("more than it waits for"))) await pause(5);
    connection.close();
    const next = await connect(s);
    assertEquals(await ask(next, "qC"), "QC1");
    next.close();
  });
});

Deno.test("serveGdb() stops a running guest at Ctrl-C and answers the question before", async () => {
  await served(async (s) => {
    const connection = await connect(s);
    await write(connection, encodePacket("c"));
    await pause(20);
    await write(connection, Uint8Array.of(3));
    const buffer = new Uint8Array(100);
    let said = "";
    while (!said.includes("#")) {
      said += String.fromCharCode(...buffer.subarray(0, (await connection.read(buffer)) ?? 0));
    }
    assertStringIncludes(said, "$T02thread:1;#");
    assert(s.m.cpu.instructions > 0);
    connection.close();
  });
});

Deno.test("serveGdb() turns a second client away while one is there", async () => {
  await served(async (s) => {
    const first = await connect(s);
    const second = await Deno.connect({ hostname: "127.0.0.1", port: s.port });
    assertEquals(await second.read(new Uint8Array(1)).catch(() => null), null);
    second.close();
    assertEquals(await ask(first, "qC"), "QC1");
    first.close();
  });
});

Deno.test("serveGdb() says when it cannot listen", async () => {
  await served(async (s) => {
    await Promise.resolve();
    assertThrows(() => serveGdb(s.m, { port: s.port }), ConfigError, "choose another address or port");
  });
});

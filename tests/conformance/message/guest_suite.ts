/**
 * Conformance of emulated ranks: a machine (rank 0) whose program does what a host-side rank (1) tells it. Boundaries,
 * order, ownership, remote memory both ways, refusals, back-pressure.
 */
import { MessageStatus } from "../../../lib/spec/message_abi.ts";
import type { RemoteBuffer } from "../../../lib/vmi/message/events.ts";
import {
  type Bootable,
  type ClusterOptions,
  elf,
  type JobResult,
  type LayerSpec,
  type MessageRank,
  type MessageSpec,
} from "../../../mod.ts";
import { assert, assertEquals, fromFileUrl } from "../../../scripts/deps/std.ts";
import { compileGuest, gcc } from "../../unit/guests/message/compile.ts";
import { pattern } from "./suite.ts";

const SOURCE = fromFileUrl(new URL("./peer.c", import.meta.url));
const ok = MessageStatus.success;

let compiled: Promise<Bootable> | undefined;

async function compile(): Promise<Bootable> {
  return elf(await compileGuest(await Deno.readTextFile(SOURCE), ["-mgeneral-regs-only"]));
}

function hash(bytes: Uint8Array): number {
  let h = 0;
  for (const b of bytes) h = (Math.imul(31, h) + b) >>> 0;
  return h;
}

/** Tells the guest what to do. */
function tell(rank: MessageRank, what: number, a = 0, b = 0, c = 0, more: Uint8Array = new Uint8Array(0)): void {
  const words = new Uint8Array(Uint32Array.of(what, a, b, c).buffer);
  const region = rank.register(new Uint8Array([...words, ...more]));
  assertEquals(rank.to(0).send([{ region, offset: 0, length: region.length }]), ok);
  region.release();
}

async function answer(rank: MessageRank): Promise<number[]> {
  return [...new Uint32Array((await rank.receive(0)).data.slice().buffer)];
}

async function conform(rank: MessageRank, largest: number): Promise<void> {
  await rank.connect(0);
  const c = rank.to(0);
  // Boundaries, echoed; several under way keep their order.
  const sizes = [0, 1, 32, 2031, 2032, 16367, 16368, 16369, 262128, 262129, 1_000_000].filter((n) => n <= largest);
  for (const [i, n] of sizes.entries()) tell(rank, 1, n, i, 0, pattern(n, i));
  for (const [i, n] of sizes.entries()) {
    const { data } = await rank.receive(0);
    assertEquals([data.length, data[0], data[4] | (data[5] << 8)], [16 + n, 1, n & 0xffff]);
    const want = pattern(n, i);
    assert(data.subarray(16).every((b, k) => b === want[k]), `${n} bytes`);
  }
  await memory(rank, Math.min(largest, 300_000));
  await pressure(rank);
  // Our buffers, used by the guest.
  const mine = pattern(4096, 5);
  const publication = c.publish(rank.register(mine), { context: 9 });
  const notified: unknown[] = [];
  c.onPut((size, context, status) => void notified.push(["put", size, context, status]));
  c.onGet((context, status) => void notified.push(["get", context, status]));
  tell(rank, 4, 1000, 0, 2000);
  assertEquals(await answer(rank), [0, 0]);
  await rank.until(() => notified.length === 2);
  assertEquals(notified, [["get", 9, ok], ["put", 1000, 9, ok]]);
  assertEquals(mine.subarray(2000, 3000), pattern(4096, 5).subarray(0, 1000).map((b) => b ^ 0xff));
  tell(rank, 4, 1000, 3097, 0);
  assertEquals(await answer(rank), [9, 0]); // outside: access; the put of the same went well
  publication.unpublish();
  tell(rank, 4, 10, 0, 0);
  assertEquals(await answer(rank), [9, 9]);
  tell(rank, 7);
}

/** The guest's buffer, used by us. */
async function memory(rank: MessageRank, size: number): Promise<void> {
  const c = rank.to(0);
  let remote: RemoteBuffer | undefined;
  c.onPublish((b, data) => {
    assertEquals(new TextDecoder().decode(data.copy()), "hello");
    remote = b;
  });
  tell(rank, 2, size, 3);
  await rank.until(() => remote !== undefined);
  if (remote === undefined) return;
  assertEquals([remote.size, remote.peerContext], [size, 0x1122334455667788n]);
  const expected = Uint8Array.from({ length: size }, (_, i) => i * 7);
  const region = rank.register(pattern(size, 8));
  let done = 0;
  const count = (s: number): void => {
    assertEquals(s, ok);
    done++;
  };
  const part = Math.floor(size / 2);
  c.put({ local: [{ region, offset: 0, length: part }], remote, remoteOffset: 11, notify: true }, count);
  const into = rank.register(new Uint8Array(size));
  const back = new Uint8Array(size);
  c.get({ local: [{ region: into, offset: 0, length: size }], remote, remoteOffset: 0, notify: true }, count);
  await rank.until(() => done === 2);
  expected.set(pattern(size, 8).subarray(0, part), 11);
  assert(into.read(0, back));
  assert(back.every((b, i) => b === expected[i]));
  assertEquals(
    c.put({ local: [{ region, offset: 0, length: 2 }], remote, remoteOffset: size - 1 }),
    MessageStatus.access,
  );
  tell(rank, 3, size);
  assertEquals(await answer(rank), [hash(expected), 3003]);
  tell(rank, 5);
  assertEquals(await answer(rank), [0, MessageStatus.invalidHandle & 0xff]);
  assertEquals(c.put({ local: [{ region, offset: 0, length: 1 }], remote, remoteOffset: 0 }), MessageStatus.access);
}

/** A guest that computes and receives nothing stops us in time, and nothing is lost. */
async function pressure(rank: MessageRank): Promise<void> {
  tell(rank, 6, 200_000);
  let sent = 0;
  const words = new Uint8Array(Uint32Array.of(1, 0, 0, 0).buffer);
  const data = new Uint8Array(8000);
  data.set(words);
  while (sent < 1000) {
    const status = rank.to(0).sendInline(data);
    if (status !== ok) {
      assertEquals(status, MessageStatus.noResource);
      break;
    }
    sent++;
  }
  assert(sent > 20 && sent < 1000, `${sent} sent`);
  for (let i = 0; i < sent; i++) assertEquals((await rank.receive(0)).data.length, 8000);
}

/** What harms, delays, guards; networks and composites. */
export const HARM: MessageSpec["devices"] = {
  zip: { module: "builtin:compress" },
  sum: { module: "builtin:checksum" },
  slow: { module: "builtin:delay", parameters: { latencyUs: 3, jitterUs: 2 } },
  a: { module: "builtin:drop", parameters: { probability: 0.05 } },
  b: { module: "builtin:duplicate", parameters: { probability: 0.05 } },
  c: { module: "builtin:reorder", parameters: { probability: 0.05 } },
  d: { module: "builtin:corrupt", parameters: { probability: 0.01 } },
  near: { module: "builtin:loopback", parameters: { latencyNs: 2000 } },
  far: { module: "builtin:loopback", parameters: { latencyNs: 9000 } },
  third: { module: "builtin:loopback", parameters: { latencyNs: 5000 } },
  tiny: { module: "builtin:loopback", parameters: { latencyNs: 50_000, bytesPerSecond: 1e8, maxFrame: 777 } },
  flap: { module: "builtin:outage", parameters: { periodUs: 700, downUs: 300 } },
  either: { module: "builtin:failover", parameters: { holdUs: 50 } },
  both: { module: "builtin:stripe" },
};

/** Filters that can be tried alone. */
export const SINGLE: MessageSpec["devices"] = {
  trace: { module: "builtin:trace" },
  stats: { module: "builtin:stats" },
  loggp: { module: "builtin:loggp", parameters: { preset: "infiniband-4x" } },
  bandwidth: { module: "builtin:bandwidth", parameters: { bytesPerSecond: 5e8, shared: true } },
  reliable: { module: "builtin:reliable" },
  encrypt: { module: "builtin:encrypt" },
};

/** Are there compiled guests? Otherwise why not, for a test's name. */
export const skip: string = gcc.available ? "" : " (no 32-bit compiler here)";

/** All filters that can be stacked over a network. */
export const ALL: readonly LayerSpec[] = [
  ...["stats", "credit", "zip", "reliable", "encrypt", "sum", "slow", "a", "b", "c", "d"],
];

/** The job of a guest and the rank that examines it. @param largest Largest message. */
export async function guestJob(layers: readonly LayerSpec[], largest: number): Promise<ClusterOptions> {
  const program = await (compiled ??= compile());
  return {
    nodes: 2,
    memory: 8 << 20,
    program: [program, (rank) => conform(rank, largest)],
    limits: { maxQueued: 2_500_000 },
    spec: { devices: { ...HARM, ...SINGLE }, chains: [{ name: "c", layers }] },
  };
}

let points: Promise<Bootable> | undefined;

async function compilePoints(): Promise<Bootable> {
  const source = await Deno.readTextFile(fromFileUrl(new URL("./points.c", import.meta.url)));
  return elf(await compileGuest(source, ["-mgeneral-regs-only"]));
}

/** The job of four machines that examine one another. */
export async function pointsJob(layers: readonly LayerSpec[]): Promise<ClusterOptions> {
  const program = await (points ??= compilePoints());
  return { nodes: 4, program, spec: { devices: { ...HARM, ...SINGLE }, chains: [{ name: "c", layers }] } };
}

/** Did all find what they looked for? */
export function checkPoints(result: JobResult): void {
  const want = [41, 33, 33, 33].map((checks) => ["done", checks, undefined]);
  assertEquals(result.ranks.map((r) => [r.state, r.value, r.error ?? undefined]), want);
}

/** Did both ranks end well? */
export function checkGuestJob(result: JobResult): void {
  assertEquals(result.ranks.map((r) => [r.state, r.error ?? undefined]), [["done", undefined], ["done", undefined]]);
  assertEquals(result.ranks[0].value, 4096);
}

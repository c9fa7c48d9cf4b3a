/** What a guest hands over never harms anyone: random entries, rings and lengths against the executor and adapter. */
import { job } from "../../../../../lib/vmi/message/job.ts";
import type { EventQueue } from "../../../../../lib/vmi/message/event_queue.ts";
import { MessageCard } from "../../../../../lib/vmi/message/guest/card.ts";
import type { GuestRam } from "../../../../../lib/vmi/message/guest/registrations.ts";
import { HostNode, type JobNode } from "../../../../../lib/vmi/message/node.ts";
import type { Runtime } from "../../../../../lib/vmi/message/runtime.ts";
import {
  AdapterDoorbell,
  AdapterRegister,
  CompletionType,
  MessageOp,
  MessageStatus,
  SubmitFlag,
} from "../../../../../lib/spec/message_abi.ts";
import { Prng } from "../../../../../lib/base/prng.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";

const RAM = 0x10000;
const SIZE = 0x8000;

/** RAM from 0x10000 to 0x18000; every access outside throws. */
class TestRam implements GuestRam {
  readonly bytes = new Uint8Array(SIZE);
  has(at: number, length: number): boolean {
    return at >= RAM && at + length <= RAM + SIZE;
  }
  read(at: number, into: Uint8Array): boolean {
    if (!this.has(at, into.length)) return false;
    into.set(this.bytes.subarray(at - RAM, at - RAM + into.length));
    return true;
  }
  write(at: number, bytes: Uint8Array): boolean {
    if (!this.has(at, bytes.length)) return false;
    this.bytes.set(bytes, at - RAM);
    return true;
  }
}

interface Guest {
  readonly card: MessageCard;
  readonly ram: TestRam;
}

type Script = (guest: Guest, rank: HostNode["rank"]) => Promise<unknown>;

/** A job in which rank 0 is a script that plays a guest; events go to its card. */
function play(script: Script, other: (rank: HostNode["rank"]) => Promise<unknown>): ReturnType<typeof job> {
  return job({
    ranks: 2,
    node: (n: number, runtime: Runtime, queue: EventQueue, context): JobNode => {
      if (n === 1) return new HostNode(runtime, queue, other, (t) => context.log(t));
      const ram = new TestRam();
      const card = new MessageCard(runtime, ram, {
        sync: () => {},
        touched: () => {},
        holds: () => false,
        wait: () => {},
        exit: () => {},
        log: () => {},
      });
      const node = new HostNode(runtime, queue, (rank) => script({ card, ram }, rank), (t) => context.log(t));
      node.event = (e): void => {
        if (!node.isDone) card.event(e);
      };
      return node;
    },
  });
}

function entry(fields: { readonly [at: number]: number | bigint }): Uint8Array {
  const out = new Uint8Array(64);
  const v = new DataView(out.buffer);
  for (const [at, value] of Object.entries(fields)) {
    if (typeof value === "bigint") v.setBigUint64(Number(at), value, true);
    else if (Number(at) < 2) v.setUint8(Number(at), value);
    else if (Number(at) === 2) v.setUint16(2, value, true);
    else v.setUint32(Number(at), value, true);
  }
  return out;
}

/** A hypercall and its status. */
function call(g: Guest, at: number): number {
  g.card.call(at);
  return g.card.status;
}

/** Runs one entry and gives its status. */
function run(g: Guest, fields: { readonly [at: number]: number | bigint }): number {
  g.ram.write(RAM, entry(fields));
  return call(g, RAM);
}

/** Polls one completion: its 32 bytes as a view. */
function poll(g: Guest, room = 256): DataView {
  run(g, { 0: MessageOp.poll, 16: RAM + 0x100, 24: 32, 52: room, 56: RAM + 0x200 });
  return new DataView(g.ram.bytes.buffer, 0x100, 32);
}

Deno.test("commands of a guest: statuses and completions", async () => {
  const S = MessageStatus;
  const result = await play(async (g, rank) => {
    assertEquals(run(g, { 0: 0x99, 4: 1 }), S.unsupported);
    assertEquals(run(g, { 0: MessageOp.send, 4: 7 }), S.invalidHandle);
    assertEquals(call(g, 0), S.access);
    assertEquals(call(g, RAM + SIZE - 63), S.access);
    assertEquals(run(g, { 0: MessageOp.sendInline, 2: 4, 4: 1 }), S.notConnected);
    assertEquals(run(g, { 0: MessageOp.respond, 4: 1, 48: 0 }), S.badState);
    assertEquals(run(g, { 0: MessageOp.info, 16: RAM + 0x400, 24: 63 }), S.invalidArgument);
    assertEquals(run(g, { 0: MessageOp.info, 16: RAM + SIZE - 32, 24: 64 }), S.access);
    assertEquals(run(g, { 0: MessageOp.info, 16: RAM + 0x400, 24: 64 }), S.success);
    assertEquals([...new Uint32Array(g.ram.bytes.buffer, 0x400, 4)], [0, 2, 0, 1]);
    assertEquals(run(g, { 0: MessageOp.connect, 4: 1, 8: 0x1234n }), S.success);
    assertEquals(run(g, { 0: MessageOp.connect, 4: 1 }), S.badState);
    await rank.advance(1e5);
    let c = poll(g);
    assertEquals([c.getUint8(0), c.getUint8(1), c.getBigUint64(8, true)], [CompletionType.connected, 0, 0x1234n]);
    assertEquals(poll(g).getUint8(0), 0);
    // Registration, and pieces outside it.
    assertEquals(run(g, { 0: MessageOp.register, 16: RAM + 0x1000, 24: 0x100000 }), S.access);
    assertEquals(run(g, { 0: MessageOp.register, 16: RAM + 0x1000, 24: 0x100 }), S.success);
    const handle = poll(g).getUint32(20, true);
    assertEquals(run(g, { 0: MessageOp.send, 4: 1, 16: RAM + 0x1001, 24: 0x100, 28: handle }), S.access);
    assertEquals(run(g, { 0: MessageOp.send, 4: 1, 16: RAM + 0x1000, 24: 0x100, 28: handle + 1 }), S.invalidHandle);
    const sent = { 0: MessageOp.send, 1: SubmitFlag.signal, 4: 1, 8: 5n, 16: RAM + 0x1080, 24: 0x80, 28: handle };
    g.ram.bytes.fill(0x11, 0x1080, 0x1100);
    assertEquals(run(g, sent), S.success);
    c = poll(g);
    assertEquals([c.getUint8(0), c.getBigUint64(8, true)], [CompletionType.done, 5n]);
    // Completions without data go first: the published buffer. Then messages.
    await rank.advance(1e5);
    c = poll(g);
    assertEquals([c.getUint8(0), c.getUint32(16, true)], [CompletionType.published, 64]);
    // A message that is too long for the buffer, and one that fits.
    const published = new DataView(g.ram.bytes.slice(0x100, 0x120).buffer);
    c = poll(g, 3);
    assertEquals([c.getUint8(0), c.getUint8(1), c.getUint32(16, true)], [CompletionType.recv, 7, 5]);
    c = poll(g, 64);
    assertEquals([c.getUint8(1), c.getUint32(16, true), g.ram.bytes[0x200]], [0, 2, 0x22]);
    // Put with notify, then a get behind a fence.
    const remote = published.getBigUint64(24, true);
    const put = { 0: MessageOp.put, 1: 3, 4: 1, 8: 1n, 16: RAM + 0x1080, 24: 64, 28: handle, 32: remote };
    const get = { ...put, 0: MessageOp.get, 1: 7, 8: 2n, 16: RAM + 0x1000 };
    assertEquals(run(g, put), S.success);
    assertEquals(run(g, get), S.success); // held by the fence
    assertEquals(run(g, { ...put, 32: remote + 1n }), S.success); // behind it; refused when its turn comes
    await rank.advance(1e5);
    const order = [poll(g), poll(g), poll(g)].map((v) => [v.getUint8(0), v.getUint8(1), v.getBigUint64(8, true)]);
    assertEquals(order.length, 3);
    assert(g.ram.bytes.subarray(0x1000, 0x1040).every((b) => b === 0x11));
    return true;
  }, async (rank) => {
    await rank.until(() => rank.to(0).isConnected);
    assertEquals((await rank.receive()).data, new Uint8Array(0x80).fill(0x11));
    rank.to(0).sendInline(new Uint8Array(5));
    rank.to(0).sendInline(Uint8Array.of(0x22, 0x22));
    rank.to(0).publish(rank.register(new Uint8Array(64)), { context: 3 });
    await rank.advance(1e6);
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
});

Deno.test("random entries never touch memory outside, throw, or disturb the peer", async () => {
  const result = await play(async (g, rank) => {
    const prng = new Prng(4711);
    const word = (): number =>
      prng.pick([
        prng.u32(),
        RAM + prng.below(SIZE),
        prng.below(64),
        RAM + SIZE - prng.below(70),
        0xffffffff - prng.below(64),
        1,
      ]);
    const ops = Object.values(MessageOp).filter((op) =>
      op !== MessageOp.exit && op !== MessageOp.abort && op !== MessageOp.finalize
    );
    run(g, { 0: MessageOp.connect, 4: 1 });
    await rank.advance(1e5);
    for (let i = 0; i < 6000; i++) {
      const bytes = prng.below(4) === 0 ? prng.bytes(64) : new Uint8Array(64);
      const v = new DataView(bytes.buffer);
      bytes[0] = prng.below(20) === 0 ? prng.u32() : prng.pick(ops);
      if (bytes[0] === MessageOp.finalize || bytes[0] === MessageOp.exit) bytes[0] = 0;
      // A lonely collective would only pile up messages: one of them is enough.
      if (bytes[0] >= 0x50 && bytes[0] <= 0x57 && i > 300) continue;
      bytes[1] = prng.u32();
      for (const at of [4, 16, 24, 28, 32, 40, 48, 52, 56]) if (prng.below(3) !== 0) v.setUint32(at, word(), true);
      if (prng.below(2) === 0) v.setUint32(4, prng.below(2), true);
      g.ram.write(RAM, bytes);
      const status = call(g, prng.below(30) === 0 ? word() : RAM);
      assert(status === 0 || status >>> 31 === 1, `status ${status}`);
      if (i % 50 === 0) await rank.advance(1000);
      if (i % 7 === 0) poll(g);
    }
    return g.ram.bytes.length;
  }, async (rank) => {
    rank.onMessage(() => "done");
    await rank.until(() => false, 5e5);
    return "well";
  }).run();
  assertEquals(result.ranks.map((r) => [r.state, r.error, r.value]), [["done", undefined, SIZE], [
    "done",
    undefined,
    "well",
  ]]);
});

Deno.test("a full completion ring stops the adapter; nothing is dropped, and all comes in order", async () => {
  const count = 20;
  const result = await play(async (g, rank) => {
    const { adapter } = g.card;
    const [sq, cq] = [RAM, RAM + 0x1000];
    g.card.pci.changed(Uint8Array.from({ length: 256 }, (_, i) => i === 4 ? 6 : 0));
    adapter.write(AdapterRegister.sqBase, sq);
    adapter.write(AdapterRegister.sqLog2, 5);
    adapter.write(AdapterRegister.cqBase, cq);
    adapter.write(AdapterRegister.cqLog2, 2); // four entries, of which three can be full
    adapter.write(AdapterRegister.control, 1);
    for (let i = 0; i < count; i++) {
      g.ram.write(sq + 64 * i, entry({ 0: MessageOp.init, 1: SubmitFlag.signal, 8: BigInt(100 + i) }));
    }
    adapter.doorbell(AdapterDoorbell.sqTail, count);
    const seen: number[] = [];
    let [head, phase] = [0, 1];
    const view = new DataView(g.ram.bytes.buffer, 0x1000, 128);
    const take = (): void => {
      while ((view.getUint16(32 * head + 2, true) & 1) === phase && seen.length < count) {
        seen.push(Number(view.getBigUint64(32 * head + 8, true)) - 100);
        head = (head + 1) & 3;
        if (head === 0) phase ^= 1;
      }
    };
    take();
    assertEquals(seen, [0, 1, 2]); // the ring was full
    await rank.advance(1e6);
    take();
    assertEquals(seen.length, 3); // and stays so
    while (seen.length < count) {
      adapter.doorbell(AdapterDoorbell.cqHead, head);
      take();
    }
    assertEquals(seen, Array.from({ length: count }, (_, i) => i));
    assertEquals(adapter.read(AdapterRegister.status), 3); // ready, link up
  }, async (rank) => await rank.advance(0)).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
});

Deno.test("a guest that takes no completions is stopped, and none is lost", async () => {
  const most = 65536;
  const result = await play((g) => {
    const at = RAM + 0x4000;
    g.ram.write(at, entry({ 0: MessageOp.init, 1: SubmitFlag.signal }));
    let posted = 0;
    while (posted < 2 * most && call(g, at) === MessageStatus.success) posted++;
    assertEquals([posted, g.card.status], [most, MessageStatus.noResource]);
    // Polling goes on, and makes room.
    g.ram.write(at + 64, entry({ 0: MessageOp.poll, 16: BigInt(at + 128), 24: 32 }));
    assertEquals(call(g, at + 64), MessageStatus.success);
    assertEquals(g.ram.bytes[0x4000 + 128], CompletionType.done);
    assertEquals([call(g, at), call(g, at)], [MessageStatus.success, MessageStatus.noResource]);
    // Rings: the device takes no more commands until the guest has taken completions.
    const { adapter } = g.card;
    const cq = RAM + 0x1000;
    g.card.pci.changed(Uint8Array.from({ length: 256 }, (_, i) => i === 4 ? 6 : 0));
    adapter.write(AdapterRegister.sqBase, RAM);
    adapter.write(AdapterRegister.sqLog2, 2);
    adapter.write(AdapterRegister.cqBase, cq);
    adapter.write(AdapterRegister.cqLog2, 8);
    adapter.write(AdapterRegister.control, 1);
    for (let i = 0; i < 4; i++) g.ram.write(RAM + 64 * i, entry({ 0: MessageOp.init, 1: SubmitFlag.signal, 8: 7n }));
    let tail = 0;
    while (adapter.read(AdapterRegister.sqHead) === tail) {
      tail = (tail + 1) & 3;
      adapter.doorbell(AdapterDoorbell.sqTail, tail);
      if (++posted > 2 * most) break;
    }
    assertEquals(posted, most + 255 + 1); // what the ring took, and one that waits
    const view = new DataView(g.ram.bytes.buffer, 0x1000, 32 * 256);
    let [head, phase, seen] = [0, 1, 0];
    for (let turn = 0; turn < 1000; turn++) {
      for (; (view.getUint16(32 * head + 2, true) & 1) === phase && seen <= posted; seen++) {
        head = (head + 1) & 255;
        if (head === 0) phase ^= 1;
      }
      adapter.doorbell(AdapterDoorbell.cqHead, head);
    }
    assertEquals([seen, adapter.read(AdapterRegister.sqHead)], [posted, tail]);
    return Promise.resolve();
  }, async (rank) => await rank.advance(0)).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
});

Deno.test("a full submission ring is taken whole; tails beyond it wrap and lie about nothing", async () => {
  const result = await play(async (g, rank) => {
    const { adapter } = g.card;
    g.card.pci.changed(Uint8Array.from({ length: 256 }, (_, i) => i === 4 ? 6 : 0));
    adapter.write(AdapterRegister.sqBase, RAM);
    adapter.write(AdapterRegister.sqLog2, 2);
    adapter.write(AdapterRegister.cqBase, RAM + 0x1000);
    adapter.write(AdapterRegister.cqLog2, 6);
    adapter.write(AdapterRegister.control, 1);
    for (let i = 0; i < 4; i++) {
      g.ram.write(RAM + 64 * i, entry({ 0: MessageOp.init, 1: SubmitFlag.signal, 8: BigInt(i) }));
    }
    for (const tail of [3, 2, 0xffffffff, 0x7ffffffd]) adapter.doorbell(AdapterDoorbell.sqTail, tail);
    const view = new DataView(g.ram.bytes.buffer, 0x1000);
    const seen: number[] = [];
    for (let at = 0; view.getUint8(at) === CompletionType.done; at += 32) {
      seen.push(Number(view.getBigUint64(at + 8, true)));
    }
    // Tail 3; on to 2, around; to 3; on to 1, around.
    assertEquals(seen, [0, 1, 2, 3, 0, 1, 2, 3, 0]);
    assertEquals(adapter.read(AdapterRegister.sqHead), 1);
    await rank.advance(0);
  }, async (rank) => await rank.advance(0)).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined]);
});

Deno.test("random register writes and doorbells leave the adapter resettable", async () => {
  const result = await play(async (g, rank) => {
    const prng = new Prng(99);
    const registers = Object.values(AdapterRegister);
    for (let i = 0; i < 4000; i++) {
      const value = prng.pick([prng.u32(), RAM + prng.below(SIZE), prng.below(20), 5]);
      if (prng.below(3) === 0) g.card.adapter.doorbell(prng.pick([0, 0x10, 0x20, 0x30]), value);
      else g.card.adapter.write(prng.pick(registers), value);
      const read = g.card.adapter.read(prng.below(64) * 4);
      assert(Number.isInteger(read) && read >= 0 && read < 2 ** 32, `${read}`);
      if (i % 40 === 0) await rank.advance(1000);
      if (i % 100 === 0) g.ram.bytes.set(prng.bytes(4096), prng.below(SIZE - 4096));
    }
    g.card.adapter.write(AdapterRegister.control, 2);
    return g.card.adapter.read(AdapterRegister.status);
  }, async (rank) => {
    rank.onMessage(() => "done");
    await rank.until(() => false, 5e5);
  }).run();
  assertEquals(result.ranks.map((r) => [r.error, r.value]), [[undefined, 3], [undefined, undefined]]);
});

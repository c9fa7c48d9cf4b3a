import { assert, assertEquals, assertFalse } from "../../../scripts/deps/std.ts";
import { pic8259 } from "../../../lib/device/pic8259.ts";
import type { Pic8259 } from "../../../lib/device/pic8259.ts";
import { FakeHost } from "./fake_host.ts";

function started(icw4 = 1): [FakeHost, Pic8259] {
  const host = new FakeHost();
  const pic = host.add(pic8259());
  for (const [port, base, wire] of [[0x20, 0x20, 4], [0xa0, 0x28, 2]] as const) {
    host.out(port, 0x11);
    host.out(port + 1, base);
    host.out(port + 1, wire);
    host.out(port + 1, icw4);
    host.out(port + 1, 0);
  }
  return [host, pic];
}

Deno.test("pic8259: priority, nesting and end of interrupt", () => {
  const [host, pic] = started();
  pic.line(4).set(true);
  assertEquals(pic.acknowledge(), 0x24);
  pic.line(5).set(true);
  assertFalse(pic.pending);
  pic.line(1).set(true);
  assertEquals(pic.acknowledge(), 0x21);
  host.out(0x20, 0x0b);
  assertEquals(host.in(0x20), 0x12);
  host.out(0x20, 0x20);
  host.out(0x20, 0x20);
  assertEquals(pic.acknowledge(), 0x25);
});

Deno.test("pic8259: cascade and spurious vectors", () => {
  const [host, pic] = started();
  pic.line(12).set(true);
  assertEquals(pic.acknowledge(), 0x2c);
  host.out(0xa0, 0x20);
  host.out(0x20, 0x20);
  assertFalse(pic.pending);
  pic.line(3).set(true);
  pic.line(3).set(false);
  assertFalse(pic.pending);
  assertEquals(pic.acknowledge(), 0x27);
});

Deno.test("pic8259: edge needs a new edge, ELCR makes it level", () => {
  const [host, pic] = started(3);
  pic.line(5).set(true);
  assertEquals(pic.acknowledge(), 0x25);
  assertFalse(pic.pending);
  pic.line(5).set(false);
  host.out(0x4d0, 0xff);
  assertEquals(host.in(0x4d0), 0xf8);
  pic.line(5).set(true);
  assertEquals(pic.acknowledge(), 0x25);
  assert(pic.pending);
  pic.line(5).set(false);
  assertFalse(pic.pending);
});

Deno.test("pic8259: special mask, rotation and poll", () => {
  const [host, pic] = started();
  pic.line(1).set(true);
  pic.acknowledge();
  pic.line(6).set(true);
  assertFalse(pic.pending);
  host.out(0x21, 0x02);
  host.out(0x20, 0x68);
  assert(pic.pending);
  host.out(0x20, 0x48);
  host.out(0x21, 0);
  host.out(0x20, 0xe1); // rotate on specific EOI 1: line 1 is lowest now
  host.out(0x20, 0x0c);
  assertEquals(host.in(0x20), 0x86);
});

Deno.test("pic8259: state survives save and load", () => {
  const [host, pic] = started();
  pic.line(9).set(true);
  pic.acknowledge();
  host.out(0x21, 0x55);
  const other = new FakeHost();
  const copy = other.add(pic8259());
  copy.load(pic.save());
  assertEquals(copy.save(), pic.save());
  assertEquals(other.in(0x21), 0x55);
});

Deno.test("pic8259: automatic end of interrupt takes priority round, rotating or not", () => {
  const [host, pic] = started(3);
  const order = (): number[] => {
    for (const n of [1, 4, 6]) {
      pic.line(n).set(false);
      pic.line(n).set(true);
    }
    return [pic.acknowledge(), pic.acknowledge(), pic.acknowledge()].map((v) => v & 7);
  };
  assertEquals(order(), [1, 4, 6]);
  assertFalse(pic.pending);
  host.out(0x20, 0x0b);
  assertEquals(host.in(0x20), 0, "nothing stays in service");
  assertEquals(order(), [1, 4, 6], "fixed priority");
  host.out(0x20, 0x80); // rotate in automatic end of interrupt mode
  pic.line(4).set(false);
  pic.line(4).set(true);
  assertEquals(pic.acknowledge() & 7, 4);
  assertEquals(order(), [6, 1, 4], "4 was served last, so 5 is first");
  assertEquals(order(), [6, 1, 4], "again after 4");
  host.out(0x20, 0x00); // rotation off: the order stays as it is now
  assertEquals(order(), [6, 1, 4]);
  host.out(0x20, 0xc7); // line 7 is lowest
  assertEquals(order(), [1, 4, 6]);
});

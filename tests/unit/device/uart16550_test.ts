import { assert, assertEquals, assertFalse, assertThrows } from "../../../scripts/deps/std.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { uart16550 } from "../../../lib/device/uart16550.ts";
import { FakeHost } from "./fake_host.ts";

Deno.test("uart16550: instant transmit delivers and raises a fresh edge each byte", () => {
  const host = new FakeHost();
  const sent: number[] = [];
  host.add(uart16550({ onByte: (b) => sent.push(b) }));
  host.out(0x3fc, 8);
  host.out(0x3f9, 2);
  assert(host.levels[4]);
  assertEquals(host.in(0x3fa), 2);
  assertFalse(host.levels[4] ?? true);
  host.out(0x3f8, 65);
  host.out(0x3f8, 66);
  assertEquals(sent, [65, 66]);
  assertEquals(host.edges[4], 3);
  assertEquals(host.in(0x3fd), 0x60);
});

Deno.test("uart16550: FIFO trigger level and timeout", () => {
  const host = new FakeHost(1_000_000);
  const uart = host.add(uart16550());
  host.out(0x3fc, 8);
  host.out(0x3fa, 0x81);
  host.out(0x3f9, 1);
  uart.feed(new Uint8Array([1, 2, 3]));
  host.run(2);
  assertEquals(host.in(0x3fa) & 15, 1);
  host.run(100_000);
  assertEquals(host.in(0x3fa), 0xcc);
  assertEquals([host.in(0x3f8), host.in(0x3f8), host.in(0x3f8)], [1, 2, 3]);
  assertFalse(host.levels[4] ?? true);
  uart.feed(new Uint8Array(20).fill(7));
  host.run(2);
  assertEquals(host.in(0x3fa), 0xc4);
  assertEquals(uart.waiting, 4);
});

Deno.test("uart16550: baud timing holds the transmitter", () => {
  const host = new FakeHost(1_152_000);
  const sent: number[] = [];
  host.add(uart16550({ timing: "baud", onByte: (b) => sent.push(b) }));
  host.out(0x3fb, 0x83);
  host.out(0x3f8, 1);
  host.out(0x3f9, 0);
  host.out(0x3fb, 3);
  host.out(0x3f8, 9);
  host.out(0x3f8, 8);
  assertEquals(host.in(0x3fd) & 0x60, 0);
  host.run(100);
  assertEquals(sent, [9]);
  assertEquals(host.in(0x3fd) & 0x60, 0x20);
  host.run(100);
  assertEquals(sent, [9, 8]);
  assertEquals(host.in(0x3fd) & 0x60, 0x60);
});

Deno.test("uart16550: loopback of data and modem lines", () => {
  const host = new FakeHost();
  host.add(uart16550());
  host.out(0x3fc, 0x1a);
  assertEquals(host.in(0x3fe) & 0xf0, 0x90);
  assertEquals(host.in(0x3fe) & 0x0f, 0);
  host.out(0x3f8, 0x5a);
  assertEquals(host.in(0x3fd) & 1, 1);
  assertEquals(host.in(0x3f8), 0x5a);
});

Deno.test("uart16550: queue is bounded; state survives save and load", () => {
  const host = new FakeHost();
  const uart = host.add(uart16550({ queue: 8 }));
  const e = assertThrows(() => uart.feed(new Uint8Array(9)), ConfigError);
  assertEquals(e.code, "uart-queue");
  uart.feed(new Uint8Array([1, 2, 3]));
  host.run(5);
  const copy = new FakeHost().add(uart16550());
  copy.load(uart.save());
  assertEquals(copy.save(), uart.save());
  assertThrows(() => copy.load({ version: 9, fields: {} }), ConfigError);
});

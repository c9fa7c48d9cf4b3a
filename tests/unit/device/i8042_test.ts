import { assert, assertEquals, assertFalse } from "../../../scripts/deps/std.ts";
import { i8042 } from "../../../lib/device/i8042.ts";
import { debugConsole, port92, postCode } from "../../../lib/device/small_ports.ts";
import { FakeHost } from "./fake_host.ts";

function drain(host: FakeHost): number[] {
  const bytes: number[] = [];
  while ((host.in(0x64) & 1) !== 0) bytes.push(host.in(0x60));
  return bytes;
}

Deno.test("i8042: keys arrive translated or as set 2, with interrupts", () => {
  const host = new FakeHost();
  const kbd = host.add(i8042());
  kbd.key(0x1e, true);
  kbd.key(0x1e, false);
  kbd.key(0xe048, true);
  assert(host.levels[1]);
  assertEquals(drain(host), [0x1e, 0x9e, 0xe0, 0x48]);
  assertFalse(host.levels[1] ?? true);
  assertEquals(host.edges[1], 4);
  host.out(0x64, 0x60);
  host.out(0x60, 1);
  kbd.key(0x1e, true);
  kbd.key(0x1e, false);
  assertEquals(drain(host), [0x1c, 0xf0, 0x1c]);
  for (let i = 0; i < 1000; i++) kbd.key(0x1e, true);
  assertEquals(drain(host).length, 65);
});

Deno.test("i8042: self-test, keyboard and mouse reset, reset line and A20", () => {
  const host = new FakeHost();
  const kbd = host.add(i8042());
  host.out(0x64, 0xaa);
  assertEquals(drain(host), [0x55]);
  host.out(0x60, 0xff);
  assertEquals(drain(host), [0xfa, 0xaa]);
  host.out(0x64, 0xa8);
  host.out(0x64, 0xd4);
  host.out(0x60, 0xf2);
  assertEquals(host.in(0x64) & 0x21, 0x21);
  assertEquals(drain(host), [0xfa, 0]);
  host.out(0x64, 0xd1);
  host.out(0x60, 0xdd);
  assertFalse(host.a20);
  host.out(0x64, 0xfe);
  assertEquals(host.requests, ["reset"]);
  const copy = new FakeHost().add(i8042());
  kbd.key(3, true);
  copy.load(kbd.save());
  assertEquals(copy.save(), kbd.save());
});

Deno.test("i8042: a storm of writes neither throws nor grows", () => {
  const host = new FakeHost();
  const kbd = host.add(i8042());
  for (let i = 0; i < 20000; i++) host.out(i % 3 === 0 ? 0x64 : 0x60, (i * 7919) >> 3 & 0xff);
  assert(JSON.stringify(kbd.save()).length < 4000);
});

Deno.test("port92, debugConsole, postCode", () => {
  const host = new FakeHost();
  const text: number[] = [];
  host.add(port92());
  host.add(debugConsole({ onByte: (b) => text.push(b) }));
  host.add(postCode());
  host.out(0x92, 0);
  assertFalse(host.a20);
  host.out(0x92, 1);
  host.out(0x92, 1);
  assertEquals(host.requests, ["reset"]);
  host.out(0xe9, 72);
  assertEquals([text, host.in(0xe9)], [[72], 0xe9]);
  host.out(0x80, 0x42);
  assertEquals(host.in(0x80), 0x42);
});

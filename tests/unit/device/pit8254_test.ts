import { assert, assertEquals, assertFalse } from "../../../scripts/deps/std.ts";
import { pit8254, PIT_HZ } from "../../../lib/device/pit8254.ts";
import { scaledTime } from "../../../lib/device/scaled_time.ts";
import { FakeHost } from "./fake_host.ts";

function load(host: FakeHost, counter: number, control: number, count: number): void {
  host.out(0x43, (counter << 6) | 0x30 | control);
  host.out(0x40 + counter, count & 0xff);
  host.out(0x40 + counter, count >> 8);
}

function read(host: FakeHost, counter: number): number {
  host.out(0x43, counter << 6);
  return host.in(0x40 + counter) | (host.in(0x40 + counter) << 8);
}

Deno.test("scaledTime: tick is the first at which the cycle has begun", () => {
  const t = scaledTime(100_000_007, PIT_HZ);
  for (const c of [0, 1, 2, 17, PIT_HZ - 1, PIT_HZ, 12345678901]) {
    const tick = t.tick(c);
    assertEquals(t.cycles(tick), c);
    if (tick > 0) assertEquals(t.cycles(tick - 1), c - 1);
  }
});

Deno.test("pit8254: mode 2 interrupts exactly 1193182/n times a second without drift", () => {
  const host = new FakeHost(100_000_000);
  host.add(pit8254());
  load(host, 0, 4, 11932);
  host.run(100_000_000 * 20);
  assertEquals(host.edges[0], 1 + Math.floor(20 * PIT_HZ / 11932));
});

Deno.test("pit8254: mode 3 keeps its period, on a clock slower than its crystal as well", () => {
  const host = new FakeHost(1_000_000);
  host.add(pit8254());
  load(host, 0, 6, 1000);
  host.run(1_000_000);
  assertEquals(host.edges[0], 1 + Math.floor((PIT_HZ - 1) / 1000));
});

Deno.test("pit8254: modes 0 and 4 fire once", () => {
  const host = new FakeHost(PIT_HZ);
  host.add(pit8254());
  load(host, 0, 0, 100);
  host.run(50);
  assertFalse(host.levels[0] ?? false);
  assertEquals(read(host, 0), 51);
  host.run(51);
  assert(host.levels[0]);
  load(host, 0, 8, 100);
  assert(host.levels[0]);
  host.run(101);
  assertFalse(host.levels[0] ?? true);
  host.run(1);
  assert(host.levels[0]);
});

Deno.test("pit8254: counter 2 gate, output and modes 1 and 5 through port 0x61", () => {
  const host = new FakeHost(PIT_HZ);
  host.add(pit8254());
  for (const [mode, during, after] of [[0, 0, 0x20], [1, 0, 0x20], [5, 0x20, 0x20]] as const) {
    host.out(0x61, 0);
    load(host, 2, mode << 1, 500);
    host.run(600);
    assertEquals(host.in(0x61) & 0x20, mode === 0 ? 0 : 0x20);
    host.out(0x61, 1);
    host.run(100);
    assertEquals(host.in(0x61) & 0x20, during);
    host.run(500);
    assertEquals(host.in(0x61) & 0x20, after);
  }
});

Deno.test("pit8254: read-back and BCD", () => {
  const host = new FakeHost(PIT_HZ);
  host.add(pit8254());
  load(host, 0, 5, 0x1000);
  host.run(2);
  host.out(0x43, 0xc2);
  assertEquals(host.in(0x40), 0x80 | 0x30 | 5);
  assertEquals(host.in(0x40), 0x99);
  assertEquals(host.in(0x40), 0x09);
});

Deno.test("pit8254: state survives save and load", () => {
  const a = new FakeHost(PIT_HZ);
  const pit = a.add(pit8254());
  load(a, 0, 4, 1234);
  a.run(5000);
  const b = new FakeHost(PIT_HZ);
  const copy = b.add(pit8254());
  copy.load(pit.save());
  b.clock.load(a.clock.save());
  b.edges[0] = a.edges[0] ?? 0;
  a.run(99999);
  b.run(99999);
  assertEquals(copy.save(), pit.save());
  assertEquals(b.edges[0], a.edges[0]);
});

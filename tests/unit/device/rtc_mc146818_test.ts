import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { rtcMc146818 } from "../../../lib/device/rtc_mc146818.ts";
import { FakeHost } from "./fake_host.ts";

function get(host: FakeHost, i: number): number {
  host.out(0x70, i);
  return host.in(0x71);
}

function set(host: FakeHost, i: number, value: number): void {
  host.out(0x70, i);
  host.out(0x71, value);
}

Deno.test("rtcMc146818: calendar rolls over a leap day", () => {
  const host = new FakeHost(1000);
  host.add(rtcMc146818({ start: "2000-02-28T23:59:58" }));
  assertEquals([9, 8, 7, 4, 2, 0].map((i) => get(host, i)), [0, 2, 0x28, 0x23, 0x59, 0x58]);
  host.run(2000);
  assertEquals([0x32, 9, 8, 7, 4, 2, 0].map((i) => get(host, i)), [0x20, 0, 2, 0x29, 0, 0, 0]);
  assertEquals(get(host, 6), 3);
  host.run(86400 * 1000);
  assertEquals([8, 7].map((i) => get(host, i)), [3, 1]);
});

Deno.test("rtcMc146818: setting the time in binary and 12-hour form", () => {
  const host = new FakeHost(1000);
  host.add(rtcMc146818());
  set(host, 11, 0x84);
  set(host, 4, 0x80 | 11);
  set(host, 9, 38);
  set(host, 11, 0x04);
  assertEquals([get(host, 4), get(host, 9)], [0x8b, 38]);
  set(host, 11, 0x02);
  assertEquals([get(host, 4), get(host, 9)], [0x23, 0x38]);
});

Deno.test("rtcMc146818: update and alarm interrupts, UIP", () => {
  const host = new FakeHost(100_000);
  host.add(rtcMc146818({ start: "2010-01-01T10:00:00" }));
  set(host, 1, 0x02);
  set(host, 3, 0xff);
  set(host, 5, 0xff);
  set(host, 11, 0x22);
  get(host, 12);
  host.run(199_990);
  assertEquals(get(host, 10) & 0x80, 0x80);
  assertEquals(host.edges[8], undefined);
  host.run(10);
  assert(host.levels[8]);
  assertEquals(get(host, 10) & 0x80, 0);
  assertEquals(get(host, 12) & 0xb0, 0xb0);
});

Deno.test("rtcMc146818: 1024 periodic interrupts a second", () => {
  const host = new FakeHost(1_000_000);
  host.add(rtcMc146818());
  set(host, 11, 0x42);
  let n = 0;
  for (let t = 0; t < 1_000_000; t += 100) {
    host.run(100);
    if (host.levels[8]) {
      n++;
      get(host, 12);
    }
  }
  assert(n === 1024 || n === 1023, `${n}`);
});

Deno.test("rtcMc146818: CMOS sizes, bad date, save and load", () => {
  const host = new FakeHost();
  const rtc = host.add(rtcMc146818({ memory: 64 << 20, cmos: { 0x3d: 0x21 } }));
  assertEquals(get(host, 0x15) | (get(host, 0x16) << 8), 640);
  assertEquals(get(host, 0x34) | (get(host, 0x35) << 8), 768);
  assertEquals(get(host, 0x3d), 0x21);
  assertThrows(() => rtcMc146818({ start: "yesterday" }), ConfigError);
  host.run(12345);
  const copy = new FakeHost().add(rtcMc146818());
  copy.load(rtc.save());
  assertEquals(copy.save(), rtc.save());
});

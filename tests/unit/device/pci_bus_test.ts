import { assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { i440fx } from "../../../lib/device/i440fx.ts";
import { pciBus, pciConfig } from "../../../lib/device/pci_bus.ts";
import { piix3Isa } from "../../../lib/device/piix3_isa.ts";
import { FakeHost } from "./fake_host.ts";

function select(host: FakeHost, device: number, at: number): void {
  host.out(0xcf8, (0x80000000 | (device << 11) | (at & 0xfc)) >>> 0, 32);
}

Deno.test("pciBus: identity, absent functions, address sizing and mapping", () => {
  const host = new FakeHost();
  const bus = pciBus();
  bus.add(0, 0, i440fx());
  const seen: number[] = [];
  const ports = { read: (port: number): number => port & 0xff, write: (port: number): void => void seen.push(port) };
  bus.add(3, 0, {
    name: "card",
    ...pciConfig({ vendor: 1, device: 2, classCode: 0x020000, pin: 1 }),
    bars: [{ kind: "port", size: 32, handler: ports }],
  });
  assertThrows(() => bus.add(0, 0, i440fx()), ConfigError);
  host.add(bus);
  select(host, 0, 0);
  assertEquals(host.in(0xcfc, 32), 0x12378086);
  select(host, 9, 0);
  assertEquals(host.in(0xcfc, 32), 0xffffffff);
  select(host, 3, 0x10);
  host.out(0xcfc, 0xffffffff, 32);
  assertEquals(host.in(0xcfc, 32), 0xffffffe1);
  host.out(0xcfc, 0xc000, 32);
  select(host, 3, 4);
  host.out(0xcfc, 1, 16);
  assertEquals(host.in(0xc005), 5);
  const copyHost = new FakeHost();
  const copy = pciBus();
  copy.add(0, 0, i440fx());
  copy.add(3, 0, {
    name: "card",
    ...pciConfig({ vendor: 1, device: 2, classCode: 0x020000, pin: 1 }),
    bars: [{ kind: "port", size: 32, handler: ports }],
  });
  copyHost.add(copy).load(bus.save());
  assertEquals(copy.save(), bus.save());
  assertEquals(copyHost.in(0xc005), 5);
});

Deno.test("i440fx: PAM registers report shadowing", () => {
  const host = new FakeHost();
  const bus = pciBus();
  const calls: string[] = [];
  bus.add(0, 0, i440fx({ shadow: (at, size, a) => calls.push(`${at.toString(16)} ${size} ${a.read} ${a.write}`) }));
  host.add(bus);
  select(host, 0, 0x58);
  host.out(0xcfd, 0x30);
  host.out(0xcfe, 0x21);
  assertEquals(calls, ["f0000 65536 true true", "c0000 16384 true false", "c4000 16384 false true"]);
});

Deno.test("piix3Isa: routes shared pins and resets through 0xcf9", () => {
  const host = new FakeHost();
  const bus = pciBus();
  const isa = piix3Isa();
  bus.add(1, 0, isa.pci);
  host.add(isa);
  host.add(bus);
  const a = isa.pin(2, 1);
  const b = isa.pin(6, 1);
  a.set(true);
  assertEquals(host.levels[11], undefined);
  select(host, 1, 0x60);
  host.out(0xcfd, 11);
  assertEquals(host.levels[11], true);
  b.set(true);
  a.set(false);
  assertEquals(host.levels[11], true);
  b.set(false);
  assertEquals(host.levels[11], false);
  host.out(0xcf9, 2);
  host.out(0xcf9, 6);
  assertEquals(host.requests, ["reset"]);
});

Deno.test("pciBus: an expansion ROM is sized, mapped while memory and its enable bit are on, and drops writes", () => {
  const host = new FakeHost();
  const bus = pciBus();
  const rom = Uint8Array.from({ length: 3000 }, (_, i) => i);
  bus.add(2, 0, { name: "card", ...pciConfig({ vendor: 1, device: 2, classCode: 3 }), rom });
  host.add(bus);
  const config = (at: number, value: number): number => {
    host.out(0xcf8, 0x80001000 | at, 32);
    host.out(0xcfc, value, 32);
    return host.in(0xcfc, 32);
  };
  assertEquals(config(0x30, 0xfffffffe), 0xfffff000, "4 KiB, disabled");
  config(0x30, 0x90000001);
  assertEquals(host.readMmio(0x90000000), 0xffffffff, "memory is off");
  config(4, 2);
  assertEquals([host.readMmio(0x90000004), host.readMmio(0x90000bb6), host.readMmio(0x90000ffc)], [
    0x07060504,
    0xffffb7b6,
    0xffffffff,
  ]);
  host.writeMmio(0x90000004, 0);
  assertEquals(host.readMmio(0x90000004), 0x07060504);
  config(0x30, 0x90000000);
  assertEquals(host.readMmio(0x90000004), 0xffffffff);
});

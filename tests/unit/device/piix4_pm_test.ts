import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { pciBus } from "../../../lib/device/pci_bus.ts";
import { piix4Pm, PM_TIMER_HZ } from "../../../lib/device/piix4_pm.ts";
import { FakeHost } from "./fake_host.ts";

Deno.test("piix4Pm: timer counts 24 bits, S5 switches off, power button interrupts", () => {
  const host = new FakeHost(1_000_000);
  const pm = host.add(piix4Pm());
  host.run(3_000_000);
  assertEquals(host.in(0x608, 32), 3 * PM_TIMER_HZ);
  host.run(2_000_000);
  assertEquals(host.in(0x608, 32), (5 * PM_TIMER_HZ) % (1 << 24));
  host.out(0xb2, 0xf1);
  assertEquals(host.in(0x604, 16), 1);
  host.out(0x602, 0x100, 16);
  pm.pressPower();
  assert(host.levels[9]);
  host.out(0x600, 0x100, 16);
  assertEquals(host.levels[9], false);
  host.out(0x604, 0x2401, 16);
  assertEquals(host.requests, []);
  host.out(0x604, 0x2001, 16);
  assertEquals(host.requests, ["power-off"]);
  const copy = new FakeHost(1_000_000).add(piix4Pm());
  copy.load(pm.save());
  assertEquals(copy.save(), pm.save());
});

Deno.test("piix4Pm: firmware moves its ports and switches them off", () => {
  const host = new FakeHost(1_000_000);
  const pm = piix4Pm();
  const bus = pciBus();
  bus.add(1, 3, pm.pci);
  host.add(pm);
  host.add(bus);
  const config = (at: number, value: number): void => {
    host.out(0xcf8, 0x80000b00 | at, 32);
    host.out(0xcfc, value, 32);
  };
  host.out(0x602, 0x120, 16);
  config(0x40, 0xb001);
  assertEquals([host.in(0x602, 16), host.in(0xb002, 16)], [0xffff, 0x120]);
  config(0x80, 0);
  assertEquals(host.in(0xb002, 16), 0xffff);
  config(0x80, 1);
  assertEquals(host.in(0xb002, 16), 0x120);
  const saved = bus.save();
  bus.reset();
  assertEquals([host.in(0x602, 16), host.in(0xb002, 16)], [0x120, 0xffff], "a reset of the bus moves them back");
  bus.load(saved);
  assertEquals(host.in(0xb002, 16), 0x120);
});

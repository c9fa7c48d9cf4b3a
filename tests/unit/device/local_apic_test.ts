import { assert, assertEquals, assertFalse } from "../../../scripts/deps/std.ts";
import { localApics } from "../../../lib/device/local_apic.ts";
import { FakeHost } from "./fake_host.ts";

Deno.test("localApics: periodic timer, priorities and end of interrupt", () => {
  const host = new FakeHost();
  const apic = host.add(localApics());
  const cpu = apic.controller(0);
  host.writeMmio(0xfee000f0, 0x1ff);
  host.writeMmio(0xfee003e0, 0xb);
  host.writeMmio(0xfee00320, 0x20040);
  host.writeMmio(0xfee00380, 1000);
  host.run(999);
  assertFalse(cpu.pending);
  assertEquals(host.readMmio(0xfee00390), 1);
  host.run(1);
  assertEquals(cpu.acknowledge(), 0x40);
  host.run(1000);
  assertFalse(cpu.pending);
  host.writeMmio(0xfee000b0, 0);
  assert(cpu.pending);
  const copy = new FakeHost().add(localApics());
  copy.load(apic.save());
  assertEquals(copy.save(), apic.save());
});

Deno.test("localApics: start-up messages reach the other CPU only", () => {
  const host = new FakeHost();
  const seen: string[] = [];
  host.add(localApics({ cpus: 2, onMessage: (cpu, what, v) => seen.push(`${cpu} ${what} ${v}`) }));
  host.writeMmio(0xfee00300, 0xc4500);
  host.writeMmio(0xfee00310, 1 << 24);
  host.writeMmio(0xfee00300, 0x4609);
  assertEquals(seen, ["1 init 0", "1 startup 9"]);
});

Deno.test("localApics: a virtual wire passes the 8259 to the first CPU until LINT0 is masked", () => {
  const host = new FakeHost();
  const pic = { pending: true, acknowledge: () => 0x33 };
  const apic = host.add(localApics({ cpus: 2, pic, virtualWire: true }));
  assertEquals([apic.controller(0).pending, apic.controller(1).pending], [true, false]);
  assertEquals(apic.controller(0).acknowledge(), 0x33);
  host.writeMmio(0xfee00350, 0x10700);
  assertFalse(apic.controller(0).pending);
  const chip = new FakeHost().add(localApics({ pic }));
  assertFalse(chip.controller(0).pending, "without, LINT0 is masked as the chip leaves it");
});

Deno.test("localApics: a periodic timer that time has jumped over goes on in step, without a storm", () => {
  const host = new FakeHost();
  const apic = host.add(localApics());
  host.writeMmio(0xfee000f0, 0x1ff);
  host.writeMmio(0xfee003e0, 0xb);
  host.writeMmio(0xfee00320, 0x20040);
  host.writeMmio(0xfee00380, 1000);
  host.clock.advance(1_000_000_500);
  host.clock.fireDue();
  assertEquals(apic.controller(0).acknowledge(), 0x40);
  assertEquals(host.readMmio(0xfee00390), 500);
  assertEquals(host.clock.nextEvent, 1_000_001_000);
});

Deno.test("localApics: INIT resets a local APIC but its number and whether it is enabled", () => {
  const host = new FakeHost();
  let current = 1;
  const apic = host.add(localApics({ cpus: 2, current: () => current }));
  host.writeMmio(0xfee000f0, 0x1ff);
  host.writeMmio(0xfee00020, 0x05000000);
  host.writeMmio(0xfee00080, 0x70);
  current = 0;
  host.writeMmio(0xfee00310, 0x05000000);
  host.writeMmio(0xfee00300, 0x4500);
  current = 1;
  const regs = [0x20, 0xf0, 0x80, 0x350].map((at) => host.readMmio(0xfee00000 + at));
  assertEquals(regs, [0x05000000, 0xff, 0, 0x10000]);
  assertEquals(apic.readMsr(1, 0x1b), [0xfee00800 | 0, 0]);
});

Deno.test("localApics: a lowest-priority message goes to the least busy CPU that accepts any", () => {
  const host = new FakeHost();
  let current = 0;
  const apic = host.add(localApics({ cpus: 4, current: () => current }));
  const ready = (): boolean[] => [0, 1, 2, 3].map((i) => apic.controller(i).pending);
  for (const [index, priority] of [0x40, 0x30, 0x20].entries()) {
    current = index;
    host.writeMmio(0xfee000f0, 0x1ff);
    host.writeMmio(0xfee00080, priority);
  }
  apic.deliver(0xff, false, 1, 0x51, false);
  assertEquals(ready(), [false, false, true, false]);
  assertEquals(apic.controller(2).acknowledge(), 0x51);
  // It is busy with that one now.
  apic.deliver(0xff, false, 1, 0x52, false);
  assertEquals(ready(), [false, true, false, false]);
});

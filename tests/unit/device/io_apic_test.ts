import { assertEquals } from "../../../scripts/deps/std.ts";
import { ioApic } from "../../../lib/device/io_apic.ts";
import { FakeHost } from "./fake_host.ts";

Deno.test("ioApic: edges, levels with remote IRR, masks; state survives save and load", () => {
  const host = new FakeHost();
  const sent: string[] = [];
  const io = host.add(ioApic({ deliver: (...m) => sent.push(m.join(" ")) }));
  const set = (pin: number, entry: number): void => {
    host.writeMmio(0xfec00000, 16 + 2 * pin);
    host.writeMmio(0xfec00010, entry);
  };
  io.line(4).set(true);
  assertEquals(sent, []);
  io.line(4).set(false);
  set(4, 0x34);
  io.line(4).set(true);
  assertEquals(sent, ["0 false 0 52 false"]);
  set(16, 0x8050);
  io.line(16).set(true);
  assertEquals(sent.length, 2);
  assertEquals(host.readMmio(0xfec00010), 0xc050);
  io.endOfInterrupt(0x50);
  assertEquals(sent.length, 3);
  io.line(16).set(false);
  io.endOfInterrupt(0x50);
  assertEquals([sent.length, host.readMmio(0xfec00010)], [3, 0x8050]);
  const copy = new FakeHost().add(ioApic({ deliver: () => {} }));
  copy.load(io.save());
  assertEquals(copy.save(), io.save());
});

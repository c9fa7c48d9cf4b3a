import { assertEquals } from "../../../scripts/deps/std.ts";
import { firmwareTables } from "../../../lib/device/firmware_tables.ts";

Deno.test("firmwareTables: pointers lead to tables whose checksums are right", () => {
  const at = 0xe0000;
  const bytes = firmwareTables({ at, cpus: 4 });
  const view = new DataView(bytes.buffer);
  const total = (from: number, n: number): number => bytes.slice(from, from + n).reduce((a, b) => a + b, 0) & 0xff;
  const name = (from: number): string => String.fromCharCode(...bytes.slice(from, from + 4));
  assertEquals([total(0, 20), total(32, 16)], [0, 0]);
  const rsdt = view.getUint32(16, true) - at;
  const fadt = view.getUint32(rsdt + 36, true) - at;
  const madt = view.getUint32(rsdt + 40, true) - at;
  const dsdt = view.getUint32(fadt + 40, true) - at;
  assertEquals([rsdt, fadt, madt, dsdt].map(name), ["RSDT", "FACP", "APIC", "DSDT"]);
  for (const t of [rsdt, fadt, madt, dsdt]) assertEquals(total(t, view.getUint32(t + 4, true)), 0);
  assertEquals(view.getUint32(fadt + 4, true), 116);
  assertEquals(view.getUint32(fadt + 76, true), 0x608);
  const mp = view.getUint32(36, true) - at;
  assertEquals([name(mp), total(mp, view.getUint16(mp + 4, true))], ["PCMP", 0]);
});

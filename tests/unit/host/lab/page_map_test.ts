import { pageMap } from "../../../../lib/host/lab/page_map.ts";
import { MiB, tiny } from "../../../../mod.ts";
import type { Machine } from "../../../../mod.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";

/** A machine with these words of memory and control registers. */
function paged(words: Readonly<Record<number, number>>, cr3: number, cr4: number): Machine {
  const m = tiny({ memory: 2 * MiB });
  for (const [at, value] of Object.entries(words)) m.physical.poke32(Number(at), value);
  m.cpu.cr3 = cr3;
  m.cpu.cr4 = cr4;
  m.cpu.cr0 = 0x8000_0001;
  return m;
}

Deno.test("pageMap says that paging is off", () => {
  const m = tiny();
  assertEquals(pageMap(m, m.cpu, 0).mode, "off");
});

Deno.test("pageMap shows directory, pages and ranges of 32-bit paging", () => {
  const m = paged(
    {
      ...{ 0x10000: 0x11007, 0x10004: 0x0040_0083, 0x10008: 0x11001, 0x10ffc: 0xffc0_0085 },
      ...{ 0x11000: 0x00003, 0x11004: 0x01003, 0x11008: 0x07003, 0x11010: 0x08001, 0x11ffc: 0x09005 },
    },
    0x10000,
    0x10,
  );
  const map = pageMap(m, m.cpu, 0);
  assertEquals([map.mode, map.span, map.entry], ["32-bit", 4 * MiB, 0]);
  assertEquals(map.directory, `Twt${".".repeat(1020)}R`);
  assertEquals(map.pages, `www.r${".".repeat(1018)}R`);
  assertEquals(map.ranges, [
    ...["00000000-00001fff -> 00000000 w", "00002000-00002fff -> 00007000 w", "00004000-00004fff -> 00008000 r"],
    "003ff000-003fffff -> 00009000 R",
  ]);
  assertEquals(pageMap(m, m.cpu, 1).ranges, ["00400000-007fffff -> 00400000 w"]);
  assertEquals(pageMap(m, m.cpu, 1023).ranges, ["ffc00000-ffffffff -> ffc00000 R"]);
  assertEquals([pageMap(m, m.cpu, 3).entry, pageMap(m, m.cpu, -1).pages], [-1, ""]);
});

Deno.test("pageMap takes a directory entry with bit 7 for a table when large pages are off", () => {
  const m = paged({ 0x10000: 0x11083, 0x11000: 0x05003 }, 0x10000, 0);
  assertEquals(pageMap(m, m.cpu, 0).directory[0], "t");
  assertEquals(pageMap(m, m.cpu, 0).ranges, ["00000000-00000fff -> 00005000 w"]);
});

Deno.test("pageMap shows the four directories of PAE", () => {
  const m = paged(
    { 0x10020: 0x11001, 0x10038: 0x12001, 0x11000: 0x0020_0087, 0x12008: 0x13003, 0x13008: 0x4007 },
    0x10020,
    0x20,
  );
  const map = pageMap(m, m.cpu, 3 * 512 + 1);
  assertEquals([map.mode, map.span, map.directory.length], ["PAE", 2 * MiB, 2048]);
  assertEquals([map.directory[0], map.directory[1537], map.directory.replaceAll(".", "")], ["W", "t", "Wt"]);
  assertEquals(map.ranges, ["c0201000-c0201fff -> 00004000 W"]);
  assertEquals(pageMap(m, m.cpu, 0).ranges, ["00000000-001fffff -> 00200000 W"]);
});

Deno.test("pageMap bears page tables outside memory, and full of anything", () => {
  const m = paged({}, 0xffff_f000, 0x30);
  assertEquals(pageMap(m, m.cpu, 5).directory.length, 2048);
  m.cpu.cr4 = 0;
  assertEquals(pageMap(m, m.cpu, 5).directory.length, 1024);
  for (let at = 0x10000; at < 0x12000; at += 4) m.physical.poke32(at, Math.imul(at, 0x9e3779b1) | 1);
  m.cpu.cr3 = 0x10000;
  for (let entry = 0; entry < 1024; entry += 37) assertEquals(pageMap(m, m.cpu, entry).directory.length, 1024);
});

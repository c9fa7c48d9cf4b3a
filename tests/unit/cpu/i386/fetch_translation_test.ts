/** Translations of instruction fetches are remembered as a TLB would: over CR3 writes if the page is global. */
import { interpreter } from "../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { Layout } from "../../../../lib/cpu/i386/state.ts";
import { Cr0, Cr4 } from "../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { MODES, Rig, setMode } from "./rig.ts";

const DIRECTORY = 0x1000, TABLE = 0x2000, PRESENT = 3, GLOBAL = 0x100, LARGE = 0x80;

/** Linear page 4 is local, page 5 global; the second 4 MiB are a large page. */
function paged(): Rig {
  const rig = new Rig(interpreter), { cpu, space } = rig;
  setMode(cpu, MODES[0]);
  space.write(DIRECTORY, TABLE | PRESENT, 32);
  space.write(DIRECTORY + 4, LARGE | PRESENT, 32);
  map(rig, 4, 0x8000);
  map(rig, 5, 0x9000 | GLOBAL);
  cpu.state.set(Layout.cr3, DIRECTORY);
  cpu.state.set(Layout.cr4, Cr4.pge | Cr4.pse);
  cpu.state.set(Layout.cr0, cpu.state.get(Layout.cr0) | Cr0.pg);
  cpu.flushTlb(true);
  return rig;
}

function map({ space }: Rig, page: number, entry: number): void {
  space.write(TABLE + 4 * page, entry | PRESENT, 32);
}

Deno.test("LinearAccess.fetchPage(): a CR3 write forgets local pages, global ones stay until INVLPG", () => {
  const rig = paged(), { cpu } = rig;
  const both = (): number[] => [cpu.mem.fetchPage(0x4000), cpu.mem.fetchPage(0x5000)];
  assertEquals(both(), [0x8000, 0x9000]);
  assertEquals([cpu.mem.isLocalFetch(0x4000), cpu.mem.isLocalFetch(0x5000)], [true, false]);
  map(rig, 4, 0xa000);
  map(rig, 5, 0xb000 | GLOBAL);
  assertEquals(both(), [0x8000, 0x9000]);
  cpu.flushPage(0x6000);
  assertEquals(both(), [0x8000, 0x9000]);
  cpu.flushTlb(false);
  assertEquals(both(), [0xa000, 0x9000]);
  cpu.flushPage(0x5000);
  assertEquals(both(), [0xa000, 0xb000]);
  map(rig, 5, 0xc000 | GLOBAL);
  cpu.flushTlb(true);
  assertEquals(both(), [0xa000, 0xc000]);
});

Deno.test("I386Cpu.flushPage(): one address of a large page drops the fetches of all of it", () => {
  const { cpu, space } = paged();
  assertEquals([cpu.mem.fetchPage(0x40_3000), cpu.mem.fetchPage(0x40_7000)], [0x3000, 0x7000]);
  space.write(DIRECTORY + 4, TABLE | PRESENT, 32);
  cpu.flushPage(0x40_1000);
  space.write(TABLE + 4 * 3, 0xd000 | PRESENT, 32);
  space.write(TABLE + 4 * 7, 0xe000 | PRESENT, 32);
  assertEquals([cpu.mem.fetchPage(0x40_3000), cpu.mem.fetchPage(0x40_7000)], [0xd000, 0xe000]);
});

/** What the client makes of ROMs that a kernel would refuse, of several ROMs, of a failing Init, of unusable answers. */
import { native, type ParavirtBackend, type ParavirtName, scripted, shadow, type SlotPlan } from "../../../mod.ts";
import { ParavirtPciHeader, ParavirtRomHeader } from "../../../lib/spec/paravirt_rom.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";
import { Bug } from "./activation.ts";
import { type Client, runClient, type RunOptions } from "./client.ts";
import { lin } from "./head.ts";
import { type Config, RELEASES } from "./releases.ts";

const ROM = 0xc8000;

const config = (name: string, pae = false): Config => {
  const release = RELEASES.find((r) => r.name === name);
  if (release === undefined) throw new Error(name);
  return { release, pae, localApic: true, largePages: true };
};

/** Counts of refused ROMs: wrong version, no PCI structure, unknown manufacturer, no licence; ROM found; active. */
function outcome(c: Client): number[] {
  assertEquals([c.stop.kind, c.variable("bug"), c.variable("stage"), c.failures], ["halt", 0, 100, []]);
  return ["rom_mismatched", "rom_no_pci", "rom_unknown", "rom_unlicensed", "rom", "active"].map((v) => c.variable(v));
}

for (const { name } of RELEASES) {
  const run = (options: RunOptions): Client => runClient(native(), config(name), options);

  Deno.test(`client ${name}: licences and versions decide, minor versions do not`, () => {
    for (const licence of ["GPL", "GPL v2"]) {
      assertEquals(outcome(run({ rom: { licence } })).slice(3), [0, lin(ROM), 1]);
    }
    for (const licence of ["", "GPL ", "GPL v2 ", "GPL v3", "gpl", "BSD"]) {
      assertEquals(outcome(run({ rom: { licence } })).slice(3), [1, 0, 0], licence);
    }
    assertEquals(outcome(run({ rom: { api: [3, 255] } })).slice(4), [lin(ROM), 1]);
    assertEquals(outcome(run({ rom: { api: [2, 0] } })), [1, 0, 0, 0, 0, 0]);
    assertEquals(outcome(run({ rom: { api: [13, 3] } })), [1, 0, 0, 0, 0, 0]);
  });

  Deno.test(`client ${name}: the first ROM that passes is taken, refused ones do not end the search`, () => {
    const image = (change: (bytes: Uint8Array, view: DataView) => void): Uint8Array => {
      const bytes = nativeRom().slice();
      change(bytes, new DataView(bytes.buffer));
      return bytes;
    };
    const others: Uint8Array[] = [
      image((_, v) => v.setUint8(ParavirtRomHeader.apiMajor, 13)),
      image((_, v) => v.setUint16(ParavirtRomHeader.pci, 0, true)),
      image((b, v) => b[v.getUint16(ParavirtRomHeader.licence, true)] = 0x67),
      image((b, v) => {
        v.setUint16(v.getUint16(ParavirtRomHeader.pci, true) + ParavirtPciHeader.vendor, 0x8086, true);
        b[v.getUint16(ParavirtRomHeader.licence, true) + 3] = 0x20;
      }),
      image((_, v) => v.setUint16(0, 0x55aa, true)),
      image((_, v) => v.setUint32(ParavirtRomHeader.signature, 0x696d5662, true)),
    ];
    const c = run({
      rom: { at: 0xd8000 },
      prepare: (m) => {
        m.space.setShadow(0xc0000, 0x10000, { read: true, write: true });
        others.forEach((bytes, i) => m.poke(0xc0000 + 0x2000 * i, bytes.subarray(0, 0x2000)));
      },
    });
    assertEquals(outcome(c), [1, 1, 1, 2, lin(0xd8000), 1]);
  });

  Deno.test(`client ${name}: a ROM that fails to initialize leaves the kernel native`, () => {
    const c = runClient(scripted({ Init: () => 0xffffffff }), config(name));
    assertEquals(outcome(c).slice(4), [lin(ROM), 0]);
    assertEquals(c.answers, []);
  });

  Deno.test(`client ${name}: unusable answers end as a kernel ends`, () => {
    const jump: SlotPlan = { reloc: "jump", trap: false, code: ["c3 | ret"] };
    assertEquals(ended(name, { CPUID: jump }), Bug.jumpToFunction);
    assertEquals(ended(name, { AllocatePage: jump }), Bug.jumpToFunction);
    // Filled operations only warn: native stays.
    const c = runClient(replaced({ GetCR2: jump, WBINVD: jump }), config(name));
    assertEquals([c.stop.kind, c.variable("bug"), c.variable("unknown_types")], ["halt", 0, 2]);
    // Without IRET the first handler jumps to poison: a page fault there, whose handler ends the same way, until the end.
    const poisoned = runClient(replaced({ IRET: { reloc: "none" } }), config(name));
    assertEquals(poisoned.faults.slice(1, 4).map((f) => [f.vector, f.eip]), Array(3).fill([14, 0x0badbab0]));
    assertEquals(poisoned.variable("stage"), 10);
  });

  Deno.test(`client ${name}: a hole at the top of the address space is respected`, () => {
    for (const pae of [false, true]) {
      const top = 0xfc000000;
      const c = runClient(shadow(), config(name, pae), { rom: { virtualTop: top } });
      assertEquals([...outcome(c).slice(4), c.variable("fixmap_top")], [lin(ROM), 1, top - 0x1000]);
    }
  });
}

/** The image of the native backend's ROM. */
function nativeRom(): Uint8Array {
  return runClient(native(), config("2.6.36")).m.paravirt.rom.bytes;
}

function replaced(slots: Readonly<Partial<Record<ParavirtName, SlotPlan>>>): ParavirtBackend {
  const base = native();
  return { ...base, slot: (call) => slots[call] ?? base.slot(call) };
}

function ended(name: string, slots: Readonly<Partial<Record<ParavirtName, SlotPlan>>>): number {
  const c = runClient(replaced(slots), config(name));
  assertEquals(c.stop.kind, "halt");
  return c.variable("bug");
}

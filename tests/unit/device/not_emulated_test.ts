/**
 * The "Not emulated" lists of the devices: touching what is not there leaves a note in the trace, once until the next
 * reset, or ends the run; what every guest does to a device leaves none.
 */
import { memoryImage } from "../../../lib/device/block_image.ts";
import { i440fx } from "../../../lib/device/i440fx.ts";
import { i8042 } from "../../../lib/device/i8042.ts";
import { ioApic } from "../../../lib/device/io_apic.ts";
import { localApics } from "../../../lib/device/local_apic.ts";
import { pciBus } from "../../../lib/device/pci_bus.ts";
import { pic8259 } from "../../../lib/device/pic8259.ts";
import { piix3Ide } from "../../../lib/device/piix3_ide.ts";
import { piix4Pm } from "../../../lib/device/piix4_pm.ts";
import { pit8254 } from "../../../lib/device/pit8254.ts";
import { rtcMc146818 } from "../../../lib/device/rtc_mc146818.ts";
import { port92 } from "../../../lib/device/small_ports.ts";
import { uart16550 } from "../../../lib/device/uart16550.ts";
import { vgaText } from "../../../lib/device/vga_text.ts";
import type { Device } from "../../../lib/core/device.ts";
import { asm } from "../../../lib/cpu/i386/asm/template.ts";
import { pc } from "../../../lib/machine/presets.ts";
import { assertEquals, assertStringIncludes } from "../../../scripts/deps/std.ts";
import { FakeHost } from "./fake_host.ts";

type Writes = readonly (readonly [port: number, value: number, width?: 8 | 16 | 32])[];

interface Case {
  readonly device: () => Device;
  /** What a guest does to set it up; leaves no note. */
  readonly usual: Writes;
  /** Writes and a part of the note they leave. */
  readonly touches: readonly (readonly [string, Writes])[];
  /** Ports are physical addresses. */
  readonly memory?: boolean;
}

const bus = (): Device => {
  const made = pciBus();
  made.add(0, 0, i440fx());
  return made;
};
const disks = (): Device => {
  const image = memoryImage(new Uint8Array(512 * 64), 512);
  return piix3Ide({
    drives: [{ kind: "disk", image }, undefined, { kind: "cd", image: memoryImage(new Uint8Array(2048 * 16), 2048) }],
  });
};

/** A packet command for the CD: one command byte, the rest zero. */
const packet = (code: number): Writes => [[0x177, 0xa0], [0x170, code, 16], ...Array(5).fill([0x170, 0, 16])];

const CASES: Readonly<Record<string, Case>> = {
  i8042: {
    device: i8042,
    usual: [[0x64, 0x60], [0x60, 0x45], [0x60, 0xf4], [0x60, 0xed], [0x60, 0], [0x60, 0xff]],
    touches: [
      ["scan code set 3", [[0x60, 0xf0], [0x60, 3]]],
      ["do not repeat", [[0x60, 0xf3], [0x60, 0]]],
      ["mouse never moves", [[0x64, 0xd4], [0x60, 0xf4]]],
      ["command 0xcc ignored", [[0x64, 0xcc]]],
      ["keyboard command 0xf9 refused", [[0x60, 0xf9]]],
      ["mouse command 0xe1 refused", [[0x64, 0xd4], [0x60, 0xe1]]],
    ],
  },
  vga: {
    device: vgaText,
    usual: [[0x3d4, 14], [0x3d5, 1], [0x3c4, 2], [0x3c5, 3], [0x3ce, 5], [0x3cf, 0x10], [0x3ce, 6], [0x3cf, 0x0e]],
    touches: [
      ["graphics modes", [[0x3ce, 6], [0x3cf, 0x05]]],
      ["write mode 2", [[0x3ce, 5], [0x3cf, 2]]],
      ["rotation", [[0x3ce, 3], [0x3cf, 8]]],
      ["fonts", [[0x3c4, 2], [0x3c5, 4]]],
    ],
  },
  pit: {
    device: pit8254,
    usual: [[0x43, 0x34], [0x40, 0], [0x40, 0], [0x61, 1]],
    touches: [["no sound", [[0x61, 3]]]],
  },
  rtc: {
    device: rtcMc146818,
    usual: [[0x70, 10], [0x71, 0x26], [0x70, 11], [0x71, 0x02], [0x70, 10], [0x71, 0x76]],
    touches: [
      ["daylight saving", [[0x70, 11], [0x71, 0x03]]],
      ["square-wave", [[0x70, 11], [0x71, 0x0a]]],
      ["divider", [[0x70, 10], [0x71, 0x06]]],
    ],
  },
  pic: {
    device: pic8259,
    usual: [[0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1], [0x21, 0xff], [0x20, 0x20]],
    touches: [
      ["8080/85", [[0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 0]]],
      ["buffered", [[0xa0, 0x11], [0xa1, 0x28], [0xa1, 2], [0xa1, 9]]],
    ],
  },
  uart0: {
    device: uart16550,
    usual: [[0x3fb, 0x83], [0x3f8, 1], [0x3fb, 3], [0x3fa, 7], [0x3fc, 3], [0x3f8, 65]],
    touches: [
      ["break", [[0x3fb, 0x43]]],
      ["words of 7 bits", [[0x3fb, 2], [0x3f8, 65]]],
      ["DMA mode", [[0x3fa, 9]]],
    ],
  },
  apic: {
    device: localApics,
    memory: true,
    usual: [[0xfee000f0, 0x1ff, 32], [0xfee00320, 0x20030, 32], [0xfee00350, 0x10000, 32]],
    touches: [
      ["thermal", [[0xfee00330, 0x40, 32]]],
      ["delivery mode 2", [[0xfee00300, 0x80200, 32], [0xfee00300, 0x40200, 32]]],
      ["a write of 8 bits", [[0xfee00080, 0, 8]]],
    ],
  },
  "io-apic": {
    device: () => ioApic({ deliver() {} }),
    memory: true,
    usual: [[0xfec00000, 0x10, 32], [0xfec00010, 0x30, 32]],
    touches: [],
  },
  port92: {
    device: port92,
    usual: [[0x92, 2], [0x92, 0]],
    touches: [["password lock", [[0x92, 0x0a]]]],
  },
  ide: {
    device: disks,
    usual: [[0x1f6, 0xe0], [0x1f7, 0xec], [0x176, 0xa0], [0x177, 0xa1], ...packet(0)],
    touches: [
      ["geometry", [[0x1f7, 0x91]]],
      ["power management", [[0x1f7, 0xe3]]],
      ["feature 0x5 refused", [[0x1f1, 5], [0x1f7, 0xef]]],
      ["command 0xb0 refused", [[0x1f7, 0xb0]]],
      ["packet command 0x42 refused", packet(0x42)],
    ],
  },
  pm: {
    device: piix4Pm,
    usual: [[0xb2, 0xf1], [0x602, 0x20, 16]],
    touches: [
      ["carry", [[0x602, 1, 16]]],
      ["general-purpose", [[0x60e, 1]]],
      ["management command 0x42", [[0xb2, 0x42]]],
      ["unimplemented: sleep type 5", [[0x604, 5 << 10 | 1 << 13, 16]]],
    ],
  },
  pci: {
    device: bus,
    usual: [[0xcf8, 0x80000004, 32], [0xcfc, 0x106, 32], [0xcf8, 0x80000070, 32], [0xcfe, 2]],
    touches: [
      ["special cycles", [[0xcf8, 0x8000ff00, 32], [0xcfc, 1, 32]]],
      ["SMRAM", [[0xcf8, 0x80000070, 32], [0xcfe, 0x4a]]],
    ],
  },
};

function perform(host: FakeHost, one: Case, writes: Writes): void {
  for (const [at, value, width = 8] of writes) {
    if (one.memory === true) host.writeMmio(at, value, width);
    else host.out(at, value, width);
  }
}

for (const [name, one] of Object.entries(CASES)) {
  Deno.test(`${name}: what it does not emulate is noted once, and the usual is not`, () => {
    const host = new FakeHost(), device = host.add(one.device());
    perform(host, one, one.usual);
    assertEquals(host.notes, []);
    for (const [note, writes] of one.touches) {
      for (const turn of ["first", "again", "after a reset"]) {
        if (turn === "after a reset") device.reset();
        const before = host.notes.length;
        perform(host, one, writes);
        const fresh = host.notes.slice(before);
        if (turn === "again" && !note.startsWith("unimplemented")) assertEquals(fresh, [], `${note}, ${turn}`);
        else assertStringIncludes(fresh.join("\n"), note, `${note}, ${turn}`);
        for (const text of fresh) assertStringIncludes(text, `${name}: `);
      }
      device.reset();
    }
  });
}

Deno.test("a sleep state that is not emulated ends the run as unimplemented", () => {
  const m = pc();
  m.load(
    0x8000,
    asm`
    mov dx, 0x604
    mov ax, ${3 << 10 | 1 << 13}
    out dx, ax
    hlt`,
  );
  const stop = m.run({ instructions: 100 });
  assertEquals(stop.kind, "unimplemented");
  if (stop.kind === "unimplemented") assertStringIncludes(stop.what, "sleep type 3");
});

Deno.test("test registers end the run as unimplemented", () => {
  const m = pc({ model: "486" });
  m.load(0x8000, { bits: 32, bytes: Uint8Array.of(0x0f, 0x24, 0xf0) }); // mov eax, tr6
  const stop = m.run({ instructions: 10 });
  assertEquals([stop.kind, stop.kind === "unimplemented" && stop.what.includes("test registers")], [
    "unimplemented",
    true,
  ]);
});

Deno.test("io-apic: an ExtINT entry is noted when its line is raised", () => {
  const host = new FakeHost(), device = host.add(ioApic({ deliver() {} }));
  host.writeMmio(0xfec00000, 0x10);
  host.writeMmio(0xfec00010, 0x700);
  device.line(0).set(true);
  assertStringIncludes(host.notes.join(), "io-apic: ExtINT entries are dropped");
});

/**
 * Damaged images of every loader on a real machine: each is refused by a ConfigError that says what to do, or is loaded
 * and run for a moment; nothing else happens, whatever the damage.
 */
import {
  biosRegions,
  bootSector,
  ConfigError,
  elf,
  firmware,
  linux,
  type Machine,
  MiB,
  multiboot,
  pc,
  Prng,
  raw,
} from "../../mod.ts";
import type { Bootable } from "../../lib/machine/program.ts";
import { ByteWriter } from "../../lib/base/bytes.ts";
import { memoryImage } from "../../lib/device/block_image.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../scripts/deps/std.ts";
import { guestSync } from "../guests/guest.ts";
import { bzImage, elfFile, multibootFile } from "../unit/machine/images.ts";
import { mutate } from "./mutate.ts";

const MEMORY = 4 * MiB;

/** A boot sector that writes to memory and halts. */
function sector(): Uint8Array {
  return new ByteWriter(512).put(0, Uint8Array.of(0xa3, 0, 6, 0xfa, 0xf4)).u16(510, 0xaa55).bytes;
}

/** A multiboot image without ELF: the header carries the addresses. */
function flatMultiboot(): Uint8Array {
  const w = new ByteWriter(0x400);
  w.u32(16, 0x1badb002).u32(20, 0x10003).u32(24, -(0x1badb002 + 0x10003) >>> 0);
  w.u32(28, 0x100010).u32(32, 0x100000).u32(36, 0x100400).u32(40, 0x102000).u32(44, 0x100100);
  return w.u8(0x100, 0xf4).bytes;
}

/** An image, where its header lies, and how it is booted. */
interface Case {
  readonly file: Uint8Array;
  readonly header: readonly [from: number, size: number];
  readonly make: (bytes: Uint8Array) => Bootable;
}

const modules = [{ bytes: new Uint8Array(9), text: "module" }];

const CASES: Readonly<Record<string, Case>> = {
  "elf()": { file: elfFile(), header: [0, 0x60], make: elf },
  "multiboot() of an ELF file": {
    file: multibootFile(),
    header: [0x1000, 0x60],
    make: (kernel) => multiboot({ kernel, append: "a b", modules }),
  },
  "multiboot() of a flat image": {
    file: flatMultiboot(),
    header: [12, 40],
    make: (kernel) => multiboot({ kernel, modules }),
  },
  "linux()": {
    file: bzImage(),
    header: [0x1f0, 0xa0],
    make: (kernel) => linux({ kernel, initrd: new Uint8Array(5000), append: "quiet" }),
  },
  "bootSector()": { file: sector(), header: [500, 12], make: (bytes) => bootSector(bytes) },
  "raw()": { file: sector(), header: [0, 512], make: (bytes) => raw({ at: 0x7c00, bytes }) },
};

/** Boots and runs for a moment; the refusal, if there is one. */
function attempt(m: Machine, image: Bootable, round: number): ConfigError | undefined {
  try {
    m.boot(image).run({ instructions: 300 });
    return undefined;
  } catch (error) {
    assert(error instanceof ConfigError, `round ${round}: ${error instanceof Error ? error.stack : error}`);
    assert(/^[A-Z"].*[;,:] ?/.test(error.message), `round ${round}: no advice in: ${error.message}`);
    return error;
  }
}

for (const [name, { file, header, make }] of Object.entries(CASES)) {
  Deno.test(`${name} refuses damaged images by ConfigError or loads them, nothing else`, () => {
    const random = new Prng(name.length * 977);
    const m = pc({ memory: MEMORY });
    assertEquals(attempt(m, make(file), -1), undefined);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      if (attempt(m, make(mutate(file, random, ...header)), round) !== undefined) refused++;
    }
    assert(name === "raw()" || refused > 300, `${refused} refused`);
    assertEquals(attempt(m, make(file), -2), undefined); // the machine is as good as before
  });
}

Deno.test("biosRegions() refuses wrong sizes, and damaged firmware only ends the run", () => {
  for (const size of [0, 1, 0xffff, 0x10001, 0x18000, 17 * MiB]) {
    const error = assertThrows(() => biosRegions(new Uint8Array(size)), ConfigError, `${size} bytes`);
    assertStringIncludes(error.message, "is the file complete");
  }
  const random = new Prng(5);
  const bios = new Uint8Array(0x10000);
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 64; i++) bios[0xfff0 - 32 + i & 0xffff] = random.below(256);
    const stop = pc({ memory: MEMORY, bios }).boot(firmware()).run({ instructions: 2000 });
    assert(["budget", "halt", "fault", "reset"].includes(stop.kind), stop.kind);
  }
});

Deno.test("elf() refuses overlapping segments and an entry outside before memory is spent", () => {
  const m = pc({ memory: MEMORY });
  const w = new ByteWriter(52 + 200 * 32).put(0, elfFile().subarray(0, 52));
  w.u16(44, 200);
  for (let i = 0; i < 200; i++) {
    w.u32(52 + i * 32, 1).u32(52 + i * 32 + 12, 0x100000 + i).u32(52 + i * 32 + 20, 2 * MiB);
  }
  assertThrows(() => m.boot(elf(w.bytes)), ConfigError, "overlap");
  const outside = elfFile();
  new DataView(outside.buffer).setUint32(24, 0x5000, true);
  assertThrows(() => m.boot(elf(outside)), ConfigError, "ELF entry 0x00005000 lies in no segment");
});

Deno.test("multiboot() refuses required features it does not know and a kernel over the boot information", () => {
  const m = pc({ memory: MEMORY });
  const kernel = flatMultiboot();
  const set = (at: number, value: number): void => new DataView(kernel.buffer).setUint32(at, value, true);
  set(20, 0x10013);
  set(24, -(0x1badb002 + 0x10013) >>> 0);
  assertThrows(() => m.boot(multiboot({ kernel })), ConfigError, "requires features 0x0010");
  set(20, 0x10003);
  set(24, -(0x1badb002 + 0x10003) >>> 0);
  [0x8010, 0x8000, 0x8400, 0xa000, 0x8100].forEach((value, i) => set(28 + 4 * i, value));
  assertThrows(() => m.boot(multiboot({ kernel })), ConfigError, "covers the boot information");
});

Deno.test("multiboot() gives a flat kernel zeroed memory, also the second time", () => {
  const m = pc({ memory: MEMORY });
  m.poke(0x101000, Uint8Array.of(7));
  m.boot(multiboot({ kernel: flatMultiboot() }));
  assertEquals(m.peek(0x101000, 1)[0], 0);
});

Deno.test("memoryImage() refuses a disk that is cut off within a sector", () => {
  for (const [size, sectorSize] of [[1, 512], [1023, 512], [2047, 2048]]) {
    assertThrows(() => memoryImage(new Uint8Array(size), sectorSize), ConfigError, `${sectorSize}-byte sectors`);
  }
  assertEquals(memoryImage(new Uint8Array(0)).sectors, 0);
});

const kernel = guestSync("linux-686");

Deno.test({
  name: `Debian's kernel, damaged, is refused or runs${kernel.available ? "" : " (guest not available)"}`,
  ignore: !kernel.available,
  fn() {
    if (!kernel.available) return;
    const random = new Prng(686);
    const file = Deno.readFileSync(kernel.path);
    const m = pc({ memory: 32 * MiB });
    let refused = 0;
    for (let round = 0; round < 200; round++) {
      if (attempt(m, linux({ kernel: mutate(file, random, 0x1f0, 0xa0) }), round) !== undefined) refused++;
    }
    assert(refused > 20 && refused < 200, `${refused} refused`);
  },
});

import { ByteReader } from "../../../lib/base/bytes.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { elf } from "../../../lib/machine/loader/elf.ts";
import { floppyCd } from "../../../lib/machine/loader/floppy.ts";
import { linux } from "../../../lib/machine/loader/linux.ts";
import { multiboot } from "../../../lib/machine/loader/multiboot.ts";
import { biosRegions, bootSector, raw } from "../../../lib/machine/loader/raw.ts";
import type { Bootable, LoadTarget } from "../../../lib/machine/program.ts";
import { ram, type Region } from "../../../lib/memory/region.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { bzImage, elfFile, multibootFile } from "./images.ts";

const MEMORY = 4 * 2 ** 20;

/** Plain RAM as a load target. */
function target(size = MEMORY): LoadTarget & { readonly bytes: Uint8Array; readonly r: ByteReader } {
  const bytes = new Uint8Array(size);
  const regions: readonly Region[] = [ram({ at: 0, size })];
  return {
    bytes,
    r: new ByteReader(bytes, "memory"),
    regions,
    place(at, from, what) {
      if (at + from.length > size) throw new ConfigError("load-range", what);
      bytes.set(from, at);
    },
  };
}

Deno.test("elf() places segments with zeroed tails and enters at the physical entry", () => {
  const t = target();
  t.bytes.fill(0xee);
  const start = elf(elfFile()).load(t);
  assertEquals(start, { mode: "flat32", entry: 0x100020, stack: MEMORY });
  assertEquals(t.bytes[0x1000ff], 0xff);
  assertEquals([t.bytes[0x100100], t.bytes[0x101fff], t.bytes[0x102000]], [0, 0, 0xee]);
});

Deno.test("multiboot() passes command line, modules and memory map", () => {
  const t = target();
  const modules = [{ bytes: Uint8Array.of(1, 2, 3), text: "first" }, { bytes: Uint8Array.of(4), text: "second" }];
  const start = multiboot({ kernel: multibootFile(), append: "debug quiet", modules }).load(t);
  assert(start !== undefined);
  assertEquals(start.registers?.eax, 0x2badb002);
  const info = Number(start.registers?.ebx);
  assertEquals(t.r.u32(info) & 0x4d, 0x4d);
  assertEquals([t.r.u32(info + 4), t.r.u32(info + 8)], [639, 3072]);
  assertEquals(t.r.text(t.r.u32(info + 16), 100), "debug quiet");
  assertEquals(t.r.u32(info + 20), 2);
  const second = t.r.u32(info + 24) + 16;
  assertEquals([t.r.u32(second), t.r.u32(second + 4)], [0x103000, 0x103001]);
  assertEquals(t.bytes[0x103000], 4);
  assertEquals(t.r.text(t.r.u32(second + 8), 100), "second");
  const map = t.r.u32(info + 48);
  assertEquals([t.r.u32(map), t.r.u32(map + 4), t.r.u32(map + 12), t.r.u32(map + 20)], [20, 0, 0x9fc00, 1]);
});

Deno.test("linux() follows the 32-bit boot protocol", () => {
  const t = target();
  const initrd = Uint8Array.from({ length: 5000 }, (_, i) => i);
  const start = linux({ kernel: bzImage(), initrd, append: "console=ttyS0" }).load(t);
  assert(start !== undefined);
  assertEquals([start.mode, start.entry, start.code, start.data], ["flat32", 0x100000, 0x10, 0x18]);
  const zero = Number(start.registers?.esi);
  const initrdAt = t.r.u32(zero + 0x218);
  assertEquals([initrdAt, t.r.u32(zero + 0x21c)], [MEMORY - 8192, 5000]);
  assertEquals(t.bytes.slice(initrdAt, initrdAt + 5000), initrd);
  assertEquals(t.r.text(t.r.u32(zero + 0x228), 100), "console=ttyS0");
  assertEquals([t.r.u8(zero + 0x210), t.r.u8(zero + 0x211)], [0xff, 0x81]);
  assertEquals([t.r.u8(zero + 6), t.r.u8(zero + 7), t.r.u8(zero + 0xe)], [3, 80, 25]);
  assertEquals(t.r.u8(zero + 0x1e8), 3);
  assertEquals([t.r.u32(zero + 0x2d0 + 40), t.r.u32(zero + 0x2d8 + 40)], [0x100000, MEMORY - 0x100000]);
  const gdt = start.gdt?.base ?? 0;
  assertEquals([t.r.u32(gdt + 16), t.r.u32(gdt + 20), t.r.u32(gdt + 28)], [0xffff, 0x00cf9b00, 0x00cf9300]);
});

Deno.test("linux() refuses what cannot work and says how to mend it", () => {
  const initrd = new Uint8Array(3 * 2 ** 20);
  assertThrows(() => linux({ kernel: bzImage(), initrd }).load(target()), ConfigError, "more memory");
  assertThrows(() => linux({ kernel: bzImage(), append: "x".repeat(300) }).load(target()), ConfigError, "takes 255");
  assertThrows(() => linux({ kernel: elfFile() }).load(target()), ConfigError, "vmlinux");
});

Deno.test("raw() and bootSector() enter in real mode", () => {
  const t = target();
  assertEquals(raw({ at: 0x20010, bytes: Uint8Array.of(0xf4) }).load(t)?.code, 0x2001);
  const sector = new Uint8Array(512);
  assertThrows(() => bootSector(sector).load(t), ConfigError, "0x55");
  sector.set([0x55, 0xaa], 510);
  assertEquals(bootSector(sector).load(t)?.registers, { edx: 0x80 });
});

const IMAGES: Readonly<Record<string, { file: Uint8Array; make: (bytes: Uint8Array) => Bootable }>> = {
  elf: { file: elfFile(), make: elf },
  multiboot: {
    file: multibootFile(),
    make: (kernel) => multiboot({ kernel, modules: [{ bytes: new Uint8Array(9) }] }),
  },
  linux: { file: bzImage(), make: (kernel) => linux({ kernel, initrd: new Uint8Array(100), append: "a" }) },
};

for (const [name, { file, make }] of Object.entries(IMAGES)) {
  Deno.test(`${name}: cut off and damaged images give ConfigError or load, nothing else`, () => {
    const random = new Prng(name.length);
    let refused = 0;
    for (let round = 0; round < 1500; round++) {
      const bytes = round % 2 === 0 ? file.slice(0, random.below(file.length)) : file.slice();
      const headers = Math.min(bytes.length, name === "linux" ? 0x290 : 0x80);
      if (round % 2 === 1) {
        for (let n = 1 + random.below(3); n > 0; n--) {
          const at = name === "linux" ? 0x1f1 + random.below(0x90) : random.below(headers);
          bytes[at] ^= 1 << random.below(8);
        }
      }
      try {
        make(bytes).load(target());
      } catch (error) {
        assert(error instanceof ConfigError, `round ${round}: ${error}`);
        assert(/[;,:]/.test(error.message) || error.code === "load-range", error.message);
        refused++;
      }
    }
    assert(refused > 500);
  });
}

Deno.test("biosRegions() maps the image below 4 GiB and its end below 1 MiB", () => {
  const regions = biosRegions(new Uint8Array(0x40000));
  assertEquals(regions.map((r) => [r.at, r.size]), [[0xfffc0000, 0x40000], [0xe0000, 0x20000]]);
  assertThrows(() => biosRegions(new Uint8Array(1000)), ConfigError, "1000 bytes");
});

Deno.test("floppyCd() makes a CD that boots by emulation, of each size, and refuses what no BIOS boots", () => {
  for (const [size, media] of [[1_228_800, 1], [1_474_560, 2], [2_949_120, 3]] as const) {
    const image = new Uint8Array(size).fill(media);
    image.set([0x55, 0xaa], 510);
    const cd = floppyCd(image), r = new ByteReader(cd, "CD");
    const catalog = r.u32(17 * 2048 + 0x47) * 2048;
    assertEquals([cd.length % 2048, r.u16(catalog + 0x1e), r.u8(catalog + 0x20), r.u8(catalog + 0x21)], [
      0,
      0xaa55,
      0x88,
      media,
    ]);
    let sum = 0;
    for (let i = 0; i < 32; i += 2) sum += r.u16(catalog + i);
    assertEquals(sum & 0xffff, 0);
    const at = r.u32(catalog + 0x28) * 2048;
    assertEquals(cd.subarray(at, at + size), image);
    assertThrows(() => floppyCd(image.subarray(512)), ConfigError, "1228800, 1474560, 2949120");
    image[511] = 0;
    assertThrows(() => floppyCd(image), ConfigError, "no boot sector");
  }
});

import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { type BlockImage, memoryImage, overlayImage } from "../../../lib/device/block_image.ts";
import { pciBus } from "../../../lib/device/pci_bus.ts";
import { piix3Ide } from "../../../lib/device/piix3_ide.ts";
import type { Piix3Ide } from "../../../lib/device/piix3_ide.ts";
import { FakeHost } from "./fake_host.ts";

function made(): [FakeHost, Piix3Ide, Uint8Array] {
  const host = new FakeHost();
  const bytes = Uint8Array.from({ length: 512 * 400 }, (_, i) => (i >> 9) ^ i);
  const cd = Uint8Array.from({ length: 2048 * 40 }, (_, i) => (i >> 11) + 3 * i);
  const ide = piix3Ide({
    drives: [{ kind: "disk", image: overlayImage(memoryImage(bytes)) }, undefined, {
      kind: "cd",
      image: memoryImage(cd, 2048),
    }],
  });
  const bus = pciBus();
  bus.add(1, 1, ide.pci);
  host.add(ide);
  host.add(bus);
  host.out(0xcf8, 0x80000920, 32);
  host.out(0xcfc, 0xc000, 32);
  host.out(0xcf8, 0x80000904, 32);
  host.out(0xcfc, 5, 16);
  return [host, ide, bytes];
}

function command(host: FakeHost, lba: number, count: number, code: number): void {
  host.out(0x1f2, count);
  host.out(0x1f3, lba & 0xff);
  host.out(0x1f4, (lba >> 8) & 0xff);
  host.out(0x1f5, (lba >> 16) & 0xff);
  host.out(0x1f6, 0xe0);
  host.out(0x1f7, code);
}

function words(host: FakeHost, port: number, n: number): Uint8Array {
  const out = new Uint8Array(2 * n);
  for (let i = 0; i < n; i++) new DataView(out.buffer).setUint16(2 * i, host.in(port, 16), true);
  return out;
}

Deno.test("piix3Ide: identify, PIO read and write with an interrupt for each sector", () => {
  const [host, , bytes] = made();
  command(host, 0, 0, 0xec);
  const id = new DataView(words(host, 0x1f0, 256).buffer);
  assertEquals(id.getUint32(120, true), 400);
  command(host, 5, 2, 0x20);
  assert(host.levels[14]);
  assertEquals(host.in(0x1f7), 0x58);
  assert(!host.levels[14]);
  assertEquals(words(host, 0x1f0, 256), bytes.slice(5 * 512, 6 * 512));
  assert(host.levels[14]);
  assertEquals(words(host, 0x1f0, 256), bytes.slice(6 * 512, 7 * 512));
  assertEquals(host.in(0x1f7), 0x50);
  command(host, 9, 1, 0x30);
  for (let i = 0; i < 256; i++) host.out(0x1f0, 0xbeef, 16);
  assertEquals(host.in(0x1f7), 0x50);
  command(host, 9, 1, 0x20);
  assertEquals(words(host, 0x1f0, 256)[1], 0xbe);
  assertEquals(bytes[9 * 512], 9);
});

Deno.test("piix3Ide: out of range and unknown commands end in errors", () => {
  const [host] = made();
  command(host, 399, 2, 0x20);
  assertEquals([host.in(0x1f7), host.in(0x1f1)], [0x51, 0x10]);
  command(host, 0, 0, 0x99);
  assertEquals([host.in(0x1f7), host.in(0x1f1)], [0x51, 4]);
});

Deno.test("piix3Ide: DMA over two descriptors, both directions", () => {
  const [host, , bytes] = made();
  const table = new DataView(host.ram.buffer, 0x1000, 16);
  table.setUint32(0, 0x2000, true);
  table.setUint32(4, 512, true);
  table.setUint32(8, 0x8000, true);
  table.setUint32(12, 0x80000200, true);
  for (let i = 0; i < 4; i++) host.out(0xc004 + i, (0x1000 >> (8 * i)) & 0xff);
  host.out(0xc000, 8);
  command(host, 3, 2, 0xc8);
  host.out(0xc000, 9);
  assertEquals(host.ram.slice(0x2000, 0x2200), bytes.slice(3 * 512, 4 * 512));
  assertEquals(host.ram.slice(0x8000, 0x8200), bytes.slice(4 * 512, 5 * 512));
  assertEquals(host.in(0xc002) & 7, 4);
  assert(host.levels[14]);
  host.out(0xc000, 0);
  command(host, 20, 2, 0xca);
  host.out(0xc000, 1);
  command(host, 20, 1, 0x20);
  assertEquals(words(host, 0x1f0, 256), bytes.slice(3 * 512, 4 * 512));
});

Deno.test("piix3Ide: CD signature, INQUIRY and READ(10) by PIO; unknown packets report sense", () => {
  const [host] = made();
  const packet = (...p: number[]): void => {
    host.out(0x171, 0);
    host.out(0x174, 0);
    host.out(0x175, 8);
    host.out(0x177, 0xa0);
    for (let i = 0; i < 12; i += 2) host.out(0x170, (p[i] ?? 0) | ((p[i + 1] ?? 0) << 8), 16);
  };
  assertEquals([host.in(0x174), host.in(0x175)], [0x14, 0xeb]);
  packet(0x12, 0, 0, 0, 36);
  assertEquals([host.in(0x174), words(host, 0x170, 18)[0]], [36, 5]);
  assertEquals([host.in(0x177), host.in(0x172)], [0x50, 3]);
  packet(0x28, 0, 0, 0, 0, 7, 0, 0, 2);
  const data = words(host, 0x170, 2048);
  assertEquals([data[0], data[2048], data[4095]], [7, 8, (8 + 3 * 2047) & 0xff]);
  assertEquals(host.in(0x177), 0x50);
  packet(0x28, 0, 0, 0, 0, 39, 0, 0, 2);
  assertEquals([host.in(0x177), host.in(0x171)], [0x51, 0x54]);
});

Deno.test("piix3Ide: state survives save and load in mid-transfer; port storms are harmless", () => {
  const [host, ide] = made();
  command(host, 5, 2, 0x20);
  words(host, 0x1f0, 100);
  const [other, copy] = made();
  copy.load(ide.save());
  assertEquals(copy.save(), ide.save());
  assertEquals(words(other, 0x1f0, 156), words(host, 0x1f0, 156));
  for (let i = 0; i < 20000; i++) host.out(0x170 + (i * 7 % 8) + (i & 0x80), (i * 40503) >> 4 & 0xff);
});

Deno.test("piix3Ide: a descriptor table or a buffer outside RAM sets the error bit, and nothing else changes", () => {
  const OUTSIDE = 0x4000_0000;
  const setTable = (host: FakeHost, at: number): void => {
    for (let i = 0; i < 4; i++) host.out(0xc004 + i, (at >>> (8 * i)) & 0xff);
  };
  for (const [table, buffer] of [[OUTSIDE, 0x2000], [0x1000, OUTSIDE], [0xfffffffc, 0x2000]] as const) {
    for (const [code, direction] of [[0xc8, 8], [0xca, 0]] as const) {
      const [host, , bytes] = made();
      const view = new DataView(host.ram.buffer, 0x1000, 8);
      view.setUint32(0, buffer, true);
      view.setUint32(4, 0x80000200, true);
      const before = host.ram.slice();
      setTable(host, table);
      host.out(0xc000, direction);
      command(host, 3, 1, code);
      host.out(0xc000, direction | 1);
      assertEquals(host.in(0xc002) & 7, 2, "error, not active, no interrupt");
      assertEquals(host.ram, before);
      assert(host.levels[14] !== true);
      host.out(0xc002, 2);
      assertEquals(host.in(0xc002) & 2, 0, "the guest clears the bit");
      // A software reset frees the drive.
      host.out(0xc000, 0);
      host.out(0x3f6, 4);
      host.out(0x3f6, 0);
      command(host, 3, 1, 0x20);
      assertEquals(words(host, 0x1f0, 256), bytes.slice(3 * 512, 4 * 512), "the disk is as it was");
    }
  }
});

/** A big disk that is made of numbers. */
const numbered: BlockImage = {
  sectors: 2 ** 33,
  read(lba, count, into): boolean {
    for (let i = 0; i < count; i++) new DataView(into.buffer).setFloat64(512 * i, lba + i);
    return true;
  },
  write: () => false,
};

Deno.test("piix3Ide: LBA48 takes 48-bit numbers and 16-bit counts in two writes each, HOB shows the older ones", () => {
  const host = new FakeHost();
  host.add(
    piix3Ide({ drives: [{ kind: "disk", image: numbered }, { kind: "disk", image: { ...numbered, sectors: 65536 } }] }),
  );
  const ext = (lba: number, count: number, code: number, device = 0x40): void => {
    const byte = (n: number, k: number): number => Math.floor(n / 2 ** (8 * k)) & 0xff;
    host.out(0x1f6, device);
    for (const which of [[1, 3, 4, 5], [0, 0, 1, 2]]) {
      which.forEach((k, i) => host.out(0x1f2 + i, byte(i === 0 ? count : lba, k)));
    }
    host.out(0x1f7, code);
  };
  ext(0x1_2345_6789, 2, 0x24);
  assertEquals([host.in(0x1f3), host.in(0x1f4), host.in(0x1f5)], [0x89, 0x67, 0x45]);
  host.out(0x3f6, 0x80);
  assertEquals([host.in(0x1f3), host.in(0x1f4), host.in(0x1f5)], [0x23, 0x01, 0]);
  for (const lba of [0x1_2345_6789, 0x1_2345_678a]) {
    assertEquals(new DataView(words(host, 0x1f0, 256).buffer).getFloat64(0), lba);
  }
  assertEquals(host.in(0x1f7), 0x50);
  ext(2 ** 33 - 1, 2, 0x24);
  assertEquals([host.in(0x1f7), host.in(0x1f1)], [0x51, 0x10], "beyond the end");
  ext(1, 0, 0x24, 0x50); // a count of 0 is 65536, which is the whole second disk
  assertEquals([host.in(0x1f7), host.in(0x1f1)], [0x51, 0x10]);
  ext(0, 0, 0x24, 0x50);
  assertEquals(host.in(0x1f7), 0x58);
  ext(0, 1, 0x34);
  for (let i = 0; i < 256; i++) host.out(0x1f0, 0, 16);
  assertEquals([host.in(0x1f7), host.in(0x1f1)], [0x51, 0x40], "an image that cannot be written");
  ext(2 ** 33 - 1, 0, 0x27);
  host.out(0x3f6, 0x80);
  assertEquals(host.in(0x1f4), 1, "READ NATIVE MAX EXT: bits 32-39");
});

Deno.test("piix3Ide: ATAPI DMA reads sectors, short replies end the transfer, a medium error gives sense", () => {
  const bad: BlockImage = {
    sectors: 40,
    read(lba, count, into): boolean {
      if (lba + count > 20) throw new Error("scratched");
      for (let i = 0; i < count; i++) into.fill(lba + i, i * 2048, (i + 1) * 2048);
      return true;
    },
    write: () => false,
  };
  const host = new FakeHost();
  const ide = piix3Ide({ drives: [undefined, undefined, { kind: "cd", image: bad }], masterPort: 0xc000 });
  const bus = pciBus();
  bus.add(1, 1, ide.pci);
  host.add(ide);
  host.add(bus);
  const prd = (at: number, size: number): void => {
    new DataView(host.ram.buffer).setUint32(0x1000, at, true);
    new DataView(host.ram.buffer).setUint32(0x1004, (0x80000000 | size) >>> 0, true);
    for (let i = 0; i < 4; i++) host.out(0xc00c + i, (0x1000 >> (8 * i)) & 0xff);
  };
  const packet = (...p: number[]): void => {
    host.out(0xc008, 0);
    host.out(0xc00a, 6);
    host.out(0x176, 0xa0);
    host.out(0x171, 1);
    host.out(0x177, 0xa0);
    for (let i = 0; i < 12; i += 2) host.out(0x170, (p[i] ?? 0) | ((p[i + 1] ?? 0) << 8), 16);
    host.out(0xc008, 9);
  };
  prd(0x4000, 3 * 2048);
  packet(0x28, 0, 0, 0, 0, 7, 0, 0, 3);
  assertEquals([host.ram[0x4000], host.ram[0x4800], host.ram[0x57ff], host.ram[0x5800]], [7, 8, 9, 0]);
  assertEquals([host.in(0xc00a) & 7, host.in(0x177), host.in(0x172)], [4, 0x50, 3]);
  prd(0x6000, 512);
  packet(0x12, 0, 0, 0, 36); // INQUIRY: the descriptor is longer than the reply
  assertEquals([host.ram[0x6000], host.ram[0x6024]], [5, 0]);
  assertEquals([host.in(0xc00a) & 7, host.in(0x177)], [5, 0x50], "active stays, the interrupt tells");
  prd(0x7000, 2048);
  packet(0x28, 0, 0, 0, 0, 30, 0, 0, 1);
  assertEquals([host.in(0x177), host.in(0x171)], [0x51, 0x34]);
  assertEquals(host.ram[0x7000], 0);
  assertEquals(host.notes, ["ide: medium error at sector 30: scratched"]);
  packet(0x03, 0, 0, 0, 18);
  assertEquals([host.ram[0x7002], host.ram[0x700c]], [3, 0x11]);
});

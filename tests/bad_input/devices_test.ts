/**
 * Devices told nonsense: DMA to and from everywhere, random configuration of the board, storms on memory-mapped registers.
 * Nothing outside guest memory is touched, the run goes on, and the machine can still be saved and restored.
 */
import { asm16, ConfigError, MiB, pc, type PcMachine, Prng, Snapshot } from "../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../scripts/deps/std.ts";

const SECTORS = 4096;
const MASTER = 0xc000;

/** A PC with a disk whose every byte is known, its bus master at {@linkcode MASTER}. */
function withDisk(): { m: PcMachine; disk: Uint8Array } {
  const disk = Uint8Array.from({ length: SECTORS * 512 }, (_, i) => (i >> 9) ^ i);
  const m = pc({ memory: 4 * MiB, disks: [disk] });
  config(m, 0x8000_0920, MASTER);
  config(m, 0x8000_0904, 5);
  m.load(0x7c00, asm16`jmp $`);
  return { m, disk };
}

function config(m: PcMachine, where: number, value: number): void {
  m.ports.write(0xcf8, where, 32);
  m.ports.write(0xcfc, value, 32);
}

/** Starts a transfer of `count` sectors with the descriptor table at `table`. */
function dma(m: PcMachine, table: number, lba: number, count: number, write: boolean): void {
  m.ports.write(MASTER, 0, 8);
  m.ports.write(MASTER + 4, table, 32);
  m.ports.write(MASTER + 2, 6, 8);
  for (
    const [at, value] of [[2, count], [3, lba], [4, lba >> 8], [5, lba >> 16], [6, 0xe0], [7, write ? 0xca : 0xc8]]
  ) {
    m.ports.write(0x1f0 + at, value & 0xff, 8);
  }
  m.ports.write(MASTER, write ? 1 : 9, 8);
}

/** Addresses at the edges of what is there, and far outside. */
const PLACES = [0, 2, 0xffe, 0x1000, 0x9_fffe, 0xa_0000, 0xf_0000, 0xf_fffe, 0x3f_fffe, 0x40_0000, 0x8000_0000];
const FAR = [0xfee0_0000, 0xfec0_0000, 0xffff_fffe, 0xffff_0000, 0xdead_beec];

Deno.test("DMA transfers data between disk and memory, so that wild ones below mean something", () => {
  const { m, disk } = withDisk();
  m.poke(0x1000, Uint8Array.of(0, 0x20, 0, 0, 0, 2, 0, 0x80));
  dma(m, 0x1000, 9, 1, false);
  m.run({ instructions: 1_000_000 });
  assertEquals(m.peek(0x2000, 512), disk.slice(9 * 512, 10 * 512));
});

Deno.test("wild DMA: random tables and addresses change guest memory at most, never the image or the program", () => {
  const { m, disk } = withDisk();
  const before = disk.slice();
  const roms = (): Uint8Array[] => m.regions.filter((r) => r.kind === "rom").map((r) => m.peek(r.at, r.size));
  const romsBefore = roms();
  const random = new Prng(11);
  const place = (): number => {
    const list = random.below(2) === 0 ? PLACES : FAR;
    return list[random.below(list.length)] + (random.below(3) === 0 ? 2 * random.below(5000) : 0);
  };
  for (let round = 0; round < 1500; round++) {
    const table = random.below(2) === 0 ? 0x1_0000 : place() >>> 0;
    const entries = new DataView(new ArrayBuffer(8 * (1 + random.below(6))));
    for (let at = 0; at < entries.byteLength; at += 8) {
      entries.setUint32(at, place() >>> 0, true);
      entries.setUint32(at + 4, random.below(0x1_0000) | (random.below(4) === 0 ? 0x8000_0000 : 0), true);
    }
    if (table < 0xa_0000 || (table >= 1 * MiB && table < 4 * MiB - 100)) m.poke(table, new Uint8Array(entries.buffer));
    dma(m, table, random.below(SECTORS + 100), random.below(256), random.below(2) === 0);
    m.run({ instructions: 500 });
  }
  assertEquals(disk, before);
  assertEquals(roms(), romsBefore);
  assert(m.trace.tail().length <= m.trace.capacity);
  const copy = Snapshot.fromBytes(m.snapshot().toBytes());
  const hash = m.hash();
  m.restore(copy);
  assertEquals(m.hash(), hash);
});

Deno.test("random PCI configuration and memory-mapped registers leave a machine that runs and can be saved", () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { m } = withDisk();
    const random = new Prng(seed);
    const word = (): number => [random.below(2 ** 32), 0, 0xffff_ffff, 1 << random.below(32)][random.below(4)] >>> 0;
    for (let round = 0; round < 400; round++) {
      switch (random.below(3)) {
        case 0:
          config(m, (0x8000_0000 | random.below(0x1_0000)) >>> 0, word());
          break;
        case 1:
          m.write(0xfee0_0000 + 4 * random.below(1024), word());
          break;
        default:
          m.write(0xfec0_0000 + 4 * random.below(16), word());
      }
      const { kind } = m.run({ instructions: 200 });
      assert(["budget", "fault", "halt", "power-off", "reset", "unimplemented"].includes(kind), kind);
      if (kind !== "budget") m.reset();
    }
    assertEquals(Snapshot.fromBytes(m.snapshot().toBytes()).hash(), m.hash());
  }
});

Deno.test("pc() refuses too many disks and media that are no whole sectors, and says which", () => {
  const sector = new Uint8Array(512);
  assertThrows(() => pc({ disks: [sector, sector, sector, sector, sector] }), ConfigError, "disks lists 5");
  assertThrows(() => pc({ disks: [sector, sector, sector, sector], cd: new Uint8Array(2048) }), ConfigError, "a CD");
  assertThrows(() => pc({ disks: [sector, new Uint8Array(513)] }), ConfigError, "disk 1");
  assertThrows(() => pc({ disks: [new Uint8Array(0)] }), ConfigError, "disk 0");
  assertThrows(() => pc({ cd: new Uint8Array(512) }), ConfigError, "2048-byte sectors");
});

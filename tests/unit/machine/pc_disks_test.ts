/** Disks of the PC preset: places, overlays in snapshots, images with errors; and the console text in snapshots. */
import { assemble } from "../../../lib/cpu/i386/asm/assemble.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import type { BlockImage } from "../../../lib/device/block_image.ts";
import { pc, type PcMachine } from "../../../lib/machine/presets.ts";
import { Snapshot } from "../../../lib/machine/snapshot.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../scripts/deps/std.ts";

const MiB = 2 ** 20;

/** Reads or writes one sector by PIO with a guest program; status in AL, error in AH at the end. */
function transfer(m: PcMachine, lba: number, command: 0x20 | 0x30, word = 0): [status: number, error: number] {
  const { bytes } = assemble(
    `
    mov dx, 0x1f2
    mov al, 1
    out dx, al
    inc dx
    mov al, ${lba}
    out dx, al
    inc dx
    xor eax, eax
    out dx, al
    inc dx
    out dx, al
    inc dx
    mov al, 0xe0
    out dx, al
    inc dx
    mov al, ${command}
    out dx, al
    in al, dx
    test al, 8
    jz done
    mov edi, 0x9000
    mov ecx, 256
    mov dx, 0x1f0
    cld
    ${command === 0x20 ? "rep insw" : `mov eax, ${word}\nnext: out dx, ax\nloop next`}
    mov dx, 0x1f7
    in al, dx
  done:
    mov bl, al
    mov dx, 0x1f1
    in al, dx
    mov ah, al
    mov al, bl
    hlt
  `,
    { bits: 32, origin: 0x7c00 },
  );
  m.load(0x7c00, { bits: 32, bytes });
  assertEquals(m.run({ instructions: 2000 }).kind, "halt");
  return [m.cpu.eax & 0xff, (m.cpu.eax >>> 8) & 0xff];
}

const word = (m: PcMachine): number => m.physical.peek16(0x9000);

Deno.test("pc(): what a guest writes to a disk lies in an overlay that snapshots keep", () => {
  const image = new Uint8Array(64 * 512).fill(0x11);
  const make = (): PcMachine => pc({ memory: 2 * MiB, disks: [image] });
  const m = make();
  assertEquals(transfer(m, 3, 0x30, 0xbeef), [0x50, 0]);
  const one = m.snapshot();
  transfer(m, 3, 0x30, 0xcafe);
  transfer(m, 4, 0x30, 0xcafe);
  const two = m.snapshot();
  assert(one.hash() !== two.hash());
  for (const on of [m, make()]) {
    on.restore(Snapshot.fromBytes(one.toBytes()));
    assertEquals(transfer(on, 3, 0x20), [0x50, 0]);
    assertEquals([word(on), on.disks[0].changed.size], [0xbeef, 1]);
    on.restore(two);
    transfer(on, 4, 0x20);
    assertEquals([word(on), on.disks[0].changed.size], [0xcafe, 2]);
  }
  m.reset();
  transfer(m, 4, 0x20);
  assertEquals(word(m), 0xcafe, "a reset leaves disks alone");
  assert(image.every((b) => b === 0x11));
  const smaller = pc({ memory: 2 * MiB, disks: [new Uint8Array(512)] });
  assertThrows(() => smaller.restore(one), ConfigError, "64 sectors");
});

Deno.test("pc(): an image that throws or refuses gives the drive's error status and a trace entry", () => {
  for (const fails of ["throws", "refuses"] as const) {
    const image: BlockImage = {
      sectors: 64,
      read(lba, _count, into): boolean {
        if (lba !== 5) return into.fill(lba) !== undefined;
        if (fails === "throws") throw new Error("the file is gone");
        return false;
      },
      write: () => true,
    };
    const m = pc({ memory: 2 * MiB, disks: [image] });
    assertEquals(transfer(m, 4, 0x20), [0x50, 0]);
    assertEquals(word(m), 0x0404);
    assertEquals(transfer(m, 5, 0x20), [0x51, 0x40]);
    assertEquals(transfer(m, 6, 0x20), [0x50, 0], "and goes on");
    const text = m.trace.tail(50).map((e) => e.text).join("\n");
    assertStringIncludes(text, `medium error at sector 5${fails === "throws" ? ": the file is gone" : ""}`);
  }
});

Deno.test("pc(): disks go from the primary master on, the CD is at the secondary master; too many are refused", () => {
  const disk = (n: number): Uint8Array => new Uint8Array(512 * n);
  const m = pc({
    memory: 2 * MiB,
    disks: [disk(1), disk(2), { image: disk(3), model: "THIRD" }],
    cd: new Uint8Array(2048),
  });
  const identify = (base: number, slave: boolean, command: number): Uint8Array => {
    m.ports.write(base + 6, slave ? 0xb0 : 0xa0, 8);
    m.ports.write(base + 7, command, 8);
    const bytes = new Uint8Array(512);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < 256; i++) view.setUint16(2 * i, m.ports.read(base, 16), true);
    return bytes;
  };
  const sectors = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(120, true);
  assertEquals([sectors(identify(0x1f0, false, 0xec)), sectors(identify(0x1f0, true, 0xec))], [1, 2]);
  const third = identify(0x170, true, 0xec);
  assertEquals([sectors(third), String.fromCharCode(third[55], third[54])], [3, "TH"]);
  assertEquals(identify(0x170, false, 0xa1)[1], 0x85, "a CD drive");
  assertThrows(
    () => pc({ disks: [disk(1), disk(1), disk(1), disk(1)], cd: disk(4) }),
    ConfigError,
    "3 fit beside a CD",
  );
  assertThrows(() => pc({ disks: [new Uint8Array(100)] }), ConfigError, "512-byte");
  assertThrows(() => pc({ cd: new Uint8Array(512) }), ConfigError, "2048-byte");
  assertThrows(() => pc({ disks: [new Uint8Array(0)] }), ConfigError, "at least one");
  assertThrows(() => pc({ disks: [{ image: disk(1), mdoel: "x" } as never] }), ConfigError, '"model"');
  for (const wrong of ["file.img", 7, null, { image: "file.img" }, { read: 1, write: 2, sectors: 3 }]) {
    assertThrows(() => pc({ disks: [wrong as never] }), ConfigError, "disk 0 must be bytes, an image");
  }
  assertThrows(() => pc({ disks: disk(1) as never }), ConfigError, "disks: [image]");
  assertThrows(() => pc({ bootFrom: "floppy" as never }), ConfigError, '"disk" or "cd"');
  assertThrows(() => pc({ vgaBios: new Uint8Array(512) }), ConfigError, "give bios as well");
});

Deno.test("restore() gives back the serial text as the guest had written it by then, and typing it had not taken", () => {
  const m = pc({ memory: 2 * MiB });
  const say = (t: string): void => [...t].forEach((c) => m.ports.write(0x3f8, c.charCodeAt(0), 8));
  say("before ");
  m.serial.send("typed");
  const snapshot = m.snapshot();
  say("after");
  m.serial.clear();
  say("!");
  m.restore(snapshot);
  assertEquals([m.serial.text, m.serial.count], ["before ", 7]);
  assertEquals(m.run({ until: m.serial.contains("after"), instructions: 10 }).kind, "budget");
  assertEquals(String.fromCharCode(m.ports.read(0x3f8, 8)), "t");
  const other = pc({ memory: 2 * MiB });
  other.restore(Snapshot.fromBytes(snapshot.toBytes()));
  other.run({ instructions: 10 });
  assertEquals([other.serial.text, String.fromCharCode(other.ports.read(0x3f8, 8))], ["before ", "t"]);
});

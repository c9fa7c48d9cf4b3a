/** SeaBIOS from the reset vector: it finds the board, and boots from an IDE disk and from a CD. */
import { asm, floppyCd, MiB, PARAVIRT_ROM_AT, pc, type Program, vmiPc } from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { isoImage } from "./iso9660.ts";

const image = guestSync("seabios");
const large = guestSync("seabios-256k");
const vga = guestSync("vgabios-stdvga");
const title = (what: string, has = image.available): string => `${what}${has ? "" : " (guest not available)"}`;

/** Loads the sector after itself through the BIOS (INT 0x13, 2048 or 512 bytes) and prints the text there on COM1. */
const loader = (sector: number): Program =>
  asm`
  bits 16
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  mov [0x500], dl
  mov si, packet
  mov ah, 0x42
  int 0x13
  jc failed
  mov si, 0x8000
next:
  lodsb
  test al, al
  jz done
  mov dx, 0x3f8
  out dx, al
  jmp next
failed:
  mov dx, 0x3f8
  mov al, '!'
  out dx, al
done:
  hlt
  jmp done
packet:
  db 16, 0, 1, 0
  dw 0x8000, 0
  dd ${sector}, 0
`;

const bytesOf = (t: string): Uint8Array => new TextEncoder().encode(`${t}\0`);

function bootDisk(): Uint8Array {
  const disk = new Uint8Array(4 * MiB);
  disk.set(loader(7).at?.(0x7c00).bytes ?? new Uint8Array(0));
  disk.set([0x55, 0xaa], 510);
  disk.set(bytesOf("second stage of the disk\n"), 7 * 512);
  return disk;
}

function bootCd(): Uint8Array {
  return isoImage(loader(27).at?.(0x7c00).bytes ?? new Uint8Array(0), [
    { name: "STAGE2.TXT", data: bytesOf("second stage of the CD\n") },
  ]);
}

for (const [name, bios] of [["128 KiB", image], ["256 KiB", large]] as const) {
  Deno.test({
    name: title(`SeaBIOS of ${name} boots a sector from an IDE disk`, bios.available),
    ignore: !bios.available,
    fn() {
      if (!bios.available) return;
      const m = pc({ memory: 16 * MiB, bios: Deno.readFileSync(bios.path), disks: [bootDisk()] });
      const stop = m.run({ until: m.serial.contains("disk\n"), instructions: 2_000_000_000 });
      assertEquals(stop.kind, "until", m.firmwareLog.tail(2000));
      assertEquals(m.serial.text, "second stage of the disk\n");
      assertStringIncludes(m.firmwareLog.text, "RamSize: 0x01000000");
      assertStringIncludes(m.firmwareLog.text, "ata0-0: VMIKIT HARDDISK ATA-6 Hard-Disk (4 MiBytes)");
      assertEquals(m.physical.peek(0x500, 1)[0], 0x80, "drive number");
    },
  });
}

Deno.test({
  name: title("SeaBIOS boots an El Torito CD"),
  ignore: !image.available,
  fn() {
    if (!image.available) return;
    const m = pc({ memory: 16 * MiB, bios: Deno.readFileSync(image.path), cd: bootCd() });
    const stop = m.run({ until: m.serial.contains("CD\n"), instructions: 2_000_000_000 });
    assertEquals(stop.kind, "until", m.firmwareLog.tail(2000) + m.serial.text);
    assertEquals(m.serial.text, "second stage of the CD\n");
    assert(m.physical.peek(0x500, 1)[0] >= 0xe0, "a CD's drive number");
  },
});

/** Reads the last sector of the second track's second side from drive A, as CHS, and prints the text there on COM1. */
const floppyLoader = asm`
  bits 16
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov [0x500], dl
  mov ax, 0x0201
  mov cx, 0x0112
  mov dh, 1
  mov bx, 0x8000
  int 0x13
  jc failed
  mov si, 0x8000
next:
  lodsb
  test al, al
  jz done
  mov dx, 0x3f8
  out dx, al
  jmp next
failed:
  mov al, '!'
  mov dx, 0x3f8
  out dx, al
done:
  hlt
  jmp done
`;

Deno.test({
  name: title("SeaBIOS boots a floppy image as drive A"),
  ignore: !image.available,
  fn() {
    if (!image.available) return;
    const floppy = new Uint8Array(1_474_560);
    floppy.set(floppyLoader.at?.(0x7c00).bytes ?? new Uint8Array(0));
    floppy.set([0x55, 0xaa], 510);
    floppy.set(bytesOf("side 1 of track 1, sector 18\n"), ((1 * 2 + 1) * 18 + 17) * 512);
    const bios = Deno.readFileSync(image.path);
    const m = pc({ memory: 16 * MiB, bios, disks: [bootDisk()], cd: floppyCd(floppy), bootFrom: "cd" });
    const stop = m.run({ until: m.serial.contains("18\n"), instructions: 2_000_000_000 });
    assertEquals(stop.kind, "until", m.firmwareLog.tail(2000) + m.serial.text);
    assertEquals(m.serial.text, "side 1 of track 1, sector 18\n");
    assertEquals(m.physical.peek(0x500, 1)[0], 0, "drive A");
  },
});

Deno.test({
  name: title("SeaBIOS runs its VGA BIOS and shows what it does", image.available && vga.available),
  ignore: !image.available || !vga.available,
  fn() {
    if (!image.available || !vga.available) return;
    const [bios, vgaBios] = [image, vga].map((g) => Deno.readFileSync(g.path));
    const m = pc({ memory: 16 * MiB, bios, vgaBios });
    const stop = m.run({ until: m.screen.contains("No bootable device."), instructions: 2_000_000_000 });
    assertEquals(stop.kind, "until", m.firmwareLog.tail(2000));
    assertEquals(m.screen.rows()[0].replace(/n [\d.]+.*/, "n"), "SeaBIOS (version");
    assertStringIncludes(m.firmwareLog.text, "Running option rom at c000:0003");
  },
});

Deno.test({
  name: title("SeaBIOS prefers the CD if told so, and runs on two CPUs"),
  ignore: !image.available,
  fn() {
    if (!image.available) return;
    const bios = Deno.readFileSync(image.path);
    const m = pc({ memory: 16 * MiB, cpus: 2, bios, disks: [bootDisk()], cd: bootCd(), bootFrom: "cd" });
    const stop = m.run({ until: m.serial.contains("CD\n"), instructions: 2_000_000_000 });
    assertEquals(stop.kind, "until", m.firmwareLog.tail(2000) + m.serial.text);
    assertStringIncludes(m.firmwareLog.text, "Found 2 cpu(s)");
  },
});

Deno.test({
  name: title("SeaBIOS makes the same steps on every engine"),
  ignore: !image.available,
  fn() {
    if (!image.available) return;
    const bios = Deno.readFileSync(image.path);
    const hashes = (["reference", "interpreter", "jit"] as const).map((engine) => {
      const m = pc({ memory: 4 * MiB, engine, bios, disks: [bootDisk()] });
      m.run({ instructions: 600_000 });
      assertStringIncludes(m.firmwareLog.text, "Relocating init");
      return m.hash();
    });
    assertEquals(hashes, hashes.map(() => hashes[0]));
  },
});

Deno.test({
  name: title("SeaBIOS leaves the paravirtual ROM where a guest finds it"),
  ignore: !image.available,
  fn() {
    if (!image.available) return;
    const m = vmiPc({ memory: 16 * MiB, bios: Deno.readFileSync(image.path), disks: [bootDisk()] });
    const before = m.physical.peek(PARAVIRT_ROM_AT, 0x1000);
    const stop = m.run({ until: m.serial.contains("disk\n"), instructions: 2_000_000_000 });
    assertEquals(stop.kind, "until", m.firmwareLog.tail(2000));
    assertEquals(m.physical.peek(PARAVIRT_ROM_AT, 0x1000), before);
  },
});

Deno.test({
  name: title("SeaBIOS goes on the same from a snapshot that another machine takes, shadow RAM included"),
  ignore: !image.available,
  fn() {
    if (!image.available) return;
    const make = () => pc({ memory: 16 * MiB, bios: Deno.readFileSync(image.path), disks: [bootDisk()] });
    const m = make();
    m.run({ until: m.firmwareLog.contains("Press ESC"), instructions: 2_000_000_000 });
    const middle = m.snapshot();
    m.run({ until: m.serial.contains("disk\n"), instructions: 2_000_000_000 });
    const end = m.hash();
    const other = make();
    other.restore(middle);
    other.run({ until: other.serial.contains("disk\n"), instructions: 2_000_000_000 });
    assertEquals(other.hash(), end);
    m.reset();
    m.serial.clear();
    assertEquals(
      m.run({ until: m.serial.contains("disk\n"), instructions: 2_000_000_000 }).kind,
      "until",
      "boots again",
    );
  },
});

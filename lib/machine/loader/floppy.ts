/**
 * Floppy images: put on a CD from which a BIOS boots as from drive A (El Torito, floppy emulation), since the board has
 * no floppy controller. What the guest writes to the drive is refused by the BIOS.
 *
 * Sources: El Torito Bootable CD-ROM Format Specification 1.0; ECMA-119 for the descriptors around it. Cold.
 *
 * Not emulated: the floppy controller itself, so guests find the drive through INT 0x13 alone.
 */
import { ByteWriter, latin1 } from "../../base/bytes.ts";
import { ConfigError } from "../../core/errors.ts";

/** Bytes of a CD's sector. */
const SECTOR = 2048;
/** Sectors: descriptors from 16 on, the boot catalog, the image. */
const At = { primary: 16, boot: 17, end: 18, catalog: 19, image: 20 } as const;

/** Media types of the boot catalog by size in bytes. */
const MEDIA: ReadonlyMap<number, number> = new Map([[1_228_800, 1], [1_474_560, 2], [2_949_120, 3]]);

/**
 * A CD that boots as drive A with this floppy image in it: `pc({ bios, cd: floppyCd(image), bootFrom: "cd" })`.
 *
 * @param image The floppy, copied: 1.2, 1.44 or 2.88 MB.
 * @returns Whole sectors of 2048 bytes.
 * @throws {ConfigError} image-size, image-boot-sector
 */
export function floppyCd(image: Uint8Array): Uint8Array<ArrayBuffer> {
  const media = MEDIA.get(image.length);
  if (media === undefined) {
    throw new ConfigError(
      "image-size",
      `Floppy image has ${image.length} bytes; a BIOS boots those of ${[...MEDIA.keys()].join(", ")} bytes`,
    );
  }
  if (image[510] !== 0x55 || image[511] !== 0xaa) {
    throw new ConfigError(
      "image-boot-sector",
      "Floppy image has no boot sector: 0x55 0xaa are missing at offset 510; give one that boots",
    );
  }
  const sectors = At.image + Math.ceil(image.length / SECTOR);
  const cd = new Uint8Array(sectors * SECTOR);
  const put = (sector: number, bytes: Uint8Array): void => cd.set(bytes, sector * SECTOR);
  put(At.primary, descriptor(1).u32(80, sectors).u32(84, swapped(sectors)).u16(128, SECTOR).bytes);
  put(At.boot, descriptor(0).put(7, latin1("EL TORITO SPECIFICATION")).u32(0x47, At.catalog).bytes);
  put(At.end, descriptor(0xff).bytes);
  put(At.catalog, catalog(media));
  put(At.image, image);
  return cd;
}

function descriptor(type: number): ByteWriter {
  return new ByteWriter(SECTOR).u8(0, type).put(1, latin1("CD001")).u8(6, 1);
}

/** Validation entry, whose words sum up to nothing, and the entry that boots: one sector of 512 bytes to 0x7c00. */
function catalog(media: number): Uint8Array {
  const w = new ByteWriter(SECTOR).u8(0, 1).put(4, latin1("VMIKIT")).u8(0x1e, 0x55).u8(0x1f, 0xaa);
  const view = new DataView(w.bytes.buffer, w.bytes.byteOffset);
  let sum = 0;
  for (let i = 0; i < 32; i += 2) sum += view.getUint16(i, true);
  w.u16(0x1c, -sum & 0xffff);
  return w.u8(0x20, 0x88).u8(0x21, media).u16(0x26, 1).u32(0x28, At.image).bytes;
}

function swapped(n: number): number {
  return ((n & 0xff) << 24 | (n & 0xff00) << 8 | (n >>> 8) & 0xff00 | n >>> 24) >>> 0;
}

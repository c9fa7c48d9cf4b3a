/**
 * What an ATA or ATAPI drive says of itself: IDENTIFY DEVICE and IDENTIFY PACKET DEVICE.
 * Source: ATA/ATAPI-6 (T13/1410D) 8.15, 8.16. Cold.
 */
import type { BlockImage } from "./block_image.ts";

/** What is plugged into a channel. */
export interface IdeDriveOptions {
  /** `disk`: 512-byte sectors; `cd`: 2048-byte sectors, read-only. */
  readonly kind: "disk" | "cd";
  /** The medium. */
  readonly image: BlockImage;
  /** Model name; at most 40 characters. */
  readonly model?: string;
  /** Serial number; at most 20 characters. */
  readonly serial?: string;
}

/** The 512 bytes a drive tells of itself; `multi` is the multiple-sector setting. */
export function identify(o: IdeDriveOptions, multi: number): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  const word = (i: number, v: number): void => view.setUint16(2 * i, v & 0xffff, true);
  const text = (i: number, t: string, length: number): void => {
    for (let k = 0; k < length; k++) bytes[2 * i + (k ^ 1)] = t.charCodeAt(k) & 0x7f || 0x20;
  };
  const cd = o.kind === "cd";
  const sectors = o.image.sectors;
  const lba28 = Math.min(sectors, 0x0fffffff);
  text(10, o.serial ?? "VK00000001", 20);
  text(23, "1.0", 8);
  text(27, o.model ?? (cd ? "VMIKIT CD-ROM" : "VMIKIT HARDDISK"), 40);
  word(0, cd ? 0x85c0 : 0x0040);
  word(49, 0x0f00);
  word(53, 7);
  word(63, 0x0007);
  word(64, 3);
  for (let i = 65; i < 69; i++) word(i, 120);
  word(80, 0x7e);
  if (cd) return bytes;
  const cylinders = Math.min(16383, Math.floor(sectors / (16 * 63)));
  for (const i of [1, 54]) word(i, cylinders);
  for (const i of [3, 55]) word(i, 16);
  for (const i of [6, 56]) word(i, 63);
  view.setUint32(2 * 57, cylinders * 16 * 63, true);
  word(47, 0x8010);
  word(59, 0x100 | multi);
  view.setUint32(2 * 60, lba28, true);
  for (const i of [82, 85]) word(i, 0x0020);
  for (const i of [83, 86]) word(i, 0x7400 & (i === 83 ? 0xffff : 0x3fff));
  for (const i of [84, 87]) word(i, 0x4000);
  word(88, 0x003f);
  word(93, 0x6001);
  view.setUint32(2 * 100, sectors >>> 0, true);
  view.setUint32(2 * 102, Math.floor(sectors / 2 ** 32), true);
  return bytes;
}

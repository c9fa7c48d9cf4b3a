/**
 * The smallest image of each format that its loader accepts. Cold.
 */
import { ByteWriter, latin1 } from "../../../lib/base/bytes.ts";

/** ELF32 executable with one segment, linked at 0xc0100000 and loaded at 1 MiB; enters at offset 0x20. */
export function elfFile(): Uint8Array {
  const w = new ByteWriter(0x1100);
  w.put(0, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1)).u16(16, 2).u16(18, 3).u32(20, 1);
  w.u32(24, 0xc0100020).u32(28, 52).u16(40, 52).u16(42, 32).u16(44, 1);
  w.u32(52, 1).u32(56, 0x1000).u32(60, 0xc0100000).u32(64, 0x100000).u32(68, 0x100).u32(72, 0x2000);
  for (let i = 0; i < 0x100; i++) w.u8(0x1000 + i, i);
  return w.bytes;
}

/** The same with a multiboot header. */
export function multibootFile(): Uint8Array {
  const bytes = elfFile();
  new DataView(bytes.buffer).setUint32(0x1040, 0x1badb002, true);
  new DataView(bytes.buffer).setUint32(0x1044, 3, true);
  new DataView(bytes.buffer).setUint32(0x1048, -(0x1badb002 + 3) >>> 0, true);
  return bytes;
}

/** Linux image of boot protocol 2.10 whose kernel is NOPs. */
export function bzImage(payload?: Uint8Array, entry = 0x100000): Uint8Array {
  if (payload !== undefined) return wrapped(payload, entry);
  const w = new ByteWriter(0x200 * 3 + 0x1000);
  w.u8(0x1f1, 2).u32(0x1f4, 0x100).u16(0x1fe, 0xaa55).u8(0x200, 0xeb).u8(0x201, 0x62).put(0x202, latin1("HdrS")).u16(
    0x206,
    0x20a,
  );
  w.u8(0x211, 1).u32(0x214, 0x100000).u32(0x22c, 0x37ffffff).u32(0x238, 255).u32(0x260, 0x40000);
  for (let i = 0x600; i < w.bytes.length; i++) w.u8(i, 0x90);
  return w.bytes;
}

/** A bzImage, boot protocol 2.06 as Linux 2.6.21 to 2.6.36 have it or newer, around a protected-mode program for 1 MiB. */
function wrapped(payload: Uint8Array, entry: number): Uint8Array {
  const size = (payload.length + 15) & ~15;
  const w = new ByteWriter(0x600 + size);
  w.u8(0x1f1, 2).u32(0x1f4, size / 16).u16(0x1fe, 0xaa55).u8(0x200, 0xeb).u8(0x201, 0x3a).put(0x202, latin1("HdrS"));
  w.u16(0x206, 0x206).u8(0x211, 1).u32(0x214, entry).u32(0x22c, 0x37ffffff).u32(0x238, 255);
  return w.put(0x600, payload).bytes;
}

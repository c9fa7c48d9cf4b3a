/**
 * What an image is, told from its bytes, so that a user names a file and not its format. Cold.
 */
import { isElf } from "./elf.ts";
import { findHeader } from "./multiboot.ts";

/**
 * A kind of image: `linux` (bzImage, also memtest86+ and iPXE), `multiboot`, `elf`, `bios` (firmware for the reset
 * vector), `disk` (begins with a boot sector).
 */
export type ImageKind = "linux" | "multiboot" | "elf" | "bios" | "disk";

/** Jump instructions that firmware has 16 bytes below 4 GiB: short, near, far. */
const JUMPS = [0xeb, 0xe9, 0xea];

/** The kind of an image, or `undefined` if nothing tells it. A multiboot kernel in an ELF file is `multiboot`. */
export function imageKind(bytes: Uint8Array): ImageKind | undefined {
  const size = bytes.length;
  const signed = size >= 512 && bytes[510] === 0x55 && bytes[511] === 0xaa;
  const text = String.fromCharCode(...bytes.subarray(0x202, 0x206));
  if (signed && text === "HdrS") return "linux";
  if (findHeader(bytes) >= 0) return "multiboot";
  if (isElf(bytes)) return "elf";
  if (size >= 0x10000 && size <= 2 ** 24 && size % 0x10000 === 0 && JUMPS.includes(bytes[size - 16])) return "bios";
  return signed ? "disk" : undefined;
}

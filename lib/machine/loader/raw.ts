/**
 * Loaders for images without a header: bytes at an address, and firmware at the reset vector. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { CpuStart } from "../../core/cpu.ts";
import { type Region, rom } from "../../memory/region.ts";
import { hex } from "../../base/hex.ts";
import type { Bootable } from "../program.ts";

/** Bytes and where they go. */
export interface RawImage {
  /** Physical address. */
  readonly at: number;
  /** The image. */
  readonly bytes: Uint8Array;
  /** How to enter it; default: real mode at `at`. */
  readonly start?: CpuStart;
}

/** Bytes at an address, entered there. */
export function raw(image: RawImage): Bootable {
  const { at, bytes, start } = image;
  return {
    name: "raw image",
    load(target) {
      target.place(at, bytes, "raw image");
      if (start !== undefined) return start;
      if (at <= 0xffff) return { mode: "real16", entry: at, stack: at >= 0x1000 ? at & 0xfff0 : 0xfff0 };
      const segment = (at >>> 4) & 0xffff;
      if (at > 0xfffff) {
        throw new ConfigError(
          "load-entry",
          `Raw image at ${hex(at)} is out of real mode's reach; give start with a mode`,
        );
      }
      return { mode: "real16", entry: at & 0xf, code: segment, data: segment, stack: 0xfff0 };
    },
  };
}

/** A boot sector: 512 bytes at 0x7c00, signature 0x55 0xaa, DL the drive. @throws {ConfigError} image-boot-sector */
export function bootSector(bytes: Uint8Array, drive = 0x80): Bootable {
  return {
    name: "boot sector",
    load(target) {
      if (bytes.length < 512 || bytes[510] !== 0x55 || bytes[511] !== 0xaa) {
        throw new ConfigError(
          "image-boot-sector",
          "Boot sector must have 512 bytes with 0x55 0xaa at offset 510; this image has not",
        );
      }
      target.place(0x7c00, bytes.subarray(0, 512), "boot sector");
      return { mode: "real16", entry: 0x7c00, stack: 0x7c00, registers: { edx: drive } };
    },
  };
}

/**
 * ROM Regions of a BIOS image: all of it below 4 GiB, where the CPU starts (F000:FFF0), and its last 128 KiB below 1 MiB.
 * @throws {ConfigError} image-bios
 */
export function biosRegions(bytes: Uint8Array): readonly Region[] {
  const size = bytes.length;
  if (size < 0x10000 || size > 16 * 2 ** 20 || size % 0x10000 !== 0) {
    throw new ConfigError(
      "image-bios",
      `BIOS image has ${size} bytes; it must have whole 64 KiB blocks, at most 16 MiB: is the file complete`,
    );
  }
  const low = bytes.subarray(Math.max(0, size - 0x20000));
  return [
    rom({ at: 2 ** 32 - size, bytes, name: "bios" }),
    rom({ at: 0x100000 - low.length, bytes: low, name: "bios-low" }),
  ];
}

/** Enters whatever lies at the CPU's reset vector. */
export function firmware(): Bootable {
  return { name: "firmware", load: () => undefined };
}

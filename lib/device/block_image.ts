/**
 * What a disk or CD drive reads and writes: an array of sectors. In-memory image and copy-on-write overlay. Warm.
 */
import { ConfigError } from "../core/errors.ts";

/** An image of sectors of one size. Callers keep `lba + count` within `sectors`. */
export interface BlockImage {
  /** Number of sectors. */
  readonly sectors: number;
  /** Reads `count` sectors into `into`; false: a medium error. */
  read(lba: number, count: number, into: Uint8Array): boolean;
  /** Writes `count` sectors; false: a medium error or a read-only image. */
  write(lba: number, count: number, from: Uint8Array): boolean;
}

/**
 * An image in memory; the bytes are used in place. A length that is not a multiple of the sector is an error.
 * @throws {ConfigError} image-size
 */
export function memoryImage(bytes: Uint8Array, sectorSize = 512): BlockImage {
  if (bytes.length % sectorSize !== 0) {
    throw new ConfigError(
      "image-size",
      `Image of ${bytes.length} bytes is not a whole number of ${sectorSize}-byte sectors; pad it`,
    );
  }
  return {
    sectors: bytes.length / sectorSize,
    read(lba, count, into): boolean {
      into.set(bytes.subarray(lba * sectorSize, (lba + count) * sectorSize));
      return true;
    },
    write(lba, count, from): boolean {
      bytes.set(from.subarray(0, count * sectorSize), lba * sectorSize);
      return true;
    },
  };
}

/** An overlay over an image that is never written: changed sectors are kept apart. */
export interface OverlayImage extends BlockImage {
  /** Changed sectors by number. */
  readonly changed: ReadonlyMap<number, Uint8Array>;
  /** Forgets all changes. */
  discard(): void;
}

/** Makes a copy-on-write overlay. It holds at most the size of its base. */
export function overlayImage(base: BlockImage, sectorSize = 512): OverlayImage {
  const changed = new Map<number, Uint8Array>();
  return {
    sectors: base.sectors,
    changed,
    read(lba, count, into): boolean {
      if (!base.read(lba, count, into)) return false;
      for (let i = 0; i < count; i++) {
        const sector = changed.get(lba + i);
        if (sector !== undefined) into.set(sector, i * sectorSize);
      }
      return true;
    },
    write(lba, count, from): boolean {
      for (let i = 0; i < count; i++) changed.set(lba + i, from.slice(i * sectorSize, (i + 1) * sectorSize));
      return true;
    },
    discard(): void {
      changed.clear();
    },
  };
}

/**
 * What a disk or CD drive reads and writes: an array of sectors. In-memory image and copy-on-write overlay. Warm.
 */
import type { FieldValue } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";

/** An image of sectors of one size. Callers keep `lba + count` within `sectors`. */
export interface BlockImage {
  /** Number of sectors. */
  readonly sectors: number;
  /** Reads `count` sectors into `into`; false, or an error thrown: a medium error. */
  read(lba: number, count: number, into: Uint8Array): boolean;
  /** Writes `count` sectors; false, or an error thrown: a medium error or a read-only image. */
  write(lba: number, count: number, from: Uint8Array): boolean;
  /** What a snapshot must keep of the medium; absent: it never changes, or its changes are nobody's business. */
  save?(): FieldValue;
  /** Goes back to what {@linkcode BlockImage.save} gave. @throws {ConfigError} snapshot-mismatch */
  load?(saved: FieldValue): void;
}

/**
 * An image in memory; the bytes are used in place. A length that is not a multiple of the sector is an error, in which
 * `what` names the image.
 * @throws {ConfigError} image-size
 */
export function memoryImage(bytes: Uint8Array, sectorSize = 512, what = "Image"): BlockImage {
  if (bytes.length % sectorSize !== 0) {
    throw new ConfigError(
      "image-size",
      `${what} of ${bytes.length} bytes is not a whole number of ${sectorSize}-byte sectors; pad it`,
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

/** An overlay over an image that is never written: changed sectors are kept apart, and saved in snapshots. */
export interface OverlayImage extends BlockImage {
  /** Saves the changed sectors. */
  save(): FieldValue;
  /** Has exactly the saved sectors changed. @throws {ConfigError} snapshot-mismatch */
  load(saved: FieldValue): void;
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
    save(): FieldValue {
      const lbas = [...changed.keys()].sort((a, b) => a - b);
      // A sector once stored is never written in place, so snapshots share it.
      const data = lbas.map((lba) => changed.get(lba) ?? new Uint8Array(0));
      return { sectors: base.sectors, lbas, data };
    },
    load(saved): void {
      const f = saved as { sectors: number; lbas: readonly number[]; data: readonly Uint8Array[] };
      if (f.sectors !== base.sectors) {
        throw new ConfigError(
          "snapshot-mismatch",
          `Snapshot is of an image with ${f.sectors} sectors, this one has ${base.sectors}; give the same image`,
        );
      }
      changed.clear();
      f.lbas.forEach((lba, i) => {
        const sector = f.data[i];
        if (sector?.length === sectorSize) changed.set(lba, sector);
      });
    },
    discard(): void {
      changed.clear();
    },
  };
}

/**
 * Disks and the CD of a PC as a script names them, plugged into the two IDE channels: disks from the primary master on,
 * the CD at the secondary master. Images are never written: what a guest writes lies in an overlay, which snapshots
 * keep. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import { type BlockImage, memoryImage, type OverlayImage, overlayImage } from "../device/block_image.ts";
import type { IdeDriveOptions } from "../device/ide_drive.ts";
import { checkKeys } from "../core/keys.ts";

/** Bytes, an image, or an image with the names a drive tells of itself. */
export type DiskSource = Uint8Array | BlockImage | {
  /** The medium; bytes must be whole sectors: 512 bytes, 2048 of a CD. */
  readonly image: Uint8Array | BlockImage;
  /** Model name; at most 40 characters. */
  readonly model?: string;
  /** Serial number; at most 20 characters. */
  readonly serial?: string;
};

/** What is plugged in. */
export interface Drives {
  /** By channel and place; undefined: nothing there. */
  readonly drives: readonly (IdeDriveOptions | undefined)[];
  /** The hard disks' overlays, in the order of the description: what the guest has written. */
  readonly overlays: readonly OverlayImage[];
}

const SECTOR = { disk: 512, cd: 2048 } as const;

/**
 * Plugs disks in.
 * @throws {ConfigError} config-key, config-value: too many, or no image; image-size: no whole sectors, or none.
 */
export function plugDrives(disks: readonly DiskSource[], cd: DiskSource | undefined): Drives {
  if (!Array.isArray(disks)) {
    throw new ConfigError("config-value", "disks must be a list of images; write disks: [image]");
  }
  const places = cd === undefined ? [0, 1, 2, 3] : [0, 1, 3];
  if (disks.length > places.length) {
    throw new ConfigError(
      "config-value",
      `disks lists ${disks.length}; ${places.length} fit${cd === undefined ? "" : " beside a CD"}`,
    );
  }
  const drives: (IdeDriveOptions | undefined)[] = [undefined, undefined, undefined, undefined];
  const overlays: OverlayImage[] = [];
  disks.forEach((source, i) => {
    const { image, ...names } = opened(source, "disk", `disk ${i}`);
    const overlay = overlayImage(image);
    overlays.push(overlay);
    drives[places[i]] = { kind: "disk", image: overlay, serial: `VK0000000${i + 1}`, ...names };
  });
  if (cd !== undefined) drives[2] = { kind: "cd", ...opened(cd, "cd", "cd") };
  return { drives, overlays };
}

function opened(source: DiskSource, kind: "disk" | "cd", what: string): Omit<IdeDriveOptions, "kind"> {
  if (source === null || typeof source !== "object") throw noImage(what, source);
  if (source instanceof Uint8Array || "read" in source) return { image: checked(source, kind, what) };
  checkKeys(what, source, ["image", "model", "serial"]);
  return { ...source, image: checked(source.image, kind, what) };
}

function checked(source: Uint8Array | BlockImage, kind: "disk" | "cd", what: string): BlockImage {
  if (typeof source !== "object" || source === null) throw noImage(what, source);
  const image = source instanceof Uint8Array ? memoryImage(source, SECTOR[kind], `Image of ${what}`) : source;
  if (typeof image.read !== "function" || typeof image.write !== "function") throw noImage(what, source);
  if (!Number.isSafeInteger(image.sectors) || image.sectors < 1) {
    throw new ConfigError("image-size", `Image of ${what} has ${image.sectors} sectors; it needs at least one`);
  }
  return image;
}

function noImage(what: string, value: unknown): ConfigError {
  return new ConfigError(
    "config-value",
    `${what} must be bytes, an image with read and write, or { image }, not ${typeof value}`,
  );
}

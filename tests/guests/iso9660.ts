/**
 * Writes a small ISO 9660 file system with an El Torito boot entry without emulation, for tests of CD drives and firmware.
 *
 * Sources: ECMA-119; El Torito Bootable CD-ROM Format Specification 1.0. Cold.
 */

const SECTOR = 2048;
/** Sectors: descriptors from 16 on, then catalog, boot image, path tables, root directory, files. */
const At = { primary: 16, boot: 17, end: 18, catalog: 19, image: 20, pathLittle: 24, pathBig: 25, root: 26, files: 27 };

/** A file of the root directory. */
export interface IsoFile {
  /** Name as the standard wants it: capitals, at most 8.3, e.g. `HELLO.TXT`. */
  readonly name: string;
  /** Contents. */
  readonly data: Uint8Array;
}

/**
 * Builds an image.
 *
 * @param boot Code of at most 8 KiB that firmware loads to 0x7c00.
 * @param files Files of the root directory.
 * @returns Whole sectors of 2048 bytes.
 */
export function isoImage(boot: Uint8Array, files: readonly IsoFile[] = []): Uint8Array {
  if (boot.length > 4 * SECTOR) throw new RangeError(`boot code has ${boot.length} bytes, at most 8192 fit`);
  let next = At.files;
  const placed = files.map((f) => {
    const at = next;
    next += Math.max(1, Math.ceil(f.data.length / SECTOR));
    return { ...f, at };
  });
  const out = new Uint8Array(next * SECTOR);
  const put = (sector: number, offset: number, bytes: ArrayLike<number>): void =>
    out.set(bytes, sector * SECTOR + offset);
  const root = record("\0", At.root, SECTOR, true);
  put(At.primary, 0, primary(next, root));
  put(At.boot, 0, [0, ...text("CD001", 5), 1, ...text("EL TORITO SPECIFICATION", 32, "\0")]);
  put(At.boot, 0x47, le32(At.catalog));
  put(At.end, 0, [0xff, ...text("CD001", 5), 1]);
  put(At.catalog, 0, catalog());
  put(At.image, 0, boot);
  put(At.pathLittle, 0, [1, 0, ...le32(At.root), 1, 0, 0, 0]);
  put(At.pathBig, 0, [1, 0, ...be32(At.root), 0, 1, 0, 0]);
  const entries = [
    root,
    record("\x01", At.root, SECTOR, true),
    ...placed.map((f) => record(`${f.name};1`, f.at, f.data.length, false)),
  ];
  put(At.root, 0, entries.flat());
  for (const f of placed) put(f.at, 0, f.data);
  return out;
}

function primary(sectors: number, root: readonly number[]): number[] {
  const both16 = (n: number): number[] => [n & 0xff, n >> 8, n >> 8, n & 0xff];
  const out = [1, ...text("CD001", 5), 1, 0, ...text("", 32), ...text("VMIKIT", 32), ...zeros(8), ...both32(sectors)];
  out.push(...zeros(32), ...both16(1), ...both16(1), ...both16(SECTOR), ...both32(10));
  out.push(...le32(At.pathLittle), ...le32(0), ...be32(At.pathBig), ...be32(0), ...root);
  out.push(...text("", 128 * 4 + 37 * 3));
  for (let i = 0; i < 4; i++) out.push(...text("0000000000000000", 16), 0);
  return [...out, 1, 0];
}

/** Validation entry, and a default entry that loads four virtual sectors of 512 bytes to 0x7c00. */
function catalog(): number[] {
  const out = [1, 0, 0, 0, ...text("VMIKIT", 24, "\0"), 0, 0, 0x55, 0xaa];
  let sum = 0;
  for (let i = 0; i < 32; i += 2) sum += out[i] | (out[i + 1] << 8);
  out[28] = -sum & 0xff;
  out[29] = (-sum >> 8) & 0xff;
  return [...out, 0x88, 0, 0, 0, 0, 0, 4, 0, ...le32(At.image)];
}

function record(name: string, at: number, size: number, directory: boolean): number[] {
  const id = text(name, name.length);
  const date = [100, 1, 1, 0, 0, 0, 0];
  const body = [0, ...both32(at), ...both32(size), ...date, directory ? 2 : 0, 0, 0, 1, 0, 0, 1, id.length, ...id];
  if ((body.length + 1) % 2 !== 0) body.push(0);
  return [body.length + 1, ...body];
}

const zeros = (n: number): number[] => new Array<number>(n).fill(0);
const text = (t: string, size: number, pad = " "): number[] => [...t.padEnd(size, pad)].map((c) => c.charCodeAt(0));
const le32 = (n: number): number[] => [0, 8, 16, 24].map((s) => (n >>> s) & 0xff);
const be32 = (n: number): number[] => le32(n).reverse();
const both32 = (n: number): number[] => [...le32(n), ...be32(n)];

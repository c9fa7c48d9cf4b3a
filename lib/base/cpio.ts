/**
 * Writes cpio archives in the "newc" format, the one that Linux unpacks as its initial file system.
 *
 * The idea: each entry is a header of 110 ASCII characters (a magic and thirteen hex fields), its name, its data, each
 * padded to four bytes; an entry named `TRAILER!!!` ends the archive. Owner, times and inode numbers say nothing here, so
 * they are fixed, and equal lists give equal bytes. Sources: LINUX-DOC buffer-format (initramfs). Cold.
 *
 * Not emulated: hard links, checksums (magic 070702), owners other than root.
 */

/** One thing in the archive. Paths are relative to the root; a leading `/` may be written. */
export type CpioEntry =
  | CpioFile
  | CpioDirectory
  | CpioSymlink
  | CpioDevice;

/** A regular file. */
export interface CpioFile {
  /** Tells the kinds apart. */
  readonly kind: "file";
  /** Path in the archive. */
  readonly path: string;
  /** Contents; a string is written as UTF-8. Not kept after the call. */
  readonly data: Uint8Array | string;
  /** Permission bits; default 0o644. */
  readonly mode?: number;
}

/** A directory. Missing parents of any entry are made with mode 0o755, so most need not be listed. */
export interface CpioDirectory {
  /** Tells the kinds apart. */
  readonly kind: "directory";
  /** Path in the archive. */
  readonly path: string;
  /** Permission bits; default 0o755. */
  readonly mode?: number;
}

/** A symbolic link. */
export interface CpioSymlink {
  /** Tells the kinds apart. */
  readonly kind: "symlink";
  /** Path in the archive. */
  readonly path: string;
  /** What it points to, as written. */
  readonly target: string;
}

/** A device node, such as `/dev/console`: character device 5, 1. */
export interface CpioDevice {
  /** Tells the kinds apart. */
  readonly kind: "device";
  /** Path in the archive. */
  readonly path: string;
  /** Character or block device. */
  readonly type: "char" | "block";
  /** Major number, u32. */
  readonly major: number;
  /** Minor number, u32. */
  readonly minor: number;
  /** Permission bits; default 0o600. */
  readonly mode?: number;
}

const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const S_IFBLK = 0o060000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

const HEADER_BYTES = 110;
const TRAILER = "TRAILER!!!";

/** An entry reduced to what its header says. */
interface Header {
  readonly name: string;
  readonly mode: number;
  readonly data: Uint8Array;
  readonly major: number;
  readonly minor: number;
}

/**
 * Builds an archive.
 *
 * @param entries In the order they are unpacked; parents that are not listed come before their first child.
 * @returns The archive, a multiple of 512 bytes long; the caller owns it.
 * @throws {RangeError} A path that is empty, listed twice or leaves the root, a mode or device number out of range.
 *
 * @example An initial file system with one program
 * ```ts
 * import { writeCpio } from "./cpio.ts";
 *
 * const archive = writeCpio([
 *   { kind: "device", path: "/dev/console", type: "char", major: 5, minor: 1 },
 *   { kind: "file", path: "/init", data: "#!/bin/sh\n", mode: 0o755 },
 * ]);
 * if (archive.length % 512 !== 0) throw new Error("not whole blocks");
 * ```
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const records = withParents(entries.map(toRecord));
  const encoder = new TextEncoder();
  const parts = [...records, { name: TRAILER, mode: 0, data: new Uint8Array(0), major: 0, minor: 0 }].map((record) => ({
    record,
    name: encoder.encode(record.name),
  }));
  const total = parts.reduce((sum, { record, name }) => sum + headAndName(name) + pad4(record.data.length), 0);
  const out = new Uint8Array(Math.ceil(total / 512) * 512);
  let at = 0;
  parts.forEach(({ record, name }, index) => {
    // The trailer has inode 0; others count from 1, so that no two entries look like links to one file.
    const inode = record.name === TRAILER ? 0 : index + 1;
    out.set(encoder.encode(header(record, inode, name.length + 1)), at);
    out.set(name, at + HEADER_BYTES);
    at += headAndName(name);
    out.set(record.data, at);
    at += pad4(record.data.length);
  });
  return out;
}

function pad4(length: number): number {
  return Math.ceil(length / 4) * 4;
}

/** Header, name and its zero byte: padded together. */
function headAndName(name: Uint8Array): number {
  return pad4(HEADER_BYTES + name.length + 1);
}

function header(record: Header, inode: number, nameBytes: number): string {
  const links = (record.mode & 0o170000) === S_IFDIR ? 2 : 1;
  const [uid, gid, mtime, devMajor, devMinor, check] = [0, 0, 0, 0, 0, 0];
  const { mode, data, major, minor } = record;
  const fields = [inode, mode, uid, gid, links, mtime, data.length, devMajor, devMinor, major, minor, nameBytes, check];
  return "070701" + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
}

function toRecord(entry: CpioEntry): Header {
  const name = entry.path.replace(/^\/+/, "").replace(/\/+$/, "");
  const parts = name.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || name.includes("\0") || name === TRAILER) {
    throw new RangeError(
      `Archive path ${JSON.stringify(entry.path)} is empty, reserved or leaves the root; write it like "bin/sh"`,
    );
  }
  const empty = new Uint8Array(0);
  switch (entry.kind) {
    case "file": {
      const data = typeof entry.data === "string" ? new TextEncoder().encode(entry.data) : entry.data;
      return { name, mode: S_IFREG | bits(entry, 0o644), data, major: 0, minor: 0 };
    }
    case "directory":
      return { name, mode: S_IFDIR | bits(entry, 0o755), data: empty, major: 0, minor: 0 };
    case "symlink":
      return { name, mode: S_IFLNK | 0o777, data: new TextEncoder().encode(entry.target), major: 0, minor: 0 };
    case "device": {
      const { major, minor } = entry;
      if (!isU32(major) || !isU32(minor)) {
        throw new RangeError(`Device ${name}: numbers ${major}, ${minor} are not u32`);
      }
      return {
        name,
        mode: (entry.type === "char" ? S_IFCHR : S_IFBLK) | bits(entry, 0o600),
        data: empty,
        major,
        minor,
      };
    }
  }
}

function bits(entry: { readonly path: string; readonly mode?: number }, fallback: number): number {
  const mode = entry.mode ?? fallback;
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    throw new RangeError(`Archive path ${entry.path}: mode ${mode} has more than the twelve permission bits`);
  }
  return mode;
}

function isU32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

function withParents(records: readonly Header[]): readonly Header[] {
  const listed = new Map<string, Header>();
  for (const record of records) {
    if (listed.has(record.name)) throw new RangeError(`Archive path ${record.name} is listed twice`);
    listed.set(record.name, record);
  }
  const done = new Set<string>();
  const out: Header[] = [];
  const add = (record: Header): void => {
    if (done.has(record.name)) return;
    const slash = record.name.lastIndexOf("/");
    if (slash > 0) {
      const name = record.name.slice(0, slash);
      const parent = listed.get(name) ?? { name, mode: S_IFDIR | 0o755, data: new Uint8Array(0), major: 0, minor: 0 };
      if ((parent.mode & 0o170000) !== S_IFDIR) {
        throw new RangeError(`Archive path ${name} holds ${record.name} but is no directory`);
      }
      add(parent);
    }
    done.add(record.name);
    out.push(record);
  };
  records.forEach(add);
  return out;
}

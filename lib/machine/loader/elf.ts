/**
 * ELF32 executables: program headers are copied to their physical addresses, the CPU enters at `e_entry` in flat
 * protected mode. Sources: ELF-1.2 (TIS). Cold.
 *
 * Not emulated: relocatable objects, dynamic linking, big-endian and 64-bit files.
 */
import { ByteReader } from "../../base/bytes.ts";
import { hex } from "../../base/hex.ts";
import type { Bootable, LoadTarget } from "../program.ts";
import { guarded, imageError } from "./image_error.ts";

/** A part of an ELF file that is put into memory. */
export interface ElfSegment {
  /** Physical address. */
  readonly at: number;
  /** Linear address the file was linked for. */
  readonly linear: number;
  /** Bytes from the file. */
  readonly bytes: Uint8Array;
  /** Bytes in memory; those past the file's are zero. */
  readonly memorySize: number;
}

/** What a loader needs of an ELF file. */
export interface ElfFile {
  /** Linear address of the first instruction. */
  readonly entry: number;
  /** Loadable parts with a size, in file order. */
  readonly segments: readonly ElfSegment[];
}

const PT_LOAD = 1;
const MOST_SEGMENTS = 256;

/** Does an image begin like an ELF file? */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * Reads the headers of an ELF32 executable for i386.
 * @throws {ConfigError} image-elf; {RangeError} The file is cut off.
 */
export function parseElf(bytes: Uint8Array): ElfFile {
  const r = new ByteReader(bytes, "ELF file");
  if (!isElf(bytes)) throw imageError("image-elf", "Not an ELF file: the first bytes are not 7f 45 4c 46", "use raw()");
  if (r.u8(4) !== 1 || r.u8(5) !== 1) {
    throw imageError("image-elf", "ELF file is not 32-bit little-endian", "build it for i386, e.g. with gcc -m32");
  }
  if (r.u16(0x12) !== 3) {
    throw imageError("image-elf", `ELF file is for machine ${r.u16(0x12)}, not i386 (3)`, "build it with gcc -m32");
  }
  if (r.u16(0x10) !== 2) {
    throw imageError(
      "image-elf",
      `ELF file has type ${r.u16(0x10)}, not executable (2)`,
      "link it, e.g. with ld -m elf_i386",
    );
  }
  const [table, size, count] = [r.u32(0x1c), r.u16(0x2a), r.u16(0x2c)];
  if (size < 32 || count === 0 || count > MOST_SEGMENTS) {
    throw imageError("image-elf", `ELF file has ${count} program headers of ${size} bytes`, "is the file damaged");
  }
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    const memorySize = r.u32(at + 20);
    if (r.u32(at) !== PT_LOAD || memorySize === 0) continue;
    const fileSize = r.u32(at + 16);
    if (fileSize > memorySize) {
      throw imageError(
        "image-elf",
        `ELF segment ${i} has ${fileSize} bytes in the file for ${memorySize} in memory`,
        "is the file damaged",
      );
    }
    segments.push({ at: r.u32(at + 12), linear: r.u32(at + 8), bytes: r.slice(r.u32(at + 4), fileSize), memorySize });
  }
  if (segments.length === 0) throw imageError("image-elf", "ELF file has nothing to load", "link it as an executable");
  checkOverlap(segments);
  return { entry: r.u32(0x18), segments };
}

/** Overlapping segments would make the result depend on their order, and a damaged table costly to load. */
function checkOverlap(segments: readonly ElfSegment[]): void {
  const sorted = [...segments].sort((a, b) => a.at - b.at);
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1], sorted[i]];
    if (a.at + a.memorySize <= b.at) continue;
    const [one, two] = [a, b].map((s) => `${hex(s.at)}+${hex(s.memorySize, 1)}`);
    throw imageError("image-elf", `ELF segments ${one} and ${two} overlap`, "is the file damaged");
  }
}

/** Puts all segments into memory. @throws {ConfigError} load-range */
export function placeElf(file: ElfFile, target: LoadTarget): void {
  for (const s of file.segments) {
    // The zeroed tail is checked before it is made, so that a damaged size costs no memory.
    const home = target.regions.find((r) => r.kind !== "mmio" && r.at <= s.at && s.at < r.at + r.size);
    if (home === undefined || s.at + s.memorySize > home.at + home.size) {
      throw imageError(
        "load-range",
        `ELF segment ${hex(s.at)}+${hex(s.memorySize, 1)} does not lie in one RAM`,
        "link it elsewhere or add memory",
      );
    }
    const whole = new Uint8Array(s.memorySize);
    whole.set(s.bytes);
    target.place(s.at, whole, "ELF segment");
  }
}

/**
 * Physical address of the entry: linked and loaded addresses may differ, and some kernels give the physical one.
 * @throws {ConfigError} image-elf: the entry lies in no segment.
 */
export function entryPhysical(file: ElfFile): number {
  const { entry, segments } = file;
  const linked = segments.find((s) => entry >= s.linear && entry < s.linear + s.memorySize);
  if (linked !== undefined) return (entry - linked.linear + linked.at) >>> 0;
  if (segments.some((s) => entry >= s.at && entry < s.at + s.memorySize)) return entry;
  throw imageError(
    "image-elf",
    `ELF entry ${hex(entry)} lies in no segment`,
    "link it with an entry, e.g. ld -e start",
  );
}

/** An ELF32 executable, entered in flat protected mode. Errors of the file: code `image-elf`. */
export function elf(bytes: Uint8Array): Bootable {
  return {
    name: "ELF file",
    load: (target) =>
      guarded("image-elf", () => {
        const file = parseElf(bytes);
        placeElf(file, target);
        const entry = entryPhysical(file);
        const home = target.regions.find((r) => r.kind === "ram" && r.at <= entry && entry < r.at + r.size);
        const end = home === undefined ? 0 : home.at + home.size;
        return { mode: "flat32", entry, stack: end >>> 0 };
      }),
  };
}

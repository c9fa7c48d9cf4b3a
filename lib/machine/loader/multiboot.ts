/**
 * Multiboot version 1 kernels: ELF files, or flat images whose header carries addresses. The kernel is entered in flat
 * protected mode with EAX = 0x2badb002 and EBX = the information structure. Sources: MULTIBOOT-0.6.96 3.1 to 3.4. Cold.
 *
 * Not emulated: the video mode a kernel may ask for, drive and APM information.
 */
import { ByteReader, ByteWriter, latin1 } from "../../base/bytes.ts";
import { alignUp } from "../../base/bits.ts";
import { hex } from "../../base/hex.ts";
import type { CpuStart } from "../../core/cpu.ts";
import type { Bootable, LoadTarget } from "../program.ts";
import { entryPhysical, isElf, parseElf, placeElf } from "./elf.ts";
import { guarded, imageError } from "./image_error.ts";
import { memoryMap } from "./memory_map.ts";

/** A file that comes with the kernel. */
export interface MultibootModule {
  /** Contents. */
  readonly bytes: Uint8Array;
  /** Text passed with it. */
  readonly text?: string;
}

/** A kernel and what it is given. */
export interface MultibootOptions {
  /** ELF file or flat image with a multiboot header in its first 8 KiB. */
  readonly kernel: Uint8Array;
  /** Command line. */
  readonly append?: string;
  /** Modules, page aligned behind the kernel. */
  readonly modules?: readonly MultibootModule[];
}

const MAGIC = 0x1badb002;
const BOOT_MAGIC = 0x2badb002;
const SEARCH = 8192;
const HAS_ADDRESSES = 0x10000;
/** Required features a loader must know: page-aligned modules, memory information, a video mode. */
const REQUIRED = 0xffff;
const KNOWN = 0x7;
const INFO_AT = 0x9000;
/** Flags of the information structure: memory, command line, modules, memory map, loader name. */
const INFO_FLAGS = 0x1 | 0x4 | 0x8 | 0x40 | 0x200;
const NAME = "vmikit";

/** Offset of a valid multiboot header, or -1. */
export function findHeader(bytes: Uint8Array): number {
  const r = new ByteReader(bytes, "Multiboot image");
  for (let at = 0; at + 12 <= Math.min(SEARCH, bytes.length); at += 4) {
    if (r.u32(at) === MAGIC && ((MAGIC + r.u32(at + 4) + r.u32(at + 8)) >>> 0) === 0) return at;
  }
  return -1;
}

/** A range of physical memory. */
interface Part {
  readonly at: number;
  readonly size: number;
}

/** A kernel in memory. */
interface Placed {
  readonly entry: number;
  readonly parts: readonly Part[];
}

/** A multiboot 1 kernel. Errors of the image: code `image-multiboot`. */
export function multiboot(options: MultibootOptions): Bootable {
  return {
    name: "multiboot kernel",
    load: (target) => guarded("image-multiboot", () => loadKernel(options, target)),
  };
}

function loadKernel(options: MultibootOptions, target: LoadTarget): CpuStart {
  const { kernel } = options;
  const header = findHeader(kernel);
  if (header < 0) {
    throw imageError(
      "image-multiboot",
      "No multiboot header with a valid checksum in the first 8 KiB",
      "use elf() or linux()",
    );
  }
  const flags = new ByteReader(kernel, "Multiboot header").u32(header + 4);
  if ((flags & REQUIRED & ~KNOWN) !== 0) {
    throw imageError(
      "image-multiboot",
      `Multiboot header requires features ${hex(flags & REQUIRED & ~KNOWN, 4)}, which version 1 does not have`,
      "clear these flags in the header",
    );
  }
  const placed = (flags & HAS_ADDRESSES) !== 0 || !isElf(kernel)
    ? placeFlat(kernel, header, flags, target)
    : placeElfKernel(kernel, target);
  const info = placeInfo(options, placed.parts, target);
  return { mode: "flat32", entry: placed.entry, stack: INFO_AT, registers: { eax: BOOT_MAGIC, ebx: info } };
}

function placeElfKernel(kernel: Uint8Array, target: LoadTarget): Placed {
  const file = parseElf(kernel);
  placeElf(file, target);
  return { entry: entryPhysical(file), parts: file.segments.map((s) => ({ at: s.at, size: s.memorySize })) };
}

function placeFlat(
  kernel: Uint8Array,
  header: number,
  flags: number,
  target: LoadTarget,
): Placed {
  if ((flags & HAS_ADDRESSES) === 0) {
    throw imageError(
      "image-multiboot",
      "Kernel is no ELF file and its header has no addresses",
      "set flag bit 16 in the header",
    );
  }
  const r = new ByteReader(kernel, "Multiboot image");
  const [headerAt, loadAt, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((o) => r.u32(header + o));
  const from = header - (headerAt - loadAt);
  if (loadAt > headerAt || from < 0) {
    throw imageError(
      "image-multiboot",
      `Header address ${hex(headerAt)} does not fit load address ${hex(loadAt)}`,
      "mend the header",
    );
  }
  const size = loadEnd === 0 ? kernel.length - from : loadEnd - loadAt;
  if (size < 0) throw imageError("image-multiboot", `Load end ${hex(loadEnd)} is below its begin`, "mend the header");
  const end = Math.max(loadAt + size, bssEnd);
  if (entry < loadAt || entry >= end) {
    throw imageError("image-multiboot", `Entry ${hex(entry)} lies outside the kernel`, "mend the header");
  }
  target.place(loadAt, r.slice(from, size), "multiboot kernel");
  placeZeros(loadAt + size, end, target);
  return { entry, parts: [{ at: loadAt, size: end - loadAt }] };
}

/** Memory the kernel has without bytes in the file; checked before it is made, so that a damaged end costs nothing. */
function placeZeros(from: number, to: number, target: LoadTarget): void {
  if (from === to) return;
  if (!target.regions.some((r) => r.kind === "ram" && r.at <= from && to <= r.at + r.size)) {
    throw imageError(
      "load-range",
      `Zeroed memory ${hex(from)} to ${hex(to)} of the multiboot kernel does not lie in one RAM`,
      "mend the header or add memory",
    );
  }
  target.place(from, new Uint8Array(to - from), "zeroed memory of the multiboot kernel");
}

/** Modules go behind the kernel, the structure and its texts to low memory. Returns its address. */
function placeInfo(options: MultibootOptions, kernel: readonly Part[], target: LoadTarget): number {
  const modules = options.modules ?? [];
  const map = memoryMap(target.regions);
  const texts = [options.append ?? "", NAME, ...modules.map((m) => m.text ?? "")].map((t) => latin1(t, true));
  const [modulesAt, mapAt] = [INFO_AT + 0x80, INFO_AT + 0x80 + modules.length * 16];
  let textAt = mapAt + map.length * 24;
  const total = textAt - INFO_AT + texts.reduce((n, t) => n + t.length, 0);
  if (INFO_AT + total > 0x80000) {
    throw imageError("image-multiboot", "Command line and module texts do not fit below 512 KiB", "shorten them");
  }
  const over = kernel.find((p) => p.at < INFO_AT + total && INFO_AT < p.at + p.size);
  if (over !== undefined) {
    throw imageError(
      "image-multiboot",
      `Kernel at ${hex(over.at)}+${hex(over.size, 1)} covers the boot information at ${hex(INFO_AT)}+${hex(total, 1)}`,
      "link it at 1 MiB or above",
    );
  }
  const w = new ByteWriter(total);
  const textAddress = texts.map((t) => {
    w.put(textAt - INFO_AT, t);
    textAt += t.length;
    return textAt - t.length;
  });
  let at = alignUp(Math.max(...kernel.map((p) => p.at + p.size)), 4096);
  modules.forEach((m, i) => {
    target.place(at, m.bytes, `module ${i}`);
    const o = modulesAt - INFO_AT + i * 16;
    w.u32(o, at).u32(o + 4, at + m.bytes.length).u32(o + 8, textAddress[2 + i]);
    at = alignUp(at + m.bytes.length, 4096);
  });
  map.forEach((e, i) => {
    const o = mapAt - INFO_AT + i * 24;
    w.u32(o, 20).u64(o + 4, e.at).u64(o + 12, e.size).u32(o + 20, e.type);
  });
  const usable = map.filter((e) => e.type === 1);
  const low = usable.find((e) => e.at === 0)?.size ?? 0;
  const high = usable.find((e) => e.at === 0x100000)?.size ?? 0;
  w.u32(0, INFO_FLAGS).u32(4, low >>> 10).u32(8, high >>> 10).u32(16, textAddress[0]);
  w.u32(20, modules.length).u32(24, modulesAt).u32(44, map.length * 24).u32(48, mapAt).u32(64, textAddress[1]);
  target.place(INFO_AT, w.bytes, "multiboot information");
  return INFO_AT;
}

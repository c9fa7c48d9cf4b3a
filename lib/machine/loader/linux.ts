/**
 * Linux bzImage by the 32-bit boot protocol: what a boot loader does between reading the file and jumping to
 * `code32_start`. The protected-mode part goes to 1 MiB, the zero page, descriptor table and command line to low memory,
 * the initial RAM disk as high as the kernel allows. Sources: LINUX-DOC boot protocol, zero page. Cold.
 *
 * Not emulated: zImage (loaded low), the EFI and 64-bit entries, setup_data chains.
 */
import { ByteReader, ByteWriter, latin1 } from "../../base/bytes.ts";
import { alignDown, alignUp } from "../../base/bits.ts";
import { hex } from "../../base/hex.ts";
import type { CpuStart } from "../../core/cpu.ts";
import type { Bootable, LoadTarget } from "../program.ts";
import { guarded, imageError } from "./image_error.ts";
import { highEnd, memoryMap } from "./memory_map.ts";

/** A kernel and what it is given. */
export interface LinuxOptions {
  /** bzImage. */
  readonly kernel: Uint8Array;
  /** Initial RAM disk (cpio, compressed or not). */
  readonly initrd?: Uint8Array;
  /** Command line. */
  readonly append?: string;
}

/** What the setup header of a kernel says. */
export interface LinuxHeader {
  /** Boot protocol, e.g. 0x0206. */
  readonly protocol: number;
  /** Where the protected-mode part begins in the file. */
  readonly payloadAt: number;
  /** Address of its entry. */
  readonly code32Start: number;
  /** Last address of the initial RAM disk. */
  readonly initrdMax: number;
  /** Longest command line, without its zero byte. */
  readonly commandLineMax: number;
  /** Bytes of memory the kernel needs from its load address before it has read the map; 0: not said. */
  readonly initSize: number;
  /** Kernel version text, empty if none. */
  readonly version: string;
}

const LOAD_AT = 0x100000;
const GDT_AT = 0x8000;
const ZERO_PAGE = 0x9000;
const COMMAND_LINE = 0x20000;
/** Offsets in the setup header, which lies alike in the file and in the zero page. */
const Field = {
  setupSects: 0x1f1,
  /** Protected-mode part in 16-byte units, from protocol 2.04 on all 32 bits. */
  sysSize: 0x1f4,
  bootFlag: 0x1fe,
  jump: 0x200,
  magic: 0x202,
  version: 0x206,
  kernelVersion: 0x20e,
  typeOfLoader: 0x210,
  loadFlags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEnd: 0x224,
  cmdLine: 0x228,
  initrdMax: 0x22c,
  cmdlineSize: 0x238,
  initSize: 0x260,
} as const;
const HDRS = 0x53726448; // "HdrS"
const LOADED_HIGH = 1;
const CAN_USE_HEAP = 0x80;
const E820_MOST = 128;

/**
 * Reads and checks the setup header.
 * @throws {ConfigError} image-linux; {RangeError} The file is cut off.
 */
export function parseLinux(kernel: Uint8Array): LinuxHeader {
  const r = new ByteReader(kernel, "Linux kernel");
  if (r.u16(Field.bootFlag) !== 0xaa55 || r.u32(Field.magic) !== HDRS) {
    throw imageError(
      "image-linux",
      "No Linux setup header (0xaa55 and HdrS) in this image",
      "give a bzImage, not a vmlinux",
    );
  }
  const protocol = r.u16(Field.version);
  if (protocol < 0x0202) {
    throw imageError("image-linux", `Boot protocol ${hex(protocol, 4)} is older than 2.02`, "use a kernel from 2.4 on");
  }
  if ((r.u8(Field.loadFlags) & LOADED_HIGH) === 0) {
    throw imageError("image-linux", "Kernel is a zImage, which loads below 1 MiB", "build it as bzImage");
  }
  const sectors = r.u8(Field.setupSects);
  const payloadAt = ((sectors === 0 ? 4 : sectors) + 1) * 512;
  if (payloadAt >= kernel.length) {
    throw imageError(
      "image-linux",
      `Kernel has ${kernel.length} bytes, its setup alone ${payloadAt}`,
      "is the file complete",
    );
  }
  const declared = protocol >= 0x0204 ? r.u32(Field.sysSize) * 16 : 0;
  if (declared >= kernel.length - payloadAt + 16) {
    throw imageError(
      "image-linux",
      `Kernel says it has ${declared} bytes after its setup, the file has ${kernel.length - payloadAt}`,
      "is the file complete",
    );
  }
  const textAt = r.u16(Field.kernelVersion);
  return {
    protocol,
    payloadAt,
    code32Start: r.u32(Field.code32Start),
    initrdMax: protocol >= 0x0203 ? r.u32(Field.initrdMax) : 0x37ffffff,
    commandLineMax: protocol >= 0x0206 ? r.u32(Field.cmdlineSize) : 255,
    initSize: protocol >= 0x020a ? r.u32(Field.initSize) : 0,
    version: textAt === 0 ? "" : r.text(textAt + 0x200, 128),
  };
}

/** A Linux bzImage. Errors of the image: code `image-linux`. */
export function linux(options: LinuxOptions): Bootable {
  return { name: "Linux kernel", load: (target) => guarded("image-linux", () => loadLinux(options, target)) };
}

function loadLinux(options: LinuxOptions, target: LoadTarget): CpuStart {
  const { kernel, initrd, append = "" } = options;
  const header = parseLinux(kernel);
  const end = highEnd(target.regions);
  const payload = kernel.subarray(header.payloadAt);
  if (end < LOAD_AT + payload.length) {
    throw imageError(
      "load-range",
      `Kernel needs ${payload.length} bytes of RAM from ${hex(LOAD_AT)}, RAM there ends at ${hex(end)}`,
      "give the machine more memory",
    );
  }
  if (header.code32Start < LOAD_AT || header.code32Start >= LOAD_AT + payload.length) {
    throw imageError("image-linux", `Entry ${hex(header.code32Start)} lies outside the kernel`, "is the file damaged");
  }
  const line = latin1(append, true);
  if (line.length - 1 > header.commandLineMax || line.length > 0x10000) {
    throw imageError(
      "image-linux",
      `Command line has ${append.length} bytes, this kernel takes ${header.commandLineMax}`,
      "shorten it",
    );
  }
  target.place(LOAD_AT, payload, "Linux kernel");
  target.place(COMMAND_LINE, line, "command line");
  const floor = LOAD_AT + Math.max(payload.length, header.initSize);
  const initrdAt = initrd === undefined ? 0 : placeInitrd(initrd, header, floor, end, target);
  target.place(ZERO_PAGE, zeroPage(kernel, header, initrdAt, initrd?.length ?? 0, target), "zero page");
  target.place(GDT_AT, descriptorTable(), "descriptor table");
  return {
    mode: "flat32",
    entry: header.code32Start,
    code: 0x10,
    data: 0x18,
    gdt: { base: GDT_AT, limit: 31 },
    stack: GDT_AT,
    registers: { esi: ZERO_PAGE, ebp: 0, edi: 0, ebx: 0 },
  };
}

function placeInitrd(initrd: Uint8Array, header: LinuxHeader, floor: number, end: number, target: LoadTarget): number {
  const at = alignDown(Math.min(end, header.initrdMax + 1) - initrd.length, 4096);
  if (at < alignUp(floor, 4096)) {
    throw imageError(
      "load-range",
      `Initial RAM disk of ${initrd.length} bytes does not fit between the kernel (ends ${hex(floor)}) and ${
        hex(Math.min(end, header.initrdMax + 1))
      }`,
      "give the machine more memory",
    );
  }
  target.place(at, initrd, "initial RAM disk");
  return at;
}

function zeroPage(
  kernel: Uint8Array,
  header: LinuxHeader,
  initrdAt: number,
  initrdSize: number,
  target: LoadTarget,
): Uint8Array {
  const w = new ByteWriter(4096);
  const headerEnd = Math.min(0x202 + kernel[0x201], 0x290, kernel.length);
  w.put(Field.setupSects, kernel.subarray(Field.setupSects, headerEnd));
  // screen_info: colour text, 80 columns, 25 lines, 16 scan lines a character, VGA present.
  w.u8(0x06, 3).u8(0x07, 80).u8(0x0e, 25).u8(0x0f, 1).u16(0x10, 16);
  const map = memoryMap(target.regions).slice(0, E820_MOST);
  const high = Math.floor((highEnd(target.regions) - LOAD_AT) / 1024);
  w.u16(0x02, Math.min(high, 0xffff)).u32(0x1e0, high);
  w.u8(0x1e8, map.length);
  map.forEach((e, i) => w.u64(0x2d0 + i * 20, e.at).u64(0x2d8 + i * 20, e.size).u32(0x2e0 + i * 20, e.type));
  w.u8(Field.typeOfLoader, 0xff);
  w.u8(Field.loadFlags, kernel[Field.loadFlags] | CAN_USE_HEAP);
  w.u16(Field.heapEnd, 0xde00).u32(Field.cmdLine, COMMAND_LINE);
  if (header.code32Start !== 0) w.u32(Field.code32Start, header.code32Start);
  w.u32(Field.ramdiskImage, initrdAt).u32(Field.ramdiskSize, initrdSize);
  return w.bytes;
}

/** Null, null, __BOOT_CS 0x10, __BOOT_DS 0x18: flat, ring 0. */
function descriptorTable(): Uint8Array {
  return new ByteWriter(32).u32(16, 0xffff).u32(20, 0x00cf9b00).u32(24, 0xffff).u32(28, 0x00cf9300).bytes;
}

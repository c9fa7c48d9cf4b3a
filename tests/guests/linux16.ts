/**
 * The 16-bit Linux boot protocol, as a boot loader does it on a machine whose BIOS has finished: setup code at 0x90000 with
 * the BIOS at its service, the rest from 1 MiB on. Source: LINUX-DOC boot protocol. Cold.
 */
import { pc, type PcMachine, type PcOptions, reached } from "../../mod.ts";
import { assertEquals } from "../../scripts/deps/std.ts";

const SETUP = 0x90000;
const COMMAND_LINE = 0x9e000;
const INITRD = 0x6000000;

/** A machine whose BIOS has loaded the boot sector of an empty disk. */
export function afterBios(options: PcOptions): PcMachine {
  const disk = new Uint8Array(1 << 20);
  disk.set([0x55, 0xaa], 510);
  const m = pc({ ...options, disks: [disk] });
  assertEquals(m.run({ until: reached(0x7c00), instructions: 2_000_000_000 }).kind, "until", m.firmwareLog.tail(1000));
  return m;
}

/** Puts a kernel into memory and enters its setup code. */
export function enter16(m: PcMachine, kernel: Uint8Array, append = "", initrd: Uint8Array = new Uint8Array(0)): void {
  const payload = (kernel[0x1f1] + 1) * 512;
  m.place(SETUP, kernel.subarray(0, payload), "setup");
  m.place(0x100000, kernel.subarray(payload), "kernel");
  m.place(COMMAND_LINE, new TextEncoder().encode(`${append}\0`), "command line");
  if (initrd.length > 0) m.place(INITRD, initrd, "initial RAM disk");
  const field = (at: number, value: number, size: 1 | 2 | 4): void =>
    m.place(SETUP + at, Uint8Array.from([0, 8, 16, 24].slice(0, size), (shift) => value >>> shift), "field");
  field(0x210, 0xff, 1); // loader
  field(0x211, kernel[0x211] | 0x80, 1); // heap may be used
  field(0x218, initrd.length > 0 ? INITRD : 0, 4);
  field(0x21c, initrd.length, 4);
  field(0x224, 0xde00, 2); // end of the heap
  field(0x228, COMMAND_LINE, 4);
  m.start({ mode: "real16", entry: 0, code: (SETUP >> 4) + 0x20, data: SETUP >> 4, stack: 0xdff0 });
}

/**
 * Host bridge 82441FX (vendor 0x8086, device 0x1237) as far as firmware needs it: the PAM registers, which say for each
 * part of 0xC0000-0xFFFFF whether reads and writes go to RAM or to the bus (ROM). Function 0.0.
 *
 * Sources: Intel 82441FX data sheet (290549), sections 3.2.17 and following. Cold.
 *
 * Not emulated: DRAM sizing and timing, error reporting (kept as bits); SMRAM (noted when it is enabled).
 */
import { pciConfig } from "./pci_bus.ts";
import type { PciFunction } from "./pci_bus.ts";

/** How a range between 0xC0000 and 0xFFFFF is wired. */
export interface ShadowAccess {
  /** Reads come from RAM, otherwise from ROM. */
  readonly read: boolean;
  /** Writes go to RAM, otherwise they are lost. */
  readonly write: boolean;
}

/** Options of {@linkcode i440fx}. */
export interface HostBridgeOptions {
  /** Called for every range whose wiring changed; ranges are multiples of 16 KiB. The machine switches its memory. */
  readonly shadow?: (at: number, size: number, access: ShadowAccess) => void;
}

const PAM = 0x59;

/** Makes the host bridge. */
export function i440fx(options: HostBridgeOptions = {}): PciFunction {
  const { config, writable } = pciConfig({
    vendor: 0x8086,
    device: 0x1237,
    classCode: 0x060000,
    revision: 2,
    command: 0x102,
  });
  for (let i = PAM; i < PAM + 7; i++) writable[i] = 0x33;
  writable[PAM] = 0x30;
  writable[0x72] = 0x7f;
  for (let i = 0x50; i < 0x59; i++) writable[i] = 0xff;
  for (let i = 0x60; i < 0x68; i++) writable[i] = 0xff;
  const last: number[] = new Array(14).fill(0);
  return {
    name: "i440fx",
    config,
    writable,
    changed(space, _from, _to, note): void {
      if (((space[0x72] ?? 0) & 0x48) === 0x48) note("SMRAM is not emulated: there is no system management mode");
      for (let nibble = 1; nibble < 14; nibble++) {
        const bits = ((space[PAM + (nibble >> 1)] ?? 0) >> (4 * (nibble & 1))) & 3;
        if (bits === last[nibble]) continue;
        last[nibble] = bits;
        const at = nibble === 1 ? 0xf0000 : 0xc0000 + (nibble - 2) * 0x4000;
        options.shadow?.(at, nibble === 1 ? 0x10000 : 0x4000, { read: (bits & 1) !== 0, write: (bits & 2) !== 0 });
      }
    },
  };
}

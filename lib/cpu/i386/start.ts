/**
 * Entering a program without firmware: puts a reset CPU into flat protected mode or into real mode at an address, as a
 * boot loader would have left it. The segment caches hold flat descriptors even when no table lies in memory, so a
 * program that never loads a segment register needs none. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { CpuStart } from "../../core/cpu.ts";
import { Cr0, Reg } from "../../spec/i386_regs.ts";
import { setCache, setReal } from "./segment.ts";
import { type CpuState, Layout } from "./state.ts";

/** High dwords of flat ring 0 descriptors: execute/read and read/write, accessed, 32-bit, 4 GiB. */
const FLAT_CODE = 0x00cf9b00;
const FLAT_DATA = 0x00cf9300;
const FLAT_LOW = 0x0000ffff;

/**
 * Applies `how` except its `registers`; the CPU recomputes its mode afterwards.
 * @throws {ConfigError} start-mode
 */
export function startState(s: CpuState, how: CpuStart): void {
  s.set(Layout.halted, 0);
  s.set(Layout.cpl, 0);
  s.set(Layout.eip, how.entry | 0);
  s.setReg32(Reg.esp, (how.stack ?? 0) | 0);
  if (how.mode === "flat32") {
    s.set(Layout.cr0, (s.get(Layout.cr0) & ~Cr0.pg) | Cr0.pe | Cr0.et);
    setCache(s, 1, how.code ?? 8, FLAT_LOW, FLAT_CODE);
    for (const n of [0, 2, 3, 4, 5]) setCache(s, n, how.data ?? 0x10, FLAT_LOW, FLAT_DATA);
  } else if (how.mode === "real16") {
    s.set(Layout.cr0, s.get(Layout.cr0) & ~(Cr0.pe | Cr0.pg));
    for (const n of [0, 2, 3, 4, 5]) setReal(s, n, how.data ?? 0);
    setReal(s, 1, how.code ?? 0);
  } else {
    throw new ConfigError(
      "start-mode",
      `Start mode ${JSON.stringify(how.mode)} is not "flat32" or "real16"; a program for the i386 has bits, 32 or 16`,
    );
  }
  s.set(Layout.gdtBase, (how.gdt?.base ?? 0) | 0);
  s.set(Layout.gdtLimit, how.gdt?.limit ?? 0);
}

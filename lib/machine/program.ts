/**
 * What can be put into a machine's memory: bytes, assembled programs, and images that know how they are entered.
 * Contracts only. Cold.
 */
import type { CpuStart } from "../core/cpu.ts";
import type { Region } from "../memory/region.ts";

/** An assembled program; what the `asm` tag and `assemble` make. */
export interface Program {
  /** 32: entered in flat protected mode; 16: in real mode; absent: a program of another architecture than i386. */
  readonly bits?: 16 | 32;
  /** Machine code for the address it was assembled for. */
  readonly bytes: Uint8Array;
  /** Assembles the same source for the address it is loaded at, u32; absent: `bytes` go anywhere. */
  at?(origin: number): { readonly bytes: Uint8Array };
}

/** Where an image goes; a machine, or an array in a test. */
export interface LoadTarget {
  /** Regions of the physical address space, by address. */
  readonly regions: readonly Region[];
  /**
   * Puts bytes into RAM or ROM.
   * @param what Named in errors.
   * @throws {ConfigError} load-range: a part lies outside RAM and ROM.
   */
  place(at: number, bytes: Uint8Array, what: string): void;
}

/** An image with its own way of being entered; made by the loaders. */
export interface Bootable {
  /** For messages, e.g. `bzImage`. */
  readonly name: string;
  /**
   * Puts the image into memory.
   * @returns How to enter it; undefined: through the CPU's reset vector.
   */
  load(target: LoadTarget): CpuStart | undefined;
}

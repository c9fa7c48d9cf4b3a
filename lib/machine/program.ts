/**
 * What can be put into a machine's memory: bytes, assembled programs, and images that know how they are entered.
 * Contracts only. Cold.
 */
import type { CpuStart } from "../core/cpu.ts";
import type { Region } from "../memory/region.ts";

/** A program that can be assembled for any address; what the `asm` tag makes. */
export interface Program {
  /** 32: entered in flat protected mode; 16: in real mode. */
  readonly bits: 16 | 32;
  /** Machine code for a start address, u32. */
  assemble(origin: number): Uint8Array;
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

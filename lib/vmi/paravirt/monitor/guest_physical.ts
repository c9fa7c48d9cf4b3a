/**
 * Guest-physical memory: physical memory without the range that belongs to the monitor. There, reads give all ones and
 * writes are lost, as where nothing is. Warm.
 */
import type { PhysicalWords } from "../../../core/monitor.ts";

/** A range of physical addresses. */
export interface PhysicalRange {
  /** First byte. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
}

/** Physical memory as a guest may see it. */
export class GuestPhysical implements PhysicalWords {
  /** What the guest means by a word of memory that the monitor has changed; absent: nothing is changed. */
  meant: ((phys: number, value: number) => number) | undefined;
  /** Told before the monitor writes a word for the guest, which may lie in one of its page tables; absent: nobody cares. */
  writing: ((phys: number) => void) | undefined;
  readonly #words: PhysicalWords;
  readonly #from: number;
  readonly #to: number;

  /** @param words All of physical memory. @param owned The monitor's range. */
  constructor(words: PhysicalWords, owned: PhysicalRange) {
    this.#words = words;
    this.#from = owned.at;
    this.#to = owned.at + owned.size;
  }

  /** Does a part of `size` bytes at `phys` belong to the monitor? */
  owns(phys: number, size: number): boolean {
    return phys < this.#to && phys + size > this.#from;
  }

  /** See {@linkcode PhysicalWords}. */
  read32(phys: number): number {
    if (this.owns(phys, 4)) return -1;
    const value = this.#words.read32(phys);
    return this.meant === undefined ? value : this.meant(phys, value);
  }

  /** See {@linkcode PhysicalWords}. */
  write32(phys: number, value: number): void {
    if (this.owns(phys, 4)) return;
    this.writing?.(phys);
    this.#words.write32(phys, value);
  }

  /** Sets bits of a word as the processor does in an entry that it uses: whatever else the monitor has changed stays. */
  mark(phys: number, bits: number): void {
    if (!this.owns(phys, 4)) this.#words.write32(phys, this.#words.read32(phys) | bits);
  }
}

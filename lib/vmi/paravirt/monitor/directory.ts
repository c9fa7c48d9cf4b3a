/**
 * The top of the tables the processor walks: one directory of the monitor's, with PAE four behind a page of pointers. Its
 * entries ("slots", by linear address) are filled on demand and empty after every flush, so it behaves as a TLB:
 * what the guest has changed in its directories is seen when the processor would have seen it. Whoever empties a slot
 * drops the translations that came through it: a run must not depend on what the processor's TLB still holds, as a
 * snapshot does not hold that. Warm.
 */
import { Cr4 } from "../../../spec/i386_regs.ts";
import { TABLES_BYTES } from "./tables.ts";
import type { VirtualCpu } from "./vcpu.ts";

const PAGE = 4096;
/** Pages behind the descriptor tables: PAE pointers, then four directories, of which the first serves without PAE. */
const POINTERS_AT = TABLES_BYTES;
const DIRECTORY_AT: number = TABLES_BYTES + PAGE;
/** Offset in the monitor's memory of a CPU from where pages are free. */
export const FREE_AT: number = DIRECTORY_AT + 4 * PAGE;

/** Directory of one CPU; `T` is what a slot leads to. */
export class Directory<T> {
  readonly #cpu: VirtualCpu;
  readonly #linked: Map<number, T> = new Map();

  /** @param cpu The CPU. */
  constructor(cpu: VirtualCpu) {
    this.#cpu = cpu;
  }

  /** Slots in use and what they lead to. */
  get linked(): ReadonlyMap<number, T> {
    return this.#linked;
  }

  /** Does the guest use PAE? */
  get pae(): boolean {
    return (this.#cpu.v.cr4 & Cr4.pae) !== 0;
  }

  /** Bytes of an entry. */
  get bytes(): number {
    return this.pae ? 8 : 4;
  }

  /** Bytes of a large page. */
  get largeSize(): number {
    return this.pae ? 0x200000 : 0x400000;
  }

  /** The slot of a linear address. */
  slotOf(linear: number): number {
    return linear >>> (this.pae ? 21 : 22);
  }

  /** Index in its table of a linear address. */
  indexOf(linear: number): number {
    return this.pae ? (linear >>> 12) & 511 : (linear >>> 12) & 1023;
  }

  /** The slot for an entry of the guest's, if that lies in a directory of its current tables; else -1. */
  slotOfEntry(pfn: number, offset: number): number {
    const { v } = this.#cpu;
    if (!this.pae) return v.cr3 >>> 12 === pfn ? offset >>> 2 : -1;
    for (let i = 0; i < 4; i++) {
      const low = v.pointers[2 * i] ?? 0, high = v.pointers[2 * i + 1] ?? 0;
      if ((low & 1) !== 0 && (low >>> 12) + (high & 15) * 0x100000 === pfn) return i * 512 + (offset >>> 3);
    }
    return -1;
  }

  /** Empties everything and lets the processor walk it. */
  start(): void {
    const { physical } = this.#cpu.guest, { at } = this.#cpu.own;
    for (let i = POINTERS_AT; i < FREE_AT; i += 4) physical.write32(at + i, 0);
    for (let i = 0; i < 4; i++) physical.write32(at + POINTERS_AT + 8 * i, (at + DIRECTORY_AT + i * PAGE) | 1);
    this.#linked.clear();
    this.useMode();
  }

  /** The real CR3 and CR4 for the guest's paging mode; all slots are empty. */
  useMode(): void {
    const { guest, own, v } = this.#cpu;
    const base = own.at + (this.pae ? POINTERS_AT : DIRECTORY_AT);
    // The pointers are loaded when PAE comes, so they must be in CR3 by then; no walk lies between.
    if (this.pae) guest.setControl("cr3", base);
    guest.setControl("cr4", v.cr4);
    guest.setControl("cr3", base);
  }

  /** Fills a slot. */
  link(slot: number, to: T, low: number, high: number): void {
    this.#linked.set(slot, to);
    this.#write(slot, low, high);
  }

  /** Empties a slot. @returns True if it was in use. */
  unlink(slot: number): boolean {
    if (!this.#linked.delete(slot)) return false;
    this.#write(slot, 0, 0);
    return true;
  }

  /** Empties all slots that lead to one of these. @returns True if there was one. */
  unlinkTo(is: (to: T) => boolean): boolean {
    const slots = [...this.#linked].filter(([, to]) => is(to)).map(([slot]) => slot);
    for (const slot of slots) this.unlink(slot);
    return slots.length > 0;
  }

  /** Empties all. */
  unlinkAll(): void {
    for (const slot of this.#linked.keys()) this.#write(slot, 0, 0);
    this.#linked.clear();
  }

  /** After a snapshot was restored: what the slots lead to; the entries are in memory. */
  restore(linked: Iterable<readonly [number, T]>): void {
    this.#linked.clear();
    for (const [slot, to] of linked) this.#linked.set(slot, to);
  }

  #write(slot: number, low: number, high: number): void {
    const { physical } = this.#cpu.guest, at = this.#cpu.own.at + DIRECTORY_AT + slot * this.bytes;
    if (this.pae) physical.write32(at + 4, high | 0);
    physical.write32(at, low | 0);
  }
}

/**
 * The page walk through the guest's own tables, as the processor would make it: rights, accessed and dirty bits, reserved
 * bits, large pages, PAE. The result also says what the entries were, so that a shadow can be made of them.
 *
 * An upper entry gets its accessed bit when it is used, the leaf accessed and dirty only when the access is allowed.
 * Sources: SDM-3A 4.3, 4.4, 4.6, 4.7, 4.8. Warm; no allocation.
 */
import { Cr0, Cr4, Efer, PageFault, PHYS_BITS, Pte } from "../../../spec/i386_regs.ts";
import type { VirtualState } from "./virtual_state.ts";

const HIGH_FRAME = (1 << (PHYS_BITS - 32)) - 1;

/** Memory that a walk goes through. */
export interface WalkedMemory {
  /** Reads an aligned word, i32. */
  read32(phys: number): number;
  /** Sets the accessed and dirty bits of an entry. */
  mark(phys: number, bits: number): void;
}

/** One walk; refilled by each. */
export class GuestWalk {
  /** Physical address of the 4 KiB piece, u36. */
  frame = 0;
  /** Physical address of the whole page: differs from `frame` for large ones. */
  pageFrame = 0;
  /** The page is large. */
  large = false;
  /** Physical address of the page table; meaningless for a large page. */
  table = 0;
  /** Physical address of the leaf entry. */
  leafAt = 0;
  /** The leaf entry after the walk, low and high. */
  leaf = 0;
  leafHigh = 0;
  /** Rights of the entries above the leaf: user, write, no-execute. */
  upperUser = false;
  upperWrite = false;
  upperNx = false;
  /** Rights of the whole walk. */
  user = false;
  write = false;
  noExecute = false;
  /** Error code if it failed. */
  error = 0;

  /** Walks. @returns False: a guest page fault with {@linkcode GuestWalk.error}. */
  walk(
    v: VirtualState,
    mem: WalkedMemory,
    linear: number,
    write: boolean,
    user: boolean,
    fetch: boolean,
  ): boolean {
    const code = (write ? PageFault.write : 0) | (user ? PageFault.user : 0);
    return (v.cr4 & Cr4.pae) !== 0
      ? this.#walkPae(v, mem, linear, write, user, fetch, code)
      : this.#walk32(v, mem, linear, write, user, code);
  }

  #walk32(v: VirtualState, mem: WalkedMemory, linear: number, write: boolean, user: boolean, code: number): boolean {
    const pdeAt = ((v.cr3 & 0xfffff000) | ((linear >>> 20) & 0xffc)) >>> 0;
    const pde = mem.read32(pdeAt);
    if ((pde & Pte.present) === 0) return this.#fail(code);
    this.#upper(pde, 0);
    if ((pde & Pte.large) !== 0 && (v.cr4 & Cr4.pse) !== 0) {
      this.large = true;
      this.pageFrame = (pde & 0xffc00000) >>> 0;
      this.frame = ((pde & 0xffc00000) | (linear & 0x003ff000)) >>> 0;
      return this.#leaf(v, mem, pdeAt, pde, 0, write, user, false, code);
    }
    if ((pde & Pte.accessed) === 0) mem.mark(pdeAt, Pte.accessed);
    this.large = false;
    this.table = (pde & 0xfffff000) >>> 0;
    const pteAt = ((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) >>> 0;
    const pte = mem.read32(pteAt);
    if ((pte & Pte.present) === 0) return this.#fail(code);
    this.pageFrame = this.frame = (pte & 0xfffff000) >>> 0;
    return this.#leaf(v, mem, pteAt, pte, 0, write, user, false, code);
  }

  #walkPae(
    v: VirtualState,
    mem: WalkedMemory,
    linear: number,
    write: boolean,
    user: boolean,
    fetch: boolean,
    access: number,
  ): boolean {
    const nxe = (v.efer & Efer.nxe) !== 0;
    const code = nxe && fetch ? access | PageFault.fetch : access;
    const reserved = (0x7fffffff & ~HIGH_FRAME) | (nxe ? 0 : 0x80000000);
    const bad = code | PageFault.protection | PageFault.reserved;
    const pointer = (linear >>> 30) * 2;
    const pdpte = v.pointers[pointer] ?? 0;
    if ((pdpte & Pte.present) === 0) return this.#fail(code);
    const pdeAt = address(pdpte & 0xfffff000, v.pointers[pointer + 1] ?? 0) + ((linear >>> 18) & 0xff8);
    const pde = mem.read32(pdeAt), pdeHigh = mem.read32(pdeAt + 4);
    if ((pde & Pte.present) === 0) return this.#fail(code);
    if ((pdeHigh & reserved) !== 0) return this.#fail(bad);
    this.#upper(pde, pdeHigh);
    if ((pde & Pte.large) !== 0) {
      if ((pde & 0x001fe000) !== 0) return this.#fail(bad);
      this.large = true;
      this.pageFrame = address(pde & 0xffe00000, pdeHigh);
      this.frame = address((pde & 0xffe00000) | (linear & 0x001ff000), pdeHigh);
      return this.#leaf(v, mem, pdeAt, pde, pdeHigh, write, user, fetch, code);
    }
    if ((pde & Pte.accessed) === 0) mem.mark(pdeAt, Pte.accessed);
    this.large = false;
    this.table = address(pde & 0xfffff000, pdeHigh);
    const pteAt = this.table + ((linear >>> 9) & 0xff8);
    const pte = mem.read32(pteAt), pteHigh = mem.read32(pteAt + 4);
    if ((pte & Pte.present) === 0) return this.#fail(code);
    if ((pteHigh & reserved) !== 0) return this.#fail(bad);
    this.pageFrame = this.frame = address(pte & 0xfffff000, pteHigh);
    return this.#leaf(v, mem, pteAt, pte, pteHigh, write, user, fetch, code);
  }

  #upper(entry: number, high: number): void {
    this.upperUser = (entry & Pte.user) !== 0;
    this.upperWrite = (entry & Pte.write) !== 0;
    this.upperNx = high < 0;
  }

  #leaf(
    v: VirtualState,
    mem: WalkedMemory,
    at: number,
    entry: number,
    high: number,
    write: boolean,
    user: boolean,
    fetch: boolean,
    code: number,
  ): boolean {
    this.user = this.upperUser && (entry & Pte.user) !== 0;
    this.write = this.upperWrite && (entry & Pte.write) !== 0;
    this.noExecute = this.upperNx || high < 0;
    const systemWrite = this.write || (v.cr0 & Cr0.wp) === 0;
    const denied = user ? !this.user || (write && !this.write) : write && !systemWrite;
    if (denied || (this.noExecute && fetch)) return this.#fail(code | PageFault.protection);
    const bits = Pte.accessed | (write ? Pte.dirty : 0), marked = entry | bits;
    if (marked !== entry) mem.mark(at, bits);
    this.leafAt = at;
    this.leaf = marked;
    this.leafHigh = high;
    return true;
  }

  #fail(code: number): boolean {
    this.error = code;
    return false;
  }
}

function address(low: number, high: number): number {
  return (low >>> 0) + (high & HIGH_FRAME) * 0x1_0000_0000;
}

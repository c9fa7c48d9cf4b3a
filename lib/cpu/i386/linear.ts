/**
 * Memory by linear address: the fast path through the TLB, and everything that is not fast: page walks, faults, page
 * crossings, MMIO, ROM, pages with code, watchpoints, alignment checks.
 * Sources: SDM-3A 4.6, 4.7, 6.15 (#PF, #AC), 17.2.4. Hot; the fast paths allocate nothing.
 */
import { Dr6, Vector } from "../../spec/i386_regs.ts";
import type { HookTable } from "../../core/hooks.ts";
import { type AddressSpace, PageBit } from "../../memory/address_space.ts";
import { checksAlignment } from "./alignment.ts";
import type { LinearMemory } from "./context.ts";
import type { MemoryHost } from "./memory_host.ts";
import { type PhysicalWords, walk, WalkResult } from "./mmu.ts";
import { type CpuState, Layout } from "./state.ts";
import { TABLE_BYTES, type Tlb } from "./tlb.ts";
import type { TlbModel } from "./tlb_model.ts";

const N = TABLE_BYTES >>> 2;
const READ_SYS = 0, WRITE_SYS = N, READ_USER = 2 * N, WRITE_USER = 3 * N;

/** Linear memory of one CPU. */
export class LinearAccess implements LinearMemory {
  /** True if a debug register watches data; set by the CPU. */
  watching = false;
  /** Look-aside table of the cost model; undefined: translations are free. */
  readonly model: TlbModel | undefined;
  /** The engine knows which bytes its code was made from: pages with such code are entered for it in the tables. */
  knowsCode = false;
  /** Accesses now are those of somebody outside the guest: they cost nothing, and leave no trace that could. */
  outside = false;
  /** True if accesses at privilege level 3 are checked for alignment: then none is fast, so that all come here. */
  #checks = false;
  readonly #s: CpuState;
  readonly #tlb: Tlb;
  readonly #space: AddressSpace;
  readonly #hooks: HookTable;
  readonly #host: MemoryHost;
  readonly #owner: number;
  readonly #walk: WalkResult = new WalkResult();
  readonly #u8: Uint8Array;
  readonly #view: DataView;
  readonly #e: Int32Array;
  readonly #fetches: Map<number, number> = new Map();
  /** Those of {@linkcode LinearAccess.#fetches} whose page is not global. */
  readonly #localFetches: Set<number> = new Set();
  /** 4 MiB pieces of the linear addresses in which a large page was found since all was dropped. */
  readonly #large: Uint8Array = new Uint8Array(1024);

  /** Pages whose translation was remembered for fetches, since the CPU was made. */
  fetchFills = 0;

  /** @param s State. @param tlb Tables. @param space Physical memory. @param hooks Hooks. @param host The CPU. @param model See there. @param owner Index of the CPU. */
  constructor(
    s: CpuState,
    tlb: Tlb,
    space: AddressSpace,
    hooks: HookTable,
    host: MemoryHost,
    model: TlbModel | undefined,
    owner: number,
  ) {
    this.#s = s;
    this.model = model;
    this.#tlb = tlb;
    this.#space = space;
    this.#hooks = hooks;
    this.#host = host;
    this.#owner = owner;
    this.#u8 = space.host;
    this.#view = space.view;
    this.#e = tlb.entries;
  }

  /** Looks whether accesses are checked for alignment; true if that changed, and translations must go. */
  alignmentChanged(): boolean {
    const checks = checksAlignment(this.#s), changed = checks !== this.#checks;
    this.#checks = checks;
    return changed;
  }

  #user(): boolean {
    return this.#s.get(Layout.cpl) === 3;
  }

  /** See {@linkcode LinearMemory}. */
  read8(linear: number): number {
    const t = this.#e[(this.#user() ? READ_USER : READ_SYS) + (linear >>> 12)] ^ linear;
    return t >= 0 ? this.#u8[t] : this.readSlow(linear, 1, this.#user());
  }

  /** See {@linkcode LinearMemory}. */
  read16(linear: number): number {
    const t = this.#e[(this.#user() ? READ_USER : READ_SYS) + (linear >>> 12)] ^ linear;
    return (t & 0x80000001) === 0 ? this.#view.getUint16(t, true) : this.readSlow(linear, 2, this.#user());
  }

  /** See {@linkcode LinearMemory}. */
  read32(linear: number): number {
    const t = this.#e[(this.#user() ? READ_USER : READ_SYS) + (linear >>> 12)] ^ linear;
    return (t & 0x80000003) === 0 ? this.#view.getInt32(t, true) : this.readSlow(linear, 4, this.#user());
  }

  /** See {@linkcode LinearMemory}. */
  write8(linear: number, value: number): void {
    const t = this.#e[(this.#user() ? WRITE_USER : WRITE_SYS) + (linear >>> 12)] ^ linear;
    if (t >= 0) this.#u8[t] = value;
    else this.writeSlow(linear, 1, value, this.#user());
  }

  /** See {@linkcode LinearMemory}. */
  write16(linear: number, value: number): void {
    const t = this.#e[(this.#user() ? WRITE_USER : WRITE_SYS) + (linear >>> 12)] ^ linear;
    if ((t & 0x80000001) === 0) this.#view.setUint16(t, value, true);
    else this.writeSlow(linear, 2, value, this.#user());
  }

  /** See {@linkcode LinearMemory}. */
  write32(linear: number, value: number): void {
    const t = this.#e[(this.#user() ? WRITE_USER : WRITE_SYS) + (linear >>> 12)] ^ linear;
    if ((t & 0x80000003) === 0) this.#view.setInt32(t, value, true);
    else this.writeSlow(linear, 4, value, this.#user());
  }

  /** See {@linkcode LinearMemory}. */
  sysRead8(linear: number): number {
    return this.readSlow(linear, 1, false);
  }

  /** See {@linkcode LinearMemory}. */
  sysRead16(linear: number): number {
    const t = this.#e[READ_SYS + (linear >>> 12)] ^ linear;
    return (t & 0x80000001) === 0 ? this.#view.getUint16(t, true) : this.readSlow(linear, 2, false);
  }

  /** See {@linkcode LinearMemory}. */
  sysRead32(linear: number): number {
    const t = this.#e[READ_SYS + (linear >>> 12)] ^ linear;
    return (t & 0x80000003) === 0 ? this.#view.getInt32(t, true) : this.readSlow(linear, 4, false);
  }

  /** See {@linkcode LinearMemory}. */
  sysWrite8(linear: number, value: number): void {
    this.writeSlow(linear, 1, value, false);
  }

  /** See {@linkcode LinearMemory}. */
  sysWrite16(linear: number, value: number): void {
    this.writeSlow(linear, 2, value, false);
  }

  /** See {@linkcode LinearMemory}. */
  sysWrite32(linear: number, value: number): void {
    const t = this.#e[WRITE_SYS + (linear >>> 12)] ^ linear;
    if ((t & 0x80000003) === 0) this.#view.setInt32(t, value, true);
    else this.writeSlow(linear, 4, value, false);
  }

  /** See {@linkcode LinearMemory}. */
  probeWrite(linear: number, size: number, user: boolean): void {
    this.#probe(linear, size, true, user);
  }

  /** See {@linkcode LinearMemory}. */
  probeRead(linear: number, size: number, user: boolean): void {
    this.#probe(linear, size, false, user);
  }

  #probe(linear: number, size: number, write: boolean, user: boolean): void {
    const last = (linear + size - 1) | 0;
    const table = user ? (write ? WRITE_USER : READ_USER) : write ? WRITE_SYS : READ_SYS;
    if ((linear ^ last) >>> 12 === 0 && (this.#e[table + (linear >>> 12)] ^ linear) >= 0) return; // the table allows it
    this.translate(linear, write, user);
    for (let page = (linear >>> 12) + 1; page <= (last >>> 12); page++) this.translate(page << 12, write, user);
    if ((last >>> 12) < (linear >>> 12)) this.translate(last & ~0xfff, write, user);
  }

  /** Translates for an access, fills the TLB. Faults: #PF. @returns Physical address, u32 (all of 36 bits if beyond). */
  translate(linear: number, write: boolean, user: boolean): number {
    const physical = this.tryTranslate(linear, write, user);
    return physical < 0 ? this.#host.pageFault(linear, this.#walk.errorCode) : physical;
  }

  /** As {@linkcode LinearAccess.translate}; a #PF is recorded and answered as -1: throwing takes V8 a microsecond or two. */
  tryTranslate(linear: number, write: boolean, user: boolean): number {
    const w = this.#walk;
    if (!walk(this.#words, this.#s, linear, write, user, false, w)) {
      this.#host.notePageFault(linear, w.errorCode);
      return -1;
    }
    if (w.large) this.#large[linear >>> 22] = 1;
    if (this.model !== undefined) this.#touch(linear, write, w);
    this.#fill(linear >>> 12, w);
    return w.frame + (linear & 0xfff);
  }

  #touch(linear: number, write: boolean, w: WalkResult): void {
    if (w.steps === 0 || this.outside) return;
    if (this.model?.touch(linear, write, w.dirty, w.global, w.largeShift) === true) this.#host.missed(w.steps);
  }

  /**
   * Translates an instruction fetch; remembered until translations are dropped, so that all engines see a changed page
   * table at the same instruction. Faults: #PF. @returns Physical address of the page.
   */
  fetchPage(linear: number): number {
    const user = this.#user();
    const key = (linear >>> 12) * 2 + (user ? 1 : 0);
    const known = this.#fetches.get(key);
    if (known !== undefined) return known;
    const w = this.#walk;
    if (!walk(this.#words, this.#s, linear, false, user, true, w)) this.#host.pageFault(linear, w.errorCode);
    if (w.large) this.#large[linear >>> 22] = 1;
    if (this.model !== undefined) this.#touch(linear, false, w);
    this.#fetches.set(key, w.frame);
    if (!w.global) this.#localFetches.add(key);
    this.fetchFills++;
    return w.frame;
  }

  /** Physical address of a page that instructions were fetched from and whose translation is remembered, or -1. */
  fetched(linear: number): number {
    return this.#fetches.get((linear >>> 12) * 2 + (this.#user() ? 1 : 0)) ?? -1;
  }

  /** True if the remembered translation of a page that instructions were fetched from goes when CR3 is written. */
  isLocalFetch(linear: number): boolean {
    return this.#localFetches.has((linear >>> 12) * 2 + (this.#user() ? 1 : 0));
  }

  /** Forgets remembered fetch translations, those of global pages only if `all`. */
  forgetFetches(all: boolean): void {
    if (all) this.#fetches.clear();
    else for (const key of this.#localFetches) this.#fetches.delete(key);
    this.#localFetches.clear();
  }

  /** Forgets the fetch translation of one page. @returns True if there was one. */
  forgetFetch(linear: number): boolean {
    const key = (linear >>> 12) * 2;
    const user = this.#fetches.delete(key + 1);
    this.#localFetches.delete(key);
    this.#localFetches.delete(key + 1);
    return this.#fetches.delete(key) || user;
  }

  /** True if a larger page may be remembered at a linear address: dropping one piece of it is not enough. */
  isLarge(linear: number): boolean {
    return this.#large[linear >>> 22] !== 0;
  }

  /** All translations are dropped, global ones too. */
  forgetLarge(): void {
    this.#large.fill(0);
  }

  readonly #words: PhysicalWords = {
    read32: (phys: number): number => phys >= 0x1_0000_0000 ? -1 : this.#space.read(phys, 32) | 0,
    write32: (phys: number, value: number): void => {
      if (phys < 0x1_0000_0000) this.#space.write(phys, value, 32);
    },
  };

  /** Physical words for PDPTR loads. */
  get words(): PhysicalWords {
    return this.#words;
  }

  #fill(page: number, w: WalkResult): void {
    if (w.frame >= 0x1_0000_0000 || (this.outside && this.model !== undefined)) return;
    const pfn = this.#space.bus(w.frame) >>> 12;
    const entry = this.#space.pages[pfn];
    if ((entry & (PageBit.ram | PageBit.rom)) === 0) return;
    if (this.#isWatched(page)) return;
    const isClean = (entry & (PageBit.ram | PageBit.dirty)) !== (PageBit.ram | PageBit.dirty);
    const code = (entry & PageBit.code) !== 0;
    const mayWrite = !isClean && (!code || this.isKnownCode(pfn));
    this.#tlb.fill(
      page,
      entry & ~0xfff,
      true,
      mayWrite && w.systemWrite,
      w.user && !this.#checks,
      mayWrite && w.userWrite && !this.#checks,
      w.global,
      code,
    );
  }

  /** Nobody but this CPU's engine, which knows its code, has to be told of writes to a page with code. */
  isKnownCode(pfn: number): boolean {
    return this.knowsCode && this.model === undefined && this.#space.isCodeOf(pfn, this.#owner);
  }

  #isWatched(page: number): boolean {
    if (this.#hooks.watchesPage(page)) return true;
    if (!this.watching) return false;
    for (let i = 0; i < 4; i++) {
      if (this.#s.get(Layout.dr + i * 4) >>> 12 === page) return true;
    }
    return false;
  }

  /**
   * An access that is not aligned, but lies in one page whose fast access the TLB allows. Faults: #AC.
   * @returns Host address, or something negative.
   */
  unaligned(linear: number, size: number, write: boolean, user: boolean): number {
    if (user && checksAlignment(this.#s)) this.#host.raise(Vector.ac, 0);
    if ((linear & 0xfff) + size > 0x1000) return -1;
    const table = user ? (write ? WRITE_USER : READ_USER) : write ? WRITE_SYS : READ_SYS;
    return this.#e[table + (linear >>> 12)] ^ linear;
  }

  /** Reads 1, 2 or 4 bytes any way it takes; zero-extended, 4 bytes as i32. */
  readSlow(linear: number, size: number, user: boolean): number {
    if ((linear & (size - 1)) !== 0) {
      const t = this.unaligned(linear, size, false, user);
      if (t >= 0) return size === 4 ? this.#view.getInt32(t, true) : this.#view.getUint16(t, true);
    }
    const offset = linear & 0xfff;
    let value = 0;
    if (offset + size <= 0x1000) {
      value = this.#readPhysical(this.translate(linear, false, user), size);
    } else {
      const low = 0x1000 - offset;
      const first = this.translate(linear, false, user);
      const second = this.translate((linear + low) | 0, false, user);
      for (let i = 0; i < size; i++) {
        value |= this.#readPhysical(i < low ? first + i : second + i - low, 1) << (8 * i);
      }
    }
    if (this.watching || this.#hooks.hasMemory) this.#watch(linear, size, false, value);
    return value;
  }

  /** Writes 1, 2 or 4 bytes any way it takes; nothing is written if a part faults. */
  writeSlow(linear: number, size: number, value: number, user: boolean): void {
    if ((linear & (size - 1)) !== 0) {
      const t = this.unaligned(linear, size, true, user);
      if (t >= 0) {
        if (size === 4) this.#view.setInt32(t, value, true);
        else this.#view.setUint16(t, value, true);
        return;
      }
    }
    const offset = linear & 0xfff;
    if (offset + size <= 0x1000) {
      const phys = this.translate(linear, true, user);
      this.#writePhysical(phys, size, value);
      this.#refill(linear);
    } else {
      const low = 0x1000 - offset;
      const first = this.translate(linear, true, user);
      const second = this.translate((linear + low) | 0, true, user);
      for (let i = 0; i < size; i++) {
        this.#writePhysical(i < low ? first + i : second + i - low, 1, (value >>> (8 * i)) & 0xff);
      }
    }
    if (this.watching || this.#hooks.hasMemory) this.#watch(linear, size, true, value);
  }

  /** The write made the page dirty: the next one may be fast. */
  #refill(linear: number): void {
    this.#fill(linear >>> 12, this.#walk);
  }

  #readPhysical(phys: number, size: number): number {
    if (phys >= 0x1_0000_0000) return size === 4 ? -1 : (1 << (8 * size)) - 1;
    return this.#space.read(phys, size === 4 ? 32 : size === 2 ? 16 : 8) | 0;
  }

  #writePhysical(phys: number, size: number, value: number): void {
    if (phys >= 0x1_0000_0000) return;
    if (size === 4) this.#space.write(phys, value, 32);
    else this.#space.write(phys, size === 2 ? value & 0xffff : value & 0xff, size === 2 ? 16 : 8);
  }

  #watch(linear: number, size: number, write: boolean, value: number): void {
    const page = linear >>> 12, last = ((linear + size - 1) | 0) >>> 12;
    if (this.#hooks.watchesPage(page) || (last !== page && this.#hooks.watchesPage(last))) {
      this.#hooks.fireMemory(write ? "write" : "read", linear >>> 0, size, value);
    }
    if (!this.watching) return;
    const s = this.#s, dr7 = s.get(Layout.dr7);
    for (let i = 0; i < 4; i++) {
      if (((dr7 >>> (2 * i)) & 3) === 0) continue;
      const kind = (dr7 >>> (16 + 4 * i)) & 3;
      if (kind !== 3 && !(kind === 1 && write)) continue;
      const length = ((dr7 >>> (18 + 4 * i)) & 3) + 1;
      const at = (s.get(Layout.dr + i * 4) & ~(length - 1)) >>> 0;
      if ((linear >>> 0) < at + length && at < (linear >>> 0) + size) {
        s.set(Layout.pendingDebug, s.get(Layout.pendingDebug) | (Dr6.b0 << i));
        this.#host.attention();
      }
    }
  }
}

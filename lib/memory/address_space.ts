/**
 * Physical address space: sorted, non-overlapping Regions, and one map from page number to where the page lies in the
 * machine's WebAssembly memory. The map is what TLB fills, DMA and page walks read; a page's low bits say what it is.
 *
 * Invariants: no two Regions share a page, shadow RAM aside (shadow.ts); a page with translated code has {@linkcode PageBit.code} set and every
 * write to it passes through {@linkcode AddressSpace.codeWritten}; a RAM page not marked dirty has not been written
 * since the last {@linkcode AddressSpace.takeDirty}. Warm.
 *
 * Not emulated: addresses above 4 GiB (they read as all ones).
 */
import type { GuestMemory, MmioHandler, MmioMap, Width } from "../core/bus.ts";
import { hex } from "../base/hex.ts";
import { ConfigError } from "../core/errors.ts";
import { PAGE, type Region } from "./region.ts";
import { PAGES, Shadow, SHADOW_PAGES, splitHandler } from "./shadow.ts";

/** Low bits of a page-map entry; the high bits are the page's byte address in the WebAssembly memory. */
export const PageBit = { ram: 1, rom: 2, mmio: 4, code: 8, dirty: 16 } as const;

/** Physical address space of one machine. */
export class AddressSpace implements GuestMemory, MmioMap {
  /** Page number to host byte address and {@linkcode PageBit}; for MMIO the high bits index the handlers. 0: nothing there. */
  readonly pages: Int32Array = new Int32Array(PAGES + SHADOW_PAGES);
  /** All bytes of the WebAssembly memory. */
  readonly host: Uint8Array;
  /** The same as a DataView. */
  readonly view: DataView;
  /** Called after bytes of a page with translated code were written: pfn, first offset, offset after the last. */
  codeWritten: (pfn: number, from: number, to: number) => void = () => {};
  /** Called when a page gets translated code of a CPU: no other CPU may write to it unseen from now on. */
  codeMarked: (pfn: number) => void = () => {};
  /** Called when a page changed what it is (mapped, unmapped) or was cleaned: translations of it are stale. */
  remapped: () => void = () => {};
  /** Called at each access to a device's registers; absent: nobody wants to know. */
  deviceTouched: (() => void) | undefined = undefined;
  /** Called once when a guest writes to ROM or to nothing. */
  strayWrite: (physical: number, value: number) => void = () => {};
  #regions: Region[] = [];
  #handlers: { region: Region & { kind: "mmio" } }[] = [];
  #dirty: number[] = [];
  #shadow: Shadow | undefined = undefined;
  /** Index of the handler of pages that are switched in for writes alone. */
  #splitIndex = 0;
  /** CPUs with translated code by page, one bit each. */
  readonly #coders: Map<number, number> = new Map();
  #a20 = true;
  #nextHost: number;
  #end: number;

  /**
   * Makes one.
   *
   * @param memory The machine's memory, with room for all RAM and ROM from `start`.
   * @param start First byte of the memory that Regions may use, page aligned.
   */
  constructor(memory: WebAssembly.Memory, start: number) {
    this.host = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.#nextHost = start;
    this.#end = memory.buffer.byteLength;
  }

  /** The Regions, by address. */
  get regions(): readonly Region[] {
    return this.#regions;
  }

  /** Whether address line 20 is driven. */
  get a20(): boolean {
    return this.#a20;
  }

  /** Switches address line 20. */
  setA20(enabled: boolean): void {
    if (this.#a20 === enabled) return;
    this.#a20 = enabled;
    this.remapped();
  }

  /** A physical address as the bus sees it (A20 applied), u32. */
  bus(physical: number): number {
    return this.#a20 ? physical >>> 0 : (physical & ~0x100000) >>> 0;
  }

  /**
   * Adds a Region.
   * @throws {ConfigError} region-range, region-overlap, region-size
   */
  add(region: Region): void {
    validate(region);
    if (region.kind === "shadow") return this.#addShadow(region);
    const other = this.#regions.find((r) => region.at < r.at + r.size && r.at < region.at + region.size);
    if (other !== undefined) {
      throw new ConfigError(
        "region-overlap",
        `Region "${region.name}" ${span(region)} overlaps "${other.name}" ${span(other)}; move or shrink one of them`,
      );
    }
    const first = region.at / PAGE;
    const count = region.size / PAGE;
    if (region.kind === "mmio") {
      const index = this.#handlers.push({ region });
      for (let i = 0; i < count; i++) this.#place(first + i, (index << 12) | PageBit.mmio);
    } else {
      const at = this.#allocate(region);
      const bit = region.kind === "ram" ? PageBit.ram : PageBit.rom;
      for (let i = 0; i < count; i++) this.#place(first + i, (at + i * PAGE) | bit);
      if (region.kind === "rom") {
        this.host.fill(0xff, at, at + region.size);
        this.host.set(region.bytes, at);
      }
    }
    this.#regions.push(region);
    this.#regions.sort((a, b) => a.at - b.at);
    this.remapped();
  }

  /** Takes a Region away again; its bytes are forgotten. Only MMIO Regions may go. */
  remove(region: Region): void {
    const at = this.#regions.indexOf(region);
    if (at < 0 || region.kind !== "mmio") return;
    this.#regions.splice(at, 1);
    for (let i = 0; i < region.size / PAGE; i++) this.#place(region.at / PAGE + i, 0);
    this.remapped();
  }

  /**
   * Switches shadow RAM: reads of the range come from it, writes go to it, or to what lies under it. Parts of the range
   * that have no shadow stay as they are.
   */
  setShadow(at: number, size: number, access: { readonly read: boolean; readonly write: boolean }): void {
    const shadow = this.#shadow;
    if (shadow === undefined) return;
    for (let pfn = at / PAGE; pfn < (at + size) / PAGE; pfn++) {
      const i = shadow.index(pfn);
      if (i < 0) continue;
      const { pages } = this;
      if ((pages[pfn] & PageBit.code) !== 0) this.codeWritten(pfn, 0, PAGE);
      if (!shadow.isIn(i)) shadow.under[i] = pages[pfn] & ~PageBit.code;
      const over = shadow.hostOf(i);
      const dirty = pages[PAGES + i] & PageBit.dirty;
      shadow.switched[i] = (access.read ? 1 : 0) | (access.write ? 2 : 0);
      if (access.read) pages[pfn] = over | (access.write ? PageBit.ram | dirty : PageBit.rom);
      else pages[pfn] = access.write ? (this.#splitIndex << 12) | PageBit.mmio : shadow.under[i];
    }
    this.remapped();
  }

  /** Byte address of a page in {@linkcode AddressSpace.host} by the number that dirty lists give; -1: it has no bytes. */
  homeOf(pfn: number): number {
    const i = this.#shadow?.index(pfn) ?? -1;
    const entry = i >= 0 && this.#shadow?.isIn(i) === true ? this.#shadow.under[i] : this.pages[pfn];
    return (entry & (PageBit.ram | PageBit.rom)) === 0 ? -1 : entry & ~0xfff;
  }

  /** Told after all bytes of such a page were replaced from outside: keeps translated code true. */
  replaced(pfn: number): void {
    const at = pfn >= PAGES ? pfn - PAGES + (this.#shadow?.first ?? 0) : pfn;
    if ((this.pages[at] & PageBit.code) !== 0) this.codeWritten(at, 0, PAGE);
  }

  /** Claims a range for a device; see {@linkcode MmioMap}. The range is widened to whole pages. */
  mapMmio(at: number, size: number, owner: string, handler: MmioHandler): () => void {
    const region: Region = { kind: "mmio", name: owner, at, size: Math.ceil(size / PAGE) * PAGE, handler };
    this.add(region);
    return () => this.remove(region);
  }

  /** Reads `width` bits of physical memory as the CPU does, u32. */
  read(physical: number, width: Width): number {
    const at = this.bus(physical);
    if ((at & 0xfff) + (width >>> 3) > PAGE) return this.#split(at, width);
    return this.#readEntry(this.pages[at >>> 12], at, width);
  }

  #readEntry(entry: number, at: number, width: Width): number {
    if ((entry & (PageBit.ram | PageBit.rom)) !== 0) {
      const host = (entry & ~0xfff) + (at & 0xfff);
      if (width === 32) return this.view.getUint32(host, true);
      return width === 16 ? this.view.getUint16(host, true) : this.host[host];
    }
    if ((entry & PageBit.mmio) === 0) return width === 32 ? 0xffffffff : (1 << width) - 1;
    const { region } = this.#handlers[(entry >>> 12) - 1];
    this.deviceTouched?.();
    const value = region.handler.read(at - region.at, width);
    return width === 32 ? value >>> 0 : value & ((1 << width) - 1);
  }

  /** Writes `width` bits of physical memory as the CPU does. */
  write(physical: number, value: number, width: Width): void {
    const at = this.bus(physical);
    const bytes = width >>> 3;
    if ((at & 0xfff) + bytes > PAGE) {
      for (let i = 0; i < bytes; i++) this.write(at + i, (value >>> (8 * i)) & 0xff, 8);
      return;
    }
    const entry = this.pages[at >>> 12];
    if ((entry & PageBit.ram) !== 0) {
      const host = (entry & ~0xfff) + (at & 0xfff);
      if ((entry & PageBit.code) !== 0 && this.#isSame(entry, at, value, width)) return;
      if (width === 32) this.view.setInt32(host, value, true);
      else if (width === 16) this.view.setUint16(host, value & 0xffff, true);
      else this.host[host] = value;
      this.wrote(at >>> 12, at & 0xfff, (at & 0xfff) + bytes);
    } else if ((entry & PageBit.mmio) !== 0) {
      const { region } = this.#handlers[(entry >>> 12) - 1];
      this.deviceTouched?.();
      region.handler.write(at - region.at, width === 32 ? value >>> 0 : value & ((1 << width) - 1), width);
    } else {
      this.strayWrite(at, value);
    }
  }

  /** True if a write to a page with code changes nothing: then it is none. */
  #isSame(entry: number, at: number, value: number, width: Width): boolean {
    const mask = width === 32 ? -1 : (1 << width) - 1;
    return (entry & PageBit.dirty) !== 0 && ((this.#readEntry(entry, at, width) ^ value) & mask) === 0;
  }

  /** Told after bytes `from` to `to` of a RAM page were written: keeps the dirty list and translated code true. */
  wrote(pfn: number, from: number, to: number): void {
    const entry = this.pages[pfn];
    if ((entry & PageBit.dirty) === 0) this.#setDirty(pfn);
    if ((entry & PageBit.code) !== 0) this.codeWritten(pfn, from, to);
  }

  /** Marks a RAM page dirty without writing (a TLB is about to allow writes to it). */
  markDirty(pfn: number): void {
    if ((this.pages[pfn] & PageBit.dirty) === 0) this.#setDirty(pfn);
  }

  /** True if no CPU but `owner` has translated code of a page. */
  isCodeOf(pfn: number, owner: number): boolean {
    return ((this.#coders.get(pfn) ?? 0) & ~(1 << owner)) === 0;
  }

  /** Says whether CPU `owner`, 0-30, has translated code of a page; the code bit is set while any has. */
  setCode(pfn: number, on: boolean, owner: number): void {
    const before = this.#coders.get(pfn) ?? 0;
    const after = on ? before | (1 << owner) : before & ~(1 << owner);
    if (after === before) return;
    if (after === 0) {
      this.#coders.delete(pfn);
      this.pages[pfn] &= ~PageBit.code;
      return;
    }
    this.#coders.set(pfn, after);
    this.pages[pfn] |= PageBit.code;
    if (on) this.codeMarked(pfn);
  }

  /** RAM pages written since the last call; they are clean afterwards. */
  takeDirty(): number[] {
    const list = this.#dirty;
    this.#dirty = [];
    for (const pfn of list) {
      this.pages[pfn] &= ~PageBit.dirty;
      const i = pfn >= PAGES ? pfn - PAGES : this.#shadow?.index(pfn) ?? -1;
      if (i < 0 || this.#shadow === undefined) continue;
      this.#shadow.under[i] &= ~PageBit.dirty;
      this.pages[this.#shadow.first + i] &= ~PageBit.dirty;
    }
    this.remapped();
    return list;
  }

  /** See {@linkcode GuestMemory.readPhysical}; A20 does not mask bus masters. MMIO is not read. */
  readPhysical(at: number, into: Uint8Array): number {
    return this.#pieces(at, into.length, (entry, offset, done, n) => {
      if ((entry & (PageBit.ram | PageBit.rom)) === 0) {
        into.fill(0xff, done, done + n);
        return 0;
      }
      const host = (entry & ~0xfff) + offset;
      into.set(this.host.subarray(host, host + n), done);
      return n;
    });
  }

  /** See {@linkcode GuestMemory.writePhysical}. */
  writePhysical(at: number, from: Uint8Array): number {
    return this.#pieces(at, from.length, (entry, offset, done, n, pfn) => {
      if ((entry & PageBit.ram) === 0) return 0;
      this.host.set(from.subarray(done, done + n), (entry & ~0xfff) + offset);
      this.wrote(pfn, offset, offset + n);
      return n;
    });
  }

  /** Like {@linkcode AddressSpace.writePhysical} but reaches ROM too: loaders and scripts, not guests. */
  poke(at: number, from: Uint8Array): number {
    return this.#pieces(at, from.length, (entry, offset, done, n, pfn) => {
      if ((entry & (PageBit.ram | PageBit.rom)) === 0) return 0;
      this.host.set(from.subarray(done, done + n), (entry & ~0xfff) + offset);
      this.wrote(pfn, offset, offset + n);
      return n;
    });
  }

  #pieces(
    at: number,
    length: number,
    one: (entry: number, offset: number, done: number, n: number, pfn: number) => number,
  ): number {
    let done = 0, useful = 0;
    while (done < length) {
      const address = at + done;
      const offset = address % PAGE;
      const n = Math.min(PAGE - offset, length - done);
      const pfn = Math.floor(address / PAGE);
      useful += one(pfn < PAGES && pfn >= 0 ? this.pages[pfn] : 0, offset, done, n, pfn);
      done += n;
    }
    return useful;
  }

  #split(at: number, width: Width): number {
    let value = 0;
    for (let i = 0; i < width >>> 3; i++) value |= this.read((at + i) >>> 0, 8) << (8 * i);
    return value >>> 0;
  }

  #setDirty(pfn: number): void {
    this.pages[pfn] |= PageBit.dirty;
    const i = this.#shadow?.index(pfn) ?? -1;
    if (i < 0 || this.#shadow?.isIn(i) !== true) {
      this.#dirty.push(pfn);
    } else if ((this.pages[PAGES + i] & PageBit.dirty) === 0) {
      this.pages[PAGES + i] |= PageBit.dirty;
      this.#dirty.push(PAGES + i);
    }
  }

  /** Makes `entry` what the page is, or what lies under its shadow. */
  #place(pfn: number, entry: number): void {
    const i = this.#shadow?.index(pfn) ?? -1;
    if (i >= 0 && this.#shadow?.isIn(i) === true) this.#shadow.under[i] = entry;
    else this.pages[pfn] = entry;
  }

  #allocate(region: Region): number {
    const at = this.#nextHost;
    if (at + region.size > this.#end) {
      throw new ConfigError(
        "region-size",
        `Region "${region.name}" ${span(region)} does not fit into the machine's memory`,
      );
    }
    this.#nextHost += region.size;
    return at;
  }

  #addShadow(region: Region): void {
    if (this.#shadow !== undefined || region.size > SHADOW_PAGES * PAGE) {
      throw new ConfigError(
        "region-size",
        `Shadow RAM "${region.name}" ${span(region)} must be the only one and at most 256 KiB`,
      );
    }
    const shadow = new Shadow(region.at, region.size, this.#allocate(region));
    this.#shadow = shadow;
    for (let i = 0; i < shadow.count; i++) this.pages[PAGES + i] = shadow.hostOf(i) | PageBit.ram;
    const handler = splitHandler(
      (offset, width) => this.#readEntry(shadow.under[offset >>> 12], region.at + offset, width),
      (offset, value, width) => this.#writeShadow(shadow, offset, value, width),
    );
    this.#splitIndex = this.#handlers.push({ region: { ...region, kind: "mmio", handler } });
  }

  #writeShadow(shadow: Shadow, offset: number, value: number, width: Width): void {
    const host = shadow.host + offset;
    for (let k = 0; k < width >>> 3; k++) this.host[host + k] = value >>> (8 * k);
    const home = PAGES + (offset >>> 12);
    if ((this.pages[home] & PageBit.dirty) !== 0) return;
    this.pages[home] |= PageBit.dirty;
    this.#dirty.push(home);
  }
}

function validate(r: Region): void {
  const what = `Region "${r.name}" ${span(r)}`;
  if (!Number.isInteger(r.at) || !Number.isInteger(r.size) || r.at < 0 || r.size <= 0 || r.at + r.size > 2 ** 32) {
    throw new ConfigError("region-range", `${what} must be a non-empty range below 4 GiB`);
  }
  if (r.at % PAGE !== 0 || r.size % PAGE !== 0) {
    throw new ConfigError("region-range", `${what} must begin and end on a 4 KiB page`);
  }
}

function span(r: Region): string {
  return `${hex(r.at)}+${hex(r.size, 1)}`;
}

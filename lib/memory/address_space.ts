/**
 * Physical address space: sorted, non-overlapping Regions, and one map from page number to where the page lies in the
 * machine's WebAssembly memory. The map is what TLB fills, DMA and page walks read; a page's low bits say what it is.
 *
 * Invariants: no two Regions share a page; a page with translated code has {@linkcode PageBit.code} set and every
 * write to it passes through {@linkcode AddressSpace.codeWritten}; a RAM page not marked dirty has not been written
 * since the last {@linkcode AddressSpace.takeDirty}. Warm.
 *
 * Not emulated: addresses above 4 GiB (they read as all ones).
 */
import type { GuestMemory, MmioHandler, MmioMap, Width } from "../core/bus.ts";
import { ConfigError } from "../core/errors.ts";
import { PAGE, type Region } from "./region.ts";

/** Low bits of a page-map entry; the high bits are the page's byte address in the WebAssembly memory. */
export const PageBit = { ram: 1, rom: 2, mmio: 4, code: 8, dirty: 16 } as const;

/** Physical address space of one machine. */
export class AddressSpace implements GuestMemory, MmioMap {
  /** Page number to host byte address and {@linkcode PageBit}; for MMIO the high bits index the handlers. 0: nothing there. */
  readonly pages: Int32Array = new Int32Array(1 << 20);
  /** All bytes of the WebAssembly memory. */
  readonly host: Uint8Array;
  /** The same as a DataView. */
  readonly view: DataView;
  /** Called after bytes of a page with translated code were written: pfn, first offset, offset after the last. */
  codeWritten: (pfn: number, from: number, to: number) => void = () => {};
  /** Called when a page changed what it is (mapped, unmapped) or was cleaned: translations of it are stale. */
  remapped: () => void = () => {};
  /** Called once when a guest writes to ROM or to nothing. */
  strayWrite: (physical: number, value: number) => void = () => {};
  #regions: Region[] = [];
  #handlers: { region: Region & { kind: "mmio" } }[] = [];
  #dirty: number[] = [];
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
      for (let i = 0; i < count; i++) this.pages[first + i] = (index << 12) | PageBit.mmio;
    } else {
      if (this.#nextHost + region.size > this.#end) {
        throw new ConfigError(
          "region-size",
          `Region "${region.name}" ${span(region)} does not fit into the machine's memory`,
        );
      }
      const bit = region.kind === "ram" ? PageBit.ram : PageBit.rom;
      for (let i = 0; i < count; i++) this.pages[first + i] = (this.#nextHost + i * PAGE) | bit;
      if (region.kind === "rom") {
        this.host.fill(0xff, this.#nextHost, this.#nextHost + region.size);
        this.host.set(region.bytes, this.#nextHost);
      }
      this.#nextHost += region.size;
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
    for (let i = 0; i < region.size / PAGE; i++) this.pages[region.at / PAGE + i] = 0;
    this.remapped();
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
    const entry = this.pages[at >>> 12];
    if ((entry & (PageBit.ram | PageBit.rom)) !== 0) {
      const host = (entry & ~0xfff) + (at & 0xfff);
      if (width === 32) return this.view.getUint32(host, true);
      return width === 16 ? this.view.getUint16(host, true) : this.host[host];
    }
    if ((entry & PageBit.mmio) === 0) return width === 32 ? 0xffffffff : (1 << width) - 1;
    const { region } = this.#handlers[(entry >>> 12) - 1];
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
      if (width === 32) this.view.setInt32(host, value, true);
      else if (width === 16) this.view.setUint16(host, value & 0xffff, true);
      else this.host[host] = value;
      this.wrote(at >>> 12, at & 0xfff, (at & 0xfff) + bytes);
    } else if ((entry & PageBit.mmio) !== 0) {
      const { region } = this.#handlers[(entry >>> 12) - 1];
      region.handler.write(at - region.at, width === 32 ? value >>> 0 : value & ((1 << width) - 1), width);
    } else {
      this.strayWrite(at, value);
    }
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

  /** Sets or clears the code bit of a page. */
  setCode(pfn: number, on: boolean): void {
    if (on) this.pages[pfn] |= PageBit.code;
    else this.pages[pfn] &= ~PageBit.code;
  }

  /** RAM pages written since the last call; they are clean afterwards. */
  takeDirty(): number[] {
    const list = this.#dirty;
    this.#dirty = [];
    for (const pfn of list) this.pages[pfn] &= ~PageBit.dirty;
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
      useful += one(pfn < this.pages.length && pfn >= 0 ? this.pages[pfn] : 0, offset, done, n, pfn);
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
    this.#dirty.push(pfn);
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
  return `0x${r.at.toString(16).padStart(8, "0")}+0x${r.size.toString(16)}`;
}

/**
 * What the page frames of a guest are used for: the heart of direct paging, shared by all its CPUs.
 *
 * A frame is a page table or it may be written, never both. A frame becomes a table when a directory first leads to it:
 * every entry is looked at, then every writable mapping of the frame loses its write bit ("lowered"). From then on the
 * processor walks the guest's own table. A frame ceases to be a table when the guest writes to it, releases it or a device
 * writes to it: its mappings get their write bits back, and it is looked at again before it is used again. No entry of a
 * table maps a frame of the monitor's.
 *
 * Frames are kept apart as the bus tells them apart: while address line 20 is off, two frames are one.
 * Idea: Barham et al., Xen and the Art of Virtualization (2003), page types. Warm.
 */
import { Pte } from "../../../spec/i386_regs.ts";
import type { PhysicalWords } from "../../../core/monitor.ts";
import type { Counters } from "../monitor/stats.ts";
import { EntrySets } from "./entry_sets.ts";

const PAGE = 4096;
const LINE_20 = 0x100;

/** What it needs of the machine. */
export interface FramesHost {
  /** All of physical memory. */
  readonly words: PhysicalWords;
  /** Does a part of `size` bytes belong to the monitor? */
  owns(at: number, size: number): boolean;
  /** Does address line 20 go through? */
  a20(): boolean;
  /** Drops all translations of all CPUs. */
  flush(): void;
  /** No directory leads to this frame any more. */
  unlink(frame: number): void;
  /** What is counted. */
  readonly counters: Counters;
}

/** A table open to one instruction. */
export interface Opened {
  /** Its frame. */
  readonly frame: number;
  /** Makes it an ordinary frame. */
  close(): void;
}

/** Uses of all frames. */
export class Frames {
  readonly #host: FramesHost;
  /** Tables: frame to bytes an entry. */
  readonly #tables: Map<number, number> = new Map();
  /** Entries that may write, by the frame they map. */
  readonly #writers: EntrySets = new EntrySets();
  /** Entries that would write but for their frame being a table. */
  readonly #lowered: EntrySets = new EntrySets();
  readonly #loweredAt: Set<number> = new Set();
  #line20 = true;
  #open: Opened | undefined;

  /** @param host The machine. */
  constructor(host: FramesHost) {
    this.#host = host;
    this.#line20 = host.a20();
  }

  /** A table that is being written by one instruction; whoever else needs it closes it first. */
  get open(): Opened | undefined {
    return this.#open;
  }
  set open(value: Opened | undefined) {
    this.#open = value;
  }

  /** Address line 20 was switched; nothing is a table. */
  busChanged(): void {
    this.forget();
    this.#line20 = this.#host.a20();
  }

  /** Frame number of a physical address as the bus sees it. */
  frameOf(at: number): number {
    const frame = Math.floor(at / PAGE);
    return this.#line20 || frame >= 0x100000 ? frame : frame & ~LINE_20;
  }

  /** Bytes an entry of this table; 0: the frame is none. */
  tableBytes(frame: number): number {
    return this.#tables.get(frame) ?? 0;
  }

  /** An entry as the guest means it: with the write bit that was taken from it. */
  meant(at: number, value: number): number {
    return this.#loweredAt.has(this.#line20 ? at : this.frameOf(at) * PAGE + at % PAGE) ? value | Pte.write : value;
  }

  /** No directory leads to this frame any more. */
  unlink(frame: number): void {
    this.#host.unlink(frame);
  }

  /** Makes a frame a table. @returns False: an entry maps a frame of the monitor's, and it is no table. */
  makeTable(frame: number, bytes: number): boolean {
    const at = frame * PAGE;
    for (let i = 0; i < PAGE; i += bytes) if (this.#reaches(at + i, bytes)) return false;
    this.#tables.set(frame, bytes);
    for (const writer of this.#writers.take(frame)) this.#lower(frame, writer);
    for (let i = 0; i < PAGE; i += bytes) this.enter(at + i, bytes);
    this.#host.flush();
    this.#host.counters.count("tables validated");
    return true;
  }

  /** The frame is no table any more. */
  dropTable(frame: number): void {
    const bytes = this.#tables.get(frame);
    if (bytes === undefined) return;
    this.#host.unlink(frame);
    for (let i = 0; i < PAGE; i += bytes) this.leave(frame * PAGE + i, bytes);
    this.#tables.delete(frame);
    for (const at of this.#lowered.take(frame)) {
      this.#loweredAt.delete(at);
      this.#host.words.write32(at, this.#host.words.read32(at) | Pte.write);
      this.#writers.add(frame, at);
    }
    this.#host.counters.count("tables opened");
  }

  /** All tables between two physical addresses are none any more. */
  dropRange(from: number, to: number): void {
    for (let frame = this.frameOf(from); frame * PAGE < to; frame++) this.dropTable(frame);
  }

  /** No frame is a table any more; entries get their write bits back. */
  dropAll(): void {
    for (const frame of [...this.#tables.keys()]) this.dropTable(frame);
  }

  /** Power-on state: memory is not touched. */
  forget(): void {
    this.#tables.clear();
    this.#writers.clear();
    this.#lowered.clear();
    this.#loweredAt.clear();
    this.#open = undefined;
  }

  /** Stores an entry into a table. @returns False: it maps a frame of the monitor's, and nothing is stored. */
  store(at: number, bytes: number, low: number, high: number): boolean {
    const { words } = this.#host;
    if ((low & Pte.present) !== 0 && this.#host.owns(address(low, bytes === 8 ? high : 0), PAGE)) return false;
    this.leave(at, bytes);
    const frame = this.frameOf(address(low, bytes === 8 ? high : 0));
    const lowers = (low & 3) === 3 && this.#tables.has(frame);
    const stored = lowers ? low & ~Pte.write : low;
    if (bytes === 8 && (low & 1) !== 0) words.write32(at + 4, high | 0);
    words.write32(at, stored | 0);
    if (bytes === 8 && (low & 1) === 0) words.write32(at + 4, high | 0);
    if (lowers) this.#noteLowered(frame, at);
    else if ((low & 3) === 3) this.#writers.add(frame, at);
    return true;
  }

  /** Takes notice of an entry that the processor may use from now on, lowering it if need be. */
  enter(at: number, bytes: number): void {
    const low = this.#host.words.read32(at);
    if ((low & 3) !== 3) return;
    const frame = this.#target(at, low, bytes);
    if (this.#tables.has(frame)) this.#lower(frame, at);
    else this.#writers.add(frame, at);
  }

  /** The processor will not use an entry any more: it gets its write bit back. */
  leave(at: number, bytes: number): void {
    const low = this.#host.words.read32(at);
    const lowered = this.#loweredAt.has(at);
    if ((low & Pte.present) === 0 || (!lowered && (low & Pte.write) === 0)) return;
    const frame = this.#target(at, low, bytes);
    if (!lowered) {
      this.#writers.remove(frame, at);
      return;
    }
    this.#loweredAt.delete(at);
    this.#lowered.remove(frame, at);
    this.#host.words.write32(at, low | Pte.write);
  }

  /** State that memory does not hold. */
  save(): {
    readonly tables: number[];
    readonly writers: number[];
    readonly lowered: number[];
    readonly line20: boolean;
  } {
    const tables = [...this.#tables].sort(([a], [b]) => a - b).flat();
    return { tables, writers: this.#writers.save(), lowered: this.#lowered.save(), line20: this.#line20 };
  }

  /** Restores it. */
  load(state: ReturnType<Frames["save"]>): void {
    this.forget();
    for (let i = 0; i < state.tables.length; i += 2) this.#tables.set(state.tables[i] ?? 0, state.tables[i + 1] ?? 4);
    this.#writers.load(state.writers);
    this.#lowered.load(state.lowered);
    this.#line20 = state.line20;
    for (let i = 1; i < state.lowered.length; i += 2) this.#loweredAt.add(state.lowered[i] ?? 0);
  }

  #target(at: number, low: number, bytes: number): number {
    return this.frameOf(address(low, bytes === 8 ? this.#host.words.read32(at + 4) : 0));
  }

  #reaches(at: number, bytes: number): boolean {
    const { words } = this.#host, low = words.read32(at);
    if ((low & Pte.present) === 0) return false;
    return this.#host.owns(address(low, bytes === 8 ? words.read32(at + 4) : 0), PAGE);
  }

  #lower(frame: number, at: number): void {
    this.#host.words.write32(at, this.#host.words.read32(at) & ~Pte.write);
    this.#noteLowered(frame, at);
  }

  #noteLowered(frame: number, at: number): void {
    this.#lowered.add(frame, at);
    this.#loweredAt.add(at);
    this.#host.counters.count("entries lowered");
  }
}

function address(low: number, high: number): number {
  return ((low & 0xfffff000) >>> 0) + (high & 15) * 0x1_0000_0000;
}

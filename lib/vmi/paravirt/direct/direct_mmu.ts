/**
 * Direct paging: the processor walks the guest's own page tables, after they have been looked at ({@linkcode Frames}).
 *
 * Only the {@linkcode Directory} at the top is the monitor's. A slot leads to a page table of the guest's in place, with the
 * rights of the guest's directory entry; or, for a large page, to a table of small pages of the monitor's, since one of
 * them may have to be protected. Accessed and dirty bits of small pages are set by the processor itself.
 *
 * A call that changes an entry of a table is checked and stored. A store of the guest's to a table faults: the frame stops
 * being a table, so that further stores are free, and it is looked at again when it is next needed. Where the table that
 * is written is also needed to write it, the one instruction is stepped over an open table that no slot may use for more.
 * Idea: Barham et al., Xen and the Art of Virtualization (2003), 3.3.3 and writable page tables. Warm.
 *
 * Not emulated: page tables outside RAM, and those between 640 KiB and 1 MiB, end the guest; accessed and dirty bits of a large page are set when it is first
 * used; instructions with several stores cannot write to a table that they need (the guest is ended). A guest that reads
 * an entry of its tables may find the write bit cleared where it maps a page table.
 */
import { hex } from "../../../base/hex.ts";
import type { FieldValue } from "../../../core/component.ts";
import type { InterceptEvent } from "../../../core/monitor.ts";
import { Flag, PageFault, Pte, Vector } from "../../../spec/i386_regs.ts";
import { Directory, FREE_AT } from "../monitor/directory.ts";
import { GuestWalk } from "../monitor/guest_walk.ts";
import type { FaultVerdict, GuestMmu } from "../monitor/mmu.ts";
import { PagePool } from "../monitor/pool.ts";
import { Progress } from "../monitor/progress.ts";
import { Reached } from "../monitor/raised.ts";
import { storeEntry } from "../monitor/store_entry.ts";
import { SegReg, type VirtualCpu } from "../monitor/vcpu.ts";
import type { Frames } from "./frames.ts";
import type { Link, Split, Step } from "./uses.ts";

const PAGE = 4096;
const SINGLE_STEP = 0x4000; // bit of DR6
const LONGEST = 15; // bytes of an instruction
/** Frames between 640 KiB and 1 MiB, where the guest can switch ROM and RAM: what was looked at need not stay there. */
const SWITCHED = { from: 0xa0, to: 0x100 } as const;
/** Instructions that store once, so that what they have stored is of no use to them. */
const STORES_ONCE: ReadonlySet<string> = new Set(
  ("mov xchg add or adc sbb and sub xor inc dec not neg bts btr btc cmpxchg cmpxchg8b xadd stos movs push").split(" "),
);

/** Directly used page tables of one CPU. */
export class DirectMmu implements GuestMmu {
  readonly #cpu: VirtualCpu;
  readonly #frames: Frames;
  readonly #directory: Directory<Link>;
  readonly #pool: PagePool;
  readonly #walk: GuestWalk = new GuestWalk();
  readonly #progress: Progress = new Progress("direct");
  #splits: Split[] = [];
  #step: Step | undefined;
  /** EIP and frame of the last store that opened a table: the same again means that it needs the table. */
  #opened = "";

  /** @param cpu The CPU. @param frames Uses of all frames, shared. */
  constructor(cpu: VirtualCpu, frames: Frames) {
    this.#cpu = cpu;
    this.#frames = frames;
    this.#directory = new Directory(cpu);
    this.#pool = new PagePool(cpu.guest.physical, cpu.own, FREE_AT);
    cpu.physical.meant = (at, value): number => frames.meant(at, value);
    cpu.physical.writing = (at): void => frames.dropTable(frames.frameOf(at));
  }

  /** No slot leads to this frame any more. */
  unlinkFrame(frame: number): void {
    if (!this.#directory.unlinkTo((link) => link.frame === frame)) return;
    this.#progress.made();
    this.#cpu.guest.flush("all-global");
  }

  /** See {@linkcode GuestMmu}. */
  start(): void {
    this.#close();
    this.#step = undefined;
    this.#dropSplits(); // those of a CPU that is started again
    this.#forget();
    this.#directory.start();
    this.#cpu.guest.flush("all-global");
  }

  /** See {@linkcode GuestMmu}. */
  fault(linear: number, errorCode: number): FaultVerdict {
    const write = (errorCode & PageFault.write) !== 0, user = (errorCode & PageFault.user) !== 0;
    const w = this.#walk, { v, physical } = this.#cpu;
    if (!w.walk(v, physical, linear, write, user, (errorCode & PageFault.fetch) !== 0)) return w.error;
    this.#progress.check(linear, errorCode);
    if (physical.owns(w.pageFrame, w.large ? this.#directory.largeSize : PAGE)) {
      throw new Reached(`page at ${hex(linear)}`);
    }
    if (w.large) this.#linkLarge(linear, write);
    else if (!this.#linkTable(linear)) return "hidden";
    if (!write) return "hidden";
    const frame = this.#frames.frameOf(w.frame);
    if (this.#frames.tableBytes(frame) !== 0) this.#writeTable(linear, frame);
    else if (!w.write) this.#stepOver(linear, frame); // the guest's kernel with write protection off
    return "hidden";
  }

  /** See {@linkcode GuestMmu}. */
  stepped(event: InterceptEvent): boolean {
    const step = this.#step;
    if (step === undefined) return false;
    const { guest, counters } = this.#cpu;
    this.#close();
    this.#step = undefined;
    if (!step.ownStep) guest.eflags = guest.eflags & ~Flag.tf;
    const done = event.kind === "exception" && event.vector === Vector.db;
    if (!done || step.ownStep) return false;
    const dr6 = guest.control("dr6");
    guest.setControl("dr6", (dr6 & ~SINGLE_STEP) >>> 0);
    counters.count("stores stepped over");
    return (dr6 & 15) === 0;
  }

  /** See {@linkcode GuestMmu}. */
  baseLoaded(): void {
    this.flush(false);
  }

  /** See {@linkcode GuestMmu}. */
  modeChanged(): void {
    this.#progress.made();
    this.#directory.unlinkAll();
    this.#frames.dropAll();
    this.#dropSplits();
    this.#directory.useMode();
    this.#cpu.guest.flush("all-global");
  }

  /** See {@linkcode GuestMmu}. */
  writeEntry(at: number, low: number, high: number | undefined): void {
    const frames = this.#frames, frame = frames.frameOf(at), bytes = frames.tableBytes(frame);
    if (bytes === (high === undefined ? 4 : 8)) {
      if (!frames.store(frame * PAGE + (at % PAGE), bytes, low, high ?? 0)) {
        throw new Reached(`page table entry at physical ${hex(at)}`);
      }
      this.#cpu.counters.count("entries checked");
      return;
    }
    frames.dropTable(frame);
    storeEntry(this.#cpu.physical, at, low, high);
  }

  /** See {@linkcode GuestMmu}. */
  entryWritten(at: number, bytes: number): void {
    const pfn = Math.floor(at / PAGE), offset = at % PAGE, each = this.#directory.bytes;
    this.#progress.made();
    for (let i = 0; i < bytes / each; i++) {
      const slot = this.#directory.slotOfEntry(pfn, offset + i * each);
      if (slot >= 0 && this.#directory.unlink(slot)) this.#cpu.guest.flush("all-global");
    }
  }

  /** See {@linkcode GuestMmu}: the frame is looked at when a directory leads to it. */
  pageAllocated(pfn: number, _flags: number): void {
    this.#frames.dropTable(this.#frames.frameOf(pfn * PAGE));
  }

  /** See {@linkcode GuestMmu}. */
  pageReleased(pfn: number): void {
    this.#progress.made();
    this.#frames.dropTable(this.#frames.frameOf(pfn * PAGE));
  }

  /** See {@linkcode GuestMmu}. */
  invalidate(linear: number): void {
    this.#progress.made();
    if (this.#directory.unlink(this.#directory.slotOf(linear))) this.#cpu.guest.flush("all-global");
    else this.#cpu.guest.flush(linear >>> 0);
  }

  /** See {@linkcode GuestMmu}. */
  flush(_all: boolean): void {
    this.#progress.made();
    this.#cpu.counters.count("flushes");
    this.#directory.unlinkAll();
    this.#cpu.guest.flush("all-global"); // the processor knows nothing that the directory does not lead to
  }

  /** See {@linkcode GuestMmu}. */
  reset(): void {
    this.#step = undefined;
    this.#splits = [];
    this.#directory.restore([]);
    this.#frames.busChanged();
    this.#forget();
  }

  #forget(): void {
    this.#pool.reset();
    this.#progress.reset();
    this.#opened = "";
  }

  /** See {@linkcode GuestMmu}. */
  busChanged(): void {
    this.#frames.busChanged();
  }

  /** See {@linkcode GuestMmu}. */
  deviceWrote(at: number, size: number): void {
    this.#frames.dropRange(at, at + size);
  }

  /** See {@linkcode GuestMmu}; the frames are saved with the first CPU that has a guest. */
  save(): FieldValue {
    return {
      linked: [...this.#directory.linked].map(([slot, link]) => ({ slot, ...link })),
      splits: this.#splits.map((s) => ({ ...s })),
      free: this.#pool.save(),
      step: this.#step === undefined ? false : { ...this.#step },
      opened: this.#opened,
      progress: this.#progress.save(),
      frames: this.#cpu.peers.find((p) => p.active) === this.#cpu ? this.#frames.save() : false,
    };
  }

  /** See {@linkcode GuestMmu}. */
  load(state: FieldValue): void {
    const s = state as unknown as {
      linked: readonly (Link & { slot: number })[];
      splits: readonly Split[];
      free: readonly number[];
      step: Step | false;
      opened: string;
      progress: FieldValue;
      frames: ReturnType<Frames["save"]> | false;
    };
    if (s.frames !== false) this.#frames.load(s.frames);
    this.#directory.restore(s.linked.map(({ slot, frame, rights }) => [slot, { frame, rights }] as const));
    this.#splits = s.splits.map((one) => ({ ...one }));
    this.#pool.load(s.free);
    this.#step = s.step === false ? undefined : s.step;
    if (this.#step?.closed === false && this.#step.isTable) {
      this.#frames.open = { frame: this.#step.frame, close: () => this.#close() };
    }
    this.#opened = s.opened;
    this.#progress.load(s.progress);
  }

  /** A table that cannot be one ends the guest. @throws {Reached} It is, or maps, memory of the monitor's. */
  #linkTable(linear: number): boolean {
    const w = this.#walk, frames = this.#frames, { bytes } = this.#directory;
    const frame = frames.frameOf(w.table);
    if (frames.open?.frame === frame) frames.open.close();
    if (this.#cpu.physical.owns(frame * PAGE, PAGE)) throw new Reached(`page table of ${hex(linear)}`);
    if (frames.tableBytes(frame) !== bytes) {
      if (!this.#cpu.host.isRam(frame * PAGE) || (frame >= SWITCHED.from && frame < SWITCHED.to)) {
        this.#cpu.kill(`page table at physical ${hex(frame * PAGE)} of ${hex(linear)}`, "page-table");
        return false;
      }
      frames.dropTable(frame);
      if (!frames.makeTable(frame, bytes)) throw new Reached(`an entry of the page table of ${hex(linear)}`);
    }
    this.#link(linear, frame);
    return true;
  }

  /** A slot with the rights of the guest's directory entry. */
  #link(linear: number, frame: number): void {
    const w = this.#walk, slot = this.#directory.slotOf(linear), now = this.#directory.linked.get(slot);
    const rights = Pte.present | Pte.accessed | (w.upperUser ? Pte.user : 0) | (w.upperWrite ? Pte.write : 0) |
      (w.upperNx ? 0x80000000 : 0);
    if (now !== undefined && now.frame === frame && now.rights === rights) return;
    this.#directory.link(slot, { frame, rights }, (frame * PAGE) | (rights & 0xfff), rights & 0x80000000);
    this.#cpu.counters.count("slots linked");
  }

  #linkLarge(linear: number, write: boolean): void {
    const w = this.#walk, { v, physical } = this.#cpu;
    if (!write && w.write) w.walk(v, physical, linear, true, false, false); // dirty as soon as it could be
    const { bytes } = this.#directory, global = w.leaf & Pte.global;
    const known = this.#splits.find((s) => s.page === w.pageFrame && s.bytes === bytes && s.global === global);
    const split = known ?? this.#makeSplit(w.pageFrame, bytes, global);
    this.#link(linear, split.at / PAGE);
  }

  #makeSplit(page: number, bytes: number, global: number): Split {
    let at = this.#pool.take();
    if (at === undefined) {
      this.#cpu.counters.count("splits dropped for want of pages");
      this.#directory.unlinkAll();
      this.#dropSplits();
      at = this.#pool.take() ?? this.#cpu.own.at;
    }
    const { physical } = this.#cpu.guest;
    for (let i = 0; i < PAGE / bytes; i++) {
      const frame = page + i * PAGE;
      const flags = Pte.present | Pte.write | Pte.user | Pte.accessed | Pte.dirty | global;
      if (bytes === 8) physical.write32(at + 8 * i + 4, Math.floor(frame / 0x1_0000_0000));
      physical.write32(at + bytes * i, (frame % 0x1_0000_0000) | flags);
      this.#frames.enter(at + bytes * i, bytes);
    }
    const split: Split = { page, bytes, global, at };
    this.#splits.push(split);
    this.#cpu.counters.count("large pages split");
    return split;
  }

  #dropSplits(): void {
    for (const { at, bytes } of this.#splits) {
      for (let i = 0; i < PAGE; i += bytes) this.#frames.leave(at + i, bytes);
      this.#pool.give(at);
    }
    this.#splits = [];
  }

  /** The guest stores to a table by itself. */
  #writeTable(linear: number, frame: number): void {
    const { guest } = this.#cpu, opened = `${guest.eip}:${frame}`;
    const needed = this.#directory.linked.get(this.#directory.slotOf(linear))?.frame === frame;
    if (needed || opened === this.#opened) return this.#stepOver(linear, frame);
    this.#opened = opened;
    this.#frames.dropTable(frame);
  }

  /** Opens one entry for one instruction, if that stores only once. */
  #stepOver(linear: number, frame: number): void {
    const { guest, memory } = this.#cpu, code = (guest.segment(SegReg.cs).base + guest.eip) >>> 0;
    const instruction = guest.instruction(memory.code(code, LONGEST, !this.#cpu.inKernel));
    const link = this.#directory.linked.get(this.#directory.slotOf(linear));
    if (link === undefined || instruction === undefined || !STORES_ONCE.has(instruction.name)) {
      this.#cpu.kill(`store to the page table at ${hex(linear)}`, "page-table");
      return;
    }
    this.#opened = "";
    this.#progress.made();
    const isTable = this.#frames.tableBytes(frame) !== 0, { bytes } = this.#directory;
    const at = link.frame * PAGE + this.#directory.indexOf(linear) * bytes;
    if (isTable) {
      this.#openTable(frame);
      this.#frames.leave(at, bytes);
    }
    guest.physical.write32(at, guest.physical.read32(at) | Pte.write);
    // The slot's own rights must allow the store too.
    const rights = link.rights | Pte.write;
    const low = (link.frame * PAGE) | (rights & 0xfff);
    this.#directory.link(this.#directory.slotOf(linear), { frame: link.frame, rights }, low, rights & 0x80000000);
    this.#step = { at, frame, isTable, ownStep: (guest.eflags & Flag.tf) !== 0, closed: false };
    guest.flush("all-global");
    guest.eflags = guest.eflags | Flag.tf;
  }

  /** While it is open, nothing is known of a table's entries, and no other CPU uses it. */
  #openTable(frame: number): void {
    const bytes = this.#frames.tableBytes(frame), mine = [...this.#directory.linked];
    this.#frames.unlink(frame);
    for (const [slot, link] of mine) {
      if (link.frame !== frame) continue;
      this.#directory.link(slot, link, (frame * PAGE) | (link.rights & 0xfff), link.rights & 0x80000000);
    }
    for (let i = 0; i < PAGE; i += bytes) this.#frames.leave(frame * PAGE + i, bytes);
    this.#frames.open = { frame, close: () => this.#close() };
  }

  /** Ends the opening: what was a table is none, and is looked at before it is one again. */
  #close(): void {
    const step = this.#step, { guest } = this.#cpu, frames = this.#frames;
    if (step === undefined || step.closed) return;
    this.#step = { ...step, closed: true };
    frames.open = undefined;
    this.#directory.unlinkAll();
    if (step.isTable) {
      frames.dropTable(step.frame);
      if (frames.frameOf(step.at) !== step.frame) frames.enter(step.at, this.#directory.bytes);
    } else guest.physical.write32(step.at, guest.physical.read32(step.at) & ~Pte.write);
    guest.flush("all-global");
  }
}

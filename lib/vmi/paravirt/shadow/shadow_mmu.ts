/**
 * Shadow paging: the processor walks tables of the monitor's, which are made from the guest's on demand.
 *
 * The shadow behaves as a large TLB. At the top is the {@linkcode Directory}, empty after every flush; below are
 * {@linkcode ShadowTables}, kept by the guest's table they come from and compared with it when they are first used after a
 * flush. So notified changes take effect at once, and unannounced ones when the processor would have noticed them. A
 * missing shadow entry faults, is made from the guest's entry, and the guest never knows; if the guest's own tables do not
 * allow the access, the fault is the guest's. Every frame is checked: one of the monitor's ends the guest.
 *
 * Accessed and dirty bits are set in the guest's entries when a shadow is made of them; a page is writable in the shadow
 * only once its guest's entry is dirty. With CR0.WP clear in the guest, a page that only the kernel may write is entered
 * without user access, and the other way round. Sources: SDM-3A 4.10; Paravirtualization API 2.0, memory management. Warm.
 */
import { hex } from "../../../base/hex.ts";
import type { FieldValue } from "../../../core/component.ts";
import { InternalError } from "../../../core/errors.ts";
import { Cr0, PageFault, Pte } from "../../../spec/i386_regs.ts";
import { Directory, FREE_AT } from "../monitor/directory.ts";
import { GuestWalk } from "../monitor/guest_walk.ts";
import type { FaultVerdict, GuestMmu } from "../monitor/mmu.ts";
import { PagePool } from "../monitor/pool.ts";
import { Progress } from "../monitor/progress.ts";
import { Reached } from "../monitor/raised.ts";
import { storeEntry } from "../monitor/store_entry.ts";
import type { VirtualCpu } from "../monitor/vcpu.ts";
import { type ShadowTable, ShadowTables } from "./tables.ts";

const PAGE = 4096;

/** Shadow page tables of one CPU. */
export class ShadowMmu implements GuestMmu {
  readonly #cpu: VirtualCpu;
  readonly #pool: PagePool;
  readonly #tables: ShadowTables;
  /** Slots lead to a table, or `null`: to a large page. */
  readonly #directory: Directory<ShadowTable | null>;
  readonly #walk: GuestWalk = new GuestWalk();
  readonly #progress: Progress = new Progress("shadow");
  #epoch = 0;

  /** @param cpu The CPU. */
  constructor(cpu: VirtualCpu) {
    this.#cpu = cpu;
    const { physical } = cpu.guest;
    this.#pool = new PagePool(physical, cpu.own, FREE_AT);
    this.#tables = new ShadowTables(physical, cpu.physical, this.#pool);
    this.#directory = new Directory(cpu);
  }

  /** See {@linkcode GuestMmu}. */
  start(): void {
    this.reset();
    this.#directory.start();
    this.#cpu.guest.flush("all-global");
  }

  /** See {@linkcode GuestMmu}. */
  reset(): void {
    this.#directory.restore([]);
    this.#tables.clear();
    this.#pool.reset();
    this.#progress.reset();
    this.#epoch = 0;
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
    if (!w.large && physical.owns(w.table, PAGE)) {
      throw new Reached(`page table of ${hex(linear)}`);
    }
    if (w.large) this.#fillLarge(linear, write, user);
    else this.#fillTable(linear, write, user);
    return "hidden";
  }

  /** See {@linkcode GuestMmu}. */
  baseLoaded(): void {
    this.flush(false);
  }

  /** See {@linkcode GuestMmu}. */
  modeChanged(): void {
    this.#progress.made();
    this.#directory.unlinkAll();
    this.#forgetAll();
    this.#directory.useMode();
  }

  /** See {@linkcode GuestMmu}. */
  writeEntry(at: number, low: number, high: number | undefined): void {
    storeEntry(this.#cpu.physical, at, low, high);
  }

  /** See {@linkcode GuestMmu}. */
  entryWritten(at: number, bytes: number): void {
    const pfn = Math.floor(at / PAGE), offset = at % PAGE, each = this.#directory.bytes;
    let used = false;
    this.#progress.made();
    for (const t of this.#tables.of(pfn)) {
      for (let i = 0; i < Math.max(1, bytes / t.bytes); i++) {
        used = this.#drop(t, Math.floor(offset / t.bytes) + i) || used;
      }
    }
    for (let i = 0; i < bytes / each; i++) {
      const slot = this.#directory.slotOfEntry(pfn, offset + i * each);
      if (slot < 0 || !this.#directory.unlink(slot)) continue;
      used = true;
      this.#cpu.guest.flush("all-global");
    }
    this.#cpu.counters.count(used ? "shadow entries updated" : "updates without a shadow");
  }

  /** See {@linkcode GuestMmu}. */
  pageAllocated(pfn: number, _flags: number): void {
    this.#forget(pfn);
  }

  /** See {@linkcode GuestMmu}. */
  pageReleased(pfn: number): void {
    this.#forget(pfn);
  }

  /** See {@linkcode GuestMmu}. */
  invalidate(linear: number): void {
    const d = this.#directory, slot = d.slotOf(linear), table = d.linked.get(slot);
    this.#progress.made();
    if (table !== undefined && table !== null) this.#tables.drop(table, d.indexOf(linear));
    if (d.unlink(slot)) this.#cpu.guest.flush("all-global");
    else this.#cpu.guest.flush(linear >>> 0);
  }

  /** See {@linkcode GuestMmu}. */
  flush(_all: boolean): void {
    this.#cpu.counters.count("shadow flushes");
    this.#progress.made();
    this.#directory.unlinkAll();
    this.#epoch++;
    this.#cpu.guest.flush("all-global"); // the processor knows nothing that the directory does not lead to
  }

  /** See {@linkcode GuestMmu}. */
  save(): FieldValue {
    const tables = this.#tables.save();
    const linked = [...this.#directory.linked].map(([slot, t]) => ({
      slot,
      table: t === null ? -1 : tables.findIndex((s) => s.at === t.at),
    }));
    return {
      tables: tables.map((t) => ({ ...t })),
      linked,
      free: this.#pool.save(),
      epoch: this.#epoch,
      progress: this.#progress.save(),
    };
  }

  /** See {@linkcode GuestMmu}. */
  load(state: FieldValue): void {
    const s = state as unknown as {
      tables: readonly ShadowTable[];
      linked: readonly { slot: number; table: number }[];
      free: readonly number[];
      epoch: number;
      progress: FieldValue;
    };
    this.#tables.load(s.tables);
    this.#pool.load(s.free);
    this.#epoch = s.epoch;
    this.#progress.load(s.progress);
    this.#directory.restore(s.linked.map(({ slot, table }) => {
      const from = s.tables[table];
      return [slot, from === undefined ? null : this.#tables.find(from.pfn, from.bytes, from.rights) ?? null] as const;
    }));
  }

  /** Drops one entry of a shadow table, and the translations that have come from it. @returns True if there was one. */
  #drop(t: ShadowTable, index: number): boolean {
    if (!this.#tables.drop(t, index)) return false;
    const d = this.#directory, shift = d.pae ? 21 : 22;
    for (const [slot, table] of d.linked) {
      if (table === t) this.#cpu.guest.flush(((slot << shift) | (index << 12)) >>> 0);
    }
    return true;
  }

  #fillTable(linear: number, write: boolean, user: boolean): void {
    const w = this.#walk, d = this.#directory, slot = d.slotOf(linear);
    const rights = (w.upperUser ? 1 : 0) | (w.upperWrite ? 2 : 0) | (w.upperNx ? 4 : 0);
    const pfn = w.table / PAGE;
    let table = this.#tables.find(pfn, d.bytes, rights);
    if (table === undefined) table = this.#makeTable(pfn, rights);
    else if (table.epoch !== this.#epoch) {
      this.#cpu.counters.count("shadow tables compared");
      this.#cpu.counters.count("shadow entries dropped", this.#tables.verify(table, this.#epoch));
    }
    if (d.linked.get(slot) !== table) {
      d.link(slot, table, table.at | Pte.present | Pte.write | Pte.user | Pte.accessed, 0);
    }
    const [low, high] = this.#leaf(write, user);
    this.#tables.fill(table, d.indexOf(linear), low, high, w.leaf, w.leafHigh);
    this.#cpu.counters.count("shadow entries filled");
  }

  #makeTable(pfn: number, rights: number): ShadowTable {
    const { bytes } = this.#directory;
    let table = this.#tables.make(pfn, bytes, rights, this.#epoch);
    if (table === undefined) {
      this.#cpu.counters.count("shadow emptied for want of pages");
      this.#directory.unlinkAll();
      this.#forgetAll();
      table = this.#tables.make(pfn, bytes, rights, this.#epoch);
      if (table === undefined) throw new InternalError("The shadow has no page for a table although it is empty");
    }
    this.#cpu.counters.count("shadow tables made");
    return table;
  }

  #fillLarge(linear: number, write: boolean, user: boolean): void {
    const [low, high] = this.#leaf(write, user);
    this.#directory.link(this.#directory.slotOf(linear), null, low | Pte.large, high);
    this.#cpu.counters.count("shadow large pages filled");
  }

  /** The processor's entry for what the walk found. */
  #leaf(write: boolean, user: boolean): readonly [number, number] {
    const w = this.#walk, { v } = this.#cpu;
    let mayUser = w.user, mayWrite = w.write && (w.leaf & Pte.dirty) !== 0;
    if (!user && write && !w.write && (v.cr0 & Cr0.wp) === 0) {
      mayUser = false;
      mayWrite = true;
    }
    const low = (w.pageFrame % 0x1_0000_0000) | Pte.present | Pte.accessed | Pte.dirty |
      (mayUser ? Pte.user : 0) | (mayWrite ? Pte.write : 0) | (w.leaf & Pte.global);
    const high = Math.floor(w.pageFrame / 0x1_0000_0000) | (w.noExecute ? 0x80000000 : 0);
    return [low | 0, high | 0];
  }

  #forget(pfn: number): void {
    const gone = this.#tables.forget(pfn);
    if (gone.length === 0) return;
    this.#progress.made();
    this.#directory.unlinkTo((t) => t !== null && gone.includes(t));
    this.#cpu.guest.flush("all-global");
  }

  #forgetAll(): void {
    this.#tables.clear();
    this.#pool.reset();
    this.#cpu.guest.flush("all-global");
  }
}

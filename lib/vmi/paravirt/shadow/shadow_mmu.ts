/**
 * Shadow paging: the processor walks tables of the monitor's, which are made from the guest's on demand.
 *
 * The shadow behaves as a large TLB. At the top is one directory (with PAE four), empty after every flush; below are
 * {@linkcode ShadowTables}, kept by the guest's table they come from and compared with it when they are first used after a
 * flush. So notified changes take effect at once, and unannounced ones when the processor would have noticed them. A
 * missing shadow entry faults, is made from the guest's entry, and the guest never knows; if the guest's own tables do not
 * allow the access, the fault is the guest's. Every frame is checked: one of the monitor's ends the guest.
 *
 * Accessed and dirty bits are set in the guest's entries when a shadow is made of them; a page is writable in the shadow
 * only once its guest's entry is dirty. With CR0.WP clear in the guest, a page that only the kernel may write is entered
 * without user access, and the other way round. Sources: SDM-3A 4.10; Paravirtualization API 2.0, memory management. Warm.
 */
import type { FieldValue } from "../../../core/component.ts";
import { InternalError } from "../../../core/errors.ts";
import { Cr0, Cr4 } from "../../../spec/i386_regs.ts";
import { Entry, GuestWalk, PageError } from "../monitor/guest_walk.ts";
import type { FaultVerdict, GuestMmu } from "../monitor/mmu.ts";
import { TABLES_BYTES } from "../monitor/tables.ts";
import type { VirtualCpu } from "../monitor/vcpu.ts";
import { PagePool } from "./pool.ts";
import { type ShadowTable, ShadowTables } from "./tables.ts";

const PAGE = 4096;
/** Pages behind the descriptor tables: PAE pointers, then four directories, of which the first serves without PAE. */
const POINTERS_AT = TABLES_BYTES;
const DIRECTORY_AT: number = TABLES_BYTES + PAGE;
const POOL_AT: number = DIRECTORY_AT + 4 * PAGE;

/** The same fault so often without progress is our own mistake. */
const MOST_REPEATS = 64;

/** Shadow page tables of one CPU. */
export class ShadowMmu implements GuestMmu {
  readonly #cpu: VirtualCpu;
  readonly #pool: PagePool;
  readonly #tables: ShadowTables;
  readonly #walk: GuestWalk = new GuestWalk();
  /** Directory entries in use; the table they lead to, `null` for a large page. */
  #linked: Map<number, ShadowTable | null> = new Map();
  #epoch = 0;
  #last = -1;
  #repeats = 0;

  /** @param cpu The CPU. */
  constructor(cpu: VirtualCpu) {
    this.#cpu = cpu;
    const { physical } = cpu.guest;
    this.#pool = new PagePool(physical, cpu.own, POOL_AT);
    this.#tables = new ShadowTables(physical, cpu.physical, this.#pool);
  }

  /** See {@linkcode GuestMmu}. */
  start(): void {
    const { physical } = this.#cpu.guest, { at } = this.#cpu.own;
    for (let i = POINTERS_AT; i < POOL_AT; i += 4) physical.write32(at + i, 0);
    for (let i = 0; i < 4; i++) physical.write32(at + POINTERS_AT + 8 * i, (at + DIRECTORY_AT + i * PAGE) | 1);
    this.#linked.clear();
    this.#forgetAll();
    this.#useMode();
  }

  /** See {@linkcode GuestMmu}. */
  fault(linear: number, errorCode: number): FaultVerdict {
    const write = (errorCode & PageError.write) !== 0, user = (errorCode & PageError.user) !== 0;
    const w = this.#walk, { v, physical } = this.#cpu;
    if (!w.walk(v, physical, linear, write, user, (errorCode & PageError.fetch) !== 0)) return w.error;
    this.#watchProgress(linear, errorCode);
    const size = w.large ? this.#largeSize : PAGE;
    if (physical.owns(w.pageFrame, size)) {
      this.#cpu.kill(`page at 0x${linear.toString(16).padStart(8, "0")}`, "hypervisor-memory");
      return "hidden";
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
    this.#unlinkAll();
    this.#forgetAll();
    this.#useMode();
  }

  /** See {@linkcode GuestMmu}. */
  writeEntry(at: number, low: number, high: number | undefined): void {
    const { physical } = this.#cpu;
    if (high === undefined) physical.write32(at, low | 0);
    else if ((low & 1) !== 0) {
      physical.write32(at + 4, high | 0);
      physical.write32(at, low | 0);
    } else {
      physical.write32(at, low | 0);
      physical.write32(at + 4, high | 0);
    }
  }

  /** See {@linkcode GuestMmu}. */
  entryWritten(at: number, bytes: number): void {
    const pfn = Math.floor(at / PAGE), offset = at % PAGE;
    let used = false;
    this.#last = -1;
    for (const t of this.#tables.of(pfn)) {
      for (let i = 0; i < Math.max(1, bytes / t.bytes); i++) {
        used = this.#tables.drop(t, Math.floor(offset / t.bytes) + i) || used;
      }
    }
    for (let i = 0; i < bytes / this.#bytes; i++) {
      const slot = this.#slotOfEntry(pfn, offset + i * this.#bytes);
      if (slot >= 0) used = this.#unlink(slot) || used;
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
    const slot = this.#slotOf(linear), table = this.#linked.get(slot);
    if (table !== undefined && table !== null) this.#tables.drop(table, this.#indexOf(linear));
    this.#unlink(slot);
    this.#cpu.guest.flush(linear >>> 0);
  }

  /** See {@linkcode GuestMmu}. */
  flush(all: boolean): void {
    this.#cpu.counters.count("shadow flushes");
    this.#unlinkAll();
    this.#epoch++;
    this.#cpu.guest.flush(all ? "all-global" : "all");
  }

  /** See {@linkcode GuestMmu}. */
  save(): FieldValue {
    const tables = this.#tables.save();
    const linked = [...this.#linked].map(([slot, t]) => ({
      slot,
      table: t === null ? -1 : tables.findIndex((s) => s.at === t.at),
    }));
    return {
      tables: tables.map((t) => ({ ...t })),
      linked,
      free: this.#pool.save(),
      epoch: this.#epoch,
      last: this.#last,
      repeats: this.#repeats,
    };
  }

  /** See {@linkcode GuestMmu}. */
  load(state: FieldValue): void {
    const s = state as unknown as {
      tables: readonly ShadowTable[];
      linked: readonly { slot: number; table: number }[];
      free: readonly number[];
      epoch: number;
      last: number;
      repeats: number;
    };
    this.#tables.load(s.tables);
    this.#pool.load(s.free);
    this.#epoch = s.epoch;
    this.#last = s.last;
    this.#repeats = s.repeats;
    this.#linked = new Map(s.linked.map(({ slot, table }) => {
      const from = s.tables[table];
      const found = from === undefined ? null : this.#tables.find(from.pfn, from.bytes, from.rights) ?? null;
      return [slot, found];
    }));
  }

  get #pae(): boolean {
    return (this.#cpu.v.cr4 & Cr4.pae) !== 0;
  }

  get #bytes(): number {
    return this.#pae ? 8 : 4;
  }

  get #largeSize(): number {
    return this.#pae ? 0x200000 : 0x400000;
  }

  #slotOf(linear: number): number {
    return linear >>> (this.#pae ? 21 : 22);
  }

  #indexOf(linear: number): number {
    return this.#pae ? (linear >>> 12) & 511 : (linear >>> 12) & 1023;
  }

  /** The directory entry of ours for a guest's entry, if that is in a directory of its current tables; else -1. */
  #slotOfEntry(pfn: number, offset: number): number {
    const { v } = this.#cpu;
    if (!this.#pae) return v.cr3 >>> 12 === pfn ? offset >>> 2 : -1;
    for (let i = 0; i < 4; i++) {
      const low = v.pointers[2 * i] ?? 0, high = v.pointers[2 * i + 1] ?? 0;
      if ((low & 1) !== 0 && (low >>> 12) + (high & 15) * 0x100000 === pfn) return i * 512 + (offset >>> 3);
    }
    return -1;
  }

  #fillTable(linear: number, write: boolean, user: boolean): void {
    const w = this.#walk, slot = this.#slotOf(linear);
    const rights = (w.upperUser ? 1 : 0) | (w.upperWrite ? 2 : 0) | (w.upperNx ? 4 : 0);
    const pfn = w.table / PAGE;
    let table = this.#tables.find(pfn, this.#bytes, rights);
    if (table === undefined) table = this.#makeTable(pfn, rights);
    else if (table.epoch !== this.#epoch) {
      this.#cpu.counters.count("shadow tables compared");
      this.#cpu.counters.count("shadow entries dropped", this.#tables.verify(table, this.#epoch));
    }
    if (this.#linked.get(slot) !== table) {
      this.#linked.set(slot, table);
      this.#setSlot(slot, table.at | Entry.present | Entry.write | Entry.user | Entry.accessed, 0);
    }
    const [low, high] = this.#leaf(write, user);
    this.#tables.fill(table, this.#indexOf(linear), low, high, w.leaf, w.leafHigh);
    this.#cpu.counters.count("shadow entries filled");
  }

  #makeTable(pfn: number, rights: number): ShadowTable {
    let table = this.#tables.make(pfn, this.#bytes, rights, this.#epoch);
    if (table === undefined) {
      this.#cpu.counters.count("shadow emptied for want of pages");
      this.#unlinkAll();
      this.#forgetAll();
      table = this.#tables.make(pfn, this.#bytes, rights, this.#epoch);
      if (table === undefined) throw new InternalError("The shadow has no page for a table although it is empty");
    }
    this.#cpu.counters.count("shadow tables made");
    return table;
  }

  #fillLarge(linear: number, write: boolean, user: boolean): void {
    const slot = this.#slotOf(linear);
    const [low, high] = this.#leaf(write, user);
    this.#linked.set(slot, null);
    this.#setSlot(slot, low | Entry.large, high);
    this.#cpu.counters.count("shadow large pages filled");
  }

  /** The processor's entry for what the walk found. */
  #leaf(write: boolean, user: boolean): readonly [number, number] {
    const w = this.#walk, { v } = this.#cpu;
    let mayUser = w.user, mayWrite = w.write && (w.leaf & Entry.dirty) !== 0;
    if (!user && write && !w.write && (v.cr0 & Cr0.wp) === 0) {
      mayUser = false;
      mayWrite = true;
    }
    const low = (w.pageFrame % 0x1_0000_0000) | Entry.present | Entry.accessed | Entry.dirty |
      (mayUser ? Entry.user : 0) | (mayWrite ? Entry.write : 0) | (w.leaf & Entry.global);
    const high = Math.floor(w.pageFrame / 0x1_0000_0000) | (w.noExecute ? 0x80000000 : 0);
    return [low | 0, high | 0];
  }

  #setSlot(slot: number, low: number, high: number): void {
    const { physical } = this.#cpu.guest, at = this.#cpu.own.at + DIRECTORY_AT + slot * this.#bytes;
    if (this.#pae) physical.write32(at + 4, high);
    physical.write32(at, low | 0);
  }

  #unlink(slot: number): boolean {
    this.#last = -1;
    if (!this.#linked.delete(slot)) return false;
    this.#setSlot(slot, 0, 0);
    return true;
  }

  #unlinkAll(): void {
    this.#last = -1;
    for (const slot of this.#linked.keys()) this.#setSlot(slot, 0, 0);
    this.#linked.clear();
  }

  #forget(pfn: number): void {
    const gone = this.#tables.forget(pfn);
    if (gone.length === 0) return;
    for (const [slot, t] of [...this.#linked]) if (t !== null && gone.includes(t)) this.#unlink(slot);
    this.#cpu.guest.flush("all-global");
  }

  #forgetAll(): void {
    this.#tables.clear();
    this.#pool.reset();
    this.#cpu.guest.flush("all-global");
  }

  /** The real CR3 and CR4 for the guest's paging mode. */
  #useMode(): void {
    const { guest, own, v } = this.#cpu;
    const base = own.at + (this.#pae ? POINTERS_AT : DIRECTORY_AT);
    if (((guest.control("cr4") ^ v.cr4) & Cr4.pae) !== 0 && this.#pae) {
      guest.setControl("cr3", own.at + POINTERS_AT); // its directory is never walked before CR4 changes
      guest.setControl("cr4", v.cr4);
    } else {
      guest.setControl("cr4", v.cr4);
      guest.setControl("cr3", base);
    }
  }

  #watchProgress(linear: number, errorCode: number): void {
    const key = linear * 32 + errorCode;
    this.#repeats = key === this.#last ? this.#repeats + 1 : 0;
    this.#last = key;
    if (this.#repeats < MOST_REPEATS) return;
    throw new InternalError(`The shadow of 0x${linear.toString(16)} does not allow what the guest's tables do`);
  }
}

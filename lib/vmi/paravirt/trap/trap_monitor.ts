/**
 * Takes a guest that knows nothing of it: when the guest switches paging on, it finds itself in ring 1 and does not notice;
 * when it switches paging off, it has its privileges back.
 *
 * Privileged instructions trap by themselves and are emulated. Sensitive ones that do not trap count as patched: the first
 * execution at a place counts a site, every one a run of the patch. Warm.
 */
import type { GuestInstruction } from "../../../core/monitor.ts";
import { Cr0, Flag, Msr } from "../../../spec/i386_regs.ts";
import { deliverFault } from "../monitor/delivery.ts";
import { Desc, KERNEL_RING } from "../monitor/descriptor.ts";
import { Monitor } from "../monitor/monitor.ts";
import { Raised } from "../monitor/raised.ts";
import { moveCached } from "../monitor/tables.ts";
import { SegReg, type VirtualCpu } from "../monitor/vcpu.ts";
import { SENSITIVE } from "./sensitive.ts";

/** What is watched while the guest has its privileges: the switch to paging. */
const BEFORE: ReadonlySet<string> = new Set(["movToCr"]);
const AFTER: ReadonlySet<string> = new Set(Object.keys(SENSITIVE));
/** Types of busy task states and local tables, present. */
const BUSY_TASK = 0x8b00, LOCAL_TABLE = 0x8200;

/** More patched sites than this are not remembered: then all are forgotten, as a translator empties its cache. */
const MOST_SITES = 0x10000;

/** Decides the events of one virtual CPU whose guest is told nothing. */
export class TrapMonitor extends Monitor {
  /** The virtual CPU's sites, to look up. */
  #sites: Set<number> = new Set();

  /** @param cpu The CPU. */
  constructor(cpu: VirtualCpu) {
    super(cpu);
    cpu.transparent = true;
    cpu.release = (cr0): void => this.#release(cr0);
  }

  /** See {@linkcode Interceptor}. */
  override get instructions(): ReadonlySet<string> {
    return this.cpu.active ? AFTER : BEFORE;
  }

  /** See {@linkcode Interceptor}: it is there from the first instruction on. */
  powerOn(): boolean {
    this.cpu.v.active = 0;
    return true;
  }

  /** See {@linkcode Interceptor}. */
  override initialized(): void {
    this.cpu.v.active = 0;
  }

  /** See {@linkcode Interceptor}. */
  override startUp(): "deliver" {
    return "deliver";
  }

  /** See {@linkcode Monitor.resume}. */
  override resume(): void {
    this.cpu.guest.interceptor = this;
    this.#sites = new Set(this.cpu.v.sites);
  }

  /** See {@linkcode Interceptor}. */
  override instruction(i: GuestInstruction): "deliver" | "handled" {
    try {
      return this.#instruction(i);
    } catch (thrown) {
      this.cpu.endIfReached(thrown);
      return "handled";
    }
  }

  #instruction(i: GuestInstruction): "deliver" | "handled" {
    const { guest } = this.cpu, next = (guest.eip + i.length) >>> 0;
    if (!this.cpu.active) return this.#switchesPaging(i, next) ? "handled" : "deliver";
    const how = SENSITIVE[i.name];
    if (how === undefined || (guest.eflags & Flag.vm) !== 0) return "deliver";
    this.#countSite(i);
    try {
      return how(this.cpu, i, next) ? "handled" : "deliver";
    } catch (thrown) {
      if (!(thrown instanceof Raised)) throw thrown;
      deliverFault(this.cpu, thrown);
      return "handled";
    }
  }

  /** MOV CR0 that switches paging on: takes the guest behind it. */
  #switchesPaging(i: GuestInstruction, next: number): boolean {
    const { guest } = this.cpu;
    if (i.reg !== 0 || guest.cpl !== 0) return false;
    const value = guest.reg(i.rm), refused = (value & Cr0.nw) !== 0 && (value & Cr0.cd) === 0;
    if (refused || (value & Cr0.pg) === 0 || (guest.control("cr0") & Cr0.pe) === 0 || !this.take(value)) return false;
    guest.eip = next;
    this.cpu.counters.count("guests taken");
    return true;
  }

  #countSite(i: GuestInstruction): void {
    const { guest, counters, v } = this.cpu;
    const at = (guest.segment(SegReg.cs).base + guest.eip) >>> 0;
    counters.count(`patched ${i.name}`);
    if (this.#sites.size !== v.sites.length) this.#sites = new Set(v.sites);
    if (this.#sites.has(at)) return;
    if (v.sites.length >= MOST_SITES) {
      counters.count("translations forgotten", v.sites.length);
      v.sites.length = 0;
      this.#sites.clear();
    }
    this.#sites.add(at);
    v.sites.push(at);
    counters.count("sites patched");
  }

  /** The guest switches paging off: all it believes becomes true. */
  #release(cr0: number): void {
    const { guest, v } = this.cpu;
    v.active = 0;
    guest.setControl("cr0", (cr0 | Cr0.et) >>> 0);
    guest.setControl("cr3", v.cr3);
    guest.setControl("cr4", v.cr4);
    guest.setControl("cr2", v.cr2);
    guest.setSystemTables({
      gdtBase: v.gdtBase,
      gdtLimit: v.gdtLimit,
      idtBase: v.idtBase,
      idtLimit: v.idtLimit,
      physical: false,
    });
    guest.setPrivilege(0);
    for (const n of [SegReg.es, SegReg.cs, SegReg.ss, SegReg.ds, SegReg.fs, SegReg.gs]) {
      moveCached(this.cpu, n, KERNEL_RING, 0);
    }
    setSystem(this.cpu, SegReg.ldtr, v.ldt, v.ldtBase, v.ldtLimit, LOCAL_TABLE);
    setSystem(this.cpu, SegReg.tr, v.tr, v.tssBase, v.tssLimit, BUSY_TASK);
    guest.writeMsr(Msr.sysenterCs, v.sysenterCs | 0, 0);
    guest.writeMsr(Msr.sysenterEsp, v.sysenterEsp | 0, 0);
    guest.writeMsr(Msr.sysenterEip, v.sysenterEip | 0, 0);
    guest.eflags = (guest.eflags & ~Flag.iopl) | (v.iopl << 12);
    this.cpu.counters.count("guests released");
  }
}

function setSystem(cpu: VirtualCpu, n: number, selector: number, base: number, limit: number, type: number): void {
  const granular = limit > 0xfffff, units = granular ? limit >>> 12 : limit;
  const high = (base & 0xff000000) | ((base >>> 16) & 0xff) | (units & 0xf0000) | type | (granular ? Desc.granular : 0);
  cpu.guest.setSegment(n, selector, ((base & 0xffff) << 16) | (units & 0xffff), selector === 0 ? 0 : high);
}

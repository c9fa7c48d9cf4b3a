/**
 * Takes a guest's privileges and decides every event from then on: what is the monitor's own doing is repaired, what the
 * guest may do is done for it, the rest goes to the guest's handlers.
 *
 * Init finds the guest in ring 0 on its own tables. Afterwards it goes on in ring 1: descriptor tables are the monitor's
 * copies, page tables those of the backend, the interrupt table is empty, I/O privilege is 0, there is no task state. No
 * linear address leads to the monitor.
 * Source: Paravirtualization API 2.0, appendix A and C. Warm.
 *
 * Not emulated: NMI for a guest that was told of the monitor (it gets none, as the interface says).
 */
import type { GuestInstruction, InterceptAnswer, InterceptEvent, Interceptor } from "../../../core/monitor.ts";
import { Cr0, Cr4, Flag, Msr, Reg, Vector } from "../../../spec/i386_regs.ts";
import { loadPointers } from "./control.ts";
import { settle, settledFault } from "./deferral.ts";
import { deliver, deliverFault } from "./delivery.ts";
import { Desc, dplOf, isCode, isWritableData, KERNEL_RING } from "./descriptor.ts";
import { emulate } from "./emulate.ts";
import { identify } from "./identity.ts";
import { drain } from "./queue.ts";
import { Raised } from "./raised.ts";
import { readKernelStack } from "./system_tables.ts";
import { guestEntry, loadGdt, loadLdt, moveCached, realDescriptor, refresh, reloadData } from "./tables.ts";
import { startApplication } from "./start.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";
import { powerOn } from "./virtual_state.ts";

/** The keyboard controller's command to pulse the reset line, and its port. */
export const PULSE_RESET = 0xfe, KEYBOARD_PORT = 0x64;
/** Result of Init if the guest is in no state to be taken. */
const INIT_FAILED = 0xffffffff;

/** What the guest's programs may do that the monitor does in another way. */
const IDENTITY: ReadonlySet<string> = new Set(["cpuid"]), NONE: ReadonlySet<string> = new Set();

/** Bit of a descriptor-table selector error code: it is about the interrupt table. */
const ABOUT_IDT = 2;

/** Decides the events of one virtual CPU. */
export class Monitor implements Interceptor {
  /** The CPU. */
  protected readonly cpu: VirtualCpu;

  /** @param cpu The CPU. */
  constructor(cpu: VirtualCpu) {
    this.cpu = cpu;
  }

  /** Is the guest in the monitor's hands? A CPU that was reset by itself is not. */
  get active(): boolean {
    return this.cpu.active && this.cpu.guest.interceptor === this;
  }

  /** The guest was taken on another CPU: this one, which waits for a start-up message, is watched from now on. */
  watch(): void {
    if (this.cpu.v.active !== 0) return;
    this.cpu.v.active = 2;
    this.cpu.guest.interceptor = this;
  }

  /**
   * See {@linkcode Interceptor}. The first CPU does not wait for a start-up message but would go on in real mode, with all
   * privileges: for a guest, that is a reset of its machine.
   */
  initialized(): void {
    const { startState } = this.cpu.v, { guest } = this.cpu;
    Object.assign(this.cpu.v, powerOn(), { active: 2, startState });
    if (guest.waiting) return;
    guest.writePort(KEYBOARD_PORT, PULSE_RESET, 8);
    guest.halt();
  }

  /** See {@linkcode Interceptor}: without a state to begin in, the CPU waits on. */
  startUp(): "deliver" | "handled" {
    this.cpu.counters.count("start-up messages");
    try {
      if (this.cpu.v.active === 2) startApplication(this.cpu);
    } catch (thrown) {
      this.cpu.endIfReached(thrown);
    }
    return "handled";
  }

  /** The Init call: takes the guest. @returns 0, or {@linkcode INIT_FAILED}. */
  init(): number {
    const cpu = this.cpu, { guest } = cpu;
    if (this.active) return 0;
    const others = cpu.peers.filter((p) => p !== cpu);
    if (!others.every((p) => p.guest.waiting)) return INIT_FAILED;
    for (const p of cpu.peers) p.mmu.reset?.();
    if (!this.take(guest.control("cr0"))) return INIT_FAILED;
    guest.setReg(Reg.eax, 0);
    return 0;
  }

  /** Takes a guest that is in protected mode, ring 0, and has this CR0, with paging. @returns False: it is in no such state. */
  protected take(cr0: number): boolean {
    const cpu = this.cpu, { guest, v } = cpu;
    const isProtected = (cr0 & Cr0.pe) !== 0 && (cr0 & Cr0.pg) !== 0 && (guest.eflags & Flag.vm) === 0;
    if (!isProtected || guest.cpl !== 0) return false;
    this.#takeRegisters(cr0);
    if ((v.cr4 & Cr4.pae) !== 0 && !loadPointers(cpu, v.cr3)) return false;
    v.active = 1;
    this.#takeSegments();
    cpu.mmu.start();
    guest.setControl("cr0", ((cr0 & ~(Cr0.cd | Cr0.nw)) | Cr0.wp | Cr0.et) >>> 0);
    guest.eflags = guest.eflags & ~Flag.iopl;
    guest.interceptor = this;
    return true;
  }

  /** See {@linkcode Interceptor}: CPUID must say what the call of that name says. */
  get instructions(): ReadonlySet<string> {
    return this.cpu.offersSysenter ? NONE : IDENTITY;
  }

  /** See {@linkcode Interceptor}. */
  instruction(i: GuestInstruction): "deliver" | "handled" {
    const { guest } = this.cpu;
    if (!this.cpu.active || i.name !== "cpuid") return "deliver";
    guest.setReg(Reg.eax, identify(this.cpu, guest.reg(Reg.eax), guest.reg(Reg.ecx)));
    guest.eip = (guest.eip + i.length) >>> 0;
    return "handled";
  }

  /** After a snapshot was restored: the interceptor is as the state says. */
  resume(): void {
    this.cpu.guest.interceptor = this.cpu.v.active !== 0 ? this : undefined;
  }

  /** See {@linkcode Interceptor}. */
  intercept(event: InterceptEvent): InterceptAnswer {
    if (!this.cpu.active) return this.cpu.v.active === 2 ? "handled" : "deliver";
    try {
      return this.#decide(event);
    } catch (thrown) {
      this.cpu.endIfReached(thrown);
      return "handled";
    }
  }

  #decide(event: InterceptEvent): InterceptAnswer {
    const cpu = this.cpu;
    if (cpu.mmu.stepped?.(event) === true) {
      cpu.counters.count("exits step");
      return "handled";
    }
    if (event.kind === "nmi" && !cpu.transparent) {
      cpu.counters.count("exits nmi");
      return "handled";
    }
    if (event.kind !== "exception") {
      cpu.counters.count(`exits ${event.kind} interrupt`);
      settle(cpu);
      drain(cpu);
      deliver(cpu, event);
      return "handled";
    }
    if (settledFault(cpu, event.vector)) cpu.counters.count("exits deferred state");
    else if (event.vector === Vector.pf) this.#pageFault(event);
    else this.#fault(event);
    return "handled";
  }

  /** See {@linkcode Interceptor}. */
  privilege(): number {
    const { cpu } = this;
    return !cpu.active ? cpu.guest.cpl : cpu.inKernel ? 0 : 3;
  }

  /** See {@linkcode Interceptor}. */
  translate(linear: number): number {
    return this.cpu.memory.peek(linear >>> 0);
  }

  #pageFault(event: InterceptEvent): void {
    const cpu = this.cpu;
    drain(cpu);
    const verdict = cpu.mmu.fault(event.linear, event.errorCode);
    if (verdict === "hidden") return cpu.counters.count("exits hidden page fault");
    cpu.counters.count("exits page fault of the guest");
    deliver(cpu, { ...event, errorCode: verdict });
  }

  #fault(event: InterceptEvent): void {
    const cpu = this.cpu, { vector, errorCode } = event;
    if (errorCode > 0 && (errorCode & ABOUT_IDT) === 0 && this.#stale(errorCode)) {
      cpu.counters.count("exits stale descriptor");
      return;
    }
    // The processor knows of no task: the IRET out of a nested one finds no way back.
    const endsTask = vector === Vector.ts && cpu.inKernel && (cpu.guest.eflags & Flag.nt) !== 0;
    if (vector === Vector.gp || endsTask) {
      try {
        const done = emulate(cpu);
        if (done !== undefined) return cpu.counters.count(`exits ${done}`);
      } catch (thrown) {
        if (!(thrown instanceof Raised)) throw thrown;
        cpu.counters.count("exits fault of an emulated instruction");
        return deliverFault(cpu, thrown);
      }
    }
    cpu.counters.count(`exits exception ${vector}`);
    drain(cpu);
    deliver(cpu, event);
  }

  /** The guest has changed the descriptor of this selector in memory, and its copy did not say so. */
  #stale(errorCode: number): boolean {
    const selector = errorCode & 0xfffc;
    return guestEntry(this.cpu, selector) >= 0 && refresh(this.cpu, selector);
  }

  #takeRegisters(cr0: number): void {
    const { guest, v } = this.cpu, tables = guest.systemTables();
    v.cr0 = cr0;
    v.a20 = this.cpu.host.a20() ? 1 : 0;
    v.cr2 = guest.control("cr2");
    v.cr3 = guest.control("cr3");
    v.cr4 = guest.control("cr4");
    v.efer = (guest.readMsr(Msr.efer)?.[0] ?? 0) >>> 0;
    v.gdtBase = tables.gdtBase;
    v.gdtLimit = tables.gdtLimit;
    v.idtBase = tables.idtBase;
    v.idtLimit = tables.idtLimit;
    v.iopl = (guest.eflags >>> 12) & 3;
    [v.sysenterCs, v.sysenterEsp, v.sysenterEip] = [Msr.sysenterCs, Msr.sysenterEsp, Msr.sysenterEip].map((n) => {
      const value = (guest.readMsr(n)?.[0] ?? 0) >>> 0;
      guest.writeMsr(n, 0, 0); // SYSENTER would enter ring 0: it faults now
      return value;
    }) as [number, number, number];
    const ldt = guest.segment(SegReg.ldtr), task = guest.segment(SegReg.tr);
    [v.ldt, v.ldtBase, v.ldtLimit] = ldt.access === 0 ? [0, 0, 0] : [ldt.selector & ~3, ldt.base, ldt.limit];
    [v.tr, v.tssBase, v.tssLimit] = [task.selector, task.base, task.limit];
    if (v.tr !== 0) readKernelStack(this.cpu);
  }

  /** Ring 0 becomes ring 1; segments that the tables do not know stay as they are, but for their privilege. */
  #takeSegments(): void {
    const cpu = this.cpu, { guest } = cpu;
    loadGdt(cpu);
    loadLdt(cpu);
    guest.setSegment(SegReg.tr, 0, 0, 0);
    guest.setPrivilege(KERNEL_RING);
    for (const n of [SegReg.cs, SegReg.ss]) {
      const { selector } = guest.segment(n), d = realDescriptor(cpu, selector);
      const fits = (n === SegReg.cs ? isCode(d.high) : isWritableData(d.high)) && dplOf(d.high) === KERNEL_RING &&
        (d.high & Desc.present) !== 0;
      if (fits) guest.setSegment(n, (selector & 0xfffc) | KERNEL_RING, d.low, d.high);
      else moveCached(cpu, n, 0, KERNEL_RING);
    }
    for (const n of [SegReg.es, SegReg.ds, SegReg.fs, SegReg.gs]) {
      if (cpu.transparent) moveCached(cpu, n, 0, KERNEL_RING);
      else reloadData(cpu, n);
    }
  }
}

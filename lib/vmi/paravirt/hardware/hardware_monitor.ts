/**
 * The monitor of one CPU with hardware virtualization. The guest stays in ring 0 with its own tables; the processor leaves
 * it where a condition was asked for, and the monitor does what the instruction or event would have done, so that for the
 * guest nothing has happened.
 *
 * With nested paging the guest's page tables are the real ones. With shadow paging, while the guest uses paging, CR3, CR4,
 * CR0.WP and page faults are the monitor's business, as for backend `shadow`. Source: SDM-3C 25, 28. Warm.
 *
 * Not emulated: real mode and unpaged code under shadow paging run on no tables at all, so the monitor's memory is not out
 * of their reach; SMSW of 32 bits shows CR0.WP set then.
 */
import { hex } from "../../../base/hex.ts";
import type {
  GuestInstruction,
  InterceptAnswer,
  InterceptEvent,
  Interceptor,
  MonitorContext,
  TaskEntry,
} from "../../../core/monitor.ts";
import { Cr0, Cr4, Flag, Msr, Reg, Vector } from "../../../spec/i386_regs.ts";
import type { ParavirtHost } from "../backend.ts";
import { allowsCr4, loadPointers } from "../monitor/control.ts";
import type { FaultVerdict } from "../monitor/mmu.ts";
import type { Counters } from "../monitor/stats.ts";
import type { VirtualCpu } from "../monitor/vcpu.ts";
import { fillForTask } from "./task_entry.ts";
import { EXIT_INSTRUCTIONS, exitOf, faultsFirst, type HardwareExit } from "./exits.ts";

/** Levels of nested page tables. */
const NESTED_LEVELS = 4;

/** Decides the events of one CPU. */
export class HardwareMonitor implements Interceptor {
  /** See {@linkcode Interceptor}. */
  readonly instructions: ReadonlySet<string> = new Set(EXIT_INSTRUCTIONS);
  readonly #guest: MonitorContext;
  readonly #host: ParavirtHost;
  readonly #counters: Counters;
  readonly #exits: ReadonlySet<HardwareExit>;
  /** With shadow paging: tables and the registers that are not real. */
  readonly #shadow: VirtualCpu | undefined;

  /** @param shadow With shadow paging: the virtual CPU. */
  constructor(
    guest: MonitorContext,
    host: ParavirtHost,
    counters: Counters,
    exits: ReadonlySet<HardwareExit>,
    shadow: VirtualCpu | undefined,
  ) {
    this.#guest = guest;
    this.#host = host;
    this.#counters = counters;
    this.#exits = exits;
    this.#shadow = shadow;
  }

  /** Is the monitor there? It is from the first instruction on. */
  install(): void {
    this.#guest.interceptor = this;
    this.#guest.nestedLevels = this.#shadow === undefined ? NESTED_LEVELS : 0;
  }

  /** See {@linkcode Interceptor}. */
  powerOn(): boolean {
    if (this.#shadow !== undefined) this.#shadow.v.active = 0;
    return true;
  }

  /** See {@linkcode Interceptor}. */
  initialized(): void {
    this.powerOn();
  }

  /** See {@linkcode Interceptor}. */
  translate(linear: number): number {
    const cpu = this.#shadow;
    if (cpu?.active === true) return cpu.memory.peek(linear >>> 0);
    return this.#guest.translateReal(linear);
  }

  /** See {@linkcode Interceptor}. */
  enteringTask(task: TaskEntry): boolean {
    const cpu = this.#shadow;
    if (cpu?.active !== true) return false;
    try {
      this.#setBase(cpu, task.base);
      fillForTask(cpu, task);
    } catch (thrown) {
      cpu.endIfReached(thrown);
    }
    return true;
  }

  /** A device register was touched. */
  touchedDevice(): void {
    this.#count("mmio");
  }

  /** See {@linkcode Interceptor}. */
  instruction(i: GuestInstruction): "deliver" | "handled" {
    const guest = this.#guest, cpu = this.#shadow;
    const ports = (guest.eflags & Flag.vm) !== 0 ? -1 : (guest.eflags >>> 12) & 3;
    if (faultsFirst(i, guest.cpl, ports)) return "deliver";
    const exit = exitOf(i);
    if (exit !== undefined) this.#count(exit);
    if (cpu === undefined) return "deliver";
    const next = (guest.eip + i.length) >>> 0;
    if (!cpu.active) return this.#startsPaging(cpu, i, next) ? "handled" : "deliver";
    return this.#paged(cpu, i, next) ? "handled" : "deliver";
  }

  /** See {@linkcode Interceptor}. */
  intercept(event: InterceptEvent): InterceptAnswer {
    const cpu = this.#shadow, { kind, vector, errorCode, linear } = event;
    if (kind === "exception" && vector === Vector.pf && cpu?.active === true) return this.#pageFault(cpu, event);
    if (kind === "external") this.#count("interrupt");
    else if (kind === "nmi") this.#count("nmi");
    else if (kind === "exception") this.#count(vector === Vector.pf ? "page-fault" : "exception");
    this.#host.delivering(kind, vector, errorCode, linear);
    return "deliver";
  }

  #count(exit: HardwareExit): void {
    if (this.#exits.has(exit)) this.#counters.count(`exits ${exit}`);
  }

  #pageFault(cpu: VirtualCpu, event: InterceptEvent): InterceptAnswer {
    this.#count("page-fault");
    let verdict: FaultVerdict;
    try {
      verdict = cpu.mmu.fault(event.linear, event.errorCode);
    } catch (thrown) {
      cpu.endIfReached(thrown);
      return "handled";
    }
    if (verdict === "hidden") {
      this.#counters.count("page faults hidden");
      return "handled";
    }
    this.#host.delivering("exception", Vector.pf, verdict, event.linear);
    return { vector: Vector.pf, errorCode: verdict, linear: event.linear };
  }

  /** MOV CR0 that switches paging on: shadow tables take over behind it. */
  #startsPaging(cpu: VirtualCpu, i: GuestInstruction, next: number): boolean {
    const guest = this.#guest, { v } = cpu;
    if (i.name !== "movToCr" || i.reg !== 0) return false;
    const value = guest.reg(i.rm);
    const refused = (value & Cr0.pe) === 0 || ((value & Cr0.nw) !== 0 && (value & Cr0.cd) === 0);
    if (refused || (value & Cr0.pg) === 0) return false;
    v.cr3 = guest.control("cr3");
    v.cr4 = guest.control("cr4");
    if ((v.cr4 & Cr4.pae) !== 0 && !loadPointers(cpu, v.cr3)) return false;
    v.cr0 = (value | Cr0.et) >>> 0;
    v.efer = (guest.readMsr(Msr.efer)?.[0] ?? 0) >>> 0;
    v.a20 = this.#host.a20() ? 1 : 0;
    v.active = 1;
    cpu.mmu.start();
    guest.setControl("cr0", (v.cr0 | Cr0.wp) >>> 0);
    guest.eip = next;
    return true;
  }

  /** Instructions about paging while it is shadowed. @returns True: done. */
  #paged(cpu: VirtualCpu, i: GuestInstruction, next: number): boolean {
    const guest = this.#guest, { v } = cpu;
    const value = guest.reg(i.rm);
    let done = true;
    if (i.name === "movToCr" && i.reg === 3) done = this.#setBase(cpu, value);
    else if (i.name === "movToCr" && i.reg === 4) done = this.#setMode(cpu, value);
    else if (i.name === "movToCr" && i.reg === 0) done = this.#setCr0(cpu, value);
    else if (i.name === "movFromCr" && i.reg === 3) guest.setReg(i.rm, v.cr3);
    else if (i.name === "movFromCr" && i.reg === 0) {
      guest.setReg(i.rm, ((guest.control("cr0") & ~Cr0.wp) | (v.cr0 & Cr0.wp)) >>> 0);
    } else if (i.name === "invlpg") cpu.mmu.invalidate(i.linear);
    else if (i.name === "wrmsr" && guest.reg(Reg.ecx) === Msr.efer) done = this.#setEfer(cpu);
    else done = false;
    if (done) guest.eip = next;
    return done;
  }

  #setBase(cpu: VirtualCpu, value: number): boolean {
    if (cpu.physical.owns((value & 0xfffff000) >>> 0, 4096)) cpu.kill(`CR3 ${hex(value)}`, "hypervisor-memory");
    if ((cpu.v.cr4 & Cr4.pae) !== 0 && !loadPointers(cpu, value)) return this.#fault();
    cpu.v.cr3 = value;
    cpu.mmu.baseLoaded();
    return true;
  }

  #setMode(cpu: VirtualCpu, value: number): boolean {
    const { v } = cpu, changed = v.cr4 ^ value;
    if (!allowsCr4(cpu, value)) return this.#fault();
    if ((changed & value & Cr4.pae) !== 0 && !loadPointers(cpu, v.cr3)) return this.#fault();
    if ((changed & (Cr4.pae | Cr4.pse)) === 0) {
      this.#guest.setControl("cr4", value);
      v.cr4 = value;
      if ((changed & Cr4.pge) !== 0) cpu.mmu.flush(true);
      return true;
    }
    v.cr4 = value;
    cpu.mmu.modeChanged();
    return true;
  }

  #setCr0(cpu: VirtualCpu, value: number): boolean {
    const guest = this.#guest, { v } = cpu, old = v.cr0;
    if ((value & Cr0.nw) !== 0 && (value & Cr0.cd) === 0) return this.#fault();
    if ((value & Cr0.pg) === 0) {
      v.active = 0;
      guest.setControl("cr0", (value | Cr0.et) >>> 0);
      guest.setControl("cr3", v.cr3);
      guest.setControl("cr4", v.cr4);
      return true;
    }
    if ((value & Cr0.pe) === 0) return this.#fault();
    v.cr0 = (value | Cr0.et) >>> 0;
    guest.setControl("cr0", (v.cr0 | Cr0.wp) >>> 0);
    if (((old ^ v.cr0) & Cr0.wp) !== 0) cpu.mmu.modeChanged();
    return true;
  }

  #setEfer(cpu: VirtualCpu): boolean {
    const guest = this.#guest, [low, high] = [guest.reg(Reg.eax), guest.reg(Reg.edx)];
    if (!guest.writeMsr(Msr.efer, low | 0, high | 0)) return this.#fault();
    cpu.v.efer = low;
    cpu.mmu.modeChanged();
    return true;
  }

  #fault(): never {
    return this.#guest.raise({ vector: Vector.gp, errorCode: 0, linear: 0 });
  }
}

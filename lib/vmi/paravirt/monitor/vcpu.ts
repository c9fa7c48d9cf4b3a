/**
 * One virtual CPU: the real one in the monitor's hands, the registers the guest believes to have, its memory, and the
 * monitor's own pages for it. Data that the parts of the monitor share; what they do with it stands in their files. Warm.
 *
 * The interrupt flag is not among the virtual registers: in ring 1 with I/O privilege 0 no instruction of the guest
 * changes the real one, and the monitor, which lives outside the machine, needs no interrupts. So the real flag is the
 * virtual one.
 */
import type { MonitorContext } from "../../../core/monitor.ts";
import { Flag } from "../../../spec/i386_regs.ts";
import type { ParavirtHost } from "../backend.ts";
import { KERNEL_RING } from "./descriptor.ts";
import { GuestMemory } from "./guest_memory.ts";
import { GuestPhysical, type PhysicalRange } from "./guest_physical.ts";
import type { GuestMmu } from "./mmu.ts";
import type { Counters } from "./stats.ts";
import { Reached } from "./raised.ts";
import { powerOn, type VirtualState } from "./virtual_state.ts";

/** Numbers of the segment registers. */
export const SegReg = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;

/** One virtual CPU. */
export class VirtualCpu {
  /** Number in the machine. */
  readonly index: number;
  /** The real CPU. */
  readonly guest: MonitorContext;
  /** The machine. */
  readonly host: ParavirtHost;
  /** The guest's registers. */
  readonly v: VirtualState = powerOn();
  /** Guest-physical memory. */
  readonly physical: GuestPhysical;
  /** Guest memory by linear address. */
  readonly memory: GuestMemory;
  /** The monitor's pages for this CPU. */
  readonly own: PhysicalRange;
  /** What is counted. */
  readonly counters: Counters;
  /** Page tables. */
  readonly mmu: GuestMmu;
  /**
   * The guest does not know that it is de-privileged: it must not see ring 1, and names its kernel's stack in its task
   * state only. Set once.
   */
  transparent = false;
  /** Gives the guest its privileges back, with this CR0; there for guests that do not know that they have none. */
  release: ((cr0: number) => void) | undefined;
  /** All virtual CPUs of the machine, by number. */
  peers: readonly VirtualCpu[] = [];
  /** Does the guest see SYSENTER in CPUID? */
  readonly offersSysenter: boolean;

  /** @param owned All of the monitor's memory. @param own The part of it for this CPU. */
  constructor(
    index: number,
    guest: MonitorContext,
    host: ParavirtHost,
    owned: PhysicalRange,
    own: PhysicalRange,
    counters: Counters,
    offersSysenter: boolean,
    makeMmu: (cpu: VirtualCpu) => GuestMmu,
  ) {
    this.index = index;
    this.guest = guest;
    this.host = host;
    this.own = own;
    this.counters = counters;
    this.offersSysenter = offersSysenter;
    this.physical = new GuestPhysical(guest.physical, owned);
    this.memory = new GuestMemory(this.v, this.physical);
    this.mmu = makeMmu(this);
  }

  /** Is the guest de-privileged? */
  get active(): boolean {
    return this.v.active === 1;
  }

  /** Does the guest's kernel run, as it sees itself? */
  get inKernel(): boolean {
    return this.guest.cpl !== 3;
  }

  /** The guest's flags as it should see them in a frame: with its own I/O privilege level. */
  get flags(): number {
    return ((this.guest.eflags & ~Flag.iopl) | (this.v.iopl << 12)) >>> 0;
  }

  /** A selector as the guest should see it. */
  seen(selector: number): number {
    return this.transparent && (selector & 3) === KERNEL_RING ? selector & ~3 : selector;
  }

  /** The guest has written to a port: it may have switched address line 20. */
  noteBus(): void {
    const now = this.host.a20() ? 1 : 0;
    if (now === this.v.a20) return;
    const running = this.peers.filter((p) => p.active);
    for (const p of running) p.mmu.modeChanged();
    for (const p of running) p.mmu.busChanged?.();
    for (const p of running) p.v.a20 = now;
  }

  /** Ends the guest if what was thrown says so. @throws What was thrown, if it does not. */
  endIfReached(thrown: unknown): void {
    if (!(thrown instanceof Reached)) throw thrown;
    this.kill(thrown.what, "hypervisor-memory");
  }

  /** Ends the guest. */
  kill(what: string, code: Parameters<ParavirtHost["kill"]>[1]): void {
    this.counters.count("killed");
    this.host.kill(what, code, this.guest.eip);
    this.guest.halted = true;
  }
}

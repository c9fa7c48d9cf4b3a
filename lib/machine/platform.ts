/**
 * What a board adds between CPUs and devices: interrupt lines and controllers, registers that belong to the platform,
 * and a hypervisor interface. Contracts only; presets bring implementations, a user may bring another. Cold.
 */
import type { GuestMemory, InterruptController, IrqLine, PortMap } from "../core/bus.ts";
import type { Cpu, GuestContext } from "../core/cpu.ts";
import type { Component } from "../core/component.ts";
import type { HookTable } from "../core/hooks.ts";
import type { CostName } from "../core/costs.ts";
import type { Clock } from "../core/clock.ts";
import type { Region } from "../memory/region.ts";

/** Interrupt routing of a board. */
export interface Platform {
  /** Line `n` as devices drive it; see `DeviceHost.irq`. */
  irq(n: number): IrqLine;
  /** What delivers vectors to CPU `index`. */
  interrupts(index: number): InterruptController | undefined;
  /** Called once: `changed` is to be called whenever a controller's `pending` may have changed. */
  listen(changed: () => void): void;
  /** Reads a model-specific register of CPU `index`; undefined: not there. Low and high i32. */
  readMsr?(index: number, msr: number): readonly [number, number] | undefined;
  /** Writes one; false: not there. */
  writeMsr?(index: number, msr: number, low: number, high: number): boolean;
  /**
   * The local timer of CPU `index` is due, whatever its own count says: its vector is requested. False: it is masked.
   * Absent: a board without local timers.
   */
  localTimer?(index: number): boolean;
  /**
   * An interrupt message to CPU `index`: `mode` as in bits 8-10 of a local APIC's command register. False: no such CPU.
   * Absent: a board without such messages.
   */
  message?(index: number, mode: number, vector: number): boolean;
  /** FERR#; see `CpuBus.ferr`. */
  ferr?(index: number): boolean;
  /** FERR# falls; see `CpuBus.ferrClear`. */
  ferrClear?(index: number): void;
  /**
   * Called once, after all CPUs were made: messages go to `init`, `startUp` and `nmi` of a CPU; `current` is the index of
   * the CPU that executes (or did last), for registers that each CPU has at the same address.
   */
  connect?(cpus: readonly Cpu[], current: () => number): void;
}

/** What a hypervisor interface sees of its machine. */
export interface HypervisorHost {
  /** CPUs, in order. */
  readonly cpus: readonly Cpu[];
  /** The guest as seen from a stopped CPU; throws `ConfigError` (guest-context) if that CPU offers none. */
  context(index: number): GuestContext;
  /** Virtual time. */
  readonly clock: Clock;
  /** Hooks; hypercall hooks are fired by the interface. */
  readonly hooks: HookTable;
  /** Interrupt lines of the board, for virtual interrupts. */
  irq(n: number): IrqLine;
  /** Index of the CPU that executes, or did last. */
  current(): number;
  /** Is an instruction executing? Then no CPU can be run. */
  running(): boolean;
  /** Ports of the machine. */
  readonly ports: PortMap;
  /** Guest memory by physical address. */
  readonly memory: GuestMemory;
  /** The CPU that executes passes the rest of its turn. */
  pause(): void;
  /** A CPU may have something to do that had nothing: the run loop looks at all of them again. */
  attention(): void;
  /** See {@linkcode Platform.message}. */
  message(index: number, mode: number, vector: number): boolean;
  /** Calls `fn` at each access of a CPU to a device's registers in memory, with the index of the CPU. */
  onDeviceAccess(fn: (cpu: number) => void): void;
  /** Is there RAM at this physical address? */
  isRam(at: number): boolean;
  /** Does address line 20 go through? */
  a20(): boolean;
  /** Does the board have local timers? */
  readonly hasLocalTimer: boolean;
  /** Requests the vector of a CPU's local timer; false: it is masked, or there is none. */
  localTimer(index: number): boolean;
  /** Adds virtual cycles at the current instruction. */
  charge(ticks: number): void;
  /** An event that has a price came `times` times, at the current instruction; nothing without a table of costs. */
  readonly spend: (what: CostName, times: number) => void;
  /** Ends the run as `killed`, with the program counter of the call; the first cause wins. */
  kill(call: string, code: string, eip?: number): void;
  /** Leaves a trace entry. */
  trace(kind: string, text: string): void;
  /** Ends the run as `hook` with this name. */
  stop(name: string): void;
  /** Ends the run and throws the error from it, once the CPU stands. */
  fail(error: Error): void;
}

/**
 * A hypervisor interface in a machine, e.g. the paravirtual one: a component whose ROM is mapped and to which hypercall
 * instructions go.
 */
export interface Hypervisor extends Component {
  /** Regions it brings (its option ROM). */
  readonly regions: readonly Region[];
  /** Names of all calls of which hooks can hear; absent: it does not say. */
  readonly calls?: readonly string[] | undefined;
  /** Physical memory that it keeps for itself: no device reaches it. */
  readonly privateMemory?: { readonly at: number; readonly size: number } | undefined;
  /** A device is about to write memory. */
  deviceWrites?(at: number, size: number): void;
  /** Called once, before the first reset. */
  attach(host: HypervisorHost): void;
  /** See `CpuBus.hypercall`. */
  hypercall(cpu: number): boolean;
  /** See `CpuBus.cpuid`. */
  cpuid?(cpu: number, leaf: number): readonly [number, number, number, number] | undefined;
  /** A model-specific register of the hypervisor, asked for before the board's; undefined: not the hypervisor's. */
  readMsr?(cpu: number, msr: number): readonly [number, number] | undefined;
  /** Writes one; false: refused; undefined: not the hypervisor's. */
  writeMsr?(cpu: number, msr: number, low: number, high: number): boolean | undefined;
  /** See `CpuBus.tscWritten`. */
  tscWritten?(cpu: number): void;
  /** See `CpuBus.halting`. */
  halting?(cpu: number): boolean;
  /** A call made by a script, as if the guest had called at this boundary. Arguments by name or in order. */
  call?(name: string, args: { readonly [name: string]: number | bigint }): number | bigint | undefined;
}

/** A CPU that a hypervisor can look into. */
export interface ContextCpu extends Cpu {
  /** Valid while the CPU stands at an instruction boundary. */
  readonly context: GuestContext;
}

/**
 * What all de-privileging backends share: slots that trap, one virtual CPU for each real one, the clock, counters and
 * snapshots. The backends differ in how page tables take effect.
 *
 * Slots of plain code are those that need no privilege in ring 1: RDTSC, IODelay, and GetInterruptMask, since the real
 * interrupt flag is the guest's; and port access, which faults by itself. All others trap. Cold contract, warm calls.
 */
import type { FieldValue, Section } from "../../../core/component.ts";
import { ConfigError, InternalError } from "../../../core/errors.ts";
import type { GuestContext } from "../../../core/cpu.ts";
import type { MonitorContext } from "../../../core/monitor.ts";
import { PARAVIRT_CALLS, type ParavirtName } from "../../../spec/paravirt_calls.ts";
import { sectionValue } from "../backend.ts";
import type { CallAnswer, ParavirtBackend, ParavirtCall, ParavirtHost, SlotPlan } from "../backend.ts";
import { NATIVE_CODE } from "../../../spec/paravirt_native.ts";
import { VirtualTime } from "../time.ts";
import { CALLS } from "./calls.ts";
import { settleFor } from "./deferral.ts";
import type { PhysicalRange } from "./guest_physical.ts";
import type { GuestMmu } from "./mmu.ts";
import { Monitor } from "./monitor.ts";
import { Raised, Reached } from "./raised.ts";
import { Counters } from "./stats.ts";
import { VirtualCpu } from "./vcpu.ts";
import { powerOn, type VirtualState } from "./virtual_state.ts";

/** What can be chosen of a de-privileging backend; everything has a default. */
export interface MonitorOptions {
  /** Wall clock at power-on, nanoseconds since 1970 UTC; default 2000-01-01. */
  readonly epoch?: bigint;
  /** Where in physical memory the hypervisor lives, 2 MiB aligned; default 0x7c000000, above any RAM of the presets. */
  readonly at?: number;
  /** Bytes it has, a multiple of 2 MiB, at least 2 MiB a CPU; default 32 MiB. */
  readonly size?: number;
  /** True: CPUID shows SYSENTER, and SYSENTER and SYSEXIT work. Default false, as hypervisors of the time had it. */
  readonly sysenter?: boolean;
}

/** A de-privileging backend; `stats` is always there. */
export interface MonitorBackend extends ParavirtBackend {
  /** Physical memory that it keeps for itself. */
  readonly memory: PhysicalRange;
  /** Exits by reason, and what its parts count, since power-on. */
  stats(): Readonly<Record<string, number>>;
}

const ALIGNED = 0x200000;
const DEFAULT_AT = 0x7c000000;
const DEFAULT_SIZE = 0x2000000;

const TIME: readonly ParavirtName[] = [
  "GetCycleFrequency",
  "GetCycleCounter",
  "SetAlarm",
  "CancelAlarm",
  "GetWallclockTime",
  "WallclockUpdated",
];

/** Slots without a trap. */
const PLAIN: Readonly<Partial<Record<ParavirtName, readonly string[]>>> = {
  RDTSC: ["0f 31 | rdtsc", "c3 | ret"],
  WBINVD: ["c3 | ret"],
  IODelay: ["c3 | ret"],
  GetInterruptMask: ["9c | pushfd", "58 | pop eax", "25 00 02 00 00 | and eax, 0x200", "c3 | ret"],
};

/** Port access: the instruction itself faults in ring 1 and is emulated, string instructions step by step. */
const PORTS: readonly ParavirtName[] = PARAVIRT_CALLS.filter((row) => row.topic === "port").map((row) => row.name);

/** Calls after which the guest stands elsewhere, or nowhere. */
const NO_RETURN: Readonly<Partial<Record<ParavirtName, readonly string[]>>> = {
  IRET: ["eb fe | jmp $"],
  SYSEXIT: ["eb fe | jmp $"],
  Reboot: ["f4 | hlt", "eb fd | jmp $-1"],
  Shutdown: ["f4 | hlt", "eb fd | jmp $-1"],
};

/** In what the de-privileging backends differ. */
export interface MonitorKind {
  /** Name of the backend. */
  readonly name: string;
  /** How page tables take effect. */
  makeMmu(cpu: VirtualCpu): GuestMmu;
  /** Who decides the events; default {@linkcode Monitor}. */
  makeMonitor?(cpu: VirtualCpu): Monitor;
  /** The guest is told nothing: there is no ROM. Default false. */
  readonly hidden?: boolean;
}

/** Makes a backend. @throws {ConfigError} hypervisor-memory */
export function monitorBackend(kind: MonitorKind, options: MonitorOptions): MonitorBackend {
  return new Deprivileging(kind, options);
}

interface Managed {
  readonly cpu: VirtualCpu;
  readonly monitor: Monitor;
}

class Deprivileging implements MonitorBackend {
  readonly name: string;
  readonly memory: PhysicalRange;
  readonly hidden: boolean;
  readonly #kind: MonitorKind;
  readonly #time: VirtualTime;
  readonly #sysenter: boolean;
  readonly #counters: Counters = new Counters();
  readonly #cpus: Map<GuestContext, Managed> = new Map();
  readonly #all: VirtualCpu[] = [];

  constructor(kind: MonitorKind, options: MonitorOptions) {
    this.name = kind.name;
    this.hidden = kind.hidden ?? false;
    this.#kind = kind;
    this.#time = new VirtualTime(options.epoch);
    this.#sysenter = options.sysenter ?? false;
    this.memory = checkMemory(options.at, options.size);
  }

  attach(host: ParavirtHost): void {
    this.#time.attach(host);
    this.#counters.spend = host.spend;
    for (let i = 0; i < host.cpus; i++) {
      const guest = this.#monitored(host.monitor(i)), own = memoryFor(this.name, this.memory, i, host.cpus);
      const cpu = new VirtualCpu(
        i,
        guest,
        host,
        this.memory,
        own,
        this.#counters,
        this.#sysenter,
        (c) => this.#kind.makeMmu(c),
      );
      this.#all.push(cpu);
      cpu.peers = this.#all;
      this.#cpus.set(guest, { cpu, monitor: this.#kind.makeMonitor?.(cpu) ?? new Monitor(cpu) });
    }
  }

  #monitored(guest: MonitorContext | undefined): MonitorContext {
    if (guest !== undefined) return guest;
    throw new ConfigError(
      "guest-context",
      `Backend ${this.name} needs CPUs that can be put into its hands, as i386() makes them; or use native()`,
    );
  }

  deviceWrites(at: number, size: number): void {
    for (const cpu of this.#all) if (cpu.active) cpu.mmu.deviceWrote?.(at, size);
  }

  steal(cpu: number, ticks: number): void {
    this.#time.steal(cpu, ticks);
  }

  setWallclock(nanoseconds: bigint): void {
    this.#time.setWallclock(nanoseconds);
  }

  slot(name: ParavirtName): SlotPlan {
    const plain = PLAIN[name] ?? (PORTS.includes(name) ? NATIVE_CODE[name] : undefined);
    if (plain !== undefined) return { reloc: "call", trap: false, code: plain };
    const code = NO_RETURN[name] ?? ["c3 | ret"];
    const known = name === "Init" || TIME.includes(name) || CALLS[name] !== undefined;
    return known ? { reloc: "call", trap: true, code } : { reloc: "none" };
  }

  call(call: ParavirtCall): CallAnswer {
    const managed = this.#cpus.get(call.guest);
    if (managed === undefined) throw new InternalError(`Backend ${this.name} was called by a CPU it does not know`);
    try {
      return this.#answer(managed, call);
    } catch (thrown) {
      if (thrown instanceof Reached) return { kill: "hypervisor-memory" };
      if (!(thrown instanceof Raised)) throw thrown;
      return call.guest.raise(thrown.fault);
    }
  }

  #answer(managed: Managed, call: ParavirtCall): CallAnswer {
    if (call.name === "Init") return this.#init(managed);
    if (TIME.includes(call.name)) return this.#time.call(call);
    if (!managed.monitor.active) return { kill: "not-initialized" };
    const answer = CALLS[call.name];
    if (answer === undefined) return { kill: "unknown-call" };
    settleFor(managed.cpu, call.name);
    return answer(managed.cpu, (arg) => call.args[arg] as number, call) as CallAnswer;
  }

  /** Takes the guest on the CPU that calls, and watches over the others, which have not started. */
  #init(managed: Managed): number {
    const failed = managed.monitor.init();
    if (failed === 0) { for (const { monitor } of this.#cpus.values()) monitor.watch(); }
    return failed;
  }

  stats(): Readonly<Record<string, number>> {
    return this.#counters.all();
  }

  reset(): void {
    this.#time.reset();
    this.#counters.set({});
    for (const { cpu, monitor } of this.#cpus.values()) {
      Object.assign(cpu.v, powerOn());
      cpu.mmu.reset?.();
      monitor.resume();
    }
  }

  save(): Section {
    const cpus = [...this.#cpus.values()].map(({ cpu }): FieldValue => ({
      registers: structuredClone(cpu.v) as unknown as FieldValue,
      mmu: cpu.active ? cpu.mmu.save() : false,
    }));
    return { version: 1, fields: { time: sectionValue(this.#time.save()), counters: this.#counters.all(), cpus } };
  }

  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError(
        "snapshot-version",
        `Section of backend ${this.name} has version ${section.version}, this library reads 1`,
      );
    }
    const f = section.fields;
    this.#time.load(f["time"] as unknown as Section);
    this.#counters.set(f["counters"] as Record<string, number>);
    const saved = f["cpus"] as unknown as readonly { registers: VirtualState; mmu: FieldValue }[];
    for (const { cpu } of this.#cpus.values()) cpu.mmu.reset?.();
    [...this.#cpus.values()].forEach(({ cpu, monitor }, i) => {
      const one = saved[i];
      if (one === undefined) return;
      Object.assign(cpu.v, structuredClone(one.registers));
      if (cpu.active) cpu.mmu.load(one.mmu);
      monitor.resume();
    });
  }
}

/** The memory of a hypervisor, with its defaults. @throws {ConfigError} hypervisor-memory */
export function checkMemory(at: number = DEFAULT_AT, size: number = DEFAULT_SIZE): PhysicalRange {
  const good = [at, size].every((n) => Number.isInteger(n) && n > 0 && n % ALIGNED === 0) && at + size <= 2 ** 32;
  if (good) return { at, size };
  throw new ConfigError(
    "hypervisor-memory",
    `The hypervisor's memory at ${at} with ${size} bytes must begin and end at a multiple of 2 MiB below 4 GiB`,
  );
}

/** The part of it for one CPU. @throws {ConfigError} hypervisor-memory */
export function memoryFor(name: string, all: PhysicalRange, cpu: number, cpus: number): PhysicalRange {
  const size = Math.floor(all.size / cpus / ALIGNED) * ALIGNED;
  if (size > 0) return { at: all.at + cpu * size, size };
  throw new ConfigError(
    "hypervisor-memory",
    `Backend ${name} has ${all.size / ALIGNED} times 2 MiB for ${cpus} CPUs; give it a larger size`,
  );
}

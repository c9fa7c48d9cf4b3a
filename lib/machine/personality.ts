/**
 * A hypervisor of today in a machine: gives a personality its registers, ports and memory, and scripts the same view of
 * its calls as {@linkcode ParavirtHypervisor} gives of the paravirtual ones. Warm.
 *
 * A call injected by a script is answered at the instruction boundary where the guest stands; the guest's registers
 * stay, what the call does otherwise is done. It comes from the CPU that ran last.
 */
import type { Section } from "../core/component.ts";
import type { GuestContext } from "../core/cpu.ts";
import { ConfigError } from "../core/errors.ts";
import type { MonitorContext } from "../core/monitor.ts";
import type { Region } from "../memory/region.ts";
import { Msr, Reg } from "../spec/i386_regs.ts";
import { type HypercallAnswer, HypercallDispatch } from "../vmi/personality/dispatch.ts";
import type { CpuidLeaf, Hypercall, Personality, PersonalityHost } from "../vmi/personality/personality.ts";
import type { Recording, RecordOptions } from "../vmi/paravirt/record.ts";
import type { Hypervisor, HypervisorHost } from "./platform.ts";

/** What a personality cannot know by itself. */
export interface PersonalityOptions<N extends string = string> {
  /** Who the hypervisor is, e.g. `kvm()`. */
  readonly personality: Personality<N>;
  /** Bytes of RAM. */
  readonly memory: number;
  /** Wall-clock time at power-on, seconds from 1970; default that of 2000-01-01. */
  readonly epoch?: number;
}

/** What was counted. */
export interface HypercallStats {
  /** Calls of the guest by name. */
  readonly calls: Readonly<Record<string, number>>;
}

/** Seconds from 1970 to 2000. */
const YEAR_2000 = 946_684_800;
/** Ports that one 32-bit access takes. */
const PORT_BYTES = 4;
/** What nobody drives. */
const FLOATING = 0xffffffff;

/** A hypervisor of today in one machine. */
export class PersonalityHypervisor<N extends string = string> implements Hypervisor {
  /** It brings no ROM. */
  readonly regions: readonly Region[] = [];
  readonly #options: PersonalityOptions<N>;
  readonly #dispatch: HypercallDispatch<N>;
  #host: HypervisorHost | undefined;

  /** Makes one. @param options Personality and what it tells. */
  constructor(options: PersonalityOptions<N>) {
    this.#options = options;
    this.#dispatch = new HypercallDispatch(options.personality, () => {
      const host = this.#host;
      if (host === undefined) return undefined;
      const { clock, hooks, stop, kill } = host;
      return { clock, hooks, stop, kill };
    });
  }

  /** Name of the component: the personality's. */
  get name(): string {
    return this.personality.name;
  }
  /** Who answers. */
  get personality(): Personality<N> {
    return this.#options.personality;
  }

  /** Names of its calls. */
  get calls(): readonly string[] {
    return this.personality.calls.map((row) => row.name);
  }

  // --- for scripts

  /** Starts a record of every call: name, arguments, result, EIP, time. */
  record(options?: RecordOptions): Recording {
    return this.#dispatch.record(options);
  }
  /** Calls `fn` before each call of this name is answered. @throws {ConfigError} hypercall-name */
  before<M extends N>(name: M, fn: (call: Hypercall<M>) => void): () => void {
    return this.#dispatch.before(name, fn);
  }
  /** Calls `fn` with the result of each call of this name. @throws {ConfigError} hypercall-name */
  after<M extends N>(name: M, fn: (call: Hypercall<M>, result: number) => void): () => void {
    return this.#dispatch.after(name, fn);
  }
  /** Answers each call of this name in place of the personality. @throws {ConfigError} hypercall-name */
  override<M extends N>(name: M, fn: (call: Hypercall<M>) => HypercallAnswer): () => void {
    return this.#dispatch.override(name, fn);
  }
  /** See {@linkcode PersonalityHypervisor.call}. */
  inject(name: N, args: Readonly<Record<string, number | bigint>> = {}): number {
    return this.call(name, args);
  }
  /**
   * Makes a call as if the guest's kernel had made it here; arguments that are left out are 0.
   * @returns EAX: an i32 or u32 as the interface counts results.
   * @throws {ConfigError} hypercall-name, inject-argument, inject-kill
   */
  call(name: string, args: Readonly<Record<string, number | bigint>> = {}): number {
    const host = this.#attached();
    return this.#dispatch.inject(host.context(host.current()), host.current(), name, args);
  }
  /** Calls of the guest since power-on. */
  stats(): HypercallStats {
    return { calls: this.#dispatch.counts };
  }
  /**
   * Somebody else has the processor of CPU `cpu` for `ticks`: virtual time goes on, and the guest sees them as stolen.
   * @throws {ConfigError} personality-time
   */
  steal(ticks: number, cpu = 0): void {
    const host = this.#attached();
    const { personality } = this;
    if (personality.stolen === undefined) {
      throw new ConfigError("personality-time", `${personality.name} keeps no account of stolen time`);
    }
    if (!Number.isSafeInteger(ticks) || ticks < 0 || !Number.isInteger(cpu) || cpu < 0 || cpu >= host.cpus.length) {
      throw new ConfigError(
        "personality-time",
        `Cannot steal ${ticks} ticks from CPU ${cpu}; give a whole number of ticks and one of ${host.cpus.length} CPUs`,
      );
    }
    host.charge(ticks);
    personality.stolen(cpu, ticks);
  }

  // --- for the machine

  /** See {@linkcode Hypervisor.attach}. */
  attach(host: HypervisorHost): void {
    this.#host = host;
    const { personality } = this;
    personality.attach(this.#personalityHost(host));
    for (const port of personality.ports) {
      host.ports.map(port, PORT_BYTES, this.name, {
        widths: [32],
        read: (at, width): number => at === port && width === 32 ? this.#port() ?? FLOATING : FLOATING,
        write: (at, _value, width): void => {
          const eax = at === port && width === 32 ? this.#port() : undefined;
          if (eax !== undefined) host.context(host.current()).setReg(Reg.eax, eax);
        },
      });
    }
  }
  /** See {@linkcode Hypervisor.hypercall}. */
  hypercall(cpu: number): boolean {
    const guest = this.#attached().context(cpu);
    const eax = this.#dispatch.enter(guest, cpu, "instruction");
    if (eax !== undefined) this.#attached().spend("hypercall", 1);
    if (typeof eax === "number") guest.setReg(Reg.eax, eax);
    return eax !== undefined;
  }
  /** See {@linkcode Hypervisor.cpuid}. */
  cpuid(cpu: number, leaf: number): CpuidLeaf {
    return this.personality.cpuid(cpu, leaf);
  }
  /** See {@linkcode Hypervisor.readMsr}. */
  readMsr(cpu: number, msr: number): readonly [number, number] | undefined {
    return this.personality.readMsr?.(cpu, msr);
  }
  /** See {@linkcode Hypervisor.writeMsr}. */
  writeMsr(cpu: number, msr: number, low: number, high: number): boolean | undefined {
    return this.personality.writeMsr?.(cpu, msr, low, high);
  }
  /** See {@linkcode Hypervisor.tscWritten}. */
  tscWritten(cpu: number): void {
    this.personality.tscWritten?.(cpu);
  }
  /** See {@linkcode Hypervisor.halting}. */
  halting(cpu: number): boolean {
    return this.personality.halting?.(cpu) ?? false;
  }
  /** Power-on state; observers stay. */
  reset(): void {
    this.#dispatch.reset();
    this.personality.reset();
  }
  /** Complete state; observers are the script's. */
  save(): Section {
    return { version: 1, fields: { calls: this.#dispatch.save(), state: this.personality.save() } };
  }
  /** Restores. @throws {ConfigError} snapshot-version, snapshot-mismatch */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError(
        "snapshot-version",
        `Section ${this.name} has version ${section.version}, this library reads 1`,
      );
    }
    this.#dispatch.load(section.fields["calls"] as readonly (readonly [number, number])[]);
    this.personality.load(section.fields["state"] as Section["fields"]);
  }

  /** The CPU that executes accesses a port: EAX, or undefined where nobody answers. */
  #port(): number | undefined {
    const host = this.#attached();
    const cpu = host.current();
    const eax = this.#dispatch.enter(host.context(cpu), cpu, "port");
    if (eax !== undefined) host.spend("hypercall", 1);
    return typeof eax === "number" ? eax : undefined;
  }

  #attached(): HypervisorHost {
    if (this.#host !== undefined) return this.#host;
    throw new ConfigError("personality-machine", "This hypervisor is in no machine yet; give it to machine()");
  }

  #personalityHost(host: HypervisorHost): PersonalityHost {
    return {
      clock: host.clock,
      cpus: host.cpus.length,
      memoryBytes: this.#options.memory,
      epoch: this.#options.epoch ?? YEAR_2000,
      memory: host.memory,
      isRam: (at) => host.isRam(at),
      tsc: (cpu) => tsc(host.context(cpu)),
      privilege: (cpu) => privilege(host.context(cpu)),
      message: (cpu, mode, vector) => host.message(cpu, mode, vector),
      wake: (cpu): boolean => {
        if (host.cpus[cpu]?.waiting === true) return true; // it was never started
        const guest = host.context(cpu);
        if (!guest.halted) return false;
        guest.halted = false;
        host.attention();
        return true;
      },
      pause: () => host.pause(),
      trace: (text) => host.trace(this.name, text),
    };
  }
}

/** A hypervisor of today for `machine({ paravirt: hypervisor({ personality: kvm(), memory: 64 * MiB }) })`. */
export function hypervisor<N extends string>(options: PersonalityOptions<N>): PersonalityHypervisor<N> {
  return new PersonalityHypervisor(options);
}

/** What a monitor says, if the guest is in the hands of one. */
function privilege(guest: GuestContext): number {
  return (guest as Partial<MonitorContext>).interceptor?.privilege?.() ?? guest.cpl;
}

function tsc(guest: GuestContext): bigint {
  const [low, high] = (guest as Partial<MonitorContext>).readMsr?.(Msr.tsc) ?? [0, 0];
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

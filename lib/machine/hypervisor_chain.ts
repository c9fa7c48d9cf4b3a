/**
 * Several hypervisor interfaces in one machine, as one: for example a monitor that models hardware virtualization, and the
 * personality it presents to its guest.
 *
 * What the guest does goes to the first interface, and from one that has no answer to the next: hypercalls, CPUID leaves,
 * model-specific registers. What everybody must know is told to all. Memory that one interface keeps for itself is no
 * memory to the others: what they do there on the guest's behalf is lost, as for devices. Warm.
 */
import type { FieldValue, Section } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";
import type { Region } from "../memory/region.ts";
import type { Hypervisor, HypervisorHost } from "./platform.ts";
import { checkShape } from "./shapes.ts";
import { PrivateMemory } from "./private_memory.ts";

/** Where to ask on: this interface has no call of that name. */
const UNKNOWN_NAME: readonly string[] = ["hypercall-name", "paravirt-call"];

/** What `MachineConfig.paravirt` names, as one interface. @throws {ConfigError} config-value, config-name, hypervisor-memory */
export function oneHypervisor(given: Hypervisor | readonly Hypervisor[] | undefined): Hypervisor | undefined {
  const all = given === undefined ? [] : Array.isArray(given) ? given : [given];
  for (const one of all) {
    const hint = "make it with paravirt() or hypervisor(), or list several";
    checkShape("paravirt", one, ["attach", "hypercall", "reset", "save", "load"], hint);
  }
  return all.length > 1 ? new HypervisorChain(all) : all[0];
}

/** Hypervisor interfaces in the order in which they are asked. */
export class HypervisorChain implements Hypervisor {
  /** Names of all of them. */
  readonly name: string;
  /** Regions of all of them. */
  readonly regions: readonly Region[];
  /** Names of the calls of all of them, if all say. */
  readonly calls: readonly string[] | undefined;
  /** What the one that has any keeps for itself. */
  readonly privateMemory: { readonly at: number; readonly size: number } | undefined;
  readonly #all: readonly Hypervisor[];

  /** Puts them one behind the other. @param all The interfaces. @throws {ConfigError} config-name, hypervisor-memory */
  constructor(all: readonly Hypervisor[]) {
    const names = all.map((h) => h.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      throw new ConfigError("config-name", `Two hypervisor interfaces are named "${twice}"; leave one out`);
    }
    const owners = all.filter((h) => h.privateMemory !== undefined);
    if (owners.length > 1) {
      const both = owners.map((h) => h.name).join(" and ");
      throw new ConfigError("hypervisor-memory", `Only one interface of a machine may keep memory, not ${both}`);
    }
    this.#all = all;
    this.name = names.join("+");
    this.regions = all.flatMap((h) => h.regions);
    this.calls = all.every((h) => h.calls !== undefined) ? all.flatMap((h) => h.calls ?? []) : undefined;
    this.privateMemory = owners[0]?.privateMemory;
  }

  /** See {@linkcode Hypervisor.attach}. */
  attach(host: HypervisorHost): void {
    for (const h of this.#all) h.attach(h.privateMemory === undefined ? this.#without(host) : host);
  }

  /** The machine as seen by an interface that keeps no memory. */
  #without(host: HypervisorHost): HypervisorHost {
    const owned = this.privateMemory;
    if (owned === undefined) return host;
    return {
      ...host,
      memory: new PrivateMemory(host.memory, owned, (at, size) => this.deviceWrites(at, size)),
      isRam: (at) => host.isRam(at) && (at < owned.at || at >= owned.at + owned.size),
    };
  }

  /** See {@linkcode Hypervisor.deviceWrites}. */
  deviceWrites(at: number, size: number): void {
    for (const h of this.#all) h.deviceWrites?.(at, size);
  }

  /** See {@linkcode Hypervisor.hypercall}. */
  hypercall(cpu: number): boolean {
    return this.#all.some((h) => h.hypercall(cpu));
  }

  /** See {@linkcode Hypervisor.cpuid}. */
  cpuid(cpu: number, leaf: number): readonly [number, number, number, number] | undefined {
    return this.#first((h) => h.cpuid?.(cpu, leaf));
  }

  /** See {@linkcode Hypervisor.readMsr}. */
  readMsr(cpu: number, msr: number): readonly [number, number] | undefined {
    return this.#first((h) => h.readMsr?.(cpu, msr));
  }

  /** See {@linkcode Hypervisor.writeMsr}. */
  writeMsr(cpu: number, msr: number, low: number, high: number): boolean | undefined {
    return this.#first((h) => h.writeMsr?.(cpu, msr, low, high));
  }

  /** See {@linkcode Hypervisor.tscWritten}. */
  tscWritten(cpu: number): void {
    for (const h of this.#all) h.tscWritten?.(cpu);
  }

  /** See {@linkcode Hypervisor.halting}: whoever has woken the CPU, all are asked. */
  halting(cpu: number): boolean {
    return this.#all.map((h) => h.halting?.(cpu) === true).includes(true);
  }

  /** See {@linkcode Hypervisor.call}: goes to the first interface that has a call of this name. */
  call(name: string, args: { readonly [name: string]: number | bigint }): number | bigint | undefined {
    let unknown: unknown = undefined;
    for (const h of this.#all) {
      try {
        if (h.call !== undefined) return h.call(name, args);
      } catch (error) {
        if (!(error instanceof ConfigError) || !UNKNOWN_NAME.includes(error.code)) throw error;
        unknown = error;
      }
    }
    throw unknown ?? new ConfigError("hypercall-name", `No interface of this machine has a call "${name}"`);
  }

  /** Power-on state. */
  reset(): void {
    for (const h of this.#all) h.reset();
  }

  /** The sections of all of them, by name. */
  save(): Section {
    const sections = this.#all.map((h) => [h.name, h.save()] as const);
    return {
      version: 1,
      fields: Object.fromEntries(sections.map(([name, s]): [string, FieldValue] => [name, { ...s }])),
    };
  }

  /** Restores. @throws {ConfigError} snapshot-version, snapshot-mismatch, and those of the interfaces */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError(
        "snapshot-version",
        `Section ${this.name} has version ${section.version}, this library reads 1`,
      );
    }
    for (const h of this.#all) {
      const own = section.fields[h.name];
      if (own === undefined) {
        throw new ConfigError("snapshot-mismatch", `Snapshot has nothing of ${h.name}; describe the machine alike`);
      }
      h.load(own as unknown as Section);
    }
  }

  #first<T>(ask: (h: Hypervisor) => T | undefined): T | undefined {
    for (const h of this.#all) {
      const answer = ask(h);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
}

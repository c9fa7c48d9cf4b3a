/**
 * Backend `hardware`: a model of a processor with virtualization (VT-x). The guest runs unchanged, in ring 0, and is told
 * nothing; the processor leaves it only under the conditions that were asked for. It shows why an interface like the one
 * of this library became unnecessary: with nested paging next to nothing of memory management leaves the guest.
 *
 * Not emulated: the virtual-machine control structure and its instructions, nested virtualization; see also the monitor.
 * Cold.
 */
import type { FieldValue, Section } from "../../../core/component.ts";
import { ConfigError } from "../../../core/errors.ts";
import type { CallAnswer, ParavirtBackend, ParavirtHost, SlotPlan } from "../backend.ts";
import { checkMemory, memoryFor } from "../monitor/backend.ts";
import type { PhysicalRange } from "../monitor/guest_physical.ts";
import { Counters } from "../monitor/stats.ts";
import { VirtualCpu } from "../monitor/vcpu.ts";
import { powerOn, type VirtualState } from "../monitor/virtual_state.ts";
import { ShadowMmu } from "../shadow/shadow_mmu.ts";
import { HARDWARE_EXITS, type HardwareExit, NESTED_EXITS, SHADOW_EXITS } from "./exits.ts";
import { HardwareMonitor } from "./hardware_monitor.ts";

/** What can be chosen; everything has a default. */
export interface HardwareOptions {
  /** Who translates guest-physical addresses: the processor (`nested`, default), or shadow tables. */
  readonly paging?: "nested" | "shadow";
  /** When the guest is left; default what a hypervisor of that paging asks for. Shadow paging adds what it needs. */
  readonly exits?: readonly HardwareExit[];
  /** With shadow paging: where the hypervisor lives, 2 MiB aligned; default 0x7c000000. */
  readonly at?: number;
  /** With shadow paging: bytes it has; default 32 MiB. */
  readonly size?: number;
}

/** A backend that models hardware virtualization; `stats` is always there. */
export interface HardwareBackend extends ParavirtBackend {
  /** The conditions under which the guest is left. */
  readonly exits: readonly HardwareExit[];
  /** Exits by condition since power-on. */
  stats(): Readonly<Record<string, number>>;
}

/** Makes one. @throws {ConfigError} hardware-exit, hardware-paging, hypervisor-memory */
export function hardware(options: HardwareOptions = {}): HardwareBackend {
  return new Hardware(options);
}

interface Managed {
  readonly monitor: HardwareMonitor;
  readonly cpu: VirtualCpu | undefined;
}

class Hardware implements HardwareBackend {
  readonly name: string = "hardware";
  readonly hidden: boolean = true;
  readonly exits: readonly HardwareExit[];
  readonly memory?: PhysicalRange;
  readonly #counters: Counters = new Counters();
  readonly #cpus: Managed[] = [];
  #host: ParavirtHost | undefined;

  constructor(options: HardwareOptions) {
    const { paging = "nested" } = options;
    if (paging !== "nested" && paging !== "shadow") {
      throw new ConfigError("hardware-paging", `Paging must be "nested" or "shadow", not "${String(paging)}"`);
    }
    const wanted = options.exits ?? NESTED_EXITS;
    const unknown = wanted.find((e) => !HARDWARE_EXITS.includes(e));
    if (unknown !== undefined) {
      throw new ConfigError(
        "hardware-exit",
        `There is no exit "${String(unknown)}"; there are ${HARDWARE_EXITS.join(", ")}`,
      );
    }
    this.exits = HARDWARE_EXITS.filter((e) => wanted.includes(e) || (paging === "shadow" && SHADOW_EXITS.includes(e)));
    if (paging === "shadow") this.memory = checkMemory(options.at, options.size);
  }

  attach(host: ParavirtHost): void {
    this.#host = host;
    this.#counters.spend = host.spend;
    const exits = new Set(this.exits), all: VirtualCpu[] = [];
    for (let i = 0; i < host.cpus; i++) {
      const guest = host.monitor(i);
      if (guest === undefined) {
        throw new ConfigError(
          "guest-context",
          "Backend hardware needs CPUs that can be put into its hands, as i386() makes them",
        );
      }
      let cpu: VirtualCpu | undefined;
      if (this.memory !== undefined) {
        const own = memoryFor(this.name, this.memory, i, host.cpus);
        cpu = new VirtualCpu(i, guest, host, this.memory, own, this.#counters, true, (c) => new ShadowMmu(c));
        cpu.peers = all;
        all.push(cpu);
      }
      this.#cpus.push({ monitor: new HardwareMonitor(guest, host, this.#counters, exits, cpu), cpu });
    }
    if (exits.has("mmio")) host.onDeviceAccess((cpu) => this.#cpus[cpu]?.monitor.touchedDevice());
  }

  slot(): SlotPlan {
    return { reloc: "none" };
  }

  call(): CallAnswer {
    return { kill: "unknown-call" };
  }

  stats(): Readonly<Record<string, number>> {
    return this.#counters.all();
  }

  reset(): void {
    this.#counters.set({});
    for (const { cpu, monitor } of this.#cpus) {
      if (cpu !== undefined) Object.assign(cpu.v, powerOn());
      monitor.install();
    }
  }

  save(): Section {
    const cpus = this.#cpus.map(({ cpu }): FieldValue =>
      cpu === undefined ? false : {
        registers: structuredClone(cpu.v) as unknown as FieldValue,
        mmu: cpu.active ? cpu.mmu.save() : false,
      }
    );
    return { version: 1, fields: { counters: this.#counters.all(), exits: [...this.exits], cpus } };
  }

  load(section: Section): void {
    const f = section.fields;
    if (section.version !== 1) {
      throw new ConfigError(
        "snapshot-version",
        `Section of backend hardware has version ${section.version}, this library reads 1`,
      );
    }
    if ((f["exits"] as readonly string[]).join() !== this.exits.join()) {
      throw new ConfigError("snapshot-mismatch", "The snapshot is of a machine that leaves its guest on other exits");
    }
    this.#counters.set(f["counters"] as Record<string, number>);
    const saved = f["cpus"] as unknown as readonly (false | { registers: VirtualState; mmu: FieldValue })[];
    this.#cpus.forEach(({ cpu, monitor }, i) => {
      const one = saved[i];
      if (cpu !== undefined && one !== undefined && one !== false) {
        Object.assign(cpu.v, structuredClone(one.registers));
        if (cpu.active) cpu.mmu.load(one.mmu);
      }
      monitor.install();
    });
  }
}

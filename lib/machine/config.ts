/**
 * The description of a machine and its checks. Everything wrong is found before anything is built, and said with the
 * key, the value and what to write instead. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import { checkKeys } from "../core/keys.ts";
import type { CostTable } from "../core/costs.ts";
import type { Device } from "../core/device.ts";
import type { CpuFactory } from "../memory/board.ts";
import type { Region } from "../memory/region.ts";
import { checkCosts } from "./cost_meter.ts";
import { oneHypervisor } from "./hypervisor_chain.ts";
import type { SerialConsole } from "./serial_console.ts";
import type { Hypervisor, Platform } from "./platform.ts";
import { checkDevice, checkRegion, checkShape } from "./shapes.ts";

export { checkKeys } from "../core/keys.ts";

/** A machine, as values; all keys but `cpu` may be left out. */
export interface MachineConfig {
  /** What makes the CPUs, e.g. `i386()`; an array gives each CPU its own. */
  readonly cpu: CpuFactory | readonly CpuFactory[];
  /** Number of CPUs when `cpu` is one factory; default 1, at most 15. */
  readonly cpus?: number;
  /** RAM, ROM and MMIO; default none. */
  readonly memory?: readonly Region[];
  /** Devices, in the order in which they are attached and reset; default none. */
  readonly devices?: readonly Device[];
  /** Interrupt lines and controllers; default: none, lines lead nowhere. */
  readonly platform?: Platform;
  /** Hypervisor interface; several are asked in order. Default none: hypercall instructions are undefined. */
  readonly paravirt?: Hypervisor | readonly Hypervisor[];
  /** Far end of a serial port that one of the devices feeds, for `machine.serial`; default none. */
  readonly serial?: SerialConsole;
  /** Ticks (instructions) per virtual second; default 100 000 000. */
  readonly hz?: number;
  /** Seed of all pseudo-randomness in the machine; default 1. */
  readonly seed?: number;
  /** Instructions a CPU runs before the next one's turn, with several CPUs; default 1000. */
  readonly quantum?: number;
  /** What events cost beside the instructions; default: nothing. */
  readonly costs?: CostTable;
  /** Trace entries kept; default 256. */
  readonly trace?: number;
  /** What a reset by the guest (or a triple fault) does; default `stop`. */
  readonly onReset?: "stop" | "reboot";
  /** End the run at a fault before its handler runs: all vectors, or these; default none. */
  readonly stopOnFault?: boolean | readonly number[];
}

/** A checked description with all defaults filled in. */
export interface CheckedConfig {
  /** One factory a CPU. */
  readonly cpus: readonly CpuFactory[];
  /** Regions, those of the hypervisor interface included. */
  readonly memory: readonly Region[];
  /** Devices. */
  readonly devices: readonly Device[];
  /** Hypervisor interface. */
  readonly hypervisor: Hypervisor | undefined;
  /** Far end of the first serial port. */
  readonly serial: SerialConsole | undefined;
  /** Ticks per virtual second. */
  readonly hz: number;
  /** Seed. */
  readonly seed: number;
  /** Instructions a turn. */
  readonly quantum: number;
  /** Prices, if any. */
  readonly costs: CostTable | undefined;
  /** Trace entries. */
  readonly trace: number;
  /** What a reset does. */
  readonly onReset: "stop" | "reboot";
  /** Vectors that end the run. */
  readonly stopOnFault: boolean | readonly number[];
}

const KEYS = [
  "cpu",
  "cpus",
  "memory",
  "devices",
  "platform",
  "paravirt",
  "serial",
  "hz",
  "seed",
  "quantum",
  "costs",
  "trace",
  "onReset",
  "stopOnFault",
];

/** Most CPUs of one machine: their state blocks lie below 64 KiB. */
export const MAX_CPUS = 15;

/**
 * Checks a description.
 * @throws {ConfigError} config-key, config-value, config-cpu, config-name
 */
export function checkConfig(config: MachineConfig): CheckedConfig {
  if (config === null || typeof config !== "object") {
    throw new ConfigError(
      "config-value",
      `A machine is described by an object such as { cpu: i386() }, not ${typeof config}`,
    );
  }
  checkKeys("machine", config, KEYS);
  const cpus = checkCpus(config);
  const hypervisor = oneHypervisor(config.paravirt);
  list(config.memory, "memory").forEach(checkRegion);
  list(config.devices, "devices").forEach(checkDevice);
  if (config.platform !== undefined) {
    checkShape("platform", config.platform, ["irq", "interrupts", "listen"], "see pc() for one that is complete");
  }
  const memory = [...list(config.memory, "memory"), ...(hypervisor?.regions ?? [])];
  const devices = list(config.devices, "devices");
  checkNames(cpus, devices, hypervisor);
  const onReset = config.onReset ?? "stop";
  if (onReset !== "stop" && onReset !== "reboot") {
    throw new ConfigError("config-value", `onReset must be "stop" or "reboot", not ${show(onReset)}`);
  }
  return {
    cpus,
    memory,
    devices,
    hypervisor,
    serial: config.serial,
    hz: integer("hz", config.hz, 100_000_000, 1000, 1e12),
    seed: integer("seed", config.seed, 1, -(2 ** 31), 2 ** 32 - 1),
    quantum: integer("quantum", config.quantum, 1000, 1, 1e8),
    costs: config.costs === undefined ? undefined : checkCosts(config.costs),
    trace: integer("trace", config.trace, 256, 1, 1e7),
    onReset,
    stopOnFault: config.stopOnFault ?? false,
  };
}

/**
 * An integer of a description, or its default.
 * @throws {ConfigError} config-value
 */
export function integer(key: string, value: number | undefined, fallback: number, low: number, high: number): number {
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new ConfigError("config-value", `${key} must be an integer from ${low} to ${high}, not ${show(value)}`);
  }
  return value;
}

function checkCpus(config: MachineConfig): readonly CpuFactory[] {
  const given = config.cpu as unknown;
  if (given === undefined || given === null) {
    throw new ConfigError("config-cpu", "A machine needs a CPU; write cpu: i386()");
  }
  if (Array.isArray(given) && config.cpus !== undefined && config.cpus !== given.length) {
    throw new ConfigError("config-cpu", `cpus is ${config.cpus} but cpu lists ${given.length}; leave cpus out`);
  }
  const count = Array.isArray(given) ? given.length : integer("cpus", config.cpus, 1, 1, MAX_CPUS);
  const all: readonly CpuFactory[] = Array.isArray(given)
    ? given
    : Array.from({ length: count }, () => given as CpuFactory);
  if (all.length < 1 || all.length > MAX_CPUS) {
    throw new ConfigError("config-cpu", `A machine has 1 to ${MAX_CPUS} CPUs, not ${all.length}`);
  }
  for (const f of all) {
    if (f === null || typeof f !== "object" || typeof f.create !== "function") {
      throw new ConfigError("config-cpu", "cpu must be a CPU factory such as i386(), with a create function");
    }
    if (!Number.isInteger(f.workBytes) || f.workBytes < 0 || f.workBytes % 0x10000 !== 0) {
      throw new ConfigError("config-cpu", `workBytes of CPU "${f.architecture}" must be a multiple of 64 KiB`);
    }
  }
  return all;
}

function checkNames(cpus: readonly CpuFactory[], devices: readonly Device[], more: Hypervisor | undefined): void {
  const taken = new Set(["machine", "clock", "costs", ...cpus.map((_, i) => `cpu${i}`)]);
  for (const c of more === undefined ? devices : [...devices, more]) {
    if (taken.has(c.name)) {
      throw new ConfigError("config-name", `Two components are named "${c.name}"; give one another name`);
    }
    taken.add(c.name);
  }
}

function list<T>(value: readonly T[] | undefined, key: string): readonly T[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ConfigError("config-value", `${key} must be a list, not ${show(value)}`);
  return value;
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/**
 * The wiring: what a CPU, a device and a hypervisor interface see of the machine they are in. Warm (port accesses pass
 * through here).
 */
import type { CpuBus, IrqLine } from "../core/bus.ts";
import type { Clock } from "../core/clock.ts";
import type { Cpu, GuestContext } from "../core/cpu.ts";
import type { DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import type { HookTable } from "../core/hooks.ts";
import { type AddressSpace, PageBit } from "../memory/address_space.ts";
import type { PortSpace } from "../memory/port_space.ts";
import type { CostMeter } from "./cost_meter.ts";
import type { ContextCpu, Hypervisor, HypervisorHost, Platform } from "./platform.ts";
import type { StopDraft } from "./run_loop.ts";
import { PrivateMemory } from "./private_memory.ts";

/** What a machine is made of. */
export interface MachineParts {
  /** Virtual time. */
  readonly clock: Clock;
  /** Physical addresses. */
  readonly space: AddressSpace;
  /** Ports. */
  readonly ports: PortSpace;
  /** Hooks. */
  readonly hooks: HookTable;
  /** CPUs; filled while the machine is built. */
  readonly cpus: Cpu[];
  /** Interrupt routing, if any. */
  readonly platform: Platform | undefined;
  /** Hypervisor interface, if any. */
  readonly hypervisor: Hypervisor | undefined;
  /** Leaves a trace entry. */
  readonly note: (kind: string, text: string) => void;
  /** Asks for a stop. */
  readonly request: (draft: StopDraft) => void;
  /** Counts events that have a price and moves the clock; absent without a table of costs. */
  readonly costs: CostMeter | undefined;
  /** Adds virtual cycles. */
  readonly charge: (ticks: number) => void;
  /** Index of the CPU that runs or ran last. */
  readonly current: () => number;
  /** Does a CPU execute? */
  readonly running: () => boolean;
  /** Passes the rest of the running CPU's turn. */
  readonly pause: () => void;
  /** Makes the run loop look at all CPUs again. */
  readonly attention: () => void;
  /** Program counter of the CPU that runs. */
  readonly pc: () => number;
  /** Ends the run and throws the error from it. */
  readonly fail: (error: Error) => void;
}

const NOWHERE: IrqLine = { set: () => {} };

/** The bus of CPU `index`. */
export function cpuBus(
  p: MachineParts,
  index: number,
  shutdown: (vector: number, errorCode: number, linear: number) => void,
): CpuBus {
  const { platform, hypervisor } = p;
  return {
    readPort: (port, width) => p.ports.read(port, width),
    writePort: (port, value, width) => p.ports.write(port, value, width),
    now: () => p.clock.now,
    get steady(): boolean {
      return p.cpus.length === 1 && p.costs === undefined && hypervisor === undefined;
    },
    readMsr: (msr) => hypervisor?.readMsr?.(index, msr) ?? platform?.readMsr?.(index, msr),
    writeMsr: (msr, low, high) =>
      hypervisor?.writeMsr?.(index, msr, low, high) ?? platform?.writeMsr?.(index, msr, low, high) ?? false,
    trace: p.note,
    shutdown,
    unimplemented: (what) => p.request({ kind: "unimplemented", what }),
    ...(p.costs === undefined ? {} : { spend: (what, times) => p.costs?.spend(what, times) }),
    pause: p.pause,
    woken: p.attention,
    ...(platform?.ferr === undefined ? {} : { ferr: () => platform.ferr?.(index) ?? false }),
    ...(platform?.ferrClear === undefined ? {} : { ferrClear: () => platform.ferrClear?.(index) }),
    ...(hypervisor === undefined ? {} : hypervisorBus(hypervisor, index)),
  };
}

/** What a hypervisor interface adds to the bus of CPU `index`. */
function hypervisorBus(h: Hypervisor, index: number): Partial<CpuBus> {
  return {
    hypercall: () => h.hypercall(index),
    ...(h.cpuid === undefined ? {} : { cpuid: (leaf) => h.cpuid?.(index, leaf) }),
    ...(h.tscWritten === undefined ? {} : { tscWritten: () => h.tscWritten?.(index) }),
    ...(h.halting === undefined ? {} : { halting: () => h.halting?.(index) ?? false }),
  };
}

/** What all devices of a machine share. */
export function deviceHost(p: MachineParts): DeviceHost {
  const owned = p.hypervisor?.privateMemory;
  return {
    ports: p.ports,
    mmio: p.space,
    memory: owned === undefined
      ? p.space
      : new PrivateMemory(p.space, owned, (at, size) => p.hypervisor?.deviceWrites?.(at, size)),
    clock: p.clock,
    irq: (n) => p.platform?.irq(n) ?? NOWHERE,
    request: (what) => p.request({ kind: what }),
    setA20: (enabled) => p.space.setA20(enabled),
    trace: p.note,
    unimplemented: (device, what) => p.request({ kind: "unimplemented", what: `${device}: ${what}` }),
  };
}

/** What a hypervisor interface gets. */
export function hypervisorHost(p: MachineParts): HypervisorHost {
  return {
    cpus: p.cpus,
    context: (index) => contextOf(p.cpus[index]),
    clock: p.clock,
    hooks: p.hooks,
    irq: (n) => p.platform?.irq(n) ?? NOWHERE,
    ports: p.ports,
    memory: p.space,
    pause: p.pause,
    attention: p.attention,
    message: (index, mode, vector) => p.platform?.message?.(index, mode, vector) ?? false,
    charge: p.charge,
    spend: (what, times) => p.costs?.spend(what, times),
    current: p.current,
    running: p.running,
    onDeviceAccess: (fn) => p.space.deviceTouched = (): void => fn(p.current()),
    isRam: (at) => (p.space.pages[Math.floor(at / 4096)] & PageBit.ram) !== 0,
    a20: () => p.space.a20,
    hasLocalTimer: p.platform?.localTimer !== undefined,
    localTimer: (index) => p.platform?.localTimer?.(index) ?? false,
    kill: (call, code, eip = -1) => p.request({ kind: "killed", call, code, eip }),
    trace: p.note,
    stop: (name) => p.request({ kind: "hook", name }),
    fail: p.fail,
  };
}

function contextOf(cpu: Cpu): GuestContext {
  const context = (cpu as Partial<ContextCpu>).context;
  if (context !== undefined) return context;
  throw new ConfigError("guest-context", `CPU "${cpu.architecture}" offers no guest context; a hypervisor needs one`);
}

/**
 * Machine: one composed guest. It builds memory, CPUs and devices from a description, ties them together, runs them, and
 * saves and restores them. Nothing here knows an architecture or a chip. Cold; the loop itself is in run_loop.ts.
 */
import { Clock } from "../core/clock.ts";
import type { Cpu, CpuStart } from "../core/cpu.ts";
import { ConfigError } from "../core/errors.ts";
import { HookTable } from "../core/hooks.ts";
import type { StopReason } from "../core/stop.ts";
import { Trace } from "../core/trace.ts";
import { hex } from "../base/hex.ts";
import { Prng } from "../base/prng.ts";
import { AddressSpace } from "../memory/address_space.ts";
import { PortSpace } from "../memory/port_space.ts";
import type { Region } from "../memory/region.ts";
import type { MachineParts } from "./board.ts";
import { connect, scriptLines } from "./connect.ts";
import { checkConfig, type CheckedConfig, checkKeys, integer, type MachineConfig } from "./config.ts";
import type { SerialConsole } from "./serial_console.ts";
import { CostMeter } from "./cost_meter.ts";
import { CpuView } from "./cpu_view.ts";
import { makeCpus } from "./cpus.ts";
import type { Hypervisor } from "./platform.ts";
import { bytesOf, Images } from "./images.ts";
import { noteRun } from "./last_run.ts";
import { makeMemory } from "./layout.ts";
import { MemoryView } from "./memory_view.ts";
import type { Bootable, LoadTarget, Program } from "./program.ts";
import { Driver } from "./driver.ts";
import { RunLoop, type StopDraft } from "./run_loop.ts";
import { runAsync, type RunAsyncOptions } from "./run_async.ts";
import { checkShape } from "./shapes.ts";
import { Snapshot } from "./snapshot.ts";
import { StateKeeper } from "./state_keeper.ts";
import { POLL_EVERY, toCondition, type Until } from "./until.ts";

/** How long a run may take. */
export interface RunOptions {
  /** Instructions, all CPUs together; default {@linkcode DEFAULT_BUDGET}, or no limit when `ticks` is given. */
  readonly instructions?: number;
  /** Virtual time in ticks; default no limit. */
  readonly ticks?: number;
  /** A condition that ends the run. */
  readonly until?: Until;
}

/** Instructions a run may execute when nothing else is said. */
export const DEFAULT_BUDGET = 100_000_000;

/** One composed guest. */
export class Machine implements LoadTarget {
  /** The first CPU. */
  readonly cpu: CpuView;
  /** All CPUs. */
  readonly cpus: readonly CpuView[];
  /** Virtual time. */
  readonly clock: Clock;
  /** Physical address space. */
  readonly space: AddressSpace;
  /** I/O ports; `read` and `write` are what IN and OUT would do. */
  readonly ports: PortSpace;
  /** All hooks. */
  readonly hooks: HookTable;
  /** What happened lately. */
  readonly trace: Trace;
  /** Memory by physical address. */
  readonly physical: MemoryView;
  /** Memory by linear address, as the first CPU translates it now. */
  readonly linear: MemoryView;
  /** The machine's seeded random numbers, for scripts and test devices; not part of a snapshot. */
  readonly prng: Prng;
  /** What the cost model has counted, if the description gave one. */
  readonly costs: CostMeter | undefined;
  readonly #config: CheckedConfig;
  readonly #parts: MachineParts;
  readonly #loop: RunLoop;
  readonly #keeper: StateKeeper;
  readonly #images: Images = new Images();
  readonly #driver: Driver;
  readonly #drive: (n: number, level: boolean) => void;
  #entered = false;

  /** Builds the machine. @param config Description. @throws {ConfigError} For everything that is wrong with it. */
  constructor(config: MachineConfig) {
    const c = checkConfig(config);
    this.#config = c;
    this.clock = new Clock(c.hz);
    this.hooks = new HookTable();
    this.trace = new Trace(c.trace);
    this.prng = new Prng(c.seed);
    this.costs = c.costs === undefined ? undefined : new CostMeter(c.costs, (ticks) => this.#loop.charge(ticks));
    const layout = makeMemory(c.cpus, c.memory);
    this.space = new AddressSpace(layout.memory, layout.regionsAt);
    for (const region of c.memory) this.space.add(region);
    this.ports = new PortSpace(this.hooks);
    this.#parts = {
      clock: this.clock,
      space: this.space,
      ports: this.ports,
      hooks: this.hooks,
      cpus: [],
      platform: config.platform,
      hypervisor: c.hypervisor,
      note: (kind, text) => this.note(kind, text),
      request: (draft) => this.requestStop(draft),
      charge: (ticks) => this.#loop.charge(ticks),
      costs: this.costs,
      pc: () => this.#current.pc,
      current: () => this.#loop.current,
      running: () => this.#loop.isRunning,
      pause: () => this.#loop.pause(),
      attention: () => this.#loop.attention(),
      fail: (error) => this.#driver.fail(error),
    };
    this.#drive = scriptLines(config.platform);
    const cpus = makeCpus(this.#parts, c.cpus, layout, (vector, errorCode, linear) => {
      this.#keeper.shutdown ??= { vector, errorCode, linear };
      this.#loop.attention();
    });
    this.cpus = cpus.map((cpu) => new CpuView(cpu));
    this.cpu = this.cpus[0];
    this.physical = new MemoryView(this.space, (at) => at);
    this.linear = new MemoryView(this.space, (at) => cpus[0].translate(at));
    this.#loop = new RunLoop({
      cpus,
      clock: this.clock,
      quantum: c.quantum,
      requested: () => this.#driver.requested || this.#keeper.shutdown !== undefined,
      begins: (index) => this.hooks.cpu = index,
    });
    this.#keeper = new StateKeeper(this.#parts, c, this.#loop, [c.hypervisor, this.costs]);
    this.#driver = new Driver({
      loop: this.#loop,
      parts: this.#parts,
      reboot: c.onReset === "reboot",
      reset: () => this.reset(),
      shutdown: () => this.#keeper.shutdown,
    });
    connect(this.#parts, c, () => this.#loop.attention());
    for (const component of this.#keeper.components) component.reset();
  }

  /** Regions of the physical address space, by address. */
  get regions(): readonly Region[] {
    return this.space.regions;
  }

  /** Virtual time in ticks since power-on. */
  get now(): number {
    return this.clock.now;
  }

  /** The CPU that runs or ran last: the program counter of a stop reason is this one's. */
  get current(): CpuView {
    return this.cpus[this.#loop.current];
  }

  /** The hypervisor interface, if the description gave one. */
  get hypervisor(): Hypervisor | undefined {
    return this.#parts.hypervisor;
  }

  /** The first serial port's far end. @throws {ConfigError} no-serial */
  get serial(): SerialConsole {
    if (this.#config.serial !== undefined) return this.#config.serial;
    throw new ConfigError(
      "no-serial",
      "This machine has no serial port; use pc(), or give serial and a device that feeds it",
    );
  }

  /** The end of the serial output, empty without a serial port. */
  serialTail(size = 400): string {
    return this.#config.serial?.tail(size) ?? "";
  }

  // --- loading

  /**
   * Puts bytes or a program into physical memory (RAM or ROM). The first program loaded since the last run is entered:
   * the CPU is reset and starts at `at`, in flat 32-bit protected mode for 32-bit programs, in real mode for 16-bit
   * ones; the stack is below `at`, or at the end of its RAM when `at` leaves no 4 KiB below. Bytes are only placed.
   * @throws {ConfigError} load-range
   */
  load(at: number, what: Uint8Array | Program): this {
    const bytes = bytesOf(what, at);
    this.place(at, bytes, what instanceof Uint8Array ? "bytes" : "program");
    if (!(what instanceof Uint8Array) && !this.#entered) {
      this.start(this.#images.startOf(at, what.bits, this.regions));
      this.#entered = true;
    }
    return this;
  }

  /**
   * Loads an image that knows how it is entered (ELF, multiboot, Linux, firmware) and enters it on the first CPU; the
   * others wait to be started.
   * @throws {ConfigError} For everything that is wrong with the image.
   */
  boot(image: Bootable): this {
    checkShape("The image", image, ["load"], "make it with linux(), multiboot(), elf(), firmware() or raw()");
    this.#betweenRuns("boot");
    this.#images.clear();
    const start = image.load(this);
    for (const cpu of this.#parts.cpus) cpu.reset();
    if (start !== undefined) this.start(start);
    this.#entered = true;
    return this;
  }

  /** See {@linkcode LoadTarget.place}. */
  place(at: number, bytes: Uint8Array, what: string): void {
    if (!Number.isInteger(at) || at < 0 || at + bytes.length > 2 ** 32) {
      throw new ConfigError("load-range", `Load address ${at} of ${what} is not within 4 GiB`);
    }
    if (this.space.poke(at, bytes) !== bytes.length) {
      const have = this.regions.filter((r) => r.kind !== "mmio").map((r) => r.name).join(", ");
      throw new ConfigError(
        "load-range",
        `${what}: ${bytes.length} bytes at 0x${at.toString(16).padStart(8, "0")} do not all lie in RAM or ROM (${
          have === "" ? "there is none" : have
        }); load elsewhere or add memory`,
      );
    }
    this.#images.add(at, bytes);
  }

  /** Resets the first CPU and enters a program that is in memory. @throws {ConfigError} start-mode, run-nested */
  start(how: CpuStart): void {
    this.#betweenRuns("start");
    this.cpu.start(how);
    this.#images.start = how;
  }

  // --- running

  /**
   * Runs until a stop reason; always within a budget.
   * @throws {ConfigError} config-key, config-value
   */
  run(options: RunOptions = {}): StopReason {
    checkShape("The argument of run", options, [], "write { instructions: 1_000 }");
    checkKeys("run", options, ["instructions", "ticks", "until"]);
    if (this.#loop.isRunning) throw nested("The machine is running already; use stop() in a hook");
    const budget = options.instructions ?? (options.ticks === undefined ? DEFAULT_BUDGET : Infinity);
    if (budget !== Infinity) integer("instructions", budget, 0, 0, Number.MAX_SAFE_INTEGER);
    if (!((options.ticks ?? 0) >= 0)) throw new ConfigError("config-value", `ticks must not be ${options.ticks}`);
    this.#entered = false;
    if (this.#driver.off) return { kind: "power-off", eip: this.#cpu0.pc };
    const until = options.until === undefined ? undefined : toCondition(options.until);
    if (until?.test() === true) return { kind: "until", name: until.name, eip: this.#cpu0.pc };
    const quit = until?.listen?.(this, () => this.requestStop({ kind: "until", name: until.name }));
    const isPolled = until !== undefined && (quit === undefined || until.every !== undefined);
    try {
      return this.#driver.run({
        budget,
        deadline: this.clock.now + (options.ticks ?? Infinity),
        poll: isPolled ? (): boolean => until.test() : undefined,
        name: until?.name ?? "",
        every: isPolled ? until.every ?? POLL_EVERY : Infinity,
      });
    } finally {
      quit?.();
      noteRun(this);
    }
  }

  /** Runs one instruction (or delivers one interrupt or fault) of the CPU whose turn it is. */
  step(): StopReason {
    return this.run({ instructions: 1 });
  }

  /** Runs in pieces and lets the event loop breathe between them; see {@linkcode RunAsyncOptions}. */
  runAsync(options: RunAsyncOptions = {}): Promise<StopReason> {
    return runAsync(this, options);
  }

  /** Ends the run at the next instruction boundary as `{ kind: "stopped", name }`; between runs: the next one at once. */
  stop(name = "stop"): void {
    this.requestStop({ kind: "stopped", name });
  }

  /** Asks for any stop reason; the first cause wins, later ones go to the trace. For components and backends. */
  requestStop(draft: StopDraft): void {
    this.#driver.request(draft);
  }

  /**
   * Power-on state of CPUs and devices; memory stays, loaded images and the entry are put in place again.
   * @throws {ConfigError} run-nested
   */
  reset(): void {
    this.#betweenRuns("reset");
    this.#driver.clear(false);
    this.#keeper.shutdown = undefined;
    this.#loop.reset();
    this.space.setA20(true);
    for (const c of this.#keeper.components) c.reset();
    for (const { at, bytes } of this.#images.list) this.space.poke(at, bytes);
    const how = this.#images.start;
    if (how !== undefined) this.#cpu0.start?.(how);
  }

  // --- state

  /** Complete state at this instruction boundary; pages are shared with earlier snapshots. */
  snapshot(): Snapshot {
    this.#betweenRuns("snapshot");
    return this.#keeper.snapshot(this.#driver.off);
  }

  /**
   * Goes to a snapshot of this machine, or of one described alike. Hooks and trace stay;
   * the serial console's text goes back with the machine.
   * @throws {ConfigError} snapshot-mismatch, snapshot-version
   */
  restore(snapshot: Snapshot): void {
    this.#betweenRuns("restore");
    if (!(snapshot instanceof Snapshot)) {
      throw new ConfigError("snapshot-format", "restore takes what snapshot() or Snapshot.fromBytes() gave");
    }
    this.#driver.clear(this.#keeper.restore(snapshot));
  }

  /** Sixteen hex digits over the complete state. */
  hash(): string {
    return this.snapshot().hash();
  }

  /** Copies physical memory without side effects. */
  peek(at: number, size: number): Uint8Array {
    return this.physical.peek(at, size);
  }

  /** Changes physical RAM or ROM without side effects. @throws {ConfigError} memory-unmapped */
  poke(at: number, bytes: Uint8Array): void {
    if (this.physical.poke(at, bytes) === bytes.length) return;
    throw new ConfigError("memory-unmapped", `${bytes.length} bytes from ${hex(at)} do not all lie in RAM or ROM`);
  }

  /** Reads physical memory as the guest would, u32. */
  read(at: number, width: 8 | 16 | 32 = 32): number {
    return this.physical.read(at, width);
  }

  /** Writes physical memory as the guest would. */
  write(at: number, value: number, width: 8 | 16 | 32 = 32): void {
    this.physical.write(at, value, width);
  }

  /** Leaves an entry in the trace. */
  note(kind: string, text: string): void {
    this.trace.add({ time: this.clock.now, cpu: this.#loop.current, kind, eip: this.#current.pc, text });
  }

  /** Raises or drops interrupt line `n` of the board. @throws {ConfigError} no-platform */
  irq(n: number, level: boolean): void {
    this.#drive(n, level);
  }

  /** Hook shortcut; see {@linkcode HookTable.onCode}. */
  onCode: HookTable["onCode"] = (where, fn) => this.hooks.onCode(where, fn);
  /** Hook shortcut; see {@linkcode HookTable.onInstruction}. */
  onInstruction: HookTable["onInstruction"] = (match, fn) => this.hooks.onInstruction(match, fn);
  /** Hook shortcut; see {@linkcode HookTable.onBlock}. */
  onBlock: HookTable["onBlock"] = (fn) => this.hooks.onBlock(fn);
  /** Hook shortcut; see {@linkcode HookTable.onMemory}. */
  onMemory: HookTable["onMemory"] = (watch, fn) => this.hooks.onMemory(watch, fn);
  /** Hook shortcut; see {@linkcode HookTable.onPort}. */
  onPort: HookTable["onPort"] = (where, fn) => this.hooks.onPort(where, fn);
  /** Hook shortcut; see {@linkcode HookTable.onInterrupt}. */
  onInterrupt: HookTable["onInterrupt"] = (vector, fn) => this.hooks.onInterrupt(vector, fn);
  /** Hook shortcut; see {@linkcode HookTable.onFault}. */
  onFault: HookTable["onFault"] = (vector, fn) => this.hooks.onFault(vector, fn);
  /** Hook shortcut; see {@linkcode HookTable.onHypercall}. */
  onHypercall: HookTable["onHypercall"] = (name, fn) => this.hooks.onHypercall(name, fn);

  get #cpu0(): Cpu {
    return this.#parts.cpus[0];
  }

  get #current(): Cpu {
    return this.#driver.current;
  }

  #betweenRuns(what: string): void {
    if (this.#loop.isRunning) throw nested(`${what}() is not possible while an instruction executes`);
  }
}

const nested = (text: string): ConfigError => new ConfigError("run-nested", text);

/**
 * Composes a machine.
 * @throws {ConfigError} For everything that is wrong with the description.
 */
export function machine(config: MachineConfig): Machine {
  return new Machine(config);
}

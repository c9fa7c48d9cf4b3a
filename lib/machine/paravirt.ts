/**
 * The paravirtual interface in a machine: maps the option ROM, hands hypercalls to the dispatcher, wires alarms to
 * interrupt line 0, watches the ROM's plain code through a code hook, and makes calls on behalf of scripts.
 *
 * An injected call is made as the guest would make it, at an instruction boundary: general registers, flags and the words
 * below the stack pointer are saved before and restored after. A slot that only traps is answered at once; code runs in
 * the guest with interrupts off, observed like any call, and returns to a trap in the ROM. What the call did otherwise (control registers,
 * memory, the interrupt flag of the interrupt calls) stays. Warm.
 *
 * Not emulated: a second CPU in an injected call; injection while the guest is in ring 3 or has not called Init yet,
 * for calls that are plain code.
 */
import type { Section } from "../core/component.ts";
import type { Cpu, GuestContext } from "../core/cpu.ts";
import { ConfigError } from "../core/errors.ts";
import { checkKeys } from "../core/keys.ts";
import type { MonitorContext } from "../core/monitor.ts";
import { ram, rom } from "../memory/region.ts";
import { checkShape } from "./shapes.ts";
import type { Region } from "../memory/region.ts";
import { Flag, Reg } from "../spec/i386_regs.ts";
import type { ParavirtName } from "../spec/paravirt_calls.ts";
import { ParavirtProbe } from "../spec/paravirt_rom.ts";
import { type AnyArgs, type CallPlan, placeArgs, readResult, writeResult } from "../vmi/paravirt/arguments.ts";
import type { KillCode, ParavirtBackend } from "../vmi/paravirt/backend.ts";
import { checkInjectedArgs } from "../vmi/injected_args.ts";
import { Paravirt } from "../vmi/paravirt/dispatch.ts";
import type { DispatchHost } from "../vmi/paravirt/dispatch_host.ts";
import { known } from "../vmi/paravirt/observers.ts";
import type { AfterFn, BeforeFn, CallCounts, OverrideFn } from "../vmi/paravirt/observers.ts";
import type { Recording, RecordOptions } from "../vmi/paravirt/record.ts";
import type { ParavirtRom, ParavirtRomOptions } from "../vmi/paravirt/rom.ts";
import type { Hypervisor, HypervisorHost } from "./platform.ts";

/** Where the ROM lies unless told otherwise: above the video BIOS. */
export const PARAVIRT_ROM_AT = 0xc8000;

/** What can be chosen; only the backend must be given. */
export interface ParavirtOptions extends ParavirtRomOptions {
  /** Who answers the calls, e.g. `native()`. */
  readonly backend: ParavirtBackend;
  /** Physical address of the ROM; page aligned, from 0xC0000 to below 0xE0000. */
  readonly at?: number;
}

/** Counters of the paravirtual interface, each by name. */
export interface ParavirtStats {
  /** Calls that trapped. */
  readonly calls: Readonly<Record<string, number>>;
  /** Exits by reason, and whatever else the backend counts; nothing for `native` and `scripted`. */
  readonly backend: Readonly<Record<string, number>>;
}

const ROM_KEYS = ["backend", "at", "virtualTop", "licence", "manufacturer", "product", "api", "version"] as const;
/** Words below the stack pointer that an injected call may use. */
const STACK_ROOM = 256;
/** Where no call is made. */
const USER_RING = 3;
/** Instructions an injected call may take. */
const INJECT_BUDGET = 1_000_000;
/** Calls whose effect is the interrupt flag. */
const INTERRUPT_CALLS: readonly ParavirtName[] = ["EnableInterrupts", "DisableInterrupts", "SetInterruptMask"];
/** Calls that do not come back to whoever injects them. */
const NEVER_BACK: readonly ParavirtName[] = ["IRET", "SYSEXIT", "Halt", "Reboot", "Shutdown"];

/** The paravirtual interface of one machine. */
export class ParavirtHypervisor implements Hypervisor {
  /** Name of the component. */
  readonly name: string = "paravirt";
  /** The option ROM. */
  readonly regions: readonly Region[];
  /** Physical memory of the backend, which no device reaches. */
  readonly privateMemory: { readonly at: number; readonly size: number } | undefined;
  /** Physical address of the ROM. */
  readonly at: number;
  readonly #dispatch: Paravirt;
  #host: HypervisorHost | undefined;
  /** Guests by CPU, as far as they have executed. */
  #guests: GuestContext[] = [];
  /** While a call is injected: why it would have killed the guest, or empty. */
  #refused: string | undefined;

  /** Builds the ROM. @throws {ConfigError} config-key, paravirt-place, rom-option, rom-slot, rom-size */
  constructor(options: ParavirtOptions) {
    checkKeys("the paravirtual ROM", options, ROM_KEYS);
    this.at = options.at ?? PARAVIRT_ROM_AT;
    if (this.at % 0x1000 !== 0 || this.at < ParavirtProbe.from || this.at >= ParavirtProbe.to) {
      throw new ConfigError(
        "paravirt-place",
        `A guest looks for the ROM at 0xc0000 to 0xdffff, not at 0x${this.at.toString(16)}; give a page in that range`,
      );
    }
    checkShape(
      "backend",
      options.backend,
      ["attach", "slot", "call", "reset", "save", "load"],
      "make it with native()",
    );
    this.#dispatch = new Paravirt(options.backend, () => this.#dispatchHost(), options);
    const own = options.backend.memory;
    this.privateMemory = own;
    this.regions = [
      ...(options.backend.hidden === true
        ? []
        : [rom({ at: this.at, bytes: this.#dispatch.rom.bytes, name: "paravirt-rom" })]),
      ...(own === undefined ? [] : [ram({ ...own, name: "hypervisor", hidden: true })]),
    ];
  }

  /** Names of the calls; none where the guest is told nothing. */
  get calls(): readonly string[] {
    return this.backend.hidden === true ? [] : this.rom.slots.map((slot) => slot.name);
  }

  // --- for scripts

  /** The ROM as built. */
  get rom(): ParavirtRom {
    return this.#dispatch.rom;
  }
  /** Who answers. */
  get backend(): ParavirtBackend {
    return this.#dispatch.backend;
  }
  /** Linear address of the ROM as the guest sees it, or -1 before the guest's first trap. */
  get base(): number {
    return this.#dispatch.base;
  }
  /** What was counted since power-on: calls that trapped, by name, and what the backend counts itself. */
  stats(): ParavirtStats {
    return { calls: this.#dispatch.trapped, backend: this.backend.stats?.() ?? {} };
  }
  /**
   * Somebody else has the processor of CPU `cpu` for `ticks`: virtual time goes on, and the guest sees them as stolen.
   * @throws {ConfigError} paravirt-time
   */
  steal(ticks: number, cpu = 0): void {
    const { charge } = this.#attached();
    if (this.backend.steal === undefined) {
      throw new ConfigError("paravirt-time", `Backend ${this.backend.name} keeps no account of stolen time`);
    }
    this.backend.steal(cpu, ticks);
    charge(ticks);
  }
  /**
   * The wall clock that the guest asks for jumps to this time, nanoseconds since 1970 UTC, and goes on from there.
   * @throws {ConfigError} paravirt-time
   */
  setWallclock(nanoseconds: bigint): void {
    this.#attached();
    if (this.backend.setWallclock === undefined) {
      throw new ConfigError("paravirt-time", `Backend ${this.backend.name} has no wall clock that can be set`);
    }
    this.backend.setWallclock(nanoseconds);
  }
  /** See {@linkcode Paravirt.record}. */
  record(options?: RecordOptions): Recording {
    return this.#dispatch.record(options);
  }
  /** Begins to count all calls by name, those that do not trap as well; until it is stopped each call costs host time. */
  countCalls(): CallCounts {
    return this.#dispatch.countCalls();
  }
  /** See {@linkcode Paravirt.before}. */
  before<N extends ParavirtName>(name: N, fn: BeforeFn<N>): () => void {
    return this.#dispatch.before(name, fn);
  }
  /** See {@linkcode Paravirt.after}. */
  after<N extends ParavirtName>(name: N, fn: AfterFn<N>): () => void {
    return this.#dispatch.after(name, fn);
  }
  /** See {@linkcode Paravirt.override}. */
  override<N extends ParavirtName>(name: N, fn: OverrideFn<N>): () => void {
    return this.#dispatch.override(name, fn);
  }

  /**
   * Makes a call as if the guest had made it, at this instruction boundary.
   * @returns Its result as its kind: a bigint for 64 bits, u32, or `undefined` for a call without one.
   * @throws {ConfigError} paravirt-call, inject-argument, inject-state, inject-fault, inject-kill
   */
  call(name: string, args: AnyArgs = {}): number | bigint | undefined {
    const plan = known(name);
    const isWide = (arg: string): boolean => plan.args.some((a) => a.name === arg && a.places.length > 1);
    checkInjectedArgs(name, plan.args.map((a) => a.name), (arg) => isWide(arg) ? 64 : 32, args);
    const { context, cpus } = this.#attached();
    const guest = context(0);
    const slot = this.#dispatch.slot(plan.name);
    const saved = saveRegisters(guest);
    const halted = guest.halted;
    try {
      const code = slot.lines.length > (slot.trap ? 2 : 0) && !NEVER_BACK.includes(plan.name);
      const runs = code && this.#dispatch.base >= 0 && guest.cpl !== USER_RING;
      if (!runs && (slot.trap || this.#dispatch.overrides(plan.no))) {
        const answer = this.#answer(guest, plan, args);
        if (answer !== "native") return answer;
      }
      return this.#runCode(guest, cpus[0] as Cpu, plan, args);
    } catch (error) {
      if (error instanceof Error) throw error;
      throw new ConfigError("inject-fault", `The injected ${plan.name} met a fault of the guest; it was not done`);
    } finally {
      const mask = INTERRUPT_CALLS.includes(plan.name) ? Flag.if : 0;
      restoreRegisters(guest, saved, mask);
      guest.halted = halted;
    }
  }

  // --- for the machine

  /** See {@linkcode Hypervisor.attach}. */
  attach(host: HypervisorHost): void {
    this.#host = host;
    this.#guests = [];
    this.#dispatch.attach();
    host.hooks.hypercallsChanged = (): void => this.#dispatch.hooksChanged();
  }
  /** See {@linkcode Hypervisor.hypercall}. */
  hypercall(cpu: number): boolean {
    return this.#dispatch.hypercall(this.#guestOf(cpu));
  }
  /** See {@linkcode Hypervisor.deviceWrites}. */
  deviceWrites(at: number, size: number): void {
    this.backend.deviceWrites?.(at, size);
  }
  /** Power-on state. */
  reset(): void {
    this.#dispatch.reset();
  }
  /** Complete state. */
  save(): Section {
    return this.#dispatch.save();
  }
  /** Restores. @throws {ConfigError} snapshot-version, snapshot-mismatch */
  load(section: Section): void {
    this.#dispatch.load(section);
  }

  /** The guest on a CPU that executes now. */
  #guestOf(cpu: number): GuestContext {
    return this.#guests[cpu] ??= this.#attached().context(cpu);
  }

  #attached(): HypervisorHost {
    if (this.#host === undefined) {
      throw new ConfigError(
        "paravirt-machine",
        "This paravirtual interface is in no machine yet; give it to machine()",
      );
    }
    return this.#host;
  }

  #dispatchHost(): DispatchHost {
    const host = this.#attached();
    const line = host.irq(0);
    return {
      clock: host.clock,
      hooks: host.hooks,
      cpus: host.cpus.length,
      current: () => host.current(),
      onDeviceAccess: (fn: (cpu: number) => void) => host.onDeviceAccess(fn),
      isRam: (at: number) => host.isRam(at),
      a20: () => host.a20(),
      spend: host.spend,
      hasLocalTimer: host.hasLocalTimer,
      localTimer: (cpu: number) => host.localTimer(cpu),
      monitor: (cpu: number): MonitorContext | undefined => monitorOf(host.context(cpu)),
      delivering: (kind, vector, errorCode, linear): void => {
        if (kind === "exception") host.hooks.fireFault(vector, errorCode, linear);
        else host.hooks.fireInterrupt(vector, kind);
      },
      raiseTimer: (): void => {
        line.set(false);
        line.set(true);
      },
      trace: (text: string): void => host.trace("hypercall", text),
      pass: (ticks: number): void => host.charge(ticks),
      stop: (name: string): void => host.hooks.stopRequested(name),
      kill: (call: string, code: KillCode, eip: number): void => {
        if (this.#refused === undefined) host.kill(call, code, eip);
        else this.#refused = code;
      },
      watch: (addresses, fn) => {
        const { hooks } = host, stop = hooks.codeStop;
        return hooks.watchCode(addresses, (linear) => fn(this.#guestOf(hooks.cpu), linear, stop));
      },
    };
  }

  /** A call that is answered outside the guest. */
  #answer(guest: GuestContext, plan: CallPlan, args: AnyArgs): number | bigint | undefined | "native" {
    const full = Object.fromEntries(plan.args.map((a) => {
      const value = args[a.name] ?? 0;
      return [a.name, a.places.length > 1 ? BigInt(value) : Number(BigInt.asUintN(32, BigInt(value)))];
    }));
    for (const [place, value] of placeArgs(plan, full)) {
      if (place !== "stack0" && place !== "stack1") guest.setReg(Reg[place], value);
    }
    const answer = this.#dispatch.answer(guest, plan, full);
    if (typeof answer === "object") throw killed(plan, answer.kill);
    if (answer === "native" || answer === undefined) return answer;
    writeResult(guest, plan, answer); // registers hold it as its kind; they are restored later
    return readResult(guest, plan);
  }

  /** A call that is code in the ROM: runs it in the guest until it returns to the trap for injected calls. */
  #runCode(guest: GuestContext, cpu: Cpu, plan: CallPlan, args: AnyArgs): number | bigint | undefined {
    const slot = this.#dispatch.slot(plan.name);
    const base = this.#dispatch.base;
    if (NEVER_BACK.includes(plan.name)) throw state(plan, "it does not return to whoever calls it");
    if (slot.lines.length === 0) throw state(plan, `backend ${this.backend.name} leaves it to the guest's native way`);
    if (base < 0) throw state(plan, "the guest has not called Init yet, so the ROM has no linear address");
    if (guest.cpl === USER_RING) throw state(plan, "the guest is in ring 3, and its code is for the kernel");
    if (this.#attached().running()) throw state(plan, "it is code in the ROM, and an instruction executes already");
    const esp = guest.reg(Reg.esp);
    const below = new Uint8Array(STACK_ROOM);
    const bottom = (esp - STACK_ROOM) >>> 0;
    if (!guest.peek(bottom, below)) throw state(plan, "the guest's stack is not mapped");
    const host = this.#attached();
    let back = false;
    this.#refused = "";
    this.#dispatch.onInjectedReturn(() => {
      back = true;
      cpu.interruptSlice();
    });
    try {
      this.#enterCode(guest, plan, args, base + slot.at, base + this.rom.returnAt);
      let ran = 0;
      while (!back && ran < INJECT_BUDGET) {
        const before = cpu.instructions;
        const exit = cpu.run(1000);
        ran += cpu.instructions - before;
        if (exit === "halted" || exit === "shutdown") break;
      }
      host.clock.advance(ran);
      if (this.#refused !== "") throw killed(plan, this.#refused);
      if (!back) throw state(plan, "it faulted, halted or did not come back; the guest's state is lost");
      return readResult(guest, plan);
    } finally {
      this.#refused = undefined;
      this.#dispatch.onInjectedReturn(undefined);
      guest.poke(bottom, below);
    }
  }

  /** Registers and stack as a caller in the guest would have them. */
  #enterCode(guest: GuestContext, plan: CallPlan, args: AnyArgs, entry: number, back: number): void {
    const placed = placeArgs(plan, args);
    const frame = new DataView(new ArrayBuffer(12));
    frame.setUint32(0, back >>> 0, true);
    for (const [place, value] of placed) {
      if (place === "stack0") frame.setUint32(4, value, true);
      else if (place === "stack1") frame.setUint32(8, value, true);
      else guest.setReg(Reg[place], value);
    }
    const esp = ((guest.reg(Reg.esp) & ~3) - 12) >>> 0;
    guest.poke(esp, new Uint8Array(frame.buffer));
    guest.setReg(Reg.esp, esp);
    guest.eip = entry >>> 0;
    guest.halted = false;
    guest.eflags = guest.eflags & ~(Flag.if | Flag.tf | Flag.df);
  }
}

/** The paravirtual interface for `machine({ paravirt: paravirt({ backend: native() }) })`. */
export function paravirt(options: ParavirtOptions): ParavirtHypervisor {
  return new ParavirtHypervisor(options);
}

function monitorOf(context: GuestContext): MonitorContext | undefined {
  return "interceptor" in context ? context as MonitorContext : undefined;
}

interface SavedRegisters {
  readonly general: readonly number[];
  readonly eip: number;
  readonly eflags: number;
}

function saveRegisters(guest: GuestContext): SavedRegisters {
  return { general: [0, 1, 2, 3, 4, 5, 6, 7].map((n) => guest.reg(n)), eip: guest.eip, eflags: guest.eflags };
}

/** `kept`: flags that stay as they are now. */
function restoreRegisters(guest: GuestContext, saved: SavedRegisters, kept: number): void {
  saved.general.forEach((value, n) => guest.setReg(n, value));
  guest.eip = saved.eip;
  guest.eflags = (saved.eflags & ~kept) | (guest.eflags & kept);
}

function killed(plan: CallPlan, code: string): ConfigError {
  return new ConfigError("inject-kill", `The injected ${plan.name} would have killed the guest: ${code}`);
}

function state(plan: CallPlan, why: string): ConfigError {
  return new ConfigError("inject-state", `${plan.name} cannot be injected now: ${why}`);
}

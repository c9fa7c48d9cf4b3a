/**
 * The contract of a paravirtual backend: who answers the calls of the guest, and how.
 *
 * For each call a backend plans a slot of the ROM: nothing (the guest keeps its native way), no operation, or code. Code
 * may begin with a trap (a hypercall instruction): then {@linkcode ParavirtBackend.call} is asked first, and the code
 * behind the trap runs only if it answers `"native"`. A slot without trap costs the guest a call and a return, and the
 * host nothing. A backend of one's own is an object of this interface. Cold contract, warm calls.
 */
import type { CostName } from "../../core/costs.ts";
import type { Clock } from "../../core/clock.ts";
import type { FieldValue, Section } from "../../core/component.ts";
import type { GuestContext } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import type { InterceptKind, MonitorContext } from "../../core/monitor.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import type { AnyArgs, ParavirtArgs } from "./arguments.ts";

/** Why a hypercall ended the guest. */
export type KillCode =
  /** The trap at this place belongs to no call. */
  | "unknown-call"
  /** An argument has no meaning, or the stack that holds it is not mapped. */
  | "bad-argument"
  /** The backend was told to answer every call and has no answer to this one. */
  | "unanswered"
  /** A script refused the call. */
  | "refused"
  /** The call needs Init, which was not called. */
  | "not-initialized"
  /** The guest reached for memory that belongs to the hypervisor. */
  | "hypervisor-memory"
  /** The guest uses as page table what cannot be one. */
  | "page-table"
  /** The guest switches tasks in a way that is not emulated. */
  | "task-switch";

/** Ends the guest. */
export interface Kill {
  /** The reason. */
  readonly kill: KillCode;
}

/**
 * What a call is answered with: a result, `undefined` (nothing, or registers set by hand through
 * {@linkcode ParavirtCall.guest}), `"native"` (go on with the code in the slot), or the end of the guest.
 */
export type CallAnswer = number | bigint | undefined | "native" | Kill;

/** One call of the guest, as backends and scripts see it. */
export interface ParavirtCall<N extends ParavirtName = ParavirtName> {
  /** Number; the two entries count on after the calls. */
  readonly no: number;
  /** The interface's own name. */
  readonly name: N;
  /** Arguments by the names of the call table: u32, bigint for 64 bits. */
  readonly args: ParavirtName extends N ? AnyArgs : ParavirtArgs<N>;
  /** Number of the CPU that calls. */
  readonly cpu: number;
  /** Linear address of the slot. */
  readonly eip: number;
  /** Return address: the instruction after the guest's call. Meaningless where the guest jumps (IRET, SYSEXIT). */
  readonly from: number;
  /** Virtual time in ticks. */
  readonly time: number;
  /** The guest, at the entry of the call. */
  readonly guest: GuestContext;
  /** Asks the run to end at this instruction boundary, with the stop reason `hook` of this name; default: the call's. */
  stop(name?: string): void;
  /** Ends the run as `killed`; the call is not answered. */
  kill(code?: KillCode): void;
  /**
   * `ticks` of virtual time pass before the call goes on; alarms and devices that are due then come when it has its answer.
   * @throws {ConfigError} paravirt-time
   */
  delay(ticks: number): void;
  /**
   * Has the backend do the call now, with some arguments changed perhaps: once more, or later than the guest has made it,
   * out of whatever function of the script. What it may not do is a fault or the end of the guest, as if the guest had
   * asked. @returns The backend's answer, which an override may give on.
   * @throws {ConfigError} paravirt-forward: the call does not return, has no such argument, or is code in the ROM that does
   * more than store.
   */
  forward(changed?: Readonly<Record<string, number | bigint>>): CallAnswer;
}

/** What the ROM holds for a call. */
export type SlotPlan =
  /** The guest keeps its native operation. */
  | { readonly reloc: "none" }
  /** The guest erases the operation. */
  | { readonly reloc: "nop" }
  /** Code that the guest reaches by CALL or JMP. */
  | {
    readonly reloc: "call" | "jump";
    /** True: a hypercall instruction stands before the code. */
    readonly trap: boolean;
    /** Lines of code, each `hex bytes | mnemonic`. Position independent. */
    readonly code: readonly string[];
  };

/** What a machine gives a backend. */
export interface ParavirtHost {
  /** Virtual time. */
  readonly clock: Clock;
  /** Number of CPUs. */
  readonly cpus: number;
  /** A CPU in the hands of a monitor; `undefined`: this kind of CPU cannot be. */
  monitor(cpu: number): MonitorContext | undefined;
  /** Calls `fn` at each access of a CPU to a device's registers in memory, with the number of the CPU. */
  onDeviceAccess(fn: (cpu: number) => void): void;
  /** Is there RAM at this physical address? */
  isRam(at: number): boolean;
  /** Does address line 20 go through? */
  a20(): boolean;
  /** An event is about to be delivered to the guest by the backend: fires the machine's hooks. */
  delivering(kind: InterceptKind, vector: number, errorCode: number, linear: number): void;
  /** An event that has a price came `times` times, at the current instruction; nothing without a table of costs. */
  readonly spend: (what: CostName, times: number) => void;
  /** Ends the run as `killed`. */
  kill(what: string, code: KillCode, eip: number): void;
  /** An edge on interrupt line 0, where alarms are wired unless they say otherwise. */
  raiseTimer(): void;
  /** Does the machine have local timers? */
  readonly hasLocalTimer: boolean;
  /** Requests the vector of a CPU's local timer; false: it is masked, or there is none. */
  localTimer(cpu: number): boolean;
  /** Leaves an entry in the machine's trace. */
  trace(text: string): void;
}

/** Who answers the calls. */
export interface ParavirtBackend {
  /** For example `native`. */
  readonly name: string;
  /** True: the guest is told nothing, there is no ROM and no call. */
  readonly hidden?: boolean;
  /** Physical memory that the backend keeps for itself, whole pages; the machine brings it, no guest is told of it. */
  readonly memory?: { readonly at: number; readonly size: number };
  /** What the backend has counted since power-on, by name. */
  stats?(): Readonly<Record<string, number>>;
  /** A device is about to write guest memory. */
  deviceWrites?(at: number, size: number): void;
  /** `ticks` of the real time that passes now are stolen from a CPU. @throws {ConfigError} paravirt-time */
  steal?(cpu: number, ticks: number): void;
  /** The wall clock jumps to this time, nanoseconds since 1970 UTC. @throws {ConfigError} paravirt-time */
  setWallclock?(nanoseconds: bigint): void;
  /** Called once, before the first reset. */
  attach(host: ParavirtHost): void;
  /** What the ROM holds for this call (or `Init`); asked once for each when the ROM is built. */
  slot(name: ParavirtName): SlotPlan;
  /** Answers a trap; the guest stands at its hypercall instruction. */
  call(call: ParavirtCall): CallAnswer;
  /** Power-on state. */
  reset(): void;
  /** Saves complete state. */
  save(): Section;
  /** Restores what `save` gave. */
  load(section: Section): void;
}

/** A section of a backend, to be nested in the section of the machine's paravirtual part. */
export function sectionValue(section: Section): FieldValue {
  return { version: section.version, fields: section.fields };
}

/** The state of a backend, which may be a script's. @throws {ConfigError} paravirt-backend */
export function savedState(backend: ParavirtBackend): FieldValue {
  const section = backend.save() as Section | null | undefined;
  if (Number.isInteger(section?.version) && typeof section?.fields === "object") return sectionValue(section);
  throw new ConfigError(
    "paravirt-backend",
    `Backend ${backend.name} saves no state; its save() must give { version: 1, fields: {} }, with what it has to keep`,
  );
}

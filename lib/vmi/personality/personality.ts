/**
 * The contract of a personality: how a hypervisor of today shows itself to a guest that was not made for this library,
 * in CPUID, model-specific registers, hypercalls and ports. One personality object serves one machine; a personality of
 * one's own is an object of this interface. Cold contract, warm calls.
 */
import type { GuestMemory } from "../../core/bus.ts";
import type { Clock } from "../../core/clock.ts";
import type { FieldValue } from "../../core/component.ts";
import type { GuestContext } from "../../core/cpu.ts";

/** EAX, EBX, ECX, EDX of a CPUID leaf, u32. */
export type CpuidLeaf = readonly [number, number, number, number];

/** One kind of call. */
export interface CallRow<N extends string = string> {
  /** Number as the guest gives it; unique. */
  readonly no: number;
  /** The interface's own name. */
  readonly name: N;
  /** Names of the arguments in order. */
  readonly args: readonly string[];
}

/** The way a call came. */
export type CallWay =
  /** A hypercall instruction. */
  | "instruction"
  /** An access to one of the personality's ports. */
  | "port"
  /** A script. */
  | "script";

/** A call taken from the guest's registers. */
export interface Decoded {
  /** Number in {@linkcode Personality.calls}; that of `UNKNOWN` if it has no row. */
  readonly no: number;
  /** Arguments by name, u32. */
  readonly args: Readonly<Record<string, number>>;
}

/** One call, as personalities and scripts see it. */
export interface Hypercall<N extends string = string> extends Decoded {
  /** The interface's own name. */
  readonly name: N;
  /** How it came. */
  readonly way: CallWay;
  /** Number of the CPU that calls. */
  readonly cpu: number;
  /** EIP of the calling instruction, u32. */
  readonly eip: number;
  /** The same: these interfaces are not called through a table. */
  readonly from: number;
  /** Virtual time in ticks. */
  readonly time: number;
  /** The guest, at the call. */
  readonly guest: GuestContext;
  /** Asks the run to end at this instruction boundary, with the stop reason `hook` of this name; default: the call's. */
  stop(name?: string): void;
  /** Ends the run as `killed`; the call is not answered. */
  kill(): void;
}

/** Registers that a call returns, u32; those left out stay. */
export interface CallRegisters {
  /** The result. */
  readonly eax: number;
  /** EBX. */
  readonly ebx?: number;
  /** ECX. */
  readonly ecx?: number;
  /** EDX. */
  readonly edx?: number;
  /** ESI. */
  readonly esi?: number;
}

/** What a machine gives a personality. */
export interface PersonalityHost {
  /** Virtual time. */
  readonly clock: Clock;
  /** Number of CPUs. */
  readonly cpus: number;
  /** Bytes of RAM as the guest counts them. */
  readonly memoryBytes: number;
  /** Wall-clock time at power-on, seconds from 1970. */
  readonly epoch: number;
  /** Guest memory by physical address. */
  readonly memory: GuestMemory;
  /** Is there RAM at this physical address? */
  isRam(at: number): boolean;
  /** Time-stamp counter of a CPU as the guest would read it now, u64. */
  tsc(cpu: number): bigint;
  /** Privilege level of a CPU, 0-3, as the guest has it. */
  privilege(cpu: number): number;
  /** See `Platform.message`. */
  message(cpu: number, mode: number, vector: number): boolean;
  /** Wakes a CPU that is halted; false: it runs. One that was not started stays so. */
  wake(cpu: number): boolean;
  /** The CPU that executes passes the rest of its turn. */
  pause(): void;
  /** Leaves an entry in the machine's trace. */
  trace(text: string): void;
}

/** How a hypervisor shows itself. */
export interface Personality<N extends string = string> {
  /** For example `kvm`; the name of the machine's component. */
  readonly name: string;
  /** Kinds of calls; the last row, `UNKNOWN`, stands for all others. */
  readonly calls: readonly CallRow<N>[];
  /** Results are i32: errors are negative numbers. Otherwise u32. */
  readonly signed: boolean;
  /** Ports whose 32-bit accesses are calls. */
  readonly ports: readonly number[];
  /** Called once, before the first reset. */
  attach(host: PersonalityHost): void;
  /** A leaf from 0x40000000 to 0x4fffffff. */
  cpuid(cpu: number, leaf: number): CpuidLeaf;
  /** The call that the guest's registers hold; undefined: none of this interface. */
  decode(guest: GuestContext, way: CallWay): Decoded | undefined;
  /** Answers a call: EAX, or several registers. */
  answer(call: Hypercall<N>): number | CallRegisters;
  /** Reads a model-specific register; undefined: not of this interface. */
  readMsr?(cpu: number, msr: number): readonly [number, number] | undefined;
  /** Writes one; false: refused; undefined: not of this interface. */
  writeMsr?(cpu: number, msr: number, low: number, high: number): boolean | undefined;
  /** The time-stamp counter of a CPU was written. */
  tscWritten?(cpu: number): void;
  /** A CPU is about to halt; true: it was woken before. */
  halting?(cpu: number): boolean;
  /** `ticks` of virtual time have been taken from a CPU. Absent: the interface has no account of them. */
  stolen?(cpu: number, ticks: number): void;
  /** Power-on state. */
  reset(): void;
  /** Complete state. */
  save(): { readonly [name: string]: FieldValue };
  /** Restores what `save` gave. */
  load(fields: { readonly [name: string]: FieldValue }): void;
}

/** Number of the `UNKNOWN` row of a table: no guest can give it. */
export const UNKNOWN_CALL = -1;

/** Twelve characters of a signature as EBX, ECX, EDX of its leaf. */
export function signatureWords(text: string): [number, number, number] {
  const word = (at: number): number => {
    let value = 0;
    for (let i = 0; i < 4; i++) value |= (at + i < text.length ? text.charCodeAt(at + i) : 0) << (8 * i);
    return value >>> 0;
  };
  return [word(0), word(4), word(8)];
}

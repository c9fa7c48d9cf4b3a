/**
 * What a hook is told: one event type for each kind of hook. The contract of each kind stands at the method of
 * the hook table that adds it. Cold.
 */
import type { Width } from "./bus.ts";

/** Kinds of hook. */
export type HookKind = "code" | "instruction" | "block" | "memory" | "port" | "interrupt" | "fault" | "hypercall";

/** How memory is touched. */
export type MemoryAccess = "read" | "write" | "execute";

/** What all hook events have. */
export interface HookEvent {
  /** Which kind of hook fired. */
  readonly kind: HookKind;
  /** Index of the CPU that executes. */
  readonly cpu: number;
  /** Ends the run as `{ kind: "hook", name }`, at the boundary the kind's contract names. The first asker wins. */
  stop(name?: string): void;
}

/** An instruction or a block begins. */
export interface CodeEvent extends HookEvent {
  /** Tells the kinds apart. */
  readonly kind: "code" | "instruction" | "block";
  /** Linear address of the instruction, u32. */
  readonly linear: number;
  /** Mnemonic in lower case for instruction hooks, otherwise empty. */
  readonly mnemonic: string;
}

/** Memory is touched. */
export interface MemoryEvent extends HookEvent {
  /** Tells the kinds apart. */
  readonly kind: "memory";
  /** How. */
  readonly access: MemoryAccess;
  /** Linear address of the first byte, u32. */
  readonly linear: number;
  /** Bytes of the access: 1, 2 or 4, a wider operand comes as several accesses; 0 for `execute`. */
  readonly size: number;
  /** Value read or written, u32; 0 for `execute`. */
  readonly value: number;
}

/** A port is read or written. */
export interface PortEvent extends HookEvent {
  /** Tells the kinds apart. */
  readonly kind: "port";
  /** Direction as the CPU sees it. */
  readonly access: "read" | "write";
  /** Port, 0-0xffff. */
  readonly port: number;
  /** Width in bits. */
  readonly width: Width;
  /** u32. Assign to it to change what the guest reads or the device gets. */
  value: number;
}

/** Where an interrupt comes from. */
export type InterruptSource = "external" | "software" | "nmi";

/** An interrupt is about to be delivered. */
export interface InterruptEvent extends HookEvent {
  /** Tells the kinds apart. */
  readonly kind: "interrupt";
  /** Vector, 0-255. */
  readonly vector: number;
  /** Controller, INT n, or the NMI pin. */
  readonly source: InterruptSource;
}

/** A fault is about to be delivered. */
export interface FaultEvent extends HookEvent {
  /** Tells the kinds apart. */
  readonly kind: "fault";
  /** Vector, 0-31. */
  readonly vector: number;
  /** Error code, or -1 if the vector has none. */
  readonly errorCode: number;
  /** Faulting linear address of a page fault, u32; 0 otherwise. */
  readonly linear: number;
}

/** A hypercall is about to be answered, or has been. */
export interface HypercallEvent extends HookEvent {
  /** Tells the kinds apart. */
  readonly kind: "hypercall";
  /** Before the backend answers, or after. */
  readonly phase: "before" | "after";
  /** Name in the interface's own spelling. */
  readonly name: string;
  /** Arguments by name, u32 or bigint. */
  readonly args: { readonly [name: string]: number | bigint };
  /** The result: set in `before` the backend is not asked; set in `after` the guest gets this one. */
  result: number | bigint | undefined;
}

/** A range of memory and the accesses to watch. */
export interface MemoryWatch {
  /** First linear address, u32. */
  readonly at: number;
  /** Bytes; default 1. */
  readonly size?: number;
  /** Default `["read", "write"]`. */
  readonly access?: MemoryAccess | readonly MemoryAccess[];
}

/** Which instructions: one mnemonic in lower case, or a test of it. */
export type InstructionMatch = string | ((mnemonic: string) => boolean);

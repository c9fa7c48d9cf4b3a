/**
 * What devices, CPUs and backends see of one another: ports, memory-mapped registers, interrupt lines, guest memory.
 * Contracts only. Cold.
 */

import type { CostName } from "./costs.ts";

/** Access width in bits. */
export type Width = 8 | 16 | 32;

/** Answers a range of I/O ports. Values are u32, zero-extended from the width. */
export interface PortHandler {
  /** Reads `width` bits from `port` (absolute). */
  read(port: number, width: Width): number;
  /** Writes `width` bits to `port` (absolute). */
  write(port: number, value: number, width: Width): void;
  /**
   * Widths the device answers as one access; wider accesses to it are split into byte accesses at rising ports by the
   * port space. Default: only 8.
   */
  readonly widths?: readonly Width[];
}

/** Registers ports with a machine. */
export interface PortMap {
  /**
   * Claims `count` ports from `first`.
   * @throws {ConfigError} port-overlap: another device owns one of them.
   * @returns A function that gives them back.
   */
  map(first: number, count: number, owner: string, handler: PortHandler): () => void;
}

/** Answers a range of physical addresses. `offset` is from the start of the range. Values are u32. */
export interface MmioHandler {
  /** Reads `width` bits at `offset` bytes. */
  read(offset: number, width: Width): number;
  /** Writes `width` bits at `offset` bytes. */
  write(offset: number, value: number, width: Width): void;
  /** Reads as {@linkcode MmioHandler.read} would but without side effects; defaults to all ones. */
  peek?(offset: number, width: Width): number;
}

/** Registers memory-mapped ranges with a machine. */
export interface MmioMap {
  /**
   * Claims `size` bytes of physical address space from `at`.
   * @throws {ConfigError} region-overlap: another Region owns a part of it.
   * @returns A function that gives it back.
   */
  mapMmio(at: number, size: number, owner: string, handler: MmioHandler): () => void;
}

/** Guest physical memory as a bus master sees it: RAM only, writes are noticed by translated code and dirty tracking. */
export interface GuestMemory {
  /**
   * Copies guest physical memory into `into`. Bytes outside RAM and ROM read as 0xff.
   * @returns Number of bytes that lay in RAM or ROM.
   */
  readPhysical(at: number, into: Uint8Array): number;
  /**
   * Copies `from` into guest RAM. Bytes outside RAM (ROM, MMIO, holes) are dropped.
   * @returns Number of bytes that lay in RAM.
   */
  writePhysical(at: number, from: Uint8Array): number;
}

/** One interrupt request wire. */
export interface IrqLine {
  /** Drives the line: level-triggered meaning, an edge is false then true. */
  set(level: boolean): void;
}

/** What delivers vectors to a CPU: the 8259 pair or a local APIC. */
export interface InterruptController {
  /** True while an interrupt should be taken as soon as the CPU allows it. */
  readonly pending: boolean;
  /** The CPU accepts: returns the vector, 0-255, and moves the request into service. */
  acknowledge(): number;
}

/** Told when {@linkcode InterruptController.pending} may have changed. */
export type InterruptListener = () => void;

/** What the CPU sees of the platform. */
export interface CpuBus {
  /** Reads an I/O port; u32. */
  readPort(port: number, width: 8 | 16 | 32): number;
  /** Writes an I/O port. */
  writePort(port: number, value: number, width: 8 | 16 | 32): void;
  /** Virtual time in ticks, exact at the current instruction. */
  now(): number;
  /** During a slice time goes by with the ticks of this CPU and in no other way: it is alone, and nothing has a price. */
  readonly steady?: boolean;
  /** A model-specific register the platform owns (the local APIC's); undefined: not there. Low and high i32. */
  readMsr(msr: number): readonly [number, number] | undefined;
  /** Writes one; false: not there (the caller raises #GP(0)). */
  writeMsr(msr: number, low: number, high: number): boolean;
  /** Leaves an entry in the machine's trace. */
  trace(kind: string, text: string): void;
  /** The CPU entered shutdown (triple fault). `vector`, `errorCode` and `linear` are those of the first fault. */
  shutdown(vector: number, errorCode: number, linear: number): void;
  /** Ends the run as `unimplemented`. */
  unimplemented(what: string): void;
  /** The program spins: with several CPUs the rest of this CPU's turn may pass as if it had spun on. */
  pause?(): void;
  /** A message came that may give this CPU something to do, whoever has the turn. */
  woken?(): void;
  /**
   * FERR#: an x87 instruction finds an unmasked error pending while CR0.NE is 0 (on a PC: IRQ 13). Returns true while
   * IGNNE# is asserted: the instruction goes on. Absent: no such line on this board.
   */
  ferr?(): boolean;
  /** FERR# is no longer driven: the error was cleared or masked. */
  ferrClear?(): void;
  /**
   * The guest executed a hypercall instruction; the CPU stands at it with exact state. True: answered (the CPU goes on
   * after the instruction, or where the answer has set EIP); false: nobody listens, the instruction is undefined.
   */
  hypercall?(): boolean;
  /**
   * A leaf of CPUID that belongs to a hypervisor (0x40000000 to 0x4fffffff), EAX, EBX, ECX, EDX; undefined: there is no
   * hypervisor that tells of itself, and CPUID says so.
   */
  cpuid?(leaf: number): readonly [number, number, number, number] | undefined;
  /** An event that has a price came `times` times, at this instruction. Absent: all is free. */
  spend?(what: CostName, times: number): void;
  /** The time-stamp counter was written. */
  tscWritten?(): void;
  /** The CPU is about to halt until an interrupt comes; true: somebody has woken it already, it goes on at once. */
  halting?(): boolean;
}

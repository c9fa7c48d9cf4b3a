/**
 * The contract of an instruction set: what a user writes to have a processor of an architecture of one's own. Slices,
 * hooks, interrupts, snapshots and disassembly of ranges are done around it, by `plainCpu`.
 *
 * Memory is what the bus has: linear and physical addresses are the same. Contracts only. Cold.
 */
import type { Width } from "./bus.ts";

/** What an instruction may see and change. */
export interface InstructionContext {
  /** Registers by name, u32, `pc` among them; while an instruction executes `pc` follows what was fetched. */
  readonly r: { [name: string]: number };
  /** Interrupts are taken before the next instruction. False at reset. */
  interruptible: boolean;
  /** Which CPU of the machine this is. */
  readonly index: number;
  /** The next bytes of the instruction, little-endian, u32; `pc` goes on. Default: one byte. */
  fetch(width?: Width): number;
  /** Reads memory, u32. Default: one byte. */
  read(at: number, width?: Width): number;
  /** Writes memory. Default: one byte. */
  write(at: number, value: number, width?: Width): void;
  /** Reads an I/O port, u32. Default: one byte. */
  readPort(port: number, width?: Width): number;
  /** Writes an I/O port. Default: one byte. */
  writePort(port: number, value: number, width?: Width): void;
  /** After this instruction the CPU waits for an interrupt. */
  halt(): void;
  /** Asks the machine's hypervisor interface; false: there is none that answers. */
  hypercall(): boolean;
  /**
   * Ends this instruction with a fault: registers are as they were before it. What it wrote to memory stays written:
   * raise first, write then. `vector` 0-31.
   */
  fault(vector: number, linear?: number): never;
}

/** An instruction set. */
export interface InstructionSet {
  /** For example `acc8`. */
  readonly architecture: string;
  /** Names of the registers but `pc`, in display order. One called `sp` gets the stack of a program that is loaded. */
  readonly registers: readonly string[];
  /** Where `pc` stands after a reset; default 0. */
  readonly resetAt?: number;
  /** Fetches one instruction and executes it. */
  execute(cpu: InstructionContext): void;
  /** The instruction whose bytes `next` gives, as text; its first word is the mnemonic. Must change nothing. */
  disassemble(next: () => number): string;
  /**
   * Enters the handler of an interrupt or a fault: `pc` is that of the next or the faulting instruction. Absent: no
   * interrupt is ever taken, and a fault ends in shutdown.
   */
  deliver?(cpu: InstructionContext, vector: number, kind: "interrupt" | "fault"): void;
}

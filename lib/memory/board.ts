/**
 * What a machine hands to the factory of a CPU, and what the factory says it needs: the socket a processor is plugged
 * into. A user's own CPU implements {@linkcode CpuFactory}. Cold.
 */
import type { CpuBus, InterruptController } from "../core/bus.ts";
import type { Cpu } from "../core/cpu.ts";
import type { HookTable } from "../core/hooks.ts";
import type { AddressSpace } from "./address_space.ts";

/** The place of one CPU on the board. */
export interface CpuBoard {
  /** The machine's memory: fixed size, CPU state and working memory first, then RAM and ROM. */
  readonly memory: WebAssembly.Memory;
  /** Byte address of a zeroed 4 KiB block below 64 KiB for this CPU's state. */
  readonly stateAt: number;
  /** Byte address, 64 KiB aligned, of {@linkcode CpuFactory.workBytes} zeroed bytes for this CPU's tables. */
  readonly workAt: number;
  /** Physical address space. */
  readonly space: AddressSpace;
  /** Ports, time, traces. */
  readonly bus: CpuBus;
  /** Delivers vectors; absent on a board without interrupt controller. */
  readonly interrupts: InterruptController | undefined;
  /** Hooks of the machine; the CPU fires those of code, memory, instruction, block, interrupt and fault. */
  readonly hooks: HookTable;
  /** 0 for the boot CPU. */
  readonly index: number;
}

/** Makes CPUs of one kind for a machine. */
export interface CpuFactory {
  /** For example `i386`. */
  readonly architecture: string;
  /** Bytes of working memory each CPU needs, a multiple of 64 KiB. */
  readonly workBytes: number;
  /** Makes the CPU; called once per CPU, before reset. `name` is unique in the machine, e.g. `cpu0`. */
  create(name: string, board: CpuBoard): Cpu;
}

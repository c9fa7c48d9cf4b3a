/**
 * What an instruction written in plain TypeScript may use: the CPU state, memory by linear address, the bus, the model,
 * and the few effects an engine must hear of. The contract between `system/*` functions and the engines. Cold contract,
 * warm calls.
 *
 * Rules for such a function: `state.eip` is the EIP of the current instruction (so a fault has it right); the engine
 * sets EIP to {@linkcode Context.nextEip} afterwards. To transfer control, set `nextEip`. Nothing may be committed to
 * registers or memory before the last thing that can fault.
 */
import type { OpRow } from "../../spec/i386_ops.ts";
import type { PhysicalWords } from "./mmu.ts";
import type { CpuState } from "./state.ts";
import type { Model } from "./model.ts";
import type { CpuBus } from "../../core/bus.ts";
import type { Interceptor } from "../../core/monitor.ts";

export type { CpuBus } from "../../core/bus.ts";

/** Memory by linear address, with translation, access checks, watchpoints and faults (#PF as {@linkcode Context.raise} does). */
export interface LinearMemory {
  /** Physical memory without translation, for what the CPU reads by physical address. */
  readonly words: PhysicalWords;
  /** Reads at the current privilege level; u8. */
  read8(linear: number): number;
  /** Little-endian, any alignment; u16. */
  read16(linear: number): number;
  /** Little-endian, any alignment; i32. */
  read32(linear: number): number;
  /** Writes at the current privilege level. */
  write8(linear: number, value: number): void;
  /** Little-endian, any alignment; both pages are checked before the first byte is written. */
  write16(linear: number, value: number): void;
  /** Little-endian, any alignment; both pages are checked before the first byte is written. */
  write32(linear: number, value: number): void;
  /** As `read*`, but at supervisor privilege (descriptor tables, TSS, stack of an inner level). */
  sysRead8(linear: number): number;
  /** Supervisor read, u16. */
  sysRead16(linear: number): number;
  /** Supervisor read, i32. */
  sysRead32(linear: number): number;
  /** Supervisor write. */
  sysWrite8(linear: number, value: number): void;
  /** Supervisor write. */
  sysWrite16(linear: number, value: number): void;
  /** Supervisor write. */
  sysWrite32(linear: number, value: number): void;
  /** Raises #PF if `size` bytes from `linear` cannot be written (user: at CPL 3 rights); writes nothing. */
  probeWrite(linear: number, size: number, user: boolean): void;
  /** Raises #PF if `size` bytes from `linear` cannot be read; reads nothing. */
  probeRead(linear: number, size: number, user: boolean): void;
}

/** The CPU as an instruction function sees it. */
export interface Context {
  /** Register block. */
  readonly state: CpuState;
  /** Guest memory by linear address. */
  readonly mem: LinearMemory;
  /** Platform. */
  readonly bus: CpuBus;
  /** Which model this CPU is. */
  readonly model: Model;
  /** Number by which the platform addresses this CPU, u8. */
  readonly apicId: number;
  /** EIP after this instruction; set it to transfer control (u32, offset in CS). */
  nextEip: number;
  /** The preallocated object that {@linkcode Context.raise} throws. */
  readonly fault: object;
  /** Raises a fault: never returns. Fills the fault fields of the state and throws the one preallocated object. */
  raise(vector: number, errorCode?: number): never;
  /** CR3, CR0.PG, CR4 changed: forget translations; global ones too if `all`. */
  flushTlb(all: boolean): void;
  /** INVLPG. */
  flushPage(linear: number): void;
  /** CS, SS, DS, ES, CPL, CR0 or VM changed: recompute mode bits, stack mask and table bases. */
  modeChanged(): void;
  /** DR0-DR7 changed: breakpoints and watchpoints are to be set anew. */
  debugChanged(): void;
  /** Leave to the run loop after this instruction (interrupt conditions changed). */
  attention(): void;
  /** The CPU stops for good: a fault while entering the double fault handler. */
  enterShutdown(): void;
  /** True while an interrupt or NMI waits, whether or not it may be taken now. */
  readonly interruptDue: boolean;
  /** A monitor that is asked about each event before the guest's handlers get it. */
  readonly interceptor?: Interceptor | undefined;
  /**
   * An event is about to enter its handler, and no monitor has it in hand: hooks are fired. `kind` is one of `EventKind`;
   * EIP is that of the faulting or the next instruction. Error code -1: none.
   */
  delivering?(kind: number, vector: number, errorCode: number, linear: number): void;
  /** VMCALL and other hypercall instructions: true if a backend took it, false: #UD. */
  hypercall(op: Op): boolean;
}

/** One decoded instruction as a TypeScript instruction function sees it. Valid only during the call. */
export interface Op {
  /** Row of the opcode table. */
  readonly row: OpRow;
  /** Opcode as in the table (0x0fxx for the two-byte map). */
  readonly opcode: number;
  /** Operand size attribute. */
  readonly opSize: 16 | 32;
  /** Address size attribute. */
  readonly addrSize: 16 | 32;
  /** Operation width by the row: 8, 16, 32, 64, or 0. */
  readonly width: number;
  /** 0, 0xf2 or 0xf3. */
  readonly rep: number;
  /** True with a LOCK prefix. */
  readonly lock: boolean;
  /** Effective segment (0-5) of the memory or string source operand, override applied. */
  readonly seg: number;
  /** ModRM.reg, 0-7. */
  readonly reg: number;
  /** ModRM.rm, 0-7 (also the low three opcode bits for one-byte register forms). */
  readonly rm: number;
  /** True if the r/m operand is memory. */
  readonly isMem: boolean;
  /** ModRM byte as fetched, 0 when the row has none. */
  readonly modrm: number;
  /** Immediate, i32, extended as the row says. */
  readonly imm: number;
  /** Second immediate: selector of a far pointer, level of ENTER. */
  readonly imm2: number;
  /** Length in bytes. */
  readonly length: number;
  /** Effective offset of the memory operand within its segment, u32 (masked to 16 bits with 16-bit addressing). */
  offset(): number;
  /**
   * Linear address of the memory operand after the segment checks for `size` bytes.
   * Faults: #GP(0), #SS(0).
   */
  linear(size: number, write: boolean): number;
  /** Reads the r/m operand, zero-extended (32-bit: i32). Faults: those of `linear` and memory. */
  readRm(width: 8 | 16 | 32): number;
  /** Writes the r/m operand. */
  writeRm(width: 8 | 16 | 32, value: number): void;
}

/** An instruction in plain TypeScript. */
export type SystemFn = (c: Context, op: Op) => void;

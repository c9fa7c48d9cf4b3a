/**
 * What a virtual machine monitor gets of a CPU: it sees every event before the guest's own handlers do, and it holds the
 * real state of the processor while the guest sees a virtual one.
 *
 * The words are those of a CPU with privilege levels, segments and descriptor tables; a CPU without them offers no
 * {@linkcode MonitorContext}. Everything here is valid while the CPU stands at an instruction boundary or asks its
 * interceptor. Contracts only. Cold.
 */
import type { GuestContext, GuestFault } from "./cpu.ts";

/** Where an event comes from. */
export type InterceptKind =
  /** A fault, trap or abort that the processor detected. */
  | "exception"
  /** An instruction asked for it. */
  | "software"
  /** An interrupt controller. */
  | "external"
  /** The non-maskable interrupt. */
  | "nmi";

/** An event on its way to a handler; nothing of the delivery has happened yet. */
export interface InterceptEvent {
  /** Where it comes from. */
  readonly kind: InterceptKind;
  /** Vector, 0-255. */
  readonly vector: number;
  /** Error code, or -1 if the event has none. */
  readonly errorCode: number;
  /** Faulting linear address of a page fault, u32; otherwise without meaning. */
  readonly linear: number;
  /** Where the interrupted program goes on: for `software` behind the instruction, otherwise the program counter. */
  readonly next: number;
}

/**
 * What becomes of it. `deliver`: the CPU goes on as if nobody listened. `handled`: there is no such event any more, the
 * CPU goes on at the program counter as it is now (for `software` still at the instruction unless changed). A fault: this
 * one is delivered in its place.
 */
export type InterceptAnswer = "deliver" | "handled" | GuestFault;

/** Asked about each event while it is installed. The CPU fires no hook for an event before it is delivered. */
export interface Interceptor {
  /** Decides. */
  intercept(event: InterceptEvent): InterceptAnswer;
  /**
   * Physical address of a linear one as the guest's kernel means it, without side effects; -1: not mapped. Asked by whoever
   * looks at the guest from outside, as the real page tables may lag behind. Absent: the real ones are the guest's.
   */
  translate?(linear: number): number;
  /**
   * Names of instructions (as {@linkcode GuestInstruction.name}) about which {@linkcode Interceptor.instruction} is asked.
   * Only system instructions can be named: those that touch privilege, segments, ports, flags or time.
   */
  readonly instructions?: ReadonlySet<string>;
  /**
   * Before one of these executes, at any privilege and before any check. `handled`: the CPU goes on at the program counter
   * as it is now; `deliver`: the instruction executes.
   */
  instruction?(instruction: GuestInstruction): "deliver" | "handled";
  /** Privilege level, 0-3, as the guest has it. Absent: the real one is the guest's. */
  privilege?(): number;
  /** The CPU is reset to its power-on state. True: this interceptor stays. Absent: it goes. */
  powerOn?(): boolean;
  /** The CPU was sent INIT: its registers are those of power-on, and it waits for a start-up message. */
  initialized?(): void;
  /**
   * A start-up message for a waiting CPU. `handled`: the interceptor has let it start, or it waits on; `deliver`: it starts
   * as without an interceptor.
   */
  startUp?(page: number): "deliver" | "handled";
  /**
   * A task switch of the processor's own is about to load the base of the page tables, and then the new task's segments.
   * True: the base is loaded as far as the guest can tell, and the real one stays.
   */
  enteringTask?(task: TaskEntry): boolean;
}

/** What a task state says of the task to be entered. */
export interface TaskEntry {
  /** Base of the page tables. */
  readonly base: number;
  /** Stack pointer. */
  readonly esp: number;
  /** Selectors by the numbers of the segment registers: ES, CS, SS, DS, FS, GS. */
  readonly selectors: readonly number[];
  /** Selector of the local descriptor table. */
  readonly table: number;
}

/** Physical memory without translation. */
export interface PhysicalWords {
  /** Little-endian dword at a 4-byte aligned address, i32. */
  read32(phys: number): number;
  /** Writes a dword at a 4-byte aligned address. */
  write32(phys: number, value: number): void;
}

/** A segment register with its hidden part. */
export interface GuestSegment {
  /** u16. */
  readonly selector: number;
  /** Linear base, u32. */
  readonly base: number;
  /** Last byte, u32. */
  readonly limit: number;
  /** Bits 8 to 23 of the descriptor's high dword, in place; 0: nothing can be reached through it. */
  readonly access: number;
}

/** Descriptor-table registers. */
export interface SystemTables {
  /** Base of the global descriptor table, u32. */
  readonly gdtBase: number;
  /** Its last byte. */
  readonly gdtLimit: number;
  /** Base of the interrupt descriptor table, u32. */
  readonly idtBase: number;
  /** Its last byte. */
  readonly idtLimit: number;
  /** True: global and local descriptor tables are read by physical address, unseen by the guest's page tables. */
  readonly physical: boolean;
}

/** The instruction at the program counter, decoded. */
export interface GuestInstruction {
  /** Name of its semantics in the opcode table, for example `movToCr`. */
  readonly name: string;
  /** Mnemonic, for example `mov`. */
  readonly mnemonic: string;
  /** Bytes. */
  readonly length: number;
  /** Operand size in bits. */
  readonly operandSize: 16 | 32;
  /** Address size in bits. */
  readonly addressSize: 16 | 32;
  /** Width of the operation in bits; 0 where it means nothing. */
  readonly width: number;
  /** Operand notations of the opcode table. */
  readonly operands: readonly string[];
  /** Register field, 0-7. */
  readonly reg: number;
  /** Register or memory field, 0-7. */
  readonly rm: number;
  /** True if that operand is memory. */
  readonly isMemory: boolean;
  /** True with a repeat prefix. */
  readonly repeated: boolean;
  /** Segment register of the memory operand, 0-5. */
  readonly segment: number;
  /** Immediate, i32. */
  readonly immediate: number;
  /** Second immediate. */
  readonly immediate2: number;
  /** Linear address of the memory operand, without segment checks, u32. */
  readonly linear: number;
}

/** A CPU in the hands of a monitor. Segment registers: 0-7 are ES CS SS DS FS GS, local table, task. */
export interface MonitorContext extends GuestContext {
  /** Asked about every event; gone after a reset. */
  interceptor: Interceptor | undefined;
  /** Levels of tables by which a processor translates the guest's physical addresses once more, for the cost of a walk. */
  nestedLevels: number;
  /** True while the CPU waits for a start-up message. */
  readonly waiting: boolean;
  /** Physical memory as the page walk sees it. */
  readonly physical: PhysicalWords;
  /** Physical address of a linear one by the real page tables, without side effects; -1: not mapped. */
  translateReal(linear: number): number;
  /** A segment register. */
  segment(n: number): GuestSegment;
  /** Fills a segment register from descriptor dwords without any check; `high` 0: nothing can be reached through it. */
  setSegment(n: number, selector: number, low: number, high: number): void;
  /** Fills a segment register as virtual-8086 mode does. */
  setSegmentV86(n: number, selector: number): void;
  /** Sets the current privilege level, 0-3. */
  setPrivilege(level: number): void;
  /** Descriptor-table registers. */
  systemTables(): SystemTables;
  /** Sets them. */
  setSystemTables(tables: SystemTables): void;
  /** Decodes the instruction at the program counter from its bytes; `undefined`: too few bytes, or it is none. */
  instruction(code: Uint8Array): GuestInstruction | undefined;
  /** Reads a port, u32. */
  readPort(port: number, width: 8 | 16 | 32): number;
  /** Writes a port. */
  writePort(port: number, value: number, width: 8 | 16 | 32): void;
  /** Reads a model-specific register, low and high as i32; `undefined`: there is none. */
  readMsr(n: number): readonly [number, number] | undefined;
  /** Writes one; false: there is none, or the value is refused. */
  writeMsr(n: number, low: number, high: number): boolean;
  /** Interrupts wait for one more instruction, as after STI. */
  shadowInterrupts(): void;
  /** Non-maskable interrupts are let in again, as after IRET. */
  endNmi(): void;
  /** Puts the CPU into shutdown, as an unhandled double fault does; the words are those of the first fault. */
  shutdown(cause: GuestFault): void;
}

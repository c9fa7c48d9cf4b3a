/**
 * The CPU contract, not shaped after any one architecture, and the narrower view of it that a hypervisor backend has.
 * Cold.
 */
import type { Component } from "./component.ts";

/** Why an engine left its slice; a machine turns it into the next step of its run loop. */
export type CpuExit =
  /** The slice's instruction count is used up. */
  | "count"
  /** Something asked for attention: interrupt conditions, a request, a stop. */
  | "attention"
  /** The CPU is halted and waits for an interrupt, or waits to be started. */
  | "halted"
  /** The CPU is in shutdown (a fault no handler took). */
  | "shutdown";

/** A register as a script sees it: u32 numbers, or bigint and Uint8Array for wide ones. */
export type RegisterValue = number | bigint | Uint8Array;

/**
 * How a program loaded without firmware is entered. Architecture-neutral words; a CPU that does not know a mode or a
 * register throws `ConfigError` with code `start-mode` or `register-name`.
 */
export interface CpuStart {
  /**
   * `real16`: real mode (segment bases 0). `flat32`: protected mode, ring 0, paging and interrupts off, all segments
   * base 0 and limit 4 GiB without a table in memory unless `gdt` names one. `plain`: as the architecture is after a
   * reset, but for the program counter and the stack.
   */
  readonly mode: "real16" | "flat32" | "plain";
  /** Linear address of the first instruction, u32; in `real16` below 64 KiB, or with `cs` set: an offset. */
  readonly entry: number;
  /** Stack pointer, u32. */
  readonly stack?: number;
  /** Code selector; default 0 in `real16`, 8 in `flat32`. */
  readonly code?: number;
  /** Selector of the data and stack segments; default 0 in `real16`, 0x10 in `flat32`. */
  readonly data?: number;
  /** Descriptor table in guest memory: linear base and limit in bytes. */
  readonly gdt?: { readonly base: number; readonly limit: number };
  /** Registers by name, applied last. */
  readonly registers?: { readonly [name: string]: RegisterValue };
}

/** An event from outside, as a hypervisor injects it. */
export interface CpuEvent {
  /** `fault`: as if the next instruction had raised it; `interrupt`: as if a controller had delivered it. */
  readonly kind: "fault" | "interrupt";
  /** Vector: 0-31 for a fault (NMI excepted), 0-255 for an interrupt. */
  readonly vector: number;
  /** Error code, u32; default 0 where the vector has one. */
  readonly errorCode?: number;
  /** Address for page faults, u32; default 0. */
  readonly linear?: number;
}

/** One processor of a machine. */
export interface Cpu extends Component {
  /** For example `i386`. */
  readonly architecture: string;
  /** Which engine executes, for example `interpreter`. */
  readonly engine: string;
  /** Instructions retired (and faults and interrupts delivered) since power-on. */
  readonly instructions: number;
  /**
   * Page translations that were missing since power-on, if the CPU counts them: in a machine with costs those of the
   * modelled look-aside table, alike on every engine and part of a snapshot. Without costs those entered into the tables
   * that make an engine fast: each engine's own affair, since the CPU was made.
   */
  readonly translations?: number;
  /** Program counter: offset of the next instruction as the architecture counts it, u32. */
  readonly pc: number;
  /** Linear address of the next instruction, u32. */
  readonly pcLinear: number;
  /**
   * Runs at most `limit` instructions (at least 1) and returns why it left. Pending interrupts are taken at the
   * boundaries where the architecture allows it.
   */
  run(limit: number): CpuExit;
  /** Instructions done since {@linkcode Cpu.run} was entered; exact while it runs. */
  elapsed(): number;
  /** Makes the running slice end no later than `ticks` instructions after its begin. */
  shorten(ticks: number): void;
  /** Makes the running slice end at the next instruction boundary. */
  interruptSlice(): void;
  /** Non-maskable interrupt. */
  nmi(): void;
  /**
   * Enters the handler of an event: at once between runs (which takes no time), at the next instruction boundary while
   * the CPU runs. Whether interrupts are enabled is not asked; a halted CPU wakes. Absent: it cannot be done.
   * @throws {ConfigError} inject-argument, inject-state
   */
  deliver?(event: CpuEvent): void;
  /** Hooks were added or removed: what was decided about them is stale. */
  hooksChanged?(): void;
  /** Bytes `from` to `to` of a page marked as code were written. */
  codeWritten?(pfn: number, from: number, to: number): void;
  /** Pages changed what they are, or were cleaned: translations of them are stale. */
  remapped?(): void;
  /** The interrupt controller's `pending` may have changed. */
  interruptsChanged?(): void;
  /** While halted: may a maskable interrupt wake it? Absent: yes. */
  readonly wakeable?: boolean;
  /**
   * True while {@linkcode Cpu.run} would execute and deliver nothing: halted or waiting to be started, and nothing
   * pending that it would take. Its turns are passed over.
   */
  readonly idle: boolean;
  /** True while it waits for {@linkcode Cpu.startUp}: it takes no time and nothing else wakes it. Absent: never. */
  readonly waiting?: boolean;
  /**
   * Reset by a message of another CPU, at the next instruction boundary: registers as the architecture says, memory and
   * what a warm reset keeps stay. The boot CPU begins anew, another one waits for {@linkcode Cpu.startUp}. Absent: the
   * CPU knows no such message.
   */
  init?(): void;
  /** Starts a CPU that waits; otherwise nothing happens. `entry`, u8, says where, as the architecture counts it. */
  startUp?(entry: number): void;
  /** A page of memory now holds translated code of some CPU: no write to it may go unseen. */
  codeMarked?(pfn: number): void;
  /**
   * Enters a program without firmware; called after {@linkcode Cpu.reset} with the program in memory. Absent: only
   * firmware at the reset vector can be run.
   */
  start?(how: CpuStart): void;
  /** Names of all registers a script may read and write, in display order. */
  readonly registerNames: readonly string[];
  /** Reads a register by name. @throws {ConfigError} register-name */
  get(name: string): RegisterValue;
  /** Writes a register by name. @throws {ConfigError} register-name */
  set(name: string, value: RegisterValue): void;
  /** Translates a linear address without side effects; -1 if not mapped. */
  translate(linear: number): number;
  /** Disassembles `count` instructions at a linear address without side effects, one line each. */
  disassemble(linear: number, count: number): string[];
}

/** A guest fault raised by a backend on behalf of the guest: delivered as if the guest's instruction had raised it. */
export interface GuestFault {
  /** Vector, 0-31. */
  readonly vector: number;
  /** Error code, or -1 if the vector has none. */
  readonly errorCode: number;
  /** Address for page faults, u32. */
  readonly linear: number;
}

/** What a hypervisor backend may see and change of an i386-like CPU while the guest is stopped at an instruction boundary. */
export interface GuestContext {
  /** General register 0-7 in architecture order, u32. */
  reg(n: number): number;
  /** Sets general register 0-7. */
  setReg(n: number, value: number): void;
  /** EIP: while a hypercall is answered, that of the hypercall instruction; set it to continue elsewhere. */
  eip: number;
  /** Complete EFLAGS, u32. */
  eflags: number;
  /** True while it waits for an interrupt after HLT; set to change that. */
  halted: boolean;
  /** Current privilege level, 0-3. */
  readonly cpl: number;
  /** Virtual time in ticks. */
  now(): number;
  /** Reads guest memory as the guest's kernel would; guest faults are delivered to the guest and unwind the call. */
  read(linear: number, width: 8 | 16 | 32): number;
  /** Writes guest memory as the guest's kernel would. */
  write(linear: number, value: number, width: 8 | 16 | 32): void;
  /** Copies memory without any side effect; false if a page is not mapped (then nothing is copied). */
  peek(linear: number, into: Uint8Array): boolean;
  /** A u32 of memory, read without any side effect; -1 if it is not mapped. */
  peek32(linear: number): number;
  /** Changes memory without any side effect; false if a page is not mapped (then nothing is changed). */
  poke(linear: number, from: Uint8Array): boolean;
  /**
   * Executes one privileged operation with native meaning: control and debug registers, descriptor tables, flags.
   * `name` is one of `cr0 cr2 cr3 cr4 dr0`-`dr7`.
   */
  control(name: string): number;
  /** Sets a control or debug register with native meaning (translations are flushed where the architecture says so). */
  setControl(name: string, value: number): void;
  /** Reads a CPUID leaf: EAX, EBX, ECX, EDX as u32. */
  cpuid(leaf: number, subleaf: number): readonly [number, number, number, number];
  /** Halts until the next interrupt. */
  halt(): void;
  /** Invalidate one page or all (and global ones). */
  flush(linear: number | "all" | "all-global"): void;
  /** Raises a fault at the current EIP; does not return. */
  raise(fault: GuestFault): never;
}

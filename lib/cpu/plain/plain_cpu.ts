/**
 * A processor around a user's instruction set: slices, hooks, interrupts, faults and snapshots, once for all of them.
 *
 * One instruction is one call of `execute`; nothing is translated or remembered. Every instruction, every delivery and
 * every fault counts a tick. An instruction that faults leaves the registers as they were. Cold: for teaching and
 * experiments, not for speed.
 *
 * Not emulated: NMI (noted in the trace), start-up messages between CPUs. A block ends where `pc` does not go on to the
 * next instruction; a branch that is not taken is not known as one.
 */
import type { Width } from "../../core/bus.ts";
import type { Section } from "../../core/component.ts";
import type { Cpu, CpuEvent, CpuExit, CpuStart, RegisterValue } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import type { InstructionContext, InstructionSet } from "../../core/instruction_set.ts";
import { takeFields } from "../../core/sections.ts";
import type { CpuBoard, CpuFactory } from "../../memory/board.ts";

const VERSION = 1;

/** What an instruction that faults throws; no error, it never leaves the CPU. */
const FAULT: object = { guestFault: true };

/**
 * Makes a CPU for `machine({ cpu })` from an instruction set of one's own.
 *
 * @throws {ConfigError} cpu-registers: a member is missing; a name stands twice, or is `pc`.
 */
export function plainCpu(set: InstructionSet): CpuFactory {
  if (typeof set?.execute !== "function" || typeof set.disassemble !== "function" || !Array.isArray(set.registers)) {
    throw new ConfigError(
      "cpu-registers",
      "An instruction set has registers, a list, and the functions execute and disassemble",
    );
  }
  const names = [...set.registers, "pc"];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new ConfigError(
      "cpu-registers",
      `CPU "${set.architecture}" has two registers "${twice}"; name one otherwise`,
    );
  }
  return { architecture: set.architecture, workBytes: 0, create: (name, board) => new PlainCpu(name, board, set) };
}

class PlainCpu implements Cpu, InstructionContext {
  readonly name: string;
  readonly architecture: string;
  readonly engine = "plain";
  readonly registerNames: readonly string[];
  readonly r: { [name: string]: number } = {};
  interruptible = false;
  /** Absent where the instruction set delivers nothing. */
  readonly deliver?: (event: CpuEvent) => void;
  readonly #board: CpuBoard;
  readonly #set: InstructionSet;
  #halted = false;
  #shutdown = false;
  #retired = 0;
  #event: CpuEvent | undefined = undefined;
  #fault = { vector: 0, linear: 0 };
  /** Where the running block goes on, or -1. */
  #next = -1;
  #done = 0;
  #limit = 0;
  #running = false;

  constructor(name: string, board: CpuBoard, set: InstructionSet) {
    this.name = name;
    this.architecture = set.architecture;
    this.registerNames = [...set.registers, "pc"];
    this.#board = board;
    this.#set = set;
    if (set.deliver !== undefined) this.deliver = (event) => this.#inject(event);
    this.reset();
  }

  get index(): number {
    return this.#board.index;
  }
  get instructions(): number {
    return this.#retired;
  }
  get pc(): number {
    return this.r["pc"];
  }
  get pcLinear(): number {
    return this.r["pc"];
  }
  get wakeable(): boolean {
    return this.interruptible && this.#set.deliver !== undefined;
  }
  get idle(): boolean {
    return this.#halted && !this.#shutdown && this.#event === undefined && !this.#interrupted;
  }

  get #interrupted(): boolean {
    return this.wakeable && this.#board.interrupts?.pending === true;
  }

  run(limit: number): CpuExit {
    this.#done = 0;
    this.#limit = limit;
    this.#running = true;
    try {
      while (this.#done < this.#limit) {
        if (this.#shutdown) return "shutdown";
        if (this.#take()) continue;
        if (this.#halted) return "halted";
        if (this.#before()) this.#execute();
      }
    } finally {
      this.#running = false;
    }
    return this.#shutdown ? "shutdown" : this.#done < limit ? "attention" : "count";
  }

  /** Delivers what waits at this boundary. */
  #take(): boolean {
    const event = this.#event;
    if (event === undefined && !this.#interrupted) return false;
    this.#event = undefined;
    this.#tick();
    if (event?.kind === "fault") this.#deliverFault(event.vector, event.linear ?? 0);
    else this.#deliverInterrupt(event?.vector ?? this.#board.interrupts?.acknowledge() ?? 0);
    return true;
  }

  #tick(): void {
    this.#done++;
    this.#retired++;
  }

  #deliverInterrupt(vector: number): void {
    if (this.#board.hooks.hasInterrupt) this.#board.hooks.fireInterrupt(vector, "external");
    this.#enter(vector, "interrupt");
  }

  #deliverFault(vector: number, linear: number): void {
    const { hooks, bus } = this.#board;
    if (hooks.hasFault) hooks.fireFault(vector, -1, linear);
    if (this.#set.deliver !== undefined) return this.#enter(vector, "fault");
    this.#shutdown = true;
    bus.shutdown(vector, 0, linear);
  }

  #enter(vector: number, kind: "interrupt" | "fault"): void {
    this.#halted = false;
    this.#next = -1;
    this.#set.deliver?.(this, vector, kind);
    this.#cut();
  }

  /** Fires the hooks before an instruction; false: one of them stopped the run or moved `pc`. */
  #before(): boolean {
    const { hooks } = this.#board, at = this.pc;
    if (!hooks.hasAnyCode) return true;
    let stop = hooks.hasCode(at) && hooks.fireCode(at);
    if (hooks.hasBlock && at !== this.#next && hooks.fireBlock(at)) stop = true;
    const mnemonic = hooks.hasInstruction ? this.#text(at).text.split(" ", 1)[0] : "";
    if (mnemonic !== "" && hooks.instructionHooked(mnemonic) && hooks.fireInstruction(mnemonic, at)) stop = true;
    return !stop && this.pc === at;
  }

  #execute(): void {
    const before = { ...this.r }, { interruptible } = this;
    this.#tick();
    try {
      this.#fetched = this.pc;
      this.#set.execute(this);
      this.#next = this.r["pc"] === this.#fetched ? this.#fetched : -1;
      this.#cut();
    } catch (thrown) {
      Object.assign(this.r, before);
      if (thrown !== FAULT) throw thrown;
      this.interruptible = interruptible;
      this.#halted = false;
      this.#deliverFault(this.#fault.vector, this.#fault.linear);
    }
  }

  /** Where fetching stands. */
  #fetched = 0;

  /** Registers have 32 bits. */
  #cut(): void {
    for (const name of this.registerNames) this.r[name] = this.r[name] >>> 0;
  }

  fetch(width: Width = 8): number {
    const value = this.#board.space.read(this.pc, width);
    this.r["pc"] = this.#fetched = (this.pc + (width >>> 3)) >>> 0;
    return value;
  }
  read(at: number, width: Width = 8): number {
    const value = this.#board.space.read(at, width);
    this.#watch("read", at, width, value);
    return value;
  }
  write(at: number, value: number, width: Width = 8): void {
    this.#board.space.write(at, value, width);
    this.#watch("write", at, width, value);
  }

  #watch(access: "read" | "write", at: number, width: Width, value: number): void {
    const { hooks } = this.#board, size = width >>> 3, cut = width === 32 ? value >>> 0 : value & ((1 << width) - 1);
    if (!hooks.hasMemory) return;
    if (hooks.watchesPage(at >>> 12) || hooks.watchesPage((at + size - 1) >>> 12)) {
      hooks.fireMemory(access, at, size, cut);
    }
  }

  readPort(port: number, width: Width = 8): number {
    return this.#board.bus.readPort(port, width);
  }
  writePort(port: number, value: number, width: Width = 8): void {
    this.#board.bus.writePort(port, value, width);
  }
  halt(): void {
    this.#halted = true;
  }
  hypercall(): boolean {
    return this.#board.bus.hypercall?.() ?? false;
  }
  fault(vector: number, linear = 0): never {
    this.#fault = { vector, linear: linear >>> 0 };
    throw FAULT;
  }

  #inject(event: CpuEvent): void {
    const limit = event.kind === "fault" ? 31 : 255;
    if (!Number.isInteger(event.vector) || event.vector < 0 || event.vector > limit || event.errorCode !== undefined) {
      const what = `Vector ${event.vector} of a ${event.kind} is 0 to ${limit} on CPU "${this.architecture}"`;
      throw new ConfigError("inject-argument", `${what}, and it has no error code`);
    }
    if (this.#shutdown || this.#event !== undefined) {
      const why = this.#shutdown ? "is shut down" : "has an event to take first";
      throw new ConfigError("inject-state", `CPU "${this.name}" ${why}: it takes no event now`);
    }
    if (this.#running) this.#event = event;
    else if (event.kind === "fault") this.#deliverFault(event.vector, event.linear ?? 0);
    else this.#deliverInterrupt(event.vector);
  }

  elapsed(): number {
    return this.#done;
  }
  shorten(ticks: number): void {
    this.#limit = Math.min(this.#limit, ticks);
  }
  interruptSlice(): void {
    this.#limit = 0;
  }
  nmi(): void {
    this.#board.bus.trace("cpu", `${this.architecture} has no non-maskable interrupt`);
  }

  reset(): void {
    this.#idleOnly("reset");
    for (const name of this.registerNames) this.r[name] = 0;
    this.r["pc"] = (this.#set.resetAt ?? 0) >>> 0;
    this.interruptible = this.#halted = this.#shutdown = false;
    this.#retired = 0;
    this.#forget();
  }

  start(how: CpuStart): void {
    if (how.mode !== "plain") {
      throw new ConfigError(
        "start-mode",
        `CPU "${this.architecture}" enters programs in mode "plain", not "${how.mode}"; load a program without bits`,
      );
    }
    this.r["pc"] = how.entry >>> 0;
    if (how.stack !== undefined && this.registerNames.includes("sp")) this.r["sp"] = how.stack >>> 0;
    for (const [name, value] of Object.entries(how.registers ?? {})) this.set(name, value);
  }

  get(name: string): RegisterValue {
    return this.r[this.#known(name)];
  }
  set(name: string, value: RegisterValue): void {
    if (typeof value !== "number" || !Number.isInteger(value)) {
      throw new ConfigError("register-value", `Register "${name}" of CPU "${this.architecture}" takes a whole number`);
    }
    this.r[this.#known(name)] = value >>> 0;
    if (!this.#running) this.#next = -1;
  }

  #known(name: string): string {
    if (this.registerNames.includes(name)) return name;
    throw new ConfigError("register-name", `No register "${name}"; there are ${this.registerNames.join(" ")}`);
  }

  translate(linear: number): number {
    return linear >>> 0;
  }
  disassemble(linear: number, count: number): string[] {
    const lines: string[] = [];
    for (let at = linear >>> 0; lines.length < count;) {
      const { text, bytes } = this.#text(at);
      lines.push(text);
      at = (at + Math.max(1, bytes.length)) >>> 0;
    }
    return lines;
  }

  #text(at: number): { readonly text: string; readonly bytes: readonly number[] } {
    const bytes: number[] = [], one = new Uint8Array(1);
    const text = this.#set.disassemble(() => {
      this.#board.space.readPhysical((at + bytes.length) >>> 0, one);
      bytes.push(one[0]);
      return one[0];
    });
    return { text, bytes };
  }

  save(): Section {
    const { interruptible } = this, [halted, shutdown, retired] = [this.#halted, this.#shutdown, this.#retired];
    return { version: VERSION, fields: { registers: { ...this.r }, interruptible, halted, shutdown, retired } };
  }

  load(section: Section): void {
    this.#idleOnly("restore");
    if (section.version !== VERSION) {
      const what = `CPU section has version ${section.version}, this library reads ${VERSION}`;
      throw new ConfigError("snapshot-version", what);
    }
    const into = { interruptible: false, halted: false, shutdown: false, retired: 0 };
    takeFields(into, section.fields, Object.keys(into));
    takeFields(this.r, section.fields["registers"], this.registerNames);
    this.interruptible = into.interruptible;
    [this.#halted, this.#shutdown, this.#retired] = [into.halted, into.shutdown, into.retired];
    this.#forget();
  }

  #forget(): void {
    this.#event = undefined;
    this.#next = -1;
  }

  #idleOnly(what: string): void {
    if (this.#running) throw new ConfigError("run-nested", `CPU "${this.name}" is running; ${what} it between runs`);
  }
}

/**
 * Hooks: script callbacks at named points of execution, and the table in which a machine keeps them.
 *
 * Observing changes nothing: a hook sees exact state, and unless it changes something itself the run is the same as
 * without it. A CPU asks the table only where a summary says that something is there, so absent hooks cost nothing.
 * Within one point hooks fire in the order in which they were added; each gets an event object of its own, so it may
 * keep it. A hook may add and remove hooks: that takes effect from the next point on. Warm when present.
 */
import { ConfigError } from "./errors.ts";
import type { Width } from "./bus.ts";
import type {
  CodeEvent,
  FaultEvent,
  HypercallEvent,
  InstructionMatch,
  InterruptEvent,
  InterruptSource,
  MemoryAccess,
  MemoryEvent,
  MemoryWatch,
  PortEvent,
} from "./hook_events.ts";
import { checkCallback, hypercallHook, instructionHook, memoryWatch, portValue, vectorHook } from "./hook_checks.ts";
import { type AddressRange, type HookPlace, HookRanges } from "./hook_ranges.ts";
import type { HypercallHook, InstructionHook, MemoryHook, VectorHook } from "./hook_kinds.ts";

export type { AddressRange, HookPlace } from "./hook_ranges.ts";
export type * from "./hook_events.ts";

const WHOLE = 2 ** 32;

/** All hooks of one machine. */
export class HookTable {
  /** Index of the CPU that executes or did last; the machine sets it. */
  cpu = 0;
  /** Called after the set of hooks changed: predecoded and translated code, and TLBs, are to be made anew. */
  changed: () => void = () => {};
  /** Called after the set of hypercall hooks changed; a hypervisor interface installs it. */
  hypercallsChanged: () => void = () => {};
  /** Names of the machine's hypercalls; undefined: they are not known. */
  hypercallNames: readonly string[] | undefined = undefined;
  /** How often the set of hypercall hooks has changed. */
  hypercallsVersion = 0;
  /** Called when a hook asks to stop; the machine installs it. */
  stopRequested: (name: string) => void = () => {};
  readonly #code = new HookRanges<(linear: number) => void>(WHOLE, "Linear address");
  readonly #memory = new HookRanges<MemoryHook>(WHOLE, "Linear address");
  readonly #ports = new HookRanges<(event: PortEvent) => void>(0x10000, "Port");
  #instructions: readonly InstructionHook[] = [];
  #blocks: readonly ((linear: number) => void)[] = [];
  #interrupts: readonly VectorHook<InterruptEvent>[] = [];
  #faults: readonly VectorHook<FaultEvent>[] = [];
  #hypercalls: readonly HypercallHook[] = [];
  /** What events stop with, by the name used when they give none. */
  readonly #stoppers: Map<string, (name?: string) => void> = new Map();
  readonly #stopPort = this.#stopper("port");
  readonly #stopMemory = this.#stopper("memory");
  #stopped = false;
  /** Instructions not to be hooked again, linear address by CPU. */
  readonly #skip: number[] = [];

  /**
   * Before the instruction at a linear address, of a range or a list, executes; again at each repetition of the
   * loop that holds it, and at each iteration of a REP instruction. An interrupt that comes first makes the instruction
   * be met again after its handler. Visible: exact registers, EIP of this instruction, memory. May change: registers,
   * memory, EIP. `stop` ends the run before the instruction; a run that goes on from there does not fire the hook of
   * this very instruction again.
   * @returns Removes the hook.
   * @throws {ConfigError} hook-range
   */
  onCode(where: HookPlace, fn: (event: CodeEvent) => void): () => void {
    checkCallback("onCode(where, fn)", fn);
    const stop = this.#stopper("code");
    const one = (linear: number): void => fn({ kind: "code", cpu: this.cpu, stop, linear, mnemonic: "" });
    return this.#announce(this.#code.add(where, one));
  }

  /** As {@linkcode HookTable.onCode} for a part of the machine: `fn` gets the address, no event is made for it. */
  watchCode(where: HookPlace, fn: (linear: number) => void): () => void {
    return this.#announce(this.#code.add(where, fn));
  }

  /** What stops the run before the instruction whose code hooks fire; for {@linkcode HookTable.watchCode}. */
  get codeStop(): (name?: string) => void {
    return this.#stopper("code");
  }

  /** Before each instruction with this mnemonic (lower case, e.g. `cpuid`); otherwise as {@linkcode HookTable.onCode}. */
  onInstruction(match: InstructionMatch, fn: (event: CodeEvent) => void): () => void {
    const hook = instructionHook(match, fn);
    this.#instructions = [...this.#instructions, hook];
    return this.#announce(() => this.#instructions = this.#instructions.filter((h) => h !== hook));
  }

  /**
   * Before the first instruction of a straight run of instructions: after each taken or untaken branch, and after each
   * interrupt, fault or page end that cuts a run. Otherwise as {@linkcode HookTable.onCode}.
   */
  onBlock(fn: (event: CodeEvent) => void): () => void {
    checkCallback("onBlock(fn)", fn);
    const stop = this.#stopper("block");
    const one = (linear: number): void => fn({ kind: "block", cpu: this.cpu, stop, linear, mnemonic: "" });
    this.#blocks = [...this.#blocks, one];
    return this.#announce(() => this.#blocks = this.#blocks.filter((h) => h !== one));
  }

  /**
   * Accesses to a range of linear addresses. `read`: after the value was read, before the instruction commits; `write`:
   * after the bytes were written, before the instruction commits; `execute`: before an instruction that begins in the range
   * (same as {@linkcode HookTable.onCode}). Page walks, DMA and `peek` are not accesses. May change: memory outside the
   * access. `stop` ends the run after the instruction.
   * @returns Removes the hook.
   * @throws {ConfigError} hook-range
   */
  onMemory(watch: MemoryWatch, fn: (event: MemoryEvent) => void): () => void {
    const { range, read, write, execute } = memoryWatch(watch, fn);
    const removers: (() => void)[] = [];
    if (read || write) removers.push(this.#memory.add(range, { read, write, fn }));
    if (execute) {
      removers.push(this.#code.add(range, (linear) => fn(this.#memoryEvent("execute", linear, 0, 0))));
    }
    return this.#announce(() => removers.forEach((remove) => remove()));
  }

  /**
   * Port accesses. A read: after the device answered, `value` may be replaced; a write: before the device gets it,
   * `value` may be replaced. `stop` ends the run after the instruction.
   * @returns Removes the hook.
   * @throws {ConfigError} hook-range
   */
  onPort(where: number | AddressRange, fn: (event: PortEvent) => void): () => void {
    checkCallback("onPort(where, fn)", fn);
    return this.#ports.add(where, (event) => fn(event));
  }

  /**
   * Before an interrupt (`vector`, or any) is delivered: state is that of the interrupted program, for INT n with EIP
   * after it. May change: memory. `stop` ends the run after the delivery, before the handler's first instruction.
   */
  onInterrupt(vector: number | undefined, fn: (event: InterruptEvent) => void): () => void {
    const hook = vectorHook("onInterrupt", vector, 255, fn);
    this.#interrupts = [...this.#interrupts, hook];
    return this.#announce(() => this.#interrupts = this.#interrupts.filter((h) => h !== hook));
  }

  /**
   * Before a fault (`vector`, or any) is delivered: EIP is that of the faulting instruction, which has changed nothing.
   * May change: memory. `stop` ends the run after the delivery, before the handler's first instruction.
   */
  onFault(vector: number | undefined, fn: (event: FaultEvent) => void): () => void {
    const hook = vectorHook("onFault", vector, 31, fn);
    this.#faults = [...this.#faults, hook];
    return this.#announce(() => this.#faults = this.#faults.filter((h) => h !== hook));
  }

  /**
   * Before and after a hypercall (`name`, or any) is answered. May change: the result. `stop` ends the run after the
   * call.
   */
  onHypercall(name: string | undefined, fn: (event: HypercallEvent) => void): () => void {
    const hook = hypercallHook(name, fn, this.hypercallNames);
    const set = (hooks: readonly HypercallHook[]): void => {
      this.#hypercalls = hooks;
      this.hypercallsVersion++;
      this.hypercallsChanged();
    };
    set([...this.#hypercalls, hook]);
    return () => set(this.#hypercalls.filter((h) => h !== hook));
  }

  /** Is there a code hook at exactly this linear address? */
  hasCode(linear: number): boolean {
    return this.#code.hits(linear);
  }

  /** Is there a code hook in this linear page? `page` is linear >>> 12. */
  codePage(page: number): boolean {
    return this.#code.hitsPage(page);
  }

  /** Is there any hook that fires before instructions: code, instruction or block? */
  get hasAnyCode(): boolean {
    return !this.#code.empty || this.#instructions.length !== 0 || this.#blocks.length !== 0;
  }

  /** Does a code hook cover all addresses? */
  get allCode(): boolean {
    return this.#code.whole;
  }

  /** Is there a hook for this mnemonic (lower case)? */
  instructionHooked(mnemonic: string): boolean {
    return this.#instructions.some((h) => h.match(mnemonic));
  }

  /** Is there any instruction hook? */
  get hasInstruction(): boolean {
    return this.#instructions.length !== 0;
  }

  /** Is there a block hook? */
  get hasBlock(): boolean {
    return this.#blocks.length !== 0;
  }

  /** Is there any read or write watch? */
  get hasMemory(): boolean {
    return !this.#memory.empty;
  }

  /** Is there a read or write watch in this linear page? `page` is linear >>> 12. Such a page stays out of the TLB. */
  watchesPage(page: number): boolean {
    return this.#memory.hitsPage(page);
  }

  /** Is there a port hook? */
  get hasPort(): boolean {
    return !this.#ports.empty;
  }

  /** Is there an interrupt hook? */
  get hasInterrupt(): boolean {
    return this.#interrupts.length !== 0;
  }

  /** Is there a fault hook? */
  get hasFault(): boolean {
    return this.#faults.length !== 0;
  }

  /** Is there any hypercall hook? */
  get hasHypercall(): boolean {
    return this.#hypercalls.length !== 0;
  }

  /** Is there a hook for this hypercall? */
  hypercallHooked(name: string): boolean {
    return this.#hypercalls.some((h) => h.name === undefined || h.name === name);
  }

  /** Number of hooks, all kinds. */
  get size(): number {
    return this.#code.size + this.#memory.size + this.#ports.size + this.#instructions.length + this.#blocks.length +
      this.#interrupts.length + this.#faults.length + this.#hypercalls.length;
  }

  /** The code hooks at this linear address as they are now, for {@linkcode HookTable.fireCode}; true until they change. */
  codeAt(linear: number): readonly ((linear: number) => void)[] {
    return this.#code.at(linear);
  }

  /** Fires code hooks at this linear address; true: a hook asked to stop, leave before executing the instruction. */
  fireCode(linear: number, fns: readonly ((linear: number) => void)[] = this.#code.at(linear)): boolean {
    const at = linear >>> 0;
    if (this.#skips(at)) return false;
    this.#stopped = false;
    for (let i = 0; i < fns.length; i++) fns[i](at);
    return this.#before(at);
  }

  /** Fires instruction hooks; result as {@linkcode HookTable.fireCode}. */
  fireInstruction(mnemonic: string, linear: number): boolean {
    if (this.#skips(linear >>> 0)) return false;
    this.#stopped = false;
    for (const h of this.#instructions) {
      if (h.match(mnemonic)) h.fn(this.#instructionEvent(linear, mnemonic));
    }
    return this.#before(linear);
  }

  /** Fires block hooks; result as {@linkcode HookTable.fireCode}. */
  fireBlock(linear: number): boolean {
    if (this.#skips(linear >>> 0)) return false;
    this.#stopped = false;
    for (const fn of this.#blocks) fn(linear >>> 0);
    return this.#before(linear);
  }

  /** Fires memory hooks that cover a part of the access; true: leave after the instruction. */
  fireMemory(access: "read" | "write", linear: number, sizeBytes: number, value: number): boolean {
    this.#stopped = false;
    for (const { value: hook } of this.#memory.touching(linear >>> 0, sizeBytes)) {
      if (access === "read" ? hook.read : hook.write) hook.fn(this.#memoryEvent(access, linear, sizeBytes, value));
    }
    return this.#stopped;
  }

  /** Fires port hooks; returns the value to use, u32. */
  firePort(access: "read" | "write", port: number, width: Width, value: number): number {
    let now = value;
    const fns = width === 8 ? this.#ports.at(port) : this.#ports.overlapping(port, width >>> 3);
    for (let i = 0; i < fns.length; i++) {
      const event: PortEvent = { kind: "port", cpu: this.cpu, stop: this.#stopPort, access, port, width, value: now };
      fns[i](event);
      now = portValue(event.value, width);
    }
    return now;
  }

  /** Fires interrupt hooks; true: leave after the delivery. */
  fireInterrupt(vector: number, source: InterruptSource): boolean {
    this.#stopped = false;
    for (const h of this.#interrupts) {
      if (h.vector !== undefined && h.vector !== vector) continue;
      h.fn({ kind: "interrupt", cpu: this.cpu, stop: this.#stopper("interrupt"), vector, source });
    }
    return this.#stopped;
  }

  /** Fires fault hooks; true: leave after the delivery. */
  fireFault(vector: number, errorCode: number, linear: number): boolean {
    this.#stopped = false;
    for (const h of this.#faults) {
      if (h.vector !== undefined && h.vector !== vector) continue;
      h.fn({ kind: "fault", cpu: this.cpu, stop: this.#stopper("fault"), vector, errorCode, linear: linear >>> 0 });
    }
    return this.#stopped;
  }

  /** Fires hypercall hooks; returns the result they set, or the one given. */
  fireHypercall(
    phase: "before" | "after",
    name: string,
    args: { readonly [name: string]: number | bigint },
    result: number | bigint | undefined,
  ): number | bigint | undefined {
    let now = result;
    const stop = this.#stopper(name);
    for (const h of this.#hypercalls) {
      if (h.name !== undefined && h.name !== name) continue;
      const event: HypercallEvent = { kind: "hypercall", cpu: this.cpu, stop, phase, name, args, result: now };
      h.fn(event);
      now = event.result;
    }
    return now;
  }

  /** Linear address before whose instruction a hook last stopped the run, or -1. For the machine. */
  stoppedBefore: number = -1;

  /** A stop was asked for by other means while a hook runs: leave where the hook's own `stop` would. */
  noteStop(): void {
    this.#stopped = true;
  }

  /**
   * The next instruction of CPU `cpu` is at `linear` and its hooks have fired already (they stopped the run there): do
   * not fire them again until {@linkcode HookTable.endSkip}. For the machine.
   */
  skipOnce(linear: number, cpu: number = this.cpu): void {
    this.#skip[cpu] = linear >>> 0;
  }

  /** See {@linkcode HookTable.skipOnce}. */
  endSkip(cpu: number = this.cpu): void {
    this.#skip[cpu] = -1;
  }

  #skips(linear: number): boolean {
    return this.#skip.length !== 0 && this.#skip[this.cpu] === linear;
  }

  #before(linear: number): boolean {
    if (this.#stopped) this.stoppedBefore = linear >>> 0;
    return this.#stopped;
  }

  #announce(remove: () => void): () => void {
    this.changed();
    let there = true;
    return () => {
      if (!there) return;
      there = false;
      remove();
      this.changed();
    };
  }

  #stopper(fallback: string): (name?: string) => void {
    const known = this.#stoppers.get(fallback);
    if (known !== undefined) return known;
    const stop = (name: string = fallback): void => {
      if (name === "") throw new ConfigError("hook-name", "A hook's stop name must not be empty");
      this.#stopped = true;
      this.stopRequested(name);
    };
    this.#stoppers.set(fallback, stop);
    return stop;
  }

  #instructionEvent(linear: number, mnemonic: string): CodeEvent {
    return { kind: "instruction", cpu: this.cpu, stop: this.#stopper(mnemonic), linear: linear >>> 0, mnemonic };
  }

  #memoryEvent(access: MemoryAccess, linear: number, size: number, value: number): MemoryEvent {
    const at = linear >>> 0;
    return { kind: "memory", cpu: this.cpu, stop: this.#stopMemory, access, linear: at, size, value: value >>> 0 };
  }
}

/**
 * The i386 CPU: the run loop between instructions, and the context in which instructions written in TypeScript run.
 *
 * An engine executes instructions until its count is used up or somebody asks for attention; between slices this loop
 * delivers traps, NMI and interrupts, wakes from HLT, and steps one instruction at a time while something must be seen
 * at every instruction (TF, RF, interrupt shadow; hooks under a plain engine). Every attempt to execute an instruction,
 * every delivery and each turn of a string instruction counts a tick. Sources: SDM-3A 6.7 to 6.9, 17.2, 17.3. Warm.
 *
 * Not emulated: SMM, VME and PVI, performance counters, machine checks, last-branch records.
 */
import type { InterruptController } from "../../core/bus.ts";
import type { Section } from "../../core/component.ts";
import type { Cpu, CpuEvent, CpuExit, CpuStart, RegisterValue } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import type { MonitorContext } from "../../core/monitor.ts";
import type { CpuBoard } from "../../memory/board.ts";
import { Flag } from "../../spec/i386_regs.ts";
import { armed, trapAfter } from "./breakpoints.ts";
import type { Context } from "./context.ts";
import type { Engine, EngineFactory } from "./engine.ts";
import { deliverDebug, deliverException, deliverExternal, deliverNmi } from "./fault.ts";
import { Injection } from "./injection.ts";
import { I386MonitorContext } from "./monitor_context.ts";
import { computeMode } from "./mode.ts";
import type { Model } from "./model.ts";
import { HookPoints } from "./hook_points.ts";
import { disassembleAt, peekTranslate } from "./inspect.ts";
import { readRegister, REGISTER_NAMES, writeRegister } from "./registers.ts";
import { loadState, saveState } from "./save.ts";
import { startState } from "./start.ts";
import { Halt, isIdle, Messages, powerOn } from "./startup.ts";
import { Slice } from "./slice.ts";
import { Layout } from "./state.ts";
import { Processor } from "./processor.ts";

/** Flags that want to be looked at after every instruction. */
const STEPPED = Flag.tf | Flag.rf;

/** One i386 processor. */
export class I386Cpu extends Processor implements Cpu, Context {
  /** Name of the engine. */
  readonly engine: string;
  /** What is to be seen before instructions. */
  readonly points: HookPoints;
  /** Names for {@linkcode I386Cpu.get}. */
  readonly registerNames: readonly string[] = REGISTER_NAMES;
  readonly #engine: Engine;
  readonly #interrupts: InterruptController | undefined;
  /** Ticks that a slice has left at least, however time goes on: 1 while an instruction is fetched that will be executed. */
  least = 0;
  #retired = 0;
  readonly #slice: Slice;
  #stop = false;
  #running = false;
  #stepAll = false;
  #shutdown = false;
  readonly #messages: Messages = new Messages();
  #context: MonitorContext | undefined;
  readonly #injection: Injection = new Injection();

  /** @param name Unique name. @param board Its place. @param model Model. @param engine Makes the engine. */
  constructor(name: string, board: CpuBoard, model: Model, engine: EngineFactory) {
    super(name, board, model);
    this.engine = engine.name;
    this.#interrupts = board.interrupts;
    this.points = new HookPoints(this, board.hooks);
    this.#slice = new Slice(this.state);
    this.#engine = engine.create(this);
    this.reset();
  }

  /** Ticks since power-on. */
  get instructions(): number {
    return this.#retired + (this.#running ? this.elapsed() : 0);
  }

  /** See {@linkcode Cpu}: those of the cost model, else pages of data and pages of code. */
  get translations(): number {
    return this.mem.model?.fills ?? this.tlb.fills + this.mem.fetchFills;
  }

  /** Power-on state. */
  reset(): void {
    if (this.#running) throw new ConfigError("run-nested", `CPU "${this.name}" is running; reset it between runs`);
    powerOn(this.state, this.model, this.board.index);
    this.#shutdown = false;
    this.#injection.clear();
    this.mem.model?.reset();
    if (this.interceptor?.powerOn?.() !== true) this.interceptor = undefined;
    this.#stateReplaced();
    this.#engine.forget();
  }

  /** See {@linkcode Cpu.start}. */
  start(how: CpuStart): void {
    this.points.cut();
    startState(this.state, how);
    this.flushTlb(true);
    this.modeChanged();
    for (const [name, value] of Object.entries(how.registers ?? {})) this.set(name, value);
    this.#engine.stateChanged();
  }

  /** See {@linkcode Cpu.idle}. */
  get idle(): boolean {
    return !this.#shutdown && !this.#injection.pending && isIdle(this.state, this.#interrupts);
  }

  /** See {@linkcode Cpu.init}. */
  init(): void {
    this.#messages.init();
    this.#noteMessage();
  }

  /** See {@linkcode Cpu.startUp}. */
  startUp(entry: number): void {
    if (this.#messages.startUp(this.state, entry)) this.#noteMessage();
  }

  #noteMessage(): void {
    if (this.#running) this.attention();
    else this.#takeMessages();
    this.bus.woken?.();
  }

  #takeMessages(): void {
    if (this.#messages.take(this)) this.#shutdown = false;
    this.mem.model?.flush(true);
    this.#stateReplaced();
  }

  /** See {@linkcode Cpu.remapped}. */
  remapped(): void {
    this.#dropTranslations(true);
  }

  /** See {@linkcode Cpu.run}. */
  run(limit: number): CpuExit {
    this.#slice.begin(limit, this.bus.steady === true ? this.bus.now() : NaN);
    this.#stop = false;
    this.#running = true;
    try {
      return this.#loop();
    } finally {
      this.#retired += this.#slice.end();
      this.#running = false;
    }
  }

  #loop(): CpuExit {
    const s = this.state;
    for (;;) {
      this.#slice.release();
      if (this.#messages.pending) this.#takeMessages();
      if (this.#shutdown) return "shutdown";
      if (s.get(Layout.count) <= 0) return "count";
      if (this.#stop) return "attention";
      const halted = s.get(Layout.halted);
      if (halted === Halt.startUp) return "halted";
      if (this.#deliver()) {
        this.points.passed = false;
        continue;
      }
      if (halted !== Halt.none) return "halted";
      s.set(Layout.due, this.interruptDue ? 1 : 0);
      if (this.#stepAll || s.get(Layout.shadow) !== 0 || (s.get(Layout.eflags) & STEPPED) !== 0) this.#step();
      else if (this.#engine.run()) this.#deliverFault();
    }
  }

  /** Delivers what waits at this boundary; true if something was delivered. */
  #deliver(): boolean {
    const s = this.state;
    if (this.#injection.pending) {
      this.#slice.tick();
      this.#inject();
      return true;
    }
    if (s.get(Layout.pendingDebug) !== 0 && s.get(Layout.noDebug) === 0) {
      this.#slice.tick();
      deliverDebug(this);
      return true;
    }
    if (s.get(Layout.shadow) !== 0) return false;
    if (s.get(Layout.nmiPending) !== 0 && s.get(Layout.nmiBlocked) === 0) {
      this.#slice.tick();
      deliverNmi(this);
      return true;
    }
    const pic = this.#interrupts;
    if (pic === undefined || (s.get(Layout.eflags) & Flag.if) === 0 || !pic.pending) return false;
    this.#slice.tick();
    this.#deliverInterrupt(pic.acknowledge());
    return true;
  }

  #deliverInterrupt(vector: number): void {
    this.points.passed = false;
    deliverExternal(this, vector);
  }

  #deliverFault(): void {
    const s = this.state;
    this.points.passed = false;
    s.set(Layout.shadow, 0);
    s.set(Layout.noDebug, 0);
    if (this.#engine.enterFault?.() !== true) deliverException(this);
  }

  /** See {@linkcode Context.delivering}. */
  delivering(kind: number, vector: number, errorCode: number, linear: number): void {
    if (this.interceptor === undefined) this.points.delivering(kind, vector, errorCode, linear);
  }

  /** One instruction, with all that must be seen before and after it. */
  #step(): void {
    if (!this.points.before()) return;
    const s = this.state;
    const flags = s.get(Layout.eflags);
    this.points.passed = true;
    s.set(Layout.shadow, 0);
    s.set(Layout.noDebug, 0);
    this.#slice.hold(1);
    const faulted = this.#engine.run();
    this.points.passed = false;
    this.#slice.release();
    if (faulted) this.#deliverFault();
    else trapAfter(s, flags);
  }

  /** Ticks done since the slice began. */
  elapsed(): number {
    return this.#slice.elapsed();
  }

  /** See {@linkcode Cpu.shorten}. */
  shorten(ticks: number): void {
    if (this.#running) this.#slice.shorten(Math.max(ticks, this.elapsed() + this.least));
  }

  /** See {@linkcode Cpu.interruptSlice}. */
  interruptSlice(): void {
    this.#stop = true;
    this.attention();
  }

  /** See {@linkcode Context.attention}: the engine finds its count used up, the rest is kept for later. */
  attention(): void {
    this.state.set(Layout.due, 1);
    this.#slice.hold(0);
  }

  /** Lets the engine run on for at most `ticks` before it comes back; the slice goes on afterwards. */
  pauseAfter(ticks: number): void {
    this.#slice.hold(ticks);
  }

  /** See {@linkcode Context.interruptDue}. */
  get interruptDue(): boolean {
    return this.state.get(Layout.nmiPending) !== 0 || this.#interrupts?.pending === true;
  }

  /** Requests a non-maskable interrupt. */
  nmi(): void {
    this.state.set(Layout.nmiPending, 1);
    this.attention();
    this.bus.woken?.();
  }

  /** See {@linkcode Cpu.deliver}. */
  deliver(event: CpuEvent): void {
    this.#injection.put(event, this, this.#shutdown);
    if (!this.#running) return this.#inject();
    this.attention();
    this.bus.woken?.();
  }

  #inject(): void {
    const vector = this.#injection.take(this.state);
    if (vector < 0) this.#deliverFault();
    else this.#deliverInterrupt(vector);
    this.#engine.stateChanged();
  }

  /** An interrupt controller or device changed something that may need delivery. */
  interruptsChanged(): void {
    if (this.#interrupts !== undefined && this.#interrupts.pending) this.attention();
  }

  /** See {@linkcode Context.flushTlb}. */
  flushTlb(all: boolean): void {
    this.mem.model?.flush(all);
    this.#dropTranslations(all);
  }

  /** The fast tables alone, which hold nothing that cannot be found again. */
  #dropTranslations(all: boolean): void {
    this.tlb.flush(all);
    if (all) this.mem.forgetLarge();
    this.mem.forgetFetches(all);
    this.#engine.translationsChanged(all);
  }

  /** See {@linkcode Context.flushPage}. */
  flushPage(linear: number): void {
    this.mem.model?.flushPage(linear);
    if (this.mem.isLarge(linear)) return this.#dropTranslations(true);
    this.tlb.flushPage(linear >>> 12);
    if (this.mem.forgetFetch(linear)) this.#engine.translationsChanged(true); // else no engine knows the page
  }

  /** See {@linkcode Context.modeChanged}. */
  modeChanged(): void {
    const s = this.state;
    computeMode(s);
    if (this.mem.alignmentChanged()) this.#dropTranslations(true);
    if (!this.waiting) this.tlb.prepare(s.get(Layout.cpl) === 3);
    this.noteDerived();
    this.#engine.modeChanged();
  }

  /** See {@linkcode Context.debugChanged}; also called when hooks change. */
  debugChanged(): void {
    this.notePlain();
    this.mem.watching = armed(this.state).data;
    this.#stepAll = this.points.any && this.#engine.seesHooks !== true;
    this.#engine.hooksChanged?.();
    this.#dropTranslations(true);
    this.attention();
  }

  /** Hooks were added or removed. */
  hooksChanged(): void {
    this.debugChanged();
  }

  /** See {@linkcode Context.enterShutdown}. */
  enterShutdown(): void {
    this.#shutdown = true;
    this.attention();
  }

  /** See {@linkcode Cpu.codeWritten}. */
  codeWritten(pfn: number, from: number, to: number): void {
    this.#engine.codeWritten(pfn, from, to);
  }

  /** This CPU as a hypervisor backend sees it. */
  get context(): MonitorContext {
    this.tlb.prepare(false);
    return this.#context ??= new I386MonitorContext(this);
  }

  /** See {@linkcode Cpu.get}. */
  get(name: string): RegisterValue {
    return readRegister(this, name);
  }

  /** See {@linkcode Cpu.set}. */
  set(name: string, value: RegisterValue): void {
    writeRegister(this, name, value);
    if (!this.#running) this.points.passed = false;
    this.#engine.stateChanged();
  }

  /** See {@linkcode Cpu.translate}. */
  translate(linear: number): number {
    return peekTranslate(this, linear);
  }

  /** See {@linkcode Cpu.disassemble}. */
  disassemble(linear: number, count: number): string[] {
    return disassembleAt(this, linear, count);
  }

  /** Saves registers; translations and code are derived and not part of it. */
  save(): Section {
    return saveState(this.state, this.#retired, this.#shutdown, this.mem.model);
  }

  /** Restores registers. */
  load(section: Section): void {
    if (this.#running) throw new ConfigError("snapshot-running", `CPU "${this.name}" is running; restore between runs`);
    const { retired, shutdown } = loadState(this.state, section, this.mem.model);
    this.#retired = retired;
    this.#shutdown = shutdown;
    this.#injection.clear();
    this.#stateReplaced();
  }

  #stateReplaced(): void {
    this.points.cut();
    this.#dropTranslations(true);
    this.modeChanged();
    this.debugChanged();
    this.#engine.stateChanged();
  }
}

/**
 * What of an i386 CPU is there whoever executes: registers, translation tables, memory, faults. The run loop in cpu.ts
 * builds on it. Warm.
 */
import type { Interceptor } from "../../core/monitor.ts";
import type { CpuBoard } from "../../memory/board.ts";
import { Flag, Vector } from "../../spec/i386_regs.ts";
import type { CpuBus, Op } from "./context.ts";
import { recordFault } from "./fault.ts";
import { LinearAccess } from "./linear.ts";
import type { MemoryHost } from "./memory_host.ts";
import type { Model } from "./model.ts";
import { Halt } from "./startup.ts";
import { CpuState, Layout, Seg } from "./state.ts";
import { freeFlags } from "./system/flags_io.ts";
import { Tlb } from "./tlb.ts";
import { TlbModel } from "./tlb_model.ts";

/** Registers and memory of one i386 processor. */
export abstract class Processor implements MemoryHost {
  /** Unique name in the machine. */
  readonly name: string;
  /** Always `i386`. */
  readonly architecture: string = "i386";
  /** Register block. */
  readonly state: CpuState;
  /** Guest memory by linear address. */
  readonly mem: LinearAccess;
  /** Platform. */
  readonly bus: CpuBus;
  /** Which model this CPU is. */
  readonly model: Model;
  /** Translation tables. */
  readonly tlb: Tlb;
  /** The board this CPU sits on. */
  readonly board: CpuBoard;
  /** Thrown by {@linkcode Processor.raise}. */
  readonly fault: object = { guestFault: true };
  /** See `Context`. */
  nextEip = 0;
  /** Levels of tables by which guest-physical addresses are translated once more; 0: they are not. */
  nestedLevels = 0;
  readonly #freeFlags: number;
  #interceptor: Interceptor | undefined = undefined;

  /** @param name Unique name. @param board Its place. @param model Model. */
  constructor(name: string, board: CpuBoard, model: Model) {
    this.name = name;
    this.board = board;
    this.model = model;
    this.#freeFlags = freeFlags(this);
    this.bus = board.bus;
    this.state = new CpuState(board.memory, board.stateAt);
    this.tlb = new Tlb(board.memory, board.workAt);
    this.mem = new LinearAccess(this.state, this.tlb, board.space, board.hooks, this, this.#model(), board.index);
  }

  #model(): TlbModel | undefined {
    return this.board.bus.spend === undefined ? undefined : new TlbModel();
  }

  /** See `Context.interceptor`. */
  get interceptor(): Interceptor | undefined {
    return this.#interceptor;
  }
  set interceptor(value: Interceptor | undefined) {
    this.#interceptor = value;
    this.notePlain();
  }

  /** Whether system instructions and events may take their usual course unseen; see `Layout.plain`. */
  notePlain(): void {
    const { hooks } = this.board, s = this.state;
    const isSeen = this.#interceptor !== undefined || this.mem.model !== undefined || hooks.hasInterrupt ||
      hooks.hasFault;
    s.set(Layout.plain, isSeen || s.get(Layout.tablesPhysical) !== 0 ? 0 : hooks.hasMemory ? 2 : 1);
  }

  /** Fields of the state that follow from others. */
  noteDerived(): void {
    const s = this.state, user = s.get(Layout.cpl) === 3;
    s.set(Layout.tlbRead, this.tlb.table(false, user));
    s.set(Layout.tlbWrite, this.tlb.table(true, user));
    s.set(Layout.tlbSystem, this.tlb.at);
    s.set(Layout.freeFlags, this.#freeFlags);
    this.notePlain();
  }

  /** EIP, u32. */
  get pc(): number {
    return this.state.get(Layout.eip) >>> 0;
  }

  /** Linear address of the next instruction, u32. */
  get pcLinear(): number {
    return (this.state.seg(1, Seg.base) + this.state.get(Layout.eip)) >>> 0;
  }

  /** See `Context.apicId`. */
  get apicId(): number {
    return this.board.index;
  }

  /** Waits for a start-up message. */
  get waiting(): boolean {
    return this.state.get(Layout.halted) === Halt.startUp;
  }

  /** May a maskable interrupt wake it? */
  get wakeable(): boolean {
    return !this.waiting && (this.state.get(Layout.eflags) & Flag.if) !== 0;
  }

  /** Page `pfn` has code of some CPU, or of one more: writes must be noticed. */
  codeMarked(pfn: number): void {
    this.tlb.protect(this.board.space.pages[pfn] & ~0xfff, this.mem.isKnownCode(pfn));
  }

  /** See `Context.attention`. */
  abstract attention(): void;

  /**
   * See `Context.hypercall`. If whoever answers fails, the instruction was not executed, and is when the run goes on;
   * unless EIP was moved on before that.
   */
  hypercall(_op: Op): boolean {
    const answer = this.bus.hypercall;
    if (answer === undefined) return false;
    const s = this.state, eip = s.get(Layout.eip);
    try {
      if (!answer.call(this.bus)) return false;
    } catch (thrown) {
      if (thrown !== this.fault && s.get(Layout.eip) === eip) s.set(Layout.count, s.get(Layout.count) + 1);
      throw thrown;
    }
    if (s.get(Layout.eip) !== eip) this.nextEip = s.get(Layout.eip);
    return true;
  }

  /** See `MemoryHost.missed`. */
  missed(steps: number): void {
    const all = this.nestedLevels === 0 ? steps : (steps + 1) * (this.nestedLevels + 1) - 1;
    this.bus.spend?.("tlbFill", 1);
    this.bus.spend?.("walkStep", all);
  }

  /** See `Context.raise`. */
  raise(vector: number, errorCode: number = -1): never {
    recordFault(this.state, vector, errorCode);
    throw this.fault;
  }

  /** Raises #PF. */
  pageFault(linear: number, errorCode: number): never {
    this.state.set(Layout.faultLinear, linear);
    this.raise(Vector.pf, errorCode);
  }

  /** See `MemoryHost.notePageFault`. */
  notePageFault(linear: number, errorCode: number): void {
    this.state.set(Layout.faultLinear, linear);
    recordFault(this.state, Vector.pf, errorCode);
  }
}

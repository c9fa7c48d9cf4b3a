/**
 * The hooks before an event is delivered, and before an instruction: code, block and instruction hooks, in this order. A
 * block begins wherever execution does not come from the instruction before in memory, or that one ends blocks by its row.
 *
 * An engine that keeps decoded code asks for a plan when it decodes ({@linkcode HookPoints.plan}) and gives it back each
 * time ({@linkcode HookPoints.before}); the run loop, while it steps, has it made anew at each instruction. Both do the
 * same. Sources: SDM-3B 17.3.1.1 (instruction breakpoints, RF). Warm when present.
 */
import type { HookTable, InterruptSource } from "../../core/hooks.ts";
import { Flag, Vector } from "../../spec/i386_regs.ts";
import { mnemonicAt, peekLinear } from "./inspect.ts";
import { anyEnabled, armed, breakpointInPage, instructionHits } from "./breakpoints.ts";
import type { I386Cpu } from "./cpu.ts";
import { EventKind } from "./event.ts";
import { deliverDebug } from "./fault.ts";
import { decode, Decoded, DecodeStatus, LONGEST_INSTRUCTION } from "./decode.ts";
import { opcodeIndex } from "./opcode_index.ts";
import { SegReg } from "./segment.ts";
import { Layout, ModeBit, Seg } from "./state.ts";

/** What may fire before one instruction, as found when it was decoded. */
export interface HookPlan {
  /** Mnemonic for instruction hooks, empty if none wants it. */
  readonly mnemonic: string;
  /** Bytes to the instruction that goes on the block, or -1 if the block ends here. */
  readonly goesOn: number;
  /** Code hooks. */
  readonly code: ReturnType<HookTable["codeAt"]>;
  /** Nothing fires if it only goes on the running block. */
  readonly isSilent: boolean;
  /** The record that has it has nothing of the instruction. */
  readonly isAlone: boolean;
}

/** Where an interrupt comes from, by `EventKind`. */
const SOURCES: readonly InterruptSource[] = ["software", "software", "software", "external", "nmi"];

const NONE: HookPlan["code"] = [];

/** Fires the hooks before instructions of one CPU. */
export class HookPoints {
  /**
   * The hooks of the instruction at EIP have fired, and it is to execute now: they do not fire again. Anything that is
   * delivered in between, and any change from outside, ends this.
   */
  passed = false;
  /** The last {@linkcode HookPoints.before} said no only because a hook moved EIP: execution goes on there at once. */
  moved = false;
  readonly #cpu: I386Cpu;
  readonly #hooks: HookTable;
  readonly #d: Decoded = new Decoded();
  readonly #bytes: Uint8Array = new Uint8Array(LONGEST_INSTRUCTION);
  /** Linear address at which the running block goes on, i32, if it does. */
  #next = 0;
  #goes = false;

  /** @param cpu The CPU. @param hooks Its hooks. */
  constructor(cpu: I386Cpu, hooks: HookTable) {
    this.#cpu = cpu;
    this.#hooks = hooks;
  }

  /** Is there anything to be seen before instructions: hooks, or armed instruction breakpoints? */
  get any(): boolean {
    return this.#hooks.hasAnyCode || armed(this.#cpu.state).code;
  }

  /**
   * Which code an engine must keep apart: -1 where nothing in a linear page is hooked, the page number where the page
   * itself is, -2 where instructions everywhere are.
   */
  variant(page: number): number {
    if (this.#hooks.codePage(page) || breakpointInPage(this.#cpu.state, page)) return page;
    return this.#hooks.hasInstruction || this.#hooks.hasBlock ? -2 : -1;
  }

  /** What may fire before the instruction at a linear address, or undefined for nothing. */
  plan(linear: number): HookPlan | undefined {
    const h = this.#hooks;
    const mnemonic = h.hasInstruction ? mnemonicAt(this.#cpu, linear) : "";
    const wanted = mnemonic !== "" && h.instructionHooked(mnemonic);
    const here = wanted || h.hasCode(linear) || instructionHits(this.#cpu.state, linear) !== 0;
    if (!here && !h.hasBlock) return undefined;
    const code = h.hasCode(linear) ? h.codeAt(linear) : NONE;
    const goesOn = h.hasBlock ? this.#goesOn(linear) : -1;
    return { mnemonic: wanted ? mnemonic : "", goesOn, code, isSilent: !here, isAlone: false };
  }

  /**
   * All that is to be seen before the instruction at EIP: breakpoints, then hooks. `plan` is the one made for it, if
   * there is one.
   * @returns True: it is to execute now. False: a stop, another EIP, or something that the run loop has to look at.
   */
  before(plan?: HookPlan): boolean {
    if (this.passed) {
      this.passed = false;
      return true;
    }
    const cpu = this.#cpu, s = cpu.state;
    if (plan !== undefined && plan.isSilent && this.#goesOnWith(plan)) return true;
    const flags = s.get(Layout.eflags);
    this.moved = false;
    // After a load of SS it is as if RF were set (SDM-3B 17.3.1.1).
    if ((flags & Flag.rf) === 0 && s.get(Layout.noDebug) !== 1 && this.#hitBreakpoint()) return false;
    const linear = cpu.pcLinear;
    const wanted = plan ?? (this.#hooks.hasAnyCode ? this.plan(linear) : undefined);
    if (wanted === undefined) return true;
    const eip = s.get(Layout.eip), mode = s.get(Layout.mode);
    if (this.#fire(linear, wanted)) return false;
    const calm = s.get(Layout.count) > 0 && s.get(Layout.eflags) === flags && s.get(Layout.mode) === mode;
    if (s.get(Layout.eip) !== eip) {
      this.moved = calm;
      return false;
    }
    this.passed = !calm;
    return calm;
  }

  /** Fires the hooks of an event that is about to enter its handler. */
  delivering(kind: number, vector: number, errorCode: number, linear: number): void {
    const h = this.#hooks;
    if (kind === EventKind.exception) {
      if (h.hasFault) h.fireFault(vector, errorCode, linear);
    } else if (h.hasInterrupt) h.fireInterrupt(vector, SOURCES[kind]);
  }

  /** The instruction at EIP, before which nothing but a block can begin, goes on the running one. */
  #goesOnWith(plan: HookPlan): boolean {
    const s = this.#cpu.state;
    if (!this.#goes || anyEnabled(s)) return false;
    const at = (s.seg(SegReg.cs, Seg.base) + s.get(Layout.eip)) | 0;
    if (at !== this.#next) return false;
    this.#goes = plan.goesOn >= 0;
    this.#next = (at + plan.goesOn) | 0;
    return true;
  }

  /** Instruction breakpoints of the debug registers: a fault before the instruction. */
  #hitBreakpoint(): boolean {
    const cpu = this.#cpu, s = cpu.state;
    const hits = anyEnabled(s) ? instructionHits(s, cpu.pcLinear) : 0;
    if (hits === 0) return false;
    s.set(Layout.count, s.get(Layout.count) - 1);
    s.set(Layout.pendingDebug, hits);
    // Unlike other faults it does not set RF in the pushed image: the handler has to (SDM-3B 17.3.1.1).
    deliverDebug(cpu);
    return true;
  }

  /** @returns True: one of them asked to stop, or has raised a fault of the guest, which is delivered in their place. */
  #fire(linear: number, plan: HookPlan): boolean {
    const cpu = this.#cpu, s = cpu.state;
    try {
      return this.#fireAll(linear, plan);
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      const vector = s.get(Layout.faultVector);
      const code = s.get(Layout.faultHasCode) !== 0 ? { errorCode: s.get(Layout.faultCode) } : {};
      const page = vector === Vector.pf ? { linear: s.get(Layout.faultLinear) >>> 0 } : {};
      cpu.deliver({ kind: "fault", vector, ...code, ...page });
      return true;
    }
  }

  /** @returns True: one of them asked to stop. */
  #fireAll(linear: number, plan: HookPlan): boolean {
    const h = this.#hooks;
    let stop = plan.code.length > 0 && h.fireCode(linear, plan.code);
    if (h.hasBlock) {
      const at = linear | 0;
      if ((at !== this.#next || !this.#goes) && h.fireBlock(at)) stop = true;
      this.#goes = plan.goesOn >= 0;
      this.#next = (at + plan.goesOn) | 0;
    }
    if (plan.mnemonic !== "" && h.hasInstruction && h.fireInstruction(plan.mnemonic, linear)) stop = true;
    return stop;
  }

  /** Forgets the block and what has fired: a change from outside. */
  cut(): void {
    this.#goes = false;
    this.passed = false;
  }

  #goesOn(linear: number): number {
    const cpu = this.#cpu;
    const n = peekLinear(cpu, linear, this.#bytes);
    const is32 = (cpu.state.get(Layout.mode) & ModeBit.code32) !== 0;
    const status = decode(this.#bytes, 0, n, is32, opcodeIndex(cpu.model.features), this.#d);
    if (status !== DecodeStatus.ok || this.#d.row.ends) return -1;
    return ((linear + this.#d.length) & 0xfff) === 0 ? -1 : this.#d.length;
  }
}

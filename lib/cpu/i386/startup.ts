/**
 * What the messages INIT and start-up do to a CPU, and the state in which one waits for them.
 *
 * After power-on the first CPU runs from the reset vector and all others wait; INIT brings any CPU back to that point
 * with the registers that survive it. A waiting CPU takes no time: only a start-up message, which names the 4 KiB page
 * of its first instruction, or a reset wakes it.
 * Sources: SDM-3A 8.4.2, 9.1 and table 9-1. Cold.
 *
 * Not emulated: built-in self test, arbitration for the role of the boot CPU (it is CPU 0).
 */
import type { InterruptController } from "../../core/bus.ts";
import type { Interceptor } from "../../core/monitor.ts";
import { Cr0, Flag } from "../../spec/i386_regs.ts";
import type { Model } from "./model.ts";
import { resetState } from "./reset.ts";
import { SegReg, setReal } from "./segment.ts";
import { type CpuState, Layout } from "./state.ts";

/** Values of `Layout.halted`. */
export const Halt = {
  /** Runs. */
  none: 0,
  /** Waits for an interrupt. */
  interrupt: 1,
  /** Waits for a start-up message. */
  startUp: 2,
} as const;

/** Messages that came and are taken at the next instruction boundary. */
export class Messages {
  #init = false;
  #page = -1;

  /** Is there one? */
  get pending(): boolean {
    return this.#init || this.#page >= 0;
  }

  /** INIT. */
  init(): void {
    this.#init = true;
    this.#page = -1;
  }

  /** Start-up at a page, u8; false: the CPU does not wait for it. */
  startUp(s: CpuState, page: number): boolean {
    if (!this.#init && s.get(Layout.halted) !== Halt.startUp) return false;
    this.#page = page & 0xff;
    return true;
  }

  /** Applies what came. @returns True if there was an INIT. */
  take(cpu: Target): boolean {
    const { state, model, board } = cpu;
    const init = this.#init;
    const page = this.#page;
    this.#init = false;
    this.#page = -1;
    if (init) {
      applyInit(state, model, board.index);
      cpu.interceptor?.initialized?.();
    }
    if (page < 0 || state.get(Layout.halted) !== Halt.startUp) return init;
    if (cpu.interceptor?.startUp?.(page) !== "handled") applyStartUp(state, page);
    return init;
  }
}

interface Target {
  readonly state: CpuState;
  readonly model: Model;
  readonly board: { readonly index: number };
  readonly interceptor?: Interceptor | undefined;
}

/** Registers that INIT leaves: model-specific ones, the time stamp's offset, the slice being executed. */
const KEPT = [
  "efer",
  "sysenterCs",
  "sysenterEsp",
  "sysenterEip",
  "apicBase",
  "tscLow",
  "tscHigh",
  "count",
] as const satisfies readonly (keyof typeof Layout)[];

/** Power-on state of CPU `index`. */
export function powerOn(s: CpuState, model: Model, index: number): void {
  resetState(s, model);
  s.set(Layout.halted, index === 0 ? Halt.none : Halt.startUp);
}

/** State after INIT: that of power-on, but for x87, SSE, model-specific registers and the cache bits of CR0. */
function applyInit(s: CpuState, model: Model, index: number): void {
  const float = s.u8.slice(Layout.fpr, Layout.scratch);
  const kept = KEPT.map((name) => s.get(Layout[name]));
  const apicBaseHigh = s.get(Layout.apicBase + 4);
  const cache = s.get(Layout.cr0) & (Cr0.cd | Cr0.nw);
  powerOn(s, model, index);
  s.u8.set(float, Layout.fpr);
  KEPT.forEach((name, i) => s.set(Layout[name], kept[i]));
  s.set(Layout.apicBase + 4, apicBaseHigh);
  s.set(Layout.cr0, cache | Cr0.et);
}

/** A waiting CPU begins at page `page`, u8, in real mode. */
function applyStartUp(s: CpuState, page: number): void {
  s.set(Layout.halted, Halt.none);
  setReal(s, SegReg.cs, page << 8);
  s.set(Layout.eip, 0);
}

/** True if a CPU in this state executes and delivers nothing until something new happens. */
export function isIdle(s: CpuState, interrupts: InterruptController | undefined): boolean {
  const halted = s.get(Layout.halted);
  if (halted === Halt.none) return false;
  if (halted === Halt.startUp) return true;
  if (s.get(Layout.pendingDebug) !== 0 && s.get(Layout.noDebug) === 0) return false;
  if (s.get(Layout.shadow) !== 0) return true;
  if (s.get(Layout.nmiPending) !== 0 && s.get(Layout.nmiBlocked) === 0) return false;
  return (s.get(Layout.eflags) & Flag.if) === 0 || interrupts === undefined || !interrupts.pending;
}

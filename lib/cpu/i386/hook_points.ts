/**
 * The hooks before an instruction: code, block and instruction hooks, in this order. A block begins wherever execution
 * does not come from the instruction before in memory, or that instruction ends blocks by its row. Warm when present.
 */
import type { HookTable } from "../../core/hooks.ts";
import { mnemonicAt, peekLinear } from "./inspect.ts";
import type { I386Cpu } from "./cpu.ts";
import { decode, Decoded, DecodeStatus, LONGEST_INSTRUCTION } from "./decode.ts";
import { opcodeIndex } from "./opcode_index.ts";
import { Layout, ModeBit } from "./state.ts";

/** Fires the hooks before instructions of one CPU. */
export class HookPoints {
  readonly #cpu: I386Cpu;
  readonly #hooks: HookTable;
  readonly #d: Decoded = new Decoded();
  /** Linear address at which the running block goes on, or -1. */
  #next = -1;

  /** @param cpu The CPU. @param hooks Its hooks. */
  constructor(cpu: I386Cpu, hooks: HookTable) {
    this.#cpu = cpu;
    this.#hooks = hooks;
  }

  /** Fires what is hooked at the instruction about to execute. */
  fire(linear: number): void {
    const h = this.#hooks;
    if (h.hasCode(linear)) h.fireCode(linear);
    if (h.hasBlock) {
      if (linear !== this.#next) h.fireBlock(linear);
      this.#next = this.#goesOn(linear);
    }
    if (h.hasInstruction) {
      const mnemonic = mnemonicAt(this.#cpu, linear);
      if (h.instructionHooked(mnemonic)) h.fireInstruction(mnemonic, linear);
    }
  }

  /** Forgets the block: an interrupt, fault or change from outside cuts it. */
  cut(): void {
    this.#next = -1;
  }

  #goesOn(linear: number): number {
    const cpu = this.#cpu;
    const bytes = new Uint8Array(LONGEST_INSTRUCTION);
    const n = peekLinear(cpu, linear, bytes);
    const is32 = (cpu.state.get(Layout.mode) & ModeBit.code32) !== 0;
    const status = decode(bytes, 0, n, is32, opcodeIndex(cpu.model.features), this.#d);
    if (status !== DecodeStatus.ok || this.#d.row.ends) return -1;
    const next = (linear + this.#d.length) >>> 0;
    return (next & 0xfff) === 0 ? -1 : next;
  }
}

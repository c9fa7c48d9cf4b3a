/**
 * Guest code as a translation reads it: one page, and the page behind it if code was fetched from there since the last
 * change of translations. Only what was executed before is read. Warm.
 */
import { decode, Decoded, DecodeStatus, LONGEST_INSTRUCTION } from "../../decode.ts";
import type { I386Cpu } from "../../cpu.ts";
import { SegReg } from "../../segment.ts";
import type { CodePage } from "../interpreter/code_cache.ts";
import { Handler, Rec } from "../interpreter/record.ts";
import type { TranslatorHost } from "../interpreter/translator.ts";
import { softFields } from "../interpreter/soft.ts";
import type { VolatileCode } from "../interpreter/volatile.ts";
import { isUsual } from "./code_mode.ts";
import { Instruction, mayBeSoft, type Translation } from "./instruction.ts";

/** Entries of a jump table that are looked at. */
const MOST_TARGETS = 64;

/** What of the code is left out. */
export interface SourceLimits extends Translation {
  /** Count of a new counter of a page. */
  readonly threshold: (pfn: number) => number;
  /** Executions that make code warm. */
  readonly warm: number;
  /** Bytes that are written over and over. */
  readonly volatile: VolatileCode;
  /** Constants among them may be read from memory. */
  readonly soft: boolean;
  /** Code goes on in the page behind the first one. */
  readonly secondPage: boolean;
}

/** Code of one or two pages. */
export class CodeSource {
  /** First page. */
  readonly first: CodePage;
  /** Page behind it, if it may be used. */
  readonly second: CodePage | undefined;
  readonly #cpu: I386Cpu;
  readonly #linear: number;
  readonly #host: TranslatorHost;
  readonly #bytes: Uint8Array;
  readonly #at: readonly [number, number];
  readonly #joined: Uint8Array = new Uint8Array(LONGEST_INSTRUCTION);
  readonly #decoded: Decoded = new Decoded();
  readonly #limits: SourceLimits;

  /**
   * @param cpu The CPU. @param host The interpreter. @param pfn Page of the hot block. @param linear Its linear address.
   * @param limits What is left out.
   */
  constructor(
    cpu: I386Cpu,
    host: TranslatorHost,
    pfn: number,
    linear: number,
    limits: SourceLimits,
  ) {
    this.#limits = limits;
    const { space } = cpu.board, key = host.decodeKey();
    this.#cpu = cpu;
    this.#linear = linear;
    this.#host = host;
    this.#bytes = space.host;
    this.first = host.cache.page(pfn, key);
    const behind = !limits.secondPage || linear >= 0xffff_f000 ? -1 : cpu.mem.fetched((linear + 0x1000) | 0);
    const next = behind < 0 ? -1 : space.bus(behind) >>> 12;
    this.second = next >= 0 && next !== pfn && host.cache.isKept(next) ? host.cache.page(next, key) : undefined;
    this.#at = [space.pages[pfn] & ~0xfff, next < 0 ? 0 : space.pages[next] & ~0xfff];
  }

  /** The instruction at an offset from the first page; undefined: it is not there, or was never executed. */
  instruction(offset: number): Instruction | undefined {
    const inSecond = offset >= 0x1000;
    const page = inSecond ? this.second : this.first;
    if (page === undefined || offset >= 0x2000 || !page.entries.has(offset & 0xfff)) return undefined;
    const d = this.#decoded, { index, lowerer } = this.#host;
    const at = this.#at[inSecond ? 1 : 0] + (offset & 0xfff), here = 0x1000 - (offset & 0xfff);
    const { is32 } = this.#limits.mode;
    let status = decode(this.#bytes, at, here, is32, index, d);
    if (status === DecodeStatus.more && !inSecond && this.second !== undefined) {
      for (let i = 0; i < LONGEST_INSTRUCTION; i++) {
        this.#joined[i] = this.#bytes[i < here ? at + i : this.#at[1] + i - here];
      }
      status = decode(this.#joined, 0, LONGEST_INSTRUCTION, is32, index, d);
    }
    const { volatile } = this.#limits, first = offset & 0xfff;
    const soft = softFields(volatile, page.pfn, first, d);
    if (soft === undefined || soft.length > 0 && !(this.#limits.soft && mayBeSoft(d, soft))) return undefined;
    if (first + d.length > 0x1000 && this.second !== undefined) {
      if (volatile.has(this.second.pfn, 0, first + d.length - 0x1000)) return undefined;
    }
    if (status !== DecodeStatus.ok) return undefined;
    const call = (): number => lowerer.typescript(d, this.#limits.mode.stackSize);
    return new Instruction(d, offset, call, this.#limits, soft, at);
  }

  /** Targets in reach of a jump through a table whose address is a constant; hints, compared when they are used. */
  table(i: Instruction): number[] {
    const out = new Set<number>();
    if (!isUsual(this.#limits.mode) || i.base >= 0 || i.index < 0 || i.scale !== 2) return [];
    if (i.seg !== SegReg.ds || i.soft.length > 0) return [];
    for (let n = 0; n < MOST_TARGETS; n++) {
      const at = this.#cpu.translate((i.disp + 4 * n) >>> 0);
      if (at < 0 || !this.#host.cache.isKept(at >>> 12)) break;
      const offset = (this.#cpu.board.space.read(at, 32) - this.#linear) >>> 0;
      if (offset >= 0x2000) break;
      if (this.isExecuted(offset)) out.add(offset);
    }
    return [...out].sort((a, b) => a - b);
  }

  /** True if the instruction at an offset was decoded by the interpreter. */
  isExecuted(offset: number): boolean {
    return offset < 0x2000 && (offset >= 0x1000 ? this.second : this.first)?.entries.has(offset & 0xfff) === true;
  }

  /** True if code at an offset was executed often enough, or nobody counted. */
  isWarm(offset: number): boolean {
    const page = offset >= 0x1000 ? this.second : this.first, view = this.#cpu.board.space.view;
    const record = page?.entries.get(offset & 0xfff);
    if (page === undefined || record === undefined) return false;
    if (view.getUint16(record + Rec.handler, true) !== Handler.counter) return true;
    if (view.getInt32(record + Rec.disp, true) !== 0) return true; // it was offered before
    const { threshold, warm } = this.#limits;
    return threshold(page.pfn) - view.getInt32(record + Rec.op, true) >= warm;
  }
}

/**
 * Decodes blocks into records for the interpreter. A run of records follows the bytes of one page up to an instruction
 * that ends a block; a record that says "look EIP up" closes it. Sources: design of the engine in record.ts. Warm.
 */
import type { I386Cpu } from "../../cpu.ts";
import { decode, DecodeStatus, LONGEST_INSTRUCTION } from "../../decode.ts";
import type { OpcodeIndex } from "../../opcode_index.ts";
import { ModeBit } from "../../state.ts";
import type { Field } from "../../fields.ts";
import type { Bytes, CodeCache, CodePage, Run } from "./code_cache.ts";
import type { Lowerer } from "./lower.ts";
import { Handler, Rec, RECORD_BYTES } from "./record.ts";
import { NO_FIELDS, softFields } from "./soft.ts";
import type { Translator } from "./translator.ts";
import type { VolatileCode } from "./volatile.ts";

/** Instructions decoded in one go. */
const RUN_LENGTH = 64;
/** Records a run may need: address, crossing, hook, two soft constants, instruction and counter each, and the ends. */
export const RUN_RECORDS: number = RUN_LENGTH * 7 + 7;

/** Conditional branches: control may go on behind them. */
const BRANCHES: ReadonlySet<string> = new Set(["jcc", "jcxz", "loop", "loope", "loopne"]);

const NOTHING: readonly Bytes[] = [];

/** Decoder of one CPU. */
export class BlockDecoder {
  /** True if the last record asked for lies outside RAM and ROM: what is there may change without a write. */
  isOutside = false;
  readonly #cpu: I386Cpu;
  readonly #view: DataView;
  readonly #cache: CodeCache;
  readonly #lowerer: Lowerer;
  readonly #index: OpcodeIndex;
  readonly #translator: Translator | undefined;
  readonly #volatile: VolatileCode | undefined;
  readonly #bytes: Uint8Array = new Uint8Array(LONGEST_INSTRUCTION);
  #mode = 0;
  #key = 0;
  #isCounted = false;

  /**
   * @param cpu The CPU. @param cache Records. @param lowerer Makes them. @param index Opcodes. @param translator If any.
   * @param soft Bytes that are written over and over, if constants may be soft.
   */
  constructor(
    cpu: I386Cpu,
    cache: CodeCache,
    lowerer: Lowerer,
    index: OpcodeIndex,
    translator: Translator | undefined,
    soft: VolatileCode | undefined,
  ) {
    this.#volatile = soft;
    this.#cpu = cpu;
    this.#view = cpu.board.space.view;
    this.#cache = cache;
    this.#lowerer = lowerer;
    this.#index = index;
    this.#translator = translator;
  }

  /**
   * The record of the instruction at a linear address in page `pfn`, decoded if need be. `mode` says how to decode, `key`
   * and `variant` under which name it is kept; where there are hooks nothing is counted for the translator. Faults: #PF.
   */
  recordAt(linear: number, pfn: number, mode: number, key: number, variant: number): number {
    this.#mode = mode;
    this.#key = key;
    this.isOutside = !this.#cache.isKept(pfn);
    if (this.isOutside) return this.#decodeOutside(linear, variant);
    this.#isCounted = variant === -1 && this.#translator?.accepts(mode) === true;
    const page = this.#cache.page(pfn, key, variant);
    const known = page.entries.get(linear & 0xfff);
    // A record over the page end is dropped with its second page, yet its entry stays here.
    const isAlive = known !== undefined && this.#view.getUint16(known + Rec.handler, true) !== Handler.lookup;
    return isAlive && this.#mayEnter(known) ? known : this.#decodeRun(page, linear);
  }

  /** The record at which the translator's block at `offset` of a page is entered if there is one, else 0. */
  known(pfn: number, offset: number, key: number): number {
    const known = this.#cache.page(pfn, key).entries.get(offset);
    const isAlive = known !== undefined && this.#view.getUint16(known + Rec.handler, true) !== Handler.lookup;
    return isAlive && this.#mayEnter(known) ? known : 0;
  }

  /** The same, decoding it if need be; 0: there is no room. */
  entry(pfn: number, offset: number, key: number): number {
    const known = this.known(pfn, offset, key);
    if (known !== 0 || this.#cache.isFull(RUN_RECORDS)) return known;
    // Over the end of the page only what executes is fetched.
    const at = this.#cpu.board.space.pages[pfn] & ~0xfff;
    if (this.#decode(this.#cpu.board.space.host, at + offset, 0x1000 - offset) === DecodeStatus.more) return 0;
    return this.#decodeRun(this.#cache.page(pfn, key), offset);
  }

  /** With a translator, blocks are entered at their counter, region or check of a second page only. */
  #mayEnter(record: number): boolean {
    if (!this.#isCounted) return true;
    const handler = this.#view.getUint16(record + Rec.handler, true);
    return handler === Handler.counter || handler === Handler.region || handler === Handler.crossing;
  }

  /** Puts a counter before a block. */
  #count(page: CodePage, offset: number): void {
    const r = this.#cache.take(), v = this.#view;
    this.#lowerer.clear(r);
    v.setUint16(r + Rec.handler, Handler.counter, true);
    v.setInt32(r + Rec.offset, offset, true);
    v.setInt32(r + Rec.imm, page.pfn, true);
    v.setInt32(r + Rec.op, this.#translator?.threshold(page.pfn) ?? 0, true);
  }

  /** Decodes from `linear` to the end of a block or page. @returns The first record. */
  #decodeRun(page: CodePage, linear: number): number {
    const revived = this.#revive(page, linear & 0xfff);
    if (revived !== 0) return revived;
    const host = this.#cpu.board.space.host, entries: number[] = [];
    const at = this.#cpu.board.space.pages[page.pfn] & ~0xfff;
    const first = this.#cache.next;
    const enter = (offset: number, record: number): void => {
      page.entries.set(offset, record);
      entries.push(offset, record);
    };
    let offset = linear & 0xfff, counted = -1, end = 0x1000, soft = NOTHING, isCrossing = false;
    if (this.#isCounted) this.#count(page, offset);
    for (let n = 0; n < RUN_LENGTH; n++) {
      const known = n > 0 && offset !== counted ? page.entries.get(offset) : undefined;
      if (offset >= 0x1000 || (known !== undefined && this.#mayEnter(known))) break;
      const status = this.#decode(host, at + offset, 0x1000 - offset);
      if (status === DecodeStatus.more) {
        isCrossing = n === 0;
        if (isCrossing) this.#decodeCrossing(page, linear, offset, first);
        break;
      }
      if (offset !== counted) enter(offset, n === 0 ? first : this.#cache.next);
      this.#lowerer.begin((linear & ~0xfff) | offset, offset, page.variant);
      const length = this.#lowerer.lower(status, offset, this.#mode, this.#softAt(page, offset, status), at + offset);
      for (const f of this.#lowerer.softened) {
        const from = offset + f.at;
        soft = [...soft, { from, to: from + f.size }];
      }
      offset += length;
      end = status === DecodeStatus.ok ? offset : Math.min(offset + LONGEST_INSTRUCTION, 0x1000); // who knows why it is none
      const { row } = this.#lowerer.decoded;
      if (status !== DecodeStatus.ok || row.ends) break;
      // What follows a branch is a block too: whether it is executed at all is worth knowing.
      if (this.#isCounted && BRANCHES.has(row.sem) && offset < 0x1000 && !page.entries.has(offset)) {
        counted = offset;
        enter(offset, this.#cache.next);
        this.#count(page, offset);
      }
    }
    if (offset === counted) { // nothing follows its counter
      page.entries.delete(offset);
      entries.length -= 2;
    }
    this.#lowerer.close(offset);
    const mayComeBack = !isCrossing && page.variant === -1 && this.#cache.dropped?.isChanging(page.pfn) === true;
    const source = mayComeBack
      ? {
        at,
        bytes: host.slice(at + (linear & 0xfff), at + end),
        handlers: undefined,
        entries,
      }
      : undefined;
    if (isCrossing) page.drop(offset, offset + 1, () => {}, this.#isAlive);
    page.add(first, this.#cache.next, linear & 0xfff, end, soft, source);
    return first;
  }

  /** The first record of the run at an offset if there was one made from the same bytes, or 0. */
  #revive(page: CodePage, offset: number): number {
    const run = this.#cache.dropped?.take(page, offset, this.#countAgain);
    if (run === undefined) return 0;
    page.revive(run);
    return run.first;
  }

  /** The record of a translation that is gone becomes a counter. */
  readonly #countAgain = (r: number, page: CodePage): void => {
    const v = this.#view;
    v.setUint16(r + Rec.handler, Handler.counter, true);
    v.setInt32(r + Rec.imm, page.pfn, true);
    v.setInt32(r + Rec.disp, 0, true);
    v.setInt32(r + Rec.op, this.#translator?.threshold(page.pfn) ?? 0, true);
  };

  /** False for a run over a page end that was dropped with its other page. */
  readonly #isAlive = (_page: CodePage, { first }: Run): boolean =>
    this.#view.getUint16(first + Rec.handler, true) !== Handler.lookup;

  /** Constants of the instruction just decoded that are read from memory. */
  #softAt(page: CodePage, offset: number, status: DecodeStatus): readonly Field[] {
    if (this.#volatile === undefined || status !== DecodeStatus.ok) return NO_FIELDS;
    return softFields(this.#volatile, page.pfn, offset, this.#lowerer.decoded) ?? NO_FIELDS;
  }

  /**
   * Bytes `from` to `to` of a run were written: decodes the instructions they belong to again, in the place of the old
   * ones. Code that writes immediates of its own instructions, over and over, costs no more than that.
   * @returns False: they are not what they were in length or records, and the run has to go.
   */
  mend(page: CodePage, run: Run, from: number, to: number): boolean {
    if (page.variant !== -1 || this.#cache.isFull(RUN_RECORDS)) return false;
    const v = this.#view;
    if (v.getInt32(run.first + Rec.offset, true) !== run.from) return false; // it begins in the page before
    for (let r = run.first; r < run.end;) {
      const offset = v.getInt32(r + Rec.offset, true);
      if (offset >= to) return true;
      const begin = r;
      do r += RECORD_BYTES; while (r < run.end && v.getInt32(r + Rec.offset, true) === offset);
      if (r === run.end) return run.to <= offset; // the end; behind it bytes that kept the last one from being decoded
      const next = v.getInt32(r + Rec.offset, true);
      if (next > from && (isSoft(run, offset, next) || !this.#mendOne(page, run, begin, r, next - offset))) {
        return false;
      }
    }
    return true;
  }

  /** Decodes the instruction of records `first` to `end` again. */
  #mendOne(page: CodePage, { from, source }: Run, first: number, end: number, length: number): boolean {
    const v = this.#view, cache = this.#cache, lowerer = this.#lowerer, space = this.#cpu.board.space;
    let r = first;
    const handler = v.getUint16(r + Rec.handler, true), offset = v.getInt32(r + Rec.offset, true);
    if (handler === Handler.counter || handler === Handler.region) r += RECORD_BYTES;
    // The instruction that writes still reads its own record.
    const isRunning = offset === (this.#cpu.pcLinear & 0xfff);
    if (isRunning || v.getUint16(r + Rec.handler, true) === Handler.crossing) return false;
    const mode = page.key % 32, at = (space.pages[page.pfn] & ~0xfff) + offset, { decoded } = lowerer;
    const is32 = (mode & ModeBit.code32) !== 0;
    if (decode(space.host, at, 0x1000 - offset, is32, this.#index, decoded) !== DecodeStatus.ok) return false;
    if (decoded.length !== length) return false;
    const made = cache.next, ops = lowerer.ops.length;
    lowerer.begin(0, offset, -1);
    lowerer.lower(DecodeStatus.ok, offset, mode, this.#softAt(page, offset, DecodeStatus.ok), at);
    const isSoft = lowerer.softened.length > 0; // then the run has to know
    const fits = cache.next - made === end - r && lowerer.ops.length === ops && !isSoft;
    if (fits) {
      space.host.copyWithin(r, made, cache.next);
      source?.bytes.set(space.host.subarray(at, at + length), offset - from);
    }
    space.host.fill(0, made, cache.next);
    cache.rewind(made);
    lowerer.ops.length = ops;
    return fits;
  }

  #decode(bytes: Uint8Array, at: number, available: number): DecodeStatus {
    return decode(bytes, at, available, (this.#mode & ModeBit.code32) !== 0, this.#index, this.#lowerer.decoded);
  }

  /** An instruction over the end of a page: its record is preceded by one that checks the second page. */
  #decodeCrossing(page: CodePage, linear: number, offset: number, first: number): void {
    const cpu = this.#cpu, space = cpu.board.space;
    const here = 0x1000 - offset;
    const second = space.bus(cpu.mem.fetchPage((linear + here) | 0)) >>> 12;
    for (let i = 0; i < LONGEST_INSTRUCTION; i++) {
      this.#bytes[i] = i < here
        ? space.host[(space.pages[page.pfn] & ~0xfff) + offset + i]
        : space.read(((second << 12) >>> 0) + i - here, 8);
    }
    const status = this.#decode(this.#bytes, 0, LONGEST_INSTRUCTION);
    const start = this.#cache.next;
    page.entries.set(offset, start);
    this.#lowerer.begin(linear, offset, page.variant);
    const check = this.#cache.take();
    this.#lowerer.clear(check);
    this.#view.setUint16(check + Rec.handler, Handler.crossing, true);
    this.#view.setInt32(check + Rec.offset, offset, true);
    this.#view.setInt32(check + Rec.imm, second, true);
    const length = this.#lowerer.lower(status, offset, this.#mode);
    this.#lowerer.close(offset + length);
    if (this.#cache.isKept(second)) {
      const other = this.#cache.page(second, this.#key);
      other.drop(0, 1, () => {}, this.#isAlive);
      other.add(
        first,
        this.#cache.next,
        0,
        status === DecodeStatus.ok ? Math.max(1, length - here) : LONGEST_INSTRUCTION,
      );
    }
  }

  /** Code outside RAM and ROM: decoded each time, one instruction. */
  #decodeOutside(linear: number, variant: number): number {
    const cpu = this.#cpu, space = cpu.board.space;
    const here = 0x1000 - (linear & 0xfff);
    const page = cpu.mem.fetchPage(linear);
    const fetch = (i: number): number => {
      if (i < here) return space.read(page + (linear & 0xfff) + i, 8);
      return space.read(cpu.mem.fetchPage((linear + here) | 0) + i - here, 8);
    };
    let n = 0;
    let status: DecodeStatus = DecodeStatus.more;
    while (n < LONGEST_INSTRUCTION && status === DecodeStatus.more) {
      this.#bytes[n] = fetch(n);
      n++;
      status = this.#decode(this.#bytes, 0, n);
    }
    const first = this.#cache.next;
    this.#lowerer.begin(linear, linear & 0xfff, variant);
    const length = this.#lowerer.lower(status, linear & 0xfff, this.#mode);
    this.#lowerer.close((linear & 0xfff) + length);
    return first;
  }
}

/** True if a run holds bytes `from` to `to` (exclusive) for constants that are read each time: what is there else must say so. */
function isSoft({ soft }: Run, from: number, to: number): boolean {
  return soft.some((s) => s.from < to && s.to > from);
}

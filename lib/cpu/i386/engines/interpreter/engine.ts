/**
 * The interpreter engine: predecodes code into records and runs them in the generated WebAssembly function.
 *
 * A run of records follows the bytes of one page up to an instruction that ends a block; a record that says "look EIP
 * up" closes it. Everything the function cannot do itself comes back here: slow memory, TypeScript instructions, code
 * not decoded yet. Sources: design of the engine in record.ts and program.ts. Warm.
 */
import { Vector } from "../../../../spec/i386_regs.ts";
import type { I386Cpu } from "../../cpu.ts";
import { decode, DecodeStatus } from "../../decode.ts";
import type { Engine, EngineFactory } from "../../engine.ts";
import { type OpcodeIndex, opcodeIndex } from "../../opcode_index.ts";
import { SegReg } from "../../segment.ts";
import { Layout, ModeBit, Seg, SEG_BYTES } from "../../state.ts";
import { TLB_BYTES } from "../../tlb.ts";
import { CodeCache, type CodePage } from "./code_cache.ts";
import { JUMP_CACHE_ENTRIES } from "./entry.ts";
import { program } from "./program.ts";
import { Lowerer } from "./lower.ts";
import { Handler, Rec } from "./record.ts";
import type { Translator, TranslatorHost, TranslatorMaker } from "./translator.ts";

/** Bytes of one jump cache. */
const CACHE_BYTES = JUMP_CACHE_ENTRIES * 8;
/** Bytes of the record pool. */
const POOL_BYTES = 16 << 20;
/** Instructions decoded in one go. */
const RUN_LENGTH = 64;
/** Records a run may need: address, crossing and instruction each, and the end. */
const RUN_RECORDS = RUN_LENGTH * 3 + 5;
/** Bytes of working memory. */
export const INTERPRETER_BYTES: number = 2 * CACHE_BYTES + POOL_BYTES;
/** Mode bits that decide how code is decoded. */
const DECODE_MODE = ModeBit.code32 | ModeBit.stack32 | ModeBit.flatData | ModeBit.flatCode;
const LONGEST = 15;

/** Makes interpreter engines. */
export const interpreter: EngineFactory = {
  name: "interpreter",
  workBytes: INTERPRETER_BYTES,
  create: (cpu) => new InterpreterEngine(cpu),
};

/** The interpreter of one CPU, with or without a translator of hot code. */
export class InterpreterEngine implements Engine {
  readonly #cpu: I386Cpu;
  readonly #view: DataView;
  readonly #cache: CodeCache;
  readonly #jumps: Int32Array;
  readonly #jumpsAt: number;
  readonly #index: OpcodeIndex;
  readonly #bytes: Uint8Array = new Uint8Array(LONGEST);
  readonly #lowerer: Lowerer;
  readonly #run: () => number;
  readonly #translator: Translator | undefined;
  #full = false;
  #relook = false;
  #outside = false;
  #mode = -1;
  #codeSegment = 0;
  #placeAt = 0;
  #placeSize = 0;

  /** @param cpu The CPU. @param translator Makes the translator, if there is one. */
  constructor(cpu: I386Cpu, translator?: TranslatorMaker) {
    this.#cpu = cpu;
    const { memory, stateAt, workAt, space } = cpu.board;
    this.#view = new DataView(memory.buffer);
    this.#jumpsAt = workAt + TLB_BYTES;
    this.#jumps = new Int32Array(memory.buffer, this.#jumpsAt, (2 * CACHE_BYTES) >>> 2);
    const pool = this.#jumpsAt + 2 * CACHE_BYTES;
    this.#cache = new CodeCache(space, cpu.board.index, pool, pool + POOL_BYTES);
    this.#lowerer = new Lowerer(cpu, this.#cache);
    this.#index = opcodeIndex(cpu.model.features);
    const pages = memory.buffer.byteLength >>> 16;
    this.#translator = translator?.(this.#asHost());
    const regions = this.#translator?.tableSize ?? 0;
    const instance = new WebAssembly.Instance(program(pages, stateAt, regions), {
      env: {
        memory,
        regions: this.#translator?.table as WebAssembly.ImportValue,
        kernels: this.#lowerer.kernels.table,
        hot: (record: number) => this.#translator?.hot(record),
        load: (linear: number, size: number) => this.#load(linear, size),
        store: (linear: number, size: number, value: number) => this.#store(linear, size, value),
        place: (linear: number, size: number) => this.#place(linear, size),
        commit: () => this.#commit(),
        raise: (vector: number, code: number) => this.#record(vector, code),
        find: () => this.#find(),
        call: (index: number) => this.#call(index),
        crossing: (record: number) => this.#crossing(record),
        segment: (at: number) => {
          const n = (at - cpu.board.stateAt - Layout.segs) / SEG_BYTES;
          this.#record(n === SegReg.ss ? Vector.ss : Vector.gp, 0);
        },
      },
    });
    this.#run = instance.exports.run as () => number;
  }

  run(): boolean {
    this.#relook = false;
    if (this.#full || this.#cache.isFull(RUN_RECORDS)) this.forget();
    return this.#run() !== 0;
  }

  translationsChanged(): void {
    this.#forgetJumps();
  }

  modeChanged(): void {
    const s = this.#cpu.state;
    const mode = s.get(Layout.mode) & DECODE_MODE, base = s.seg(SegReg.cs, Seg.base);
    s.set(Layout.jumpCache, this.#jumpsAt + (s.get(Layout.cpl) === 3 ? CACHE_BYTES : 0));
    this.#relook = true;
    if (mode === this.#mode && base === this.#codeSegment) return;
    this.#mode = mode;
    this.#codeSegment = base;
    this.#forgetJumps();
  }

  stateChanged(): void {
    this.modeChanged();
  }

  codeWritten(pfn: number, from: number, to: number): void {
    if (this.#cache.written(pfn, from, to)) this.#dropped(pfn);
  }

  forget(): void {
    this.#full = false;
    this.#translator?.forget();
    this.#cache.clear();
    this.#lowerer.ops.length = 0;
    this.#forgetJumps();
  }

  #asHost(): TranslatorHost {
    return {
      cache: this.#cache,
      lowerer: this.#lowerer,
      index: this.#index,
      jumpCache: (user) => this.#jumpsAt + (user ? CACHE_BYTES : 0),
      decodeKey: () => this.#key(),
      call: (index) => this.#call(index),
      forgetSoon: () => {
        this.#full = true;
      },
    };
  }

  /** Mode as part of the key of a page: translations are made for one privilege. */
  #key(): number {
    if (this.#translator === undefined) return this.#mode;
    return this.#mode | (this.#cpu.state.get(Layout.mode) & ModeBit.user);
  }

  #dropped(pfn: number): void {
    this.#translator?.dropped(pfn);
    this.#forgetJumps();
  }

  #forgetJumps(): void {
    this.#relook = true;
    this.#jumps.fill(0);
  }

  /** Runs what may raise a guest fault; true if it did. */
  #guarded(what: () => void): boolean {
    try {
      what();
      return false;
    } catch (thrown) {
      if (thrown !== this.#cpu.fault) throw thrown;
      return true;
    }
  }

  #record(vector: number, code: number): void {
    this.#guarded(() => this.#cpu.raise(vector, code));
  }

  #load(linear: number, size: number): number {
    const cpu = this.#cpu;
    try {
      const value = cpu.mem.readSlow(linear, size, cpu.state.get(Layout.cpl) === 3);
      cpu.state.set(Layout.scratch, value);
      return cpu.state.base + Layout.scratch;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return -1;
    }
  }

  #store(linear: number, size: number, value: number): number {
    const cpu = this.#cpu;
    try {
      cpu.mem.writeSlow(linear, size, value, cpu.state.get(Layout.cpl) === 3);
      return 0;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return -1;
    }
  }

  #place(linear: number, size: number): number {
    const cpu = this.#cpu, user = cpu.state.get(Layout.cpl) === 3;
    try {
      cpu.mem.probeWrite(linear, size, user);
      cpu.state.set(Layout.scratch, cpu.mem.readSlow(linear, size, user));
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return -1;
    }
    this.#placeAt = linear;
    this.#placeSize = size;
    return cpu.state.base + Layout.scratch;
  }

  #commit(): void {
    const cpu = this.#cpu;
    cpu.mem.writeSlow(this.#placeAt, this.#placeSize, cpu.state.get(Layout.scratch), cpu.state.get(Layout.cpl) === 3);
  }

  /** An instruction in TypeScript: 0 go on, 1 look EIP up, 2 fault. */
  #call(index: number): number {
    const cpu = this.#cpu, s = cpu.state;
    const { fn, op } = this.#lowerer.ops[index];
    const next = (s.get(Layout.eip) + op.length) >>> 0;
    cpu.nextEip = next;
    this.#relook = false;
    try {
      fn(cpu, op);
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return 2;
    }
    s.set(Layout.eip, cpu.nextEip);
    return this.#relook || (cpu.nextEip >>> 0) !== next ? 1 : 0;
  }

  /** The record at EIP, decoding it if need be; 0: a fault is recorded, or nothing more can be run now. */
  #find(): number {
    const cpu = this.#cpu, s = cpu.state;
    s.set(Layout.exit, 0);
    if (this.#full || this.#cache.isFull(RUN_RECORDS)) return 0; // run() makes room
    try {
      const record = this.#recordAt(s.get(Layout.eip));
      if (!this.#outside) this.#remember(s.get(Layout.eip), record);
      this.#outside = false;
      return record;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      s.set(Layout.count, s.get(Layout.count) - 1);
      s.set(Layout.exit, 1);
      return 0;
    }
  }

  #remember(eip: number, record: number): void {
    const slot = ((eip ^ (eip >>> 12)) & (JUMP_CACHE_ENTRIES - 1)) * 2;
    const table = this.#cpu.state.get(Layout.cpl) === 3 ? CACHE_BYTES >>> 2 : 0;
    this.#jumps[table + slot] = eip;
    this.#jumps[table + slot + 1] = record;
  }

  #recordAt(eip: number): number {
    const cpu = this.#cpu, s = cpu.state;
    if (((s.get(Layout.mode) & ModeBit.flatCode) === 0) && (eip >>> 0) > (s.seg(SegReg.cs, Seg.limit) >>> 0)) {
      cpu.raise(Vector.gp, 0);
    }
    const linear = (eip + s.seg(SegReg.cs, Seg.base)) | 0;
    const pfn = cpu.board.space.bus(cpu.mem.fetchPage(linear)) >>> 12;
    if (!this.#cache.isKept(pfn)) return this.#decodeOutside(linear);
    const page = this.#cache.page(pfn, this.#key());
    const known = page.entries.get(linear & 0xfff);
    // A record over the page end is dropped with its second page, yet its entry stays here.
    const isAlive = known !== undefined && this.#view.getUint16(known + Rec.handler, true) !== Handler.lookup;
    return isAlive && this.#mayEnter(known) ? known : this.#decodeRun(page, linear);
  }

  /** With a translator, blocks are entered at their counter, region or check of a second page only. */
  #mayEnter(record: number): boolean {
    if (this.#translator?.accepts(this.#mode) !== true) return true;
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
    const host = this.#cpu.board.space.host;
    const at = this.#cpu.board.space.pages[page.pfn] & ~0xfff;
    const first = this.#cache.next;
    let offset = linear & 0xfff;
    const counted = this.#translator?.accepts(this.#mode) === true;
    if (counted) this.#count(page, offset);
    for (let n = 0; n < RUN_LENGTH; n++) {
      const known = n > 0 ? page.entries.get(offset) : undefined;
      if (offset >= 0x1000 || (known !== undefined && this.#mayEnter(known))) break;
      const status = this.#decode(host, at + offset, 0x1000 - offset);
      if (status === DecodeStatus.more) {
        if (n === 0) this.#decodeCrossing(page, linear, offset);
        break;
      }
      page.entries.set(offset, n === 0 ? first : this.#cache.next);
      const length = this.#lowerer.lower(status, offset, this.#mode);
      page.mark(offset, offset + length);
      offset += length;
      if (status !== DecodeStatus.ok || this.#lowerer.decoded.row.ends) break;
    }
    this.#lowerer.close(offset);
    page.runs.push(first, this.#cache.next);
    return first;
  }

  #decode(bytes: Uint8Array, at: number, available: number): DecodeStatus {
    return decode(bytes, at, available, (this.#mode & ModeBit.code32) !== 0, this.#index, this.#lowerer.decoded);
  }

  /** An instruction over the end of a page: its record is preceded by one that checks the second page. */
  #decodeCrossing(page: CodePage, linear: number, offset: number): void {
    const cpu = this.#cpu, space = cpu.board.space;
    const here = 0x1000 - offset;
    const second = space.bus(cpu.mem.fetchPage((linear + here) | 0)) >>> 12;
    for (let i = 0; i < LONGEST; i++) {
      this.#bytes[i] = i < here
        ? space.host[(space.pages[page.pfn] & ~0xfff) + offset + i]
        : space.read(((second << 12) >>> 0) + i - here, 8);
    }
    const status = this.#decode(this.#bytes, 0, LONGEST);
    const start = this.#cache.next;
    page.entries.set(offset, start);
    page.mark(offset, 0x1000);
    const check = this.#cache.take();
    this.#lowerer.clear(check);
    this.#view.setUint16(check + Rec.handler, Handler.crossing, true);
    this.#view.setInt32(check + Rec.offset, offset, true);
    this.#view.setInt32(check + Rec.imm, second, true);
    const length = this.#lowerer.lower(status, offset, this.#mode);
    this.#lowerer.close(offset + length);
    if (this.#cache.isKept(second)) {
      const other = this.#cache.page(second, this.#key());
      other.mark(0, Math.max(1, length - here));
      other.runs.push(start, this.#cache.next);
    }
  }

  /** Checks that the second page is still where the record was decoded from. */
  #crossing(record: number): number {
    const cpu = this.#cpu, s = cpu.state;
    const linear = (s.get(Layout.eip) + s.seg(SegReg.cs, Seg.base)) | 0;
    try {
      const second = cpu.board.space.bus(cpu.mem.fetchPage(((linear & ~0xfff) + 0x1000) | 0)) >>> 12;
      if (second === this.#view.getInt32(record + Rec.imm, true)) return 0;
      const pfn = cpu.board.space.bus(cpu.mem.fetchPage(linear)) >>> 12;
      if (this.#cache.written(pfn, 0, 0x1000)) this.#dropped(pfn);
      return 1;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return 2;
    }
  }

  /** Code outside RAM and ROM: decoded each time, one instruction. */
  #decodeOutside(linear: number): number {
    const cpu = this.#cpu, space = cpu.board.space;
    const here = 0x1000 - (linear & 0xfff);
    const page = cpu.mem.fetchPage(linear);
    const fetch = (i: number): number => {
      if (i < here) return space.read(page + (linear & 0xfff) + i, 8);
      return space.read(cpu.mem.fetchPage((linear + here) | 0) + i - here, 8);
    };
    let n = 0;
    let status: DecodeStatus = DecodeStatus.more;
    while (n < LONGEST && status === DecodeStatus.more) {
      this.#bytes[n] = fetch(n);
      n++;
      status = this.#decode(this.#bytes, 0, n);
    }
    const first = this.#cache.next;
    const length = this.#lowerer.lower(status, linear & 0xfff, this.#mode);
    this.#lowerer.close((linear & 0xfff) + length);
    this.#outside = true; // what lies there may change without a write
    return first;
  }
}

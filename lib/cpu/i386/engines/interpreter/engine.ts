/**
 * The interpreter engine: predecodes code into records and runs them in the generated WebAssembly function.
 *
 * Everything the function cannot do itself comes back here: slow memory, TypeScript instructions, code
 * not decoded yet. Sources: design of the engine in record.ts and program.ts. Warm.
 */
import { Vector } from "../../../../spec/i386_regs.ts";
import type { I386Cpu } from "../../cpu.ts";
import type { Engine, EngineFactory } from "../../engine.ts";
import { LONGEST_INSTRUCTION } from "../../decode.ts";
import { type OpcodeIndex, opcodeIndex } from "../../opcode_index.ts";
import { FAULT_KERNEL } from "../../kernels/system/index.ts";
import { LOOK_UP } from "../../kernels/system/kernel.ts";
import { SegReg } from "../../segment.ts";
import { Halt } from "../../startup.ts";
import { StringRuns } from "../../kernels/string_runs.ts";
import { Layout, ModeBit, Seg, SEG_BYTES } from "../../state.ts";
import { TLB_BYTES } from "../../tlb.ts";
import { BlockDecoder, RUN_RECORDS } from "./block_decoder.ts";
import { CodeMap, MAP_BYTES } from "./code_map.ts";
import { CodeCache, type CodePage, type Run } from "./code_cache.ts";
import { JUMP_CACHES_BYTES, JumpCaches } from "./jump_caches.ts";
import { Program } from "./links.ts";
import type { ProgramImports } from "./program.ts";
import { Lowerer } from "./lower.ts";
import { type InterpreterOptions, type InterpreterSettings, interpreterSettings } from "./options.ts";
import { Handler, Rec, RECORD_BYTES } from "./record.ts";
import { SlowMemory } from "./slow_memory.ts";
import type { Translator, TranslatorHost, TranslatorMaker } from "./translator.ts";
import { LONGEST_PATCH, VolatileCode } from "./volatile.ts";

/** Bytes of the record pool. */
const POOL_BYTES = 16 << 20;
/** Bytes of working memory. */
export const INTERPRETER_BYTES: number = JUMP_CACHES_BYTES + MAP_BYTES + POOL_BYTES;
/** Mode bits that decide how code is decoded. */
const DECODE_MODE = ModeBit.code32 | ModeBit.stack32 | ModeBit.flatData | ModeBit.flatCode;

/** Makes interpreter engines with some switches. */
export function interpreterWith(options: InterpreterOptions = {}): EngineFactory {
  const settings = interpreterSettings(options);
  const create = (cpu: I386Cpu): Engine => new InterpreterEngine(cpu, settings);
  return { name: "interpreter", workBytes: INTERPRETER_BYTES, create };
}

/** Makes interpreter engines. */
export const interpreter: EngineFactory = interpreterWith();

/** The interpreter of one CPU, with or without a translator of hot code. */
export class InterpreterEngine implements Engine {
  /** See {@linkcode Engine.seesHooks}. */
  readonly seesHooks = true;
  readonly #cpu: I386Cpu;
  readonly #slow: SlowMemory;
  readonly #view: DataView;
  readonly #cache: CodeCache;
  readonly #jumps: JumpCaches;
  readonly #index: OpcodeIndex;
  readonly #decoder: BlockDecoder;
  readonly #lowerer: Lowerer;
  readonly #program: Program;
  readonly #volatile: VolatileCode = new VolatileCode();
  readonly #mapAt: number;
  readonly #translator: Translator | undefined;
  readonly #settings: InterpreterSettings;
  readonly #mend = (page: CodePage, run: Run, from: number, to: number): boolean =>
    this.#decoder.mend(page, run, from, to);
  #full = false;
  #relook = false;
  #hooked = false;
  #mode = -1;
  #codeSegment = 0;
  #wholeMode = -1;

  /** @param cpu The CPU. @param settings Switches. @param translator Makes the translator, if there is one. */
  constructor(cpu: I386Cpu, settings: InterpreterSettings, translator?: TranslatorMaker) {
    this.#cpu = cpu;
    this.#slow = new SlowMemory(cpu);
    this.#settings = settings;
    const { memory, stateAt, workAt, space } = cpu.board;
    this.#view = new DataView(memory.buffer);
    this.#jumps = new JumpCaches(memory, workAt + TLB_BYTES, settings);
    this.#mapAt = workAt + TLB_BYTES + JUMP_CACHES_BYTES;
    const pool = this.#mapAt + MAP_BYTES;
    const map = new CodeMap(space, this.#mapAt), end = pool + POOL_BYTES;
    this.#cache = new CodeCache(space, cpu.board.index, map, pool, end, settings.revive);
    cpu.mem.knowsCode = settings.besideCode;
    this.#lowerer = new Lowerer(cpu, this.#cache, settings, (one) => this.#program.link(one));
    this.#index = opcodeIndex(cpu.model.features);
    const runs = new StringRuns(memory, stateAt);
    this.#translator = translator?.(this.#asHost(runs));
    const soft = settings.soft ? this.#volatile : undefined;
    this.#decoder = new BlockDecoder(cpu, this.#cache, this.#lowerer, this.#index, this.#translator, soft);
    const regions = this.#translator?.tableSize ?? 0;
    const place = { pages: memory.buffer.byteLength >>> 16, state: stateAt, regions, settings };
    const parts = { memory, kernels: this.#lowerer.kernels.table, regions: this.#translator?.table, runs };
    this.#program = new Program(place, parts, this.#functions());
  }

  run(): boolean {
    this.#relook = false;
    if (this.#full || this.#cache.isFull(RUN_RECORDS)) this.forget();
    // A region that loops for long must be left now and then: V8 changes to better code at the next call only.
    if (this.#translator !== undefined) this.#cpu.pauseAfter(this.#translator.longestStay);
    return this.#program.run() !== 0;
  }

  translationsChanged(all: boolean): void {
    this.#translator?.translationsChanged(all);
    this.#relook = true;
    if (all) this.#jumps.forget();
    else this.#jumps.forgetLocal();
  }

  modeChanged(): void {
    const s = this.#cpu.state;
    const mode = s.get(Layout.mode) & DECODE_MODE, base = s.seg(SegReg.cs, Seg.base);
    s.set(Layout.jumpSystem, this.#jumps.address(false));
    s.set(Layout.jumpUser, this.#jumps.address(true));
    s.set(Layout.jumpCache, this.#jumps.address(s.get(Layout.cpl) === 3));
    s.set(Layout.codeMap, this.#mapAt);
    // A segment register with another base is no reason to look anew.
    this.#relook ||= s.get(Layout.mode) !== this.#wholeMode;
    this.#wholeMode = s.get(Layout.mode);
    if (mode === this.#mode && base === this.#codeSegment) return;
    this.#mode = mode;
    this.#codeSegment = base;
    this.#forgetJumps();
  }

  stateChanged(): void {
    this.#relook = true;
    this.modeChanged();
  }

  codeWritten(pfn: number, from: number, to: number): void {
    if (!this.#cache.expose(pfn) || !this.#cache.isCode(pfn, from, to)) return;
    const isPatch = this.#volatile.written(pfn, from, to);
    const hit = this.#cache.written(pfn, from, to, isPatch && this.#settings.patch ? this.#mend : undefined);
    const isDropped = this.#translator?.dropped(pfn, from, to) === true;
    if (hit || isDropped) this.#dropped(pfn);
    else if (to - from <= LONGEST_PATCH) this.#cache.free(pfn, from, to - from);
  }

  hooksChanged(): void {
    // Code without hooks is kept, translated or not: it is found only where nothing is hooked.
    if (this.#hooked) this.#cache.dropHooked();
    this.#hooked = this.#cpu.points.any;
    this.#forgetJumps();
  }

  forget(): void {
    this.#full = false;
    this.#volatile.clear();
    this.#translator?.forget();
    this.#cache.clear();
    this.#lowerer.forget();
    this.#forgetJumps();
  }

  /** What the generated code calls. */
  #functions(): ProgramImports {
    const { stateAt } = this.#cpu.board;
    return {
      hot: (record) => this.#translator?.hot(record),
      fill: (linear, size) => this.#translator?.fill(linear, size) ?? -1,
      slowLoad: (linear, size) => this.#slow.load(linear, size),
      slowStore: (linear, size, value) => this.#slow.store(linear, size, value),
      slowPlace: (linear, size) => this.#slow.place(linear, size),
      commit: () => this.#slow.commit(),
      raise: (vector, code) => this.#record(vector, code),
      find: () => this.#find(),
      call: (index) => this.#call(index),
      crossing: (record) => this.#crossing(record),
      hook: (record) => this.#hook(record),
      badSegment: (at) => {
        const n = (at - stateAt - Layout.segs) / SEG_BYTES;
        this.#record(n === SegReg.ss ? Vector.ss : Vector.gp, 0);
      },
    };
  }

  #asHost(runs: StringRuns): TranslatorHost {
    return {
      runs,
      volatile: this.#volatile,
      write: () => this.#program.write,
      cache: this.#cache,
      lowerer: this.#lowerer,
      index: this.#index,
      jumpCache: (user) => this.#jumps.address(user),
      decodeKey: () => this.#key(),
      known: (pfn, offset) => this.#decoder.known(pfn, offset, this.#key()),
      entry: (pfn, offset) => this.#decoder.entry(pfn, offset, this.#key()),
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

  /** Code was dropped. Jumps to dropped records need not be forgotten: they are seen to be dropped. */
  #dropped(pfn: number): void {
    this.#cache.tidy(pfn);
    this.#relook = true;
  }

  #forgetJumps(): void {
    this.#relook = true;
    this.#jumps.forget();
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

  /** See {@linkcode Engine.enterFault}. */
  enterFault(): boolean {
    const s = this.#cpu.state, { kernels } = this.#lowerer;
    if (s.get(Layout.faultHasCode) === 0 || !kernels.hasSystem) return false;
    const vector = s.get(Layout.faultVector);
    if (kernels.system(FAULT_KERNEL)(vector, s.get(Layout.faultCode), 0) !== LOOK_UP) return false;
    s.set(Layout.halted, Halt.none);
    s.set(Layout.pendingDebug, 0); // of an instruction that was not completed
    if (vector === Vector.pf) s.set(Layout.cr2, s.get(Layout.faultLinear));
    return true;
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
    // At the end of the slice nothing is fetched; run() makes room.
    if (s.get(Layout.count) <= 0 || this.#full || this.#cache.isFull(RUN_RECORDS)) return 0;
    if (this.#hooked && !this.#passHooks()) return 0;
    cpu.least = 1; // the tick of this instruction is still to be taken
    try {
      const record = this.#recordAt(s.get(Layout.eip));
      // What was fired before the fetch belongs to this record of hooks, or there is none.
      if (this.#hooked && this.#view.getUint16(record, true) !== Handler.hook) cpu.points.passed = false;
      if (!this.#decoder.isOutside) this.#remember(s.get(Layout.eip), record);
      return record;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      s.set(Layout.count, s.get(Layout.count) - 1);
      s.set(Layout.exit, 1);
      return 0;
    } finally {
      cpu.least = 0;
    }
  }

  /** The hooks before a fetch. One may move EIP; the one at the new place then may not. @returns False: leave. */
  #passHooks(): boolean {
    const { points, pcLinear, state } = this.#cpu, eip = state.get(Layout.eip);
    if (this.#hookFetch()) return true;
    if (!points.moved) return false;
    this.#keepHooked(eip, pcLinear);
    return this.#hookFetch();
  }

  /** An instruction whose hook moves EIP is never fetched: decodes it all the same if that cannot be seen, for the next time. */
  #keepHooked(eip: number, linear: number): void {
    const { mem, points, board } = this.#cpu, frame = mem.fetched(linear);
    if (frame < 0) return this.#keepAlone(eip, linear);
    if ((linear & 0xfff) > 0x1000 - LONGEST_INSTRUCTION) return;
    const pfn = board.space.bus(frame) >>> 12, variant = points.variant(linear >>> 12);
    const record = this.#decoder.recordAt(linear, pfn, this.#mode, this.#key(), variant);
    if (!this.#decoder.isOutside) this.#remember(eip, record);
  }

  /** The same where nobody has fetched from the page: a record of the hooks alone, if they are not a matter of the bytes there. */
  #keepAlone(eip: number, linear: number): void {
    const { hooks } = this.#cpu.board;
    if (hooks.hasInstruction || hooks.hasBlock) return;
    const record = this.#lowerer.alone(linear);
    if (record !== 0) this.#remember(eip, record);
  }

  /** Hooks come before the fetch, which may fault. @returns False: leave. */
  #hookFetch(): boolean {
    const { points } = this.#cpu;
    if (points.variant(this.#cpu.pcLinear >>> 12) === -1) return true;
    this.#relook = false;
    if (!points.before()) return false;
    points.passed = true;
    return !this.#relook;
  }

  /** Hooks before the instruction of the following record: 0 execute it, 1 leave, 2 look EIP up. */
  #hook(record: number): number {
    const { points } = this.#cpu, plan = this.#lowerer.plans[this.#view.getInt32(record + Rec.op, true)];
    this.#relook = false;
    if (!points.before(plan)) return points.moved ? 2 : 1;
    points.passed = this.#relook || plan.isAlone;
    if (plan.isAlone) this.#remember(this.#cpu.state.get(Layout.eip), 0);
    return this.#relook ? 1 : plan.isAlone ? 2 : 0;
  }

  #remember(eip: number, record: number): void {
    const isLocal = this.#cpu.mem.isLocalFetch((eip + this.#codeSegment) | 0);
    this.#jumps.remember(eip, record, this.#cpu.state.get(Layout.cpl) === 3, isLocal);
  }

  #recordAt(eip: number): number {
    const cpu = this.#cpu, s = cpu.state;
    if (((s.get(Layout.mode) & ModeBit.flatCode) === 0) && (eip >>> 0) > (s.seg(SegReg.cs, Seg.limit) >>> 0)) {
      cpu.raise(Vector.gp, 0);
    }
    const linear = (eip + s.seg(SegReg.cs, Seg.base)) | 0;
    const pfn = cpu.board.space.bus(cpu.mem.fetchPage(linear)) >>> 12;
    const variant = this.#hooked ? cpu.points.variant(linear >>> 12) : -1;
    return this.#decoder.recordAt(linear, pfn, this.#mode, this.#key(), variant);
  }

  /** Checks that the second page is still where the record was decoded from. */
  #crossing(record: number): number {
    const cpu = this.#cpu, s = cpu.state;
    const linear = (s.get(Layout.eip) + s.seg(SegReg.cs, Seg.base)) | 0;
    try {
      const second = cpu.board.space.bus(cpu.mem.fetchPage(((linear & ~0xfff) + 0x1000) | 0)) >>> 12;
      if (second === this.#view.getInt32(record + Rec.imm, true)) return 0;
      const pfn = cpu.board.space.bus(cpu.mem.fetchPage(linear)) >>> 12;
      if (this.#hooked) cpu.points.passed = this.#view.getUint16(record - RECORD_BYTES, true) === Handler.hook;
      this.#cache.written(pfn, 0, 0x1000, undefined);
      this.#translator?.dropped(pfn, 0, 0x1000);
      this.#dropped(pfn);
      return 1;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return 2;
    }
  }
}

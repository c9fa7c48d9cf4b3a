/**
 * The JIT engine: the interpreter, and a translator that turns hot code into WebAssembly.
 *
 * Cold code is interpreted. A counter record stands before every block of 32-bit flat code; when it is used up the code
 * around it becomes a region: a function in which registers and flags are locals, loops are loops, and direct jumps are
 * branches. The counter record then calls the region. A region ends at a call, return or jump out of its page; it finds
 * the next region through the interpreter's jump cache and enters it by a tail call, so hot code never passes through
 * TypeScript. Whatever is unusual (a fault, MMIO, a write to a page with code, the end of a slice) makes it leave in
 * front of the instruction, which the interpreter then executes: no second implementation of anything rare.
 *
 * Why it is fast: registers and flag operands in locals, flags derived only where they are asked for, conditions fused
 * with the compare before them, one XOR-TLB probe for each access, the count checked only at loop heads and entries.
 * What single switches gave, speed on warm code with them over that without (thread CPU time, best of 25 pieces): `fuse`
 * 2.6 over all integer programs of scripts/bench, up to 9 on checksum; `guards` 2.9 on checksum, whose branches no
 * processor foretells; `unroll` 1.9 on sieve, 1.2 on matrix; INC and DEC that keep the flags below them, on loops that
 * count, a part of what `guards` and `unroll` gave; loops that keep their nesting when a region is entered in the middle,
 * 1.6 on sieve and matrix. Where a short program spends its time: see interpreter/partition.ts. Division is bound by the
 * host's divider, recursion by registers and flags that pass through the state block at each call and return.
 *
 * What a boot of Debian's kernel costs, 6.4 thousand million instructions: two loops (the decompressor, arithmetic on long
 * numbers) are most of the instructions and half of the main thread's time; V8's optimizing compiler on its own threads
 * is a quarter of all CPU time and goes by the bytes of WebAssembly it is given, so the same code must not be translated
 * again and again. Hence one region in the place of overlapping ones (8.3 MB of modules became 4.0), sides of branches
 * that are rarely taken left out, ways out that meet by block. Slices are as long as the events allow; a jump cache of 4096
 * places missed twice as often as one of 16384 (see interpreter/jump_entry.ts); a CR3 write that forgot jumps to global
 * pages cost half a million look-ups while the kernel patched itself. Thresholds of 1500, 4000 and 6000 differ in compiling
 * alone. V8 without inlining or loop peeling, or with three times its tiering budget, made no difference that could be
 * measured.
 *
 * What system work under Linux costs: a system call is 360 instructions, of which 14 were TypeScript and took two thirds of
 * its time; they are WebAssembly now, and a region goes on behind those that change nothing else (kernels/system). A page
 * fault of the guest threw two exceptions in V8, entered its handler in TypeScript, and stepped one instruction because of
 * RF; now its handler is entered by a kernel. Code that runs some hundred times, as fork and exec have it, is interpreted
 * and costs most there: a translation would not pay for itself.
 *
 * Code that changes: what was written is decoded again in place (block_decoder.ts); constants that change over and over
 * are read from memory, so that a write to them is one to data (soft.ts), and what else does so is left to the interpreter
 * (volatile.ts); writes beside code are done without TypeScript (code_map.ts, code_write.ts).
 * 16-bit code and segments that are not flat (segment_plan.ts): loops of real mode ran at 3 to 10 times the interpreter's
 * speed; far calls, INT and IRET are TypeScript and as slow as they were.
 * Warm; the emitted code is hot.
 *
 * Not translated: code that uses segments which grow down.
 */
import { PageBit } from "../../../../memory/address_space.ts";
import type { I386Cpu } from "../../cpu.ts";
import type { Engine, EngineFactory } from "../../engine.ts";
import { SegReg } from "../../segment.ts";
import { Layout, Seg } from "../../state.ts";
import { TLB_BYTES } from "../../tlb.ts";
import { INTERPRETER_BYTES, InterpreterEngine } from "../interpreter/engine.ts";
import { Rec } from "../interpreter/record.ts";
import { VolatileCode } from "../interpreter/volatile.ts";
import { LeadInEngine } from "../lead_in.ts";
import type { Translator, TranslatorHost } from "../interpreter/translator.ts";
import { codeMode, FLAT } from "./code_mode.ts";
import { Discovery } from "./discover.ts";
import { headAround, isInside } from "./entries.ts";
import { CodeSource } from "./source.ts";
import {
  buildModule,
  kernelsOf,
  type RegionImports,
  runsOf,
  SECONDS,
  SECONDS_BYTES,
  systemKernelsOf,
  type Target,
} from "./module.ts";
import { type JitOptions, type JitSettings, jitSettings } from "./options.ts";
import { makePlan } from "./plan.ts";
import { codeOf, type Region, RegionMap, TABLE_SIZE } from "./regions.ts";

/** TypeScript instructions listed at a time. */
const MAX_OPS = 1 << 18;
/** A page whose translations were dropped this often is translated again only where code is executed millions of times. */
const MAX_DROPS = 12;
/** Doublings of the threshold there. */
const COLD_SHIFT = 12;
/** How much hotter a block must be that lies inside a region already: regions come back to it by themselves. */
const INSIDE = 2;
/** What is put off doubles its count so often at most. */
const MAX_DOUBLED = 8;
/** x87 code is done in place if its control word asks for 64 bits of mantissa and masks the inexact exception. */
const USUAL_CONTROL = 0x320;
/** Where code is translated although it is written over and over. */
const NONE_VOLATILE = new VolatileCode();
/** Count of a block that is never offered. */
const NEVER = 0x7fffffff;

/** Makes JIT engines. */
export function jit(options: JitOptions = {}): EngineFactory {
  const settings = jitSettings(options);
  return {
    name: "jit",
    workBytes: INTERPRETER_BYTES + 0x10000,
    create: (cpu) => {
      const make = (): Engine => new InterpreterEngine(cpu, settings, (host) => new JitTranslator(cpu, host, settings));
      return settings.leadIn > 0 ? new LeadInEngine(cpu, settings.leadIn, make) : make();
    },
  };
}

class JitTranslator implements Translator {
  readonly table: WebAssembly.Table;
  readonly tableSize: number = TABLE_SIZE;
  readonly longestStay: number;
  readonly #cpu: I386Cpu;
  readonly #host: TranslatorHost;
  readonly #settings: JitSettings;
  readonly #imports: RegionImports & Record<string, WebAssembly.ImportValue>;
  readonly #regions: RegionMap;
  readonly #drops: Map<number, number> = new Map();
  readonly #seconds: Int32Array;
  readonly #secondsAt: number;
  /** Those of {@linkcode JitTranslator.#seconds} whose page is not global. */
  readonly #localSeconds: Set<number> = new Set();
  #generation = 0;

  constructor(cpu: I386Cpu, host: TranslatorHost, settings: JitSettings) {
    this.#cpu = cpu;
    this.#host = host;
    this.#settings = settings;
    this.longestStay = settings.longestStay;
    this.#regions = new RegionMap(cpu, (pfn) => this.threshold(pfn));
    this.table = this.#regions.table;
    this.#secondsAt = cpu.board.workAt + TLB_BYTES + INTERPRETER_BYTES;
    this.#seconds = new Int32Array(cpu.board.memory.buffer, this.#secondsAt, SECONDS_BYTES >>> 2);
    this.#imports = {
      memory: cpu.board.memory,
      regions: this.table,
      read: (linear, size) => this.#fill(linear, size, false),
      write: () => -1, // until there is code of the interpreter
      call: (index) => host.call(index),
      second: (linear) => this.#second(linear),
      ...(settings.boundary === undefined ? {} : { boundary: settings.boundary }),
    };
  }

  accepts(mode: number): boolean {
    return this.#settings.segmented || (mode & FLAT) === FLAT;
  }

  threshold(pfn: number): number {
    const drops = this.#drops.get(pfn) ?? 0;
    return this.#settings.threshold << (drops >= MAX_DROPS ? COLD_SHIFT : drops >>> 1);
  }

  hot(record: number): void {
    const view = this.#cpu.board.space.view;
    const pfn = view.getInt32(record + Rec.imm, true);
    const offset = view.getInt32(record + Rec.offset, true);
    const tries = view.getInt32(record + Rec.disp, true);
    const owner = this.#regions.owner(pfn, this.#host.decodeKey(), offset);
    if (owner !== undefined && tries <= owner.rebuilds) return this.#putOff(record, pfn, tries);
    view.setInt32(record + Rec.op, NEVER, true);
    const full = this.#regions.bytes >= this.#settings.cacheBytes || this.#host.lowerer.ops.length > MAX_OPS ||
      this.#regions.isFull;
    if (full) {
      view.setInt32(record + Rec.op, this.threshold(pfn) + 1, true);
      this.#host.forgetSoon();
    } else if (!this.#translate(pfn, offset, tries)) this.#putOff(record, pfn, tries);
  }

  /** Lets a block be counted once more before it is translated. */
  #putOff(record: number, pfn: number, tries: number): void {
    const view = this.#cpu.board.space.view;
    view.setInt32(record + Rec.disp, tries + 1, true);
    view.setInt32(record + Rec.op, (this.threshold(pfn) * INSIDE) << Math.min(tries, MAX_DOUBLED), true);
  }

  dropped(pfn: number, from: number, to: number): boolean {
    this.#generation++;
    if (!this.#regions.dropBytes(pfn, from, to)) return false;
    this.#drops.set(pfn, (this.#drops.get(pfn) ?? 0) + 1);
    return true;
  }

  fill(linear: number, size: number): number {
    return this.#fill(linear, size, true);
  }

  translationsChanged(all: boolean): void {
    if (all) this.#seconds.fill(0);
    else for (const at of this.#localSeconds) this.#seconds[at] = 0;
    this.#localSeconds.clear();
  }

  forget(): void {
    this.#regions.clear();
    this.#drops.clear();
    this.#generation++;
  }

  /** Translates the region around a block and lets its entries call it. @returns False: not yet. */
  #translate(pfn: number, offset: number, tries: number): boolean {
    const host = this.#host;
    const { warm, fold, kernels, system, steps, singleFlags, secondPage, soft } = this.#settings, { state } = this.#cpu;
    const key = host.decodeKey(), mode = codeMode(state.get(Layout.mode));
    const linear = (state.get(Layout.codeBase) + state.seg(SegReg.cs, Seg.base)) >>> 0;
    const x87 = this.#settings.x87 && (state.get(Layout.fcw) & USUAL_CONTROL) === USUAL_CONTROL;
    const source = new CodeSource(this.#cpu, host, pfn, linear, {
      threshold: (page) => this.threshold(page),
      warm,
      volatile: this.#settings.volatileCode ? host.volatile : NONE_VOLATILE,
      state: state.base,
      ...{ mode, x87, fold, kernels, system, steps, singleFlags, secondPage, soft },
    });
    const { discovery, merged } = this.#discover(source, pfn, key, offset);
    const entry = discovery.blocks[0].start, isOther = entry !== offset;
    if (isOther && this.#regions.owner(pfn, key, entry)?.entries.includes(entry) === true) return false;
    const rebuilds = Math.max(-1, ...merged.map((r) => r.rebuilds)) + 1;
    if (tries < rebuilds) return false;
    if (discovery.blocks[0].instructions.length === 0) return true;
    const plan = makePlan(discovery, this.#settings, mode);
    const wide = plan.blocks.some((b) => b.instructions.some((i) => i.next > 0x1000));
    const second = wide ? source.second?.pfn ?? -1 : -1;
    const slot = this.#regions.takeSlot();
    for (const n of kernelsOf(plan, this.#settings.inlineKernels)) {
      this.#imports[`k${n}`] ??= host.lowerer.kernels.get(n);
    }
    this.#imports.write = host.write();
    for (const n of runsOf(plan)) this.#imports[`run${n}`] ??= host.runs.get(n);
    for (const n of systemKernelsOf(plan)) this.#imports[`s${n}`] ??= host.lowerer.kernels.system(n);
    const bytes = buildModule(
      this.#target(),
      [{ plan, slot, second, record: (at) => host.known(pfn, at) }],
      this.#settings,
    );
    new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: this.#imports });
    for (const r of merged) this.#regions.drop(r);
    const entries = plan.blocks.filter((b) => b.isEntry && b.instructions.length > 0);
    this.#regions.add(
      {
        ...{ pfn, key, second, slot },
        bytes: bytes.length,
        entries: entries.map((b) => b.start),
        code: codeOf(discovery),
        pages: second < 0 || source.second === undefined ? [source.first] : [source.first, source.second],
        rebuilds,
        records: [],
        isAlive: true,
      },
      entries,
      (at) => host.entry(pfn, at),
    );
    return !isOther;
  }

  /** The code of a new region: with that of all it overlaps if that is not too much, else without the others'. */
  #discover(source: CodeSource, pfn: number, key: number, offset: number): { discovery: Discovery; merged: Region[] } {
    const { regionInstructions: instructions, loops, tables, calls, callJumps, heads, merge } = this.#settings;
    const regions = this.#regions;
    const find = (entries: readonly number[], isForeign: (at: number) => boolean = () => false): Discovery =>
      new Discovery(source, { instructions, loops, tables, calls, callJumps, isForeign }, entries);
    let discovery = find([offset]);
    let entry = offset;
    const head = heads ? headAround(discovery.blocks) : undefined;
    if (head !== undefined) {
      const whole = find([head]);
      if (isInside(whole.blocks, offset)) [entry, discovery] = [head, whole];
    }
    if (!merge) return { discovery, merged: [] };
    const { blocks } = discovery;
    for (let merged: Region[] = [];;) {
      const all = regions.overlapping(pfn, key, discovery);
      if (all.length === merged.length) return { discovery, merged };
      merged = all;
      const old = all.flatMap((r) => r.entries).filter((at) => !isInside(blocks, at));
      discovery = find([entry, ...old]);
      if (discovery.isTruncated) break;
    }
    const owner = regions.owner(pfn, key, entry), own = owner?.pfn === pfn ? owner : undefined;
    const old = own?.entries.filter((at) => !isInside(blocks, at)) ?? [];
    discovery = find([entry, ...old], (at) => regions.isForeign(pfn, key, at, own));
    return { discovery, merged: own === undefined ? [] : [own] };
  }

  /** Notes the page at a linear address if instructions were fetched from it and none is hooked. @returns Its number or -1. */
  #second(linear: number): number {
    const frame = this.#cpu.mem.fetched(linear), page = linear >>> 12;
    if (frame < 0 || this.#cpu.points.variant(page) !== -1) return -1;
    const pfn = this.#cpu.board.space.bus(frame) >>> 12;
    const at = (page & (SECONDS - 1)) * 2;
    this.#seconds[at] = page * 2 + (this.#cpu.state.get(Layout.cpl) === 3 ? 1 : 0) + 1;
    this.#seconds[at + 1] = pfn;
    if (this.#cpu.mem.isLocalFetch(linear)) this.#localSeconds.add(at);
    return pfn;
  }

  #target(): Target {
    const { board, tlb, state } = this.#cpu;
    const user = state.get(Layout.cpl) === 3;
    return {
      pages: board.memory.buffer.byteLength >>> 16,
      tableSize: TABLE_SIZE,
      state: board.stateAt,
      readTable: tlb.table(false, user),
      writeTable: tlb.table(true, user),
      user,
      seconds: this.#secondsAt,
      jumpCache: this.#host.jumpCache(user),
    };
  }

  /** Fills the TLB as the interpreter's access would. @returns Host address, or -1: the interpreter has to do it. */
  #fill(linear: number, size: number, write: boolean): number {
    const cpu = this.#cpu, user = cpu.state.get(Layout.cpl) === 3;
    if ((linear & 0xfff) + size > 0x1000 || cpu.board.hooks.watchesPage(linear >>> 12)) return -1;
    // What costs time is left to the interpreter, whose count is exact.
    if (cpu.mem.model?.covers(linear, write) === false) return -1;
    const generation = this.#generation;
    try {
      if ((linear & (size - 1)) !== 0) cpu.mem.unaligned(linear, size, write, user); // may be forbidden
      const physical = cpu.mem.tryTranslate(linear, write, user);
      if (physical < 0) return -1;
      if (write) this.#markDirty(physical, linear, user);
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return -1;
    }
    if (generation !== this.#generation) return -1;
    const table = cpu.tlb.table(write, user) - cpu.tlb.at;
    const found = cpu.tlb.entries[(table >>> 2) + (linear >>> 12)] ^ linear;
    return found < 0 && write && this.#settings.besideCode ? this.#besideCode(linear, size, user) : found;
  }

  /** A write to a page with code that touches none of it: only who has the code has to be asked. */
  #besideCode(linear: number, size: number, user: boolean): number {
    const cpu = this.#cpu, { space, hooks, index } = cpu.board;
    if (cpu.mem.watching || hooks.watchesPage(linear >>> 12)) return -1;
    const physical = cpu.mem.translate(linear, true, user);
    if (physical >= 0x1_0000_0000) return -1;
    const at = space.bus(physical), pfn = at >>> 12, entry = space.pages[pfn], from = at & 0xfff;
    const is = PageBit.ram | PageBit.code | PageBit.dirty;
    if ((entry & is) !== is || !space.isCodeOf(pfn, index)) return -1;
    this.#host.cache.expose(pfn);
    if (this.#host.cache.isCode(pfn, from, from + size)) return -1;
    return (entry & ~0xfff) + from;
  }

  /** The first write to a clean page of RAM marks it; then the write side of the TLB may be filled. */
  #markDirty(physical: number, linear: number, user: boolean): void {
    const { space } = this.#cpu.board;
    if (physical >= 0x1_0000_0000) return;
    const pfn = space.bus(physical) >>> 12, entry = space.pages[pfn];
    if ((entry & (PageBit.ram | PageBit.code | PageBit.dirty)) !== PageBit.ram) return;
    space.markDirty(pfn);
    this.#cpu.mem.translate(linear, true, user);
  }
}

/**
 * Runs cases of the oracle of segments on our CPU: the host's windows under PAE paging with execute-disable, its local
 * table in memory, a global table like that of its kernel, and an interrupt table whose handlers halt. So a case ends in
 * a real delivery to ring 0, and what is compared has gone through it. Cold.
 */
import type { CpuBus } from "../../../lib/core/bus.ts";
import { HookTable } from "../../../lib/core/hooks.ts";
import { I386Cpu } from "../../../lib/cpu/i386/cpu.ts";
import type { EngineFactory } from "../../../lib/cpu/i386/engine.ts";
import { writeEflags } from "../../../lib/cpu/i386/flags.ts";
import { MODELS } from "../../../lib/cpu/i386/models.ts";
import { setCache, setNull } from "../../../lib/cpu/i386/segment.ts";
import { Layout, Seg } from "../../../lib/cpu/i386/state.ts";
import { TLB_BYTES } from "../../../lib/cpu/i386/tlb.ts";
import { AddressSpace } from "../../../lib/memory/address_space.ts";
import { ram } from "../../../lib/memory/region.ts";
import { Cr0, Cr4, Flag } from "../../../lib/spec/i386_regs.ts";
import {
  CaseAt,
  CODE_BYTES,
  freshWindows,
  LDT_ENTRIES,
  POKES,
  Protection,
  ResultAt,
  SHOWN,
  Window,
  WINDOW_BYTES,
} from "./places.ts";
import { descriptor, type Entry } from "./table.ts";

const KIB64 = 0x10000, PAGE = 4096;
/** Physical places. */
const At = {
  pointers: 0x1000,
  low: 0x2000,
  high: 0x3000,
  windowTable: 0x4000,
  systemTable: 0x5000,
  system: 0x10000,
  windows: 0x40000,
};
const RAM = 0x80000;
/** Linear address of what only ring 0 reaches, and the pages in it. */
const SYSTEM = 0xffe00000;
const System = { gdt: 0, ldt: 0x1000, idt: 0x2000, tss: 0x3000, stubs: 0x4000, stack: 0x5000, end: 0x6000 };
const P = 1, W = 2, U = 4, NX = 0x80000000;
const HLT = 0xf4;
/** Selectors of the handlers' code and stack. */
const CODE0 = 0x08, DATA0 = 0x18;
/** The global table of a Linux kernel of 64 bits: entries 1 to 6. */
const GDT: readonly (readonly [number, number])[] = [
  [0, 0],
  [0xffff, 0x00cf9b00],
  [0xffff, 0x00af9b00],
  [0xffff, 0x00cf9300],
  [0xffff, 0x00cffb00],
  [0xffff, 0x00cff300],
  [0xffff, 0x00affb00],
];
const GDT_LIMIT = 0x7f;
/** Vectors with an error code. */
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Segment registers in the order of records: CS SS DS ES FS GS. */
const ORDER = [1, 2, 3, 0, 4, 5];
const LIMIT = 1000;

function bus(): CpuBus {
  const nothing = (): void => {};
  return {
    readPort: () => 0,
    writePort: nothing,
    now: () => 0,
    readMsr: () => undefined,
    writeMsr: () => false,
    trace: nothing,
    unimplemented: nothing,
    shutdown: nothing,
  };
}

/** Our side of the oracle. */
export class SegmentOurs {
  readonly #cpu: I386Cpu;
  readonly #space: AddressSpace;
  readonly #windows: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #fresh: Uint32Array = freshWindows();
  readonly #protections: readonly number[];
  readonly #table: readonly Entry[];

  /** @param engine The engine to be judged. */
  constructor(engine: EngineFactory, table: readonly Entry[], protections: readonly number[]) {
    this.#table = table;
    this.#protections = protections;
    const work = TLB_BYTES + engine.workBytes, ramAt = KIB64 + work;
    const pages = (ramAt + RAM) / KIB64;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const space = this.#space = new AddressSpace(memory, ramAt);
    space.add(ram({ at: 0, size: RAM }));
    this.#cpu = new I386Cpu(
      "segments",
      {
        memory,
        stateAt: PAGE,
        workAt: KIB64,
        space,
        bus: bus(),
        interrupts: undefined,
        hooks: new HookTable(),
        index: 0,
      },
      MODELS.pentium4,
      engine,
    );
    space.codeWritten = (pfn, from, to) => this.#cpu.codeWritten(pfn, from, to);
    space.codeMarked = (pfn) => this.#cpu.codeMarked(pfn);
    const at = (space.pages[At.windows / PAGE] & ~0xfff) >>> 0;
    this.#windows = new Uint32Array(memory.buffer, at, WINDOW_BYTES / 4);
    this.#bytes = new Uint8Array(memory.buffer, at, WINDOW_BYTES);
    this.#windows.set(this.#fresh);
    this.#map();
    this.#tables();
    this.#registers();
  }

  #put(at: number, low: number, high = 0): void {
    this.#space.write(at, low, 32);
    this.#space.write(at + 4, high, 32);
  }

  #map(): void {
    this.#put(At.pointers, At.low | P);
    this.#put(At.pointers + 24, At.high | P);
    this.#put(At.low + 8 * (Window.code >>> 21), At.windowTable | P | W | U);
    this.#put(At.high + 8 * 511, At.systemTable | P | W | U);
    this.#protections.forEach((protection, page) => {
      const access = protection === Protection.none ? 0 : P | U | ((protection & 2) !== 0 ? W : 0);
      this.#put(At.windowTable + 8 * page, (At.windows + PAGE * page) | access, (protection & 4) !== 0 ? 0 : NX);
    });
    for (let at = 0; at < System.end; at += PAGE) this.#put(At.systemTable + at / PAGE * 8, (At.system + at) | P | W);
  }

  #tables(): void {
    const put = (at: number, low: number, high: number): void => this.#put(At.system + at, low, high);
    GDT.forEach(([low, high], i) => put(System.gdt + 8 * i, low, high));
    this.#table.forEach((one, i) => put(System.ldt + 8 * i, ...descriptor(one)));
    for (let v = 0; v < 256; v++) {
      const to = SYSTEM + System.stubs + v, open = v === 3 || v === 4;
      put(System.idt + 8 * v, (to & 0xffff) | (CODE0 << 16), (to & 0xffff0000) | (open ? 0xee00 : 0x8e00));
    }
    this.#space.poke(At.system + System.stubs, new Uint8Array(256).fill(HLT));
    put(System.tss + 4, SYSTEM + System.end, DATA0);
  }

  #registers(): void {
    const s = this.#cpu.state;
    s.set(Layout.cr0, Cr0.pe | Cr0.mp | Cr0.et | Cr0.ne | Cr0.wp | Cr0.am | Cr0.pg);
    s.set(Layout.cr3, At.pointers);
    s.set(Layout.pdptr, At.low | P);
    s.set(Layout.pdptr + 24, At.high | P);
    s.set(Layout.cr4, Cr4.pae | Cr4.osfxsr | Cr4.osxmmexcpt);
    s.set(Layout.efer, 0x800);
    s.set(Layout.gdtBase, SYSTEM + System.gdt);
    s.set(Layout.gdtLimit, GDT_LIMIT);
    s.set(Layout.idtBase, SYSTEM + System.idt);
    s.set(Layout.idtLimit, 0x7ff);
    const system = (n: number, base: number, limit: number, access: number): void =>
      setCache(s, n, 0x40, limit | (base << 16), (base >>> 16 & 0xff) | (base & 0xff000000) | access << 8);
    system(6, SYSTEM + System.ldt, 8 * LDT_ENTRIES - 1, 0x82);
    system(7, SYSTEM + System.tss, 0x67, 0x8b);
    this.#cpu.flushTlb(true);
  }

  /** Runs cases; results as the native program writes them. */
  run(cases: readonly Uint8Array[]): Uint8Array {
    const results = new Uint8Array(cases.length * ResultAt.size);
    cases.forEach((one, i) => this.#one(new DataView(one.buffer), new DataView(results.buffer, i * ResultAt.size)));
    return results;
  }

  #one(one: DataView, result: DataView): void {
    const s = this.#cpu.state;
    const word = (at: number): number => one.getUint32(at, true);
    for (let i = 0; i < POKES; i++) {
      const at = word(CaseAt.pokes + 8 * i);
      if (at !== 0) { for (let n = 0; n < 4; n++) this.#byte(at + n, one.getUint8(CaseAt.pokes + 8 * i + 4 + n)); }
    }
    for (let n = 0; n < CODE_BYTES; n++) this.#byte(word(CaseAt.at) + n, one.getUint8(CaseAt.code + n));
    for (let i = 0; i < 8; i++) s.setReg32(i, word(CaseAt.regs + 4 * i));
    ORDER.forEach((n, i) => this.#segment(n, word(CaseAt.segs + 4 * i)));
    writeEflags(s, word(CaseAt.eflags));
    this.#floatingPoint();
    s.set(Layout.cpl, 3);
    s.set(Layout.halted, 0);
    s.set(Layout.shadow, 0);
    this.#cpu.modeChanged();
    this.#cpu.set("eip", word(CaseAt.eip));
    this.#cpu.run(LIMIT);
    this.#report(result);
  }

  /** As a new program finds it. */
  #floatingPoint(): void {
    const s = this.#cpu.state;
    s.set(Layout.fcw, 0x37f);
    for (const at of [Layout.fsw, Layout.ftop, Layout.fop, Layout.fip, Layout.fcs, Layout.fdp, Layout.fds]) {
      s.set(at, 0);
    }
    s.set(Layout.fempty, 0xff);
    s.set(Layout.mxcsr, 0x1f80);
    s.u8.fill(0, Layout.fpr, Layout.fpr + 128);
    s.u8.fill(0, Layout.xmm, Layout.xmm + 128);
  }

  #byte(linear: number, value: number): void {
    const at = (linear - Window.code) >>> 0;
    if (at < WINDOW_BYTES && (this.#protections[at >>> 12] & 2) !== 0) {
      this.#space.poke(At.windows + at, Uint8Array.of(value));
    }
  }

  #segment(n: number, selector: number): void {
    const s = this.#cpu.state;
    if (selector < 4) return setNull(s, n, selector);
    const [low, high] = (selector & 4) !== 0 ? descriptor(this.#table[selector >>> 3]) : GDT[selector >>> 3];
    setCache(s, n, selector, low, high);
  }

  #report(result: DataView): void {
    const s = this.#cpu.state;
    const put = (at: number, value: number): void => result.setUint32(at, value >>> 0, true);
    const halted = s.get(Layout.halted) !== 0;
    const vector = halted ? (s.get(Layout.eip) >>> 0) - 1 - SYSTEM - System.stubs : 255;
    let at = (s.reg32(4) >>> 0) - SYSTEM + At.system;
    const pop = (): number => this.#space.read((at += 4) - 4, 32) >>> 0;
    put(ResultAt.vector, vector);
    put(ResultAt.error, WITH_CODE.has(vector) ? pop() : 0);
    put(ResultAt.eip, pop());
    const cs = pop() & 0xffff, flags = pop(), esp = pop(), ss = pop() & 0xffff;
    for (let i = 0; i < 8; i++) put(ResultAt.regs + 4 * i, i === 4 ? esp : s.reg32(i));
    put(ResultAt.eflags, flags);
    ORDER.forEach((n, i) => put(ResultAt.segs + 4 * i, n === 1 ? cs : n === 2 ? ss : s.seg(n, Seg.selector)));
    put(ResultAt.cr2, s.get(Layout.cr2));
    this.#changes(put);
  }

  /** What memory became, which is then undone. */
  #changes(put: (at: number, value: number) => void): void {
    const now = this.#windows, then = this.#fresh;
    let count = 0, hash = 0;
    for (let i = 0; i < now.length; i++) {
      if (now[i] === then[i]) continue;
      const linear = Window.code + 4 * i;
      if (count < SHOWN) {
        put(ResultAt.changes + 8 * count, linear);
        put(ResultAt.changes + 8 * count + 4, now[i]);
      }
      count++;
      hash = (Math.imul(Math.imul(hash, 31) + linear, 31) + now[i]) | 0;
      this.#space.poke(At.windows + 4 * i, new Uint8Array(then.buffer, 4 * i, 4));
    }
    put(ResultAt.count, count);
    put(ResultAt.hash, hash);
  }
}

/** Flags of an image that say nothing of the instruction: reserved ones and the interrupt flag. */
export const PLAIN_FLAGS: number = 2 | Flag.if;

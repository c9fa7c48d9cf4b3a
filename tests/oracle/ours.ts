/**
 * Runs a case on our CPU, complete with decoder, paging and an engine: two pages of memory at the addresses that the
 * native runner uses, privilege level 3, selectors as Linux sets them.
 *
 * An interceptor notes a fault before it is delivered and ends the run, so the registers are as they were. Behind the
 * code lies HLT, whose #GP means that the end was reached.
 */
import type { CpuBus } from "../../lib/core/bus.ts";
import { HookTable } from "../../lib/core/hooks.ts";
import { I386Cpu } from "../../lib/cpu/i386/cpu.ts";
import type { EngineFactory } from "../../lib/cpu/i386/engine.ts";
import { arithmetic, writeEflags } from "../../lib/cpu/i386/flags.ts";
import { MODELS } from "../../lib/cpu/i386/models.ts";
import { setCache, setNull } from "../../lib/cpu/i386/segment.ts";
import { Layout, Seg } from "../../lib/cpu/i386/state.ts";
import { TLB_BYTES } from "../../lib/cpu/i386/tlb.ts";
import { AddressSpace } from "../../lib/memory/address_space.ts";
import { ram } from "../../lib/memory/region.ts";
import { Cr0, Cr4 } from "../../lib/spec/i386_regs.ts";
import { type Case, CODE_AT, FLAGS_MASK, type Outcome, PAGE_AT, WINDOW_AT, WINDOW_BYTES } from "./case.ts";
import { hashPage, imageOf, loadImage } from "./image.ts";

const KIB64 = 0x10000, PAGE = 4096;
/** Physical pages: directory, table of the data page, table of the code page, data, code. */
const DIRECTORY = 0x1000, DATA_TABLE = 0x2000, CODE_TABLE = 0x3000, DATA = 0x4000, CODE = 0x5000, RAM = 0x8000;
/** Present, writable, user, accessed, dirty. */
const ENTRY = 0x67;
/** High dwords of flat descriptors of privilege level 3. */
const FLAT_CODE = 0x00cffb00, FLAT_DATA = 0x00cff300, FLAT_LOW = 0xffff;
const HLT = 0xf4;
/** Instructions and iterations a case may take. */
const LIMIT = 20_000;

/** Our side of the oracle. */
export class Ours {
  /** The CPU. */
  readonly cpu: I386Cpu;
  readonly #space: AddressSpace;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #fault = -1;
  #code = 0;
  #linear = 0;

  readonly #turns: number;

  /** @param engine Makes the engine to be judged. @param turns How often a case runs: translators want to see it first. */
  constructor(engine: EngineFactory, turns = 1) {
    this.#turns = turns;
    const work = TLB_BYTES + engine.workBytes, ramAt = KIB64 + work;
    const pages = (ramAt + KIB64) / KIB64;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const space = this.#space = new AddressSpace(memory, ramAt);
    space.add(ram({ at: 0, size: RAM }));
    const nothing = (): void => {};
    const bus: CpuBus = {
      readPort: () => 0,
      writePort: nothing,
      now: () => 0,
      readMsr: () => undefined,
      writeMsr: () => false,
      trace: nothing,
      unimplemented: nothing,
      shutdown: nothing,
    };
    const hooks = new HookTable();
    this.cpu = new I386Cpu(
      "oracle",
      { memory, stateAt: PAGE, workAt: KIB64, space, bus, interrupts: undefined, hooks, index: 0 },
      MODELS.pentium4,
      engine,
    );
    space.codeWritten = (pfn, from, to) => this.cpu.codeWritten(pfn, from, to);
    space.codeMarked = (pfn) => this.cpu.codeMarked(pfn);
    this.#data = new Uint8Array(memory.buffer, (space.pages[DATA / PAGE] & ~0xfff) >>> 0, PAGE);
    this.#view = new DataView(this.#data.buffer, this.#data.byteOffset, PAGE);
    this.cpu.interceptor = {
      intercept: ({ vector, errorCode, linear }) => {
        this.#fault = vector;
        this.#code = Math.max(0, errorCode);
        this.#linear = linear;
        this.cpu.interruptSlice();
        return "handled";
      },
    };
    this.#map();
  }

  #map(): void {
    const put = (at: number, value: number): void => {
      this.#space.write(at, value, 32);
    };
    put(DIRECTORY + 4 * (PAGE_AT >>> 22), DATA_TABLE | ENTRY);
    put(DIRECTORY + 4 * (CODE_AT >>> 22), CODE_TABLE | ENTRY);
    put(DATA_TABLE + 4 * ((PAGE_AT >>> 12) & 0x3ff), DATA | ENTRY);
    put(CODE_TABLE + 4 * ((CODE_AT >>> 12) & 0x3ff), CODE | ENTRY);
    const s = this.cpu.state;
    s.set(Layout.cr0, Cr0.pe | Cr0.mp | Cr0.et | Cr0.ne | Cr0.wp | Cr0.pg);
    s.set(Layout.cr3, DIRECTORY);
    s.set(Layout.cr4, Cr4.osfxsr | Cr4.osxmmexcpt);
    s.set(Layout.idtLimit, 0);
    this.#segments();
  }

  #segments(): void {
    const s = this.cpu.state;
    setCache(s, 1, 0x23, FLAT_LOW, FLAT_CODE);
    for (const n of [0, 2, 3]) setCache(s, n, 0x2b, FLAT_LOW, FLAT_DATA);
    for (const n of [4, 5]) setNull(s, n, 0);
    // No task-state segment, so no permission bitmap: I/O is #GP(0).
    s.setSeg(7, Seg.limit, 0);
    s.setSeg(7, Seg.hi, 0);
    s.set(Layout.cpl, 3);
    this.cpu.flushTlb(true);
    this.cpu.modeChanged();
  }

  /** Runs a case; the outcome is that of the last turn. */
  run(one: Case): Outcome {
    this.#space.poke(CODE, Uint8Array.from([...one.code, HLT]));
    for (let turn = 1; turn < this.#turns; turn++) {
      const before = this.#codePage();
      this.#once(one);
      // A case may write to its own page: then the next turn begins anew.
      if (this.#codePage().some((byte, i) => byte !== before[i])) this.#space.poke(CODE, before);
    }
    return this.#once(one);
  }

  #codePage(): Uint8Array {
    const page = new Uint8Array(PAGE);
    this.#space.readPhysical(CODE, page);
    return page;
  }

  #once(one: Case): Outcome {
    const s = this.cpu.state;
    this.#data.fill(0);
    this.#data.set(one.memory, WINDOW_AT - PAGE_AT);
    for (let i = 0; i < 8; i++) s.setReg32(i, one.regs[i]);
    writeEflags(s, (one.eflags & FLAGS_MASK) | 0x202);
    loadImage(s, one.fx);
    s.set(Layout.halted, 0);
    s.set(Layout.shadow, 0);
    this.#fault = -1;
    this.cpu.set("eip", CODE_AT);
    this.cpu.run(LIMIT);
    return this.#outcome(one);
  }

  #outcome(one: Case): Outcome {
    const s = this.cpu.state, end = CODE_AT + one.code.length;
    const halted = s.get(Layout.halted) !== 0 && this.#fault < 0;
    const eip = (s.get(Layout.eip) >>> 0) - (halted ? 1 : 0);
    const ended = eip === end && (halted || this.#fault === 13);
    return {
      regs: Uint32Array.from({ length: 8 }, (_, i) => s.reg32(i)),
      eflags: (s.get(Layout.eflags) & 0x400) | arithmetic(s),
      vector: ended ? -1 : this.#fault < 0 ? 255 : this.#fault,
      error: ended ? 0 : this.#code,
      cr2: this.#linear,
      eip,
      hash: hashPage(this.#view),
      fx: imageOf(s),
      memory: this.#data.slice(PAGE - WINDOW_BYTES),
    };
  }
}

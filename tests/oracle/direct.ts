/**
 * Runs one MMX or SSE instruction of a case without decoder and engine: its function alone, on a flat memory of one
 * page. Tells an error of an instruction from one of the machinery around it, and is fast.
 */
import type { Context, LinearMemory, Op, SystemFn } from "../../lib/cpu/i386/context.ts";
import { readEflags, writeEflags } from "../../lib/cpu/i386/flags.ts";
import { CpuState, Layout, Seg } from "../../lib/cpu/i386/state.ts";
import { Cr0, Cr4, Vector } from "../../lib/spec/i386_regs.ts";
import { type Case, CODE_AT, FLAGS_MASK, type Outcome, PAGE_AT, WINDOW_AT, WINDOW_BYTES } from "./case.ts";
import { hashPage, imageOf, loadImage } from "./image.ts";
import type { Step } from "./encode.ts";

const PAGE_BYTES = 4096;
/** Page fault error code bits: write, user. */
const WRITE = 2, USER = 4;

/** A page of flat memory and the context around one instruction. */
export class Direct {
  readonly #fns: Readonly<Record<string, SystemFn>>;
  /** State block. */
  readonly state: CpuState = new CpuState(new WebAssembly.Memory({ initial: 1, maximum: 1 }), 0);
  readonly #page: Uint8Array = new Uint8Array(PAGE_BYTES);
  readonly #view: DataView = new DataView(this.#page.buffer);
  readonly #fault: object = {};
  readonly #context: Context;

  /** @param fns Functions by `sem`. */
  constructor(fns: Readonly<Record<string, SystemFn>>) {
    this.#fns = fns;
    this.#context = this.#makeContext();
  }

  /** Runs the first instruction of a case. */
  run(one: Case): Outcome {
    const s = this.state, step = one.steps[0];
    this.#load(one);
    let vector = -1;
    try {
      this.#fns[step.row.sem](this.#context, this.#op(step));
    } catch (thrown) {
      if (thrown !== this.#fault) throw thrown;
      vector = s.get(Layout.faultVector);
    }
    return {
      regs: Uint32Array.from({ length: 8 }, (_, i) => s.reg32(i)),
      eflags: readEflags(s),
      vector,
      error: s.get(Layout.faultHasCode) !== 0 ? s.get(Layout.faultCode) : 0,
      cr2: s.get(Layout.faultLinear),
      eip: CODE_AT + (vector < 0 ? step.bytes.length : 0),
      hash: hashPage(this.#view),
      fx: imageOf(s),
      memory: this.#page.slice(PAGE_BYTES - WINDOW_BYTES),
    };
  }

  #load(one: Case): void {
    const s = this.state;
    for (let i = 0; i < 8; i++) s.setReg32(i, one.regs[i]);
    writeEflags(s, one.eflags & FLAGS_MASK | 0x202);
    loadImage(s, one.fx);
    s.set(Layout.cr0, Cr0.pe | Cr0.ne | Cr0.mp | Cr0.et);
    s.set(Layout.cr4, Cr4.osfxsr | Cr4.osxmmexcpt);
    s.set(Layout.cpl, 3);
    s.set(Layout.eip, CODE_AT);
    for (let i = 0; i < 6; i++) {
      s.setSeg(i, Seg.rights, i === 1 ? 5 : i < 4 ? 7 : 0);
      s.setSeg(i, Seg.lo, 0);
      s.setSeg(i, Seg.hi, -1);
    }
    this.#page.fill(0);
    this.#page.set(one.memory, WINDOW_AT - PAGE_AT);
  }

  #op(step: Step): Op {
    const { row, isMem, modrm, address, imm } = step;
    const s = this.state, raise = this.#context.raise, memory = this.#context.mem;
    const prefix = step.bytes.find((b) => ![0x66, 0xf2, 0xf3].includes(b));
    const seg = prefix === undefined ? -1 : [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].indexOf(prefix);
    const rm = modrm & 7;
    return {
      row,
      opcode: row.opcode,
      opSize: step.opSize,
      addrSize: step.addrSize,
      width: row.width === "v" ? step.opSize : row.width,
      rep: 0,
      lock: false,
      seg: seg < 0 ? 3 : seg,
      reg: (modrm >> 3) & 7,
      rm,
      isMem,
      modrm,
      imm,
      imm2: 0,
      length: step.bytes.length,
      offset: () => address,
      linear: (_size, write) => seg >= 4 || (write && seg === 1) ? raise(Vector.gp, 0) : address,
      readRm: (width) => {
        if (isMem) {
          if (seg >= 4) raise(Vector.gp, 0);
          return width === 8 ? memory.read8(address) : width === 16 ? memory.read16(address) : memory.read32(address);
        }
        return width === 8 ? s.reg8(rm) : width === 16 ? s.reg16(rm) : s.reg32(rm);
      },
      writeRm: (width, value) => {
        if (isMem && (seg === 1 || seg >= 4)) raise(Vector.gp, 0);
        if (!isMem) {
          if (width === 16) s.setReg16(rm, value);
          else s.setReg32(rm, value);
        } else if (width === 16) memory.write16(address, value);
        else memory.write32(address, value);
      },
    };
  }

  #makeContext(): Context {
    const state = this.state, fault = this.#fault, view = this.#view;
    const raise = (vector: number, code = -1): never => {
      state.set(Layout.faultVector, vector);
      state.set(Layout.faultHasCode, code >= 0 ? 1 : 0);
      state.set(Layout.faultCode, code);
      throw fault;
    };
    const at = (linear: number, size: number, error: number): number => {
      const from = linear >>> 0, end = PAGE_AT + PAGE_BYTES;
      if (from >= PAGE_AT && from + size <= end) return from - PAGE_AT;
      state.set(Layout.faultLinear, from < PAGE_AT || from >= end ? from : end);
      return raise(Vector.pf, error | USER);
    };
    const mem: LinearMemory = {
      words: { read32: () => -1, write32: () => {} },
      read8: (l) => view.getUint8(at(l, 1, 0)),
      read16: (l) => view.getUint16(at(l, 2, 0), true),
      read32: (l) => view.getInt32(at(l, 4, 0), true),
      write8: (l, v) => view.setUint8(at(l, 1, WRITE), v),
      write16: (l, v) => view.setUint16(at(l, 2, WRITE), v, true),
      write32: (l, v) => view.setInt32(at(l, 4, WRITE), v, true),
      sysRead8: (l) => view.getUint8(at(l, 1, 0)),
      sysRead16: (l) => view.getUint16(at(l, 2, 0), true),
      sysRead32: (l) => view.getInt32(at(l, 4, 0), true),
      sysWrite8: (l, v) => view.setUint8(at(l, 1, WRITE), v),
      sysWrite16: (l, v) => view.setUint16(at(l, 2, WRITE), v, true),
      sysWrite32: (l, v) => view.setInt32(at(l, 4, WRITE), v, true),
      probeWrite: (l, size) => void at(l, size, WRITE),
      probeRead: (l, size) => void at(l, size, 0),
    };
    const nothing = (): void => {};
    return {
      state,
      mem,
      bus: {
        readPort: () => 0,
        writePort: nothing,
        now: () => 0,
        readMsr: () => undefined,
        writeMsr: () => false,
        trace: nothing,
        shutdown: nothing,
        unimplemented: nothing,
      },
      model: {
        name: "oracle",
        features: new Set(),
        vendor: "",
        signature: 0,
        featureBits: 0,
        featureBits2: 0,
        extendedBits: 0,
        brand: "",
        maxLeaf: 1,
      },
      apicId: 0,
      nextEip: 0,
      fault,
      raise,
      flushTlb: nothing,
      flushPage: nothing,
      modeChanged: nothing,
      debugChanged: nothing,
      attention: nothing,
      enterShutdown: nothing,
      interruptDue: false,
      hypercall: () => false,
    };
  }
}

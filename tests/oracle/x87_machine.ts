/**
 * A processor with nothing but an x87: executes one instruction of the table on a state given as an FSAVE image.
 */
import type { Context, LinearMemory, Op } from "../../lib/cpu/i386/context.ts";
import type { OpRow } from "../../lib/spec/i386_op_row.ts";
import type { Model } from "../../lib/cpu/i386/model.ts";
import { readEflags, writeEflags } from "../../lib/cpu/i386/flags.ts";
import { CpuState, Layout } from "../../lib/cpu/i386/state.ts";
import { setStatusWord, setTagWord, st, statusWord, tagWord } from "../../lib/cpu/i386/x87/stack.ts";
import { X87_FNS } from "../../lib/cpu/i386/x87/index.ts";

/** Where the memory operand lies. */
export const OPERAND_AT = 0x200;

/** Thrown by {@linkcode X87Machine} for a guest fault. */
export class GuestFault {
  /** Exception vector. */
  readonly vector: number;

  /** @param vector Exception vector. */
  constructor(vector: number) {
    this.vector = vector;
  }
}

/** One x87 over a small linear memory. */
export class X87Machine {
  /** State block. */
  readonly state: CpuState = new CpuState(new WebAssembly.Memory({ initial: 1, maximum: 1 }), 4096);
  /** Linear memory. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0x1000);
  /** First linear address that cannot be written; reads are free. */
  writeLimit = 0x1000;
  /** Linear addresses from here cannot be read. */
  readLimit = 0x1000;
  /** What {@linkcode Context.bus} answers to FERR#; undefined: there is no line. */
  ferr: (() => boolean) | undefined = undefined;
  /** Context for the instruction functions. */
  readonly context: Context;
  private readonly view: DataView = new DataView(this.bytes.buffer);

  constructor() {
    const answer = () => this.ferr === undefined || this.ferr();
    const raise = (vector: number): never => {
      throw new GuestFault(vector);
    };
    const mem: Partial<LinearMemory> = {
      read16: (at) => (this.check(at, 2, this.readLimit), this.view.getUint16(at, true)),
      read32: (at) => (this.check(at, 4, this.readLimit), this.view.getInt32(at, true)),
      write16: (at, v) => (this.check(at, 2, this.writeLimit), this.view.setUint16(at, v, true)),
      write32: (at, v) => (this.check(at, 4, this.writeLimit), this.view.setInt32(at, v, true)),
      probeWrite: (at, size) => this.check(at, size, this.writeLimit),
      probeRead: (at, size) => this.check(at, size, this.readLimit),
    };
    this.context = {
      state: this.state,
      mem: mem as LinearMemory,
      bus: {
        ferr: answer,
      },
      model: {} as Model,
      nextEip: 0,
      fault: {},
      raise,
      attention() {},
      enterShutdown() {},
    } as unknown as Context;
  }

  private check(at: number, size: number, limit: number): void {
    if (at + size > limit) throw new GuestFault(14);
  }

  /** Loads an FSAVE image (32-bit protected format). */
  load(image: DataView, eflags: number): void {
    const s = this.state, w = s.i32;
    s.u8.fill(0);
    s.set(Layout.cr0, 0x31);
    s.set(Layout.fcw, image.getUint16(0, true));
    setStatusWord(w, image.getUint16(4, true));
    setTagWord(w, image.getUint16(8, true));
    for (let n = 0; n < 8; n++) {
      const to = st(w, n), from = 28 + 10 * n;
      w[to] = image.getInt32(from, true);
      w[to + 1] = image.getInt32(from + 4, true);
      w[to + 2] = image.getUint16(from + 8, true);
    }
    writeEflags(s, eflags);
  }

  /** Stores the state as an FSAVE image, without the pointers. */
  save(image: DataView): void {
    const w = this.state.i32;
    image.setUint32(0, 0xffff0000 + w[Layout.fcw >>> 2], true);
    image.setUint32(4, 0xffff0000 + statusWord(w), true);
    image.setUint32(8, 0xffff0000 + tagWord(w), true);
    for (let n = 0; n < 8; n++) {
      const from = st(w, n), to = 28 + 10 * n;
      image.setInt32(to, w[from], true);
      image.setInt32(to + 4, w[from + 1], true);
      image.setUint16(to + 8, w[from + 2], true);
    }
  }

  /** EFLAGS. */
  get eflags(): number {
    return readEflags(this.state);
  }

  /** Executes an instruction; its memory operand lies at `at`. */
  execute(row: OpRow, modrm: number, at: number = OPERAND_AT, opSize: 16 | 32 = 32): void {
    const op: Partial<Op> = {
      row,
      opcode: row.opcode,
      opSize,
      addrSize: 32,
      seg: 3,
      reg: (modrm >>> 3) & 7,
      rm: modrm & 7,
      isMem: modrm < 0xc0,
      modrm,
      offset: () => at,
      linear: () => at,
    };
    X87_FNS[row.sem](this.context, op as Op);
  }
}

/**
 * The reference engine: fetch, decode, execute, one instruction after the other, nothing remembered. Slow, and the judge
 * of the others. Warm.
 */
import { InternalError } from "../../../core/errors.ts";
import { PageBit } from "../../../memory/address_space.ts";
import { Vector } from "../../../spec/i386_regs.ts";
import type { I386Cpu } from "../cpu.ts";
import { decode, Decoded, DecodeStatus, LONGEST_INSTRUCTION } from "../decode.ts";
import type { Engine, EngineFactory } from "../engine.ts";
import { evaluate } from "../evaluate.ts";
import { FNS } from "../functions.ts";
import { type OpcodeIndex, opcodeIndex } from "../opcode_index.ts";
import { Operation } from "../operation.ts";
import { SegReg } from "../segment.ts";
import { TREES } from "../semantics/index.ts";
import { Layout, ModeBit, Seg } from "../state.ts";
import { treeFor } from "../trees.ts";

/** Makes reference engines. */
export const reference: EngineFactory = {
  name: "reference",
  workBytes: 0,
  create: (cpu) => new ReferenceEngine(cpu),
};

/** Executes one CPU's instructions plainly. */
class ReferenceEngine implements Engine {
  readonly #cpu: I386Cpu;
  readonly #index: OpcodeIndex;
  readonly #bytes: Uint8Array = new Uint8Array(LONGEST_INSTRUCTION);
  readonly #decoded: Decoded = new Decoded();
  readonly #op: Operation;

  constructor(cpu: I386Cpu) {
    this.#cpu = cpu;
    this.#index = opcodeIndex(cpu.model.features);
    this.#op = new Operation(cpu, this.#decoded);
  }

  run(): boolean {
    const cpu = this.#cpu, s = cpu.state;
    try {
      while (s.get(Layout.count) > 0) {
        s.set(Layout.count, s.get(Layout.count) - 1);
        this.#step();
      }
      return false;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return true;
    }
  }

  translationsChanged(): void {}
  modeChanged(): void {}
  stateChanged(): void {}
  codeWritten(): void {}
  forget(): void {}

  #step(): void {
    const cpu = this.#cpu, s = cpu.state, d = this.#decoded;
    this.#fetch();
    cpu.nextEip = (s.get(Layout.eip) + d.length) >>> 0;
    this.#op.fill(d, d.length);
    const { row } = d;
    if (TREES[row.sem] !== undefined) {
      const stack = (s.get(Layout.mode) & ModeBit.stack32) !== 0 ? 32 : 16;
      const rep = row.rep === undefined ? 0 : d.rep;
      evaluate(cpu, this.#op, treeFor(d.rowIndex, d.isMem, d.opSize, d.addrSize, rep, stack));
    } else {
      const fn = FNS[row.sem];
      if (fn === undefined) throw new InternalError(`No semantics "${row.sem}" for ${row.mnemonic}`);
      fn(cpu, this.#op);
    }
    s.set(Layout.eip, cpu.nextEip);
  }

  /** Fetches and decodes the instruction at EIP. */
  #fetch(): void {
    const cpu = this.#cpu, s = cpu.state;
    const eip = s.get(Layout.eip);
    if ((s.get(Layout.mode) & ModeBit.flatCode) === 0 && (eip >>> 0) > (s.seg(SegReg.cs, Seg.limit) >>> 0)) {
      cpu.raise(Vector.gp, 0);
    }
    const linear = (eip + s.seg(SegReg.cs, Seg.base)) | 0;
    const here = 0x1000 - (linear & 0xfff);
    const page = cpu.mem.fetchPage(linear);
    const is32 = (s.get(Layout.mode) & ModeBit.code32) !== 0;
    const first = Math.min(here, LONGEST_INSTRUCTION);
    const kept = (cpu.board.space.pages[cpu.board.space.bus(page) >>> 12] & (PageBit.ram | PageBit.rom)) !== 0;
    let n = 0;
    let status: DecodeStatus = DecodeStatus.more;
    if (kept) {
      for (; n < first; n++) this.#bytes[n] = cpu.board.space.read(page + (linear & 0xfff) + n, 8);
      status = decode(this.#bytes, 0, n, is32, this.#index, this.#decoded);
    }
    // The rest byte by byte, so that nothing beyond the instruction is touched.
    while (status === DecodeStatus.more && n < LONGEST_INSTRUCTION) {
      const at = n < here ? page + (linear & 0xfff) + n : cpu.mem.fetchPage((linear + here) | 0) + n - here;
      this.#bytes[n++] = cpu.board.space.read(at, 8);
      status = decode(this.#bytes, 0, n, is32, this.#index, this.#decoded);
    }
    if (status === DecodeStatus.undefined) cpu.raise(Vector.ud);
    if (status !== DecodeStatus.ok) cpu.raise(Vector.gp, 0);
  }
}

/**
 * From a decoded instruction to records: the case of its tree if the mode allows it, else a call of TypeScript.
 *
 * A memory operand that is not a plain 32-bit offset in a flat segment gets an address record in front. Warm.
 */
import { InternalError } from "../../../../core/errors.ts";
import { Vector } from "../../../../spec/i386_regs.ts";
import type { SystemFn } from "../../context.ts";
import type { I386Cpu } from "../../cpu.ts";
import { Decoded, DecodeStatus } from "../../decode.ts";
import { evaluate } from "../../evaluate.ts";
import type { Field } from "../../fields.ts";
import { FNS } from "../../functions.ts";
import type { HookPlan } from "../../hook_points.ts";
import { effectiveDisplacement, Operation } from "../../operation.ts";
import { kernelNumber, kernels, lastOpcode, MOST_KERNELS, placeOf } from "../../kernels/index.ts";
import { KernelTable } from "../../kernels/module.ts";
import { type SystemUse, systemUse } from "../../kernels/system/index.ts";
import { SegReg } from "../../segment.ts";
import { TREES } from "../../semantics/index.ts";
import { Layout, ModeBit, SEG_BYTES } from "../../state.ts";
import { treeFor } from "../../trees.ts";
import { type Case, cases } from "./cases.ts";
import type { CodeCache } from "./code_cache.ts";
import { registerOffset } from "./operators.ts";
import type { InterpreterSettings } from "./options.ts";
import { Handler, Rec, RECORD_BYTES } from "./record.ts";
import { NO_FIELDS } from "./soft.ts";

/** Modes in which there are system kernels. */
const SYSTEM_MODE = ModeBit.code32 | ModeBit.stack32 | ModeBit.flatData | ModeBit.flatCode;

/** An instruction the interpreter leaves to TypeScript. */
export interface TypeScriptOp {
  readonly fn: SystemFn;
  readonly op: Operation;
}

/** Writes records. */
export class Lowerer {
  /** The instruction being lowered; the engine decodes into it. */
  readonly decoded: Decoded = new Decoded();
  /** TypeScript instructions by the number in their records. */
  readonly ops: TypeScriptOp[] = [];
  /** The CPU's kernels. */
  readonly kernels: KernelTable;
  /** Plans of hooks by the number in their records. */
  readonly plans: HookPlan[] = [];
  /** First record of the instruction being lowered if it has hooks, or 0. */
  #first = 0;
  readonly #cpu: I386Cpu;
  readonly #cache: CodeCache;
  readonly #view: DataView;
  readonly #link: (one: Case) => void;
  readonly #settings: InterpreterSettings;
  #mode = 0;
  #soft: readonly Field[] = NO_FIELDS;
  #at = 0;
  /** The constants of the last instruction that its records read from memory. */
  softened: readonly Field[] = NO_FIELDS;

  /**
   * @param cpu The CPU. @param cache Where records come from. @param settings Switches. @param link Told of each case that
   * is used.
   */
  constructor(cpu: I386Cpu, cache: CodeCache, settings: InterpreterSettings, link: (one: Case) => void) {
    this.#settings = settings;
    this.#link = link;
    this.#cpu = cpu;
    this.#cache = cache;
    this.#view = cpu.board.space.view;
    this.kernels = new KernelTable(cpu.board.memory, cpu.state.base);
  }

  /** A record that says: EIP is at `offset`, look it up. */
  close(offset: number): void {
    const r = this.#cache.take();
    this.clear(r);
    this.#view.setInt32(r + Rec.offset, offset, true);
  }

  /** Before the first record of an instruction: the record of its hooks, if the page is kept apart for them. */
  begin(linear: number, offset: number, variant: number): void {
    this.#first = 0;
    const plan = variant === -1 ? undefined : this.#cpu.points.plan(linear);
    if (plan !== undefined) this.#first = this.#hook(offset, plan);
  }

  /**
   * A record of the hooks at a linear address, of whose code nothing is known: the engine looks EIP up after it. 0: there
   * are none any more.
   */
  alone(linear: number): number {
    const plan = this.#cpu.points.plan(linear);
    if (plan === undefined) return 0;
    const record = this.#hook(linear & 0xfff, { ...plan, isAlone: true });
    this.close(linear & 0xfff);
    return record;
  }

  #hook(offset: number, plan: HookPlan): number {
    const r = this.#cache.take();
    this.clear(r);
    this.#view.setUint16(r + Rec.handler, Handler.hook, true);
    this.#view.setInt32(r + Rec.offset, offset, true);
    this.#view.setInt32(r + Rec.op, this.plans.push(plan) - 1, true);
    return r;
  }

  /** Forgets what records refer to. */
  forget(): void {
    this.ops.length = 0;
    this.plans.length = 0;
  }

  /** Zeroes a record. */
  clear(r: number): void {
    for (let i = 0; i < RECORD_BYTES; i += 4) this.#view.setInt32(r + i, 0, true);
  }

  /**
   * Makes the records of the instruction just decoded. `soft` are the constants that should be read from memory each
   * time, `at` is the host address of its bytes; which are is told by {@linkcode Lowerer.softened}.
   * @returns Its length in bytes.
   */
  lower(status: DecodeStatus, offset: number, mode: number, soft: readonly Field[] = NO_FIELDS, at = 0): number {
    this.#mode = mode;
    this.#soft = soft;
    this.#at = at;
    this.softened = NO_FIELDS;
    const d = this.decoded;
    if (status !== DecodeStatus.ok) {
      const vector = status === DecodeStatus.undefined ? Vector.ud : Vector.gp;
      this.#lowerCall((c) => c.raise(vector, vector === Vector.gp ? 0 : -1), offset, 1);
      return 1;
    }
    const semantic = TREES[d.row.sem];
    if (semantic === undefined) {
      const fn = FNS[d.row.sem];
      if (fn === undefined) throw new InternalError(`No semantics "${d.row.sem}" for ${d.row.mnemonic}`);
      const kernel = this.#settings.kernels ? kernelNumber(d) : -1, system = this.#system(d);
      if (system !== undefined) this.#lowerSystem(system, fn, offset);
      else if (kernel < 0) this.#lowerCall(fn, offset, d.length);
      else this.#lowerKernel(kernel, fn, offset);
      return d.length;
    }
    const stackSize = (this.#mode & ModeBit.stack32) !== 0 ? 32 : 16, rep = d.row.rep === undefined ? 0 : d.rep;
    const found = cases().find(d.rowIndex, d.isMem, rep, [d.opSize, d.addrSize, stackSize]);
    if (found.segmented.needs.ea?.late !== true || this.#isPlain()) {
      const isFlat = this.#settings.flatCases && found.flat !== undefined && this.#fits(found.flat);
      this.#lowerTree(isFlat && found.flat !== undefined ? found.flat : found.segmented, offset);
    } else {
      const tree = treeFor(d.rowIndex, d.isMem, d.opSize, d.addrSize, rep, stackSize);
      this.#lowerCall((c, op) => evaluate(c, op, tree), offset, d.length);
    }
    return d.length;
  }

  /** True if the case for flat segments may be used in this mode and with this segment. */
  #fits(one: Case): boolean {
    const { needs } = one, d = this.decoded;
    if (needs.flatCode && (this.#mode & ModeBit.flatCode) === 0) return false;
    const flat = ModeBit.flatData | ModeBit.stack32;
    if (needs.flatData && (this.#mode & flat) !== flat) return false;
    return !needs.operandSegment || (d.seg !== SegReg.cs && d.seg < SegReg.fs);
  }

  /** True if the memory operand's linear address is its 32-bit offset. */
  #isPlain(): boolean {
    const d = this.decoded;
    return d.addrSize === 32 && (this.#mode & ModeBit.flatData) !== 0 && d.seg !== SegReg.cs && d.seg < SegReg.fs;
  }

  #lowerTree(one: Case, offset: number): void {
    this.#link(one);
    const d = this.decoded, v = this.#view, base = this.#cpu.state.base;
    const { ea, rm8, reg8, operandSegment } = one.needs;
    const plain = ea === undefined || this.#isPlain();
    if (!plain && ea !== undefined) this.#lowerAddress(Handler.address, ea.size, ea.write, offset);
    if (this.#soft.length > 0) this.#lowerSoft(plain, offset);
    const r = this.#cache.take();
    v.setUint16(r + Rec.handler, one.handler, true);
    v.setUint8(r + Rec.length, d.length);
    v.setUint16(r + Rec.rm, base + registerOffset(d.rm, rm8 ? 8 : 32), true);
    v.setUint16(r + Rec.reg, base + registerOffset(d.reg, reg8 ? 8 : 32), true);
    if (plain) this.#addressFields(r);
    else this.#addressBefore(r);
    if (operandSegment) v.setUint16(r + Rec.base, base + Layout.segs + d.seg * SEG_BYTES, true);
    v.setInt32(r + Rec.imm, d.imm, true);
    v.setInt32(r + Rec.link, d.row.operands.includes("Jb") || d.row.operands.includes("Jz") ? 0 : d.imm2, true);
    v.setInt32(r + Rec.offset, offset, true);
    v.setInt32(r + Rec.op, this.#first === 0 ? 0 : r - this.#first, true);
  }

  /** Records that read the soft constants, before that of the instruction. */
  #lowerSoft(plain: boolean, offset: number): void {
    const { byteLength } = this.#view;
    const soft = this.#soft.filter((f) => (plain || f.name !== "disp") && this.#at + f.at + 4 <= byteLength);
    const into = this.#cache.next + soft.length * RECORD_BYTES, v = this.#view;
    for (const { name, at, size, signed, isTarget } of soft) {
      const r = this.#cache.take();
      this.clear(r);
      v.setUint16(r + Rec.handler, Handler.refresh, true);
      v.setUint8(r + Rec.scale, isTarget ? 1 : 0);
      v.setInt32(r + Rec.imm, this.#at + at, true);
      v.setInt32(r + Rec.disp, size === 4 ? -1 : (1 << (8 * size)) - 1, true);
      v.setInt32(r + Rec.link, signed && size < 4 ? 1 << (8 * size - 1) : 0, true);
      v.setInt32(r + Rec.offset, offset, true);
      v.setInt32(r + Rec.op, into + (name === "imm" ? Rec.imm : name === "imm2" ? Rec.link : Rec.disp), true);
    }
    this.softened = soft;
  }

  #addressFields(r: number): void {
    const d = this.decoded, v = this.#view, s = this.#cpu.state.base;
    v.setUint8(r + Rec.scale, d.scale);
    v.setUint16(r + Rec.base, s + (d.base === 8 ? Layout.zero : d.base * 4), true);
    v.setUint16(r + Rec.index, s + (d.index === 8 ? Layout.zero : d.index * 4), true);
    v.setInt32(r + Rec.disp, effectiveDisplacement(d), true);
  }

  /** The address is that of the address record in front. */
  #addressBefore(r: number): void {
    const v = this.#view, s = this.#cpu.state.base;
    v.setUint8(r + Rec.scale, 0);
    v.setUint16(r + Rec.base, s + Layout.ea, true);
    v.setUint16(r + Rec.index, s + Layout.zero, true);
    v.setInt32(r + Rec.disp, 0, true);
  }

  #lowerAddress(handler: number, size: number, write: boolean, offset: number): void {
    const d = this.decoded, v = this.#view;
    const r = this.#cache.take();
    v.setUint16(r + Rec.handler, handler, true);
    v.setUint8(r + Rec.length, size);
    v.setUint16(r + Rec.rm, this.#cpu.state.base + Layout.segs + d.seg * SEG_BYTES, true);
    v.setUint16(r + Rec.reg, write ? 6 : 5, true);
    this.#addressFields(r);
    v.setInt32(r + Rec.imm, d.addrSize === 32 ? -1 : 0xffff, true);
    v.setInt32(r + Rec.link, 0, true);
    v.setInt32(r + Rec.offset, offset, true);
    v.setInt32(r + Rec.op, 0, true);
  }

  /** Enters an instruction into the list of those in TypeScript; `stackSize` is that of the mode. @returns Its number there. */
  typescript(d: Decoded, stackSize: 16 | 32): number {
    let fn = FNS[d.row.sem];
    if (fn === undefined) {
      const rep = d.row.rep === undefined ? 0 : d.rep;
      const tree = treeFor(d.rowIndex, d.isMem, d.opSize, d.addrSize, rep, stackSize);
      fn = (c, op) => evaluate(c, op, tree);
    }
    return this.ops.push({ fn, op: Operation.copy(this.#cpu, d, d.length) }) - 1;
  }

  /** A call of TypeScript. @returns The record. */
  #lowerCall(fn: SystemFn, offset: number, length: number): number {
    const v = this.#view;
    const r = this.#cache.take();
    this.clear(r);
    v.setUint16(r + Rec.handler, Handler.call, true);
    v.setUint8(r + Rec.length, length);
    v.setInt32(r + Rec.offset, offset, true);
    v.setInt32(r + Rec.op, this.ops.push({ fn, op: Operation.copy(this.#cpu, this.decoded, length) }) - 1, true);
    return r;
  }

  /** The system kernel of an instruction, where code is such as they take. */
  #system(d: Decoded): SystemUse | undefined {
    const isFlat = this.#settings.system && (this.#mode & SYSTEM_MODE) === SYSTEM_MODE;
    const use = isFlat ? systemUse(d, this.#cpu.state.base) : undefined;
    if (use !== undefined) this.kernels.system(use.number);
    return use;
  }

  /** A system kernel; the call of `fn` in the same record is its slow path. */
  #lowerSystem({ number, a, b }: SystemUse, fn: SystemFn, offset: number): void {
    const d = this.decoded, v = this.#view, { zero } = Layout, state = this.#cpu.state.base;
    const r = this.#lowerCall(fn, offset, d.length);
    v.setUint16(r + Rec.handler, Handler.system, true);
    v.setUint16(r + Rec.kernel, MOST_KERNELS + number, true);
    v.setUint16(r + Rec.reg, a, true);
    v.setUint16(r + Rec.second, b, true);
    if (d.isMem) this.#addressFields(r);
    else for (const at of [Rec.base, Rec.index]) v.setUint16(r + at, state + zero, true);
  }

  /** A kernel; the call of `fn` in the same record is its slow path. */
  #lowerKernel(number: number, fn: SystemFn, offset: number): void {
    const d = this.decoded, v = this.#view, state = this.#cpu.state.base;
    const { memory, notes, reg, src } = kernels()[number];
    this.kernels.get(number);
    const isPlain = memory === undefined || this.#isPlain();
    if (!isPlain && memory !== undefined) {
      this.#lowerAddress(Handler.kernelAddress, memory.size, memory.write, offset);
    }
    const r = this.#lowerCall(fn, offset, d.length);
    v.setUint16(r + Rec.kernel, number, true);
    v.setUint8(r + Rec.immediate, d.imm);
    v.setUint16(r + Rec.reg, placeOf(reg, d, state), true);
    v.setUint16(
      r + Rec.aux,
      notes ? lastOpcode(d) : memory === undefined ? 0 : memory.align - 1,
      true,
    );
    if (memory === undefined) {
      v.setUint16(r + Rec.handler, notes ? Handler.kernelX87 : Handler.kernel, true);
      v.setUint16(r + Rec.second, placeOf(src, d, state), true);
      return;
    }
    v.setUint16(r + Rec.handler, notes ? Handler.kernelX87Memory : Handler.kernelMemory, true);
    v.setUint8(r + Rec.segment, d.seg);
    v.setUint16(r + Rec.rm, state + (memory.write ? Layout.tlbWrite : Layout.tlbRead), true);
    v.setUint16(r + Rec.second, 0x1000 - memory.size, true);
    if (isPlain) this.#addressFields(r);
    else this.#addressBefore(r);
  }
}

/**
 * Emits a call of a kernel: operand by the TLB, the function itself, the record of the last x87 instruction. Where the
 * TLB or the kernel refuses, the TypeScript function follows. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Reg } from "../../../../spec/i386_regs.ts";
import { ARITH_MASK, FlagsKind } from "../../flags.ts";
import { Code, type Frame } from "../../kernels/code.ts";
import { kernels as allKernels, placeOf } from "../../kernels/index.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { SegReg } from "../../segment.ts";
import { Layout, Seg, SEG_BYTES } from "../../state.ts";
import type { FlagEmitter } from "./flag_code.ts";
import type { Instruction, KernelUse } from "./instruction.ts";
import type { RegisterEmitter } from "./registers.ts";

/** What calls of kernels need from the region. */
export interface KernelSite {
  /** Address of the state block. */
  readonly state: number;
  /** Byte address of the TLB table for reads. */
  readonly readTable: number;
  /** Byte address of the TLB table for writes. */
  readonly writeTable: number;
  /** Imported functions by number of the kernel; the others are emitted in place. */
  readonly kernels: ReadonlyMap<number, number>;
  /** Local with EIP of the page's first byte. */
  readonly base: number;
}

/** Emits calls of kernels into one region. */
export class KernelEmitter {
  readonly #f: FunctionBody;
  readonly #site: KernelSite;
  readonly #registers: RegisterEmitter;
  readonly #flags: FlagEmitter;
  readonly #la: number;
  readonly #t: number;

  /** @param f The function. @param site Addresses. @param registers Guest registers. @param flags Lazy flags. */
  constructor(f: FunctionBody, site: KernelSite, registers: RegisterEmitter, flags: FlagEmitter) {
    this.#f = f;
    this.#site = site;
    this.#registers = registers;
    this.#flags = flags;
    this.#la = f.local("i32");
    this.#t = f.local("i32");
  }

  /** Emits an instruction; `otherwise` emits the call of TypeScript. The flags are settled and nothing is known of them. */
  emit(i: Instruction, use: KernelUse, otherwise: () => void): void {
    const f = this.#f, { state, kernels } = this.#site;
    const kernel = allKernels()[use.number], touched = touchedRegisters(kernel, i);
    for (const n of touched) this.#registers.spill(n);
    const done = f.block();
    const slow = f.block();
    if (kernel.memory !== undefined) this.#probe(i, kernel.memory, slow);
    const frame: Frame = {
      reg: () => f.i32(placeOf(kernel.reg, i, state)),
      src: kernel.memory !== undefined ? () => f.get(this.#t) : () => f.i32(placeOf(kernel.src, i, state)),
      imm: () => f.i32(i.imm & 0xff),
      slow,
    };
    const imported = kernels.get(use.number);
    if (imported === undefined) {
      const k = new Code(f, state, frame);
      kernel.body(k);
      k.release();
    } else this.#call(imported, frame);
    for (const n of touched) this.#registers.refresh(n);
    if (kernel.notes) this.#note(i, use);
    f.br(done);
    f.end(); // slow
    otherwise();
    f.end(); // done
  }

  #call(imported: number, frame: Frame): void {
    const f = this.#f;
    frame.reg();
    frame.src();
    frame.imm();
    f.call(imported);
    f.tee(this.#t);
    f.if("unlikely");
    f.get(this.#t);
    f.i32(0);
    f.num("i32.lt_s");
    f.brIf(frame.slow);
    this.#takeFlags();
    f.end();
  }

  /** Host address of the operand in `t`, or the slow way: one page, allowed, aligned. */
  #probe(i: Instruction, operand: { size: number; write: boolean; align: number }, slow: number): void {
    const f = this.#f, { readTable, writeTable } = this.#site;
    this.#registers.address(i);
    f.tee(this.#la);
    f.i32(12);
    f.num("i32.shr_u");
    f.i32(2);
    f.num("i32.shl");
    f.mem("i32.load", operand.write ? writeTable : readTable);
    f.get(this.#la);
    f.num("i32.xor");
    f.tee(this.#t);
    if (operand.align > 1) {
      f.i32(0x80000000 | (operand.align - 1));
      f.num("i32.and");
    } else {
      f.i32(0x80000fff | 0);
      f.num("i32.and");
      f.i32(0x1000 - operand.size);
      f.num("i32.gt_u");
    }
    f.brIf(slow, "unlikely");
  }

  /** Flags that the kernel answered. */
  #takeFlags(): void {
    const f = this.#f, { state } = this.#site;
    const put = (at: number, value: () => void): void => {
      f.i32(0);
      value();
      f.mem("i32.store", state + at);
    };
    put(Layout.flagsKind, () => f.i32(FlagsKind.word));
    put(Layout.flagsA, () => {
      f.get(this.#t);
      f.i32(ARITH_MASK);
      f.num("i32.and");
    });
    put(Layout.flagsB, () => f.i32(0));
    put(Layout.flagsC, () => f.i32(0));
    this.#flags.reload();
    this.#flags.forget();
  }

  #note(i: Instruction, use: KernelUse): void {
    const f = this.#f, { state, base } = this.#site;
    const put = (at: number, value: () => void): void => {
      f.i32(0);
      value();
      f.mem("i32.store", state + at);
    };
    const selector = (segment: number): void => {
      f.i32(0);
      f.mem("i32.load16_u", state + Layout.segs + segment * SEG_BYTES + Seg.selector);
    };
    put(Layout.fop, () => f.i32(use.fop));
    put(Layout.fip, () => {
      f.get(base);
      f.i32(i.offset);
      f.num("i32.add");
    });
    put(Layout.fcs, () => selector(SegReg.cs));
    if (allKernels()[use.number].memory === undefined) return;
    put(Layout.fdp, () => f.get(this.#la));
    put(Layout.fds, () => selector(i.seg));
  }
}

/** General registers a kernel reads or writes through the state block. */
function touchedRegisters(kernel: Kernel, i: Instruction): number[] {
  if (kernel.sem === "fnstsw_ax") return [Reg.eax];
  const touched: number[] = [];
  for (const place of [kernel.reg, kernel.memory === undefined ? kernel.src : "none"]) {
    if (place === "gprReg") touched.push(i.reg);
    if (place === "gprRm") touched.push(i.rm);
  }
  return touched;
}

/**
 * One decoded instruction on its way into a region. Warm: one object an instruction.
 */
import { type Decoded, NO_REGISTER } from "../../decode.ts";
import { effectiveDisplacement } from "../../operation.ts";
import { treeFor } from "../../trees.ts";
import { TREES } from "../../semantics/index.ts";
import type { Slot, Tree } from "../../tree.ts";
import type { Access } from "./groups.ts";
import type { Field } from "../../fields.ts";
import { folded, isFolded } from "./fold.ts";
import { type CodeMode, isUsual } from "./code_mode.ts";
import { type PartialFlags, wholeFlags } from "./whole_flags.ts";
import { kernelNumber, kernels, lastOpcode } from "../../kernels/index.ts";
import { SYSTEM_KERNELS, type SystemUse, systemUse } from "../../kernels/system/index.ts";
import type { MemoryOperand } from "../../kernels/kernel.ts";
import { SegReg } from "../../segment.ts";
import { Reg } from "../../../../spec/i386_regs.ts";
import { type X87Op, x87Op } from "./x87_ops.ts";
import { type Effects, effectsOf, wholeRegister } from "./effects.ts";

/** How an instruction is translated. */
export const Way = {
  /** Its tree is emitted. */
  tree: 0,
  /** TypeScript is called; execution goes on behind it. */
  call: 1,
  /** TypeScript is called; what it did to control is looked up. */
  callEnd: 2,
  /** An x87 instruction that is done in place. */
  x87: 3,
} as const;

/** A kernel that does an instruction which TypeScript would be called for. */
export interface KernelUse {
  /** Number of the kernel; -1: there is none, only the instruction in place. */
  readonly number: number;
  /** Last-opcode field, for kernels that are remembered. */
  readonly fop: number;
}

/** How instructions are translated. */
export interface Translation extends PartialFlags {
  /** The mode. */
  readonly mode: CodeMode;
  /** x87 instructions are done in place. */
  readonly x87: boolean;
  /** Kernels are used. */
  readonly kernels: boolean;
  /** System kernels are used. */
  readonly system: boolean;
  /** Byte address of the state block. */
  readonly state: number;
  /** Immediates are put into trees where they decide something. */
  readonly fold: boolean;
}

/** Transfers to a constant distance. */
const RELATIVE: ReadonlySet<string> = new Set(["jcc", "jcxz", "loop", "loope", "loopne", "jmpRel", "callRel"]);

/** An instruction with its fields. */
export class Instruction {
  /** Offset in its page. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Name of what it does. */
  readonly sem: string;
  /** One of {@linkcode Way}. */
  readonly way: number;
  /** What it does, when its way is `tree`. */
  readonly tree: Tree | undefined;
  /** Effects of the tree. */
  readonly effects: Effects | undefined;
  /** Index in the list of TypeScript instructions, when it is called. */
  readonly call: number;
  /** The kernel that is tried before TypeScript is called; or the one that an x87 instruction done in place has. */
  readonly kernel: KernelUse | undefined;
  /** The system kernel that is tried before TypeScript is called. */
  readonly system: SystemUse | undefined;
  /** How it is done in place, when its way is `x87`. */
  readonly x87: X87Op | undefined;
  /** See {@linkcode Decoded}. */
  readonly opSize: 16 | 32;
  /** See {@linkcode Decoded}. */
  readonly addrSize: 16 | 32;
  /** See {@linkcode Decoded}. */
  readonly seg: number;
  /** See {@linkcode Decoded}. */
  readonly reg: number;
  /** See {@linkcode Decoded}. */
  readonly rm: number;
  /** Base register or -1. */
  readonly base: number;
  /** Index register or -1. */
  readonly index: number;
  /** Shift of the index. */
  readonly scale: number;
  /** Displacement as the tree wants it. */
  readonly disp: number;
  /** First immediate. */
  readonly imm: number;
  /** Second immediate. */
  readonly imm2: number;
  /** Where a jump through a table may lead, as offsets. */
  targets: readonly number[] = [];
  /**
   * A call that never comes back, or a return to another place than behind the call: both are mere jumps, as in code
   * that keeps a processor from guessing where an indirect jump leads.
   */
  isJump = false;
  /** Constants that are read from memory each time. */
  readonly soft: readonly Field[];
  /** Host address of its bytes, where they are. */
  readonly at: number;
  /** Its target is at a constant distance. */
  readonly isRelative: boolean;
  /** Flags it records are seen by somebody. */
  flagsLive = true;
  /** Groups of its memory accesses in the order of the tree; see groups.ts. */
  accesses: readonly (Access | undefined)[] = [];

  /**
   * @param d Decoded. @param offset In its page. @param call Gives the number in the list of TypeScript instructions.
   * @param how Switches. @param soft See there. @param at See there.
   */
  constructor(
    d: Decoded,
    offset: number,
    call: () => number,
    how: Translation,
    soft: readonly Field[] = [],
    at = 0,
  ) {
    this.soft = soft;
    this.at = at;
    this.offset = offset;
    this.length = d.length;
    this.sem = d.row.sem;
    this.opSize = d.opSize;
    this.addrSize = d.addrSize;
    this.seg = d.seg;
    this.#isStore = d.isMem && d.row.operands[0] === "Ev";
    this.reg = d.reg;
    this.rm = d.rm;
    this.base = d.base === NO_REGISTER ? -1 : d.base;
    this.index = d.index === NO_REGISTER ? -1 : d.index;
    this.scale = d.scale;
    this.disp = effectiveDisplacement(d);
    this.imm = d.imm;
    this.imm2 = d.imm2;
    this.system = systemOf(d, how);
    const { mode } = how, isNarrow = mode.is32 && isNarrowJump(d);
    this.isRelative = RELATIVE.has(d.row.sem);
    if (TREES[d.row.sem] !== undefined && !isNarrow) {
      this.way = Way.tree;
      this.call = -1;
      this.kernel = undefined;
      const tree = treeFor(
        d.rowIndex,
        d.isMem,
        d.opSize,
        d.addrSize,
        d.row.rep === undefined ? 0 : d.rep,
        mode.stackSize,
      );
      this.tree = wholeFlags(how.fold ? folded(tree, d.row.sem, d.imm) : tree, how);
      this.effects = effectsOf(this.tree);
      this.x87 = undefined;
    } else {
      const { system } = this;
      const ends = system === undefined ? d.row.ends || isNarrow : SYSTEM_KERNELS[system.number].looksUp === true;
      const op = how.x87 && how.kernels && !ends ? x87Op(d.row.sem, d.isMem) : undefined;
      this.kernel = ends || !how.kernels
        ? undefined
        : kernelOf(d, mode) ?? (op === undefined || d.isMem ? undefined : withoutKernel(d));
      this.x87 = this.kernel === undefined ? undefined : op;
      this.way = ends ? Way.callEnd : this.x87 === undefined ? Way.call : Way.x87;
      this.call = this.x87 === undefined ? call() : -1;
      this.tree = this.effects = undefined;
    }
  }

  /** The same instruction for another place in the region. */
  copy(): Instruction {
    return Object.assign(Object.create(Instruction.prototype), this);
  }

  /** Memory operand of an x87 instruction that is done in place. */
  get operand(): MemoryOperand | undefined {
    return this.x87 === undefined ? undefined : kernels()[this.kernel?.number ?? -1]?.memory;
  }

  /** Offset in the page of the following instruction. */
  get next(): number {
    return this.offset + this.length;
  }

  /** True if it replaces the return address on the stack. */
  get replacesReturn(): boolean {
    return this.sem === "mov" && this.base === 4 && this.index < 0 && this.disp === 0 && this.opSize === 32 &&
      this.soft.length === 0 &&
      this.seg === SegReg.ss && this.#isStore;
  }

  /** True if a constant is read from memory. */
  isSoft(name: Field["name"]): boolean {
    return this.soft.some((f) => f.name === name);
  }

  /** Number of the register a slot names. */
  slot(slot: Slot): number {
    return slot === "rm" ? this.rm : this.reg;
  }

  readonly #isStore: boolean;

  /** Mask of the registers it touches. */
  registers(): number {
    const e = this.effects;
    const address = (this.base < 0 ? 0 : 1 << this.base) | (this.index < 0 ? 0 : 1 << this.index);
    if (e === undefined) return this.kernel !== undefined || this.system !== undefined ? address | this.written() : 0;
    let mask = e.registers;
    for (const { slot, w } of e.slots) mask |= 1 << wholeRegister(this.slot(slot), w);
    return e.usesAddress ? mask | address : mask;
  }

  /** Mask of the registers it writes. */
  written(): number {
    const e = this.effects;
    if (e === undefined) return this.x87?.writesAx === true ? 1 << Reg.eax : 0;
    let mask = e.written;
    for (const { slot, w, written } of e.slots) if (written) mask |= 1 << wholeRegister(this.slot(slot), w);
    return mask;
  }
}

/** True if an instruction lies on two pages: whether the second one is still the same is asked before it. */
export function isOnEdge(i: Instruction): boolean {
  return i.offset < 0x1000 && i.next > 0x1000;
}

/** What is recorded of an instruction that has no kernel. */
function withoutKernel(d: Decoded): KernelUse {
  return { number: -1, fop: lastOpcode(d) };
}

/** The kernel of an instruction whose memory operand, if it has one, is a 32-bit offset in a flat segment. */
function kernelOf(d: Decoded, mode: CodeMode): KernelUse | undefined {
  const number = kernelNumber(d);
  if (number < 0 || kernels()[number].memory !== undefined && !(mode.flatData && isPlainOperand(d))) return undefined;
  return { number, fop: lastOpcode(d) };
}

/** True if such constants of an instruction can be read from memory by its translation. */
export function mayBeSoft(d: Decoded, soft: readonly Field[]): boolean {
  return TREES[d.row.sem] !== undefined && !isNarrowJump(d) && !isFolded(d.row.sem) && !soft.some((f) => f.isTarget);
}

/** The system kernel of an instruction. */
function systemOf(d: Decoded, how: Translation): SystemUse | undefined {
  return how.system && isUsual(how.mode) ? systemUse(d, how.state) : undefined;
}

/** True if a memory operand is a 32-bit offset in a segment that is flat where data are. */
function isPlainOperand(d: Decoded): boolean {
  return d.addrSize === 32 && d.seg !== SegReg.cs && d.seg < SegReg.fs;
}

/** Transfers with a 16-bit instruction pointer in 32-bit code are left to TypeScript. */
function isNarrowJump(d: Decoded): boolean {
  return d.opSize === 16 && d.row.ends;
}

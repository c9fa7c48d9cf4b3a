/**
 * CLC, STC, CMC, CLD, STD, CLI, PUSHF and NOP. All but the arithmetic flags lie in the eager part of EFLAGS. What can
 * make an interrupt due (STI, POPF) is TypeScript. Source: SDM-2. Cold: builds trees.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import { Layout, ModeBit } from "../state.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";
import { pushValue } from "./stack.ts";

/** 1 if CPL is above IOPL; in virtual-8086 mode, where CPL is 3, that is IOPL below 3. */
function isAboveIopl(b: Builder): Expr {
  return b.binary("gtU", b.state(Layout.cpl), b.and(b.shr(b.state(Layout.eflags), 12), b.const(3)));
}

function inMode(b: Builder, bit: number): Expr {
  return b.binary("ne", b.and(b.state(Layout.mode), b.const(bit)), b.const(0));
}

/** CLI. Faults: #GP(0) in protected mode with CPL above IOPL. */
export const cli: Semantic = (b) => {
  b.if(b.and(inMode(b, ModeBit.protected), isAboveIopl(b)), () => b.raise(Vector.gp, 0));
  b.setState(Layout.eflags, b.and(b.state(Layout.eflags), b.const(~Flag.if)));
};

/** PUSHF; VM and RF are pushed as 0. Faults: #GP(0) in virtual-8086 mode with IOPL below 3. */
export const pushf: Semantic = (b) => {
  b.if(b.and(inMode(b, ModeBit.v86), isAboveIopl(b)), () => b.raise(Vector.gp, 0));
  const other = b.and(b.state(Layout.eflags), b.const(~(Flag.vm | Flag.rf)));
  pushValue(b, b.let(b.mask(b.or(b.flagsWord(), other), b.shape.opSize)));
};

/** CLC. */
export const clc: Semantic = (b) => b.flagsSet(b.and(b.flagsWord(), b.const(~Flag.cf)));
/** STC. */
export const stc: Semantic = (b) => b.flagsSet(b.or(b.flagsWord(), b.const(Flag.cf)));
/** CMC. */
export const cmc: Semantic = (b) => b.flagsSet(b.xor(b.flagsWord(), b.const(Flag.cf)));
/** CLD. */
export const cld: Semantic = (b) => b.setState(Layout.eflags, b.and(b.state(Layout.eflags), b.const(~Flag.df)));
/** STD. */
export const std: Semantic = (b) => b.setState(Layout.eflags, b.or(b.state(Layout.eflags), b.const(Flag.df)));
/** NOP, prefetches and hints. */
export const nop: Semantic = () => {};

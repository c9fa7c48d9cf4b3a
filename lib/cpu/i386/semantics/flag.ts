/**
 * CLC, STC, CMC, CLD, STD, and NOP. DF lies in the eager part of EFLAGS. Source: SDM-2. Cold: builds trees.
 */
import { Flag } from "../../../spec/i386_regs.ts";
import { Layout } from "../state.ts";
import type { Semantic } from "../builder.ts";

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

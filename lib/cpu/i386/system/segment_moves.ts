/**
 * Moving segment registers: MOV, PUSH, POP, LDS and the like. Sources: SDM-2B MOV, POP, PUSH, SDM-2A LDS. Warm.
 */
import { Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { checkSegment, loadSegment, SegReg } from "../segment.ts";
import { Layout, Seg } from "../state.ts";
import { popValue, pushValue, stackOffset } from "./stack.ts";

/** Segment register of a fixed operand. */
const FIXED: Readonly<Record<string, number>> = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5 };

/** After a load of SS interrupts and debug traps wait for one more instruction. */
function shadowStack(c: Context, n: number): void {
  if (n !== SegReg.ss) return;
  c.state.set(Layout.shadow, 1);
  c.state.set(Layout.noDebug, 1);
  c.attention();
}

function movFromSreg(c: Context, op: Op): void {
  if (op.reg > SegReg.gs) c.raise(Vector.ud);
  const selector = c.state.seg(op.reg, Seg.selector) & 0xffff;
  op.writeRm(op.isMem ? 16 : op.opSize, selector);
}

function movToSreg(c: Context, op: Op): void {
  if (op.reg > SegReg.gs || op.reg === SegReg.cs) c.raise(Vector.ud);
  loadSegment(c, op.reg, op.readRm(16) & 0xffff);
  shadowStack(c, op.reg);
}

function pushSreg(c: Context, op: Op): void {
  const n = FIXED[op.row.operands[0]];
  pushValue(c, op.opSize, c.state.seg(n, Seg.selector) & 0xffff);
}

function popSreg(c: Context, op: Op): void {
  const n = FIXED[op.row.operands[0]];
  const selector = popValue(c, op.opSize) & 0xffff;
  const sp = stackOffset(c, op.opSize >>> 3);
  const old = c.state.reg32(4);
  // The pointer moves with the segment that held the value; loading SS may change its size.
  loadSegment(c, n, selector);
  c.state.setReg32(4, (old & ~sp.mask) | sp.offset);
  shadowStack(c, n);
}

/** LES LSS LDS LFS LGS by mnemonic. */
const FAR: Readonly<Record<string, number>> = { les: 0, lss: 2, lds: 3, lfs: 4, lgs: 5 };

function loadFar(c: Context, op: Op): void {
  const bytes = op.opSize >>> 3;
  const at = checkSegment(c, op.seg, op.offset(), bytes + 2, false);
  const offset = bytes === 4 ? c.mem.read32(at) : c.mem.read16(at);
  const selector = c.mem.read16((at + bytes) | 0);
  const n = FAR[op.row.mnemonic];
  loadSegment(c, n, selector);
  if (bytes === 4) c.state.setReg32(op.reg, offset);
  else c.state.setReg16(op.reg, offset);
}

/** Functions of this chapter. */
export const SEGMENT_MOVES: Readonly<Record<string, SystemFn>> = { movFromSreg, movToSreg, pushSreg, popSreg, loadFar };

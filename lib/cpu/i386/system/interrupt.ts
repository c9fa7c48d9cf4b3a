/**
 * Software interrupts. Sources: SDM-2A INT n, INTO, INT3, INT1, BOUND. Warm.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { enterHandler, EventKind } from "../event.ts";
import { arithmetic } from "../flags.ts";
import { checkSegment } from "../segment.ts";
import { checkV86 } from "./flags_io.ts";

/** Functions of this chapter. */
export const INTERRUPT: Readonly<Record<string, SystemFn>> = {
  int: (c, op) => {
    checkV86(c);
    enterHandler(c, op.imm & 0xff, EventKind.software, -1, c.nextEip, false);
  },
  int3: (c) => enterHandler(c, Vector.bp, EventKind.software, -1, c.nextEip, false),
  into: (c) => {
    if ((arithmetic(c.state) & Flag.of) !== 0) enterHandler(c, Vector.of, EventKind.software, -1, c.nextEip, false);
  },
  int1: (c) => enterHandler(c, Vector.db, EventKind.icebp, -1, c.nextEip, false),
  bound,
};

function bound(c: Context, op: Op): void {
  const bytes = op.opSize >>> 3;
  const at = checkSegment(c, op.seg, op.offset(), 2 * bytes, false);
  const read = (la: number): number => bytes === 4 ? c.mem.read32(la) : (c.mem.read16(la) << 16) >> 16;
  const low = read(at), high = read((at + bytes) | 0);
  const index = bytes === 4 ? c.state.reg32(op.reg) : (c.state.reg16(op.reg) << 16) >> 16;
  if (index < low || index > high) c.raise(Vector.br);
}

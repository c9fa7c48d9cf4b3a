/**
 * Software interrupts. Sources: SDM-2A INT n, INTO, INT3, INT1, BOUND. Warm.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { enterHandler, EventKind } from "../event.ts";
import { arithmetic } from "../flags.ts";
import { intercepted } from "../interception.ts";
import { checkSegment } from "../segment.ts";
import { Layout } from "../state.ts";
import { checkV86 } from "./flags_io.ts";

/** Functions of this chapter. */
export const INTERRUPT: Readonly<Record<string, SystemFn>> = {
  int: (c, op) => {
    checkV86(c);
    softwareInterrupt(c, op.imm & 0xff, EventKind.software);
  },
  int3: (c) => softwareInterrupt(c, Vector.bp, EventKind.software),
  into: (c) => {
    if ((arithmetic(c.state) & Flag.of) !== 0) softwareInterrupt(c, Vector.of, EventKind.software);
  },
  int1: (c) => softwareInterrupt(c, Vector.db, EventKind.icebp),
  bound,
};

/** Enters a handler for an instruction, unless a monitor takes the event; then EIP is where that has left it. */
function softwareInterrupt(c: Context, vector: number, kind: number): void {
  const answer = c.interceptor === undefined ? "deliver" : intercepted(c, c.interceptor, kind, vector, -1);
  if (answer === "deliver") {
    announce(c, vector, kind);
    const isStepping = (c.state.get(Layout.eflags) & Flag.tf) !== 0;
    enterHandler(c, vector, kind, -1, c.nextEip, false);
    if (isStepping) c.state.set(Layout.noDebug, 2);
    return;
  }
  if (answer === "handled") {
    c.nextEip = c.state.get(Layout.eip) >>> 0;
    return;
  }
  if (answer.vector === Vector.pf) c.state.set(Layout.faultLinear, answer.linear | 0);
  c.raise(answer.vector, answer.errorCode);
}

/** Hooks see EIP after the instruction. */
function announce(c: Context, vector: number, kind: number): void {
  if (c.delivering === undefined) return;
  const s = c.state, eip = s.get(Layout.eip);
  s.set(Layout.eip, c.nextEip | 0);
  c.delivering(kind, vector, -1, 0);
  s.set(Layout.eip, eip);
}

function bound(c: Context, op: Op): void {
  const bytes = op.opSize >>> 3;
  const at = checkSegment(c, op.seg, op.offset(), 2 * bytes, false);
  const read = (la: number): number => bytes === 4 ? c.mem.read32(la) : (c.mem.read16(la) << 16) >> 16;
  const low = read(at), high = read((at + bytes) | 0);
  const index = bytes === 4 ? c.state.reg32(op.reg) : (c.state.reg16(op.reg) << 16) >> 16;
  if (index < low || index > high) c.raise(Vector.br);
}

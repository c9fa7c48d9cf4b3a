/**
 * IN, OUT, INS, OUTS with the I/O permission bitmap. Sources: SDM-2A IN, INS, SDM-2B OUT, OUTS, SDM-1 19.5. Warm.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { checkSegment, SegReg } from "../segment.ts";
import { Layout, Seg } from "../state.ts";
import { isTss32 } from "../tss.ts";
import { iopl } from "./flags_io.ts";

const EAX = 0, ECX = 1, EDX = 2, ESI = 6, EDI = 7;

/** #GP(0) unless the port may be used: by IOPL, or by the bitmap of the TSS. */
function checkPort(c: Context, port: number, width: number): void {
  const s = c.state;
  if (!s.isProtected || (!s.isV86 && s.get(Layout.cpl) <= iopl(c))) return;
  const base = s.seg(SegReg.tr, Seg.base), limit = s.seg(SegReg.tr, Seg.limit) >>> 0;
  if (!isTss32(s.seg(SegReg.tr, Seg.access)) || limit < 0x67) c.raise(Vector.gp, 0);
  const map = c.mem.sysRead16((base + 0x66) | 0);
  const at = map + (port >>> 3);
  if (at + 1 > limit) c.raise(Vector.gp, 0);
  const bits = c.mem.sysRead16((base + at) | 0) >>> (port & 7);
  if ((bits & ((1 << (width >>> 3)) - 1)) !== 0) c.raise(Vector.gp, 0);
}

function widthOf(op: Op): 8 | 16 | 32 {
  return op.width === 8 ? 8 : op.opSize;
}

/** Port of an immediate or of DX. */
function portOf(c: Context, op: Op): number {
  return op.row.operands.includes("dx") ? c.state.reg16(EDX) : op.imm & 0xff;
}

function setAccumulator(c: Context, width: 8 | 16 | 32, value: number): void {
  if (width === 8) c.state.setReg8(EAX, value);
  else if (width === 16) c.state.setReg16(EAX, value);
  else c.state.setReg32(EAX, value);
}

function accumulator(c: Context, width: 8 | 16 | 32): number {
  const value = c.state.reg32(EAX);
  return width === 8 ? value & 0xff : width === 16 ? value & 0xffff : value >>> 0;
}

function register(c: Context, op: Op, n: number): number {
  return op.addrSize === 32 ? c.state.reg32(n) >>> 0 : c.state.reg16(n);
}

function setRegister(c: Context, op: Op, n: number, value: number): void {
  if (op.addrSize === 32) c.state.setReg32(n, value);
  else c.state.setReg16(n, value & 0xffff);
}

/** One iteration of INS or OUTS; with a repeat prefix the instruction runs again while (E)CX is not zero. */
function repeated(c: Context, op: Op, one: () => void): void {
  if (op.rep === 0) {
    one();
    return;
  }
  if (register(c, op, ECX) === 0) return;
  one();
  setRegister(c, op, ECX, register(c, op, ECX) - 1);
  if (register(c, op, ECX) !== 0) c.nextEip = c.state.get(Layout.eip) >>> 0;
}

function advance(c: Context, op: Op, n: number, bytes: number): void {
  const down = (c.state.get(Layout.eflags) & Flag.df) !== 0;
  setRegister(c, op, n, register(c, op, n) + (down ? -bytes : bytes));
}

function ins(c: Context, op: Op): void {
  repeated(c, op, () => {
    const width = widthOf(op), bytes = width >>> 3, port = c.state.reg16(EDX);
    checkPort(c, port, width);
    const at = checkSegment(c, SegReg.es, register(c, op, EDI), bytes, true);
    c.mem.probeWrite(at, bytes, c.state.get(Layout.cpl) === 3);
    const value = c.bus.readPort(port, width);
    if (width === 8) c.mem.write8(at, value);
    else if (width === 16) c.mem.write16(at, value);
    else c.mem.write32(at, value);
    advance(c, op, EDI, bytes);
  });
}

function outs(c: Context, op: Op): void {
  repeated(c, op, () => {
    const width = widthOf(op), bytes = width >>> 3, port = c.state.reg16(EDX);
    checkPort(c, port, width);
    const at = checkSegment(c, op.seg, register(c, op, ESI), bytes, false);
    const value = width === 8 ? c.mem.read8(at) : width === 16 ? c.mem.read16(at) : c.mem.read32(at) >>> 0;
    c.bus.writePort(port, value, width);
    advance(c, op, ESI, bytes);
  });
}

/** Functions of this chapter. */
export const PORT_IO: Readonly<Record<string, SystemFn>> = {
  in: (c, op) => {
    const width = widthOf(op), port = portOf(c, op);
    checkPort(c, port, width);
    setAccumulator(c, width, c.bus.readPort(port, width));
  },
  out: (c, op) => {
    const width = widthOf(op), port = portOf(c, op);
    checkPort(c, port, width);
    c.bus.writePort(port, accumulator(c, width), width);
  },
  ins,
  outs,
};

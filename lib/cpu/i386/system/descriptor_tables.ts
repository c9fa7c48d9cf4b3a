/**
 * Loading and storing GDTR, IDTR, LDTR and TR. Sources: SDM-2A LGDT, LLDT, LTR, SDM-2B SGDT, SIDT, SLDT, STR. Warm.
 */
import { Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { Desc, Descriptor, fetchDescriptor, isNull, SystemType, systemType } from "../descriptor.ts";
import { SegReg, setCache, setNull } from "../segment.ts";
import { Layout, Seg } from "../state.ts";
import { checkRing0 } from "./control_registers.ts";

const scratch: Descriptor = new Descriptor();

/** #UD outside protected mode. */
export function checkProtected(c: Context): void {
  if (!c.state.isProtected || c.state.isV86) c.raise(Vector.ud);
}

function load(base: number, limit: number): SystemFn {
  return (c, op) => {
    checkRing0(c);
    const at = op.linear(6, false);
    const newLimit = c.mem.read16(at), newBase = c.mem.read32((at + 2) | 0);
    c.state.set(limit, newLimit);
    c.state.set(base, op.opSize === 16 ? newBase & 0xffffff : newBase);
  };
}

function store(base: number, limit: number): SystemFn {
  return (c, op) => {
    const at = op.linear(6, true);
    c.mem.probeWrite(at, 6, c.state.get(Layout.cpl) === 3);
    c.mem.write16(at, c.state.get(limit) & 0xffff);
    c.mem.write32((at + 2) | 0, c.state.get(base));
  };
}

function lldt(c: Context, op: Op): void {
  checkProtected(c);
  checkRing0(c);
  const selector = op.readRm(16) & 0xffff, error = selector & 0xfffc;
  if (isNull(selector)) {
    setNull(c.state, SegReg.ldtr, selector);
    return;
  }
  if ((selector & 4) !== 0) c.raise(Vector.gp, error);
  fetchDescriptor(c, selector, scratch, Vector.gp, 0);
  if (systemType(scratch.high) !== SystemType.ldt) c.raise(Vector.gp, error);
  if ((scratch.high & Desc.present) === 0) c.raise(Vector.np, error);
  setCache(c.state, SegReg.ldtr, selector, scratch.low, scratch.high);
}

/** The bit that makes an available TSS a busy one. */
const BUSY = 0x200;

function ltr(c: Context, op: Op): void {
  checkProtected(c);
  checkRing0(c);
  const selector = op.readRm(16) & 0xffff, error = selector & 0xfffc;
  if (isNull(selector)) c.raise(Vector.gp, 0);
  if ((selector & 4) !== 0) c.raise(Vector.gp, error);
  fetchDescriptor(c, selector, scratch, Vector.gp, 0);
  const type = systemType(scratch.high);
  if (type !== SystemType.tss16 && type !== SystemType.tss32) c.raise(Vector.gp, error);
  if ((scratch.high & Desc.present) === 0) c.raise(Vector.np, error);
  c.mem.sysWrite32((scratch.at + 4) | 0, scratch.high | BUSY);
  setCache(c.state, SegReg.tr, selector, scratch.low, scratch.high | BUSY);
}

function storeSelector(n: number): SystemFn {
  return (c, op) => {
    checkProtected(c);
    op.writeRm(op.isMem ? 16 : op.opSize, c.state.seg(n, Seg.selector) & 0xffff);
  };
}

/** Functions of this chapter. */
export const DESCRIPTOR_TABLES: Readonly<Record<string, SystemFn>> = {
  lgdt: load(Layout.gdtBase, Layout.gdtLimit),
  lidt: load(Layout.idtBase, Layout.idtLimit),
  sgdt: store(Layout.gdtBase, Layout.gdtLimit),
  sidt: store(Layout.idtBase, Layout.idtLimit),
  lldt,
  ltr,
  sldt: storeSelector(SegReg.ldtr),
  str: storeSelector(SegReg.tr),
};

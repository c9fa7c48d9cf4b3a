/**
 * Asking about selectors: LAR, LSL, VERR, VERW, ARPL. They say yes or no in ZF and never fault for a bad selector.
 * Sources: SDM-2A ARPL, LAR, LSL, SDM-2B VERR. Warm.
 */
import { Flag } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import {
  Descriptor,
  descriptorLimit,
  isConforming,
  isNull,
  isReadable,
  isWritableData,
  lookUp,
  privilege,
  SystemType,
  systemType,
} from "../descriptor.ts";
import { arithmetic, setArithmetic } from "../flags.ts";
import { Layout } from "../state.ts";
import { checkProtected } from "./descriptor_tables.ts";

const scratch: Descriptor = new Descriptor();

function setZero(c: Context, yes: boolean): void {
  setArithmetic(c.state, (arithmetic(c.state) & ~Flag.zf) | (yes ? Flag.zf : 0));
}

/** System types LAR knows; LSL knows those with a limit. */
const LAR_TYPES: readonly number[] = [
  SystemType.tss16,
  SystemType.ldt,
  SystemType.tss16Busy,
  SystemType.callGate16,
  SystemType.taskGate,
  SystemType.tss32,
  SystemType.tss32Busy,
  SystemType.callGate32,
];
const LSL_TYPES: readonly number[] = [
  SystemType.tss16,
  SystemType.ldt,
  SystemType.tss16Busy,
  SystemType.tss32,
  SystemType.tss32Busy,
];

/** Reads the descriptor if the selector is visible at the current privilege. */
function visible(c: Context, selector: number, types: readonly number[]): boolean {
  if (isNull(selector) || !lookUp(c, selector, scratch)) return false;
  const type = systemType(scratch.high);
  if (type >= 0 && !types.includes(type)) return false;
  if (isConforming(scratch.high)) return true;
  const dpl = privilege(scratch.high);
  return dpl >= c.state.get(Layout.cpl) && dpl >= (selector & 3);
}

function setRegister(c: Context, op: Op, value: number): void {
  if (op.opSize === 32) c.state.setReg32(op.reg, value);
  else c.state.setReg16(op.reg, value & 0xffff);
}

function lar(c: Context, op: Op): void {
  checkProtected(c);
  const yes = visible(c, op.readRm(16) & 0xffff, LAR_TYPES);
  if (yes) setRegister(c, op, scratch.high & (op.opSize === 32 ? 0x00ffff00 : 0xff00));
  setZero(c, yes);
}

function lsl(c: Context, op: Op): void {
  checkProtected(c);
  const yes = visible(c, op.readRm(16) & 0xffff, LSL_TYPES);
  if (yes) setRegister(c, op, descriptorLimit(scratch.low, scratch.high));
  setZero(c, yes);
}

function verify(write: boolean): SystemFn {
  return (c, op) => {
    checkProtected(c);
    const seen = visible(c, op.readRm(16) & 0xffff, []);
    setZero(c, seen && (write ? isWritableData(scratch.high) : isReadable(scratch.high)));
  };
}

function arpl(c: Context, op: Op): void {
  checkProtected(c);
  const value = op.readRm(16) & 0xffff, rpl = c.state.reg16(op.reg) & 3;
  const raise = (value & 3) < rpl;
  if (raise) op.writeRm(16, (value & ~3) | rpl);
  setZero(c, raise);
}

/** Functions of this chapter. */
export const SELECTOR_CHECKS: Readonly<Record<string, SystemFn>> = {
  lar,
  lsl,
  verr: verify(false),
  verw: verify(true),
  arpl,
};

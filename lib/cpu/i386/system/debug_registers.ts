/**
 * Debug registers, and the test registers. Sources: SDM-2B MOV, SDM-3B 17.2. Warm.
 *
 * Not emulated: the test registers of the 386 and 486; moving them ends the run as unimplemented, and is #UD.
 */
import { Cr4, Dr6, Dr7, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { Layout } from "../state.ts";
import { checkRing0 } from "./control_registers.ts";

/** Reserved bits of DR6 read as one, bit 12 as zero. */
const DR6_ONES = 0xffff0ff0 | 0;
const DR6_BITS = 0xe00f;
/** DR7: bit 10 reads as one. */
const DR7_ONE = 0x400;
const DR7_BITS = 0xffff23ff | 0;

/** Field of a debug register; 4 and 5 are aliases unless CR4.DE. */
function registerOf(c: Context, n: number): number {
  if (n < 4) return Layout.dr + 4 * n;
  if (n < 6 && (c.state.get(Layout.cr4) & Cr4.de) !== 0) c.raise(Vector.ud);
  return n === 4 || n === 6 ? Layout.dr6 : Layout.dr7;
}

/** #DB before the access if DR7.GD is set. */
function checkGeneralDetect(c: Context): void {
  const s = c.state;
  if ((s.get(Layout.dr7) & Dr7.gd) === 0) return;
  s.set(Layout.pendingDebug, s.get(Layout.pendingDebug) | Dr6.bd);
  c.raise(Vector.db);
}

function movFromDr(c: Context, op: Op): void {
  const at = registerOf(c, op.reg);
  checkRing0(c);
  checkGeneralDetect(c);
  c.state.setReg32(op.rm, c.state.get(at));
}

function movToDr(c: Context, op: Op): void {
  const at = registerOf(c, op.reg);
  checkRing0(c);
  checkGeneralDetect(c);
  const value = c.state.reg32(op.rm);
  if (at === Layout.dr6) c.state.set(at, (value & DR6_BITS) | DR6_ONES);
  else if (at === Layout.dr7) c.state.set(at, (value & DR7_BITS) | DR7_ONE);
  else c.state.set(at, value);
  c.debugChanged();
}

function testRegister(c: Context): void {
  c.bus.unimplemented("test registers of the 386 and 486");
  c.raise(Vector.ud);
}

/** Functions of this chapter. */
export const DEBUG_REGISTERS: Readonly<Record<string, SystemFn>> = {
  movFromDr,
  movToDr,
  movFromTr: testRegister,
  movToTr: testRegister,
};

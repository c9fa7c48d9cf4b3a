/**
 * ENTER: the one integer instruction with a loop over a run-time field, so not a tree. Every access is checked before
 * the first push, the final stack pointer included. Source: SDM-2A ENTER. Warm.
 */
import { Reg } from "../../spec/i386_regs.ts";
import type { SystemFn } from "./context.ts";
import { checkSegment, SegReg } from "./segment.ts";
import { Frame } from "./stack_frame.ts";
import { Layout } from "./state.ts";

const frame: Frame = new Frame();

/**
 * ENTER imm16, imm8: size of the frame in `imm`, nesting level in `imm2`.
 *
 * Flags: none. Faults: #SS(0), #PF.
 */
export const enter: SystemFn = (c, op) => {
  const s = c.state, mask = s.get(Layout.stackMask), user = s.get(Layout.cpl) === 3;
  const size = op.opSize >>> 3, level = op.imm2 & 31;
  const bp = s.reg32(Reg.ebp), old = s.reg32(Reg.esp);
  frame.useCurrent(c, 0);
  frame.reserve(c, level + 1, size);
  for (let i = 1; i < level; i++) {
    const at = checkSegment(c, SegReg.ss, ((bp - i * size) & mask) >>> 0, size, false);
    c.mem.probeRead(at, size, user);
  }
  const last = (old - (level + 1) * size - (op.imm & 0xffff)) & mask;
  c.mem.probeWrite(checkSegment(c, SegReg.ss, last >>> 0, size, true), size, user);

  frame.push(c, size, bp);
  const top = frame.esp;
  for (let i = 1; i < level; i++) {
    const at = checkSegment(c, SegReg.ss, ((bp - i * size) & mask) >>> 0, size, false);
    frame.push(c, size, size === 4 ? c.mem.read32(at) : c.mem.read16(at));
  }
  if (level > 0) frame.push(c, size, top);
  if (size === 4) s.setReg32(Reg.ebp, top); // on a 16-bit stack the upper half is that of ESP
  else s.setReg16(Reg.ebp, top);
  s.setReg32(Reg.esp, (old & ~mask) | last);
};

/**
 * HLT, undefined instructions, hypercalls. Sources: SDM-2A HLT, SDM-2B UD, SDM-2C VMCALL. Warm.
 */
import { Vector } from "../../../spec/i386_regs.ts";
import type { SystemFn } from "../context.ts";
import { Layout } from "../state.ts";
import { checkRing0 } from "./control_registers.ts";

/** Functions of this chapter. */
export const PROCESSOR: Readonly<Record<string, SystemFn>> = {
  hlt: (c) => {
    checkRing0(c);
    if (c.bus.halting?.() === true) return;
    c.state.set(Layout.halted, 1);
    c.attention();
  },
  ud2: (c) => c.raise(Vector.ud),
  vmcall: (c, op) => {
    if (!c.hypercall(op)) c.raise(Vector.ud);
  },
};

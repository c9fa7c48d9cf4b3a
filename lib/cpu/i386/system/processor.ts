/**
 * HLT, WAIT, undefined instructions, hypercalls. Sources: SDM-2A HLT, SDM-2B UD, WAIT, SDM-2C VMCALL. Warm.
 */
import { Cr0, Vector } from "../../../spec/i386_regs.ts";
import type { Context, SystemFn } from "../context.ts";
import { Layout } from "../state.ts";
import { answerError } from "../x87/stack.ts";
import { checkRing0 } from "./control_registers.ts";

/** x87 status word: an unmasked exception is pending. */
const ERROR_SUMMARY = 0x80;

/** #MF for an x87 exception that is pending; while CR0.NE is 0: FERR#, and WAIT stands still unless IGNNE# is there. */
export function checkPendingFpu(c: Context): void {
  if ((c.state.get(Layout.fsw) & ERROR_SUMMARY) !== 0) answerError(c);
}

/** Functions of this chapter. */
export const PROCESSOR: Readonly<Record<string, SystemFn>> = {
  hlt: (c) => {
    checkRing0(c);
    c.state.set(Layout.halted, 1);
    c.attention();
  },
  wait: (c) => {
    const both = Cr0.mp | Cr0.ts;
    if ((c.state.get(Layout.cr0) & both) === both) c.raise(Vector.nm);
    checkPendingFpu(c);
  },
  ud2: (c) => c.raise(Vector.ud),
  vmcall: (c, op) => {
    if (!c.hypercall(op)) c.raise(Vector.ud);
  },
};

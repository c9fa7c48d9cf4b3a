/**
 * Checks of far returns and far transfers, shared by RET, IRET, JMP and CALL. Sources: SDM-2A CALL, IRET, SDM-2B RET. Warm.
 */
import { Vector } from "../../../spec/i386_regs.ts";
import type { Context } from "../context.ts";
import {
  Desc,
  type Descriptor,
  fetchDescriptor,
  isCode,
  isConforming,
  isNull,
  isWritableData,
  privilege,
} from "../descriptor.ts";
import { Layout } from "../state.ts";

/** The code segment a far return names. Faults: #GP(0), #GP(selector), #NP(selector). */
export function checkReturnCode(c: Context, selector: number, into: Descriptor): void {
  const error = selector & 0xfffc, rpl = selector & 3;
  if (isNull(selector)) c.raise(Vector.gp, 0);
  fetchDescriptor(c, selector, into, Vector.gp, 0);
  if (!isCode(into.high) || rpl < c.state.get(Layout.cpl)) c.raise(Vector.gp, error);
  const dpl = privilege(into.high);
  if (isConforming(into.high) ? dpl > rpl : dpl !== rpl) c.raise(Vector.gp, error);
  if ((into.high & Desc.present) === 0) c.raise(Vector.np, error);
}

/** The stack segment of an outer level. Faults: #GP(0), #GP(selector), #SS(selector). */
export function checkReturnStack(c: Context, selector: number, rpl: number, into: Descriptor): void {
  const error = selector & 0xfffc;
  if (isNull(selector)) c.raise(Vector.gp, 0);
  fetchDescriptor(c, selector, into, Vector.gp, 0);
  if ((selector & 3) !== rpl || !isWritableData(into.high) || privilege(into.high) !== rpl) c.raise(Vector.gp, error);
  if ((into.high & Desc.present) === 0) c.raise(Vector.ss, error);
}

/** A code segment a direct far jump or call names. Faults: #GP(selector), #NP(selector). */
export function checkDirectCode(c: Context, selector: number, d: Descriptor): void {
  const error = selector & 0xfffc, cpl = c.state.get(Layout.cpl), dpl = privilege(d.high);
  if (isConforming(d.high) ? dpl > cpl : dpl !== cpl || (selector & 3) > cpl) c.raise(Vector.gp, error);
  if ((d.high & Desc.present) === 0) c.raise(Vector.np, error);
}

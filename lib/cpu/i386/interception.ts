/**
 * Asks a monitor about an event on its way to a handler, and about an instruction before it executes. Warm while there is
 * one; without one an interceptable instruction costs a look.
 */
import type { GuestInstruction, InterceptAnswer, InterceptKind, Interceptor } from "../../core/monitor.ts";
import { Vector } from "../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "./context.ts";
import { EventKind } from "./event.ts";
import { Layout, Seg } from "./state.ts";

/** By number of {@linkcode EventKind}. */
const KINDS: readonly InterceptKind[] = ["exception", "software", "software", "external", "nmi"];

/** What the interceptor says about an event; the state is that of the interrupted program. */
export function intercepted(
  c: Context,
  interceptor: Interceptor,
  kind: number,
  vector: number,
  errorCode: number,
): InterceptAnswer {
  const s = c.state;
  const isSoftware = kind === EventKind.software || kind === EventKind.icebp;
  return interceptor.intercept({
    kind: KINDS[kind] ?? "exception",
    vector,
    errorCode,
    linear: vector === Vector.pf ? s.get(Layout.faultLinear) >>> 0 : 0,
    next: (isSoftware ? c.nextEip : s.get(Layout.eip)) >>> 0,
  });
}

/** An instruction as a monitor sees it. */
export function describe(c: Context, op: Op): GuestInstruction {
  const offset = op.isMem ? op.offset() : 0;
  return {
    name: op.row.sem,
    mnemonic: op.row.mnemonic,
    length: op.length,
    operandSize: op.opSize,
    addressSize: op.addrSize,
    width: op.width,
    operands: op.row.operands,
    reg: op.reg,
    rm: op.rm,
    isMemory: op.isMem,
    repeated: op.rep !== 0,
    segment: op.seg,
    immediate: op.imm,
    immediate2: op.imm2,
    linear: (c.state.seg(op.seg, Seg.base) + offset) >>> 0,
  };
}

/** The function of an instruction that a monitor may take in hand. */
function interceptable(name: string, fn: SystemFn): SystemFn {
  return (c, op) => {
    const i = c.interceptor;
    if (i?.instructions === undefined || !i.instructions.has(name) || i.instruction === undefined) return fn(c, op);
    if (i.instruction(describe(c, op)) === "deliver") return fn(c, op);
    c.nextEip = c.state.get(Layout.eip) >>> 0;
  };
}

/** The same for a whole table. */
export function allInterceptable(fns: Readonly<Record<string, SystemFn>>): Readonly<Record<string, SystemFn>> {
  return Object.fromEntries(Object.entries(fns).map(([name, fn]) => [name, interceptable(name, fn)]));
}

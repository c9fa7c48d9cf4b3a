/**
 * Delivery of exceptions: error codes and RF on the stack, double and triple faults, CR2, debug status.
 */
import { deliverDebug, deliverException, deliverExternal, deliverNmi } from "../../../../lib/cpu/i386/fault.ts";
import { Layout } from "../../../../lib/cpu/i386/state.ts";
import { Dr6, Flag, Reg, Vector } from "../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import type { FakeContext } from "./fake_context.ts";
import { idtGate, prepared, Sel } from "./system/harness.ts";

function fault(c: FakeContext, vector: number, code = -1, linear = 0): void {
  c.state.set(Layout.faultVector, vector);
  c.state.set(Layout.faultCode, code);
  c.state.set(Layout.faultHasCode, code >= 0 ? 1 : 0);
  c.state.set(Layout.faultLinear, linear);
  deliverException(c);
}

function top(c: FakeContext, n: number): number {
  return c.mem.sysRead32(c.state.reg32(Reg.esp) + 4 * n);
}

Deno.test("a page fault sets CR2 and pushes its error code and RF", () => {
  const c = prepared(3);
  idtGate(c, Vector.pf, Sel.code0, 0x5000, 0x8e00);
  fault(c, Vector.pf, 6, 0x12345678);
  assertEquals([c.state.get(Layout.cr2), c.state.get(Layout.eip), c.state.get(Layout.cpl)], [0x12345678, 0x5000, 0]);
  assertEquals([top(c, 0), top(c, 1), top(c, 3) & Flag.rf], [6, 0x1000, Flag.rf]);
});

Deno.test("a contributory fault while one is delivered is a double fault with code 0", () => {
  const c = prepared();
  idtGate(c, Vector.df, Sel.code0, 0x5008, 0x8e00);
  fault(c, Vector.gp, 0x50);
  assertEquals([c.state.get(Layout.eip), top(c, 0), c.bus.log], [0x5008, 0, []]);
});

Deno.test("a benign exception whose gate is absent becomes #NP or #GP, not a double fault", () => {
  const c = prepared();
  idtGate(c, Vector.np, Sel.code0, 0x500b, 0x8e00);
  idtGate(c, Vector.ud, Sel.code0, 0x5006, 0x0e00);
  fault(c, Vector.ud);
  assertEquals([c.state.get(Layout.eip), top(c, 0)], [0x500b, Vector.ud * 8 + 3]);
});

Deno.test("#GP while #PF is delivered doubles, #PF while #GP is delivered does not", () => {
  const c = prepared();
  idtGate(c, Vector.pf, 0, 0, 0x8e00); // null selector
  idtGate(c, Vector.df, Sel.code0, 0x5008, 0x8e00);
  fault(c, Vector.pf, 0);
  assertEquals([c.state.get(Layout.eip), top(c, 0)], [0x5008, 0]);
  const d = prepared();
  d.state.set(Layout.idtBase, 0x7000 - 8 * Vector.pf); // the gate of #GP lies on an absent page
  d.mem.absent.add(6);
  d.mem.sysWrite32(0x7000, (Sel.code0 << 16) | 0x500e);
  d.mem.sysWrite32(0x7004, 0x8e00);
  fault(d, Vector.gp, 0);
  assertEquals([d.state.get(Layout.eip), d.state.get(Layout.cr2)], [0x500e, 0x6ff8]);
});

Deno.test("three faults in a row shut the CPU down and report the first", () => {
  const c = prepared();
  c.state.set(Layout.idtLimit, 0);
  fault(c, Vector.gp, 0x18);
  assertEquals([c.bus.log, c.state.get(Layout.halted)], [["shutdown 13 24"], 1]);
});

Deno.test("debug traps set DR6 and push RF clear; NMI blocks further ones until IRET", () => {
  const c = prepared();
  idtGate(c, Vector.db, Sel.code0, 0x5001, 0x8e00);
  idtGate(c, Vector.nmi, Sel.code0, 0x5002, 0x8e00);
  c.state.set(Layout.pendingDebug, Dr6.bs);
  deliverDebug(c);
  assertEquals([c.state.get(Layout.dr6) & Dr6.bs, c.state.get(Layout.pendingDebug)], [Dr6.bs, 0]);
  assertEquals(top(c, 2) & Flag.rf, 0);
  deliverNmi(c);
  assertEquals([c.state.get(Layout.eip), c.state.get(Layout.nmiBlocked)], [0x5002, 1]);
});

Deno.test("an interrupt ends HLT; real mode pushes three words and uses the vector table", () => {
  const c = prepared();
  c.realMode();
  c.state.set(Layout.idtBase, 0);
  c.state.set(Layout.idtLimit, 0x3ff);
  c.state.set(Layout.eflags, 2 | Flag.if);
  c.state.set(Layout.halted, 1);
  c.mem.sysWrite32(0x20, 0x02000034);
  deliverExternal(c, 8);
  assertEquals([c.state.get(Layout.eip), c.state.seg(1, 0), c.state.get(Layout.halted)], [0x34, 0x200, 0]);
  const sp = c.state.reg32(Reg.esp);
  assertEquals([sp, c.mem.sysRead16(sp), c.mem.sysRead16(sp + 4)], [0x7ffa, 0x1000, 2 | Flag.if]);
  assertEquals(c.state.get(Layout.eflags) & Flag.if, 0);
});

/**
 * Loads of segment registers: what is accepted, and vector and error code of each refusal.
 */
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { Flag, Reg, Vector } from "../../../../../lib/spec/i386_regs.ts";
import { readEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { At, expectFault, prepared, run, Sel, selector } from "./harness.ts";

const MOV_SS_AX = [0x8e, 0xd0], MOV_DS_AX = [0x8e, 0xd8];

Deno.test("MOV SS refuses with the fault the manual names", () => {
  const cases: [number, number, number][] = [
    [0, Vector.gp, 0],
    [3, Vector.gp, 0],
    [Sel.beyond, Vector.gp, Sel.beyond],
    [Sel.data0 | 1, Vector.gp, Sel.data0],
    [Sel.data3, Vector.gp, Sel.data3 & ~3],
    [Sel.readOnly, Vector.gp, Sel.readOnly],
    [Sel.code0, Vector.gp, Sel.code0],
    [Sel.absentData, Vector.ss, Sel.absentData],
    [Sel.data0 | 4, Vector.gp, Sel.data0 | 4],
  ];
  for (const [value, vector, code] of cases) {
    const c = prepared();
    c.state.setReg32(Reg.eax, value);
    expectFault(c, MOV_SS_AX, vector, code, value.toString(16));
  }
});

Deno.test("MOV DS refuses with the fault the manual names, and takes null and conforming code", () => {
  const cases: [number, number, number][] = [
    [Sel.beyond, Vector.gp, Sel.beyond],
    [Sel.data0, Vector.gp, Sel.data0],
    [Sel.executeOnly, Vector.gp, Sel.executeOnly],
    [Sel.tss, Vector.gp, Sel.tss],
  ];
  for (const [value, vector, code] of cases) {
    const c = prepared(3);
    c.state.setReg32(Reg.eax, value);
    expectFault(c, MOV_DS_AX, vector, code, value.toString(16));
  }
  const absent = prepared();
  absent.state.setReg32(Reg.eax, Sel.absentData);
  expectFault(absent, MOV_DS_AX, Vector.np, Sel.absentData);
  for (const value of [0, 3, Sel.conforming | 3, Sel.data3]) {
    const c = prepared(3);
    c.state.setReg32(Reg.eax, value);
    run(c, MOV_DS_AX);
    assertEquals(selector(c, 3), value);
  }
});

Deno.test("MOV SS sets the accessed bit and the shadow; LSS sets no shadow", () => {
  const c = prepared();
  c.state.setReg32(Reg.eax, Sel.data0);
  run(c, MOV_SS_AX);
  assertEquals(c.mem.bytes[At.gdt + Sel.data0 + 5], 0x93);
  assertEquals([c.state.get(Layout.shadow), c.state.get(Layout.noDebug)], [1, 1]);
  assertEquals(c.effects.includes("attention"), true);
  const d = prepared();
  d.mem.write32(0x6000, 0x7777);
  d.mem.write16(0x6004, Sel.data0);
  run(d, [0x0f, 0xb2, 0x25, 0, 0x60, 0, 0]);
  assertEquals([d.state.reg32(Reg.esp), d.state.get(Layout.shadow)], [0x7777, 0]);
});

Deno.test("POP to a segment register leaves ESP when the load faults", () => {
  const c = prepared();
  c.mem.write32(At.stack, Sel.absentData);
  expectFault(c, [0x1f], Vector.np, Sel.absentData);
  c.mem.write32(At.stack, Sel.data3);
  run(c, [0x1f]);
  assertEquals([c.state.reg32(Reg.esp), selector(c, 3)], [At.stack + 4, Sel.data3]);
});

Deno.test("MOV to CS is undefined", () => expectFault(prepared(), [0x8e, 0xc8], Vector.ud, -1));

Deno.test("LAR, LSL, VERR, VERW answer in ZF and leave the other flags", () => {
  const ask = (bytes: number[], value: number, cpl: 0 | 3 = 3): [boolean, number] => {
    const c = prepared(cpl);
    c.state.setReg32(Reg.eax, value);
    c.state.setReg32(Reg.ecx, 0x55);
    run(c, bytes);
    return [(readEflags(c.state) & Flag.zf) !== 0, c.state.reg32(Reg.ecx) >>> 0];
  };
  const LAR = [0x0f, 0x02, 0xc8], LSL = [0x0f, 0x03, 0xc8], VERR = [0x0f, 0x00, 0xe0], VERW = [0x0f, 0x00, 0xe8];
  assertEquals(ask(LAR, Sel.code3), [true, 0xcffa00]);
  assertEquals(ask(LAR, Sel.code0), [false, 0x55]);
  assertEquals(ask(LAR, 0), [false, 0x55]);
  assertEquals(ask(LAR, Sel.beyond), [false, 0x55]);
  assertEquals(ask(LSL, Sel.data3), [true, 0xffffffff]);
  assertEquals(ask(LSL, Sel.tss, 0), [true, 0x87]);
  assertEquals(ask(LSL, Sel.taskGate), [false, 0x55]);
  assertEquals(ask(VERR, Sel.conforming)[0], true);
  assertEquals(ask(VERR, Sel.executeOnly, 0)[0], false);
  assertEquals(ask(VERW, Sel.data3)[0], true);
  assertEquals(ask(VERW, Sel.code3)[0], false);
});

Deno.test("LTR marks the descriptor busy and refuses a busy one; LLDT takes LDTs only", () => {
  const c = prepared();
  c.state.setReg32(Reg.eax, Sel.tss2);
  run(c, [0x0f, 0x00, 0xd8]);
  assertEquals(c.mem.bytes[At.gdt + Sel.tss2 + 5], 0x8b);
  expectFault(c, [0x0f, 0x00, 0xd8], Vector.gp, Sel.tss2);
  expectFault(c, [0x0f, 0x00, 0xd0], Vector.gp, Sel.tss2);
  c.state.setReg32(Reg.eax, Sel.ldt);
  run(c, [0x0f, 0x00, 0xd0]);
  assertEquals(selector(c, 6), Sel.ldt);
  expectFault(prepared(3), [0x0f, 0x00, 0xd8], Vector.gp, 0);
  const real = prepared();
  real.realMode();
  expectFault(real, [0x0f, 0x00, 0xd8], Vector.ud, -1);
});

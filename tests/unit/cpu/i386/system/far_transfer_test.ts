/**
 * Call gates, far returns, software interrupts, IRET, virtual-8086 mode and task switches.
 */
import { enterHandler, EventKind } from "../../../../../lib/cpu/i386/event.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { setV86 } from "../../../../../lib/cpu/i386/segment.ts";
import { readEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { Cr0, Dr6, Flag, Reg, Vector } from "../../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { At, descriptor, expectFault, idtGate, prepared, run, Sel, selector } from "./harness.ts";
import type { FakeContext } from "../fake_context.ts";

/** CALL or JMP to an immediate far pointer. */
function far(opcode: number, to: number, offset = 0x1234): number[] {
  return [opcode, offset & 0xff, offset >>> 8, 0, 0, to & 0xff, to >>> 8];
}

function words(c: FakeContext, at: number, count: number): number[] {
  return [...Array(count).keys()].map((i) => c.mem.sysRead32(at + 4 * i) >>> 0);
}

function gate(c: FakeContext, count: number, to: number = Sel.code0, access = 0xec00): void {
  descriptor(c, Sel.gate, (to << 16) | 0x4444, access | count);
}

Deno.test("far JMP and CALL to code segments check privilege, presence and limit", () => {
  const cases: [number, 0 | 3, number, number][] = [
    [0, 0, Vector.gp, 0],
    [Sel.beyond, 0, Vector.gp, Sel.beyond],
    [Sel.code0, 3, Vector.gp, Sel.code0],
    [Sel.code3, 0, Vector.gp, Sel.code3 & ~3],
    [Sel.data0, 0, Vector.gp, Sel.data0],
    [Sel.absentCode, 0, Vector.np, Sel.absentCode],
    [Sel.small, 0, Vector.gp, 0],
  ];
  for (const [to, cpl, vector, code] of cases) {
    for (const opcode of [0x9a, 0xea]) expectFault(prepared(cpl), far(opcode, to), vector, code, to.toString(16));
  }
  const c = prepared(3);
  run(c, far(0x9a, Sel.conforming));
  assertEquals([selector(c, 1), c.state.get(Layout.cpl), c.state.get(Layout.eip)], [Sel.conforming | 3, 3, 0x1234]);
  assertEquals(words(c, At.stack - 8, 2), [0x1007, Sel.code3]);
});

Deno.test("a call gate to an inner level copies parameters and RETF releases both stacks", () => {
  const c = prepared(3);
  gate(c, 2);
  c.mem.write32(At.stack, 0x11);
  c.mem.write32(At.stack + 4, 0x22);
  run(c, far(0x9a, Sel.gate | 3));
  assertEquals([c.state.get(Layout.cpl), c.state.get(Layout.eip), selector(c, 2)], [0, 0x4444, Sel.data0]);
  assertEquals(c.state.reg32(Reg.esp), At.inner - 24);
  assertEquals(words(c, At.inner - 24, 6), [0x1007, Sel.code3, 0x11, 0x22, At.stack, Sel.data3]);
  run(c, [0xca, 8, 0]);
  assertEquals([c.state.get(Layout.cpl), c.state.get(Layout.eip)], [3, 0x1007]);
  assertEquals([c.state.reg32(Reg.esp), selector(c, 2)], [At.stack + 8, Sel.data3]);
});

Deno.test("call gates refuse: gate privilege, presence, target, inner stack", () => {
  const cases: [(c: FakeContext) => void, number, number][] = [
    [(c) => gate(c, 0, Sel.code0, 0x8c00), Vector.gp, Sel.gate],
    [(c) => gate(c, 0, Sel.code0, 0x6c00), Vector.np, Sel.gate],
    [(c) => gate(c, 0, 0), Vector.gp, 0],
    [(c) => gate(c, 0, Sel.data0), Vector.gp, Sel.data0],
    [(c) => gate(c, 0, Sel.absentCode), Vector.np, Sel.absentCode],
    [(c) => (gate(c, 0), c.mem.sysWrite16(At.tss + 8, 0)), Vector.ts, 0],
    [(c) => (gate(c, 0), c.mem.sysWrite16(At.tss + 8, Sel.data3)), Vector.ts, Sel.data3 & ~3],
    [(c) => (gate(c, 0), c.mem.sysWrite16(At.tss + 8, Sel.absentData)), Vector.ss, Sel.absentData],
    [(c) => (gate(c, 0), c.mem.readOnly.add((At.inner - 1) >>> 12)), Vector.pf, 3],
  ];
  cases.forEach(([change, vector, code], i) => {
    const c = prepared(3);
    change(c);
    expectFault(c, far(0x9a, Sel.gate | 3), vector, code, `case ${i}`);
  });
  const jump = prepared(3);
  gate(jump, 0);
  expectFault(jump, far(0xea, Sel.gate | 3), Vector.gp, Sel.code0);
});

Deno.test("a far CALL whose stack faults moves nothing", () => {
  const c = prepared();
  c.mem.readOnly.add((At.stack - 1) >>> 12);
  expectFault(c, far(0x9a, Sel.code0), Vector.pf, 3);
});

Deno.test("INT from CPL 3 enters ring 0 and IRET returns; gate DPL guards software interrupts", () => {
  const c = prepared(3);
  idtGate(c, 0x80, Sel.code0, 0x5555, 0xee00);
  c.state.set(Layout.eflags, 2 | Flag.if);
  run(c, [0xcd, 0x80]);
  assertEquals([c.state.get(Layout.cpl), c.state.get(Layout.eip)], [0, 0x5555]);
  assertEquals(readEflags(c.state) & Flag.if, 0);
  assertEquals(words(c, At.inner - 20, 5), [0x1002, Sel.code3, 2 | Flag.if, At.stack, Sel.data3]);
  run(c, [0xcf]);
  assertEquals([c.state.get(Layout.cpl), c.state.get(Layout.eip), c.state.reg32(Reg.esp)], [3, 0x1002, At.stack]);
  assertEquals(readEflags(c.state) & Flag.if, Flag.if);
  idtGate(c, 0x81, Sel.code0, 0x5555, 0x8e00);
  expectFault(c, [0xcd, 0x81], Vector.gp, 0x81 * 8 + 2);
  idtGate(c, 0x82, Sel.code0, 0x5555, 0x6e00);
  expectFault(c, [0xcd, 0x82], Vector.np, 0x82 * 8 + 2);
  idtGate(c, 0x83, Sel.code0, 0x5555, 0xfa00); // a code segment is no gate
  expectFault(c, [0xcd, 0x83], Vector.gp, 0x83 * 8 + 2);
});

Deno.test("IRET at CPL 3 keeps IOPL and, above IOPL, IF", () => {
  const c = prepared(3);
  c.state.setReg32(Reg.esp, At.stack);
  c.mem.write32(At.stack, 0x2000);
  c.mem.write32(At.stack + 4, Sel.code3);
  c.mem.write32(At.stack + 8, Flag.if | Flag.iopl | Flag.cf | Flag.vm);
  run(c, [0xcf]);
  assertEquals(readEflags(c.state), 2 | Flag.cf);
});

Deno.test("IRET into virtual-8086 mode, INT back out, and IOPL guards INT there", () => {
  const c = prepared();
  const image = [0x100, 0x2000, 2 | Flag.vm | Flag.if | Flag.iopl, 0x800, 0x3000, 0x10, 0x20, 0x30, 0x40];
  image.forEach((v, i) => c.mem.write32(At.stack + 4 * i, v));
  run(c, [0xcf]);
  assertEquals(c.state.isV86, true);
  assertEquals([1, 2, 0, 3, 4, 5].map((n) => selector(c, n)), [0x2000, 0x3000, 0x10, 0x20, 0x30, 0x40]);
  assertEquals([c.state.get(Layout.cpl), c.state.get(Layout.eip), c.state.reg32(Reg.esp)], [3, 0x100, 0x800]);
  idtGate(c, 0x21, Sel.code0, 0x5555, 0xee00);
  run(c, [0xcd, 0x21]);
  assertEquals([c.state.isV86, c.state.get(Layout.cpl), c.state.get(Layout.eip)], [false, 0, 0x5555]);
  const flags = 2 | Flag.vm | Flag.if | Flag.iopl;
  assertEquals(words(c, At.inner - 36, 9), [0x102, 0x2000, flags, 0x800, 0x3000, 0x10, 0x20, 0x30, 0x40]);
  assertEquals([0, 3, 4, 5].map((n) => selector(c, n)), [0, 0, 0, 0]);
  const low = prepared(3);
  low.state.set(Layout.eflags, 2 | Flag.vm);
  for (let n = 0; n < 6; n++) setV86(low.state, n, 0x100);
  low.modeChanged();
  for (const bytes of [[0xcd, 0x21], [0xcf], [0x9c], [0x9d], [0xfa], [0xfb]]) expectFault(low, bytes, Vector.gp, 0);
});

function secondTask(c: FakeContext): void {
  const put = (at: number, value: number): void => c.mem.sysWrite32(At.tss2 + at, value);
  put(0x20, 0x6666);
  put(0x24, 2);
  for (let n = 0; n < 8; n++) put(0x28 + 4 * n, 0x100 * n + 0x7000);
  for (let n = 0; n < 6; n++) put(0x48 + 4 * n, n === 1 ? Sel.code0 : Sel.data0);
  put(0x60, 0);
}

Deno.test("CALL through a task gate nests, IRET returns; busy bits, link, NT, TS", () => {
  const c = prepared();
  secondTask(c);
  c.state.setReg32(Reg.ebx, 0xabcd);
  run(c, far(0x9a, Sel.taskGate));
  assertEquals([c.state.get(Layout.eip), selector(c, 7), c.state.reg32(Reg.ebx)], [0x6666, Sel.tss2, 0x7300]);
  assertEquals([readEflags(c.state) & Flag.nt, c.state.get(Layout.cr0) & Cr0.ts], [Flag.nt, Cr0.ts]);
  assertEquals(c.mem.sysRead16(At.tss2), Sel.tss);
  assertEquals([Sel.tss, Sel.tss2].map((n) => c.mem.bytes[At.gdt + n + 5]), [0x8b, 0x8b]);
  run(c, [0xcf]);
  assertEquals([c.state.get(Layout.eip), selector(c, 7), c.state.reg32(Reg.ebx)], [0x1007, Sel.tss, 0xabcd]);
  assertEquals([Sel.tss, Sel.tss2].map((n) => c.mem.bytes[At.gdt + n + 5]), [0x8b, 0x89]);
  assertEquals(c.mem.sysRead32(At.tss2 + 0x24) & Flag.nt, 0);
});

Deno.test("JMP to a TSS frees the old one; the T bit asks for a debug trap", () => {
  const c = prepared();
  secondTask(c);
  c.mem.sysWrite16(At.tss2 + 0x64, 1);
  run(c, far(0xea, Sel.tss2));
  assertEquals([Sel.tss, Sel.tss2].map((n) => c.mem.bytes[At.gdt + n + 5]), [0x89, 0x8b]);
  assertEquals([readEflags(c.state) & Flag.nt, c.state.get(Layout.pendingDebug)], [0, Dr6.bt]);
});

Deno.test("a CALL to a 16-bit TSS saves the old task in full and IRET restores it", () => {
  const c = prepared();
  descriptor(c, Sel.tss2, (At.tss2 << 16) | 0x2b, 0x8100);
  const put = (at: number, value: number): void => c.mem.sysWrite16(At.tss2 + at, value);
  put(0x0e, 0x6666);
  put(0x10, 2);
  for (let n = 0; n < 8; n++) put(0x12 + 2 * n, 0x100 * n + 0x7000);
  for (let n = 0; n < 4; n++) put(0x22 + 2 * n, n === 1 ? Sel.code0 : Sel.data0);
  c.state.setReg32(Reg.edx, 0x12345678);
  run(c, far(0x9a, Sel.tss2));
  assertEquals([c.state.get(Layout.eip), c.state.reg16(Reg.ebx), selector(c, 4)], [0x6666, 0x7300, 0]);
  assertEquals(c.mem.sysRead16(At.tss2), Sel.tss);
  run(c, [0xcf]);
  assertEquals([c.state.get(Layout.eip), c.state.reg32(Reg.edx)], [0x1007, 0x12345678]);
  assertEquals([c.mem.sysRead16(At.tss2 + 0x0e), c.mem.bytes[At.gdt + Sel.tss2 + 5]], [0x6667, 0x81]);
});

Deno.test("an exception through a task gate pushes its code on the new task's stack", () => {
  const c = prepared();
  secondTask(c);
  c.mem.sysWrite32(At.idt + 8 * Vector.gp, Sel.tss2 << 16);
  c.mem.sysWrite32(At.idt + 8 * Vector.gp + 4, 0x8500);
  enterHandler(c, Vector.gp, EventKind.exception, 0x18, 0x1000, true);
  assertEquals([c.state.reg32(Reg.esp), c.mem.sysRead32(0x7400 - 4)], [0x7400 - 4, 0x18]);
  assertEquals(c.mem.sysRead32(At.tss + 0x20), 0x1000);
});

Deno.test("task switches refuse busy, short and absent task state segments in the old task", () => {
  const busy = prepared();
  expectFault(busy, far(0xea, Sel.tss), Vector.gp, Sel.tss);
  const short = prepared();
  descriptor(short, Sel.tss2, (At.tss2 << 16) | 0x66, 0x8900);
  expectFault(short, far(0xea, Sel.tss2), Vector.ts, Sel.tss2);
  const absent = prepared();
  descriptor(absent, Sel.tss2, (At.tss2 << 16) | 0x67, 0x0900);
  expectFault(absent, far(0xea, Sel.tss2), Vector.np, Sel.tss2);
});

Deno.test("a bad segment of the new task faults in the new task", () => {
  const c = prepared();
  secondTask(c);
  c.mem.sysWrite32(At.tss2 + 0x50, Sel.data3);
  assertEquals(c.faultOf(() => run(c, far(0xea, Sel.tss2))), Vector.ts);
  assertEquals([c.state.get(Layout.faultCode), selector(c, 7)], [Sel.data3 & ~3, Sel.tss2]);
  assertEquals(c.state.get(Layout.eip), 0x6666);
});

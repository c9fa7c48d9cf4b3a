/**
 * Control, debug and model-specific registers, flags under privilege, ports.
 */
import { Layout, Seg } from "../../../../../lib/cpu/i386/state.ts";
import { MODELS } from "../../../../../lib/cpu/i386/models.ts";
import type { Model } from "../../../../../lib/cpu/i386/model.ts";
import { readEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { Cr0, Cr4, Dr6, Dr7, Flag, Msr, Reg, Vector } from "../../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { At, expectFault, prepared, run, Sel, selector } from "./harness.ts";
import type { FakeContext } from "../fake_context.ts";

/** A context of another model. */
function of(model: Model): FakeContext {
  const c = prepared();
  Object.defineProperty(c, "model", { value: model });
  return c;
}

/** MOV CRn, EAX. */
function toCr(n: number): number[] {
  return [0x0f, 0x22, 0xc0 | (n << 3)];
}

function setAx(c: FakeContext, value: number): FakeContext {
  c.state.setReg32(Reg.eax, value);
  return c;
}

Deno.test("MOV CR0 refuses PG without PE and NW without CD; MOV CR is privileged, CR1 undefined", () => {
  expectFault(setAx(prepared(), Cr0.pg), toCr(0), Vector.gp, 0);
  expectFault(setAx(prepared(), Cr0.pe | Cr0.nw), toCr(0), Vector.gp, 0);
  expectFault(prepared(3), toCr(0), Vector.gp, 0);
  expectFault(prepared(3), [0x0f, 0x20, 0xc0], Vector.gp, 0);
  expectFault(prepared(), toCr(1), Vector.ud, -1);
  const c = setAx(prepared(), Cr0.pg | Cr0.pe);
  run(c, toCr(0));
  assertEquals(c.state.get(Layout.cr0), Cr0.pg | Cr0.pe | Cr0.et);
  assertEquals(c.effects.includes("flushTlb all"), true);
});

Deno.test("MOV CR3 keeps global translations, CR4.PGE changes drop all", () => {
  const c = setAx(prepared(), 0x12000);
  run(c, toCr(3));
  assertEquals([c.state.get(Layout.cr3), c.effects], [0x12000, ["flushTlb"]]);
  const d = setAx(prepared(), Cr4.pge);
  run(d, toCr(4));
  assertEquals([d.state.get(Layout.cr4), d.effects], [Cr4.pge, ["flushTlb all"]]);
});

Deno.test("MOV CR4 refuses VME, PVI, MCE and what the model lacks; a 486 has no CR4", () => {
  for (const bit of [Cr4.vme, Cr4.pvi, Cr4.mce, 0x800]) {
    const c = of(MODELS.pentium4);
    expectFault(setAx(c, bit), toCr(4), Vector.gp, 0);
  }
  expectFault(setAx(of(MODELS.pentium), Cr4.pae), toCr(4), Vector.gp, 0);
  expectFault(of(MODELS["486"]), toCr(4), Vector.ud, -1);
});

Deno.test("LMSW sets PE and cannot clear it; CLTS", () => {
  const c = setAx(prepared(), Cr0.ts);
  run(c, [0x0f, 0x01, 0xf0]);
  assertEquals(c.state.get(Layout.cr0) & 15, Cr0.pe | Cr0.ts);
  run(c, [0x0f, 0x06]);
  assertEquals(c.state.get(Layout.cr0) & 15, Cr0.pe);
  expectFault(prepared(3), [0x0f, 0x06], Vector.gp, 0);
});

Deno.test("LGDT takes 24 or 32 bits of base; SGDT stores what was loaded", () => {
  const c = prepared();
  c.mem.write16(0x6000, 0x77);
  c.mem.write32(0x6002, 0x12345678);
  run(c, [0x66, 0x0f, 0x01, 0x15, 0, 0x60, 0, 0]);
  assertEquals([c.state.get(Layout.gdtBase), c.state.get(Layout.gdtLimit)], [0x345678, 0x77]);
  run(c, [0x0f, 0x01, 0x15, 0, 0x60, 0, 0]);
  run(c, [0x0f, 0x01, 0x05, 0, 0x70, 0, 0]);
  assertEquals([c.mem.read16(0x7000), c.mem.read32(0x7002)], [0x77, 0x12345678]);
  expectFault(prepared(3), [0x0f, 0x01, 0x15, 0, 0x60, 0, 0], Vector.gp, 0);
});

Deno.test("debug registers: reserved bits, aliases, CR4.DE and general detect", () => {
  const c = setAx(prepared(), -1);
  run(c, [0x0f, 0x23, 0xf8]); // mov dr7, eax
  assertEquals(c.state.get(Layout.dr7) >>> 0, 0xffff27ff);
  assertEquals(c.effects, ["debugChanged"]);
  expectFault(c, [0x0f, 0x21, 0xf8], Vector.db, -1, "GD");
  assertEquals(c.state.get(Layout.pendingDebug), Dr6.bd);
  c.state.set(Layout.dr7, 0x400 & ~Dr7.gd);
  run(setAx(c, 0), [0x0f, 0x23, 0xe0]); // mov dr4, eax is DR6
  assertEquals(c.state.get(Layout.dr6) >>> 0, 0xffff0ff0);
  c.state.set(Layout.cr4, Cr4.de);
  expectFault(c, [0x0f, 0x23, 0xe0], Vector.ud, -1, "DE");
  expectFault(prepared(3), [0x0f, 0x23, 0xf8], Vector.gp, 0);
});

Deno.test("POPF: IOPL needs CPL 0, IF needs IOPL; old models keep AC and ID clear", () => {
  const pop = (c: FakeContext, iopl: number): number => {
    c.state.set(Layout.eflags, 2 | (iopl << 12));
    c.mem.write32(At.stack, Flag.if | Flag.iopl | Flag.ac | Flag.id | Flag.vm | Flag.rf);
    run(c, [0x9d]);
    return readEflags(c.state);
  };
  assertEquals(pop(prepared(), 0), 2 | Flag.if | Flag.iopl | Flag.ac | Flag.id);
  assertEquals(pop(prepared(3), 0), 2 | Flag.ac | Flag.id);
  assertEquals(pop(prepared(3), 3), 2 | Flag.if | Flag.iopl | Flag.ac | Flag.id);
  assertEquals(pop(of(MODELS["386"]), 0), 2 | Flag.if | Flag.iopl);
});

Deno.test("STI opens a shadow only when IF was clear; CLI and STI need IOPL; HLT needs CPL 0", () => {
  const c = prepared();
  run(c, [0xfb]);
  assertEquals([readEflags(c.state), c.state.get(Layout.shadow), c.effects], [2 | Flag.if, 1, ["attention"]]);
  c.state.set(Layout.shadow, 0);
  run(c, [0xfb]);
  assertEquals(c.state.get(Layout.shadow), 0);
  const quiet = prepared();
  quiet.interruptDue = false;
  quiet.state.set(Layout.count, 1);
  run(quiet, [0xfb]);
  assertEquals([readEflags(quiet.state), quiet.state.get(Layout.shadow), quiet.effects], [2 | Flag.if, 0, []]);
  run(c, [0xfa]);
  assertEquals(readEflags(c.state), 2);
  run(c, [0xf4]);
  assertEquals(c.state.get(Layout.halted), 1);
  for (const bytes of [[0xfa], [0xfb], [0xf4]]) expectFault(prepared(3), bytes, Vector.gp, 0);
});

Deno.test("time-stamp counter: virtual time plus what WRMSR set, CR4.TSD", () => {
  const c = prepared();
  c.bus.time = 0x1_0000_0005;
  run(c, [0x0f, 0x31]);
  assertEquals([c.state.reg32(Reg.eax), c.state.reg32(Reg.edx)], [5, 1]);
  c.state.setReg32(Reg.ecx, Msr.tsc);
  c.state.setReg32(Reg.eax, 3);
  c.state.setReg32(Reg.edx, 0);
  run(c, [0x0f, 0x30]);
  c.bus.time += 10;
  run(c, [0x0f, 0x31]);
  assertEquals([c.state.reg32(Reg.eax), c.state.reg32(Reg.edx)], [13, 0]);
  const user = prepared(3);
  run(user, [0x0f, 0x31]);
  user.state.set(Layout.cr4, Cr4.tsd);
  expectFault(user, [0x0f, 0x31], Vector.gp, 0);
});

Deno.test("RDMSR and WRMSR refuse what is not there; NXE only with NX", () => {
  const c = of(MODELS.pentium3);
  for (const n of [Msr.efer, 0x277, 0x2ff, 0x179]) {
    c.state.setReg32(Reg.ecx, n);
    expectFault(c, [0x0f, 0x32], Vector.gp, 0, n.toString(16));
    expectFault(c, [0x0f, 0x30], Vector.gp, 0, n.toString(16));
  }
  c.state.setReg32(Reg.ecx, 0x1a0); // fast strings can only be on
  expectFault(setAx(c, 0), [0x0f, 0x30], Vector.gp, 0);
  run(c, [0x0f, 0x32]);
  assertEquals(c.state.reg32(Reg.eax), 1);
  run(c, [0x0f, 0x30]);
  const d = of(MODELS.pentium4);
  d.state.setReg32(Reg.ecx, Msr.efer);
  expectFault(setAx(d, 0x100), [0x0f, 0x30], Vector.gp, 0);
  run(setAx(d, 0x800), [0x0f, 0x30]);
  assertEquals(d.state.get(Layout.efer), 0x800);
  expectFault(prepared(3), [0x0f, 0x32], Vector.gp, 0);
});

Deno.test("CPUID claims no APIC, MTRR, PAT, MCE, PSE-36, and gives vendor and brand", () => {
  const c = setAx(of(MODELS.pentium4), 1);
  run(c, [0x0f, 0xa2]);
  const absent = (1 << 1) | (1 << 7) | (1 << 9) | (1 << 12) | (1 << 14) | (1 << 16) | (1 << 17);
  assertEquals([c.state.reg32(Reg.edx) & absent, c.state.reg32(Reg.eax)], [0, 0xf29]);
  run(setAx(c, 0), [0x0f, 0xa2]);
  assertEquals(c.state.reg32(Reg.ebx), 0x756e6547); // "Genu"
  run(setAx(c, 0x80000000 | 0), [0x0f, 0xa2]);
  assertEquals(c.state.reg32(Reg.eax) >>> 0, 0x80000004);
});

Deno.test("the I/O permission bitmap decides above IOPL, with all bits of the width", () => {
  const port = (value: number, bytes: number[], change?: (c: FakeContext) => void): number => {
    const c = prepared(3);
    c.mem.sysWrite16(At.tss + 0x66, 0x68);
    c.mem.sysWrite8(At.tss + 0x68 + 2, 0x04); // port 0x12
    c.state.setReg32(Reg.edx, value);
    change?.(c);
    return c.faultOf(() => run(c, bytes));
  };
  const IN8 = [0xec], IN32 = [0xed];
  assertEquals([port(0x11, IN8), port(0x12, IN8), port(0x0f, IN32), port(0x11, IN32)], [-1, 13, 13, 13]);
  assertEquals(port(0x0e, IN32), -1);
  assertEquals(port(0x12, IN8, (c) => c.state.set(Layout.eflags, 2 | Flag.iopl)), -1);
  assertEquals(port(0xf8, IN8), 13, "the byte behind the map lies beyond the limit");
  assertEquals(port(0x11, IN8, (c) => c.state.setSeg(7, Seg.limit, 0x60)), 13);
});

Deno.test("REP INS does one iteration per execution and stays until ECX is zero", () => {
  const c = prepared();
  c.bus.ports.set(0x60, 0x5a);
  c.state.setReg32(Reg.edx, 0x60);
  c.state.setReg32(Reg.edi, 0x6000);
  c.state.setReg32(Reg.ecx, 2);
  run(c, [0xf3, 0x6c]);
  assertEquals([c.state.get(Layout.eip), c.state.reg32(Reg.ecx), c.state.reg32(Reg.edi)], [0x1000, 1, 0x6001]);
  run(c, [0xf3, 0x6c]);
  assertEquals([c.state.get(Layout.eip), c.state.reg32(Reg.ecx), c.mem.read16(0x6000)], [0x1002, 0, 0x5a5a]);
  c.state.setReg32(Reg.ecx, 1);
  c.mem.readOnly.add(6);
  expectFault(c, [0xf3, 0x6c], Vector.pf, 3);
});

Deno.test("SYSENTER and SYSEXIT use flat segments after the MSR and refuse a null one", () => {
  const c = prepared(3);
  expectFault(c, [0x0f, 0x34], Vector.gp, 0);
  c.state.set(Layout.sysenterCs, Sel.code0);
  c.state.set(Layout.sysenterEsp, 0xa000);
  c.state.set(Layout.sysenterEip, 0xb000);
  c.state.set(Layout.eflags, 2 | Flag.if);
  run(c, [0x0f, 0x34]);
  assertEquals([selector(c, 1), selector(c, 2), c.state.get(Layout.cpl), c.state.get(Layout.eip)], [8, 16, 0, 0xb000]);
  assertEquals([c.state.reg32(Reg.esp), readEflags(c.state)], [0xa000, 2]);
  c.state.setReg32(Reg.edx, 0x1111);
  c.state.setReg32(Reg.ecx, 0x2222);
  run(c, [0x0f, 0x35]);
  assertEquals([selector(c, 1), selector(c, 2), c.state.get(Layout.cpl)], [0x1b, 0x23, 3]);
  assertEquals([c.state.get(Layout.eip), c.state.reg32(Reg.esp)], [0x1111, 0x2222]);
  expectFault(c, [0x0f, 0x35], Vector.gp, 0);
});

Deno.test("WAIT: #NM with MP and TS, #MF with a pending error; UD2; VMCALL without a listener", () => {
  const c = prepared();
  run(c, [0x9b]);
  c.state.set(Layout.fsw, 0x81);
  expectFault(c, [0x9b], Vector.mf, -1);
  c.state.set(Layout.cr0, Cr0.pe | Cr0.mp | Cr0.ts | Cr0.ne);
  expectFault(c, [0x9b], Vector.nm, -1);
  expectFault(c, [0x0f, 0x0b], Vector.ud, -1);
  expectFault(c, [0x0f, 0x01, 0xc1], Vector.ud, -1);
  c.answersHypercalls = true;
  run(c, [0x0f, 0x01, 0xc1]);
});

Deno.test("BOUND compares signed and is a fault", () => {
  const c = prepared();
  c.mem.write32(0x6000, -5);
  c.mem.write32(0x6004, 5);
  run(setAx(c, -5), [0x62, 0x05, 0, 0x60, 0, 0]);
  expectFault(setAx(c, 6), [0x62, 0x05, 0, 0x60, 0, 0], Vector.br, -1);
});

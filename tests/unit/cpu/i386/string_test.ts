/**
 * String instructions: repetition, direction, segments, sizes, conditions, and faults in the middle.
 */
import { Flag, Reg, Vector } from "../../../../lib/spec/i386_regs.ts";
import { arithmetic } from "../../../../lib/cpu/i386/flags.ts";
import { Layout } from "../../../../lib/cpu/i386/state.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { FakeContext } from "./fake_context.ts";
import { step, stepAll } from "./step.ts";

function prepared(esi: number, edi: number, ecx: number): FakeContext {
  const c = new FakeContext();
  for (let i = 0; i < 256; i++) c.mem.bytes[0x2000 + i] = i;
  c.state.set(Layout.eip, 0x1000);
  c.state.setReg32(Reg.esi, esi);
  c.state.setReg32(Reg.edi, edi);
  c.state.setReg32(Reg.ecx, ecx);
  return c;
}

function indices(c: FakeContext): number[] {
  return [Reg.esi, Reg.edi, Reg.ecx].map((n) => c.state.reg32(n) >>> 0);
}

Deno.test("REP MOVS does one iteration per execution and ends when the count is used up", () => {
  const c = prepared(0x2000, 0x3000, 3);
  step(c, [0xf3, 0xa5]);
  assertEquals([...indices(c), c.state.get(Layout.eip)], [0x2004, 0x3004, 2, 0x1000]);
  assertEquals(stepAll(c, [0xf3, 0xa5]), 2);
  assertEquals([...indices(c), c.state.get(Layout.eip)], [0x200c, 0x300c, 0, 0x1002]);
  assertEquals(c.mem.bytes.slice(0x3000, 0x300d), Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0));
  assertEquals(stepAll(c, [0xf3, 0xa5]), 1);
  assertEquals(indices(c), [0x200c, 0x300c, 0]);
});

Deno.test("DF runs backwards at every size", () => {
  for (const [bytes, size] of [[[0xa4], 1], [[0x66, 0xa5], 2], [[0xa5], 4]] as const) {
    const c = prepared(0x2010, 0x3010, 0);
    step(c, [0xfd]);
    assertEquals(c.state.get(Layout.eflags) & Flag.df, Flag.df);
    step(c, bytes);
    assertEquals(indices(c), [0x2010 - size, 0x3010 - size, 0]);
    step(c, [0xfc]);
    step(c, bytes);
    assertEquals(indices(c), [0x2010, 0x3010, 0]);
  }
});

Deno.test("16-bit addresses wrap SI, DI and CX alone", () => {
  const c = prepared(0x7ffff, 0x5ffff, 0x90001);
  c.mem.bytes[0xffff] = 0x42;
  stepAll(c, [0xf3, 0x67, 0xa4]);
  assertEquals(indices(c), [0x70000, 0x50000, 0x90000]);
});

Deno.test("REPE CMPS and REPNE SCAS stop at the condition with its flags", () => {
  const c = prepared(0x2000, 0x3000, 10);
  for (let i = 0; i < 10; i++) c.mem.bytes[0x3000 + i] = i === 4 ? 0x99 : i;
  assertEquals(stepAll(c, [0xf3, 0xa6]), 5);
  assertEquals(indices(c), [0x2005, 0x3005, 5]);
  assertEquals(arithmetic(c.state) & (Flag.zf | Flag.cf), Flag.cf); // 4 - 0x99
  const d = prepared(0, 0x2000, 100);
  d.state.setReg8(0, 7);
  assertEquals(stepAll(d, [0xf2, 0xae]), 8);
  assertEquals(indices(d), [0, 0x2008, 92]);
  assertEquals(arithmetic(d.state) & Flag.zf, Flag.zf);
  const e = prepared(0x2000, 0x2000, 4);
  assertEquals(stepAll(e, [0xf3, 0xa7]), 4);
  assertEquals(indices(e), [0x2010, 0x2010, 0]);
});

Deno.test("a count of 0 changes neither flags nor indices", () => {
  const c = prepared(0x2000, 0x2001, 0);
  step(c, [0xf9]);
  for (const bytes of [[0xf3, 0xa6], [0xf2, 0xae], [0xf3, 0xac], [0xf3, 0xaa]]) stepAll(c, bytes);
  assertEquals([...indices(c), arithmetic(c.state), c.state.reg32(0)], [0x2000, 0x2001, 0, 1, 0]);
});

Deno.test("STOS and LODS use the accumulator at the operand size", () => {
  const c = prepared(0x2010, 0x3000, 2);
  c.state.setReg32(0, 0x12345678);
  stepAll(c, [0xf3, 0x66, 0xab]);
  assertEquals([c.mem.read32(0x3000), c.mem.read32(0x3004)], [0x56785678, 0]);
  step(c, [0xac]);
  assertEquals(c.state.reg32(0), 0x12345610);
  step(c, [0xad]);
  assertEquals(c.state.reg32(0), 0x14131211);
});

Deno.test("the source segment can be overridden, the destination is ES", () => {
  const c = prepared(0x10, 0x20, 0);
  c.segment(0, 16, 0x4000, 0xffff, true);
  c.segment(4, 16, 0x2000, 0xffff, true);
  step(c, [0x64, 0xa4]);
  assertEquals(c.mem.bytes[0x4020], 0x10);
});

Deno.test("a fault in the middle leaves the iterations done and the registers exact", () => {
  const c = prepared(0x2000, 0x3ff8, 10);
  c.mem.absent.add(4);
  let n = 0;
  const vector = c.faultOf(() => {
    for (; n < 20; n++) step(c, [0xf3, 0xa5]);
  });
  assertEquals([vector, n, c.state.get(Layout.eip)], [Vector.pf, 2, 0x1000]);
  assertEquals(indices(c), [0x2008, 0x4000, 8]);
  assertEquals([c.state.get(Layout.faultLinear), c.state.get(Layout.faultCode)], [0x4000, 2]);
  const d = prepared(0x2000, 0x3000, 1);
  d.segment(0, 16, 0, 0x2fff, true);
  assertEquals(d.faultOf(() => step(d, [0xf3, 0xa4])), Vector.gp);
  assertEquals(indices(d), [0x2000, 0x3000, 1]);
});

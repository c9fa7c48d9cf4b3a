/** Control instructions, pending errors, image formats. */
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { Cr0, Vector } from "../../../../../lib/spec/i386_regs.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { setControlWord, setStatusWord, statusWord, tagWord } from "../../../../../lib/cpu/i386/x87/stack.ts";
import { FakeContext } from "../fake_context.ts";
import { execute, load, show } from "./x87_fixture.ts";

function words(c: FakeContext, at: number, count: number, bytes: 2 | 4): string[] {
  return Array.from({ length: count }, (_, n) => {
    const value = bytes === 4 ? c.mem.read32(at + 4 * n) >>> 0 : c.mem.read16(at + 2 * n);
    return value.toString(16);
  });
}

/** A context whose last instruction was FADD m32 at CS:00123456 with operand DS:00054320. */
function afterAdd(): FakeContext {
  const c = new FakeContext();
  load(c, 0x3fff, 1n << 63n);
  c.state.set(Layout.eip, 0x123456);
  execute(c, "fadd_m32", { at: 0x54320 });
  return c;
}

Deno.test("x87 without permission: EM or TS give #NM, FWAIT looks at MP and TS", () => {
  const c = new FakeContext();
  for (const bit of [Cr0.em, Cr0.ts]) {
    c.state.set(Layout.cr0, Cr0.pe | bit);
    for (const sem of ["fld1", "fninit", "fnstcw", "fnstsw_ax", "fldcw", "fneni"]) {
      assertEquals(c.faultOf(() => execute(c, sem)), Vector.nm, sem);
    }
    assertEquals(c.faultOf(() => execute(c, "fwait")), -1);
  }
  c.state.set(Layout.cr0, Cr0.pe | Cr0.ts | Cr0.mp);
  assertEquals(c.faultOf(() => execute(c, "fwait")), Vector.nm);
});

Deno.test("pending error: waiting instructions give #MF and change nothing, the others execute", () => {
  const c = new FakeContext();
  setControlWord(c.state.i32, 0x37e);
  execute(c, "fchs"); // stack underflow, not masked
  assertEquals(statusWord(c.state.i32), 0x80c1);
  for (const sem of ["fld1", "fwait", "fldcw", "fnop", "fst_m64", "frstor"]) {
    assertEquals(c.faultOf(() => execute(c, sem)), Vector.mf, sem);
  }
  assertEquals(tagWord(c.state.i32), 0xffff);
  for (const sem of ["fnstsw_ax", "fnstcw", "fneni"]) assertEquals(c.faultOf(() => execute(c, sem)), -1, sem);
  assertEquals(c.state.reg16(0), 0x80c1);
  execute(c, "fnclex");
  assertEquals(statusWord(c.state.i32), 0);
  assertEquals(c.faultOf(() => execute(c, "fld1")), -1);
});

Deno.test("pending error with CR0.NE clear: FERR# until it is answered, then the instruction goes on", () => {
  const c = new FakeContext();
  c.state.set(Layout.cr0, Cr0.pe);
  c.state.set(Layout.eip, 0x500);
  setControlWord(c.state.i32, 0x37e);
  execute(c, "fchs");
  let ignored = false;
  Object.assign(c.bus, { ferr: () => ignored });
  c.nextEip = 0x502;
  execute(c, "fld1");
  assertEquals([c.nextEip, tagWord(c.state.i32), c.effects], [0x500, 0xffff, ["attention"]]);
  ignored = true;
  c.nextEip = 0x502;
  execute(c, "fld1");
  assertEquals([c.nextEip, tagWord(c.state.i32)], [0x502, 0x3fff]);
});

Deno.test("FLDCW: unmasking a recorded error makes it pending, masking it takes the summary away", () => {
  const c = new FakeContext();
  setStatusWord(c.state.i32, 0x0004);
  c.mem.write16(0x2000, 0x37b);
  execute(c, "fldcw");
  assertEquals(statusWord(c.state.i32), 0x8084);
  setControlWord(c.state.i32, 0xffff);
  assertEquals([statusWord(c.state.i32), c.state.get(Layout.fcw)], [4, 0x1f7f]);
});

Deno.test("FNSTENV: 32-bit protected format; masks all exceptions", () => {
  const c = afterAdd();
  c.state.i32[Layout.fcw >>> 2] = 0x340;
  execute(c, "fnstenv", { at: 0x3000 });
  assertEquals(words(c, 0x3000, 7, 4), [
    "ffff0340",
    "ffff3800",
    "ffff3fff",
    "123456",
    "60008",
    "54320",
    "ffff0010",
  ]);
  assertEquals(c.state.get(Layout.fcw), 0x37f);
});

Deno.test("FNSTENV: 16-bit protected, 32-bit real and 16-bit real formats", () => {
  const c = afterAdd();
  execute(c, "fnstenv", { at: 0x3000, opSize: 16 });
  assertEquals(words(c, 0x3000, 7, 2), ["37f", "3800", "3fff", "3456", "8", "4320", "10"]);
  c.state.set(Layout.cr0, 0);
  execute(c, "fnstenv", { at: 0x3000 });
  // Linear: 0x123456 + 0x80 and 0x54320 + 0x100.
  assertEquals(words(c, 0x3000, 7, 4), [
    "ffff037f",
    "ffff3800",
    "ffff3fff",
    "ffff34d6",
    "12006",
    "ffff4420",
    "5000",
  ]);
  execute(c, "fnstenv", { at: 0x3000, opSize: 16 });
  assertEquals(words(c, 0x3000, 7, 2), ["37f", "3800", "3fff", "34d6", "2006", "4420", "5000"]);
});

Deno.test("FLDENV: takes back what FNSTENV stored, in every format", () => {
  for (const [real, opSize] of [[false, 32], [false, 16], [true, 32], [true, 16]] as const) {
    const c = afterAdd();
    if (real) c.state.set(Layout.cr0, 0);
    execute(c, "fnstenv", { at: 0x3000, opSize });
    const image = words(c, 0x3000, 7, opSize === 32 ? 4 : 2);
    execute(c, "fninit");
    assertEquals([statusWord(c.state.i32), tagWord(c.state.i32), c.state.get(Layout.fip)], [0, 0xffff, 0]);
    execute(c, "fldenv", { at: 0x3000, opSize });
    if (opSize === 16 && !real) assertEquals(c.state.get(Layout.fop), 0);
    execute(c, "fnstenv", { at: 0x3000, opSize });
    assertEquals(words(c, 0x3000, 7, opSize === 32 ? 4 : 2), image);
  }
});

Deno.test("FNSAVE and FRSTOR: registers in stack order, FINIT after the save", () => {
  for (const opSize of [16, 32] as const) {
    const c = new FakeContext();
    load(c, 0x3fff, 1n << 63n);
    load(c, 0xc000, 3n << 62n);
    execute(c, "fnsave", { at: 0x3000, opSize });
    const size = opSize === 32 ? 28 : 14;
    assertEquals(words(c, 0x3000 + size, 10, 2), ["0", "0", "0", "c000", "c000", "0", "0", "0", "8000", "3fff"]);
    assertEquals([statusWord(c.state.i32), tagWord(c.state.i32)], [0, 0xffff]);
    execute(c, "frstor", { at: 0x3000, opSize });
    assertEquals([show(c, 0), show(c, 1)], ["c000:c000000000000000", "3fff:8000000000000000"]);
    assertEquals([statusWord(c.state.i32), tagWord(c.state.i32)], [0x3000, 0x0fff]);
  }
});

Deno.test("FNSAVE, FNSTENV, FRSTOR, FLDENV: a page fault in the last bytes changes nothing", () => {
  const c = new FakeContext();
  load(c, 0x3fff, 1n << 63n);
  c.mem.absent.add(4);
  const before = c.state.u8.slice(Layout.fpr, Layout.mxcsr);
  c.mem.writes = [];
  for (const sem of ["fnsave", "fnstenv", "frstor", "fldenv"]) {
    assertEquals(c.faultOf(() => execute(c, sem, { at: 0x4000 - 20 })), Vector.pf, sem);
    assertEquals(c.state.u8.slice(Layout.fpr, Layout.mxcsr), before, sem);
  }
  assertEquals(c.mem.writes, []);
});

/** Loads, stores and stack faults. */
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { Vector } from "../../../../../lib/spec/i386_regs.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { setControlWord, statusWord, tagWord } from "../../../../../lib/cpu/i386/x87/stack.ts";
import { FakeContext } from "../fake_context.ts";
import { execute, load, show } from "./x87_fixture.ts";

const STORES = "fst_m32 fstp_m32 fst_m64 fstp_m64 fstp_m80 fist_i16 fistp_i16 fist_i32 fistp_i32 fistp_i64 fbstp";

Deno.test("stores: a page fault at the first or the last byte leaves stack, status, pointers and memory", () => {
  for (const sem of STORES.split(" ")) {
    for (const at of [0x4000 - 1, 0x4000]) {
      const c = new FakeContext();
      load(c, 0x3fff, 0xc000000000000001n); // inexact in all formats
      c.mem.readOnly.add(4);
      const before = c.state.u8.slice(Layout.fpr, Layout.mxcsr);
      assertEquals(c.faultOf(() => execute(c, sem, { at })), Vector.pf, sem);
      assertEquals(c.state.u8.slice(Layout.fpr, Layout.mxcsr), before, sem);
      assertEquals(c.mem.writes, [], sem);
    }
  }
});

Deno.test("loads: a page fault leaves everything", () => {
  for (const sem of "fld_m32 fld_m64 fld_m80 fild_i16 fild_i32 fild_i64 fbld fadd_m32 fcom_m64 fdiv_i16".split(" ")) {
    const c = new FakeContext();
    load(c, 0x3fff, 1n << 63n);
    c.mem.absent.add(4);
    const before = c.state.u8.slice(Layout.fpr, Layout.mxcsr);
    assertEquals(c.faultOf(() => execute(c, sem, { at: 0x4000 - 1 })), Vector.pf, sem);
    assertEquals(c.state.u8.slice(Layout.fpr, Layout.mxcsr), before, sem);
  }
});

Deno.test("stack overflow and underflow: C1 tells which; unmasked they change nothing", () => {
  const c = new FakeContext();
  for (let n = 0; n < 8; n++) execute(c, "fld1");
  assertEquals(tagWord(c.state.i32), 0);
  execute(c, "fldz");
  assertEquals([show(c, 0), statusWord(c.state.i32)], ["ffff:c000000000000000", 0x3a41]);
  execute(c, "fninit");
  execute(c, "fst_m64", { at: 0x2000 });
  assertEquals([c.mem.read32(0x2004) >>> 0, statusWord(c.state.i32)], [0xfff80000, 0x41]);
  setControlWord(c.state.i32, 0x37e);
  execute(c, "fnclex");
  c.mem.write32(0x2004, 1);
  execute(c, "fstp_m64", { at: 0x2000 });
  assertEquals([c.mem.read32(0x2004), statusWord(c.state.i32)], [1, 0x80c1]);
});

Deno.test("constants follow the rounding control", () => {
  const names = ["fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2"];
  const lastDigits = [0, 0x400, 0x800, 0xc00].map((rc) => {
    const c = new FakeContext();
    setControlWord(c.state.i32, 0x37f | rc);
    return names.map((sem) => (execute(c, sem), show(c, 0).slice(-2))).join(" ");
  });
  assertEquals(lastDigits, ["fe bc 35 99 ac", "fe bb 34 98 ab", "ff bc 35 99 ac", "fe bb 34 98 ab"]);
});

Deno.test("last instruction and operand pointers: set by non-control instructions, kept by control instructions", () => {
  const c = new FakeContext();
  c.state.set(Layout.eip, 0x1111);
  execute(c, "fld_m32", { at: 0x2220 });
  const pointers = () =>
    [Layout.fop, Layout.fip, Layout.fcs, Layout.fdp, Layout.fds].map((field) => c.state.get(field));
  assertEquals(pointers(), [0x106, 0x1111, 8, 0x2220, 16]);
  c.state.set(Layout.eip, 0x3333);
  for (const sem of ["fldcw", "fnstcw", "fnstsw_ax", "fnclex", "fwait"]) execute(c, sem, { at: 0x5000 });
  assertEquals(pointers(), [0x106, 0x1111, 8, 0x2220, 16]);
  execute(c, "fnclex");
  execute(c, "fchs");
  assertEquals(pointers(), [0x1e0, 0x3333, 8, 0x2220, 16]);
});

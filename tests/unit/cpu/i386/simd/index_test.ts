import { SIMD_FNS } from "../../../../../lib/cpu/i386/simd/index.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { SIMD_ROWS } from "../../../../../lib/spec/i386_ops_simd.ts";
import { Cr0, Cr4, Vector } from "../../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { bits, execute, getXmm, setXmm, sseContext } from "./harness.ts";

Deno.test("SIMD_FNS: every row has a function and every function a row", () => {
  const sems = new Set(SIMD_ROWS.map((row) => row.sem));
  assertEquals([...sems].filter((sem) => SIMD_FNS[sem] === undefined), []);
  assertEquals(Object.keys(SIMD_FNS).filter((sem) => !sems.has(sem)), []);
});

Deno.test("SIMD_ROWS: no two rows share an encoding", () => {
  const seen = new Map<string, string>();
  for (const row of SIMD_ROWS) {
    for (const mod of row.mod === undefined ? ["reg", "mem"] : [row.mod]) {
      const key = `${row.opcode} ${row.prefix} ${row.digit} ${mod}`;
      assertEquals(seen.get(key), undefined, `${row.mnemonic} and ${seen.get(key)}`);
      seen.set(key, row.mnemonic);
    }
  }
});

const NO_SSE = /^(fxsave|fxrstor|fence|pause|clflush|movnti|emms|.*\.mmx|.*\.mmx\.(load|store)|maskmovq)$/;

Deno.test("SSE instructions: #UD without CR4.OSFXSR or with CR0.EM, #NM with CR0.TS", () => {
  for (const sem of Object.keys(SIMD_FNS).filter((name) => !NO_SSE.test(name))) {
    const c = sseContext();
    c.state.set(Layout.cr4, 0);
    assertEquals(execute(c, sem, { at: 0x100 }), Vector.ud, `${sem} without OSFXSR`);
    c.state.set(Layout.cr4, Cr4.osfxsr);
    c.state.set(Layout.cr0, c.state.get(Layout.cr0) | Cr0.ts);
    assertEquals(execute(c, sem, { at: 0x100 }), Vector.nm, `${sem} with TS`);
    c.state.set(Layout.cr0, c.state.get(Layout.cr0) | Cr0.em);
    assertEquals(execute(c, sem, { at: 0x100 }), Vector.ud, `${sem} with EM`);
  }
});

Deno.test("MMX instructions: #UD with CR0.EM, #NM with CR0.TS, #MF with an x87 error, whatever CR4.OSFXSR", () => {
  for (const sem of Object.keys(SIMD_FNS).filter((name) => /\.mmx(\.|$)/.test(name) || name === "emms")) {
    const c = sseContext();
    c.state.set(Layout.cr4, 0);
    c.state.set(Layout.fsw, 0x8081);
    assertEquals(execute(c, sem, { at: 0x100 }), Vector.mf, `${sem} with ES`);
    c.state.set(Layout.cr0, c.state.get(Layout.cr0) | Cr0.ts);
    assertEquals(execute(c, sem, { at: 0x100 }), Vector.nm, `${sem} with TS`);
    c.state.set(Layout.cr0, c.state.get(Layout.cr0) | Cr0.em);
    assertEquals(execute(c, sem, { at: 0x100 }), Vector.ud, `${sem} with EM`);
    c.state.set(Layout.cr0, Cr0.pe | Cr0.ne);
    c.state.set(Layout.fsw, 0);
    assertEquals(execute(c, sem, { at: 0x100 }), -1, `${sem} without OSFXSR`);
  }
});

Deno.test("PADDB on MMX: sets TOP to 0, marks registers valid, fills the exponent", () => {
  const c = sseContext(), s = c.state;
  s.set(Layout.ftop, 5);
  s.set(Layout.fempty, 0xff);
  s.set(Layout.fpr, 0x01020304);
  s.set(Layout.fpr + 16, 0x010101ff);
  assertEquals(execute(c, "paddb.mmx", { reg: 0, rm: 1 }), -1);
  assertEquals(s.get(Layout.fpr), 0x02030403);
  assertEquals([s.get(Layout.ftop), s.get(Layout.fempty), s.get(Layout.fpr + 8)], [0, 0, 0xffff]);
  assertEquals(execute(c, "emms"), -1);
  assertEquals(s.get(Layout.fempty), 0xff);
});

Deno.test("PADDB on MMX: a page fault leaves the x87 state as it was", () => {
  const c = sseContext(), s = c.state;
  s.set(Layout.ftop, 5);
  c.mem.absent.add(3);
  assertEquals(execute(c, "paddb.mmx", { reg: 0, at: 0x3000 }), Vector.pf);
  assertEquals([s.get(Layout.ftop), s.get(Layout.fempty)], [5, 0xff]);
});

Deno.test("MOVAPS: #GP(0) unless aligned; MOVUPS across an absent page writes nothing", () => {
  const c = sseContext();
  assertEquals(execute(c, "mova.load", { at: 0x1008 }), Vector.gp);
  assertEquals(execute(c, "mova.store", { at: 0x1001 }), Vector.gp);
  c.mem.absent.add(2);
  setXmm(c, 0, 1, 2, 3, 4);
  assertEquals(execute(c, "movu.store", { at: 0x1ff8 }), Vector.pf);
  assertEquals(c.mem.writes, []);
  assertEquals(execute(c, "movu.store", { at: 0x1ff0 }), -1);
  assertEquals(c.mem.bytes.slice(0x1ff0, 0x1ffd), Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4));
});

Deno.test("DIVPS by zero: masked gives infinity and ZE, unmasked #XM leaves the destination, #UD without OSXMMEXCPT", () => {
  const c = sseContext(), s = c.state;
  const one = bits(1);
  setXmm(c, 0, one, one, one, one);
  setXmm(c, 1, 0, bits(2), bits(3), bits(-4));
  assertEquals(execute(c, "divps", { reg: 0, rm: 1 }), -1);
  assertEquals(getXmm(c, 0), [0x7f800000, bits(0.5), bits(1 / 3), bits(-0.25)]);
  assertEquals(s.get(Layout.mxcsr), 0x1f80 | 4 | 0x20);
  s.set(Layout.mxcsr, 0x1d80);
  setXmm(c, 0, one, one, one, one);
  assertEquals(execute(c, "divps", { reg: 0, rm: 1 }), Vector.xm);
  assertEquals(getXmm(c, 0), [one, one, one, one]);
  assertEquals(s.get(Layout.mxcsr), 0x1d80 | 4, "no inexact from the other lanes");
  s.set(Layout.cr4, Cr4.osfxsr);
  assertEquals(execute(c, "divps", { reg: 0, rm: 1 }), Vector.ud);
});

Deno.test("ADDSS: directed rounding rounds to either side", () => {
  const c = sseContext();
  for (const [rc, expected] of [[0, 0x3f800000], [0x2000, 0x3f800000], [0x4000, 0x3f800001], [0x6000, 0x3f800000]]) {
    c.state.set(Layout.mxcsr, 0x1f80 | rc);
    setXmm(c, 0, bits(1), 0, 0, 0);
    setXmm(c, 1, bits(2 ** -60), 0, 0, 0);
    assertEquals(execute(c, "addss", { reg: 0, rm: 1 }), -1);
    assertEquals(getXmm(c, 0)[0], expected, `rounding control ${rc.toString(16)}`);
    assertEquals(c.state.get(Layout.mxcsr), 0x1f80 | rc | 0x20);
  }
});

Deno.test("RCPPS and RSQRTPS: relative error within 1.5 * 2^-12, no exception", () => {
  const c = sseContext();
  for (let i = 0; i < 4096; i++) {
    const x = bits((1 + i / 4096) * 2 ** ((i % 60) - 30));
    setXmm(c, 1, x, 0, 0x80000001, 0x7f800001);
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, x);
    for (
      const [sem, exact] of [["rcpps", 1 / view.getFloat32(0)], ["rsqrtps", 1 / Math.sqrt(view.getFloat32(0))]] as const
    ) {
      assertEquals(execute(c, sem, { reg: 0, rm: 1 }), -1);
      const [r, infinite, negative, nan] = getXmm(c, 0);
      view.setUint32(4, r);
      assertEquals(Math.abs(view.getFloat32(4) / exact - 1) <= 1.5 * 2 ** -12, true, `${sem} of ${x.toString(16)}`);
      assertEquals([infinite, negative, nan], [0x7f800000, 0xff800000, 0x7fc00001]);
    }
  }
  assertEquals(c.state.get(Layout.mxcsr), 0x1f80);
});

Deno.test("FXSAVE then FXRSTOR: gives back x87, MMX and SSE state", () => {
  const c = sseContext(), s = c.state;
  for (let i = 0; i < 32; i++) s.set(Layout.xmm + 4 * i, (i * 0x01010101) | 0);
  for (let i = 0; i < 8; i++) {
    s.set(Layout.fpr + 16 * i, i);
    s.set(Layout.fpr + 16 * i + 4, ~i);
    s.set(Layout.fpr + 16 * i + 8, 0x4000 + i);
  }
  s.set(Layout.ftop, 3);
  s.set(Layout.fempty, 0x5a);
  s.set(Layout.fsw, 0x4100);
  s.set(Layout.mxcsr, 0x9fc0);
  const before = s.u8.slice(Layout.fpr, Layout.xmm + 128);
  assertEquals(execute(c, "fxsave", { at: 0x2004 }), Vector.gp);
  assertEquals(execute(c, "fxsave", { at: 0x2000 }), -1);
  assertEquals(c.mem.bytes[0x2004], 0xa5);
  assertEquals(c.mem.bytes[0x2003] >> 3 & 7, 3);
  assertEquals(c.mem.bytes[0x2000 + 32], 3, "ST(0) is R3");
  s.u8.fill(0, Layout.fpr, Layout.xmm + 128);
  assertEquals(execute(c, "fxrstor", { at: 0x2000 }), -1);
  assertEquals(s.u8.slice(Layout.fpr, Layout.xmm + 128), before);
});

Deno.test("FXRSTOR and LDMXCSR: reserved bits of MXCSR are #GP(0) and change nothing", () => {
  const c = sseContext();
  assertEquals(execute(c, "fxsave", { at: 0x2000 }), -1);
  c.mem.bytes[0x2000 + 26] = 1;
  c.mem.bytes[0x2000] = 0;
  assertEquals(execute(c, "fxrstor", { at: 0x2000 }), Vector.gp);
  assertEquals(c.state.get(Layout.fcw), 0x37f);
  assertEquals(execute(c, "ldmxcsr", { at: 0x2000 + 24 }), Vector.gp);
  assertEquals(c.state.get(Layout.mxcsr), 0x1f80);
});

Deno.test("MASKMOVDQU: writes the chosen bytes only; a fault on one of them writes none", () => {
  const c = sseContext();
  c.state.setReg32(7, 0x1ffc);
  setXmm(c, 0, 0x44332211, 0x88776655, 0, 0);
  setXmm(c, 1, 0x80008000 | 0, 0x80, 0, 0);
  assertEquals(execute(c, "maskmovdqu", { reg: 0, rm: 1 }), -1);
  assertEquals(Array.from(c.mem.bytes.subarray(0x1ffc, 0x2002)), [0, 0x22, 0, 0x44, 0x55, 0]);
  c.mem.readOnly.add(2);
  c.mem.bytes.fill(0);
  assertEquals(execute(c, "maskmovdqu", { reg: 0, rm: 1 }), Vector.pf);
  assertEquals(Array.from(c.mem.bytes.subarray(0x1ffc, 0x2002)), [0, 0, 0, 0, 0, 0]);
});

Deno.test("COMISS: unordered sets ZF PF CF; the quiet NaN is invalid for COMISS only", () => {
  const c = sseContext(), s = c.state;
  setXmm(c, 0, 0x7fc00000, 0, 0, 0);
  setXmm(c, 1, bits(1), 0, 0, 0);
  assertEquals(execute(c, "ucomiss", { reg: 0, rm: 1 }), -1);
  assertEquals([s.get(Layout.flagsKind), s.get(Layout.flagsA), s.get(Layout.mxcsr)], [0, 0x45, 0x1f80]);
  assertEquals(execute(c, "comiss", { reg: 0, rm: 1 }), -1);
  assertEquals(s.get(Layout.mxcsr), 0x1f81);
});

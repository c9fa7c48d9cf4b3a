/**
 * One system instruction at a time on a {@linkcode FakeContext} with a GDT, an IDT and two task state segments.
 */
import { decode, Decoded, DecodeStatus } from "../../../../../lib/cpu/i386/decode.ts";
import { evaluate } from "../../../../../lib/cpu/i386/evaluate.ts";
import { readEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { FNS } from "../../../../../lib/cpu/i386/functions.ts";
import { opcodeIndex } from "../../../../../lib/cpu/i386/opcode_index.ts";
import { Operation } from "../../../../../lib/cpu/i386/operation.ts";
import { setCache, setNull } from "../../../../../lib/cpu/i386/segment.ts";
import { Layout, ModeBit, Seg } from "../../../../../lib/cpu/i386/state.ts";
import { treeFor } from "../../../../../lib/cpu/i386/trees.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { FAKE_MODEL, FakeContext } from "../fake_context.ts";

/** Where the tables lie. */
export const At = { gdt: 0x2000, idt: 0x3000, tss: 0x4000, tss2: 0x5000, inner: 0x9000, stack: 0x8000 } as const;

/** Selectors of the GDT. */
export const Sel = {
  code0: 0x08,
  data0: 0x10,
  code3: 0x1b,
  data3: 0x23,
  tss: 0x28,
  conforming: 0x30,
  gate: 0x38,
  tss2: 0x40,
  taskGate: 0x48,
  absentData: 0x50,
  readOnly: 0x58,
  executeOnly: 0x60,
  absentCode: 0x68,
  ldt: 0x70,
  small: 0x78,
  /** Beyond the table. */
  beyond: 0x100,
} as const;

const decoded: Decoded = new Decoded();

/** Writes a descriptor. */
export function descriptor(c: FakeContext, selector: number, low: number, high: number): void {
  const at = At.gdt + (selector & 0xfff8);
  c.mem.sysWrite32(at, low);
  c.mem.sysWrite32(at + 4, high);
}

/** Writes a gate into the IDT: type and DPL in bits 8 to 15 of `access`. */
export function idtGate(c: FakeContext, vector: number, selector: number, offset: number, access: number): void {
  c.mem.sysWrite32(At.idt + 8 * vector, (selector << 16) | (offset & 0xffff));
  c.mem.sysWrite32(At.idt + 8 * vector + 4, (offset & 0xffff0000) | access);
}

/** A context in flat protected mode at CPL 0 or 3. */
export function prepared(cpl: 0 | 3 = 0): FakeContext {
  const c = new FakeContext(), s = c.state;
  s.set(Layout.gdtBase, At.gdt);
  s.set(Layout.gdtLimit, 0xff);
  s.set(Layout.idtBase, At.idt);
  s.set(Layout.idtLimit, 0x7ff);
  descriptor(c, Sel.code0, 0xffff, 0xcf9a00);
  descriptor(c, Sel.data0, 0xffff, 0xcf9200);
  descriptor(c, Sel.code3, 0xffff, 0xcffa00);
  descriptor(c, Sel.data3, 0xffff, 0xcff200);
  descriptor(c, Sel.tss, (At.tss << 16) | 0x87, 0x8b00);
  descriptor(c, Sel.conforming, 0xffff, 0xcf9e00);
  descriptor(c, Sel.tss2, (At.tss2 << 16) | 0x67, 0x8900);
  descriptor(c, Sel.taskGate, Sel.tss2 << 16, 0xe500);
  descriptor(c, Sel.absentData, 0xffff, 0xcf1200);
  descriptor(c, Sel.readOnly, 0xffff, 0xcf9000);
  descriptor(c, Sel.executeOnly, 0xffff, 0xcf9800);
  descriptor(c, Sel.absentCode, 0xffff, 0xcf1a00);
  descriptor(c, Sel.ldt, 0x60000000 | 0xff, 0x8200);
  descriptor(c, Sel.small, 0x00ff, 0x409a00);
  c.mem.sysWrite32(At.tss + 4, At.inner);
  c.mem.sysWrite16(At.tss + 8, Sel.data0);
  setNull(s, 6, 0);
  setCache(s, 7, Sel.tss, (At.tss << 16) | 0x87, 0x8b00);
  const user = cpl === 3;
  setCache(s, 1, user ? Sel.code3 : Sel.code0, 0xffff, user ? 0xcffb00 : 0xcf9b00);
  for (const n of [0, 2, 3]) setCache(s, n, user ? Sel.data3 : Sel.data0, 0xffff, user ? 0xcff300 : 0xcf9300);
  s.set(Layout.cpl, cpl);
  s.set(Layout.eip, 0x1000);
  s.setReg32(4, At.stack);
  c.modeChanged();
  c.effects = [];
  c.mem.writes = [];
  return c;
}

/** Executes one instruction; a guest fault is thrown and leaves EIP. */
export function run(c: FakeContext, bytes: readonly number[]): void {
  const s = c.state, d = decoded;
  const padded = Uint8Array.from([...bytes, ...new Array(15).fill(0)]);
  const is32 = (s.get(Layout.mode) & ModeBit.code32) !== 0;
  assertEquals(decode(padded, 0, 15, is32, opcodeIndex(FAKE_MODEL.features), d), DecodeStatus.ok);
  c.nextEip = (s.get(Layout.eip) + d.length) >>> 0;
  const op = Operation.copy(c, d, d.length), fn = FNS[d.row.sem];
  const stack = (s.get(Layout.mode) & ModeBit.stack32) !== 0 ? 32 : 16;
  if (fn !== undefined) fn(c, op);
  else evaluate(c, op, treeFor(d.rowIndex, d.isMem, d.opSize, d.addrSize, 0, stack));
  s.set(Layout.eip, c.nextEip);
}

/** Everything a program can see of the registers. */
export function visible(c: FakeContext): number[] {
  const s = c.state;
  const general = [...Array(8).keys()].map((n) => s.reg32(n) >>> 0);
  const segments = [...Array(8).keys()].flatMap((n) =>
    [Seg.selector, Seg.base, Seg.lo, Seg.hi].map((f) => s.seg(n, f))
  );
  const rest = [Layout.eip, Layout.cpl, Layout.cr0, Layout.cr3, Layout.cr4, Layout.dr7, Layout.gdtBase, Layout.efer];
  return [...general, ...segments, ...rest.map((at) => s.get(at)), readEflags(s)];
}

/** Expects a fault with this vector and error code (-1: none) that has changed no register. */
export function expectFault(c: FakeContext, bytes: number[], vector: number, code: number, name = ""): void {
  const before = visible(c);
  assertEquals(c.faultOf(() => run(c, bytes)), vector, `${name} vector`);
  const got = c.state.get(Layout.faultHasCode) !== 0 ? c.state.get(Layout.faultCode) : -1;
  assertEquals(got, code, `${name} error code`);
  assertEquals(visible(c), before, `${name} state`);
}

/** Selector of a segment register. */
export function selector(c: FakeContext, n: number): number {
  return c.state.seg(n, Seg.selector) & 0xffff;
}

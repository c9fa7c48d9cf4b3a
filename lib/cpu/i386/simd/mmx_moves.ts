/**
 * Moves to and from MMX registers, between MMX and XMM, of single words and of sign bits; EMMS; masked stores.
 * Sources: SDM-2 MOVD MOVQ MOVDQ2Q MOVQ2DQ PINSRW PEXTRW PMOVMSKB MASKMOVQ EMMS; SDM-3A 12.2. Hot.
 */
import { Rights } from "../segment.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { Layout, Seg } from "../state.ts";
import { Reg, Vector } from "../../../spec/i386_regs.ts";
import { enterMmx, enterSse, mm, sourceMm, store, touchMmx, wroteMm, xmm } from "./operand.ts";

/** Sets MMX register `n` and does what every MMX instruction does to the x87 state. */
function setMm(c: Context, n: number, low: number, high: number): void {
  const d = mm(n);
  c.state.i32[d] = low;
  c.state.i32[d + 1] = high;
  wroteMm(c, n);
  touchMmx(c);
}

function storeMm(c: Context, o: Op): void {
  if (!enterMmx(c)) return;
  const w = c.state.i32, s = mm(o.reg);
  if (o.isMem) {
    store(c, o.linear(8, true), s, 2);
    touchMmx(c);
  } else setMm(c, o.rm, w[s], w[s + 1]);
}

function insertWord(w: Int32Array, d: number, n: number, v: number): void {
  const at = d + (n >>> 1), shift = (n & 1) << 4;
  w[at] = (w[at] & ~(0xffff << shift)) | ((v & 0xffff) << shift);
}

function extractWord(w: Int32Array, s: number, n: number): number {
  return (w[s + (n >>> 1)] >>> ((n & 1) << 4)) & 0xffff;
}

/** Top bits of the bytes of `words` words. */
function byteSigns(w: Int32Array, s: number, words: number): number {
  let bits = 0;
  for (let i = 0; i < words; i++) {
    const v = w[s + i];
    bits |= ((v >>> 7 & 1) | (v >>> 14 & 2) | (v >>> 21 & 4) | (v >>> 28 & 8)) << (i << 2);
  }
  return bits;
}

/** Linear address of byte `i` of the implicit operand at the segment's (E)DI. Faults: #GP(0), #SS(0). */
function maskedByte(c: Context, o: Op, i: number): number {
  const s = c.state, mask = o.addrSize === 16 ? 0xffff : 0xffffffff;
  const offset = ((s.reg32(Reg.edi) & mask) + i) >>> 0;
  const bad = (s.seg(o.seg, Seg.rights) & Rights.write) === 0 || offset < (s.seg(o.seg, Seg.lo) >>> 0) ||
    offset > (s.seg(o.seg, Seg.hi) >>> 0);
  if (bad) c.raise(o.seg === 2 ? Vector.ss : Vector.gp, 0);
  return (s.seg(o.seg, Seg.base) + offset) >>> 0;
}

/** Stores the bytes of register words `from` whose mask byte at `mask` has its top bit set; others are not touched. */
function storeMasked(c: Context, o: Op, from: number, mask: number, words: number): void {
  const u8 = c.state.u8, bits = byteSigns(c.state.i32, mask, words), user = c.state.get(Layout.cpl) === 3;
  for (let i = 0; i < words << 2; i++) {
    if (((bits >>> i) & 1) !== 0) c.mem.probeWrite(maskedByte(c, o, i), 1, user);
  }
  for (let i = 0; i < words << 2; i++) {
    if (((bits >>> i) & 1) !== 0) c.mem.write8(maskedByte(c, o, i), u8[(from << 2) + i]);
  }
}

/** Instructions of this file by `sem`. */
export const MMX_MOVE_FNS: Readonly<Record<string, SystemFn>> = {
  "movd.mmx.load": (c, o) => {
    if (!enterMmx(c)) return;
    setMm(c, o.reg, o.readRm(32), 0);
  },
  "movd.mmx.store": (c, o) => {
    if (!enterMmx(c)) return;
    o.writeRm(32, c.state.i32[mm(o.reg)]);
    touchMmx(c);
  },
  "movq.mmx.load": (c, o) => {
    if (!enterMmx(c)) return;
    const s = sourceMm(c, o), w = c.state.i32;
    setMm(c, o.reg, w[s], w[s + 1]);
  },
  "movq.mmx.store": storeMm,
  "movq2dq": (c, o) => {
    enterSse(c);
    if (!enterMmx(c)) return;
    const w = c.state.i32, d = xmm(o.reg), s = mm(o.rm);
    w[d] = w[s];
    w[d + 1] = w[s + 1];
    w[d + 2] = 0;
    w[d + 3] = 0;
    touchMmx(c);
  },
  "movdq2q": (c, o) => {
    enterSse(c);
    if (!enterMmx(c)) return;
    const w = c.state.i32, s = xmm(o.rm);
    setMm(c, o.reg, w[s], w[s + 1]);
  },
  "pinsrw.mmx": (c, o) => {
    if (!enterMmx(c)) return;
    const v = o.readRm(16);
    insertWord(c.state.i32, mm(o.reg), o.imm & 3, v);
    wroteMm(c, o.reg);
    touchMmx(c);
  },
  "pinsrw.xmm": (c, o) => {
    enterSse(c);
    const v = o.readRm(16);
    insertWord(c.state.i32, xmm(o.reg), o.imm & 7, v);
  },
  "pextrw.mmx": (c, o) => {
    if (!enterMmx(c)) return;
    c.state.setReg32(o.reg, extractWord(c.state.i32, mm(o.rm), o.imm & 3));
    touchMmx(c);
  },
  "pextrw.xmm": (c, o) => {
    enterSse(c);
    c.state.setReg32(o.reg, extractWord(c.state.i32, xmm(o.rm), o.imm & 7));
  },
  "pmovmskb.mmx": (c, o) => {
    if (!enterMmx(c)) return;
    c.state.setReg32(o.reg, byteSigns(c.state.i32, mm(o.rm), 2));
    touchMmx(c);
  },
  "pmovmskb.xmm": (c, o) => {
    enterSse(c);
    c.state.setReg32(o.reg, byteSigns(c.state.i32, xmm(o.rm), 4));
  },
  "maskmovq": (c, o) => {
    if (!enterMmx(c)) return;
    storeMasked(c, o, mm(o.reg), mm(o.rm), 2);
    touchMmx(c);
  },
  "maskmovdqu": (c, o) => {
    enterSse(c);
    storeMasked(c, o, xmm(o.reg), xmm(o.rm), 4);
  },
  "emms": (c) => {
    if (!enterMmx(c)) return;
    c.state.set(Layout.ftop, 0);
    c.state.set(Layout.fempty, 0xff);
  },
};

/**
 * Moves of SSE and SSE2. Loads of a scalar from memory clear the rest of the register, moves between registers do not.
 *
 * Non-temporal stores are stores: there is no write-combining buffer to see.
 * Sources: SDM-2 MOVAPS MOVUPS MOVSS MOVSD MOVLPS MOVHPS MOVQ MOVD MOVNTI MOVMSKPS MASKMOVDQU. Hot.
 * Not emulated: write combining, cache hints.
 */
import type { Context, Op, SystemFn } from "../context.ts";
import { aligned, anywhere, enterSse, fetch, source128, store, xmm } from "./operand.ts";

function copy(w: Int32Array, to: number, from: number, words: number): void {
  for (let i = 0; i < words; i++) w[to + i] = w[from + i];
}

/** Loads the low `words` dwords; from memory (or if `clears`) the rest becomes zero. */
function loadLow(words: 1 | 2, clears: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = o.isMem ? fetch(c, o.linear(words << 2, false), words) : xmm(o.rm);
    const w = c.state.i32, d = xmm(o.reg);
    copy(w, d, s, words);
    if (o.isMem || clears) w.fill(0, d + words, d + 4);
  };
}

/** Stores the low `words` dwords; to a register the rest stays (or, if `clears`, becomes zero). */
function storeLow(words: 1 | 2, clears: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    const w = c.state.i32, s = xmm(o.reg);
    if (o.isMem) return store(c, o.linear(words << 2, true), s, words);
    const d = xmm(o.rm);
    copy(w, d, s, words);
    if (clears) w.fill(0, d + words, d + 4);
  };
}

/** Loads a quadword from memory to half of a register, the other half stays. */
function loadHalf(half: 0 | 2): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = fetch(c, o.linear(8, false), 2);
    copy(c.state.i32, xmm(o.reg) + half, s, 2);
  };
}

function storeHalf(half: 0 | 2): SystemFn {
  return (c, o) => {
    enterSse(c);
    store(c, o.linear(8, true), xmm(o.reg) + half, 2);
  };
}

function load(c: Context, o: Op): void {
  enterSse(c);
  const s = source128(c, o);
  copy(c.state.i32, xmm(o.reg), s, 4);
}

function storeAligned(c: Context, o: Op): void {
  enterSse(c);
  if (o.isMem) store(c, aligned(c, o, true), xmm(o.reg), 4);
  else copy(c.state.i32, xmm(o.rm), xmm(o.reg), 4);
}

function loadAny(c: Context, o: Op): void {
  enterSse(c);
  const s = o.isMem ? fetch(c, anywhere(c, o, false), 4) : xmm(o.rm);
  copy(c.state.i32, xmm(o.reg), s, 4);
}

function storeAny(c: Context, o: Op): void {
  enterSse(c);
  if (o.isMem) store(c, anywhere(c, o, true), xmm(o.reg), 4);
  else copy(c.state.i32, xmm(o.rm), xmm(o.reg), 4);
}

function signsOfSingles(c: Context, o: Op): void {
  enterSse(c);
  const w = c.state.i32, s = xmm(o.rm);
  const bits = (w[s] >>> 31) | (w[s + 1] >>> 31 << 1) | (w[s + 2] >>> 31 << 2) | (w[s + 3] >>> 31 << 3);
  c.state.setReg32(o.reg, bits);
}

function signsOfDoubles(c: Context, o: Op): void {
  enterSse(c);
  const w = c.state.i32, s = xmm(o.rm);
  c.state.setReg32(o.reg, (w[s + 1] >>> 31) | (w[s + 3] >>> 31 << 1));
}

/** Instructions of this file by `sem`. */
export const MOVE_FNS: Readonly<Record<string, SystemFn>> = {
  "mova.load": load,
  "mova.store": storeAligned,
  "movu.load": loadAny,
  "movu.store": storeAny,
  "movss.load": loadLow(1, false),
  "movss.store": storeLow(1, false),
  "movsd.load": loadLow(2, false),
  "movsd.store": storeLow(2, false),
  "movq.xmm.load": loadLow(2, true),
  "movq.xmm.store": storeLow(2, true),
  "movl.load": loadHalf(0),
  "movl.store": storeHalf(0),
  "movh.load": loadHalf(2),
  "movh.store": storeHalf(2),
  "movhlps": (c, o) => {
    enterSse(c);
    copy(c.state.i32, xmm(o.reg), xmm(o.rm) + 2, 2);
  },
  "movlhps": (c, o) => {
    enterSse(c);
    copy(c.state.i32, xmm(o.reg) + 2, xmm(o.rm), 2);
  },
  "movd.xmm.load": (c, o) => {
    enterSse(c);
    const v = o.readRm(32), w = c.state.i32, d = xmm(o.reg);
    w[d] = v;
    w.fill(0, d + 1, d + 4);
  },
  "movd.xmm.store": (c, o) => {
    enterSse(c);
    o.writeRm(32, c.state.i32[xmm(o.reg)]);
  },
  // No check of CR0.EM or CR4.OSFXSR: the registers are general ones.
  "movnti": (c, o) => o.writeRm(32, c.state.reg32(o.reg)),
  "movmskps": signsOfSingles,
  "movmskpd": signsOfDoubles,
};

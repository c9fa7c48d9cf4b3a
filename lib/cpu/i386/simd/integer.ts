/**
 * Binds the lane kernels to instructions: integer operations of MMX and SSE2, bitwise and shuffling ones of SSE.
 * Sources: SDM-2B, SDM-2A UNPCKLPS SHUFPS ANDPS. Hot.
 */
import type { SystemFn } from "../context.ts";
import * as arith from "./lanes_arith.ts";
import * as logic from "./lanes_logic.ts";
import * as shift from "./lanes_shift.ts";
import * as shuffle from "./lanes_shuffle.ts";
import type { LaneKernel } from "./lanes_arith.ts";
import { enterMmx, enterSse, fetch, mm, source128, sourceMm, touchMmx, wroteMm, xmm } from "./operand.ts";

/** MMX form of a kernel; `bytes` read from memory. */
function mmxLanes(kernel: LaneKernel, bytes: 4 | 8): SystemFn {
  return (c, o) => {
    if (!enterMmx(c)) return;
    const s = o.isMem ? fetch(c, o.linear(bytes, false), bytes >> 2) : mm(o.rm);
    kernel(c.state.i32, mm(o.reg), s, 2);
    wroteMm(c, o.reg);
    touchMmx(c);
  };
}

/** XMM form of a kernel. */
function xmmLanes(kernel: LaneKernel): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = source128(c, o);
    kernel(c.state.i32, xmm(o.reg), s, 4);
  };
}

function mmxShift(kernel: shift.ShiftKernel): SystemFn {
  return (c, o) => {
    if (!enterMmx(c)) return;
    const s = sourceMm(c, o), w = c.state.i32;
    kernel(w, mm(o.reg), shift.clampCount(w[s], w[s + 1]), 2);
    wroteMm(c, o.reg);
    touchMmx(c);
  };
}

function xmmShift(kernel: shift.ShiftKernel): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = source128(c, o), w = c.state.i32;
    kernel(w, xmm(o.reg), shift.clampCount(w[s], w[s + 1]), 4);
  };
}

function mmxShiftBy(kernel: shift.ShiftKernel): SystemFn {
  return (c, o) => {
    if (!enterMmx(c)) return;
    kernel(c.state.i32, mm(o.rm), o.imm & 0xff, 2);
    wroteMm(c, o.rm);
    touchMmx(c);
  };
}

function xmmShiftBy(kernel: shift.ShiftKernel): SystemFn {
  return (c, o) => {
    enterSse(c);
    kernel(c.state.i32, xmm(o.rm), o.imm & 0xff, 4);
  };
}

function xmmShuffle(kernel: shuffle.ShuffleKernel): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = source128(c, o);
    kernel(c.state.i32, xmm(o.reg), s, o.imm);
  };
}

/** Kernels with an MMX and an XMM form under the kernel's own name. */
const KERNELS: Readonly<Record<string, LaneKernel>> = {
  paddb: arith.paddb,
  paddw: arith.paddw,
  paddd: arith.paddd,
  paddq: arith.paddq,
  psubb: arith.psubb,
  psubw: arith.psubw,
  psubd: arith.psubd,
  psubq: arith.psubq,
  paddsb: arith.paddsb,
  paddsw: arith.paddsw,
  paddusb: arith.paddusb,
  paddusw: arith.paddusw,
  psubsb: arith.psubsb,
  psubsw: arith.psubsw,
  psubusb: arith.psubusb,
  psubusw: arith.psubusw,
  pmullw: arith.pmullw,
  pmulhw: arith.pmulhw,
  pmulhuw: arith.pmulhuw,
  pmaddwd: arith.pmaddwd,
  pmuludq: arith.pmuludq,
  pavgb: arith.pavgb,
  pavgw: arith.pavgw,
  pminub: arith.pminub,
  pmaxub: arith.pmaxub,
  pminsw: arith.pminsw,
  pmaxsw: arith.pmaxsw,
  psadbw: arith.psadbw,
  pand: logic.pand,
  pandn: logic.pandn,
  por: logic.por,
  pxor: logic.pxor,
  pcmpeqb: logic.pcmpeqb,
  pcmpeqw: logic.pcmpeqw,
  pcmpeqd: logic.pcmpeqd,
  pcmpgtb: logic.pcmpgtb,
  pcmpgtw: logic.pcmpgtw,
  pcmpgtd: logic.pcmpgtd,
  packsswb: shuffle.packsswb,
  packuswb: shuffle.packuswb,
  packssdw: shuffle.packssdw,
  punpcklbw: shuffle.punpcklbw,
  punpckhbw: shuffle.punpckhbw,
  punpcklwd: shuffle.punpcklwd,
  punpckhwd: shuffle.punpckhwd,
  punpckldq: shuffle.punpckldq,
  punpckhdq: shuffle.punpckhdq,
};

/** The MMX forms of these read only the low dword of a memory operand. */
const LOW_HALF: ReadonlySet<string> = new Set(["punpcklbw", "punpcklwd", "punpckldq"]);

const SHIFTS: Readonly<Record<string, shift.ShiftKernel>> = {
  psllw: shift.psllw,
  pslld: shift.pslld,
  psllq: shift.psllq,
  psrlw: shift.psrlw,
  psrld: shift.psrld,
  psrlq: shift.psrlq,
  psraw: shift.psraw,
  psrad: shift.psrad,
};

function bind(): Record<string, SystemFn> {
  const fns: Record<string, SystemFn> = {};
  for (const [name, kernel] of Object.entries(KERNELS)) {
    fns[`${name}.mmx`] = mmxLanes(kernel, LOW_HALF.has(name) ? 4 : 8);
    fns[`${name}.xmm`] = xmmLanes(kernel);
  }
  for (const [name, kernel] of Object.entries(SHIFTS)) {
    fns[`${name}.mmx`] = mmxShift(kernel);
    fns[`${name}.xmm`] = xmmShift(kernel);
    fns[`${name}i.mmx`] = mmxShiftBy(kernel);
    fns[`${name}i.xmm`] = xmmShiftBy(kernel);
  }
  return fns;
}

/** Instructions of this file by `sem`. */
export const INTEGER_FNS: Readonly<Record<string, SystemFn>> = {
  ...bind(),
  "punpcklqdq.xmm": xmmLanes(shuffle.punpcklqdq),
  "punpckhqdq.xmm": xmmLanes(shuffle.punpckhqdq),
  "psrldqi.xmm": xmmShiftBy(shift.psrldq),
  "pslldqi.xmm": xmmShiftBy(shift.pslldq),
  "unpcklps": xmmLanes(shuffle.punpckldq),
  "unpckhps": xmmLanes(shuffle.punpckhdq),
  "unpcklpd": xmmLanes(shuffle.punpcklqdq),
  "unpckhpd": xmmLanes(shuffle.punpckhqdq),
  "andps": xmmLanes(logic.pand),
  "andpd": xmmLanes(logic.pand),
  "andnps": xmmLanes(logic.pandn),
  "andnpd": xmmLanes(logic.pandn),
  "orps": xmmLanes(logic.por),
  "orpd": xmmLanes(logic.por),
  "xorps": xmmLanes(logic.pxor),
  "xorpd": xmmLanes(logic.pxor),
  "shufps": xmmShuffle(shuffle.shufps),
  "shufpd": xmmShuffle(shuffle.shufpd),
  "pshufd": xmmShuffle(shuffle.pshufd),
  "pshufhw": xmmShuffle(shuffle.pshufhw),
  "pshuflw": xmmShuffle(shuffle.pshuflw),
  "pshufw.mmx": (c, o) => {
    if (!enterMmx(c)) return;
    const s = sourceMm(c, o);
    shuffle.pshufw(c.state.i32, mm(o.reg), s, o.imm);
    wroteMm(c, o.reg);
    touchMmx(c);
  },
};

/**
 * State of x87, MMX and SSE as a whole: FXSAVE, FXRSTOR, LDMXCSR, STMXCSR; fences, CLFLUSH and PAUSE, which here only
 * check their operands: memory is ordered and there is no cache.
 *
 * Image (SDM-2A table 3-47): FCW 0, FSW 2, valid tags 4 (a byte, 1 = not empty), FOP 6, FIP 8, FCS 12, FDP 16, FDS 20,
 * MXCSR 24, its mask 28, ST(0)-ST(7) at 32, XMM0-XMM7 at 160; 16 bytes a register. The rest is not written.
 * Sources: SDM-2A FXSAVE FXRSTOR, SDM-3A 13.1. Warm.
 */
import { Cr0, Cr4, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { Layout } from "../state.ts";
import { enterSse, MXCSR, MXCSR_MASK, xmm } from "./operand.ts";
import { settles } from "../x87/stack.ts";

const IMAGE_BYTES = 512;
const ST_AT = 32, XMM_AT = 160;
/** Bits of FCW that can be set; bit 6 always is. */
const FCW_MASK = 0x1f3f, FCW_ONE = 0x40;
/** Error summary and busy bits of FSW, exception bits. */
const FSW_ES_B = 0x8080, FSW_EXC = 0x3f, FSW_TOP = 0x3800;

/** Linear address of the image. Faults: #UD, #NM, #GP(0). */
function image(c: Context, o: Op, write: boolean): number {
  const cr0 = c.state.get(Layout.cr0);
  if ((cr0 & Cr0.em) !== 0) c.raise(Vector.ud);
  if ((cr0 & Cr0.ts) !== 0) c.raise(Vector.nm);
  const linear = o.linear(IMAGE_BYTES, write);
  if ((linear & 15) !== 0) c.raise(Vector.gp, 0);
  return linear;
}

function fxsave(c: Context, o: Op): void {
  const at = image(c, o, true);
  const s = c.state, top = s.get(Layout.ftop);
  c.mem.probeWrite(at, IMAGE_BYTES, s.get(Layout.cpl) === 3);
  const put = (offset: number, v: number): void => c.mem.write32((at + offset) >>> 0, v);
  put(0, (s.get(Layout.fcw) & 0xffff) | (((s.get(Layout.fsw) & ~FSW_TOP) | (top << 11)) << 16));
  put(4, (~s.get(Layout.fempty) & 0xff) | ((s.get(Layout.fop) & 0x7ff) << 16));
  put(8, s.get(Layout.fip));
  put(12, s.get(Layout.fcs) & 0xffff);
  put(16, s.get(Layout.fdp));
  put(20, s.get(Layout.fds) & 0xffff);
  put(24, s.i32[MXCSR]);
  put(28, MXCSR_MASK);
  for (let i = 0; i < 8; i++) {
    const r = (Layout.fpr >>> 2) + (((top + i) & 7) << 2);
    put(ST_AT + 16 * i, s.i32[r]);
    put(ST_AT + 16 * i + 4, s.i32[r + 1]);
    put(ST_AT + 16 * i + 8, s.i32[r + 2] & 0xffff);
    put(ST_AT + 16 * i + 12, 0);
  }
  if ((s.get(Layout.cr4) & Cr4.osfxsr) === 0) return;
  for (let i = 0; i < 32; i++) put(XMM_AT + 4 * i, s.i32[xmm(0) + i]);
}

function fxrstor(c: Context, o: Op): void {
  const at = image(c, o, false);
  const s = c.state, withXmm = (s.get(Layout.cr4) & Cr4.osfxsr) !== 0;
  c.mem.probeRead(at, IMAGE_BYTES, s.get(Layout.cpl) === 3);
  const take = (offset: number): number => c.mem.read32((at + offset) >>> 0);
  const mxcsr = take(24);
  if (withXmm && (mxcsr & ~MXCSR_MASK) !== 0) c.raise(Vector.gp, 0);
  const control = take(0), tags = take(4);
  const fcw = (control & FCW_MASK) | FCW_ONE, fsw = (control >>> 16) & 0xffff & ~(FSW_TOP | FSW_ES_B);
  const top = (control >>> 27) & 7;
  s.set(Layout.fcw, fcw);
  s.set(Layout.fsw, (fsw & ~fcw & FSW_EXC) !== 0 ? fsw | FSW_ES_B : fsw);
  s.set(Layout.ftop, top);
  s.set(Layout.fempty, ~tags & 0xff);
  s.set(Layout.fop, (tags >>> 16) & 0x7ff);
  s.set(Layout.fip, take(8));
  s.set(Layout.fcs, take(12) & 0xffff);
  s.set(Layout.fdp, take(16));
  s.set(Layout.fds, take(20) & 0xffff);
  for (let i = 0; i < 8; i++) {
    const r = (Layout.fpr >>> 2) + (((top + i) & 7) << 2);
    s.i32[r] = take(ST_AT + 16 * i);
    s.i32[r + 1] = take(ST_AT + 16 * i + 4);
    s.i32[r + 2] = take(ST_AT + 16 * i + 8) & 0xffff;
  }
  if (!withXmm) return;
  s.i32[MXCSR] = mxcsr;
  for (let i = 0; i < 32; i++) s.i32[xmm(0) + i] = take(XMM_AT + 4 * i);
}

function ldmxcsr(c: Context, o: Op): void {
  enterSse(c);
  const v = o.readRm(32);
  if ((v & ~MXCSR_MASK) !== 0) c.raise(Vector.gp, 0);
  c.state.i32[MXCSR] = v;
}

/** Instructions of this file by `sem`. */
export const CONTROL_FNS: Readonly<Record<string, SystemFn>> = {
  fxsave,
  fxrstor: settles(fxrstor),
  ldmxcsr,
  "stmxcsr": (c, o) => {
    enterSse(c);
    o.writeRm(32, c.state.i32[MXCSR]);
  },
  "fence": () => {},
  // Not among the kernels: it may end the CPU's turn.
  "pause": (c) => c.bus.pause?.(),
  // Faults as a byte load does, and does not load.
  "clflush": (c, o) => c.mem.probeRead(o.linear(1, false), 1, c.state.get(Layout.cpl) === 3),
};

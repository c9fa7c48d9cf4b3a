/**
 * Register values after reset. Source: SDM-3A 9.1.1 (table 9-1). Cold.
 */
import { Reg } from "../../spec/i386_regs.ts";
import { setArithmetic } from "./flags.ts";
import type { Model } from "./model.ts";
import { Rights } from "./segment.ts";
import { type CpuState, Layout, Seg, STATE_BYTES } from "./state.ts";

/** Sets the power-on state. */
export function resetState(s: CpuState, model: Model): void {
  s.i32.fill(0, 0, STATE_BYTES >>> 2);
  s.set(Layout.eip, 0xfff0);
  s.set(Layout.eflags, 2);
  setArithmetic(s, 0);
  s.setReg32(Reg.edx, model.signature);
  s.set(Layout.cr0, model.features.has("486") ? 0x60000010 : 0x10); // caches are off
  s.set(Layout.dr6, 0xffff0ff0 | 0);
  s.set(Layout.dr7, 0x400);
  s.set(Layout.gdtLimit, 0xffff);
  s.set(Layout.idtLimit, 0x3ff);
  s.set(Layout.fcw, 0x40);
  s.set(Layout.fempty, 0xff);
  s.set(Layout.mxcsr, 0x1f80);
  for (let n = 0; n < 8; n++) setSegment(s, n, 0, 0, n === 1 ? 0x9b00 : n === 6 ? 0x8200 : n === 7 ? 0x8b00 : 0x9300);
  setSegment(s, 1, 0xf000, 0xffff0000 | 0, 0x9b00);
}

function setSegment(s: CpuState, n: number, selector: number, base: number, access: number): void {
  s.setSeg(n, Seg.selector, selector);
  s.setSeg(n, Seg.base, base);
  s.setSeg(n, Seg.limit, 0xffff);
  s.setSeg(n, Seg.access, access);
  s.setSeg(n, Seg.lo, 0);
  s.setSeg(n, Seg.hi, 0xffff);
  s.setSeg(n, Seg.rights, n < 6 ? Rights.read | Rights.write | Rights.usable : Rights.usable);
}

/**
 * SYSENTER and SYSEXIT. Source: SDM-2B SYSENTER, SYSEXIT. Warm.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Context, SystemFn } from "../context.ts";
import { SegReg, setCache } from "../segment.ts";
import { Layout } from "../state.ts";

const ECX = 1, EDX = 2, ESP = 4;

/** High dwords of the fixed flat descriptors, DPL left out. */
const FLAT_LOW = 0x0000ffff, FLAT_CODE = 0x00cf9b00, FLAT_DATA = 0x00cf9300;

function flat(c: Context, code: number, cpl: number): void {
  const s = c.state, dpl = cpl << 13;
  setCache(s, SegReg.cs, code | cpl, FLAT_LOW, FLAT_CODE | dpl);
  setCache(s, SegReg.ss, (code + 8) | cpl, FLAT_LOW, FLAT_DATA | dpl);
  s.set(Layout.cpl, cpl);
  c.modeChanged();
}

/** Functions of this chapter. */
export const SYSCALL: Readonly<Record<string, SystemFn>> = {
  sysenter: (c) => {
    const s = c.state, cs = s.get(Layout.sysenterCs) & 0xfffc;
    if (!s.isProtected || cs === 0) c.raise(Vector.gp, 0);
    s.set(Layout.eflags, s.get(Layout.eflags) & ~(Flag.vm | Flag.if | Flag.rf));
    s.setReg32(ESP, s.get(Layout.sysenterEsp));
    c.nextEip = s.get(Layout.sysenterEip) >>> 0;
    flat(c, cs, 0);
    c.bus.spend?.("fastCall", 1);
  },
  sysexit: (c) => {
    const s = c.state, cs = s.get(Layout.sysenterCs) & 0xfffc;
    if (!s.isProtected || cs === 0 || s.get(Layout.cpl) !== 0) c.raise(Vector.gp, 0);
    c.nextEip = s.reg32(EDX) >>> 0;
    s.setReg32(ESP, s.reg32(ECX));
    flat(c, cs + 16, 3);
  },
};

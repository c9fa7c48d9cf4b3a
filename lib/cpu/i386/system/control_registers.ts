/**
 * Control registers: MOV CR, LMSW, SMSW, CLTS, and the TLB and cache instructions. Sources: SDM-2B MOV, SDM-2A CLTS,
 * INVLPG, LMSW, SDM-3A 2.5, 4.10.4. Warm.
 *
 * Not emulated: caches (CD, NW, INVD and WBINVD have no effect), VME, PVI, MCE and PCE (CR4 refuses them).
 */
import { Cr0, Cr4, CR4_FEATURES, Vector } from "../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../context.ts";
import { loadPdptrs } from "../mmu.ts";
import { Layout, Seg } from "../state.ts";

/** #GP(0) unless CPL is 0 (real mode counts as 0). */
export function checkRing0(c: Context): void {
  if (c.state.get(Layout.cpl) !== 0) c.raise(Vector.gp, 0);
}

/** Bits of CR0 that exist, on the 386 and since the 486. */
const CR0_386 = Cr0.pe | Cr0.mp | Cr0.em | Cr0.ts | Cr0.et | Cr0.pg;
const CR0_BITS = Cr0.pe | Cr0.mp | Cr0.em | Cr0.ts | Cr0.et | Cr0.ne | Cr0.wp | Cr0.am | Cr0.nw | Cr0.cd | Cr0.pg;
function movFromCr(c: Context, op: Op): void {
  const at = registerOf(c, op.reg);
  checkRing0(c);
  c.state.setReg32(op.rm, c.state.get(at));
}

function registerOf(c: Context, n: number): number {
  switch (n) {
    case 0:
      return Layout.cr0;
    case 2:
      return Layout.cr2;
    case 3:
      return Layout.cr3;
    case 4:
      if (c.model.features.has("586")) return Layout.cr4;
  }
  return c.raise(Vector.ud);
}

function movToCr(c: Context, op: Op): void {
  const at = registerOf(c, op.reg);
  checkRing0(c);
  const value = c.state.reg32(op.rm);
  if (at === Layout.cr0) writeCr0(c, value);
  else if (at === Layout.cr3) writeCr3(c, value);
  else if (at === Layout.cr4) writeCr4(c, value);
  else c.state.set(at, value);
}

/** Writes CR0 with all its effects. Faults: #GP(0). */
export function writeCr0(c: Context, value: number): void {
  const s = c.state, old = s.get(Layout.cr0);
  const next = (value & (c.model.features.has("486") ? CR0_BITS : CR0_386)) | Cr0.et;
  if ((next & Cr0.pg) !== 0 && (next & Cr0.pe) === 0) c.raise(Vector.gp, 0);
  if ((next & Cr0.nw) !== 0 && (next & Cr0.cd) === 0) c.raise(Vector.gp, 0);
  const changed = old ^ next;
  if ((changed & next & Cr0.pg) !== 0 && (s.get(Layout.cr4) & Cr4.pae) !== 0) loadPointers(c, s.get(Layout.cr3));
  s.set(Layout.cr0, next);
  if ((changed & (Cr0.pg | Cr0.wp | Cr0.pe)) !== 0) c.flushTlb(true);
  c.modeChanged();
}

/** Writes CR3: translations that are not global are dropped. Faults: #GP(0) for bad PAE pointers. */
export function writeCr3(c: Context, value: number): void {
  const s = c.state;
  if ((s.get(Layout.cr0) & Cr0.pg) !== 0 && (s.get(Layout.cr4) & Cr4.pae) !== 0) loadPointers(c, value);
  s.set(Layout.cr3, value);
  c.flushTlb(false);
}

/** Writes CR4. Faults: #GP(0) for bits the model does not have. */
export function writeCr4(c: Context, value: number): void {
  const s = c.state, old = s.get(Layout.cr4);
  let allowed = 0;
  for (const [bit, feature] of CR4_FEATURES) if ((c.model.featureBits & feature) !== 0) allowed |= bit;
  if ((value & ~allowed) !== 0) c.raise(Vector.gp, 0);
  const changed = old ^ value;
  if ((changed & value & Cr4.pae) !== 0 && (s.get(Layout.cr0) & Cr0.pg) !== 0) loadPointers(c, s.get(Layout.cr3));
  s.set(Layout.cr4, value);
  if ((changed & (Cr4.pae | Cr4.pse | Cr4.pge)) !== 0) c.flushTlb(true);
}

function loadPointers(c: Context, cr3: number): void {
  if (!loadPdptrs(c.mem.words, c.state, cr3)) c.raise(Vector.gp, 0);
}

/** Functions of this chapter. */
export const CONTROL_REGISTERS: Readonly<Record<string, SystemFn>> = {
  movFromCr,
  movToCr,
  smsw: (c, op) => {
    const cr0 = c.state.get(Layout.cr0);
    op.writeRm(op.isMem ? 16 : op.opSize, op.isMem || op.opSize === 16 ? cr0 & 0xffff : cr0);
  },
  lmsw: (c, op) => {
    checkRing0(c);
    const cr0 = c.state.get(Layout.cr0), value = op.readRm(16) & 15;
    // PE can be set here, not cleared.
    writeCr0(c, (cr0 & ~14) | value);
  },
  clts: (c) => {
    checkRing0(c);
    c.state.set(Layout.cr0, c.state.get(Layout.cr0) & ~Cr0.ts);
  },
  invlpg: (c, op) => {
    checkRing0(c);
    c.flushPage(invalidated(c, op));
  },
  invd: (c) => checkRing0(c),
  wbinvd: (c) => checkRing0(c),
};

/** Linear address of the operand; INVLPG makes no limit check. */
function invalidated(c: Context, op: Op): number {
  return (c.state.seg(op.seg, Seg.base) + op.offset()) | 0;
}

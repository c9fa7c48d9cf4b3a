/**
 * Debug registers as the run loop reads them: which breakpoints are armed, which one an instruction hits, single step.
 * Sources: SDM-3B 17.2.4, 17.2.5. Warm.
 */
import { Dr6, Flag } from "../../spec/i386_regs.ts";
import { type CpuState, Layout } from "./state.ts";

/** Enable bits of all four breakpoints in DR7. */
const ENABLED = 0xff;

/** Is any breakpoint enabled? */
export function anyEnabled(s: CpuState): boolean {
  return (s.get(Layout.dr7) & ENABLED) !== 0;
}

/** True if breakpoint `i` is enabled, locally or globally. */
function isEnabled(dr7: number, i: number): boolean {
  return ((dr7 >>> (2 * i)) & 3) !== 0;
}

/** Condition field of breakpoint `i`: 0 execution, 1 write, 2 I/O (with CR4.DE), 3 read or write. */
function conditionOf(dr7: number, i: number): number {
  return (dr7 >>> (16 + 4 * i)) & 3;
}

/** Which kinds of breakpoint are armed. */
export function armed(s: CpuState): { readonly code: boolean; readonly data: boolean } {
  const dr7 = s.get(Layout.dr7);
  let code = false, data = false;
  for (let i = 0; i < 4; i++) {
    if (!isEnabled(dr7, i)) continue;
    if (conditionOf(dr7, i) === 0) code = true;
    else data = true;
  }
  return { code, data };
}

/** DR6 bits of the instruction breakpoints at a linear address, 0 for none. */
export function instructionHits(s: CpuState, linear: number): number {
  const dr7 = s.get(Layout.dr7);
  if ((dr7 & ENABLED) === 0) return 0;
  let hits = 0;
  for (let i = 0; i < 4; i++) {
    const matches = isEnabled(dr7, i) && conditionOf(dr7, i) === 0 && s.get(Layout.dr + 4 * i) === (linear | 0);
    if (matches) hits |= Dr6.b0 << i;
  }
  return hits;
}

/** Is an instruction breakpoint armed in this linear page? `page` is linear >>> 12. */
export function breakpointInPage(s: CpuState, page: number): boolean {
  const dr7 = s.get(Layout.dr7);
  if ((dr7 & ENABLED) === 0) return false;
  for (let i = 0; i < 4; i++) {
    if (isEnabled(dr7, i) && conditionOf(dr7, i) === 0 && s.get(Layout.dr + 4 * i) >>> 12 === page) return true;
  }
  return false;
}

/** After an instruction that began with `flags`: RF has served, and TF asks for a trap. */
export function trapAfter(s: CpuState, flags: number): void {
  s.set(Layout.eflags, s.get(Layout.eflags) & ~(flags & Flag.rf));
  // No trap follows INT, which clears TF on its way, nor a load of SS (SDM-3B 17.3.1.4).
  const inhibited = s.get(Layout.noDebug);
  if (inhibited === 2) s.set(Layout.noDebug, 0);
  if (inhibited === 0 && (flags & Flag.tf) !== 0) s.set(Layout.pendingDebug, s.get(Layout.pendingDebug) | Dr6.bs);
}

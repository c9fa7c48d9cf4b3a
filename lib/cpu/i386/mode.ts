/**
 * What the mode word of the state says, computed from segment caches, CPL, CR0 and EFLAGS. Engines decode and translate
 * under this word, so every change of its inputs ends in `Context.modeChanged`, which calls this. Warm.
 */
import { type CpuState, Layout, ModeBit, Seg } from "./state.ts";
import { Desc } from "./descriptor.ts";

/** Fills `Layout.mode` and `Layout.stackMask`. */
export function computeMode(s: CpuState): void {
  let mode = 0;
  if ((s.seg(1, Seg.access) & Desc.big) !== 0) mode |= ModeBit.code32;
  const stack32 = (s.seg(2, Seg.access) & Desc.big) !== 0;
  if (stack32) mode |= ModeBit.stack32;
  if (isFlat(s, 3, 7) && isFlat(s, 0, 7) && isFlat(s, 2, 7)) mode |= ModeBit.flatData;
  if (isFlat(s, 1, 4)) mode |= ModeBit.flatCode;
  if (s.get(Layout.cpl) === 3) mode |= ModeBit.user;
  if (s.isProtected) mode |= s.isV86 ? ModeBit.protected | ModeBit.v86 : ModeBit.protected;
  s.set(Layout.mode, mode);
  s.set(Layout.stackMask, stack32 ? -1 : 0xffff);
}

function isFlat(s: CpuState, n: number, rights: number): boolean {
  return s.seg(n, Seg.base) === 0 && s.seg(n, Seg.lo) === 0 && s.seg(n, Seg.hi) === -1 &&
    (s.seg(n, Seg.rights) & rights) === rights;
}

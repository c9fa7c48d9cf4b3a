/**
 * Compares two results of a system case, leaving out what no manual defines: undefined flags, and the upper halves of
 * selectors on a stack. Cold.
 */
import { CaseAt, Mode, Place, RESULT_DWORDS } from "./places.ts";
import type { Results } from "./judges.ts";
import { HALF_WRITERS, type SystemCase } from "./generate.ts";
import type { Guilty } from "./trace.ts";

const NAMES =
  ("gs fs es ds edi esi ebp frame ebx edx ecx eax vector error eip cs eflags +0 +1 +2 +3 +4 +5 ss esp tr cr0 " +
    "tables windows dr6 cr2 pages").split(" ");
const SELECTORS = new Set(["gs", "fs", "es", "ds", "cs", "+1", "+2", "+3", "+4", "+5"]);
const REAL_NAMES =
  ("fs:gs ds:es edi esi ebp frame ebx edx ecx eax ip:vector flags:cs 12 13 14 15 16 17 18 19 20 21 22 " +
    "ss esp tr cr0 tables windows dr6 cr2 pages").split(" ");

/** Differences in words, empty if none. */
export function differences(one: SystemCase, index: number, ours: Results, theirs: Results): string[] {
  const lines: string[] = [];
  const isReal = one.mode === Mode.real;
  const names = isReal ? REAL_NAMES : NAMES;
  names.forEach((name, i) => {
    let mask = 0xffffffff;
    if (SELECTORS.has(name)) mask = 0xffff;
    if (name === "eflags") mask &= ~one.undef;
    if (name === "flags:cs") mask &= ~(one.undef << 16);
    if (name === "dr6") mask = enabledOnly(one);
    const a = (ours[index * RESULT_DWORDS + i] & mask) >>> 0, b = (theirs[index * RESULT_DWORDS + i] & mask) >>> 0;
    if (a !== b) lines.push(`${name}: ours ${a.toString(16)}, theirs ${b.toString(16)}`);
  });
  return lines;
}

/**
 * Of B0 to B3 those whose breakpoints are enabled: the others "may or may not be set" (SDM-3B 17.2.3). Nor are those on
 * the next instruction compared: Bochs reports them together with the single-step trap that comes before it.
 */
function enabledOnly(one: SystemCase): number {
  const view = new DataView(one.record.buffer), dr7 = view.getUint32(CaseAt.dr7, true);
  const start = Place.code + view.getUint32(CaseAt.eip, true);
  let mask = ~0xf;
  for (let n = 0; n < 4; n++) {
    const isCode = ((dr7 >>> (16 + 4 * n)) & 3) === 0;
    if (isCode && view.getUint32(CaseAt.dr + 4 * n, true) !== start) continue;
    if (((dr7 >>> (2 * n)) & 3) !== 0) mask |= 1 << n;
  }
  return mask;
}

/** Vectors by which a case ends well: single step and breakpoint. */
const ENDS = new Set([1, 3]);

/**
 * May the case leave the windows different? An instruction that faults has changed nothing in ours (SDM-3A 6.5). Bochs
 * has then pushed a part: CALL before it looks whether the target lies within its segment, ENTER and PUSHA up to the
 * first dword that does not fit.
 */
export function mayDiffer(one: SystemCase, found: Guilty): boolean {
  if (!HALF_WRITERS.has(one.row.sem) || ENDS.has(found.vector)) return false;
  const esp = new DataView(one.record.buffer).getUint32(CaseAt.regs + 16, true);
  const top = Place.stack + (esp & 0xffff);
  const most = one.row.sem === "enter" || one.row.sem === "pusha" ? 128 : 8;
  return found.addresses.every((at) => at < top && at >= top - most);
}

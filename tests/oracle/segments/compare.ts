/**
 * Compares two results of the oracle of segments: all that the manual defines. Cold.
 *
 * Left out, for processors differ or the host is known to differ from the manual:
 * - what an instruction that faults has written: ours has changed nothing (SDM-3A 6.5), the host leaves a part of what
 *   a far CALL, PUSHA and ENTER push, and registers that POPA has popped;
 * - #AC of what those and a near CALL, ENTER do with the stack, when something else is wrong as well or where the
 *   host checks for more than the manual's alignment of a word or dword;
 * - whether an operand of SSE that neither lies within the stack segment nor is aligned ends in #SS or #GP, and whether
 *   RET far that finds a wrong selector has looked at the outer stack's words;
 * - an offset from which an operand goes over the end of a 4 GiB segment: "may or may not cause the indicated
 *   exceptions" (SDM-3A 5.3); the same for the second word of BOUND behind offset 0xfffe;
 * - a call beyond the segment's end whose push faults as well: the manual looks at the target first;
 * - far transfers that happen upon the host's own segment of 64-bit code;
 * - ENTER and PUSHA of which one push meets an absent page and a later one the end of the stack: ours looks at the room
 *   for all of them first;
 * - UD0 and UD1 at the end of a page: older processors fetch no ModRM for them (SDM-2B UD).
 */
import type { SegmentCase } from "./generate.ts";
import { CaseAt, ResultAt, SHOWN } from "./places.ts";

const REGS = "eax ecx edx ebx esp ebp esi edi".split(" ");
const SEGS = "cs ss ds es fs gs".split(" ");
const Vector = { step: 1, breakpoint: 3, ac: 17, pf: 14, ss: 12, gp: 13, ud: 6, br: 5 } as const;
const AC_FLAG = 0x40000;
const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));
/** Operands of many parts, which the host reads and writes in an order of its own. */
const LONG = words("fnsave frstor fnstenv fldenv");
const CALLS = words("callRel callInd callFar");
/** Entry of the host's global table with code of 64 bits. */
const LONG_CODE = 6;
const STACK_USERS = words("retFar iret callFar callRel callInd enter pusha popa ret");
const LEAVE_PARTS = words("callFar enter pusha");

/** May the two end differently, for the reasons above? */
function isOpen(one: SegmentCase, ours: DataView, host: DataView): boolean {
  const a = ours.getUint32(ResultAt.vector, true), b = host.getUint32(ResultAt.vector, true), { sem } = one.row;
  const view = new DataView(one.record.buffer), flags = view.getUint32(CaseAt.eflags, true);
  if ((flags & AC_FLAG) !== 0 && b === Vector.ac && STACK_USERS.has(sem)) return true;
  if (a === Vector.pf && b === Vector.ud && (sem === "ud0" || sem === "ud1" || sem === "ud2")) return true;
  if (a === Vector.gp && b === Vector.br && sem === "bound") return true;
  // Aligned 16 bytes of the stack segment that neither fit nor are aligned.
  if (a === Vector.ss && b === Vector.gp && one.row.prefix !== undefined) return true;
  // The host reads the outer stack's words with the others, before it looks at the selector.
  if (a === Vector.gp && b === Vector.ss && sem === "retFar") return true;
  if ((sem === "enter" || sem === "pusha") && a === Vector.ss && b === Vector.pf) return true;
  if (CALLS.has(sem) && a === Vector.gp && (b === Vector.pf || b === Vector.ss)) return true;
  if (ours.getUint32(ResultAt.segs, true) >>> 3 === LONG_CODE) return true;
  const high = REGS.some((_, i) => view.getUint32(CaseAt.regs + 4 * i, true) >= 0xfffffff0);
  if (a === Vector.ac && b === Vector.gp && high) return true;
  const over = ours.getUint32(ResultAt.cr2, true);
  return a === Vector.pf && (b === Vector.gp || b === Vector.ss) && (over >= 0xfffffff0 || over === 0);
}

/** Differences in words, empty if none. */
export function compareSegments(one: SegmentCase, ours: DataView, host: DataView): string[] {
  const lines: string[] = [];
  if (isOpen(one, ours, host)) return lines;
  const { sem } = one.row, vector = host.getUint32(ResultAt.vector, true);
  const faults = vector !== Vector.step && vector !== Vector.breakpoint;
  const note = (name: string, at: number, mask = 0xffffffff): void => {
    const a = (ours.getUint32(at, true) & mask) >>> 0, b = (host.getUint32(at, true) & mask) >>> 0;
    if (a !== b) lines.push(`${name}: ours ${a.toString(16)}, host ${b.toString(16)}`);
  };
  note("vector", ResultAt.vector);
  note("error", ResultAt.error);
  if (vector === Vector.pf) note("cr2", ResultAt.cr2, LONG.has(sem) ? 0xfffff000 : 0xffffffff);
  note("eip", ResultAt.eip);
  note("eflags", ResultAt.eflags, ~one.row.undef);
  if (sem !== "popa" || !faults) REGS.forEach((name, i) => note(name, ResultAt.regs + 4 * i));
  SEGS.forEach((name, i) => note(name, ResultAt.segs + 4 * i));
  const changes = (v: DataView): string =>
    Array.from({ length: Math.min(SHOWN, v.getUint32(ResultAt.count, true)) }, (_, i) => {
      const word = (n: number): string => v.getUint32(ResultAt.changes + 8 * i + n, true).toString(16);
      return `[${word(0)}] ${word(4)}`;
    }).join(", ");
  if (faults && LEAVE_PARTS.has(sem)) return lines;
  const same = ours.getUint32(ResultAt.hash, true) === host.getUint32(ResultAt.hash, true);
  if (!same) lines.push(`memory: ours ${changes(ours)}; host ${changes(host)}`);
  return lines;
}

/**
 * Compares two results of the oracle of segments: all that the manual defines. Cold.
 */
import type { SegmentCase } from "./generate.ts";
import { ResultAt, SHOWN } from "./places.ts";

const REGS = "eax ecx edx ebx esp ebp esi edi".split(" ");
const SEGS = "cs ss ds es fs gs".split(" ");
const PAGE_FAULT = 14;

/** Differences in words, empty if none. */
export function compareSegments(one: SegmentCase, ours: DataView, host: DataView): string[] {
  const lines: string[] = [];
  const note = (name: string, at: number, mask = 0xffffffff): void => {
    const a = (ours.getUint32(at, true) & mask) >>> 0, b = (host.getUint32(at, true) & mask) >>> 0;
    if (a !== b) lines.push(`${name}: ours ${a.toString(16)}, host ${b.toString(16)}`);
  };
  note("vector", ResultAt.vector);
  note("error", ResultAt.error);
  if (host.getUint32(ResultAt.vector, true) === PAGE_FAULT) note("cr2", ResultAt.cr2);
  note("eip", ResultAt.eip);
  note("eflags", ResultAt.eflags, ~one.row.undef);
  REGS.forEach((name, i) => note(name, ResultAt.regs + 4 * i));
  SEGS.forEach((name, i) => note(name, ResultAt.segs + 4 * i));
  const changes = (v: DataView): string =>
    Array.from({ length: Math.min(SHOWN, v.getUint32(ResultAt.count, true)) }, (_, i) => {
      const word = (n: number): string => v.getUint32(ResultAt.changes + 8 * i + n, true).toString(16);
      return `[${word(0)}] ${word(4)}`;
    }).join(", ");
  const same = ours.getUint32(ResultAt.hash, true) === host.getUint32(ResultAt.hash, true);
  if (!same) lines.push(`memory: ours ${changes(ours)}; host ${changes(host)}`);
  return lines;
}

/**
 * Compares two outcomes of a case: everything the manual defines, and nothing else.
 *
 * Where the manual leaves open what a faulting instruction has done to the x87 state (MASKMOVQ with #PF, conversions to
 * MMX with #XM), that state is not compared; nor is which byte of a masked store CR2 names, nor what a faulting ENTER
 * has pushed.
 *
 * Left out: flags undefined at the end; last instruction and operand pointers of the x87 (processors differ in when
 * they keep them); the mask field of MXCSR; bits of MXCSR that are newer than the Pentium 4; flags after a fault of DIV.
 */
import { type Case, FLAGS_MASK, type Outcome, WINDOW_AT } from "./case.ts";
import type { Step } from "./encode.ts";

/** MXCSR bits of the Pentium 4. */
const MXCSR_BITS = 0xffff;
/** Relative error that RCPPS and RSQRTPS may have on either side. */
const APPROXIMATION = 1.5 * 2 ** -12;

function hex(v: number): string {
  return (v >>> 0).toString(16).padStart(8, "0");
}

function words(a: Uint8Array, at: number, bytes: number): string {
  return Array.from(a.subarray(at, at + bytes)).reverse().map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** Condition bit C1 of the x87 status word, which some processors clear and some keep in FCOMI and its kin. */
const C1 = 0x200;
const KEEPS_C1 = /^fu?comip?/;
/** Instructions with long memory operands. */
const LONG = /^(f(n?save|rstor|ldenv|n?stenv)|fx(save|rstor)|enter|pusha|popa)/;

const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

/** Differences as lines `what: ours, host`; empty: equal. */
export function compare(one: Case, ours: Outcome, host: Outcome): string[] {
  const lines: string[] = [];
  const note = (what: string, a: string, b: string): void => {
    if (a !== b) lines.push(`${what}: ours ${a}, host ${b}`);
  };
  const masked = one.steps.some((s) => s.row.sem.startsWith("maskmov"));
  if (masked && host.vector >= 12) return lines;
  if (wraps(ours, host) || loadsNewerBits(one, ours, host)) return lines;
  note("vector", String(ours.vector), String(host.vector));
  if (lines.length !== 0) return lines;
  if (host.vector === 19 && one.steps.some((s) => /^cvt(t?p[sd]2pi|pi2ps)$/.test(s.row.sem))) {
    note("mxcsr", hex(mxcsr(ours)), hex(mxcsr(host)));
    return lines;
  }
  if (host.vector === 14) {
    // A long operand's first byte to fault depends on the order of the accesses.
    const page = one.steps.some((s) => LONG.test(s.row.sem)) ? ~0xfff : -1;
    note("cr2", hex(ours.cr2 & page), hex(host.cr2 & page));
  }
  if (host.vector >= 10 && host.vector <= 14) note("error code", hex(ours.error), hex(host.error));
  note("eip", hex(ours.eip), hex(host.eip));
  for (let i = 0; i < 8; i++) note(NAMES[i], hex(ours.regs[i]), hex(host.regs[i]));
  const mask = FLAGS_MASK &
    ~(host.vector < 0 ? one.undef : host.vector === 0 ? 0x8d5 : one.steps.length > 1 ? 0x8d5 : 0);
  note("eflags", hex(ours.eflags & mask), hex(host.eflags & mask));
  note("fcw", words(ours.fx, 0, 2), words(host.fx, 0, 2));
  const status = one.steps.some((s) => KEEPS_C1.test(s.row.sem)) ? ~C1 : -1;
  note("fsw", hex(fsw(ours) & status), hex(fsw(host) & status));
  note("ftw", words(ours.fx, 4, 1), words(host.fx, 4, 1));
  note("mxcsr", hex(mxcsr(ours)), hex(mxcsr(host)));
  for (let i = 0; i < 8; i++) note(`st${i}`, words(ours.fx, 32 + 16 * i, 10), words(host.fx, 32 + 16 * i, 10));
  const near = one.steps.some((s) => /^r(cp|sqrt)[sp]s$/.test(s.row.sem));
  for (let i = 0; i < 8; i++) {
    if (near && isNear(ours.fx, host.fx, 160 + 16 * i)) continue;
    note(`xmm${i}`, words(ours.fx, 160 + 16 * i, 16), words(host.fx, 160 + 16 * i, 16));
  }
  if (host.vector >= 0 && one.steps.some((s) => s.row.sem === "enter")) return lines;
  const saved = one.steps.find((s) => s.row.sem === "fxsave");
  const mine = withoutPointers(ours, saved), theirs = withoutPointers(host, saved);
  for (let i = 0; i < mine.length; i += 8) note(`window+${hex(i)}`, words(mine, i, 8), words(theirs, i, 8));
  note("page before the window", hex(ours.hash), hex(host.hash));
  return lines;
}

/**
 * An operand that wraps around at 4 GiB: in a segment of that size it is up to the implementation whether that is a
 * limit violation (SDM-3A 5.3).
 */
function wraps(ours: Outcome, host: Outcome): boolean {
  const near = ours.cr2 >>> 0 >= 0xffffff00 || ours.cr2 >>> 0 < 0x100;
  return ours.vector === 14 && (host.vector === 12 || host.vector === 13) && near;
}

/** LDMXCSR took the misaligned-operand bit, which is newer than the Pentium 4. */
function loadsNewerBits(one: Case, ours: Outcome, host: Outcome): boolean {
  return ours.vector === 13 && (host.fx[26] & 2) !== 0 && one.steps.some((s) => s.row.sem === "ldmxcsr");
}

/** The window; in an image that FXSAVE wrote there, what is not compared is cleared. */
function withoutPointers(o: Outcome, saved: Step | undefined): Uint8Array {
  if (saved === undefined || o.vector >= 0) return o.memory;
  const memory = o.memory.slice(), at = saved.address - WINDOW_AT;
  memory.fill(0, at + 6, at + 24);
  memory.fill(0, at + 26, at + 32);
  return memory;
}

function fsw(o: Outcome): number {
  return o.fx[2] | (o.fx[3] << 8);
}

function mxcsr(o: Outcome): number {
  return (o.fx[24] | (o.fx[25] << 8)) & MXCSR_BITS;
}

/** Lanes equal or within the two allowed errors of one another. */
function isNear(a: Uint8Array, b: Uint8Array, at: number): boolean {
  const va = new DataView(a.buffer, a.byteOffset + at, 16), vb = new DataView(b.buffer, b.byteOffset + at, 16);
  for (let i = 0; i < 16; i += 4) {
    if (va.getUint32(i, true) === vb.getUint32(i, true)) continue;
    const x = va.getFloat32(i, true), y = vb.getFloat32(i, true);
    if (!(Math.abs(x - y) <= 2 * APPROXIMATION * Math.abs(y))) return false;
  }
  return true;
}

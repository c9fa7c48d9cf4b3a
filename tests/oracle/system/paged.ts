/**
 * Cases of the system oracle under paging and with breakpoints in the debug registers, and their campaign. Cold.
 *
 * Left out, with the reason:
 * - An instruction that faults has changed nothing in ours (SDM-3A 6.5); Bochs has then pushed or stored a part, and
 *   marked its page dirty: after #PF and #DF, and after CALL, ENTER and PUSHA that fault, memory and page tables.
 * - LDS and its kin: CR2 of #PF. Bochs reads the selector first, ours (as the host CPU, see ../segments) the offset.
 * - RET far and IRET in virtual-8086 mode: CR2 of #PF, for the order of reading is not defined. In protected mode, where
 *   the host CPU tells, it is compared.
 * - POPF in virtual-8086 mode with IOPL below 3: #GP by the manual; Bochs has looked at the stack, which may be #PF.
 * - A near call beyond the segment's end whose push faults as well: the manual looks at the target first.
 * - UD0 and UD1, whose ModRM older processors do not fetch (SDM-2B UD): what is wrong with its page.
 * - LDS and LES with a register, which is #UD: Bochs fetches a further byte, for a prefix of later processors.
 * - BOUND: Bochs marks the page of the first word accessed, though the second is beyond the limit.
 * - POP of a segment register: whether a breakpoint on the upper half of the stack's dword is met.
 * - Far CALL: error code of #PF. Bochs pushes with the privilege of a conforming segment's descriptor; by the manual it
 *   is CPL that counts (SDM-3A 4.6).
 */
import { Prng } from "../../../lib/base/prng.ts";
import type { EngineName } from "../../../lib/cpu/i386/factory.ts";
import { story, type SystemFailure } from "./campaign.ts";
import { differences } from "./compare.ts";
import { HALF_WRITERS, type SystemCase, systemCase } from "./generate.ts";
import { type Harness, harness } from "./harness.ts";
import { runBochs, runOurs } from "./judges.ts";
import { makePaging, type Paging } from "./paging.ts";
import { CaseAt, GDT_ENTRIES, Mode, Place, RESULT_DWORDS } from "./places.ts";
import { FIRST_RANDOM, Known, makeTables } from "./tables.ts";

/** Different page tables in an image. */
const SETS = 24;
/** A Pentium 4 that has the execute-disable bit. */
const MODEL = "p4_prescott_celeron_336";
/** Dword of the vector in a result; vectors after which Bochs has written a part. */
const VECTOR = 12, GP = 13, PF = 14, PARTS = new Set([8, PF]), ENDS = new Set([1, 3]);
const PG = 0x80000000, WP = 0x10000;

/** Makes a case run under one of the page tables. */
function page(r: Prng, one: SystemCase, sets: readonly Paging[]): void {
  const view = new DataView(one.record.buffer), number = r.below(sets.length), set = sets[number];
  const put = (at: number, value: number): void => view.setUint32(at, value >>> 0, true);
  put(CaseAt.paging, number + 1);
  put(CaseAt.cr0, PG | (r.below(2) === 0 ? WP : 0));
  put(CaseAt.cr4, set.cr4);
  put(CaseAt.efer, set.efer);
  if (r.below(6) !== 0) return;
  // Up to the end of the first page, and over it.
  put(CaseAt.eip, 0xfff - r.below(one.bytes.length + 1));
}

/** Sets breakpoints at what the instruction is likely to touch. */
function watch(r: Prng, one: SystemCase): void {
  const view = new DataView(one.record.buffer);
  const word = (at: number): number => view.getUint32(at, true);
  let dr7 = r.below(4) << 8;
  for (let n = 0; n < 4; n++) {
    const isCode = loadsSs(one) || r.below(3) === 0, length = r.pick([0, 1, 3]);
    const size = isCode ? 1 : length + 1;
    const places = isCode
      ? [Place.code + word(CaseAt.eip), Place.code + word(CaseAt.eip) + one.bytes.length, Place.code + 0x400]
      : [
        Place.data + (one.plain < 0 ? r.below(0x10000) : one.plain + r.below(4)),
        Place.data + (word(CaseAt.regs + 28) & 0xffff),
      ];
    // There the harness's own frames lie on the case's stack.
    if (!isCode && one.mode !== Mode.inner && one.mode !== Mode.real) {
      places.push(Place.stack + (word(CaseAt.regs + 16) & 0xffff) + 4 - r.below(12));
    }
    view.setUint32(CaseAt.dr + 4 * n, r.pick(places) & ~(size - 1), true);
    if (r.below(2) === 0) continue;
    dr7 |= r.pick([1, 2, 3]) << (2 * n);
    if (!isCode) dr7 |= (r.pick([1, 3]) | (length << 2)) << (16 + 4 * n);
  }
  view.setUint32(CaseAt.dr7, dr7 >>> 0, true);
}

/**
 * Is SS loaded? A data breakpoint met by that is reported after the next instruction, even in the handler that this one
 * enters; Bochs forgets it there.
 */
function loadsSs({ row, bytes, modrm }: SystemCase): boolean {
  return (row.sem === "popSreg" && bytes.includes(0x17)) || (row.sem === "movToSreg" && ((modrm >> 3) & 7) === 2);
}

/** Some descriptors reach the windows by the alias behind 4 MiB; tasks of 32 bits have a CR3 that works. */
function adapt(tables: Uint8Array): void {
  for (let index = Known.short; index < GDT_ENTRIES; index++) {
    const access = tables[Place.gdt + 8 * index + 5];
    if ((access & 0x1d) === 9) tables.set([Place.task32 & 0xff, Place.task32 >>> 8, 0], Place.gdt + 8 * index + 2);
    const isData = (access & 0x18) === 0x10,
      chosen = index === Known.short || (index >= FIRST_RANDOM && index % 3 === 0);
    if (isData && chosen) tables[Place.gdt + 8 * index + 4] |= 0x40;
  }
}

/** What a campaign adds to its cases. */
export interface Additions {
  /** Page tables. */
  readonly paged: boolean;
  /** Breakpoints. */
  readonly watched: boolean;
}

/** What an image is made of. */
export interface PagedCases {
  /** Harness. */
  readonly h: Harness;
  /** Segment and interrupt tables. */
  readonly tables: Uint8Array;
  /** Page tables. */
  readonly sets: readonly Paging[];
  /** Cases. */
  readonly cases: readonly SystemCase[];
}

/** Makes cases; equal seeds make equal ones. */
export function pagedCases(seed: number, count: number, { paged, watched }: Additions, only?: RegExp): PagedCases {
  const h = harness(), r = new Prng(seed);
  const tables = makeTables(r, h);
  if (paged) adapt(tables);
  const sets = paged ? Array.from({ length: SETS }, () => makePaging(r, true)) : [];
  const cases = Array.from({ length: count }, () => {
    let one: SystemCase;
    do one = systemCase(r, false, only); while (paged && one.mode === Mode.real);
    if (paged) page(r, one, sets);
    if (watched) watch(r, one);
    return one;
  });
  return { h, tables, sets, cases };
}

/** What is not compared after a vector. */
function left({ row, mode, modrm }: SystemCase, vector: number): ReadonlySet<string> {
  const names: string[] = [];
  if (PARTS.has(vector) || (HALF_WRITERS.has(row.sem) && !ENDS.has(vector))) names.push("windows", "pages");
  if (vector === PF && row.sem === "loadFar") names.push("cr2");
  if (vector === PF && row.sem === "callFar") names.push("error");
  if (vector === PF && (row.sem === "retFar" || row.sem === "iret") && mode === Mode.v86) names.push("cr2");
  if (vector === GP && row.sem === "popf" && mode === Mode.v86) names.push("pages", "vector", "error", "cr2");
  if (vector === GP && /^call(Ind|Rel)$/.test(row.sem)) names.push("vector", "error", "cr2");
  if (/^ud[01]$/.test(row.mnemonic)) names.push("vector", "error", "cr2", "pages");
  if (row.sem === "loadFar" && modrm >= 0xc0) names.push("vector", "error", "cr2", "pages");
  if (row.sem === "bound") names.push("pages");
  if (row.sem === "popSreg") names.push("dr6");
  return new Set(names);
}

/** Runs `count` cases, perhaps of some mnemonics alone; the image holds at most some ten thousand. */
export function pagedCampaign(
  bochs: string,
  seed: number,
  count: number,
  engine: EngineName,
  additions: Additions,
  only?: RegExp,
): SystemFailure[] {
  const { h, tables, sets, cases } = pagedCases(seed, count, additions, only);
  const image = h.image(tables, cases.map((one) => one.record), false, sets.map((one) => one.bytes));
  const theirs = runBochs(bochs, image, count, MODEL).results, ours = runOurs(image, count, engine).results;
  return cases.flatMap((one, index) => {
    const open = left(one, ours[index * RESULT_DWORDS + VECTOR]);
    const lines = differences(one, index, ours, theirs).filter((line) => !open.has(line.split(":")[0]));
    if (lines.length === 0) return [];
    return [{
      index,
      name: one.row.mnemonic,
      text: `case ${index} of seed ${seed}: ${story(one)}\n  ${lines.join("\n  ")}`,
    }];
  });
}

/**
 * The page tables a CPU uses, as a map: one letter for each entry of the page directory, and for one entry of choice one
 * letter for each of its pages with the physical memory behind them. Read from memory without side effects, whatever a
 * guest has put there. Sources: SDM volume 3A, 4.3 and 4.4. Cold.
 *
 * Not emulated: the rights of the upper levels joined to those of a page; NX.
 */
import { hex32 } from "../../base/hex.ts";
import type { CpuView } from "../../machine/cpu_view.ts";
import type { Machine } from "../../machine/machine.ts";

/** A map. */
export interface PageMap {
  /** Kind of paging. */
  readonly mode: "off" | "32-bit" | "PAE";
  /**
   * One letter for each entry of the directory: `.` nothing, `t` a page table, `r` or `w` one large page, read-only or
   * writable; upper case: ring 3 may use it.
   */
  readonly directory: string;
  /** Bytes of linear memory that one entry stands for. */
  readonly span: number;
  /** The entry looked into. */
  readonly entry: number;
  /** One letter for each page of that entry: `.`, `r`, `w` and upper case as above. */
  readonly pages: string;
  /** Linear to physical, ranges of that entry, one line each. */
  readonly ranges: readonly string[];
}

const PRESENT = 1;
const WRITE = 2;
const USER = 4;
const LARGE = 0x80;
const PAGE = 0x1000;
/** CR0.PG, CR4.PSE, CR4.PAE. */
const PG = 0x8000_0000;
const PSE = 0x10;
const PAE = 0x20;
/** Lines of {@linkcode PageMap.ranges}. */
const MOST_RANGES = 64;

/** Makes the map. @param entry Entry of the directory to look into; -1: none. */
export function pageMap(m: Machine, cpu: CpuView, entry: number): PageMap {
  const off: PageMap = { mode: "off", directory: "", span: 0, entry: -1, pages: "", ranges: [] };
  if (cpu.architecture !== "i386" || (cpu.cr0 & PG) === 0) return off;
  const pae = (cpu.cr4 & PAE) !== 0;
  const directory = pae ? paeDirectory(m, cpu.cr3) : table(m, cpu.cr3 & ~0xfff, false);
  const span = pae ? 2 * 2 ** 20 : 4 * 2 ** 20;
  const isLarge = (e: number): boolean => (e & LARGE) !== 0 && (pae || (cpu.cr4 & PSE) !== 0);
  const chosen = directory[entry] ?? 0;
  const known = entry >= 0 && (chosen & PRESENT) !== 0;
  const pages = !known
    ? []
    : isLarge(chosen)
    ? Array.from({ length: span / PAGE }, (_, i) => ((chosen & ~(span - 1)) | (chosen & 0xfff)) + i * PAGE)
    : table(m, chosen & ~0xfff, pae);
  return {
    mode: pae ? "PAE" : "32-bit",
    directory: directory.map((e) => (e & PRESENT) !== 0 && !isLarge(e) ? cased("t", e) : letter(e)).join(""),
    span,
    entry: known ? entry : -1,
    pages: pages.map(letter).join(""),
    ranges: ranges(pages, entry * span),
  };
}

/** The four directories of PAE in a row. */
function paeDirectory(m: Machine, cr3: number): number[] {
  const pointers = words(m, cr3 & ~0x1f, 4, true);
  return pointers.flatMap((p) =>
    (p & PRESENT) === 0 ? new Array<number>(512).fill(0) : table(m, (p & ~0xfff) >>> 0, true)
  );
}

function table(m: Machine, at: number, wide: boolean): number[] {
  return words(m, at, wide ? 512 : 1024, wide);
}

/** Entries; the upper half of wide ones is beyond this machine's memory and left out. */
function words(m: Machine, at: number, count: number, wide: boolean): number[] {
  const size = wide ? 8 : 4;
  const bytes = m.peek(at >>> 0, count * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: count }, (_, i) => view.getUint32(i * size, true));
}

function letter(e: number): string {
  return (e & PRESENT) === 0 ? "." : cased((e & WRITE) === 0 ? "r" : "w", e);
}

function cased(text: string, e: number): string {
  return (e & USER) === 0 ? text : text.toUpperCase();
}

/** Neighbours that lie side by side in physical memory with equal rights are one line. */
function ranges(pages: readonly number[], from: number): string[] {
  const lines: string[] = [];
  for (let i = 0; i < pages.length;) {
    const e = pages[i];
    let n = 1;
    const goesOn = (): boolean => (pages[i + n] ^ (e + n * PAGE)) >>> 12 === 0 && letter(pages[i + n]) === letter(e);
    if ((e & PRESENT) !== 0) {
      while (i + n < pages.length && goesOn()) n++;
      const [first, last] = [from + i * PAGE, from + (i + n) * PAGE - 1];
      if (lines.length === MOST_RANGES) return [...lines, "and more"];
      lines.push(`${hex32(first)}-${hex32(last)} -> ${hex32((e & ~0xfff) >>> 0)} ${letter(e)}`);
    }
    i += n;
  }
  return lines;
}

/**
 * Generates cases of the oracle of segments: one instruction each at privilege level 3, in 16- and 32-bit code, with any
 * of the table's segments in DS, ES, FS and GS, and stacks of both sizes and directions. Cold.
 *
 * Left out is what names the processor or the host's own tables, measures time, or is another instruction on processors
 * of today (LES, LDS, BOUND and others with a register where they ask for memory).
 */
import type { Prng } from "../../../lib/base/prng.ts";
import { type OpRow, OPS } from "../../../lib/spec/i386_ops.ts";
import { integer } from "../generate_values.ts";
import { encodeAny, type Encoded } from "../system/encode_any.ts";
import { CaseAt, CODE_BYTES, LDT_ENTRIES, POKES, Window } from "./places.ts";
import { type Entry, Known } from "./table.ts";

/** A case. */
export interface SegmentCase {
  /** The record. */
  readonly record: Uint8Array;
  /** The row. */
  readonly row: OpRow;
  /** The instruction. */
  readonly encoded: Encoded;
  /** Code size. */
  readonly bits: 16 | 32;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));
const LEFT_OUT = words(
  "fxsave fxrstor ldmxcsr stmxcsr int1 cpuid rdtsc rdpmc rsm vmcall movFromTr movToTr sysenter sysexit sgdt sidt sldt str smsw in out ins outs",
);
const FAR_MEMORY = words("loadFar callFar jmpFar");
const SELECTORS = words("loadFar callFar jmpFar retFar iret movToSreg popSreg lar lsl verr verw arpl");
/** Memory alone by the manual of the Pentium 4; with a register it is something else today. */
const MEMORY_ONLY = /^(M|m)/;

const isFloating = (row: OpRow): boolean =>
  row.prefix !== undefined || ["mmx", "x87", "fxsr", "sse", "sse2"].includes(row.feature ?? "") ||
  (row.opcode >= 0xd8 && row.opcode <= 0xdf);
const ROWS: readonly OpRow[] = OPS.filter((row) => !isFloating(row) && !LEFT_OUT.has(row.sem));
/** Of the x87, MMX and SSE, what is in memory: how their operands are reached, not what they compute. */
const FLOATING_ROWS: readonly OpRow[] = OPS.filter((row) =>
  isFloating(row) && !LEFT_OUT.has(row.sem) && row.operands.some((o) => /^(E|M|Q|W|m)/.test(o))
);
const SEGMENT_ROWS = ROWS.filter((row) => SELECTORS.has(row.sem));

/** Null, the flat segments of the system, its own ones, and past the end. */
const OTHERS = [0, 1, 2, 3, 0x23, 0x2b, 0x2b, 0x28, 0x08, 0x10, 0x18, 0x1b, 0x80, 0x13b, 0xfff8];

/** A selector: mostly of the table. */
export function selector(r: Prng): number {
  if (r.below(8) === 0) return r.pick(OTHERS);
  const index = r.below(40) === 0 ? LDT_ENTRIES + 0x2000 - r.below(0x1000) & 0x1fff : r.below(LDT_ENTRIES);
  return (index << 3) | 4 | (r.below(4) === 0 ? r.below(4) : 3);
}

const own = (index: number): number => (index << 3) | 7;

/** Makes cases for one table. */
export class SegmentGenerator {
  readonly #r: Prng;
  readonly #table: readonly Entry[];
  readonly #only: RegExp;

  /** @param only Mnemonics. */
  constructor(r: Prng, table: readonly Entry[], only: RegExp = /^/) {
    this.#r = r;
    this.#table = table;
    this.#only = only;
  }

  /** The next case. */
  next(): SegmentCase {
    const r = this.#r;
    const cs = r.pick([Known.code16, Known.code32, Known.code32, Known.flatCode]);
    const bits = cs === Known.code16 ? 16 : 32;
    let row: OpRow;
    const wanted = (list: readonly OpRow[]): boolean => list.some((o) => this.#only.test(o.mnemonic));
    const rows = [r.pick([SEGMENT_ROWS, ROWS, ROWS, ROWS, FLOATING_ROWS]), ROWS, FLOATING_ROWS].find(wanted) ?? ROWS;
    do row = r.pick(rows); while (!this.#only.test(row.mnemonic));
    const usesSelector = SELECTORS.has(row.sem);
    const wish = { bits, plain: usesSelector && r.below(6) !== 0, keepEsp: false, far: selector(r) } as const;
    let encoded: Encoded;
    do encoded = encodeAny(r, row, wish); while (isOther(row, encoded));
    const record = new Uint8Array(CaseAt.size), view = new DataView(record.buffer);
    const put = (at: number, value: number): void => view.setUint32(at, value >>> 0, true);
    const data = [this.#data(), this.#data(), this.#data(), this.#data()];
    const stack = r.pick([
      Known.stack16,
      Known.stack32,
      Known.stack16,
      Known.stack32,
      Known.flat,
      Known.stackDown16,
      Known.stackDown32,
      Known.oddStack,
    ]);
    const flat = data.includes(own(Known.flat)) || cs === Known.flatCode;
    const regs = this.#registers(stack, flat, usesSelector);
    // Mostly inside a page, now and then up to its end.
    const offset = r.below(6) === 0 ? 0x3000 - 1 - r.below(encoded.bytes.length + 1) : 0x100 + r.below(0x800);
    if (/^sh[lr]d$/.test(row.sem)) regs[1] &= ~0x10; // a count above the operand's size leaves nothing defined
    regs.forEach((v, i) => put(CaseAt.regs + 4 * i, v));
    put(CaseAt.eflags, this.#flags());
    put(CaseAt.eip, cs === Known.flatCode ? Window.code + offset : offset);
    [own(cs), own(stack), ...data].forEach((v, i) => put(CaseAt.segs + 4 * i, v));
    put(CaseAt.at, Window.code + offset);
    record.fill(0xcc, CaseAt.code, CaseAt.code + CODE_BYTES);
    record.set(encoded.bytes.slice(0, CODE_BYTES), CaseAt.code);
    this.#pokes(row, encoded, data[0], regs[4], stack, cs === Known.flatCode, put);
    return { record, row, encoded, bits };
  }

  #data(): number {
    const r = this.#r;
    if (r.below(16) === 0) return 0;
    if (r.below(16) === 0) return 0x2b;
    const fits = (e: Entry): boolean => e.present && (e.contents < 2 || !e.closed);
    for (;;) {
      const index = r.below(3) !== 0
        ? r.pick([Known.data16, Known.data32, Known.extra, Known.flat, Known.down16, Known.down32])
        : r.below(LDT_ENTRIES);
      if (fits(this.#table[index])) return own(index);
    }
  }

  #registers(stack: number, flat: boolean, selectors: boolean): number[] {
    const r = this.#r;
    const regs = Array.from({ length: 8 }, () => {
      if (selectors && r.below(3) !== 0) return selector(r);
      if (flat && r.below(2) === 0) return Window.data + r.below(0x30000);
      return r.below(3) === 0 ? integer(r) : r.below(0x10000);
    });
    const { base, big } = this.#table[stack];
    let esp = 0x8000 + 4 * r.below(64) + (r.below(8) === 0 ? r.below(4) : 0);
    if (r.below(10) === 0) {
      esp = r.pick([0, 1, 2, 3, 4, 5, 8, 0xffff, 0xfffe, 0xfffc, 0x8000, 0x8001, 0x10000, 0x7ffe, r.below(0x10000)]);
    }
    if (stack === Known.flat) esp += Window.stack;
    else if (!big && r.below(2) === 0) esp = (esp & 0xffff) | (r.u32() << 16);
    regs[4] = esp;
    if (r.below(3) !== 0) regs[5] = base === 0 ? Window.stack + 0x8000 + 4 * r.below(64) : 0x8000 + 4 * r.below(64);
    return regs;
  }

  #flags(): number {
    const r = this.#r;
    return 0x302 | (r.u32() & 0x8d5) | (r.below(4) === 0 ? 0x400 : 0) | (r.below(6) === 0 ? 0x40000 : 0);
  }

  /** Puts selectors and offsets where the instruction will find them. */
  #pokes(
    row: OpRow,
    encoded: Encoded,
    ds: number,
    esp: number,
    stack: number,
    flat: boolean,
    put: (at: number, value: number) => void,
  ): void {
    const r = this.#r;
    let n = 0;
    const poke = (at: number, value: number): void => {
      if (n >= POKES) return;
      put(CaseAt.pokes + 8 * n, at);
      put(CaseAt.pokes + 8 * n++ + 4, value);
    };
    const offset = (): number =>
      (flat && r.below(2) === 0 ? Window.code : 0) + r.below(r.below(8) === 0 ? 0x20000 : 0x10000);
    const wide = encoded.opSize === 32;
    const values = (list: readonly number[], at: number): void => {
      if (wide) return list.forEach((v, i) => poke(at + 4 * i, v));
      for (let i = 0; i < list.length; i += 2) poke(at + 2 * i, (list[i] & 0xffff) | ((list[i + 1] ?? 0) << 16));
    };
    if (encoded.plain >= 0 && ds > 3 && (ds & 4) !== 0) {
      const at = this.#table[ds >> 3].base + encoded.plain;
      if (FAR_MEMORY.has(row.sem)) values([offset(), selector(r)], at);
      else if (SELECTORS.has(row.sem)) poke(at, selector(r) | (r.u32() << 16));
    }
    const { base, big } = this.#table[stack];
    const top = base + (big ? esp : esp & 0xffff);
    // No nested task, which means something else to a host of 64 bits.
    if (row.sem === "iret") values([offset(), selector(r), r.u32() & ~0x4000], top);
    else if (row.sem === "retFar") values([offset(), selector(r)], top);
    else if (row.sem === "popSreg") poke(top, selector(r) | (r.u32() << 16));
    else if (row.sem === "popf") poke(top, r.u32() & ~0x4000);
  }
}

/** Is it another instruction on processors of today, or one that leaves this mode? */
function isOther(row: OpRow, encoded: Encoded): boolean {
  const { bytes, modrm } = encoded, last = bytes[bytes.length - 1];
  if (/^sh[lr]d$/.test(row.sem) && row.operands.includes("Ib") && (last & 0x10) !== 0) return true;
  if (row.sem === "int" && last === 0x80) return true;
  const operand = row.operands.find((o) => MEMORY_ONLY.test(o));
  if (modrm >= 0xc0 && (row.mod === "mem" || operand !== undefined)) return true;
  // With a lock MOV CR0 is MOV CR8 on some.
  return bytes.includes(0xf0) && (row.sem === "movFromCr" || row.sem === "movToCr");
}

/**
 * Generates cases of the system oracle: one instruction each, in real mode, virtual-8086 mode, and 16- and 32-bit
 * protected mode at rings 0 and 3, with segment registers, stacks and tables that are sometimes wrong. Cold.
 */
import type { Prng } from "../../../lib/base/prng.ts";
import { type OpRow, OPS } from "../../../lib/spec/i386_ops.ts";
import { integer } from "../generate_values.ts";
import { encodeAny, type Encoded } from "./encode_any.ts";
import { CaseAt, Mode, Place, POKES, Sums } from "./places.ts";
import { Known, selector } from "./tables.ts";

/** A case. */
export interface SystemCase {
  /** The record for the image. */
  readonly record: Uint8Array;
  /** How it is entered. */
  readonly mode: number;
  /** Code size. */
  readonly bits: 16 | 32;
  /** The row. */
  readonly row: OpRow;
  /** The instruction's bytes. */
  readonly bytes: readonly number[];
  /** Are the data windows summed and filled anew after it? */
  readonly isSummed: boolean;
  /** ModRM, or -1. */
  readonly modrm: number;
  /** Offset in DS of a memory operand without registers, or -1. */
  readonly plain: number;
  /** EFLAGS bits not to be compared. */
  readonly undef: number;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));
/** Never: they measure time or name the processor, or belong to other oracles. */
const LEFT_OUT = words("cpuid rdtsc rdpmc rsm vmcall movFromTr movToTr hlt in out ins outs");
/** Not where they would be obeyed: they take the harness its tables or the machine. */
const OBEYED = words("movToCr movToDr lmsw lgdt lidt wrmsr rdmsr invd wbinvd sysexit sysenter movFromDr");
/** About segments, tables, gates and rings. */
const SYSTEM = words(
  "pushSreg popSreg movFromSreg movToSreg loadFar callFar jmpFar retFar iret int int3 into int1 arpl lar lsl verr verw " +
    "sldt str sgdt sidt smsw lldt ltr clts movFromCr pushf popf cli sti",
);
const FAR_MEMORY = words("loadFar callFar jmpFar");
/** What Bochs leaves half done on the stack when they fail. */
export const HALF_WRITERS: ReadonlySet<string> = words("callFar callInd callRel enter pusha");
const POPS = words("popSreg retFar iret");

const ROWS: readonly OpRow[] = OPS.filter((row) =>
  row.prefix === undefined && row.feature !== "mmx" && row.feature !== "x87" && row.feature !== "fxsr" &&
  row.feature !== "sse" && row.feature !== "sse2" && !(row.opcode >= 0xd8 && row.opcode <= 0xdf) &&
  !LEFT_OUT.has(row.sem)
);
const SYSTEM_ROWS = ROWS.filter((row) => SYSTEM.has(row.sem));

/** A case; `windows` asks for the sums of the data windows after it, `only` names mnemonics. */
export function systemCase(r: Prng, windows: boolean, only: RegExp = /^/): SystemCase {
  const mode = r.pick([Mode.v86, Mode.real, Mode.inner, Mode.outer, Mode.inner, Mode.outer]);
  // Flags in frames on a case's own stack would carry undefined bits into later cases.
  const obeys = mode === Mode.real || mode === Mode.inner;
  // There the handler's frame goes where ESP points; processors differ in what a frame that does not fit leaves behind.
  const keepsEsp = mode === Mode.real || mode === Mode.inner;
  const system = r.below(2) === 0 && SYSTEM_ROWS.some((o) => only.test(o.mnemonic));
  let row: OpRow;
  do row = r.pick(system ? SYSTEM_ROWS : ROWS); while (
    !only.test(row.mnemonic) || (obeys && (OBEYED.has(row.sem) || row.undef !== 0)) || (keepsEsp && namesEsp(row))
  );
  const isProtected = mode === Mode.inner || mode === Mode.outer;
  const bits = isProtected && r.below(2) === 0 ? 32 : 16;
  const usesSelector = SYSTEM.has(row.sem);
  const wish = {
    bits,
    plain: usesSelector && (!isProtected || FAR_MEMORY.has(row.sem) || r.below(8) !== 0),
    keepEsp: keepsEsp,
    far: isProtected ? selector(r) : Place.code >>> 4,
  } as const;
  let encoded: Encoded;
  do encoded = encodeAny(r, row, wish); while (isDisputed(row, encoded));
  const record = new Uint8Array(CaseAt.size), view = new DataView(record.buffer);
  const put = (at: number, value: number): void => view.setUint32(at, value >>> 0, true);
  const regs = registers(r, mode, usesSelector && isProtected, SYSTEM.has(row.sem));
  if (row.sem === "movToSreg" && mode === Mode.real) regs.fill(0x3000, 0, 4).fill(0x4000, 5);
  if (row.sem === "leave" && (mode === Mode.real || mode === Mode.inner)) regs[5] = 0x8000 + 4 * r.below(64);
  // ENTER copies frame pointers from below EBP.
  if (row.sem === "enter" && r.below(4) !== 0) regs[5] = 0x8080 + 4 * r.below(64);
  put(CaseAt.mode, mode);
  put(CaseAt.eflags, flags(r, mode, row));
  put(CaseAt.eip, 0x100 + r.below(16));
  put(CaseAt.codeBase, Place.code);
  // What Bochs leaves of an instruction that fails shall not reach later cases.
  const isSummed = windows || HALF_WRITERS.has(row.sem);
  put(CaseAt.sums, isSummed ? Sums.fresh : Sums.none);
  segments(r, mode, bits, put);
  regs.forEach((v, i) => put(CaseAt.regs + 4 * i, v));
  record.set(encoded.bytes.slice(0, 16), CaseAt.code);
  record.fill(0xcc, CaseAt.code + encoded.bytes.length, CaseAt.code + 16);
  pokes(r, row, encoded, mode, regs[4], put);
  return {
    record,
    mode,
    bits,
    row,
    bytes: encoded.bytes,
    isSummed,
    modrm: encoded.modrm,
    plain: encoded.plain,
    undef: row.undef,
  };
}

/** Is ESP an operand by the opcode? */
function namesEsp(row: OpRow): boolean {
  return (row.opcode & 7) === 4 && row.operands.some((o) => o === "Zv" || o === "Zb");
}

/**
 * Where processors differ among themselves, or Bochs from all of them: the upper half that PUSH of a segment register
 * leaves on a 32-bit stack; ARPL that changes nothing, which asks for a writable operand in Bochs only.
 */
function isDisputed(row: OpRow, encoded: Encoded): boolean {
  if (row.sem === "pushSreg") return encoded.opSize === 32;
  return row.sem === "arpl" && encoded.modrm < 0xc0;
}

function registers(r: Prng, mode: number, selectors: boolean, insideStack: boolean): number[] {
  const regs = Array.from({ length: 8 }, () => {
    if (selectors && r.below(3) !== 0) return selector(r);
    return r.below(3) === 0 ? integer(r) : r.below(0x10000);
  });
  const rare = mode === Mode.real || mode === Mode.inner || insideStack ? 0 : 10;
  regs[4] = rare !== 0 && r.below(rare) === 0 ? r.pick([0, 1, 2, 3, 4, 0xffff, 0xfffe]) : 0x8000 + 4 * r.below(64);
  // What a switch to a 16-bit inner stack leaves in the upper half of ESP differs; ours is the manual's.
  if (mode !== Mode.real && !insideStack && r.below(8) === 0) regs[4] |= r.u32() << 16;
  return regs;
}

function flags(r: Prng, mode: number, row: OpRow): number {
  let f = 0x102 | (r.u32() & 0xcd5) | (r.below(4) << 12);
  if (mode === Mode.v86) f |= 0x20000;
  if (mode !== Mode.real && r.below(4) === 0) f |= 0x200;
  if (row.sem === "iret" && r.below(6) === 0) f |= 0x4000;
  // The manuals do not say whether a single-step trap survives the switch to another task; behind it lies INT3.
  if (row.sem === "jmpFar" || row.sem === "callFar" || (f & 0x4000) !== 0) f &= ~0x100;
  if (mode === Mode.real) f &= 0xffff;
  return f;
}

function segments(r: Prng, mode: number, bits: 16 | 32, put: (at: number, value: number) => void): void {
  if (mode === Mode.real || mode === Mode.v86) {
    const odd = r.pick([0x3800, 0x4800, 0x4000]);
    [0x2000, 0x5000, 0x3000, 0x4000, odd, 0x3000].forEach((v, i) => put(CaseAt.cs + 4 * i, v));
    return;
  }
  const ring = mode === Mode.inner ? 0 : 3;
  const code = ring === 0
    ? (bits === 16 ? Known.code16Ring0 : Known.code32Ring0)
    : (bits === 16 ? Known.code16Ring3 : Known.code32Ring3);
  const small = r.below(2) === 0;
  const stack = ring === 0
    ? (small ? Known.stack16Ring0 : Known.stack32Ring0)
    : (small ? Known.stack16Ring3 : Known.stack32Ring3);
  const data = (): number => {
    if (r.below(12) === 0) return 0;
    const index = r.below(3) !== 0
      ? r.pick([Known.dataRing3, Known.extraRing3])
      : r.pick([Known.expandDown, Known.readOnly, Known.short, Known.code32Ring3, Known.conforming]);
    return (index << 3) | (index === Known.conforming ? 0 : ring);
  };
  [(code << 3) | ring, (stack << 3) | ring, data(), data(), data(), data()].forEach((v, i) =>
    put(CaseAt.cs + 4 * i, v)
  );
}

/** Puts selectors and offsets where the instruction will find them. */
function pokes(
  r: Prng,
  row: OpRow,
  encoded: Encoded,
  mode: number,
  esp: number,
  put: (at: number, value: number) => void,
): void {
  let n = 0;
  const poke = (at: number, value: number): void => {
    if (n >= POKES) return;
    put(CaseAt.pokes + 8 * n, at);
    put(CaseAt.pokes + 8 * n + 4, value);
    n++;
  };
  const real = mode === Mode.real || mode === Mode.v86;
  const isV86 = mode === Mode.v86 || row.sem === "iret";
  const any = (): number => {
    if (mode === Mode.real) return r.pick([0x2000, 0x3000, 0x4000, 0x5000]);
    return real ? r.below(0x10000) : selector(r);
  };
  const code = (): number => real ? Place.code >>> 4 : selector(r);
  // What a return to virtual-8086 mode does with the upper half of EIP is told differently by the manuals.
  const offset = (): number => 0x200 + r.below(!isV86 && r.below(8) === 0 ? 0x20000 : 0x8000);
  if (encoded.plain >= 0 && SYSTEM.has(row.sem)) {
    const at = Place.data + encoded.plain;
    if (!FAR_MEMORY.has(row.sem)) poke(at, any() | (r.u32() << 16));
    else if (encoded.opSize === 16) {
      poke(at, (offset() & 0xffff) | ((row.sem === "loadFar" ? any() : code()) << 16));
    } else {
      poke(at, offset());
      poke(at + 4, row.sem === "loadFar" ? any() : code());
    }
  }
  if (!POPS.has(row.sem)) return;
  const top = Place.stack + (esp & 0xffff);
  if ((esp & 0xffff) > 0xff00) return;
  if (row.sem === "popSreg") poke(top, any() | (r.u32() << 16));
  else popFrame(r, row, encoded, mode, top, poke, code, offset);
}

/** What RET far and IRET pop: offset, selector, flags, outer stack, and data segments of a virtual-8086 return. */
function popFrame(
  r: Prng,
  row: OpRow,
  encoded: Encoded,
  mode: number,
  top: number,
  poke: (at: number, value: number) => void,
  code: () => number,
  offset: () => number,
): void {
  const wide = encoded.opSize === 32, step = wide ? 4 : 2;
  const toV86 = row.sem === "iret" && wide && mode === Mode.inner && r.below(3) === 0;
  const newFlags = (r.u32() & (r.below(3) === 0 ? 0x7ed7 : 0x0ed5)) | (toV86 ? 0x20000 : 0);
  const values = row.sem === "iret" ? [offset(), toV86 ? Place.code >>> 4 : code(), newFlags] : [offset(), code()];
  const skip = row.sem === "retFar" && row.operands.length > 0
    ? encoded.bytes.at(-2)! | (encoded.bytes.at(-1)! << 8)
    : 0;
  const outer = [0x8000 + 4 * r.below(16), toV86 ? Place.stack >>> 4 : r.below(3) === 0 ? selector(r) : stackOf(r)];
  if (toV86) values.push(...outer, 0x3000, 0x4000, 0x3800);
  if (wide) values.forEach((v, i) => poke(top + 4 * i, v));
  else pairs(values, top, poke);
  if (toV86) return;
  const at = top + step * values.length + skip;
  if (wide) outer.forEach((v, i) => poke(at + 4 * i, v));
  else pairs(outer, at, poke);
}

function pairs(values: readonly number[], at: number, poke: (at: number, value: number) => void): void {
  for (let i = 0; i < values.length; i += 2) {
    poke(at + 2 * i, (values[i] & 0xffff) | ((values[i + 1] ?? 0) << 16));
  }
}

function stackOf(r: Prng): number {
  const [index, ring] = r.pick([
    [Known.stack32Ring3, 3],
    [Known.stack16Ring3, 3],
    [Known.stack32Ring1, 1],
    [Known.stack16Ring2, 2],
  ]);
  return (index << 3) | ring;
}

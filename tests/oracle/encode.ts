/**
 * Encodes instructions from rows of the opcode table, with random operands that stay within the oracle's memory.
 *
 * The encoder is the test's own, so that it shares no error with the decoder it tests. Sources: SDM-2A chapter 2.
 */
import type { Prng } from "../../lib/base/prng.ts";
import type { Operand, OpRow } from "../../lib/spec/i386_ops.ts";
import { WINDOW_AT, WINDOW_BYTES } from "./case.ts";
import { integer } from "./generate_values.ts";

/** An encoded instruction and what a harness without a decoder needs of it. */
export interface Step {
  /** Row. */
  readonly row: OpRow;
  /** Bytes. */
  readonly bytes: readonly number[];
  /** ModRM. */
  readonly modrm: number;
  /** True if r/m is memory. */
  readonly isMem: boolean;
  /** Linear address of the memory operand. */
  readonly address: number;
  /** Immediate, zero-extended. */
  readonly imm: number;
  /** Operand size. */
  readonly opSize: 16 | 32;
  /** Address size. */
  readonly addrSize: 16 | 32;
}

/** What an operand may use. */
export interface Limits {
  /** Register values at this point; changed where an instruction needs a certain value. */
  readonly regs: Uint32Array;
  /** General registers that may be destinations or sources. */
  readonly general: readonly number[];
  /** General registers that addresses may be built from: their values are known. */
  readonly pointers: readonly number[];
  /** True if register values may be changed for the instruction's sake. */
  readonly adjustable: boolean;
}

/** Bytes of a memory operand by operand code; absent: by operand size or width. */
const SIZES: Readonly<Partial<Record<Operand, number>>> = {
  "Eb": 1,
  "Mb": 1,
  "Ew": 2,
  "Mw": 2,
  "RdMw": 2,
  "RdMb": 1,
  "m2byte": 2,
  "m16int": 2,
  "Ed": 4,
  "Md": 4,
  "Qd": 4,
  "Wd": 4,
  "m32fp": 4,
  "m32int": 4,
  "Mq": 8,
  "Qq": 8,
  "Wq": 8,
  "m64fp": 8,
  "m64int": 8,
  "Mdq": 16,
  "Wdq": 16,
  "m80fp": 10,
  "m80bcd": 10,
  "m14/28byte": 28,
  "m94/108byte": 108,
  "m512byte": 512,
};

const IN_RM = /^(E|M|R|Q|N|W|U|m)/;
const IN_REG = /^(G|P|V|S|C|D|T)/;

function rmOperand(row: OpRow): Operand | undefined {
  return row.operands.find((o) => IN_RM.test(o));
}

function hasModrm(row: OpRow): boolean {
  return row.digit !== undefined || row.modrm !== undefined || row.hasModrm === true ||
    row.operands.some((o) => IN_RM.test(o) || IN_REG.test(o));
}

/** True if the row's r/m operand can be memory / a register. */
function forms(row: OpRow): { readonly mem: boolean; readonly reg: boolean } {
  const o = rmOperand(row);
  if (row.modrm !== undefined || o === undefined) return { mem: row.mod === "mem", reg: row.mod !== "mem" };
  const memOnly = row.mod === "mem" || /^(M|m)/.test(o), regOnly = row.mod === "reg" || /^(N|U|Rd$|Rv$|Rw$)/.test(o);
  return { mem: !regOnly, reg: !memOnly };
}

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);
}

/** Linear address of a memory operand: mostly inside the window, now and then across its end. */
function target(r: Prng, size: number): number {
  if (size > 400) return WINDOW_AT;
  const end = WINDOW_AT + WINDOW_BYTES;
  if (r.below(40) === 0) return end - r.below(size + 2);
  const at = WINDOW_AT + r.below(WINDOW_BYTES - size);
  return r.below(size >= 16 ? 12 : 3) === 0 ? at : at & ~(size >= 16 ? 15 : size - 1 & 7);
}

/** ModRM, SIB and displacement for an absolute target. */
function address(r: Prng, at: number, reg: number, limits: Limits): number[] {
  const base = limits.pointers.length === 0 ? -1 : r.pick(limits.pointers);
  const kind = base < 0 ? 0 : r.below(4);
  if (kind === 0) return [(reg << 3) | 5, ...little(at, 4)];
  if (kind === 1) { // base and displacement
    const by = (at - limits.regs[base]) | 0;
    const sib = base === 4 ? [0x24] : [];
    if (by === 0 && base !== 5) return [(reg << 3) | base, ...sib];
    return by >= -128 && by < 128
      ? [0x40 | (reg << 3) | base, ...sib, by & 0xff]
      : [0x80 | (reg << 3) | base, ...sib, ...little(by, 4)];
  }
  const index = r.pick(limits.pointers), scale = r.below(4);
  const scaled = index === 4 ? 0 : limits.regs[index] << scale;
  if (kind === 2) { // base, index and displacement
    return [0x84 | (reg << 3), (scale << 6) | (index << 3) | base, ...little((at - limits.regs[base] - scaled) | 0, 4)];
  }
  return [0x04 | (reg << 3), (scale << 6) | (index << 3) | 5, ...little((at - scaled) | 0, 4)];
}

/** A count above the operand size leaves them undefined. */
const DOUBLE_SHIFTS = new Set(["shld", "shrd"]);
const BIT_STRING = new Set(["bt", "bts", "btr", "btc"]);

/** Immediate bytes of the row's operands. `skip` is the distance of a relative jump. */
function immediates(r: Prng, row: OpRow, opSize: number, addrSize: number, skip: number): number[] {
  const bytes: number[] = [];
  for (const o of row.operands) {
    if (o === "Ib" && opSize === 16 && DOUBLE_SHIFTS.has(row.sem)) bytes.push(r.below(16));
    else if (o === "Ib" || o === "sIb") {
      bytes.push(row.sem === "enter" ? r.below(4) : r.below(3) === 0 ? r.below(36) : r.below(256));
    } else if (o === "Iw") bytes.push(...little(row.sem === "enter" ? r.below(64) : 4 * r.below(8), 2));
    else if (o === "Iz") bytes.push(...little(integer(r), opSize >> 3));
    else if (o === "Jb") bytes.push(skip);
    else if (o === "Jz") bytes.push(...little(skip, opSize >> 3));
    else if (o === "Ob" || o === "Ov") bytes.push(...little(target(r, 4), addrSize >> 3));
  }
  return bytes;
}

/** One instruction of a row. */
export function encode(r: Prng, row: OpRow, limits: Limits, skip: number): Step {
  const prefixes: number[] = [];
  const relative = row.operands.includes("Jz");
  const narrows = !DOUBLE_SHIFTS.has(row.sem) || limits.adjustable || row.operands.includes("Ib");
  const sized = row.prefix === undefined && row.width === "v" && !relative && row.ends === false && narrows;
  const opSize = row.opSize ?? (sized && r.below(4) === 0 ? 16 : 32);
  const addrSize = row.addrSize ?? (row.sem === "lea" && r.below(6) === 0 ? 16 : 32);
  if (r.below(30) === 0) prefixes.push(r.pick([0x26, 0x36, 0x3e, 0x2e, 0x26, 0x36, 0x3e, 0x64, 0x65]));
  if (opSize === 16 && row.prefix === undefined) prefixes.push(0x66);
  if (addrSize === 16) prefixes.push(0x67);
  if (row.rep !== undefined && r.below(2) === 0) prefixes.push(row.rep === "rep" ? 0xf3 : r.pick([0xf2, 0xf3]));
  if (opSize === 16 && DOUBLE_SHIFTS.has(row.sem) && limits.adjustable) limits.regs[1] &= ~0x10;
  const general = row.ends ? limits.general.filter((n) => n !== 4) : limits.general; // no code on the stack
  const form = forms(row);
  const isMem = form.mem && (!form.reg || r.below(2) === 0);
  if (row.lock && isMem && r.below(8) === 0) prefixes.push(0xf0);
  if (row.prefix !== undefined && row.prefix !== 0) prefixes.push(row.prefix);
  const opcode = row.opcode >= 0x0f00 ? [0x0f, row.opcode & 0xff] : [row.opcode];
  let modrm = 0, at = 0, body: number[] = [];
  if (row.modrm !== undefined) body = [modrm = row.modrm];
  else if (hasModrm(row)) {
    const byteRegs = row.operands.some((o) => o === "Gb" || o === "Eb");
    const simdReg = row.operands.some((o) => /^(P|V)/.test(o)),
      simdRm = row.operands.some((o) => /^(Q|N|W|U|sti)/.test(o));
    const choose = (simd: boolean): number =>
      simd
        ? r.below(8)
        : byteRegs
        ? r.pick(general) | (r.below(2) << 2 & (limits.adjustable ? 4 : 0))
        : r.pick(general);
    const reg = row.digit ?? choose(simdReg);
    if (isMem) {
      const o = rmOperand(row);
      const size = (o === undefined ? undefined : SIZES[o]) ?? (o === "Ma" ? 8 : opSize >> 3);
      at = target(r, size);
      if (addrSize === 16) {
        body = [0x80 | (reg << 3) | r.below(8), ...little(r.u32(), 2)];
      } else body = address(r, at, reg, limits);
      if (BIT_STRING.has(row.sem) && row.operands[1] === "Gv" && limits.adjustable) {
        bitOffset(r, limits.regs, reg, body);
      }
    } else body = [0xc0 | (reg << 3) | choose(simdRm)];
    modrm = body[0];
  }
  const imm = immediates(r, row, opSize, addrSize, skip);
  const bytes = [...prefixes, ...opcode, ...body, ...imm];
  const value = imm.reduce((sum, b, i) => sum + b * 2 ** (8 * i), 0);
  return { row, bytes, modrm, isMem, address: at, imm: value, opSize, addrSize };
}

/** Keeps the bit offset of BT and its kin near the operand, unless the register is part of the address. */
function bitOffset(r: Prng, regs: Uint32Array, reg: number, body: readonly number[]): void {
  const usesRegister = body.length > 5 || (body[0] & 0xc7) !== 5;
  if (!usesRegister && reg !== 4) regs[reg] = r.below(1024) - 512;
}

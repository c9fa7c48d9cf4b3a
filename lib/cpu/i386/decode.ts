/**
 * From bytes to one decoded instruction: prefixes, opcode, ModRM, SIB, displacement, immediates. Source: SDM-2A chapter 2,
 * SDM-2D appendix A. Warm: one object is refilled, nothing is allocated.
 */
import { type OpRow, OPS } from "../../spec/i386_ops.ts";
import type { Operand } from "../../spec/i386_op_row.ts";
import type { OpcodeEntry, OpcodeIndex } from "./opcode_index.ts";

/** No base or index register. */
export const NO_REGISTER = 8;

/** Bytes an instruction may have. */
export const LONGEST_INSTRUCTION = 15;

/** What decoding came to. */
export const DecodeStatus = {
  /** Decoded. */
  ok: 0,
  /** No such instruction: #UD. */
  undefined: 1,
  /** More bytes are needed than are available. */
  more: 2,
  /** Over fifteen bytes: #GP(0). */
  tooLong: 3,
} as const;

/** One of {@linkcode DecodeStatus}. */
export type DecodeStatus = typeof DecodeStatus[keyof typeof DecodeStatus];

/** A decoded instruction; refilled by {@linkcode decode}. */
export class Decoded {
  /** Row of the opcode table. */
  row: OpRow = OPS[0];
  /** Its index in the table. */
  rowIndex = 0;
  /** Opcode as in the table. */
  opcode = 0;
  /** Operand size attribute. */
  opSize: 16 | 32 = 32;
  /** Address size attribute. */
  addrSize: 16 | 32 = 32;
  /** Width of the operation by the row; 0 where it means nothing. */
  width = 0;
  /** 0, 0xf2 or 0xf3: the last repeat prefix. */
  rep = 0;
  /** LOCK prefix. */
  lock = false;
  /** Effective segment 0-5 of the memory or string source operand. */
  seg = 3;
  /** Segment override 0-5, or -1. */
  segOverride: number = -1;
  /** ModRM.reg. */
  reg = 0;
  /** ModRM.rm, or the low three opcode bits. */
  rm = 0;
  /** The r/m operand is memory. */
  isMem = false;
  /** ModRM byte, 0 without one. */
  modrm = 0;
  /** First immediate or relative target, i32. */
  imm = 0;
  /** Second immediate. */
  imm2 = 0;
  /** Bytes. */
  length = 0;
  /** Base register or {@linkcode NO_REGISTER}. */
  base: number = NO_REGISTER;
  /** Index register or {@linkcode NO_REGISTER}. */
  index: number = NO_REGISTER;
  /** Shift of the index, 0-3. */
  scale = 0;
  /** Displacement, i32. */
  disp = 0;
}

/** Where reading stands; one for all, reset by each decode. */
const cursor: { bytes: Uint8Array; at: number; end: number; start: number } = {
  bytes: new Uint8Array(0),
  at: 0,
  end: 0,
  start: 0,
};

/** Prefix bytes to segment override. */
const OVERRIDES: Readonly<Record<number, number>> = { 0x26: 0, 0x2e: 1, 0x36: 2, 0x3e: 3, 0x64: 4, 0x65: 5 };

/**
 * Decodes one instruction.
 *
 * @param bytes Holds the instruction. @param at Where it begins. @param available Bytes that may be read from there.
 * @param is32 Default operand and address size is 32. @param index Opcodes of the model. @param into Filled.
 */
export function decode(
  bytes: Uint8Array,
  at: number,
  available: number,
  is32: boolean,
  index: OpcodeIndex,
  into: Decoded,
): DecodeStatus {
  const c = cursor, d = into;
  c.bytes = bytes;
  c.start = c.at = at;
  c.end = at + Math.min(available, LONGEST_INSTRUCTION);
  d.rep = 0;
  d.lock = false;
  d.segOverride = -1;
  let operand66 = false, address67 = false;
  let byte: number;
  for (;;) {
    if (c.at >= c.end) return short(available);
    byte = bytes[c.at++];
    if (byte === 0x66) operand66 = true;
    else if (byte === 0x67) address67 = true;
    else if (byte === 0xf0) d.lock = true;
    else if (byte === 0xf2 || byte === 0xf3) d.rep = byte;
    else if (OVERRIDES[byte] !== undefined) d.segOverride = OVERRIDES[byte];
    else break;
  }
  let slot = byte;
  if (byte === 0x0f) {
    if (c.at >= c.end) return short(available);
    byte = bytes[c.at++];
    slot = 0x100 | byte;
  }
  d.opcode = slot < 0x100 ? slot : 0x0f00 | byte;
  d.opSize = is32 !== operand66 ? 32 : 16;
  d.addrSize = is32 !== address67 ? 32 : 16;
  const entry = index[slot];
  if (entry === undefined) return DecodeStatus.undefined;
  return decodeRest(entry, d, operand66, is32, byte, available);
}

function short(available: number): DecodeStatus {
  return available < LONGEST_INSTRUCTION ? DecodeStatus.more : DecodeStatus.tooLong;
}

function decodeRest(
  entry: OpcodeEntry,
  d: Decoded,
  operand66: boolean,
  is32: boolean,
  byte: number,
  available: number,
): DecodeStatus {
  const c = cursor;
  d.modrm = 0;
  d.isMem = false;
  d.reg = 0;
  d.rm = byte & 7;
  d.base = d.index = NO_REGISTER;
  d.scale = d.disp = 0;
  if (entry.hasModrm) {
    if (c.at >= c.end) return short(available);
    d.modrm = c.bytes[c.at++];
    d.reg = (d.modrm >>> 3) & 7;
    d.rm = d.modrm & 7;
    d.isMem = d.modrm < 0xc0;
  }
  if (!choose(entry, d, operand66)) return DecodeStatus.undefined;
  const row = d.row;
  if (row.prefix === 0x66) d.opSize = is32 ? 32 : 16;
  if (row.operands.includes("Rd") && row.hasModrm === true) d.isMem = false; // MOV CR, DR: mod is ignored
  if (d.isMem && !address(d)) return short(available);
  d.width = row.width === "v" ? d.opSize : row.width;
  if (!immediates(row, d)) return short(available);
  d.seg = d.segOverride >= 0 ? d.segOverride : isStackBased(d) ? 2 : 3;
  d.length = c.at - c.start;
  if (d.lock && !(row.lock && destinationInMemory(d))) return DecodeStatus.undefined;
  return DecodeStatus.ok;
}

function destinationInMemory(d: Decoded): boolean {
  return d.isMem && (/^[EM]/.test(d.row.operands[0]) || d.row.sem === "xchg");
}

function isStackBased(d: Decoded): boolean {
  return d.base === 4 || d.base === 5;
}

/** Finds the row that is meant. */
function choose(entry: OpcodeEntry, d: Decoded, operand66: boolean): boolean {
  const mandatory = d.rep !== 0 ? d.rep : operand66 ? 0x66 : 0;
  for (let i = 0; i < entry.rows.length; i++) {
    const row = entry.rows[i];
    if (row.prefix !== undefined && row.prefix !== mandatory) continue;
    if (row.modrm !== undefined && row.modrm !== d.modrm) continue;
    if (row.digit !== undefined && row.digit !== d.reg) continue;
    if (row.opSize !== undefined && row.opSize !== d.opSize) continue;
    if (row.addrSize !== undefined && row.addrSize !== d.addrSize) continue;
    if (entry.hasModrm && !fitsMod(row, d)) continue;
    d.row = row;
    d.rowIndex = entry.indexes[i];
    return true;
  }
  return false;
}

function fitsMod(row: OpRow, d: Decoded): boolean {
  if (row.mod !== undefined) return (row.mod === "mem") === d.isMem;
  if (row.hasModrm === true) return true;
  for (const o of row.operands) {
    if (o[0] === "M" || o[0] === "m") return d.isMem;
    if (o[0] === "R" && o !== "RdMw" && o !== "RdMb" || o[0] === "N" || o[0] === "U") return !d.isMem;
  }
  return true;
}

/** SIB and displacement; false if bytes are missing. */
function address(d: Decoded): boolean {
  const mod = d.modrm >>> 6;
  return d.addrSize === 32 ? address32(d, mod) : address16(d, mod);
}

function address32(d: Decoded, mod: number): boolean {
  const c = cursor;
  if (d.rm === 4) {
    if (c.at >= c.end) return false;
    const sib = c.bytes[c.at++];
    const index = (sib >>> 3) & 7, base = sib & 7;
    d.scale = sib >>> 6;
    d.index = index === 4 ? NO_REGISTER : index;
    if (index === 4) d.scale = 0;
    if (base === 5 && mod === 0) return displacement(d, 4);
    d.base = base;
  } else if (d.rm === 5 && mod === 0) {
    return displacement(d, 4);
  } else {
    d.base = d.rm;
  }
  return mod === 0 || displacement(d, mod === 1 ? 1 : 4);
}

/** Base and index of the 16-bit forms: BX+SI BX+DI BP+SI BP+DI SI DI BP BX. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3] as const;
const INDEX16 = [6, 7, 6, 7, 8, 8, 8, 8] as const;

function address16(d: Decoded, mod: number): boolean {
  if (d.rm === 6 && mod === 0) return displacement(d, 2);
  d.base = BASE16[d.rm];
  d.index = INDEX16[d.rm];
  return mod === 0 || displacement(d, mod === 1 ? 1 : 2);
}

function displacement(d: Decoded, size: number): boolean {
  if (!has(size)) return false;
  d.disp = signed(size);
  return true;
}

function has(size: number): boolean {
  return cursor.at + size <= cursor.end;
}

function signed(size: number): number {
  const value = unsigned(size);
  return size === 1 ? (value << 24) >> 24 : size === 2 ? (value << 16) >> 16 : value | 0;
}

function unsigned(size: number): number {
  const c = cursor;
  let value = 0;
  for (let i = 0; i < size; i++) value |= c.bytes[c.at++] << (8 * i);
  return value;
}

/** Reads what the operands name; false if bytes are missing. */
function immediates(row: OpRow, d: Decoded): boolean {
  d.imm = 0;
  d.imm2 = 0;
  let second = false;
  for (const o of row.operands) {
    const size = immediateSize(o, d);
    if (size === 0) continue;
    if (!has(size)) return false;
    if (o === "Ob" || o === "Ov") d.disp = unsigned(size);
    else if (o === "Ap") {
      d.imm = unsigned(size - 2);
      d.imm2 = unsigned(2);
    } else if (second) d.imm2 = unsigned(size);
    else {
      d.imm = o[0] === "J" || o === "sIb" ? signed(size) : unsigned(size);
      second = true;
    }
  }
  return true;
}

/** Bytes of the constant that an operand is in the code of an instruction; 0: it is none. */
export function immediateSize(o: Operand, d: Decoded): number {
  switch (o) {
    case "Ib":
    case "sIb":
    case "Jb":
      return 1;
    case "Iw":
      return 2;
    case "Iz":
    case "Jz":
      return d.opSize >>> 3;
    case "Ap":
      return (d.opSize >>> 3) + 2;
    case "Ob":
    case "Ov":
      return d.addrSize >>> 3;
    default:
      return 0;
  }
}

/**
 * Encodes an instruction from its row with any operands, in 16- or 32-bit code: the windows catch whatever address comes
 * out, so nothing is aimed. Sources: SDM-2A chapter 2. Cold.
 */
import type { Prng } from "../../../lib/base/prng.ts";
import type { OpRow } from "../../../lib/spec/i386_ops.ts";

/** An encoded instruction. */
export interface Encoded {
  /** Bytes. */
  readonly bytes: readonly number[];
  /** Operand size. */
  readonly opSize: 16 | 32;
  /** ModRM, or -1. */
  readonly modrm: number;
  /** Displacement of a memory operand without registers, or -1. */
  readonly plain: number;
  /** Immediate bytes. */
  readonly immediates: number;
}

/** What is asked of the encoding. */
export interface Wish {
  /** Code size. */
  readonly bits: 16 | 32;
  /** Memory operands shall be a displacement alone. */
  readonly plain: boolean;
  /** ESP shall not be named. */
  readonly keepEsp: boolean;
  /** Selector for far immediates. */
  readonly far: number;
}

const IN_RM = /^(E|M|R|Q|N|W|U|m)/;
const IN_REG = /^(G|P|V|S|C|D|T)/;

/** Does a ModRM byte follow? */
export function hasModrm(row: OpRow): boolean {
  return row.digit !== undefined || row.modrm !== undefined || row.hasModrm === true ||
    row.operands.some((o) => IN_RM.test(o) || IN_REG.test(o));
}

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);
}

/** One instruction of a row. */
export function encodeAny(r: Prng, row: OpRow, wish: Wish): Encoded {
  const { bits } = wish;
  const other = (size: 16 | 32): 16 | 32 => size === 16 ? 32 : 16;
  const opSize = row.opSize ?? (row.prefix === undefined && r.below(3) === 0 ? other(bits) : bits);
  const addrSize = row.addrSize ?? (r.below(4) === 0 ? other(bits) : bits);
  const prefixes: number[] = [];
  if (!wish.plain && r.below(4) === 0) prefixes.push(r.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
  if (opSize !== bits) prefixes.push(0x66);
  if (addrSize !== bits) prefixes.push(0x67);
  if (row.rep !== undefined && r.below(3) === 0) prefixes.push(r.pick([0xf2, 0xf3]));
  if (r.below(30) === 0) prefixes.push(0xf0);
  if (row.prefix !== undefined && row.prefix !== 0) prefixes.push(row.prefix);
  const body = hasModrm(row) ? modrm(r, row, addrSize, wish) : { bytes: [], modrm: -1, plain: -1 };
  const imm = immediates(r, row, opSize, addrSize, wish);
  const opcode = row.opcode >= 0x0f00 ? [0x0f, row.opcode & 0xff] : [row.opcode];
  return {
    bytes: [...prefixes, ...opcode, ...body.bytes, ...imm],
    opSize,
    modrm: body.modrm,
    plain: body.plain,
    immediates: imm.length,
  };
}

function modrm(
  r: Prng,
  row: OpRow,
  addrSize: number,
  wish: Wish,
): { bytes: number[]; modrm: number; plain: number } {
  if (row.modrm !== undefined) return { bytes: [row.modrm], modrm: row.modrm, plain: -1 };
  const register = (): number => {
    for (;;) {
      const n = r.below(8);
      if (!wish.keepEsp || n !== 4) return n;
    }
  };
  const reg = row.digit ?? (row.operands.includes("Sw") ? r.below(8) : register());
  const rm = row.operands.find((o) => IN_RM.test(o));
  const memoryOnly = row.mod === "mem" || (rm !== undefined && /^(M|m)/.test(rm));
  const registerOnly = row.mod === "reg" || (rm !== undefined && /^(N|U|Rd$|Rv$|Rw$)/.test(rm));
  const isMemory = memoryOnly ? r.below(20) !== 0 : registerOnly ? r.below(20) === 0 : r.below(2) === 0;
  if (!isMemory) {
    const byte = 0xc0 | (reg << 3) | register();
    return { bytes: [byte], modrm: byte, plain: -1 };
  }
  if (wish.plain) {
    const at = 0x100 + r.below(0xe00);
    const byte = (reg << 3) | (addrSize === 16 ? 6 : 5);
    return { bytes: [byte, ...little(at, addrSize >> 3)], modrm: byte, plain: at };
  }
  const mod = r.below(3), base = r.below(8);
  const byte = (mod << 6) | (reg << 3) | base;
  if (addrSize === 16) {
    const size = mod === 1 ? 1 : mod === 2 || base === 6 ? 2 : 0;
    return { bytes: [byte, ...little(r.u32(), size)], modrm: byte, plain: -1 };
  }
  const sib = base === 4 ? [r.below(3) === 0 ? 0x20 | r.below(8) : r.below(256)] : [];
  const low = base === 4 ? sib[0] & 7 : base;
  const size = mod === 1 ? 1 : mod === 2 || low === 5 ? 4 : 0;
  const small = r.below(3) === 0 ? r.u32() : r.below(0x10000) * (r.below(4) === 0 ? -1 : 1);
  return { bytes: [byte, ...sib, ...little(small, size)], modrm: byte, plain: -1 };
}

function immediates(r: Prng, row: OpRow, opSize: number, addrSize: number, wish: Wish): number[] {
  const bytes: number[] = [];
  const offset = (): number => 0x200 + r.below(r.below(8) === 0 ? 0x20000 : 0x8000);
  for (const o of row.operands) {
    if (o === "Ib" || o === "sIb" || o === "Jb") bytes.push(r.below(3) === 0 ? r.below(36) : r.below(256));
    else if (o === "Iw") bytes.push(...little(r.below(64), 2));
    else if (o === "Iz") bytes.push(...little(r.u32(), opSize >> 3));
    else if (o === "Jz") bytes.push(...little(r.below(3) === 0 ? r.u32() : r.below(0x8000), opSize >> 3));
    else if (o === "Ob" || o === "Ov") bytes.push(...little(r.below(0x10000), addrSize >> 3));
    else if (o === "Ap") bytes.push(...little(offset(), opSize >> 3), ...little(wish.far, 2));
  }
  return bytes;
}

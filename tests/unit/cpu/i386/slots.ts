/**
 * Every encoding slot of the opcode maps, and which row of the table it is on a model; written apart from the decoder, so
 * that they check each other. A slot is a mandatory prefix, an opcode and, where a group or a form is chosen by it, a
 * ModRM byte. Sources: SDM-2A chapter 2, SDM-2D appendix A.
 */
import { type CpuFeature, type OpRow, OPS } from "../../../../lib/spec/i386_ops.ts";

/** One encoding. */
export interface Slot {
  /** 0, 0x66, 0xf2 or 0xf3; 0x67 where the address size chooses. */
  readonly prefix: number;
  /** 0x00 to 0xff, 0x0f00 to 0x0fff. */
  readonly opcode: number;
  /** ModRM byte, or -1: no row of this opcode has one. */
  readonly modrm: number;
}

/** Bytes that are no opcodes: prefixes and the escape to the two-byte map. */
const NO_OPCODES: ReadonlySet<number> = new Set([
  0x26,
  0x2e,
  0x36,
  0x3e,
  0x64,
  0x65,
  0x66,
  0x67,
  0xf0,
  0xf2,
  0xf3,
  0x0f,
]);

/** Operand letters whose operand is in ModRM. */
const IN_MODRM = "EGMRPQNVWUSCDT";

/** True if a ModRM byte follows the row's opcode. */
function hasModrm(row: OpRow): boolean {
  return row.digit !== undefined || row.modrm !== undefined || row.hasModrm === true ||
    row.operands.some((o) => IN_MODRM.includes(o[0]) || o[0] === "m");
}

/** True if the row can have this ModRM byte. */
function takes(row: OpRow, modrm: number): boolean {
  const isMem = modrm < 0xc0, digit = (modrm >>> 3) & 7;
  if (row.modrm !== undefined && row.modrm !== modrm) return false;
  if (row.digit !== undefined && row.digit !== digit) return false;
  if (row.mod !== undefined) return (row.mod === "mem") === isMem;
  if (row.operands.some((o) => o === "Cd" || o === "Dd" || o === "Td")) return true; // mod is ignored
  for (const o of row.operands) {
    if ((o[0] === "M" || o[0] === "m") && !isMem) return false;
    if ((o === "Rd" || o[0] === "N" || o[0] === "U") && isMem) return false;
  }
  return true;
}

/** How closely a row describes its slot: an exact ModRM before a digit, a mandatory prefix before none. */
function closeness(row: OpRow): number {
  return (row.prefix === undefined ? 0 : 2) + (row.modrm === undefined ? 0 : 1);
}

/** The row of a slot in 32-bit code, or undefined: the model has no such instruction. */
export function rowOf(slot: Slot, features: ReadonlySet<CpuFeature>): OpRow | undefined {
  const size = slot.prefix === 0x66 ? 16 : 32;
  let found: OpRow | undefined;
  for (const row of OPS) {
    if (row.opcode !== slot.opcode || !features.has(row.feature)) continue;
    if (row.prefix !== undefined && row.prefix !== slot.prefix) continue;
    if (row.opSize !== undefined && row.opSize !== size) continue;
    if (row.addrSize !== undefined && row.addrSize !== (slot.prefix === 0x67 ? 16 : 32)) continue;
    if (slot.modrm >= 0 && !takes(row, slot.modrm)) continue;
    if (found === undefined || closeness(row) > closeness(found)) found = row;
  }
  return found;
}

/** Opcodes whose register forms differ by the whole ModRM byte. */
function isExact(opcode: number): boolean {
  return opcode === 0x0f01 || (opcode & 0xf8) === 0xd8 && opcode < 0x100;
}

/** ModRM bytes to try: each digit with memory at an absolute address and with a register, or all registers. */
function modrms(opcode: number): number[] {
  const memory = [0, 1, 2, 3, 4, 5, 6, 7].map((digit) => digit << 3 | 5);
  if (isExact(opcode)) return [...memory, ...Array.from({ length: 64 }, (_, i) => 0xc0 | i)];
  return [...memory, ...[0, 1, 2, 3, 4, 5, 6, 7].map((digit) => 0xc0 | digit << 3 | 1)];
}

/** Every slot of both maps. */
export function allSlots(): Slot[] {
  const slots: Slot[] = [];
  for (let n = 0; n < 512; n++) {
    const opcode = n < 256 ? n : 0x0f00 | (n - 256);
    if (NO_OPCODES.has(opcode)) continue;
    const rows = OPS.filter((row) => row.opcode === opcode);
    const prefixes = opcode >= 0x0f00 || rows.some((r) => r.prefix !== undefined) ? [0, 0x66, 0xf2, 0xf3] : [0, 0x66];
    if (rows.some((r) => r.addrSize !== undefined)) prefixes.push(0x67);
    for (const prefix of prefixes) {
      if (!rows.some(hasModrm)) slots.push({ prefix, opcode, modrm: -1 });
      else for (const modrm of modrms(opcode)) slots.push({ prefix, opcode, modrm });
    }
  }
  return slots;
}

/** The bytes of a slot, filled up to fifteen: the memory operand is at `at`, immediates are `fill`. */
export function bytesOf(slot: Slot, at: number, fill: number, lock = false): number[] {
  const bytes = lock ? [0xf0] : [];
  if (slot.prefix !== 0) bytes.push(slot.prefix);
  if (slot.opcode >= 0x0f00) bytes.push(0x0f);
  bytes.push(slot.opcode & 0xff);
  if (slot.modrm >= 0) bytes.push(slot.modrm);
  if (slot.modrm >= 0 && slot.modrm < 0xc0) bytes.push(at & 0xff, (at >>> 8) & 0xff, 0, 0);
  while (bytes.length < 15) bytes.push(fill);
  return bytes;
}

/** For messages. */
export function slotName(slot: Slot): string {
  const hex = bytesOf(slot, 0, 0).slice(0, 1 + Number(slot.prefix !== 0) + Number(slot.opcode >= 0x0f00))
    .map((b) => b.toString(16).padStart(2, "0")).join(" ");
  return slot.modrm < 0 ? hex : `${hex} modrm ${slot.modrm.toString(16).padStart(2, "0")}`;
}

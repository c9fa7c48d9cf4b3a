/**
 * Disassembler: one decoded instruction as text that nasm takes back. Intel syntax; sizes where nothing else tells
 * them; prefixes that no operand shows (o16, a16, a segment before a string instruction) in front. What is no
 * instruction becomes `db`.
 *
 * Several encodings may share a text; the assembler then takes the shortest. Sources: SDM-2A chapter 2. Cold.
 */
import type { Operand, OpRow } from "../../spec/i386_op_row.ts";
import { REG16, REG32, REG8, SREG } from "../../spec/i386_regs.ts";
import { decode, Decoded, DecodeStatus, NO_REGISTER } from "./decode.ts";
import { MODELS } from "./models.ts";
import { type OpcodeIndex, opcodeIndex } from "./opcode_index.ts";
import { operandBits, registerBits, SIZE_WORDS, tellsSize } from "./operand_size.ts";

/** One disassembled instruction. */
export interface Disassembly {
  /** Bytes. */
  readonly length: number;
  /** Its text. */
  readonly text: string;
}

/**
 * Disassembles one instruction.
 *
 * @param bytes Holds it. @param at Where it begins. @param available Bytes there are from `at`.
 * @param address Offset of the instruction in its code segment, for jump targets. @param is32 32-bit code segment.
 * @param index Opcodes to know; default: those of the newest model.
 */
export function disassemble(
  bytes: Uint8Array,
  at: number,
  available: number,
  address: number,
  is32: boolean,
  index: OpcodeIndex = opcodeIndex(MODELS.pentium4.features),
): Disassembly {
  const d = new Decoded();
  if (available <= 0) return { length: 0, text: "" };
  const status = decode(bytes, at, available, is32, index, d);
  if (status !== DecodeStatus.ok) return { length: 1, text: `db ${number(bytes[at], true)}` };
  return { length: d.length, text: textOf(d, address, is32) };
}

/** Text of a decoded instruction at an offset. */
export function textOf(d: Decoded, address: number, is32: boolean): string {
  const { row } = d;
  const shown = isString(row) ? [] : row.operands.map((code, i) => operand(d, code, i, address, is32));
  if (row.sem === "xchg" && !d.isMem && row.operands[0][0] === "E") shown.reverse(); // nasm puts ModRM.reg first
  const words = [...prefixes(d, is32), row.mnemonic];
  return shown.length === 0 ? words.join(" ") : `${words.join(" ")} ${shown.join(",")}`;
}

/** String instructions: their operands are said by the mnemonic. */
function isString(row: OpRow): boolean {
  return row.operands.some((o) => o[0] === "X" || o[0] === "Y");
}

function prefixes(d: Decoded, is32: boolean): string[] {
  const { row } = d;
  const words: string[] = [];
  if (d.lock) words.push("lock");
  if (d.rep !== 0 && (row.prefix === undefined || row.prefix === 0x66)) words.push(repeatName(row, d.rep));
  if (d.addrSize !== (is32 ? 32 : 16) && !showsAddressSize(d)) words.push(`a${d.addrSize}`);
  if (d.opSize !== (is32 ? 32 : 16) && !showsOperandSize(d)) words.push(`o${d.opSize}`);
  if (d.segOverride >= 0 && !showsSegment(d)) words.push(SREG[d.segOverride]);
  return words;
}

function repeatName(row: OpRow, rep: number): string {
  return rep === 0xf2 ? "repne" : row.rep === "repz" ? "repe" : "rep";
}

function showsOperandSize(d: Decoded): boolean {
  const { row } = d;
  if (row.opSize !== undefined) return true;
  return row.mnemonic === "push" && isImmediate(row.operands[0]) || row.operands.some((o) => tellsSize(o, d.isMem));
}

function showsAddressSize(d: Decoded): boolean {
  if (d.row.addrSize !== undefined) return true;
  return d.isMem && (d.base !== NO_REGISTER || d.index !== NO_REGISTER);
}

function showsSegment(d: Decoded): boolean {
  return d.isMem || d.row.operands.some((o) => o === "Ob" || o === "Ov");
}

function isImmediate(code: Operand): boolean {
  return code === "Ib" || code === "Iw" || code === "Iz" || code === "sIb";
}

function operand(d: Decoded, code: Operand, i: number, address: number, is32: boolean): string {
  switch (code[0]) {
    case "I":
    case "s":
      if (code === "st0" || code === "ss") return code;
      return code === "sti" ? `st${d.rm}` : immediate(d, code, i);
    case "J":
      return jump(d, code, address, is32);
    case "A":
      return `${d.opSize === (is32 ? 32 : 16) ? "" : `${SIZE_WORDS[d.opSize]} `}${number(d.imm2)}:${number(d.imm)}`;
    case "O":
      return memory(d, "");
    case "G":
    case "C":
    case "D":
    case "T":
    case "S":
    case "P":
    case "V":
      return register(d, code, d.reg);
    case "E":
    case "M":
    case "Q":
    case "W":
    case "R":
    case "m":
      if (d.isMem) return memory(d, sizeWord(d, code, i, is32));
      return register(d, code, d.rm);
    case "Z":
    case "N":
    case "U":
      return register(d, code, d.rm);
    default:
      return code === "rAX" ? (d.opSize === 32 ? "eax" : "ax") : code;
  }
}

function register(d: Decoded, code: Operand, n: number): string {
  switch (code[0]) {
    case "C":
    case "D":
    case "T":
      return `${code[0].toLowerCase()}r${n}`;
    case "S":
      return SREG[n] ?? `segr${n}`;
    case "P":
    case "Q":
    case "N":
      return `mm${n}`;
    case "V":
    case "W":
    case "U":
      return `xmm${n}`;
    default:
      return generalRegister(n, registerBits(code, d.opSize));
  }
}

/** Name of a general register. */
function generalRegister(n: number, bits: number): string {
  return (bits === 8 ? REG8 : bits === 16 ? REG16 : REG32)[n];
}

function immediate(d: Decoded, code: Operand, i: number): string {
  const second = d.row.operands.slice(0, i).some(isImmediate);
  const value = second ? d.imm2 : d.imm;
  if (code === "sIb") {
    const text = value < 0 ? `-${number(-value)}` : number(value);
    return d.row.mnemonic === "push" ? `${SIZE_WORDS[d.opSize]} ${text}` : text;
  }
  const text = number(code === "Iz" && d.opSize === 16 ? value & 0xffff : value >>> 0);
  return d.row.mnemonic === "push" ? `${SIZE_WORDS[d.opSize]} ${text}` : text;
}

function jump(d: Decoded, code: Operand, address: number, is32: boolean): string {
  const target = address + d.length + d.imm;
  const text = number(d.opSize === 16 ? target & 0xffff : target >>> 0);
  const size = code === "Jz" && d.opSize !== (is32 ? 32 : 16) ? `${SIZE_WORDS[d.opSize]} ` : "";
  if (d.row.sem !== "jcc" && d.row.sem !== "jmpRel") return size + text;
  return `${code === "Jb" ? "short" : "near"} ${size}${text}`;
}

/** Size keyword of a memory operand, with the blank; empty if another operand tells it or there is none. */
function sizeWord(d: Decoded, code: Operand, i: number, is32: boolean): string {
  if (code === "Mp") {
    const size = d.opSize === (is32 ? 32 : 16) ? "" : `${SIZE_WORDS[d.opSize]} `;
    return d.row.sem === "loadFar" ? "" : `${size}far `;
  }
  const bits = operandBits(code, d.opSize);
  if (code === "EwRv" || code === "Mb" || /^[QW]/.test(code) || bits === 0 || bits === 128) return "";
  const told = d.row.operands.some((o, k) => k !== i && o !== "cl" && o !== "dx" && registerBits(o, d.opSize) === bits);
  return told ? "" : `${SIZE_WORDS[bits]} `;
}

function memory(d: Decoded, size: string): string {
  const names = d.addrSize === 32 ? REG32 : REG16;
  const parts: string[] = [];
  if (d.base !== NO_REGISTER) parts.push(names[d.base]);
  if (d.index !== NO_REGISTER) {
    const scaled = d.scale === 0 && d.base !== NO_REGISTER ? names[d.index] : `${names[d.index]}*${1 << d.scale}`;
    parts.push(d.base === NO_REGISTER && d.scale < 2 ? `nosplit ${scaled}` : scaled);
  }
  let inside = parts.join("+");
  if (inside === "") inside = number(d.addrSize === 16 ? d.disp & 0xffff : d.disp >>> 0);
  else if (d.disp > 0) inside += `+${number(d.disp)}`;
  else if (d.disp < 0) inside += `-${number(-d.disp)}`;
  const segment = d.segOverride >= 0 ? `${SREG[d.segOverride]}:` : "";
  return `${size}[${segment}${inside}]`;
}

function number(value: number, hex = false): string {
  return value < 10 && !hex ? String(value) : `0x${value.toString(16)}`;
}

/**
 * ModRM, SIB and displacement of a memory operand, as short as can be. Sources: SDM-2A 2.1.5, tables 2-1 to 2-3. Cold.
 */
import { asmError, type SourceLine } from "./lexer.ts";
import type { MemoryOperand } from "./operand.ts";
import type { Value } from "./expression.ts";

const EBP = 5, ESP = 4;

interface Registers {
  base: number;
  index: number;
  scale: number;
}

/** Sorts the terms into base and index. */
function registersOf(m: MemoryOperand, at: SourceLine): Registers {
  const out: Registers = { base: -1, index: -1, scale: 1 };
  const bad = (why: string): Error => asmError("asm-syntax", at, 1, `Address cannot be encoded: ${why}`);
  const terms = mergeTerms(m);
  if (terms.length > 2) throw bad("more than two registers");
  for (const t of terms) {
    if (t.scale === 1 && t.plain && out.base < 0) out.base = t.n;
    else if (out.index < 0) {
      out.index = t.n;
      out.scale = t.scale;
    } else if (t.scale === 1 && out.base < 0) out.base = t.n;
    else if (out.scale === 1 && out.base < 0) {
      out.base = out.index;
      out.index = t.n;
      out.scale = t.scale;
    } else throw bad("two scaled registers");
  }
  if (out.base < 0 && out.index >= 0 && !m.whole) {
    if (out.scale === 1) {
      out.base = out.index;
      out.index = -1;
    } else if (out.scale === 2 || out.scale === 3 || out.scale === 5 || out.scale === 9) {
      out.base = out.index;
      out.scale--;
    }
  }
  if (out.index === ESP && out.scale === 1) [out.base, out.index] = [ESP, out.base];
  if (out.index === ESP) throw bad("ESP cannot be an index");
  if (out.index >= 0 && ![1, 2, 4, 8].includes(out.scale)) throw bad("the scale is none of 1, 2, 4 and 8");
  return out;
}

/** The same register twice becomes one term if a scale comes of it. */
function mergeTerms(m: MemoryOperand): MemoryOperand["terms"] {
  const [a, b] = m.terms;
  if (m.terms.length !== 2 || a.n !== b.n || (a.scale === 1 && b.scale === 1)) return m.terms;
  return [{ n: a.n, scale: a.scale + b.scale, plain: false }];
}

function fits8(v: bigint): boolean {
  return v >= -128n && v <= 127n;
}

/**
 * Encodes a memory operand.
 *
 * @param m The operand. @param reg ModRM.reg. @param bits Address size. @param disp Displacement.
 * @param wide Never a short displacement.
 */
export function encodeAddress(
  m: MemoryOperand,
  reg: number,
  bits: 16 | 32,
  disp: Value,
  wide: boolean,
  at: SourceLine,
): number[] {
  const value = BigInt.asIntN(bits, disp.v);
  if (disp.known && (disp.v < -(1n << BigInt(bits)) || disp.v >= 1n << BigInt(bits))) {
    throw asmError("asm-range", at, 1, `Displacement does not fit ${bits} bits`);
  }
  const isShort = disp.known && fits8(value) && disp.labels === 0 && !wide &&
    (m.displacementSize === 0 || m.displacementSize === 8);
  const isNone = m.displacement === undefined || (value === 0n && isShort);
  const size = isNone && m.displacementSize === 0 ? 0 : isShort || m.displacementSize === 8 ? 1 : bits / 8;
  const rest = littleEndian(value, size);
  return bits === 32 ? encode32(registersOf(m, at), reg, size, rest, value) : encode16(m, reg, size, rest, value, at);
}

/** Bytes of a number. */
export function littleEndian(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function encode32(r: Registers, reg: number, size: number, rest: number[], value: bigint): number[] {
  const field = reg << 3;
  const mod = (n: number): number => (n === 0 ? 0 : n === 1 ? 0x40 : 0x80) | field;
  if (r.base < 0 && r.index < 0) return [field | 5, ...littleEndian(value, 4)];
  if (r.base < 0) return [field | 4, sib(r.scale, r.index, 5), ...littleEndian(value, 4)];
  const shown = size === 0 && r.base === EBP ? 1 : size;
  const bytes = shown === size ? rest : [0];
  if (r.index < 0 && r.base !== ESP) return [mod(shown) | r.base, ...bytes];
  return [mod(shown) | 4, sib(r.index < 0 ? 1 : r.scale, r.index < 0 ? 4 : r.index, r.base), ...bytes];
}

function sib(scale: number, index: number, base: number): number {
  return (Math.log2(scale) << 6) | (index << 3) | base;
}

/** r/m by the sorted register numbers of the 16-bit forms. */
const FORMS16: Readonly<Record<string, number>> = {
  "3,6": 0,
  "3,7": 1,
  "5,6": 2,
  "5,7": 3,
  "6": 4,
  "7": 5,
  "5": 6,
  "3": 7,
};

function encode16(
  m: MemoryOperand,
  reg: number,
  size: number,
  rest: number[],
  value: bigint,
  at: SourceLine,
): number[] {
  const field = reg << 3;
  if (m.terms.length === 0) return [field | 6, ...littleEndian(value, 2)];
  const key = m.terms.map((t) => t.n).sort().join();
  const rm = FORMS16[key];
  if (rm === undefined || m.terms.some((t) => t.scale !== 1)) {
    throw asmError("asm-syntax", at, 1, "Address cannot be encoded: no 16-bit form has these registers");
  }
  const shown = size === 0 && rm === 6 ? 1 : size;
  return [(shown === 0 ? 0 : shown === 1 ? 0x40 : 0x80) | field | rm, ...(shown === size ? rest : [0])];
}

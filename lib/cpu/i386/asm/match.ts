/**
 * Does an operand as written fit an operand code of a row, and what does it put into the encoding. Sources: SDM-2D
 * appendix A.2. Cold.
 */
import type { Operand, OpRow } from "../../../spec/i386_op_row.ts";
import { SREG } from "../../../spec/i386_regs.ts";
import { operandBits, registerBits } from "../operand_size.ts";
import { littleEndian } from "./address.ts";
import type { Value } from "./expression.ts";
import type { MemoryOperand, ParsedOperand, RegisterClass } from "./operand.ts";

/** What the operands of one row come to. */
export interface Draft {
  /** Row tried. */
  readonly row: OpRow;
  /** Operand size tried. */
  readonly opSize: 16 | 32;
  /** ModRM.reg. */
  reg: number;
  /** ModRM.rm of a register, -1: none. */
  rm: number;
  /** Memory operand. */
  memory: MemoryOperand | undefined;
  /** The memory operand is a moffs. */
  moffs: boolean;
  /** Immediates, in order. */
  readonly tail: number[];
  /** Relative target and its bytes. */
  target: Value | undefined;
  /** Bytes of the relative target. */
  targetBytes: number;
  /** Some operand told the operand size. */
  told: boolean;
  /** Bits of a memory operand written without a size. */
  guessed: number;
  /** Why a value did not fit. */
  problem: string;
}

/** What matching needs of the statement. */
export interface MatchContext {
  /** Values of immediates, by operand. */
  value(e: ParsedOperand & { readonly kind: "immediate" }, offset: boolean): Value;
  /** Only long forms of what depends on names. */
  readonly wide: boolean;
}

type Immediate = ParsedOperand & { readonly kind: "immediate" };

const FIXED: Partial<Record<Operand, number>> = { al: 0, cl: 1, ah: 4, ax: 0, dx: 2, eax: 0, rAX: 0 };

const CLASSES: Readonly<Record<string, RegisterClass>> = {
  S: "segment",
  C: "control",
  D: "debug",
  T: "test",
  P: "mmx",
  Q: "mmx",
  N: "mmx",
  V: "xmm",
  W: "xmm",
  U: "xmm",
};

/** Tries one operand; what it means goes into the draft. */
export function matchOperand(code: Operand, op: ParsedOperand, draft: Draft, c: MatchContext): boolean {
  if (op.kind === "register") return matchRegister(code, op, draft);
  if (op.kind === "memory") return matchMemory(code, op, draft);
  return matchImmediate(code, op, draft, c);
}

function matchRegister(code: Operand, op: ParsedOperand & { kind: "register" }, d: Draft): boolean {
  const fixed = FIXED[code];
  if (fixed !== undefined) {
    if (code === "rAX") d.told = true;
    return op.cls === "general" && op.n === fixed && op.bits === registerBits(code, d.opSize);
  }
  if (SREG.includes(code)) return op.cls === "segment" && SREG[op.n] === code;
  if (code === "st0") return op.cls === "x87" && op.n === 0;
  if (code === "sti") {
    d.rm = op.n;
    return op.cls === "x87";
  }
  const letter = code[0];
  if (letter === "G" || letter === "E" || letter === "R" || letter === "Z") return matchGeneral(code, op, d);
  if (CLASSES[letter] !== op.cls) return false;
  if (letter === "Q" || letter === "N" || letter === "W" || letter === "U") d.rm = op.n;
  else d.reg = op.n;
  return true;
}

function matchGeneral(code: Operand, op: ParsedOperand & { kind: "register" }, d: Draft): boolean {
  if (op.cls !== "general") return false;
  const bits = registerBits(code, d.opSize);
  const lenient = (code === "Ew" && op.bits === 32 && /^(movToSreg|lar|lsl)$/.test(d.row.sem)) ||
    (code === "RdMw" && op.bits === 16);
  if (op.bits !== bits && !lenient) return false;
  if (code.endsWith("v")) d.told = true;
  if (code[0] === "Z") return (d.row.opcode & 7) === op.n;
  if (code[0] === "G") d.reg = op.n;
  else d.rm = op.n;
  return true;
}

function matchMemory(code: Operand, op: MemoryOperand, d: Draft): boolean {
  if (!/^[EMQWOm]|^RdM/.test(code)) return false;
  d.memory = op;
  if (code[0] === "O") {
    d.moffs = true;
    return op.terms.length === 0 && (op.size === 0 || op.size === operandBits(code, d.opSize));
  }
  if (code === "Mp") {
    if (d.row.sem === "loadFar") return true;
    if (op.size !== 0) d.told = true;
    return op.far && (op.size === 0 || op.size === d.opSize);
  }
  if (op.far) return false;
  const bits = operandBits(code, d.opSize);
  if (op.size === 0) {
    d.guessed = bits;
    return true;
  }
  if (code.endsWith("v") && code !== "EwRv") d.told = true;
  return bits === 0 || bits === op.size || code === "Qd";
}

function matchImmediate(code: Operand, op: Immediate, d: Draft, c: MatchContext): boolean {
  if (code === "Ap") return matchFar(op, d, c);
  if (op.offset !== undefined) return false;
  if (code[0] === "J") return matchTarget(code, op, d, c);
  if (op.distance !== "") return false;
  const v = c.value(op, false);
  switch (code) {
    case "1":
      return op.size === 0 && !op.strict && v.known && v.labels === 0 && v.v === 1n;
    case "Ib":
      return (op.size === 0 || op.size === 8) && put(d, v, 8);
    case "Iw":
      return (op.size === 0 || op.size === 16) && put(d, v, 16);
    case "Iz":
      if (op.size !== 0 && op.size !== d.opSize) return false;
      if (d.row.mnemonic === "push" && op.size !== 0) d.told = true;
      return put(d, v, d.opSize);
    case "sIb":
      return matchShort(op, v, d, c);
    default:
      return false;
  }
}

function matchShort(op: Immediate, v: Value, d: Draft, c: MatchContext): boolean {
  if (v.labels !== 0 || (c.wide && op.e.k !== "num") || (op.size !== 0 && op.size !== 8 && op.size !== d.opSize)) {
    return false;
  }
  if (op.size !== 8 && op.strict) return false;
  if (d.row.mnemonic === "push" && op.size === d.opSize) d.told = true;
  const wrapped = v.v >= -(1n << 31n) && v.v < 1n << BigInt(d.opSize) ? BigInt.asIntN(d.opSize, v.v) : v.v;
  return wrapped >= -128n && wrapped <= 127n && put(d, { ...v, v: wrapped }, 8);
}

function put(d: Draft, v: Value, bits: number): boolean {
  if (v.known && (v.v < -(1n << BigInt(bits - 1)) || v.v >= 1n << BigInt(bits))) {
    d.problem = `Value ${v.v} does not fit ${bits} bits`;
    return false;
  }
  d.tail.push(...littleEndian(v.v, bits / 8));
  return true;
}

function matchFar(op: Immediate, d: Draft, c: MatchContext): boolean {
  if (op.offset === undefined || (op.size !== 0 && op.size !== d.opSize)) return false;
  if (op.size !== 0) d.told = true;
  return put(d, c.value(op, true), d.opSize) && put(d, c.value(op, false), 16);
}

function matchTarget(code: Operand, op: Immediate, d: Draft, c: MatchContext): boolean {
  if (op.distance === "far") return false;
  const v = c.value(op, false);
  const choice = d.row.sem === "jcc" || d.row.sem === "jmpRel";
  if (code === "Jb") {
    const constant = v.known && v.labels === 0;
    if (choice && op.distance !== "short" && (op.distance === "near" || op.size !== 0 || constant || c.wide)) {
      return false;
    }
  } else {
    if (op.distance === "short" || (op.size !== 0 && op.size !== d.opSize)) return false;
    if (op.size !== 0) d.told = true;
  }
  d.target = v;
  d.targetBytes = code === "Jb" ? 1 : d.opSize / 8;
  return true;
}

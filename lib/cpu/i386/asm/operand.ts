/**
 * Operands of an instruction as written: registers, memory, immediates, far pointers, with their keywords. Cold.
 */
import { REG16, REG32, REG8, SREG } from "../../../spec/i386_regs.ts";
import { type Expression, parseExpression, type TokenReader } from "./expression.ts";

/** Classes of registers. */
export type RegisterClass = "general" | "segment" | "control" | "debug" | "test" | "mmx" | "xmm" | "x87";

/** A term `register * scale` of an address; `plain`: written without a scale. */
export interface AddressTerm {
  /** Register. */
  readonly n: number;
  /** Factor. */
  scale: number;
  /** No factor was written. */
  readonly plain: boolean;
}

/** A memory operand. */
export interface MemoryOperand {
  /** Tells operands apart. */
  readonly kind: "memory";
  /** Size keyword in bits, 0: none. */
  readonly size: number;
  /** `far`. */
  readonly far: boolean;
  /** Segment override, -1: none. */
  readonly segment: number;
  /** Registers, in order. */
  readonly terms: readonly AddressTerm[];
  /** Address size by the registers or by a keyword, 0: none. */
  readonly addressBits: 0 | 16 | 32;
  /** Displacement, absent: 0. */
  readonly displacement: Expression | undefined;
  /** Size keyword of the displacement, in bits. */
  readonly displacementSize: number;
  /** `nosplit`. */
  readonly whole: boolean;
}

/** An operand. */
export type ParsedOperand =
  | {
    readonly kind: "register";
    readonly cls: RegisterClass;
    readonly n: number;
    /** Bits of a general register. */
    readonly bits: number;
    /** x87 `to`. */
    readonly to: boolean;
  }
  | MemoryOperand
  | {
    readonly kind: "immediate";
    readonly size: number;
    readonly e: Expression;
    readonly strict: boolean;
    readonly distance: "short" | "near" | "far" | "";
    /** Offset of a far pointer; then `e` is the selector. */
    readonly offset: Expression | undefined;
  };

const SIZES: Readonly<Record<string, number>> = {
  byte: 8,
  word: 16,
  dword: 32,
  qword: 64,
  tword: 80,
  oword: 128,
};

type Register = Extract<ParsedOperand, { kind: "register" }>;

const REGISTERS: Map<string, Register> = new Map();

function define(names: readonly string[], cls: RegisterClass, bits: number): void {
  names.forEach((name, n) => REGISTERS.set(name, { kind: "register", cls, n, bits, to: false }));
}

function numbered(prefix: string): string[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((n) => prefix + n);
}

/** Register by name, or `undefined`. */
function register(name: string): Register | undefined {
  if (REGISTERS.size === 0) {
    define(REG8, "general", 8);
    define(REG16, "general", 16);
    define(REG32, "general", 32);
    define([...SREG, "segr6", "segr7"], "segment", 16);
    define(numbered("cr"), "control", 32);
    define(numbered("dr"), "debug", 32);
    define(numbered("tr"), "test", 32);
    define(numbered("mm"), "mmx", 64);
    define(numbered("xmm"), "xmm", 128);
    define(numbered("st"), "x87", 80);
  }
  return REGISTERS.get(name.toLowerCase());
}

/** Number of a segment register's name, or -1. */
export function segmentNumber(name: string): number {
  return SREG.indexOf(name.toLowerCase());
}

/** Reads one operand. */
export function parseOperand(r: TokenReader, local: (name: string) => string): ParsedOperand {
  let size = 0, strict = false, to = false;
  let distance: "short" | "near" | "far" | "" = "";
  for (;;) {
    const t = r.peek();
    if (t.kind !== "id") break;
    const word = t.text.toLowerCase();
    if (SIZES[word] !== undefined) size = SIZES[word];
    else if (word === "short" || word === "near" || word === "far") distance = word;
    else if (word === "strict") strict = true;
    else if (word === "to") to = true;
    else if (word !== "ptr") break;
    r.next();
  }
  const t = r.peek();
  const reg = t.kind === "id" ? register(t.text) : undefined;
  if (reg !== undefined) {
    r.next();
    return to ? { ...reg, to } : reg;
  }
  if (r.take("[")) return parseMemory(r, local, size, distance === "far");
  const e = parseExpression(r, local);
  const offset = r.take(":") ? parseExpression(r, local) : undefined;
  return { kind: "immediate", size, e, strict, distance, offset };
}

function parseMemory(
  r: TokenReader,
  local: (name: string) => string,
  size: number,
  far: boolean,
): MemoryOperand {
  let segment = -1, displacementSize = 0, whole = false;
  let addressBits: 0 | 16 | 32 = 0;
  for (;;) {
    const t = r.peek();
    const word = t.kind === "id" ? t.text.toLowerCase() : "";
    if (segmentNumber(word) >= 0 && r.peek(1).text === ":") {
      segment = segmentNumber(word);
      r.next();
    } else if (word === "byte" || word === "word" || word === "dword") displacementSize = SIZES[word];
    else if (word === "nosplit") whole = true;
    else if (word === "a16" || word === "a32") addressBits = word === "a16" ? 16 : 32;
    else break;
    r.next();
  }
  const terms: AddressTerm[] = [];
  const rest: Expression[] = [];
  const place = r.peek();
  const bits = new Set<16 | 32>();
  collect(parseExpression(r, local), 1, r, terms, rest, bits);
  r.expect("]");
  if (bits.size > 1) throw r.error(`16-bit and 32-bit registers in one address, from column ${place.column}`);
  for (const b of bits) addressBits = b;
  if (terms.length === 0 && displacementSize > 8 && addressBits === 0) {
    addressBits = displacementSize === 16 ? 16 : 32;
    displacementSize = 0;
  }
  const displacement = rest.length === 0 ? undefined : rest.reduce((a, b) => ({ k: "bin", op: "+", a, b, column: 1 }));
  return { kind: "memory", size, far, segment, terms, addressBits, displacement, displacementSize, whole };
}

/** Parts an address into register terms and the rest; `sign` is -1 under a minus. */
function collect(
  e: Expression,
  sign: 1 | -1,
  r: TokenReader,
  terms: AddressTerm[],
  rest: Expression[],
  bits: Set<16 | 32>,
): void {
  if (e.k === "bin" && (e.op === "+" || e.op === "-")) {
    collect(e.a, sign, r, terms, rest, bits);
    collect(e.b, e.op === "-" ? (sign === 1 ? -1 : 1) : sign, r, terms, rest, bits);
    return;
  }
  const scaled = scaledRegister(e);
  if (scaled === undefined) {
    rest.push(sign === 1 ? e : { k: "un", op: "-", a: e });
    return;
  }
  if (sign === -1) throw r.error("A register cannot be subtracted in an address");
  bits.add(scaled.bits);
  terms.push({ n: scaled.n, scale: scaled.scale, plain: scaled.plain });
}

interface Scaled {
  readonly n: number;
  readonly bits: 16 | 32;
  readonly scale: number;
  readonly plain: boolean;
}

function scaledRegister(e: Expression): Scaled | undefined {
  if (e.k === "reg") return { n: e.n, bits: e.bits, scale: 1, plain: true };
  if (e.k !== "bin" || e.op !== "*") return undefined;
  const [reg, factor] = e.a.k === "reg" ? [e.a, e.b] : [e.b, e.a];
  if (reg.k !== "reg" || factor.k !== "num") return undefined;
  return { n: reg.n, bits: reg.bits, scale: Number(factor.v), plain: false };
}

/**
 * From a parsed instruction to bytes: every row of its name is tried, the shortest encoding wins, of equals the first
 * in the table. Sources: SDM-2A chapter 2. Cold.
 */
import type { OpRow } from "../../../spec/i386_op_row.ts";
import { needsModrm } from "../opcode_index.ts";
import { encodeAddress, littleEndian } from "./address.ts";
import { evaluate, type Scope, type Value } from "./expression.ts";
import { asmError, type SourceLine } from "./lexer.ts";
import { type Draft, matchOperand } from "./match.ts";
import { type Resolved, rowsOf } from "./names.ts";
import type { ParsedOperand } from "./operand.ts";

/** An instruction as written. */
export interface Instruction {
  /** Its name, or `undefined` for prefixes alone. */
  readonly name: Resolved | undefined;
  /** Column of the name, from 1. */
  readonly column: number;
  /** Operands. */
  readonly operands: readonly ParsedOperand[];
  /** LOCK, REP and REPNE bytes as written. */
  readonly repeats: readonly number[];
  /** Segment prefix byte in front, 0: none. */
  readonly segment: number;
  /** o16, o32; 0: none. */
  readonly opSize: 0 | 16 | 32;
  /** a16, a32; 0: none. */
  readonly addrSize: 0 | 16 | 32;
}

/** Prefix bytes of the segments. */
export const SEGMENT_PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

interface Environment {
  readonly at: SourceLine;
  readonly bits: 16 | 32;
  readonly scope: Scope;
  /** Only long forms of what depends on names. */
  readonly wide: boolean;
}

/**
 * Encodes an instruction.
 *
 * @throws {ConfigError} asm-operands, asm-range, asm-size
 */
export function encodeInstruction(one: Instruction, env: Environment): number[] {
  if (one.name === undefined) return prefixBytes(one, undefined, env, 0, 0);
  if (one.name.name === "xchg" && isAccumulators(one.operands)) return nop(one, env);
  let best: number[] | undefined;
  let problem = "";
  const guesses = new Set<number>();
  // FADD and its like without operands are the popping forms.
  const bare = one.operands.length === 0 && /^f(add|mul|subr?|divr?)$/.test(one.name.name);
  for (const row of rowsOf(bare ? `${one.name.name}p` : one.name.name)) {
    for (const operands of arrangements(row, one)) {
      for (const opSize of [env.bits, env.bits === 32 ? 16 : 32] as const) {
        const draft = tryRow(row, opSize, operands, one, env);
        if (typeof draft === "string") {
          problem ||= draft;
          continue;
        }
        const bytes = finish(draft, one, env);
        if (typeof bytes === "string") {
          problem ||= bytes;
          continue;
        }
        if (draft.guessed !== 0) guesses.add(isGuess(draft) ? -draft.guessed : draft.guessed);
        const isBetter = best === undefined || bytes.length < best.length ||
          (bytes.length === best.length && (isBothTop(operands) || row.operands[1] === "sIb"));
        if (isBetter) best = bytes;
      }
    }
  }
  if (best === undefined) {
    if (problem !== "") throw asmError("asm-range", env.at, one.column, problem);
    throw asmError("asm-operands", env.at, one.column, `No form of "${one.name.name}" takes these operands`);
  }
  if (guesses.size > 1 || [...guesses].some((g) => g < 0)) {
    throw asmError(
      "asm-size",
      env.at,
      one.column,
      "Operand size is not known; write byte, word or dword before the bracket",
    );
  }
  return best;
}

/** XCHG of AX or EAX with itself: NOP. */
function isAccumulators([a, b]: readonly ParsedOperand[]): boolean {
  return a?.kind === "register" && b?.kind === "register" && a.cls === "general" && b.cls === "general" &&
    a.n === 0 && b.n === 0 && a.bits > 8 && a.bits === b.bits;
}

function nop(one: Instruction, env: Environment): number[] {
  const [a] = one.operands;
  const bits = a.kind === "register" ? a.bits : env.bits;
  return [...prefixBytes(one, undefined, env, 0, 0), ...(bits === env.bits ? [] : [0x66]), 0x90];
}

/** True if nothing but the default says how wide the memory operand is. */
function isGuess(d: Draft): boolean {
  return !d.told && /^(call|jmp)/.test(d.row.mnemonic) === false && d.row.operands.some((o) => o === "Ev");
}

/** Both operands ST(0): the form that names the destination is taken. */
function isBothTop(operands: readonly ParsedOperand[]): boolean {
  return operands.length === 2 && operands.every((o) => o.kind === "register" && o.cls === "x87" && o.n === 0);
}

const STI: ParsedOperand = { kind: "register", cls: "x87", n: 1, bits: 80, to: false };
const TOP: ParsedOperand = { kind: "register", cls: "x87", n: 0, bits: 80, to: false };

function constant(v: bigint): ParsedOperand {
  return { kind: "immediate", size: 0, e: { k: "num", v }, strict: false, distance: "", offset: undefined };
}

/** The operands as the row has them: implied ones added, exchangeable ones exchanged. */
function arrangements(row: OpRow, one: Instruction): readonly (readonly ParsedOperand[])[] {
  const given = one.name !== undefined && one.name.imm >= 0
    ? [...one.operands, constant(BigInt(one.name.imm))]
    : one.operands;
  const [a, b] = given;
  if (row.operands.some((o) => o[0] === "X" || o[0] === "Y")) return given.length === 0 ? [[]] : [];
  if (given.length === 0 && (row.mnemonic === "aam" || row.mnemonic === "aad")) return [[constant(10n)]];
  if (row.operands.includes("sti")) return x87Operands(row, given);
  if (row.sem === "imul3" && given.length === 2) return [[a, a, b]];
  if (row.sem === "xchg" && given.length === 2) return [[b, a], [a, b]];
  if (row.sem === "test" && given.length === 2 && b.kind === "memory") return [[b, a]];
  return given.length === row.operands.length ? [given] : [];
}

function x87Operands(row: OpRow, given: readonly ParsedOperand[]): readonly (readonly ParsedOperand[])[] {
  if (given.length === row.operands.length) return [given];
  const [a] = given;
  if (given.length === 0) {
    if (!/p$|^fu?com|^fxch/.test(row.mnemonic)) return [];
    return [row.operands.map((o) => o === "sti" ? STI : TOP)];
  }
  const to = a.kind === "register" && a.to;
  const isDestination = row.operands[0] === "sti";
  if (isDestination !== (to || /^f(add|mul|subr?|divr?)p$/.test(row.mnemonic))) return [];
  return [row.operands.map((o) => o === "sti" ? a : TOP)];
}

function tryRow(
  row: OpRow,
  opSize: 16 | 32,
  operands: readonly ParsedOperand[],
  one: Instruction,
  env: Environment,
): Draft | string {
  if (row.opSize !== undefined && row.opSize !== opSize) return "";
  if (one.opSize !== 0 && one.opSize !== opSize) return "";
  if (row.addrSize !== undefined && one.addrSize !== 0 && row.addrSize !== one.addrSize) return "";
  const d: Draft = {
    row,
    opSize,
    reg: row.digit ?? 0,
    rm: -1,
    memory: undefined,
    moffs: false,
    tail: [],
    target: undefined,
    targetBytes: 0,
    told: row.opSize !== undefined || one.opSize !== 0,
    guessed: 0,
    problem: "",
  };
  const context = {
    wide: env.wide,
    value: (e: ParsedOperand & { kind: "immediate" }, offset: boolean): Value =>
      evaluate(offset && e.offset !== undefined ? e.offset : e.e, env.scope, env.at),
  };
  for (let i = 0; i < operands.length; i++) {
    if (!matchOperand(row.operands[i], operands[i], d, context)) return d.problem;
  }
  // A word extended to a word: only if it is asked for.
  if (d.guessed === 16 && opSize === 16 && /^mov[sz]x$/.test(row.sem)) return "";
  if (row.mod !== undefined && needsModrm(row) && row.modrm === undefined) {
    if ((row.mod === "mem") !== (d.memory !== undefined)) return "";
  }
  if (opSize !== env.bits && !d.told) return "";
  return d;
}

/** Bytes of a draft, or why there are none. */
function finish(d: Draft, one: Instruction, env: Environment): number[] | string {
  const { row } = d;
  const needed = row.addrSize ?? 0;
  const addrSize = needed !== 0 ? needed : d.memory?.addressBits || one.addrSize || env.bits;
  const bytes = prefixBytes(one, d, env, d.opSize, addrSize);
  if (row.prefix !== undefined && row.prefix !== 0) bytes.push(row.prefix);
  if (row.opcode > 0xff) bytes.push(0x0f);
  bytes.push(row.opcode & 0xff);
  if (row.modrm !== undefined) bytes.push(row.modrm);
  else if (d.memory !== undefined) {
    const { displacement } = d.memory;
    const disp = displacement === undefined
      ? { v: 0n, labels: 0, known: true }
      : evaluate(displacement, env.scope, env.at);
    if (d.moffs) bytes.push(...littleEndian(disp.v, addrSize / 8));
    else {
      const wide = env.wide && displacement?.k !== "num";
      bytes.push(...encodeAddress(d.memory, d.reg, addrSize, disp, wide, env.at));
    }
  } else if (needsModrm(row)) bytes.push(0xc0 | (d.reg << 3) | Math.max(d.rm, 0));
  bytes.push(...d.tail);
  if (d.target !== undefined) {
    const bits = d.opSize;
    const distance = BigInt.asIntN(bits, d.target.v - BigInt(env.scope.here + bytes.length + d.targetBytes));
    if (d.targetBytes === 1 && d.target.known && (distance < -128n || distance > 127n)) {
      return `Jump target is ${distance} bytes away, more than a short jump reaches`;
    }
    bytes.push(...littleEndian(distance, d.targetBytes));
  }
  return bytes;
}

/** Prefixes in nasm's order: repeat, segment, operand size, address size. */
function prefixBytes(
  one: Instruction,
  d: Draft | undefined,
  env: Environment,
  opSize: number,
  addrSize: number,
): number[] {
  const bytes: number[] = one.name?.wait === true ? [0x9b] : [];
  bytes.push(...one.repeats);
  const segment = d?.memory !== undefined && d.memory.segment >= 0 ? SEGMENT_PREFIXES[d.memory.segment] : one.segment;
  if (segment !== 0) bytes.push(segment);
  if ((d === undefined ? one.opSize || env.bits : opSize) !== env.bits) bytes.push(0x66);
  if ((d === undefined ? one.addrSize || env.bits : addrSize) !== env.bits) bytes.push(0x67);
  return bytes;
}

/**
 * One line of source: label, then an instruction or a directive. Parsed once; sizes are found in the passes. Cold.
 */
import { type Instruction, SEGMENT_PREFIXES } from "./encode.ts";
import { type Expression, parseExpression, TokenReader } from "./expression.ts";
import { asmError, type SourceLine, tokenize } from "./lexer.ts";
import { resolve } from "./names.ts";
import { type ParsedOperand, parseOperand, segmentNumber } from "./operand.ts";

/** Data of DB and its like: numbers and strings. */
export type DataItem = Expression | { readonly k: "str"; readonly text: string };

/** What a line does. */
export type Action =
  | { readonly k: "instruction"; readonly one: Instruction; readonly bits: 16 | 32 }
  | { readonly k: "data"; readonly size: number; readonly items: readonly DataItem[] }
  | { readonly k: "reserve"; readonly size: number; readonly count: Expression }
  | { readonly k: "align"; readonly to: Expression; readonly fill: Expression | undefined; readonly nops: boolean }
  | { readonly k: "times"; readonly count: Expression; readonly action: Action }
  | { readonly k: "equ"; readonly name: string; readonly e: Expression }
  | { readonly k: "org"; readonly e: Expression };

/** A line. */
export interface Statement {
  /** Where it stands. */
  readonly at: SourceLine;
  /** Label it defines, complete name, or "". */
  readonly label: string;
  /** What it does; `undefined`: only a label. */
  readonly action: Action | undefined;
}

/** State between lines. */
export interface ParseState {
  /** 16 or 32. */
  bits: 16 | 32;
  /** Last label that was not local. */
  global: string;
}

const DATA: Readonly<Record<string, number>> = { db: 1, dw: 2, dd: 4, dq: 8 };
const RESERVE: Readonly<Record<string, number>> = { resb: 1, resw: 2, resd: 4, resq: 8 };
const REPEATS: Readonly<Record<string, number>> = {
  lock: 0xf0,
  rep: 0xf3,
  repe: 0xf3,
  repz: 0xf3,
  repne: 0xf2,
  repnz: 0xf2,
};
const SIZE_PREFIXES: readonly string[] = ["o16", "o32", "a16", "a32"];
const OTHER_WORDS: readonly string[] = ["times", "equ", "org", "align", "alignb", "bits", "use16", "use32", "global"];

function isWord(text: string, bits: 16 | 32): boolean {
  const word = text.toLowerCase();
  return DATA[word] !== undefined || RESERVE[word] !== undefined || REPEATS[word] !== undefined ||
    OTHER_WORDS.includes(word) || SIZE_PREFIXES.includes(word) || resolve(word, bits) !== undefined;
}

/** Parses a line. @throws {ConfigError} asm-syntax, asm-mnemonic */
export function parseLine(at: SourceLine, state: ParseState): Statement {
  const r = new TokenReader(at, tokenize(at));
  let label = "";
  const first = r.peek();
  if (first.kind === "id" && !first.text.startsWith("$") && segmentNumber(first.text) < 0) {
    const colon = r.peek(1).text === ":" && r.peek(1).kind === "op";
    const follows = r.peek(1).kind === "end" || (r.peek(1).kind === "id" && isWord(r.peek(1).text, state.bits));
    if (colon || (!isWord(first.text, state.bits) && follows)) {
      r.next();
      if (colon) r.next();
      label = localName(first.text, state);
      if (!first.text.startsWith(".") && r.peek().text.toLowerCase() !== "equ") state.global = first.text;
    }
  }
  if (r.peek().kind === "end") return { at, label, action: undefined };
  if (r.takeWord("equ")) {
    if (label === "") throw asmError("asm-syntax", at, first.column, "EQU needs a name in front");
    const e = expression(r, state);
    r.expectEnd();
    return { at, label: "", action: { k: "equ", name: label, e } };
  }
  const action = parseAction(r, state);
  r.expectEnd();
  return { at, label, action };
}

function localName(name: string, state: ParseState): string {
  return name.startsWith(".") && !name.startsWith("..") ? state.global + name : name;
}

function expression(r: TokenReader, state: ParseState): Expression {
  return parseExpression(r, (name) => localName(name, state));
}

function parseAction(r: TokenReader, state: ParseState): Action | undefined {
  const bracket = r.peek().text === "[" && r.peek(1).text.toLowerCase() === "bits";
  if (bracket) r.next();
  const t = r.peek();
  const word = t.kind === "id" ? t.text.toLowerCase() : "";
  if (word === "bits" || word === "use16" || word === "use32") {
    r.next();
    setBits(word, r, state);
    if (bracket) r.expect("]");
    return undefined;
  }
  if (DATA[word] !== undefined) {
    r.next();
    return { k: "data", size: DATA[word], items: parseData(r, state) };
  }
  if (RESERVE[word] !== undefined) {
    r.next();
    return { k: "reserve", size: RESERVE[word], count: expression(r, state) };
  }
  switch (word) {
    case "times": {
      r.next();
      const count = expression(r, state);
      const action = parseAction(r, state);
      if (action === undefined) throw r.error("TIMES needs something to repeat");
      return { k: "times", count, action };
    }
    case "org":
      r.next();
      return { k: "org", e: expression(r, state) };
    case "align":
    case "alignb":
      return parseAlign(r, state);
    case "global":
      while (r.peek().kind !== "end") r.next();
      return undefined;
    default:
      return parseInstruction(r, state);
  }
}

function setBits(word: string, r: TokenReader, state: ParseState): void {
  const n = word === "bits" ? Number(r.next().value) : Number(word.slice(3));
  if (n !== 16 && n !== 32) throw r.error("BITS is 16 or 32");
  state.bits = n;
}

function parseAlign(r: TokenReader, state: ParseState): Action {
  const nops = r.next().text.toLowerCase() === "align";
  const to = expression(r, state);
  let fill: Expression | undefined;
  if (r.take(",")) {
    if (r.takeWord("db")) fill = expression(r, state);
    else if (!r.takeWord("nop")) throw r.error("Fill with NOP or DB and a value");
  }
  return { k: "align", to, fill, nops };
}

function parseData(r: TokenReader, state: ParseState): DataItem[] {
  const items: DataItem[] = [];
  do {
    const t = r.peek(), after = r.peek(1);
    if (t.kind === "str" && (after.kind === "end" || after.text === ",")) {
      r.next();
      items.push({ k: "str", text: t.text });
    } else items.push(expression(r, state));
  } while (r.take(","));
  return items;
}

function parseInstruction(r: TokenReader, state: ParseState): Action {
  const repeats: number[] = [];
  let segment = 0;
  let opSize: 0 | 16 | 32 = 0, addrSize: 0 | 16 | 32 = 0;
  let word = "", column = 0;
  for (;;) {
    const t = r.peek();
    if (t.kind === "end" && column !== 0) {
      return {
        k: "instruction",
        one: { name: undefined, column, operands: [], repeats, segment, opSize, addrSize },
        bits: state.bits,
      };
    }
    if (t.kind !== "id") throw r.error(`Expected an instruction, found "${t.text}"`);
    word = t.text.toLowerCase();
    column = t.column;
    r.next();
    if (REPEATS[word] !== undefined) repeats.push(REPEATS[word]);
    else if (segmentNumber(word) >= 0) segment = SEGMENT_PREFIXES[segmentNumber(word)];
    else if (word === "o16" || word === "o32") opSize = word === "o16" ? 16 : 32;
    else if (word === "a16" || word === "a32") addrSize = word === "a16" ? 16 : 32;
    else break;
  }
  const name = resolve(word, opSize === 0 ? state.bits : opSize);
  if (name === undefined) throw asmError("asm-mnemonic", r.at, column, `No instruction or directive "${word}"`);
  if (name.opSize !== 0) opSize = name.opSize;
  const operands: ParsedOperand[] = [];
  if (r.peek().kind !== "end") {
    do operands.push(parseOperand(r, (n) => localName(n, state))); while (r.take(","));
  }
  const counter = operands[1];
  if (/^(loop|j(e?)cxz)/.test(name.name) && counter?.kind === "register") {
    addrSize = counter.bits === 16 ? 16 : 32;
    operands.pop();
  }
  return { k: "instruction", one: { name, column, operands, repeats, segment, opSize, addrSize }, bits: state.bits };
}

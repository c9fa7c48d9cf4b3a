/**
 * Expressions: trees made once from tokens and evaluated in every pass. Values are 64 bits wide; a value knows how many
 * labels it contains, since sizes are chosen by constants only, as nasm does. Cold.
 */
import { REG16, REG32 } from "../../../spec/i386_regs.ts";
import { asmError, type SourceLine, stringValue, type Token } from "./lexer.ts";

/** An expression. */
export type Expression =
  | { readonly k: "num"; readonly v: bigint }
  | { readonly k: "name"; readonly name: string; readonly column: number }
  | { readonly k: "reg"; readonly n: number; readonly bits: 16 | 32 }
  | { readonly k: "un"; readonly op: string; readonly a: Expression }
  | { readonly k: "bin"; readonly op: string; readonly a: Expression; readonly b: Expression; readonly column: number };

/** What an expression came to. */
export interface Value {
  /** The number, 64 bits, signed. */
  readonly v: bigint;
  /** Labels in it: 0 is a plain number. */
  readonly labels: number;
  /** False while a name is not defined yet. */
  readonly known: boolean;
}

/** Names and places in one pass. */
export interface Scope {
  /** Looks a name up; `undefined`: not defined (yet). */
  lookup(name: string): Value | undefined;
  /** Address of the statement. */
  readonly here: number;
  /** Address of the first byte. */
  readonly start: number;
}

/** Tokens being read. */
export class TokenReader {
  /** Where the line stands. */
  readonly at: SourceLine;
  readonly #tokens: readonly Token[];
  #i = 0;

  /** Reads one line. @param at The line. @param tokens Its tokens, the last is `end`. */
  constructor(at: SourceLine, tokens: readonly Token[]) {
    this.at = at;
    this.#tokens = tokens;
  }

  /** Token `ahead` of the next. */
  peek(ahead: number = 0): Token {
    return this.#tokens[Math.min(this.#i + ahead, this.#tokens.length - 1)];
  }

  /** Takes the next token. */
  next(): Token {
    const t = this.peek();
    this.#i++;
    return t;
  }

  /** Takes the next token if it is this operator. */
  take(op: string): boolean {
    const t = this.peek();
    if (t.kind !== "op" || t.text !== op) return false;
    this.#i++;
    return true;
  }

  /** Takes the next token if it is this word, whatever its case. */
  takeWord(word: string): boolean {
    const t = this.peek();
    if (t.kind !== "id" || t.text.toLowerCase() !== word) return false;
    this.#i++;
    return true;
  }

  /** Takes this operator or fails. */
  expect(op: string): void {
    if (!this.take(op)) throw this.error(`Expected "${op}"${this.#found()}`);
  }

  /** Fails unless the line ends here. */
  expectEnd(): void {
    if (this.peek().kind !== "end") throw this.error(`Unexpected "${this.peek().text}"`);
  }

  /** An error at the next token. */
  error(message: string, code: string = "asm-syntax"): Error {
    return asmError(code, this.at, this.peek().column, message);
  }

  #found(): string {
    return this.peek().kind === "end" ? " before the end of the line" : `, found "${this.peek().text}"`;
  }
}

/** Binding of the binary operators, loosest first. */
const LEVELS: readonly (readonly string[])[] = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];

/** Reads an expression. `scope` completes names of local labels. */
export function parseExpression(r: TokenReader, local: (name: string) => string, level: number = 0): Expression {
  if (level === LEVELS.length) return parseUnary(r, local);
  let a = parseExpression(r, local, level + 1);
  for (;;) {
    const { kind, text: op, column } = r.peek();
    if (kind !== "op" || !LEVELS[level].includes(op)) return a;
    r.next();
    a = { k: "bin", op, a, b: parseExpression(r, local, level + 1), column };
  }
}

function parseUnary(r: TokenReader, local: (name: string) => string): Expression {
  const { kind, text, value, column } = r.peek();
  if (kind === "op" && (text === "-" || text === "~" || text === "+")) {
    r.next();
    return { k: "un", op: text, a: parseUnary(r, local) };
  }
  if (r.take("(")) {
    const inner = parseExpression(r, local);
    r.expect(")");
    return inner;
  }
  if (kind === "num") {
    r.next();
    return { k: "num", v: value };
  }
  if (kind === "str") {
    r.next();
    return { k: "num", v: stringValue(text) };
  }
  if (kind !== "id") throw r.error(kind === "end" ? "Expression is missing" : `Unexpected "${text}" in an expression`);
  r.next();
  const lower = text.toLowerCase();
  for (const [names, bits] of [[REG32, 32], [REG16, 16]] as const) {
    if (names.includes(lower)) return { k: "reg", n: names.indexOf(lower), bits };
  }
  return { k: "name", name: local(text), column };
}

/** Evaluates. @throws {ConfigError} asm-syntax: a register in it, a division by zero. */
export function evaluate(e: Expression, scope: Scope, at: SourceLine): Value {
  switch (e.k) {
    case "num":
      return { v: e.v, labels: 0, known: true };
    case "name":
      if (e.name === "$") return { v: BigInt(scope.here), labels: 1, known: true };
      if (e.name === "$$") return { v: BigInt(scope.start), labels: 1, known: true };
      return scope.lookup(e.name) ?? { v: 0n, labels: 0, known: false };
    case "reg":
      throw asmError("asm-syntax", at, 1, "A register cannot stand here");
    case "un": {
      const a = evaluate(e.a, scope, at);
      if (e.op === "+") return a;
      return { v: e.op === "-" ? -a.v : ~a.v, labels: e.op === "-" ? -a.labels : a.labels, known: a.known };
    }
    default:
      return binary(e.op, evaluate(e.a, scope, at), evaluate(e.b, scope, at), at, e.column);
  }
}

function binary(op: string, a: Value, b: Value, at: SourceLine, column: number): Value {
  const known = a.known && b.known;
  switch (op) {
    case "+":
      return { v: a.v + b.v, labels: a.labels + b.labels, known };
    case "-":
      return { v: a.v - b.v, labels: a.labels - b.labels, known };
    case "*":
      return { v: a.v * b.v, labels: 0, known };
    case "/":
    case "%":
      if (b.v === 0n && known) throw asmError("asm-syntax", at, column, "Division by zero");
      if (b.v === 0n) return { v: 0n, labels: 0, known };
      return { v: op === "/" ? a.v / b.v : a.v % b.v, labels: 0, known };
    case "<<":
      return { v: BigInt.asIntN(64, a.v << BigInt.asUintN(6, b.v)), labels: 0, known };
    case ">>":
      return { v: BigInt.asUintN(64, a.v) >> BigInt.asUintN(6, b.v), labels: 0, known };
    case "&":
      return { v: a.v & b.v, labels: 0, known };
    case "|":
      return { v: a.v | b.v, labels: 0, known };
    default:
      return { v: a.v ^ b.v, labels: 0, known };
  }
}

/** The first name in an expression that is not defined. */
export function unknownName(
  e: Expression,
  scope: Scope,
): { readonly name: string; readonly column: number } | undefined {
  switch (e.k) {
    case "name":
      return e.name[0] === "$" || scope.lookup(e.name) !== undefined ? undefined : e;
    case "un":
      return unknownName(e.a, scope);
    case "bin":
      return unknownName(e.a, scope) ?? unknownName(e.b, scope);
    default:
      return undefined;
  }
}

/**
 * Tokens of one line of assembler source. Numbers as nasm writes them: 0x1f, 1fh, 0b101, 101b, 0o17, 17o, 10d, digits
 * may be parted by underscores; strings and characters in ' " or `. `;` begins a comment. Cold.
 */
import { ConfigError } from "../../../core/errors.ts";

/** One token. */
export interface Token {
  /** `id`: name, also `$` and `$$`; `num`: number; `str`: string; `op`: operator or punctuation; `end`: end of line. */
  readonly kind: "id" | "num" | "str" | "op" | "end";
  /** Text as written; of a string its contents. */
  readonly text: string;
  /** Value of a number. */
  readonly value: bigint;
  /** Column, from 1. */
  readonly column: number;
}

/** Where a line stands, for messages. */
export interface SourceLine {
  /** Line number, from 1. */
  readonly line: number;
  /** The line. */
  readonly text: string;
}

/** Error of the assembler: line, column and the line itself. */
export function asmError(code: string, at: SourceLine, column: number, message: string): ConfigError {
  return new ConfigError(code, `Line ${at.line}, column ${column}: ${message}\n  ${at.text}`);
}

const SPACE = /[ \t\r\f]*/y;
const NAME = /[A-Za-z_.?@][\w.$#@~?]*/y;
const NUMBER = /\d[\w]*/y;
const OPERATOR = /<<|>>|\$\$|[-+*/%&|^~()[\],:$]/y;

/** Splits a line. @throws {ConfigError} asm-syntax */
export function tokenize(at: SourceLine): Token[] {
  const { text } = at;
  const tokens: Token[] = [];
  let i = 0;
  const take = (re: RegExp): string | undefined => {
    re.lastIndex = i;
    return re.exec(text)?.[0];
  };
  for (;;) {
    i += take(SPACE)?.length ?? 0;
    const column = i + 1;
    const c = text[i];
    if (c === undefined || c === ";") {
      tokens.push({ kind: "end", text: "", value: 0n, column });
      return tokens;
    }
    let found: string | undefined;
    if (c === "'" || c === '"' || c === "`") {
      const end = text.indexOf(c, i + 1);
      if (end < 0) throw asmError("asm-syntax", at, column, `String without closing ${c}`);
      tokens.push({ kind: "str", text: text.slice(i + 1, end), value: 0n, column });
      i = end + 1;
    } else if ((found = take(NUMBER)) !== undefined) {
      tokens.push({ kind: "num", text: found, value: numberOf(found, at, column), column });
      i += found.length;
    } else if ((found = take(NAME)) !== undefined) {
      tokens.push({ kind: "id", text: found, value: 0n, column });
      i += found.length;
    } else if ((found = take(OPERATOR)) !== undefined) {
      tokens.push({ kind: found[0] === "$" ? "id" : "op", text: found, value: 0n, column });
      i += found.length;
    } else {
      throw asmError("asm-syntax", at, column, `Unexpected character "${c}"`);
    }
  }
}

const FORMS: readonly (readonly [RegExp, string])[] = [
  [/^0x([0-9a-f]+)$/, "0x"],
  [/^0b([01]+)$/, "0b"],
  [/^0o([0-7]+)$/, "0o"],
  [/^([0-9a-f]+)h$/, "0x"],
  [/^([01]+)b$/, "0b"],
  [/^([0-7]+)[oq]$/, "0o"],
  [/^(\d+)d?$/, ""],
];

function numberOf(text: string, at: SourceLine, column: number): bigint {
  const plain = text.toLowerCase().replaceAll("_", "");
  for (const [form, prefix] of FORMS) {
    const digits = form.exec(plain)?.[1];
    if (digits !== undefined) return BigInt(prefix + digits);
  }
  throw asmError("asm-syntax", at, column, `"${text}" is no number`);
}

/** A string as a little-endian number, as nasm takes character constants. */
export function stringValue(text: string): bigint {
  let value = 0n;
  [...new TextEncoder().encode(text)].forEach((b, i) => value |= BigInt(b) << BigInt(8 * i));
  return value;
}

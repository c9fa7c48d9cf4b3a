/**
 * `asm` and `asm16`: assembler source in a script, with numbers put in. Cold.
 */
import { ConfigError } from "../../../core/errors.ts";
import { assemble, type AssembleOptions, type Assembly } from "./assemble.ts";

/** Source that a machine loads: assembled for address 0 at once, and for another one on request. */
export interface AsmSource extends Assembly {
  /** Assembles the same source for the address it is loaded at. */
  at(origin: number): Assembly;
}

function tag(bits: 16 | 32): (parts: TemplateStringsArray, ...values: (number | bigint)[]) => AsmSource {
  return (parts, ...values) => {
    const source = parts.raw.reduce((text, part, i) => text + number(values[i - 1]) + part);
    const options: AssembleOptions = { bits };
    return { ...assemble(source, options), at: (origin) => assemble(source, { ...options, origin }) };
  };
}

function number(value: number | bigint): string {
  if (typeof value === "bigint" || Number.isInteger(value)) return value < 0 ? `(${value})` : String(value);
  throw new ConfigError("asm-value", `Only whole numbers can be put into assembler source, not ${value}`);
}

/** 32-bit code: asm`mov eax, ${40}`. @throws {ConfigError} as `assemble` does, and asm-value */
export const asm: (parts: TemplateStringsArray, ...values: (number | bigint)[]) => AsmSource = tag(32);

/** 16-bit code. @throws {ConfigError} as `assemble` does, and asm-value */
export const asm16: (parts: TemplateStringsArray, ...values: (number | bigint)[]) => AsmSource = tag(16);

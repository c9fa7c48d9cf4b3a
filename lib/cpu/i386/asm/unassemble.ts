/**
 * The way back from {@linkcode assemble}: bytes as a list of instructions that nasm's language takes again. Cold.
 */
import { disassemble as one } from "../disasm.ts";

/** Options of {@linkcode disassemble}. */
export interface DisassembleOptions {
  /** Address of the first byte; default 0. */
  readonly origin?: number;
  /** Code size; default 32. */
  readonly bits?: 16 | 32;
}

/** One instruction of a listing. */
export interface DisassembledLine {
  /** Address of its first byte. */
  readonly address: number;
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** Its text; `db` for a byte that begins no instruction. */
  readonly text: string;
}

/** Disassembles bytes from the first to the last. */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): readonly DisassembledLine[] {
  const { origin = 0, bits = 32 } = options;
  const lines: DisassembledLine[] = [];
  for (let at = 0; at < bytes.length;) {
    const address = (origin + at) >>> 0;
    const { length, text } = one(bytes, at, bytes.length - at, address, bits === 32);
    lines.push({ address, bytes: bytes.subarray(at, at + length), text });
    at += length;
  }
  return lines;
}

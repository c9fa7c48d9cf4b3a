/**
 * Other names of mnemonics, as nasm knows them. The opcode table has one name per encoding. Sources: SDM-1 appendix B
 * (conditions), SDM-2A (aliases). Cold.
 */
import { OPS } from "../../../spec/i386_ops.ts";
import type { OpRow } from "../../../spec/i386_op_row.ts";

/** A mnemonic resolved. */
export interface Resolved {
  /** Name in the table. */
  readonly name: string;
  /** 9B stands in front (FINIT is FWAIT and FNINIT). */
  readonly wait: boolean;
  /** Immediate the name implies (CMPEQPS), -1: none. */
  readonly imm: number;
  /** Operand size the name implies (RETFW), 0: none. */
  readonly opSize: 0 | 16 | 32;
}

const CONDITIONS: Readonly<Record<string, string>> = {
  c: "b",
  nae: "b",
  nb: "ae",
  nc: "ae",
  e: "z",
  ne: "nz",
  na: "be",
  nbe: "a",
  pe: "p",
  po: "np",
  nge: "l",
  nl: "ge",
  ng: "le",
  nle: "g",
};

const OTHERS: Readonly<Record<string, string>> = {
  sal: "shl",
  retn: "ret",
  xlat: "xlatb",
  fwait: "wait",
  loopz: "loope",
  loopnz: "loopne",
  icebp: "int1",
  int01: "int1",
  int03: "int3",
};

const SIZED: readonly string[] = ["iret", "pusha", "popa", "pushf", "popf"];
const WAITING: readonly string[] = ["finit", "fclex", "fsave", "fstenv", "fstcw", "fstsw", "feni", "fdisi", "fsetpm"];
const COMPARISONS: readonly string[] = ["eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"];

let rows: Map<string, OpRow[]> | undefined;

/** Rows of a name of the table. */
export function rowsOf(name: string): readonly OpRow[] {
  if (rows === undefined) {
    rows = new Map();
    for (const row of OPS) {
      const list = rows.get(row.mnemonic);
      if (list === undefined) rows.set(row.mnemonic, [row]);
      else list.push(row);
    }
  }
  return rows.get(name) ?? [];
}

/** Resolves a mnemonic as written (lower case); `undefined`: there is none. */
export function resolve(word: string, bits: 16 | 32): Resolved | undefined {
  const plain = (name: string): Resolved => ({ name, wait: false, imm: -1, opSize: 0 });
  if (SIZED.includes(word)) return plain(word + (bits === 32 ? "d" : "w"));
  if (rowsOf(word).length > 0) return plain(word);
  if (OTHERS[word] !== undefined) return plain(OTHERS[word]);
  if (WAITING.includes(word)) return { name: `fn${word.slice(1)}`, wait: true, imm: -1, opSize: 0 };
  const ret = /^(ret[fn]?)([wd])$/.exec(word);
  if (ret !== null) return { ...plain(ret[1] === "retn" ? "ret" : ret[1]), opSize: ret[2] === "w" ? 16 : 32 };
  const conditional = /^(j|set|cmov)([a-z]+)$/.exec(word);
  if (conditional !== null && CONDITIONS[conditional[2]] !== undefined) {
    return plain(conditional[1] + CONDITIONS[conditional[2]]);
  }
  const comparison = /^cmp([a-z]+)([ps][sd])$/.exec(word);
  const imm = comparison === null ? -1 : COMPARISONS.indexOf(comparison[1]);
  if (comparison !== null && imm >= 0) return { name: `cmp${comparison[2]}`, wait: false, imm, opSize: 0 };
  return undefined;
}

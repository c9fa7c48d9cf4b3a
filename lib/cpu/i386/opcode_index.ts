/**
 * The opcode table arranged for the decoder: for each opcode the rows that may be meant, for one set of features. Built
 * once per feature set on first use. Warm.
 */
import { type CpuFeature, type OpRow, OPS } from "../../spec/i386_ops.ts";

/** Rows of one opcode. */
export interface OpcodeEntry {
  /** Rows to choose from, those with a mandatory prefix first. */
  readonly rows: readonly OpRow[];
  /** Index of each row in OPS. */
  readonly indexes: readonly number[];
  /** A ModRM byte follows. */
  readonly hasModrm: boolean;
  /** Some row has a mandatory prefix. */
  readonly hasPrefix: boolean;
}

/** Entries by opcode: 0 to 255 one-byte map, 256 to 511 two-byte map. */
export type OpcodeIndex = readonly (OpcodeEntry | undefined)[];

const known: Map<string, OpcodeIndex> = new Map();

/** The index for a feature set. */
export function opcodeIndex(features: ReadonlySet<CpuFeature>): OpcodeIndex {
  const key = [...features].sort().join();
  let index = known.get(key);
  if (index === undefined) {
    index = build(features);
    known.set(key, index);
  }
  return index;
}

/** Slot of an opcode as the table writes it. */
function opcodeSlot(opcode: number): number {
  return opcode < 0x100 ? opcode : 0x100 | (opcode & 0xff);
}

function build(features: ReadonlySet<CpuFeature>): OpcodeIndex {
  const lists: { row: OpRow; index: number }[][] = Array.from({ length: 512 }, () => []);
  OPS.forEach((row, index) => {
    if (features.has(row.feature)) lists[opcodeSlot(row.opcode)].push({ row, index });
  });
  return lists.map((list) => {
    if (list.length === 0) return undefined;
    list.sort((a, b) => rank(a.row) - rank(b.row));
    return {
      rows: list.map((e) => e.row),
      indexes: list.map((e) => e.index),
      hasModrm: list.some((e) => needsModrm(e.row)),
      hasPrefix: list.some((e) => e.row.prefix !== undefined),
    };
  });
}

/** Exact ModRM bytes before digits, mandatory prefixes before none. */
function rank(row: OpRow): number {
  return (row.prefix === undefined ? 2 : 0) + (row.modrm === undefined ? 1 : 0);
}

/** True if a ModRM byte follows the opcode. */
export function needsModrm(row: OpRow): boolean {
  if (row.digit !== undefined || row.modrm !== undefined || row.hasModrm === true) return true;
  return row.operands.some((o) => /^[EGMRPQNVWUSCDT][a-z]|^M$|^m\d/.test(o));
}

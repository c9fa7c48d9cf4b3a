/**
 * Writes a row of the opcode table with the fields most rows share left out. Cold.
 */
import type { Operand, OpRow } from "./i386_op_row.ts";

/** Fields a row may say differently from the usual. */
export type Extra = Partial<Omit<OpRow, "opcode" | "mnemonic" | "operands" | "width">>;

/** One row; operands are separated by spaces, `sem` is the mnemonic unless given. */
export function row(
  opcode: number,
  mnemonic: string,
  operands: string,
  width: OpRow["width"],
  extra: Extra = {},
): OpRow {
  return {
    opcode,
    mnemonic,
    operands: operands === "" ? [] : operands.split(" ") as Operand[],
    sem: mnemonic,
    width,
    feature: "386",
    sets: 0,
    undef: 0,
    ends: false,
    lock: false,
    ...extra,
  };
}

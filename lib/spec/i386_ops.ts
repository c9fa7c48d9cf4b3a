/**
 * The opcode table: every row of the i386 up to the Pentium 4 class, by map. Source: SDM-2 (instruction reference and
 * appendix A of volume 2D). Cold data; index it once (see the decoder), do not search it per instruction.
 */
import type { OpRow } from "./i386_op_row.ts";
import { ONE_BYTE_ROWS } from "./i386_ops_one.ts";
import { TWO_BYTE_ROWS } from "./i386_ops_two.ts";
import { X87_ROWS } from "./i386_ops_x87.ts";
import { SIMD_ROWS } from "./i386_ops_simd.ts";

export type { CpuFeature, Operand, OpRow } from "./i386_op_row.ts";

/** All rows. A row's index is its identity. */
export const OPS: readonly OpRow[] = [...ONE_BYTE_ROWS, ...TWO_BYTE_ROWS, ...X87_ROWS, ...SIMD_ROWS];

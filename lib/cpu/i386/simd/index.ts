/** All MMX, SSE and SSE2 instructions by the `sem` of their rows. Cold. */
import type { SystemFn } from "../context.ts";
import { COMPARE_FNS } from "./compare.ts";
import { CONTROL_FNS } from "./control.ts";
import { CONVERT_FNS } from "./convert.ts";
import { FLOAT_FNS } from "./float_ops.ts";
import { INTEGER_FNS } from "./integer.ts";
import { MMX_MOVE_FNS } from "./mmx_moves.ts";
import { MOVE_FNS } from "./moves.ts";

/** The functions behind the rows of `spec/i386_ops_simd.ts`. */
export const SIMD_FNS: Readonly<Record<string, SystemFn>> = {
  ...MOVE_FNS,
  ...MMX_MOVE_FNS,
  ...INTEGER_FNS,
  ...FLOAT_FNS,
  ...COMPARE_FNS,
  ...CONVERT_FNS,
  ...CONTROL_FNS,
};

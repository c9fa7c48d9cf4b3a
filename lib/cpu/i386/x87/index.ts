/**
 * The x87 as TypeScript instructions over the state block, by `sem` of the opcode table.
 *
 * `float80/` is the arithmetic on words and knows no instruction; `instructions/` is stack, tags, exceptions and memory;
 * `stack.ts` is what both engines and FXSAVE share. Cold.
 * Not emulated: the pointer and opcode registers as some processors keep them only for unmasked exceptions; here every
 * non-control instruction updates them.
 */
import type { SystemFn } from "../context.ts";
import { ARITH_FNS } from "./instructions/arith.ts";
import { COMPARE_FNS } from "./instructions/compare.ts";
import { CONTROL_FNS } from "./instructions/control.ts";
import { MOVE_FNS } from "./instructions/move.ts";
import { RARE_FNS } from "./instructions/rare.ts";

/** x87 instructions by `sem`. */
export const X87_FNS: Readonly<Record<string, SystemFn>> = {
  ...ARITH_FNS,
  ...COMPARE_FNS,
  ...MOVE_FNS,
  ...CONTROL_FNS,
  ...RARE_FNS,
};

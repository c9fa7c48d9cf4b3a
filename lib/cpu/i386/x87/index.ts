/**
 * The x87 as TypeScript instructions over the state block, by `sem` of the opcode table.
 *
 * `float80/` is the arithmetic on words and knows no instruction; `instructions/` is stack, tags, exceptions and memory;
 * `stack.ts` is what both engines and FXSAVE share. Cold.
 * Where processors differ: C1 after FCOMI and its relatives is cleared as the manual says (AMD leaves it); environment
 * images always hold the last pointers (AMD clears them unless an error is pending); C0 to C3 where the manual leaves
 * them undefined, and condition codes or EFLAGS after an unmasked invalid comparison, are as measured on hardware.
 * Transcendental functions are rounded correctly; processors miss that in the last place now and then.
 * Not emulated: pointer and opcode registers that are only kept for unmasked exceptions (newer processors).
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

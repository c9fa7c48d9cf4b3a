/**
 * All instructions written as trees, by the `sem` of their rows. Cold data.
 */
import type { Semantic } from "../builder.ts";
import { adc, add, cmp, cmpxchg, cmpxchg8b, dec, inc, neg, sbb, sub, xadd } from "./arith.ts";
import { aaa, aad, aam, aas, daa, das } from "./bcd.ts";
import { bsf, bsr, bt, btc, btr, bts } from "./bit.ts";
import { callInd, callRel, jcc, jcxz, jmpInd, jmpRel, loop, loope, loopne, ret } from "./branch.ts";
import { clc, cld, cli, cmc, nop, pushf, stc, std } from "./flag.ts";
import { and, not, or, test, xor } from "./logic.ts";
import { bswap, cbw, cmovcc, cwd, lahf, lea, mov, movsx, movzx, sahf, salc, setcc, xchg, xlat } from "./move.ts";
import { div, idiv, imul1, imul2, imul3, mul } from "./muldiv.ts";
import { rcl, rcr, rol, ror, sarSem, shld, shlSem, shrd, shrSem } from "./shift.ts";
import { leave, pop, popa, push, pusha } from "./stack.ts";
import { cmps, lods, movs, scas, stos } from "./string.ts";

/** Semantics by name. */
// deno-fmt-ignore
export const TREES: Readonly<Record<string, Semantic>> = {
  add, or, adc, sbb, and, sub, xor, cmp, test, inc, dec, not, neg, xadd, cmpxchg, cmpxchg8b,
  mul, imul1, imul2, imul3, div, idiv,
  shl: shlSem, shr: shrSem, sar: sarSem, rol, ror, rcl, rcr, shld, shrd,
  mov, movzx, movsx, xchg, lea, bswap, cbw, cwd, xlat, lahf, sahf, salc, setcc, cmovcc,
  push, pop, pusha, popa, leave,
  jcc, jcxz, loop, loope, loopne, jmpRel, jmpInd, callRel, callInd, ret,
  movs, cmps, stos, lods, scas,
  bt, bts, btr, btc, bsf, bsr,
  daa, das, aaa, aas, aam, aad,
  clc, stc, cmc, cld, std, cli, pushf, nop,
};

/**
 * All instructions written in TypeScript, by the `sem` of their rows. Cold data.
 */
import type { SystemFn } from "./context.ts";
import { enter } from "./enter.ts";
import { allInterceptable } from "./interception.ts";
import { SIMD_FNS } from "./simd/index.ts";
import { SYSTEM_FNS } from "./system/index.ts";
import { X87_FNS } from "./x87/index.ts";

/** Functions by name. */
export const FNS: Readonly<Record<string, SystemFn>> = {
  enter,
  ...allInterceptable(SYSTEM_FNS),
  ...X87_FNS,
  ...SIMD_FNS,
};

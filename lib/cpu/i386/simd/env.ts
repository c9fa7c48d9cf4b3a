/**
 * The floating-point environment of one SSE instruction: MXCSR as it was, exceptions met so far in all lanes.
 *
 * Invalid, denormal and divide-by-zero are found before a lane is computed; if one of them is unmasked in any lane no
 * lane reports overflow, underflow or inexact. Results go to `out` and are committed only after {@linkcode finish}.
 * Sources: SDM-1 11.5, 10.2.3. Hot.
 */
import { Cr4, Vector } from "../../../spec/i386_regs.ts";
import type { Context } from "../context.ts";
import { Layout } from "../state.ts";
import { MXCSR } from "./operand.ts";

/** Exception flags of MXCSR; the masks are the same bits shifted left by 7. */
export const Exc = { ie: 1, de: 2, ze: 4, oe: 8, ue: 16, pe: 32 } as const;
/** Denormals are zeros. */
export const DAZ = 0x40;
/** Flush to zero. */
export const FTZ = 0x8000;
/** Rounding control: nearest 0, down 0x2000, up 0x4000, zero 0x6000. */
export const RC = 0x6000;

/** The environment; one object for all, dead between instructions. */
export interface Env {
  /** MXCSR when the instruction began. */
  mxcsr: number;
  /** IE, DE, ZE met. */
  pre: number;
  /** OE, UE, PE met. */
  post: number;
}

/** The one environment. */
export const env: Env = { mxcsr: 0, pre: 0, post: 0 };

/** Result lanes of the instruction being executed. */
export const out: Int32Array = new Int32Array(4);

/** Begins an instruction. */
export function begin(c: Context): void {
  env.mxcsr = c.state.i32[MXCSR];
  env.pre = 0;
  env.post = 0;
}

/** Ends an instruction: records the exceptions; raises #XM (or #UD without CR4.OSXMMEXCPT) if one is unmasked. */
export function finish(c: Context): void {
  const enabled = ~(env.mxcsr >>> 7);
  const stop = (env.pre & enabled) !== 0;
  const flags = stop ? env.pre : env.pre | env.post;
  if (flags === 0) return;
  c.state.i32[MXCSR] |= flags;
  if ((flags & enabled) === 0) return;
  c.raise((c.state.get(Layout.cr4) & Cr4.osxmmexcpt) !== 0 ? Vector.xm : Vector.ud);
}

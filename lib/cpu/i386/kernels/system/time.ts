/**
 * System kernel of RDTSC: virtual time is a constant of the slice less the instructions that are left in it, so the count in
 * the state block tells it. A boot of Debian's kernel reads it five million times. Source: SDM-2B RDTSC. Cold code that
 * makes hot code.
 *
 * Left to TypeScript: CR4.TSD, and machines in which time does not go by with one CPU's instructions alone.
 */
import { Cr4 } from "../../../../spec/i386_regs.ts";
import { Layout } from "../../state.ts";
import type { Code } from "../code.ts";
import { GO_ON, type SystemKernel } from "./kernel.ts";
import { usual } from "./parts.ts";

const EAX: number = Layout.regs, EDX: number = Layout.regs + 8;

function rdtsc(k: Code): void {
  usual(k);
  k.slowIf(k.i("eqz", k.field(Layout.timeKnown)));
  k.slowIf(k.i("and", k.field(Layout.cr4), Cr4.tsd));
  const word = (at: number): () => void => k.load("i64.load", k.c(0), k.at(at));
  const left = k.l("extend_i32_s", k.field(Layout.count));
  const value = k.let("i64", k.l("add", k.l("sub", word(Layout.timeLow), left), word(Layout.tscLow)));
  k.setField(EAX, k.i("wrap_i64", value));
  k.setField(EDX, k.i("wrap_i64", k.l("shr_u", value, 32)));
  k.c(GO_ON)();
}

/** Kernels of this chapter. */
export const TIME_KERNELS: readonly SystemKernel[] = [
  { sem: "rdtsc", isMem: false, a: "none", b: "none", body: rdtsc },
];

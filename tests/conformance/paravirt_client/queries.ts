/**
 * What a kernel asks GetRelocationInfo for during activation, in its order, and what it does with each answer
 * (reference, sections 4.3 and 4.5). Cold data.
 */
import type { ParavirtName } from "../../../mod.ts";
import type { Config } from "./releases.ts";

/**
 * What becomes of an answer: put into the operation (fill), cached behind a wrapper, fetched as a function, the probe of
 * the timer half, or fetched only if that is there.
 */
export type Use = "fill" | "wrap" | "function" | "timer" | "timerFunction";

/** Number of each use in the guest's table. */
export const USES: readonly Use[] = ["fill", "wrap", "function", "timer", "timerFunction"];

/** One query. */
export interface Query {
  readonly name: ParavirtName;
  readonly use: Use;
}

const all = (use: Use, ...names: ParavirtName[]): Query[] => names.map((name) => ({ name, use }));

/** The queries between Init and the first site, of a kernel with SMP and local APIC support. */
export function queries({ release: r, pae }: Config): readonly Query[] {
  const entries: Use = r.wrapsEntries ? "wrap" : "fill";
  return [
    ...all("wrap", "CPUID"),
    ...all("fill", "CLTS", "GetDR", "SetDR", "GetCR0", "GetCR2", "GetCR3", "GetCR4"),
    ...all("fill", "SetCR0", "SetCR2", "SetCR3", "SetCR4"),
    ...all("fill", "GetInterruptMask", "SetInterruptMask", "DisableInterrupts", "EnableInterrupts"),
    ...all("fill", "WBINVD", "RDTSC"),
    ...all("wrap", "SetTR", "SetLDT"),
    ...all("fill", "SetGDT", "SetIDT", "GetGDT", "GetIDT", "GetTR"),
    ...all(entries, "WriteLDTEntry", "WriteGDTEntry", "WriteIDTEntry"),
    ...all("wrap", "UpdateKernelStack"),
    ...all("fill", "SetIOPLMask", "IODelay"),
    ...Array.from({ length: r.lazyQueries }, (): Query => ({ name: "SetLazyMode", use: "wrap" })),
    ...all("wrap", "FlushTLB", "FlushTLB"),
    ...all("fill", "InvalPage"),
    ...(pae ? all("function", "SetPxELong", "UpdatePxELong") : all("function", "SetPxE", "UpdatePxE")),
    ...all("function", "AllocatePage", "ReleasePage"),
    ...all(r.wrapsLinearMapping ? "wrap" : "function", "SetLinearMapping"),
    ...all("wrap", "SetInitialAPState"),
    ...all("fill", "APICRead", "APICWrite"),
    ...(r.apicWriteQueries === 2 ? all("fill", "APICWrite") : []),
    ...all("timer", "GetCycleFrequency"),
    ...all("timerFunction", "GetCycleCounter", "GetWallclockTime", "WallclockUpdated", "SetAlarm", "CancelAlarm"),
    ...all(r.wrapsHalt ? "wrap" : "fill", "Halt"),
  ];
}

/**
 * Conditions under which a processor with virtualization leaves a guest: names, and the instructions they stand for.
 * Source: SDM-3C 24.6, 25.1 (VM-execution controls, instructions that cause VM exits). Cold data.
 */
import type { GuestInstruction } from "../../../core/monitor.ts";

/** A condition. */
export type HardwareExit =
  /** CPUID; on a real processor it always leaves. */
  | "cpuid"
  /** HLT. */
  | "hlt"
  /** INVLPG. */
  | "invlpg"
  /** MOV to CR0, CLTS, LMSW. */
  | "cr0"
  /** MOV to CR3. */
  | "cr3-load"
  /** MOV from CR3. */
  | "cr3-store"
  /** MOV to CR4. */
  | "cr4"
  /** MOV to and from debug registers. */
  | "dr"
  /** IN, OUT, INS, OUTS. */
  | "io"
  /** Loads and stores of device memory: with nested paging they are found there. */
  | "mmio"
  /** RDMSR, WRMSR. */
  | "msr"
  /** RDTSC. */
  | "rdtsc"
  /** RDPMC. */
  | "rdpmc"
  /** VMCALL; on a real processor it always leaves. */
  | "vmcall"
  /** INVD, WBINVD. */
  | "wbinvd"
  /** LGDT, SGDT, LIDT, SIDT, LLDT, SLDT, LTR, STR. */
  | "descriptor"
  /** An interrupt from a controller. */
  | "interrupt"
  /** A non-maskable interrupt. */
  | "nmi"
  /** An exception; page faults have a name of their own. */
  | "exception"
  /** A page fault; with shadow paging all leave. */
  | "page-fault";

/** All conditions. */
export const HARDWARE_EXITS: readonly HardwareExit[] = [
  "cpuid",
  "hlt",
  "invlpg",
  "cr0",
  "cr3-load",
  "cr3-store",
  "cr4",
  "dr",
  "io",
  "mmio",
  "msr",
  "rdtsc",
  "rdpmc",
  "vmcall",
  "wbinvd",
  "descriptor",
  "interrupt",
  "nmi",
  "exception",
  "page-fault",
];

/** What leaves unless told otherwise: what a hypervisor with nested paging asks for. */
export const NESTED_EXITS: readonly HardwareExit[] = [
  ...["cpuid", "hlt", "io", "mmio", "msr", "vmcall", "interrupt", "nmi"] as const,
];

/** What shadow paging cannot do without. */
export const SHADOW_EXITS: readonly HardwareExit[] = ["invlpg", "cr0", "cr3-load", "cr3-store", "cr4", "page-fault"];

/** Instructions of a condition, by the names of their semantics. */
const BY_NAME: Readonly<Record<string, HardwareExit>> = {
  cpuid: "cpuid",
  hlt: "hlt",
  invlpg: "invlpg",
  clts: "cr0",
  lmsw: "cr0",
  movFromDr: "dr",
  movToDr: "dr",
  in: "io",
  out: "io",
  ins: "io",
  outs: "io",
  rdmsr: "msr",
  wrmsr: "msr",
  rdtsc: "rdtsc",
  rdpmc: "rdpmc",
  vmcall: "vmcall",
  invd: "wbinvd",
  wbinvd: "wbinvd",
  lgdt: "descriptor",
  sgdt: "descriptor",
  lidt: "descriptor",
  sidt: "descriptor",
  lldt: "descriptor",
  sldt: "descriptor",
  ltr: "descriptor",
  str: "descriptor",
};

/** All instructions that may leave. */
export const EXIT_INSTRUCTIONS: readonly string[] = [...Object.keys(BY_NAME), "movToCr", "movFromCr"];

/** Instructions that fault outside ring 0 before they could leave. */
const PRIVILEGED: ReadonlySet<string> = new Set(
  "hlt invlpg clts lmsw movToCr movFromCr movToDr movFromDr rdmsr wrmsr invd wbinvd lgdt lidt lldt ltr".split(" "),
);

/** The condition an instruction meets; `undefined`: none. */
export function exitOf(i: GuestInstruction): HardwareExit | undefined {
  if (i.name === "movToCr") return i.reg === 0 ? "cr0" : i.reg === 3 ? "cr3-load" : i.reg === 4 ? "cr4" : undefined;
  if (i.name === "movFromCr") return i.reg === 3 ? "cr3-store" : undefined;
  return BY_NAME[i.name];
}

/** Does it fault in this ring, so that it does not leave? `ports`: the highest ring that may use ports freely. */
export function faultsFirst(i: GuestInstruction, ring: number, ports: number): boolean {
  if (PRIVILEGED.has(i.name)) return ring !== 0;
  return BY_NAME[i.name] === "io" && ring > ports;
}

/**
 * The calls of the paravirtual interface (VMware's VMI, ABI 3.0, as Linux 2.6.21 to 2.6.36 uses it), as data.
 *
 * An argument is written `name@place`: a register, `stack0` or `stack1` for the words at [ESP+4] and [ESP+8] on entry,
 * and two places, low word first, for a 64-bit argument. Names are the interface's own. The four interrupt-flag calls
 * and the port calls have stricter clobbers than C functions, because a guest patches them over code that saves nothing.
 *
 * Sources: Paravirtualization API 2.0 (March 2006), appendix A; Linux 2.6.21-2.6.36 vmi.h, vmi.c. Numbers 49-60 and 72
 * are from the API 3.0 headers that mainline leaves out. Not documented anywhere: arguments of 42, 43 and 72. Cold data.
 */

/** Where a word of an argument is at entry. */
export type ParavirtPlace = "eax" | "ecx" | "edx" | "esi" | "edi" | "stack0" | "stack1";

/** Where the result is at return: nowhere, EAX, EDX:EAX, CPUID's four registers, or the call does not return. */
export type ParavirtResult = "none" | "eax" | "edx:eax" | "eax:ebx:ecx:edx" | "no-return";

/**
 * All calls, indexed by number. `no` is what GetRelocationInfo is given, `name` the interface's own; an argument is written
 * `name@place` or, for 64 bits, `name@low,high`. `clobbers` says what a call may change beside its result: `standard` is
 * EAX, ECX, EDX and the arithmetic flags, `string` the address register and ECX. `topic` says what it is about.
 */
export const PARAVIRT_CALLS = [
  {
    no: 0,
    name: "CPUID",
    args: ["leaf@eax", "subleaf@ecx"],
    result: "eax:ebx:ecx:edx",
    clobbers: "flags",
    topic: "cpu",
  },
  { no: 1, name: "WRMSR", args: ["msr@ecx", "value@eax,edx"], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 2, name: "RDMSR", args: ["msr@ecx"], result: "edx:eax", clobbers: "standard", topic: "cpu" },
  { no: 3, name: "SetGDT", args: ["pointer@eax"], result: "none", clobbers: "standard", topic: "descriptor" },
  { no: 4, name: "SetLDT", args: ["selector@eax"], result: "none", clobbers: "standard", topic: "descriptor" },
  { no: 5, name: "SetIDT", args: ["pointer@eax"], result: "none", clobbers: "standard", topic: "descriptor" },
  { no: 6, name: "SetTR", args: ["selector@eax"], result: "none", clobbers: "standard", topic: "descriptor" },
  { no: 7, name: "GetGDT", args: ["pointer@eax"], result: "none", clobbers: "standard", topic: "descriptor" },
  { no: 8, name: "GetLDT", args: [], result: "eax", clobbers: "standard", topic: "descriptor" },
  { no: 9, name: "GetIDT", args: ["pointer@eax"], result: "none", clobbers: "standard", topic: "descriptor" },
  { no: 10, name: "GetTR", args: [], result: "eax", clobbers: "standard", topic: "descriptor" },
  {
    no: 11,
    name: "WriteGDTEntry",
    args: ["base@eax", "index@edx", "low@ecx", "high@stack0"],
    result: "none",
    clobbers: "standard",
    topic: "descriptor",
  },
  {
    no: 12,
    name: "WriteLDTEntry",
    args: ["base@eax", "index@edx", "low@ecx", "high@stack0"],
    result: "none",
    clobbers: "standard",
    topic: "descriptor",
  },
  {
    no: 13,
    name: "WriteIDTEntry",
    args: ["base@eax", "index@edx", "low@ecx", "high@stack0"],
    result: "none",
    clobbers: "standard",
    topic: "descriptor",
  },
  {
    no: 14,
    name: "UpdateKernelStack",
    args: ["ss0@eax", "esp0@edx"],
    result: "none",
    clobbers: "standard",
    topic: "descriptor",
  },
  { no: 15, name: "SetCR0", args: ["value@eax"], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 16, name: "SetCR2", args: ["value@eax"], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 17, name: "SetCR3", args: ["value@eax"], result: "none", clobbers: "standard", topic: "mmu" },
  { no: 18, name: "SetCR4", args: ["value@eax"], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 19, name: "GetCR0", args: [], result: "eax", clobbers: "standard", topic: "cpu" },
  { no: 20, name: "GetCR2", args: [], result: "eax", clobbers: "standard", topic: "cpu" },
  { no: 21, name: "GetCR3", args: [], result: "eax", clobbers: "standard", topic: "mmu" },
  { no: 22, name: "GetCR4", args: [], result: "eax", clobbers: "standard", topic: "cpu" },
  { no: 23, name: "WBINVD", args: [], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 24, name: "SetDR", args: ["number@eax", "value@edx"], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 25, name: "GetDR", args: ["number@eax"], result: "eax", clobbers: "standard", topic: "cpu" },
  { no: 26, name: "RDPMC", args: ["counter@ecx"], result: "edx:eax", clobbers: "standard", topic: "cpu" },
  { no: 27, name: "RDTSC", args: [], result: "edx:eax", clobbers: "standard", topic: "cpu" },
  { no: 28, name: "CLTS", args: [], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 29, name: "EnableInterrupts", args: [], result: "none", clobbers: "flags", topic: "interrupt" },
  { no: 30, name: "DisableInterrupts", args: [], result: "none", clobbers: "flags", topic: "interrupt" },
  { no: 31, name: "GetInterruptMask", args: [], result: "eax", clobbers: "eax+flags", topic: "interrupt" },
  { no: 32, name: "SetInterruptMask", args: ["mask@eax"], result: "none", clobbers: "flags", topic: "interrupt" },
  { no: 33, name: "IRET", args: [], result: "no-return", clobbers: "none", topic: "interrupt" },
  { no: 34, name: "SYSEXIT", args: ["eip@edx", "esp@ecx"], result: "no-return", clobbers: "none", topic: "interrupt" },
  { no: 35, name: "Halt", args: [], result: "none", clobbers: "standard", topic: "interrupt" },
  { no: 36, name: "Reboot", args: ["how@eax"], result: "no-return", clobbers: "standard", topic: "cpu" },
  { no: 37, name: "Shutdown", args: [], result: "no-return", clobbers: "standard", topic: "cpu" },
  {
    no: 38,
    name: "SetPxE",
    args: ["pte@eax", "ptep@edx", "flags@ecx"],
    result: "none",
    clobbers: "standard",
    topic: "mmu",
  },
  {
    no: 39,
    name: "SetPxELong",
    args: ["pte@eax,edx", "ptep@ecx", "flags@stack0"],
    result: "none",
    clobbers: "standard",
    topic: "mmu",
  },
  { no: 40, name: "UpdatePxE", args: ["ptep@eax", "flags@edx"], result: "none", clobbers: "standard", topic: "mmu" },
  {
    no: 41,
    name: "UpdatePxELong",
    args: ["ptep@eax", "flags@edx"],
    result: "none",
    clobbers: "standard",
    topic: "mmu",
  },
  { no: 42, name: "MachineToPhysical", args: [], result: "none", clobbers: "standard", topic: "mmu" },
  { no: 43, name: "PhysicalToMachine", args: [], result: "none", clobbers: "standard", topic: "mmu" },
  {
    no: 44,
    name: "AllocatePage",
    args: ["pfn@eax", "flags@edx", "clone@ecx", "start@stack0", "count@stack1"],
    result: "none",
    clobbers: "standard",
    topic: "mmu",
  },
  { no: 45, name: "ReleasePage", args: ["pfn@eax", "flags@edx"], result: "none", clobbers: "standard", topic: "mmu" },
  { no: 46, name: "InvalPage", args: ["address@eax"], result: "none", clobbers: "standard", topic: "mmu" },
  { no: 47, name: "FlushTLB", args: ["flags@eax"], result: "none", clobbers: "standard", topic: "mmu" },
  {
    no: 48,
    name: "SetLinearMapping",
    args: ["slot@eax", "address@edx", "pages@ecx", "pfn@stack0"],
    result: "none",
    clobbers: "standard",
    topic: "mmu",
  },
  { no: 49, name: "INL", args: ["port@edx"], result: "eax", clobbers: "eax", topic: "port" },
  { no: 50, name: "INB", args: ["port@edx"], result: "eax", clobbers: "eax", topic: "port" },
  { no: 51, name: "INW", args: ["port@edx"], result: "eax", clobbers: "eax", topic: "port" },
  {
    no: 52,
    name: "INSL",
    args: ["port@edx", "address@edi", "count@ecx"],
    result: "none",
    clobbers: "string",
    topic: "port",
  },
  {
    no: 53,
    name: "INSB",
    args: ["port@edx", "address@edi", "count@ecx"],
    result: "none",
    clobbers: "string",
    topic: "port",
  },
  {
    no: 54,
    name: "INSW",
    args: ["port@edx", "address@edi", "count@ecx"],
    result: "none",
    clobbers: "string",
    topic: "port",
  },
  { no: 55, name: "OUTL", args: ["value@eax", "port@edx"], result: "none", clobbers: "none", topic: "port" },
  { no: 56, name: "OUTB", args: ["value@eax", "port@edx"], result: "none", clobbers: "none", topic: "port" },
  { no: 57, name: "OUTW", args: ["value@eax", "port@edx"], result: "none", clobbers: "none", topic: "port" },
  {
    no: 58,
    name: "OUTSL",
    args: ["port@edx", "address@esi", "count@ecx"],
    result: "none",
    clobbers: "string",
    topic: "port",
  },
  {
    no: 59,
    name: "OUTSB",
    args: ["port@edx", "address@esi", "count@ecx"],
    result: "none",
    clobbers: "string",
    topic: "port",
  },
  {
    no: 60,
    name: "OUTSW",
    args: ["port@edx", "address@esi", "count@ecx"],
    result: "none",
    clobbers: "string",
    topic: "port",
  },
  { no: 61, name: "SetIOPLMask", args: ["mask@eax"], result: "none", clobbers: "standard", topic: "cpu" },
  {
    no: 62,
    name: "SetInitialAPState",
    args: ["state@eax", "apicId@edx"],
    result: "none",
    clobbers: "standard",
    topic: "smp",
  },
  {
    no: 63,
    name: "APICWrite",
    args: ["register@eax", "value@edx"],
    result: "none",
    clobbers: "standard",
    topic: "apic",
  },
  { no: 64, name: "APICRead", args: ["register@eax"], result: "eax", clobbers: "standard", topic: "apic" },
  { no: 65, name: "IODelay", args: [], result: "none", clobbers: "standard", topic: "port" },
  { no: 66, name: "GetCycleFrequency", args: [], result: "edx:eax", clobbers: "standard", topic: "time" },
  { no: 67, name: "GetCycleCounter", args: ["counter@eax"], result: "edx:eax", clobbers: "standard", topic: "time" },
  {
    no: 68,
    name: "SetAlarm",
    args: ["flags@eax", "expiry@edx,ecx", "period@stack0,stack1"],
    result: "none",
    clobbers: "standard",
    topic: "time",
  },
  { no: 69, name: "CancelAlarm", args: ["flags@eax"], result: "eax", clobbers: "standard", topic: "time" },
  { no: 70, name: "GetWallclockTime", args: [], result: "edx:eax", clobbers: "standard", topic: "time" },
  { no: 71, name: "WallclockUpdated", args: [], result: "eax", clobbers: "standard", topic: "time" },
  { no: 72, name: "SetCallbacks", args: [], result: "none", clobbers: "standard", topic: "cpu" },
  { no: 73, name: "SetLazyMode", args: ["mode@eax"], result: "none", clobbers: "standard", topic: "mmu" },
] as const;

/**
 * The two entries with fixed places in the ROM header. They have no number; vmikit counts them after the last call so
 * that a record, an override or a slot can name them like any other.
 */
export const PARAVIRT_ENTRIES = [
  { no: 74, name: "Init", args: [], result: "eax", clobbers: "standard", topic: "cpu" },
  { no: 75, name: "GetRelocationInfo", args: ["call@eax"], result: "edx:eax", clobbers: "standard", topic: "cpu" },
] as const;

/** A row of either table, with its literal types. */
export type ParavirtRow = typeof PARAVIRT_CALLS[number] | typeof PARAVIRT_ENTRIES[number];

/** Name of a call or entry. */
export type ParavirtName = ParavirtRow["name"];

/** Number of calls: valid numbers are below it. */
export const PARAVIRT_CALL_COUNT = 74;

/** Flags of SetPxE, UpdatePxE and their long forms beside the level. */
export const ParavirtUpdate = { currentAs: 0x10, defer: 0x20, addressMask: 0xfffff000 } as const;

/** Flags of FlushTLB. */
export const ParavirtFlush = { tlb: 1, global: 2 } as const;

/** Slots of SetLinearMapping. */
export const PARAVIRT_LINEAR_SLOTS = 4;

/** Modes of SetLazyMode. */
export const ParavirtLazy = { none: 0, mmu: 1, cpu: 2 } as const;

/** Counters of GetCycleCounter and the alarms. */
export const ParavirtCounter = { real: 0, available: 1, stolen: 2 } as const;

/** Flags of SetAlarm and CancelAlarm. */
export const ParavirtAlarm = { counterMask: 0xff, periodic: 0x100, wiredLvtt: 0x10000 } as const;

/** The interrupt flag as GetInterruptMask and SetInterruptMask see it. */
export const PARAVIRT_INTERRUPT_MASK = 0x200;

/**
 * What the kernels with VMI support do differently, one row a release. The client model reads nothing else about a release.
 *
 * Each column names the section of the interface's reference in which the difference stands. `[assumed]`: the reference
 * says that there is a difference but not which release has which value. Cold data.
 */

/** The kernel releases that the client model speaks for. */
export type ReleaseName = "2.6.21" | "2.6.24" | "2.6.25" | "2.6.28" | "2.6.30" | "2.6.32" | "2.6.36";

/** Registers that the code around an assembly site saves, in the order of the pushes. */
export type Saves = readonly ("eax" | "edi" | "ecx" | "edx")[];

/** A release. */
export interface Release {
  readonly name: ReleaseName;
  /** 11.1, 11.2: the ROM is looked for first of all, and activated after the early parameters. */
  readonly probesFirst: boolean;
  /** 6.9, 11.1: early fixmap tables are hung in by plain stores before activation. */
  readonly earlyFixmap: boolean;
  /** 4.3: bytes of a site in C code; 10 saves ECX and EDX around the call, 6 saves nothing. */
  readonly siteInC: 6 | 10;
  /** 4.3: registers saved by assembly sites that disable and that enable; the call is 6 bytes, or 7 with a CS prefix. */
  readonly sitesInAssembly: readonly { readonly saves: Saves; readonly call: 6 | 7 }[];
  /** 4.3: one site saves and disables, 18 bytes, patched with two calls. */
  readonly saveAndDisable: boolean;
  /** 4.5: how often SetLazyMode is asked for. */
  readonly lazyQueries: 1 | 4;
  /** 5.1, 15: WriteGDTEntry and its like are called through a wrapper, not put into the operation. */
  readonly wrapsEntries: boolean;
  /** 7.6: entries of an LDT are written through the WriteIDTEntry pointer. */
  readonly ldtThroughIdt: boolean;
  /** 4.5, 5.1: APICWrite is asked for a second time, for the atomic write. */
  readonly apicWriteQueries: 1 | 2;
  /** 5.1: SetLinearMapping is wrapped, not fetched. */
  readonly wrapsLinearMapping: boolean;
  /** 5.1: Halt is wrapped when the timer half is there. */
  readonly wrapsHalt: boolean;
  /** 7.1: FS at Init [assumed: which release has which]. */
  readonly fsAtInit: number;
  /** 6.7: the direct map is named with as many pages as there could be, not as there are. */
  readonly namesWholeLowmem: boolean;
  /** 6.7: page tables in high memory, named in slots 1 and 2. */
  readonly highPte: boolean;
  /** 6.8: PAE kernels boot with two levels and switch with paging on. */
  readonly switchesToPae: boolean;
  /** 6.3: the directory of the kernel is announced, without PAE and with it. */
  readonly announcesKernelDirectory: { readonly plain: boolean; readonly pae: boolean };
  /** 6.3: directory pointers of a PAE process are announced as a clone. */
  readonly announcesPointers: boolean;
  /** 5.3 (SetCR3), 6.3: directory pointers of several processes share a page. */
  readonly sharesPointers: boolean;
  /** 6.3, 15: when the directory of a process is released. */
  readonly releasesDirectory: "cache" | "never" | "free";
  /** 6.2: user entries are made present by a deferred SetPxELong (PAE). */
  readonly setPtePresent: boolean;
  /** 6.4: young and dirty bits are cleared with a deferred notification. */
  readonly defersYoung: boolean;
  /** 6.4: entries are cleared without a word when a whole address space goes. */
  readonly silentTeardown: boolean;
  /** 6.6: kmap leaves lazy mode and enters it again. */
  readonly kmapLeavesLazy: boolean;
  /** 6.6: CLTS in the middle of a context switch, still in lazy mode. */
  readonly clearsTsInSwitch: boolean;
  /** 7.2: entry 28 holds the stack canary's segment. */
  readonly canary: boolean;
  /** 7.7: SYSENTER pushes its flags with IF set. */
  readonly setsIfInSysenter: boolean;
  /** 9.4, 9.5: who programs the alarms. */
  readonly clockEvents: boolean;
  /** 9.2: CancelAlarm gets the whole flag word. */
  readonly cancelsWithFlags: boolean;
  /** 9.4, 9.5: vector written to LVTT, with IO-APIC support in the kernel and without. */
  readonly lvtt: { readonly ioApic: number; readonly plain: number };
  /** 9.4: vector of interrupt line 0 from the 8259A: 0x20, or 0x30 where IRQ0_VECTOR is that. */
  readonly irq0: number;
  /** 10.2: GS of an AP. */
  readonly apGs: number;
}

const SAVES_3: Saves = ["eax", "ecx", "edx"];
const SAVES_4: Saves = ["eax", "edi", "ecx", "edx"];
/** 4.3, from 2.6.30: any clobber, EAX, none. */
const CALLEE_SAVE: Release["sitesInAssembly"] = [
  { saves: [], call: 7 },
  { saves: ["ecx", "edx"], call: 7 },
  { saves: SAVES_3, call: 7 },
];

const R21: Release = {
  name: "2.6.21",
  probesFirst: false,
  earlyFixmap: false,
  siteInC: 10,
  sitesInAssembly: [{ saves: ["ecx", "edx"], call: 6 }, { saves: ["ecx", "edx"], call: 7 }],
  saveAndDisable: true,
  lazyQueries: 1,
  wrapsEntries: false,
  ldtThroughIdt: false,
  apicWriteQueries: 2,
  wrapsLinearMapping: true,
  wrapsHalt: true,
  fsAtInit: 0xd8,
  namesWholeLowmem: false,
  highPte: true,
  switchesToPae: true,
  announcesKernelDirectory: { plain: true, pae: false },
  announcesPointers: false,
  sharesPointers: true,
  releasesDirectory: "cache",
  setPtePresent: true,
  defersYoung: true,
  silentTeardown: false,
  kmapLeavesLazy: true,
  clearsTsInSwitch: false,
  canary: false,
  setsIfInSysenter: false,
  clockEvents: false,
  cancelsWithFlags: false,
  lvtt: { ioApic: 0xef, plain: 0xef },
  irq0: 0x20,
  apGs: 0,
};
const R24: Release = {
  ...R21,
  name: "2.6.24",
  sitesInAssembly: [{ saves: SAVES_3, call: 7 }],
  saveAndDisable: false,
  lazyQueries: 4,
  wrapsLinearMapping: false,
  wrapsHalt: false,
  sharesPointers: false,
  fsAtInit: 0x68,
  defersYoung: false,
  silentTeardown: true,
  clockEvents: true,
  cancelsWithFlags: true,
  lvtt: { ioApic: 0x31, plain: 0x20 },
};
const R25: Release = {
  ...R24,
  name: "2.6.25",
  earlyFixmap: true,
  sitesInAssembly: [{ saves: SAVES_4, call: 7 }],
  wrapsEntries: true,
  ldtThroughIdt: true,
  switchesToPae: false,
  announcesKernelDirectory: { plain: true, pae: true },
  announcesPointers: true,
  releasesDirectory: "never",
};
const R28: Release = {
  ...R25,
  name: "2.6.28",
  probesFirst: true,
  ldtThroughIdt: false,
  apicWriteQueries: 1,
  fsAtInit: 0xd8,
  namesWholeLowmem: true,
  setsIfInSysenter: true,
  lvtt: { ioApic: 0x41, plain: 0x20 },
};
const R30: Release = {
  ...R28,
  name: "2.6.30",
  siteInC: 6,
  sitesInAssembly: CALLEE_SAVE,
  releasesDirectory: "free",
  setPtePresent: false,
  canary: true,
};
const R32: Release = { ...R30, name: "2.6.32", kmapLeavesLazy: false, clearsTsInSwitch: true, apGs: 0xe0 };
const R36: Release = {
  ...R32,
  name: "2.6.36",
  highPte: false,
  lvtt: { ioApic: 0x30, plain: 0x30 },
  irq0: 0x30,
};

/** All of them, oldest first. */
export const RELEASES: readonly Release[] = [R21, R24, R25, R28, R30, R32, R36];

/** How a kernel was built and started. */
export interface Config {
  readonly release: Release;
  /** CONFIG_X86_PAE. */
  readonly pae: boolean;
  /** Is the local APIC used? `nolapic` otherwise: alarms stay on line 0. */
  readonly localApic: boolean;
  /** Does CPUID promise large pages to it? `vmi=disable_pse` otherwise (as this client reads it). */
  readonly largePages: boolean;
  /** A second CPU is started; default no. */
  readonly smp?: boolean;
}

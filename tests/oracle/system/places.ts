/**
 * Where everything lies in the system oracle's image and memory: one case's record, one result's record, the tables of
 * the protected-mode harness, and the windows that cases may touch. Cold data.
 */

/** Physical places. */
export const Place = {
  /** Real-mode vectors, GDT, LDT, IDT and task segments: restored before and summed after every case. */
  tables: 0,
  gdt: 0x1000,
  ldt: 0x1400,
  idt: 0x1800,
  tss: 0x2000,
  doubleTss: 0x2100,
  task32: 0x2200,
  task16: 0x2300,
  tablesEnd: 0x2400,
  /** The interrupt stack of ring 0 ends here. */
  stack0: 0x3f00,
  /** Stack of the double-fault task and of the harness itself. */
  doubleStack: 0x5700,
  harnessStack: 0x5f00,
  /** Code of the harness that runs in real mode, with the interrupt stubs. */
  low: 0x6000,
  /** The running case's record, where real mode reaches it. */
  lowCase: 0x7800,
  lowResult: 0x7a00,
  /** 64 KiB windows: code, two of data, stack. */
  code: 0x20000,
  data: 0x30000,
  extra: 0x40000,
  stack: 0x50000,
  windowsEnd: 0x60000,
  /** Stacks of rings 1 and 2, not summed: emulators differ in what a call that fails leaves there. */
  innerStacks: 0x60000,
  /** Page tables of the running case: directory or pointers, PAE directory, tables of the first and next 2 or 4 MiB. */
  paging: 0x70000,
  pagingEnd: 0x74000,
  /** The windows as they are before cases. */
  pristine: 0x400000,
  /** The whole image, copied here. */
  image: 0x100000,
  results: 0x800000,
} as const;

/** Offsets in a case's record. */
export const CaseAt = {
  mode: 0,
  eflags: 4,
  eip: 8,
  cs: 12,
  ss: 16,
  ds: 20,
  es: 24,
  fs: 28,
  gs: 32,
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  regs: 36,
  codeBase: 68,
  sums: 72,
  code: 76,
  pokes: 92,
  /** Bits of CR0 set for the case: PG and WP. */
  cr0: 156,
  cr4: 160,
  efer: 164,
  /** Linear address in the image of the page tables, 0: none. */
  paging: 168,
  /** DR0 to DR3, and DR7. */
  dr: 172,
  dr7: 188,
  size: 192,
} as const;

/** Bytes of the data windows. */
export const WINDOW_BYTES: number = Place.windowsEnd - Place.data;

/** Pairs of address and dword written before a case. */
export const POKES = 8;

/** Dwords in a result: GS FS ES DS, EDI to EAX, vector, error code, frame of 9, SS, ESP, TR, CR0, tables' sum, windows' sum, DR6, CR2, page tables' sum. */
export const RESULT_DWORDS = 32;
/** Which of them is the sum of the windows. */
export const WINDOWS_SUM = 28;

/** How a case is entered. */
export const Mode = { inner: 0, v86: 1, real: 2, outer: 3 } as const;

/** What is done with the data windows after a case: nothing, summed and filled anew, summed and kept. */
export const Sums = { none: 0, fresh: 1, keep: 2 } as const;

/** Selectors of the harness. */
export const Sel = {
  code: 0x08,
  data: 0x10,
  code16: 0x18,
  data16: 0x20,
  tss: 0x28,
  doubleTss: 0x30,
  ldt: 0x38,
} as const;

/** First GDT entry that is a case's own. */
export const FIRST_FREE = 8;
/** Entries of the GDT and of the LDT. */
export const GDT_ENTRIES = 128, LDT_ENTRIES = 128;
/** Printed before the results. */
export const MARK = "system-oracle-results:";

/**
 * Where everything lies in the oracle of segments: four windows of 64 KiB, one case's record, one result's. The same on
 * the host and in ours. Cold data.
 */

/** Linear addresses of the windows. */
export const Window = { code: 0x10000000, data: 0x10010000, extra: 0x10020000, stack: 0x10030000 } as const;
/** Bytes of all windows, and pages. */
export const WINDOW_BYTES = 0x40000, WINDOW_PAGES = 64;
/** Entries of the local descriptor table. */
export const LDT_ENTRIES = 64;

/** Offsets in a case's record. */
export const CaseAt = { regs: 0, eflags: 32, eip: 36, segs: 40, at: 64, code: 68, pokes: 84, size: 160 } as const;
/** Pairs of address and dword that go to memory before a case. */
export const POKES = 8;

/** Offsets in a result's record. */
export const ResultAt = {
  regs: 0,
  eflags: 32,
  eip: 36,
  segs: 40,
  vector: 64,
  error: 68,
  cr2: 72,
  count: 76,
  hash: 80,
  changes: 88,
  size: 416,
} as const;
/** Changed dwords that a result shows. */
export const SHOWN = 40;
/** Bytes of the code of a case. */
export const CODE_BYTES = 16;

/** Protections of pages as mprotect has them. */
export const Protection = { none: 0, read: 1, write: 3, all: 7 } as const;

/** The windows as every case finds them. */
export function freshWindows(): Uint32Array {
  const dwords = new Uint32Array(WINDOW_BYTES / 4);
  let v = 1;
  for (let i = 0; i < dwords.length; i++) dwords[i] = v = (Math.imul(v, 0x19660d) + 0x3c6ef35f) >>> 0;
  return dwords.fill(0xcccccccc, 0, 0x4000);
}

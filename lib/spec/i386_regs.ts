/**
 * Register numbers and bits of i386 registers, as data. Sources: SDM-1 3.4, SDM-3A 2.3, 2.5, 6.15, 17.2, SDM-3B MSRs. Cold data.
 */

/** General registers in architecture order. */
export const Reg = { eax: 0, ecx: 1, edx: 2, ebx: 3, esp: 4, ebp: 5, esi: 6, edi: 7 } as const;

/** Names of the 32-, 16- and 8-bit general registers by number. */
export const REG32: readonly string[] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
/** 16-bit names. */
export const REG16: readonly string[] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
/** 8-bit names. */
export const REG8: readonly string[] = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
/** Segment register names by number. */
export const SREG: readonly string[] = ["es", "cs", "ss", "ds", "fs", "gs"];

/** Bits of EFLAGS. */
export const Flag = {
  cf: 0x1,
  pf: 0x4,
  af: 0x10,
  zf: 0x40,
  sf: 0x80,
  tf: 0x100,
  if: 0x200,
  df: 0x400,
  of: 0x800,
  iopl: 0x3000,
  nt: 0x4000,
  rf: 0x10000,
  vm: 0x20000,
  ac: 0x40000,
  vif: 0x80000,
  vip: 0x100000,
  id: 0x200000,
} as const;

/** Bits of CR0. */
export const Cr0 = {
  pe: 1,
  mp: 2,
  em: 4,
  ts: 8,
  et: 0x10,
  ne: 0x20,
  wp: 0x10000,
  am: 0x40000,
  nw: 0x20000000,
  cd: 0x40000000,
  pg: -0x80000000,
} as const;

/** Bits of CR4. */
export const Cr4 = {
  vme: 1,
  pvi: 2,
  tsd: 4,
  de: 8,
  pse: 0x10,
  pae: 0x20,
  mce: 0x40,
  pge: 0x80,
  pce: 0x100,
  osfxsr: 0x200,
  osxmmexcpt: 0x400,
} as const;

/** Bits of IA32_EFER. */
export const Efer = { nxe: 0x800 } as const;

/** Bits of DR6. */
export const Dr6 = { b0: 1, b1: 2, b2: 4, b3: 8, bd: 0x2000, bs: 0x4000, bt: 0x8000 } as const;

/** Bits of DR7 that have names. */
export const Dr7 = { le: 0x100, ge: 0x200, gd: 0x2000 } as const;

/** Exception vectors. */
export const Vector = {
  de: 0,
  db: 1,
  nmi: 2,
  bp: 3,
  of: 4,
  br: 5,
  ud: 6,
  nm: 7,
  df: 8,
  ts: 10,
  np: 11,
  ss: 12,
  gp: 13,
  pf: 14,
  mf: 16,
  ac: 17,
  mc: 18,
  xm: 19,
} as const;

/** Model-specific registers vmikit knows. */
export const Msr = {
  tsc: 0x10,
  apicBase: 0x1b,
  sysenterCs: 0x174,
  sysenterEsp: 0x175,
  sysenterEip: 0x176,
  efer: 0xc0000080,
} as const;

/** CR4 bits and the bit of CPUID leaf 1 EDX that promises them. Source: SDM-3A 2.5. */
export const CR4_FEATURES: readonly (readonly [bit: number, feature: number])[] = [
  [Cr4.tsd, 1 << 4],
  [Cr4.de, 1 << 2],
  [Cr4.pse, 1 << 3],
  [Cr4.pae, 1 << 6],
  [Cr4.pge, 1 << 13],
  [Cr4.osfxsr, 1 << 24],
  [Cr4.osxmmexcpt, 1 << 25],
];

/** Width of a physical address; the bits above it are reserved in PAE entries. */
export const PHYS_BITS = 36;

/** Bits of a page-table entry (low dword). Source: SDM-3A 4.3. */
export const Pte = {
  present: 1,
  write: 2,
  user: 4,
  accessed: 0x20,
  dirty: 0x40,
  /** In a directory entry: maps a large page. */
  large: 0x80,
  global: 0x100,
} as const;

/** Bits of the page-fault error code. Source: SDM-3A 4.7. */
export const PageFault = { protection: 1, write: 2, user: 4, reserved: 8, fetch: 16 } as const;

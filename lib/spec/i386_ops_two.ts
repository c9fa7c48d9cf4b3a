/**
 * Opcode table, two-byte map (0F) without MMX and SSE. Source: SDM-2A to 2D (appendix A, table A-3 and groups A-6). Cold data.
 */
import { Flag } from "./i386_regs.ts";
import { CONDITIONS } from "./i386_ops_one.ts";
import type { OpRow } from "./i386_op_row.ts";
import { type Extra, row as makeRow } from "./i386_make_row.ts";

const ALL = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.of;

function row(opcode: number, mnemonic: string, operands: string, width: OpRow["width"], extra: Extra = {}): OpRow {
  return makeRow(0x0f00 | opcode, mnemonic, operands, width, extra);
}

const ENDS = { ends: true } as const;
const ZF = { sets: Flag.zf } as const;
/** BT family: CF is defined, the others are left undefined except ZF, which stays. */
const BIT = { sets: Flag.cf, undef: Flag.of | Flag.sf | Flag.af | Flag.pf } as const;
const SCAN = { sets: Flag.zf, undef: ALL & ~Flag.zf } as const;
const DOUBLE = { sets: Flag.cf | Flag.sf | Flag.zf | Flag.pf, undef: Flag.af | Flag.of } as const;

const BIT_TESTS = ["bt", "bts", "btr", "btc"] as const;

/** Reserved hint opcodes 18 to 1F, which do nothing since the P6 family; nasm calls them hint_nop0 to hint_nop63. */
function hints(): OpRow[] {
  const names = ["prefetchnta", "prefetcht0", "prefetcht1", "prefetcht2"];
  const nops: OpRow[] = [];
  for (let n = 0; n < 64; n++) {
    const name = n === 56 ? "nop" : `hint_nop${n}`;
    nops.push(row(0x18 + (n >>> 3), name, "Ev", "v", { sem: "nop", digit: n & 7, feature: "cmov" }));
  }
  return [
    ...names.map((name, digit) => row(0x18, name, "Mb", 0, { sem: "nop", digit, mod: "mem" as const, feature: "sse" })),
    ...nops,
  ];
}

/**
 * 0F 0D with a memory operand: hints to prefetch. Intel's 64-bit processors that do not know them do nothing, AMD's take
 * the reserved digits for PREFETCH. With a register it is undefined on AMD (measured), so here.
 */
function prefetches(): OpRow[] {
  const names = ["prefetch", "prefetchw", "prefetchwt1", "prefetch", "prefetch", "prefetch", "prefetch", "prefetch"];
  return names.map((name, digit) => row(0x0d, name, "Mb", 0, { sem: "nop", digit, mod: "mem", feature: "sse2" }));
}

/** Rows of the two-byte map that are neither MMX nor SSE. */
export const TWO_BYTE_ROWS: readonly OpRow[] = [
  row(0x00, "sldt", "EwRv", "v", { digit: 0 }),
  row(0x00, "str", "EwRv", "v", { digit: 1 }),
  row(0x00, "lldt", "Ew", 16, { digit: 2 }),
  row(0x00, "ltr", "Ew", 16, { digit: 3 }),
  row(0x00, "verr", "Ew", 16, { digit: 4, ...ZF }),
  row(0x00, "verw", "Ew", 16, { digit: 5, ...ZF }),
  row(0x01, "sgdt", "Ms", "v", { digit: 0, mod: "mem" }),
  row(0x01, "sidt", "Ms", "v", { digit: 1, mod: "mem" }),
  row(0x01, "lgdt", "Ms", "v", { digit: 2, mod: "mem", ...ENDS }),
  row(0x01, "lidt", "Ms", "v", { digit: 3, mod: "mem", ...ENDS }),
  row(0x01, "smsw", "EwRv", "v", { digit: 4 }),
  row(0x01, "lmsw", "Ew", 16, { digit: 6, ...ENDS }),
  row(0x01, "invlpg", "M", 0, { digit: 7, mod: "mem", feature: "486", ...ENDS }),
  row(0x01, "vmcall", "", 0, { modrm: 0xc1, prefix: 0, feature: "vmx", ...ENDS }),
  row(0x01, "vmmcall", "", 0, { modrm: 0xd9, sem: "vmcall", feature: "vmx", ...ENDS }),
  row(0x02, "lar", "Gv Ew", "v", ZF),
  row(0x03, "lsl", "Gv Ew", "v", ZF),
  row(0x06, "clts", "", 0),
  row(0x08, "invd", "", 0, { feature: "486" }),
  row(0x09, "wbinvd", "", 0, { feature: "486" }),
  row(0x0b, "ud2", "", 0, ENDS),
  ...hints(),
  ...prefetches(),
  row(0x20, "mov", "Rd Cd", 32, { sem: "movFromCr", hasModrm: true }),
  row(0x21, "mov", "Rd Dd", 32, { sem: "movFromDr", hasModrm: true }),
  row(0x22, "mov", "Cd Rd", 32, { sem: "movToCr", hasModrm: true, ...ENDS }),
  row(0x23, "mov", "Dd Rd", 32, { sem: "movToDr", hasModrm: true, ...ENDS }),
  row(0x24, "mov", "Rd Td", 32, { sem: "movFromTr", hasModrm: true, feature: "tr" }),
  row(0x26, "mov", "Td Rd", 32, { sem: "movToTr", hasModrm: true, feature: "tr" }),
  row(0x30, "wrmsr", "", 0, { feature: "msr", ...ENDS }),
  row(0x31, "rdtsc", "", 0, { feature: "tsc" }),
  row(0x32, "rdmsr", "", 0, { feature: "msr" }),
  row(0x33, "rdpmc", "", 0, { feature: "mmx" }),
  row(0x34, "sysenter", "", 0, { feature: "sep", ...ENDS }),
  row(0x35, "sysexit", "", 0, { feature: "sep", ...ENDS }),
  ...CONDITIONS.map((c, n) => row(0x40 + n, `cmov${c}`, "Gv Ev", "v", { sem: "cmovcc", cc: n, feature: "cmov" })),
  ...CONDITIONS.map((c, n) => row(0x80 + n, `j${c}`, "Jz", "v", { sem: "jcc", cc: n, ...ENDS })),
  ...CONDITIONS.map((c, n) => row(0x90 + n, `set${c}`, "Eb", 8, { sem: "setcc", cc: n })),
  row(0xa0, "push", "fs", "v", { sem: "pushSreg" }),
  row(0xa1, "pop", "fs", "v", { sem: "popSreg" }),
  row(0xa2, "cpuid", "", 0, { feature: "cpuid" }),
  row(0xa3, "bt", "Ev Gv", "v", BIT),
  row(0xa4, "shld", "Ev Gv Ib", "v", DOUBLE),
  row(0xa5, "shld", "Ev Gv cl", "v", DOUBLE),
  row(0xa8, "push", "gs", "v", { sem: "pushSreg" }),
  row(0xa9, "pop", "gs", "v", { sem: "popSreg" }),
  row(0xab, "bts", "Ev Gv", "v", { ...BIT, lock: true }),
  row(0xac, "shrd", "Ev Gv Ib", "v", DOUBLE),
  row(0xad, "shrd", "Ev Gv cl", "v", DOUBLE),
  row(0xaf, "imul", "Gv Ev", "v", { sem: "imul2", sets: Flag.cf | Flag.of, undef: ALL & ~(Flag.cf | Flag.of) }),
  row(0xb0, "cmpxchg", "Eb Gb", 8, { sets: ALL, lock: true, feature: "486" }),
  row(0xb1, "cmpxchg", "Ev Gv", "v", { sets: ALL, lock: true, feature: "486" }),
  row(0xb2, "lss", "Gv Mp", "v", { sem: "loadFar", ...ENDS }),
  row(0xb3, "btr", "Ev Gv", "v", { ...BIT, lock: true }),
  row(0xb4, "lfs", "Gv Mp", "v", { sem: "loadFar" }),
  row(0xb5, "lgs", "Gv Mp", "v", { sem: "loadFar" }),
  row(0xb6, "movzx", "Gv Eb", "v"),
  row(0xb7, "movzx", "Gv Ew", "v"),
  row(0xb9, "ud1", "Gv Ev", 0, { sem: "ud2", ...ENDS }),
  ...BIT_TESTS.map((name, n) => row(0xba, name, "Ev Ib", "v", { digit: 4 + n, ...BIT, lock: n > 0 })),
  row(0xbb, "btc", "Ev Gv", "v", { ...BIT, lock: true }),
  row(0xbc, "bsf", "Gv Ev", "v", SCAN),
  row(0xbd, "bsr", "Gv Ev", "v", SCAN),
  row(0xbe, "movsx", "Gv Eb", "v"),
  row(0xbf, "movsx", "Gv Ew", "v"),
  row(0xc0, "xadd", "Eb Gb", 8, { sets: ALL, lock: true, feature: "486" }),
  row(0xc1, "xadd", "Ev Gv", "v", { sets: ALL, lock: true, feature: "486" }),
  row(0xc7, "cmpxchg8b", "Mq", 64, { digit: 1, mod: "mem", sets: Flag.zf, lock: true, feature: "cx8" }),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => row(0xc8 + n, "bswap", "Zv", "v", { feature: "486" })),
  row(0xff, "ud0", "Gv Ev", 0, { sem: "ud2", ...ENDS }),
];

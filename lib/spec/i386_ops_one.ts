/**
 * Opcode table, one-byte map. Source: SDM-2A to 2D (instruction reference, appendix A, table A-2 and groups A-6). Cold data.
 */
import { Flag } from "./i386_regs.ts";
import type { OpRow } from "./i386_op_row.ts";
import { type Extra, row } from "./i386_make_row.ts";

/** CF PF AF ZF SF OF. */
const ALL = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.of;
const NO_CF = ALL & ~Flag.cf;
const LOGIC = ALL & ~Flag.af;
const PASZ = Flag.pf | Flag.af | Flag.sf | Flag.zf;

const ENDS = { ends: true } as const;

/** Mnemonic suffixes of the condition codes. */
export const CONDITIONS: readonly string[] = [
  "o",
  "no",
  "b",
  "ae",
  "z",
  "nz",
  "be",
  "a",
  "s",
  "ns",
  "p",
  "np",
  "l",
  "ge",
  "le",
  "g",
];

const ALU = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const;

function isLogic(name: string): boolean {
  return name === "or" || name === "and" || name === "xor" || name === "test";
}

function aluFlags(name: string): { readonly sets: number; readonly undef: number } {
  return isLogic(name) ? { sets: LOGIC, undef: Flag.af } : { sets: ALL, undef: 0 };
}

function alu(): OpRow[] {
  return ALU.flatMap((name, n) => {
    const o = n * 8, flags = aluFlags(name), locked = { ...flags, lock: name !== "cmp" };
    return [
      row(o, name, "Eb Gb", 8, locked),
      row(o + 1, name, "Ev Gv", "v", locked),
      row(o + 2, name, "Gb Eb", 8, flags),
      row(o + 3, name, "Gv Ev", "v", flags),
      row(o + 4, name, "al Ib", 8, flags),
      row(o + 5, name, "rAX Iz", "v", flags),
      row(0x80, name, "Eb Ib", 8, { ...locked, digit: n }),
      row(0x81, name, "Ev Iz", "v", { ...locked, digit: n }),
      row(0x82, name, "Eb Ib", 8, { ...locked, digit: n }),
      row(0x83, name, "Ev sIb", "v", { ...locked, digit: n }),
    ];
  });
}

const SHIFTS = ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"] as const;

/** Rotates define CF and OF; shifts all but AF. OF is undefined unless the count is 1. */
function shiftFlags(n: number, one: boolean): { readonly sets: number; readonly undef: number } {
  const of = one ? 0 : Flag.of;
  return n < 4 ? { sets: Flag.cf | (Flag.of & ~of), undef: of } : { sets: LOGIC & ~of, undef: Flag.af | of };
}

function shifts(): OpRow[] {
  return SHIFTS.flatMap((name, n) => [
    row(0xc0, name, "Eb Ib", 8, { digit: n, ...shiftFlags(n, false) }),
    row(0xc1, name, "Ev Ib", "v", { digit: n, ...shiftFlags(n, false) }),
    row(0xd0, name, "Eb 1", 8, { digit: n, ...shiftFlags(n, true) }),
    row(0xd1, name, "Ev 1", "v", { digit: n, ...shiftFlags(n, true) }),
    row(0xd2, name, "Eb cl", 8, { digit: n, ...shiftFlags(n, false) }),
    row(0xd3, name, "Ev cl", "v", { digit: n, ...shiftFlags(n, false) }),
  ]);
}

/** Rows that stand once per register in the low three bits. */
function perRegister(make: (n: number) => OpRow): OpRow[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].map(make);
}

const STEP = { sets: NO_CF, undef: 0 } as const;
const MUL = { sets: Flag.cf | Flag.of, undef: PASZ } as const;
const DIV = { sets: 0, undef: ALL } as const;
const NEG = { sets: ALL, undef: 0, lock: true } as const;

/** F6 and F7. */
function group3(opcode: number, e: string, i: string, width: 8 | "v"): OpRow[] {
  const test = aluFlags("test");
  return [
    row(opcode, "test", `${e} ${i}`, width, { digit: 0, ...test }),
    row(opcode, "test", `${e} ${i}`, width, { digit: 1, ...test }),
    row(opcode, "not", e, width, { digit: 2, lock: true }),
    row(opcode, "neg", e, width, { digit: 3, ...NEG }),
    row(opcode, "mul", e, width, { digit: 4, ...MUL }),
    row(opcode, "imul", e, width, { digit: 5, sem: "imul1", ...MUL }),
    row(opcode, "div", e, width, { digit: 6, ...DIV }),
    row(opcode, "idiv", e, width, { digit: 7, ...DIV }),
  ];
}

/** A string instruction of bytes and of words or dwords. */
function string(opcode: number, name: string, b: string, v: string, rep: "rep" | "repz", flags: number): OpRow[] {
  const extra = { sem: name, rep, sets: flags, undef: 0 };
  return [
    row(opcode, `${name}b`, b, 8, extra),
    row(opcode + 1, `${name}w`, v, "v", { ...extra, opSize: 16 }),
    row(opcode + 1, `${name}d`, v, "v", { ...extra, opSize: 32 }),
  ];
}

/** A mnemonic per operand size. */
function sized(opcode: number, at16: string, at32: string, sem: string, extra: Extra = {}): OpRow[] {
  return [
    row(opcode, at16, "", "v", { ...extra, sem, opSize: 16 }),
    row(opcode, at32, "", "v", { ...extra, sem, opSize: 32 }),
  ];
}

const SEGMENT_PUSHES = [[0x06, "es"], [0x0e, "cs"], [0x16, "ss"], [0x1e, "ds"]] as const;
const SEGMENT_POPS = [[0x07, "es"], [0x17, "ss"], [0x1f, "ds"]] as const;

/** Rows of the one-byte map, x87 escapes and prefixes left out. */
export const ONE_BYTE_ROWS: readonly OpRow[] = [
  ...alu(),
  ...SEGMENT_PUSHES.map(([o, name]) => row(o, "push", name, "v", { sem: "pushSreg" })),
  ...SEGMENT_POPS.map(([o, name]) => row(o, "pop", name, "v", { sem: "popSreg", ends: true })),
  row(0x27, "daa", "", 8, { sets: ALL & ~Flag.of, undef: Flag.of }),
  row(0x2f, "das", "", 8, { sets: ALL & ~Flag.of, undef: Flag.of }),
  row(0x37, "aaa", "", 8, { sets: Flag.cf | Flag.af, undef: Flag.of | Flag.sf | Flag.zf | Flag.pf }),
  row(0x3f, "aas", "", 8, { sets: Flag.cf | Flag.af, undef: Flag.of | Flag.sf | Flag.zf | Flag.pf }),
  ...perRegister((n) => row(0x40 + n, "inc", "Zv", "v", STEP)),
  ...perRegister((n) => row(0x48 + n, "dec", "Zv", "v", STEP)),
  ...perRegister((n) => row(0x50 + n, "push", "Zv", "v")),
  ...perRegister((n) => row(0x58 + n, "pop", "Zv", "v")),
  ...sized(0x60, "pushaw", "pushad", "pusha"),
  ...sized(0x61, "popaw", "popad", "popa"),
  row(0x62, "bound", "Gv Ma", "v"),
  row(0x63, "arpl", "Ew Gw", 16, { sets: Flag.zf }),
  row(0x68, "push", "Iz", "v"),
  row(0x69, "imul", "Gv Ev Iz", "v", { sem: "imul3", ...MUL }),
  row(0x6a, "push", "sIb", "v"),
  row(0x6b, "imul", "Gv Ev sIb", "v", { sem: "imul3", ...MUL }),
  ...string(0x6c, "ins", "Yb dx", "Yv dx", "rep", 0),
  ...string(0x6e, "outs", "dx Xb", "dx Xv", "rep", 0),
  ...CONDITIONS.map((c, n) => row(0x70 + n, `j${c}`, "Jb", "v", { sem: "jcc", cc: n, ...ENDS })),
  row(0x84, "test", "Eb Gb", 8, aluFlags("test")),
  row(0x85, "test", "Ev Gv", "v", aluFlags("test")),
  row(0x86, "xchg", "Eb Gb", 8, { lock: true }),
  row(0x87, "xchg", "Ev Gv", "v", { lock: true }),
  row(0x88, "mov", "Eb Gb", 8),
  row(0x89, "mov", "Ev Gv", "v"),
  row(0x8a, "mov", "Gb Eb", 8),
  row(0x8b, "mov", "Gv Ev", "v"),
  row(0x8c, "mov", "EwRv Sw", "v", { sem: "movFromSreg" }),
  row(0x8d, "lea", "Gv M", "v"),
  row(0x8e, "mov", "Sw Ew", 16, { sem: "movToSreg", ends: true }),
  row(0x8f, "pop", "Ev", "v", { digit: 0 }),
  row(0x90, "nop", "", 0),
  ...perRegister((n) => row(0x90 + n, "xchg", "rAX Zv", "v")).slice(1),
  ...sized(0x98, "cbw", "cwde", "cbw"),
  ...sized(0x99, "cwd", "cdq", "cwd"),
  row(0x9a, "call", "Ap", "v", { sem: "callFar", ...ENDS }),
  row(0x9b, "wait", "", 0, { sem: "fwait" }),
  ...sized(0x9c, "pushfw", "pushfd", "pushf"),
  ...sized(0x9d, "popfw", "popfd", "popf", { sets: ALL, ends: true }),
  row(0x9e, "sahf", "", 8, { sets: ALL & ~Flag.of }),
  row(0x9f, "lahf", "", 8),
  row(0xa0, "mov", "al Ob", 8),
  row(0xa1, "mov", "rAX Ov", "v"),
  row(0xa2, "mov", "Ob al", 8),
  row(0xa3, "mov", "Ov rAX", "v"),
  ...string(0xa4, "movs", "Yb Xb", "Yv Xv", "rep", 0),
  ...string(0xa6, "cmps", "Xb Yb", "Xv Yv", "repz", ALL),
  row(0xa8, "test", "al Ib", 8, aluFlags("test")),
  row(0xa9, "test", "rAX Iz", "v", aluFlags("test")),
  ...string(0xaa, "stos", "Yb al", "Yv rAX", "rep", 0),
  ...string(0xac, "lods", "al Xb", "rAX Xv", "rep", 0),
  ...string(0xae, "scas", "al Yb", "rAX Yv", "repz", ALL),
  ...perRegister((n) => row(0xb0 + n, "mov", "Zb Ib", 8)),
  ...perRegister((n) => row(0xb8 + n, "mov", "Zv Iz", "v")),
  ...shifts(),
  row(0xc2, "ret", "Iw", "v", ENDS),
  row(0xc3, "ret", "", "v", ENDS),
  row(0xc4, "les", "Gv Mp", "v", { sem: "loadFar", ends: true }),
  row(0xc5, "lds", "Gv Mp", "v", { sem: "loadFar", ends: true }),
  row(0xc6, "mov", "Eb Ib", 8, { digit: 0 }),
  row(0xc7, "mov", "Ev Iz", "v", { digit: 0 }),
  row(0xc8, "enter", "Iw Ib", "v"),
  row(0xc9, "leave", "", "v"),
  row(0xca, "retf", "Iw", "v", { sem: "retFar", ...ENDS }),
  row(0xcb, "retf", "", "v", { sem: "retFar", ...ENDS }),
  row(0xcc, "int3", "", 0, ENDS),
  row(0xcd, "int", "Ib", 0, ENDS),
  row(0xce, "into", "", 0, ENDS),
  ...sized(0xcf, "iretw", "iretd", "iret", { sets: ALL, ends: true }),
  row(0xd4, "aam", "Ib", 8, { sets: Flag.sf | Flag.zf | Flag.pf, undef: Flag.of | Flag.af | Flag.cf }),
  row(0xd5, "aad", "Ib", 8, { sets: Flag.sf | Flag.zf | Flag.pf, undef: Flag.of | Flag.af | Flag.cf }),
  row(0xd6, "salc", "", 8),
  row(0xd7, "xlatb", "", 8, { sem: "xlat" }),
  row(0xe0, "loopne", "Jb", "v", ENDS),
  row(0xe1, "loope", "Jb", "v", ENDS),
  row(0xe2, "loop", "Jb", "v", ENDS),
  row(0xe3, "jcxz", "Jb", "v", { addrSize: 16, ...ENDS }),
  row(0xe3, "jecxz", "Jb", "v", { sem: "jcxz", addrSize: 32, ...ENDS }),
  row(0xe4, "in", "al Ib", 8),
  row(0xe5, "in", "rAX Ib", "v"),
  row(0xe6, "out", "Ib al", 8),
  row(0xe7, "out", "Ib rAX", "v"),
  row(0xe8, "call", "Jz", "v", { sem: "callRel", ...ENDS }),
  row(0xe9, "jmp", "Jz", "v", { sem: "jmpRel", ...ENDS }),
  row(0xea, "jmp", "Ap", "v", { sem: "jmpFar", ...ENDS }),
  row(0xeb, "jmp", "Jb", "v", { sem: "jmpRel", ...ENDS }),
  row(0xec, "in", "al dx", 8),
  row(0xed, "in", "rAX dx", "v"),
  row(0xee, "out", "dx al", 8),
  row(0xef, "out", "dx rAX", "v"),
  row(0xf1, "int1", "", 0, ENDS),
  row(0xf4, "hlt", "", 0, ENDS),
  row(0xf5, "cmc", "", 0, { sets: Flag.cf }),
  ...group3(0xf6, "Eb", "Ib", 8),
  ...group3(0xf7, "Ev", "Iz", "v"),
  row(0xf8, "clc", "", 0, { sets: Flag.cf }),
  row(0xf9, "stc", "", 0, { sets: Flag.cf }),
  row(0xfa, "cli", "", 0),
  row(0xfb, "sti", "", 0, ENDS),
  row(0xfc, "cld", "", 0),
  row(0xfd, "std", "", 0),
  row(0xfe, "inc", "Eb", 8, { digit: 0, ...STEP, lock: true }),
  row(0xfe, "dec", "Eb", 8, { digit: 1, ...STEP, lock: true }),
  row(0xff, "inc", "Ev", "v", { digit: 0, ...STEP, lock: true }),
  row(0xff, "dec", "Ev", "v", { digit: 1, ...STEP, lock: true }),
  row(0xff, "call", "Ev", "v", { digit: 2, sem: "callInd", ...ENDS }),
  row(0xff, "call", "Mp", "v", { digit: 3, sem: "callFar", mod: "mem", ...ENDS }),
  row(0xff, "jmp", "Ev", "v", { digit: 4, sem: "jmpInd", ...ENDS }),
  row(0xff, "jmp", "Mp", "v", { digit: 5, sem: "jmpFar", mod: "mem", ...ENDS }),
  row(0xff, "push", "Ev", "v", { digit: 6 }),
];

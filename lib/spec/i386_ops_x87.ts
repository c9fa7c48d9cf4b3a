/**
 * Opcode table, x87: the escape opcodes D8 to DF. Source: SDM-2D appendix A.5, SDM-2A F2XM1 to FYL2XP1. Cold data.
 *
 * Mnemonics are those without the wait prefix (FNSTCW, not FSTCW, which is FWAIT and FNSTCW). `sem` is the mnemonic of
 * the waiting-or-not instruction with a suffix for its operand: `_m32 _m64 _m80` floating memory, `_i16 _i32 _i64`
 * integer memory, `_st` destination ST(i).
 * The manual reserves DC D0, DC D8, DD C8, DE D0, DF C8, DF D0 and DF D8; processors execute them as FCOM, FCOMP, FXCH
 * and FSTP, and D9 D8 as an FSTP that does not notice an empty ST(0) (measured on hardware; iced-x86 names them so).
 * Not in the table, hence #UD: the other reserved encodings; FISTTP (SSE3).
 */
import type { CpuFeature, Operand, OpRow } from "./i386_op_row.ts";
import { Flag } from "./i386_regs.ts";

const X87: CpuFeature = "x87";
const COMPARE = Flag.cf | Flag.pf | Flag.zf | Flag.of | Flag.sf | Flag.af;

/** Memory form: opcode, digit, mnemonic, operand, sem. */
function mem(opcode: number, digit: number, mnemonic: string, operand: Operand, sem: string): OpRow {
  const width = MEM_WIDTH[operand] ?? 0;
  return {
    opcode,
    digit,
    mod: "mem",
    mnemonic,
    operands: [operand],
    sem,
    width,
    feature: X87,
    sets: 0,
    undef: 0,
    ends: false,
    lock: false,
  };
}

const MEM_WIDTH: Partial<Record<Operand, 16 | 32 | 64 | 80>> = {
  m32fp: 32,
  m64fp: 64,
  m80fp: 80,
  m16int: 16,
  m32int: 32,
  m64int: 64,
  m80bcd: 80,
  m2byte: 16,
};

/** Register form with ST(i): the digit is bits 3-5 of ModRM. */
function reg(
  opcode: number,
  digit: number,
  mnemonic: string,
  operands: readonly Operand[],
  sem: string,
  feature: CpuFeature = X87,
  sets = 0,
): OpRow {
  return {
    opcode,
    digit,
    mod: "reg",
    mnemonic,
    operands,
    sem,
    width: 80,
    feature,
    sets,
    undef: 0,
    ends: false,
    lock: false,
  };
}

/** Form without operand, or with a fixed one: exact ModRM. */
function only(opcode: number, modrm: number, mnemonic: string, sem: string, operands: readonly Operand[] = []): OpRow {
  return {
    opcode,
    modrm,
    mod: "reg",
    hasModrm: true,
    mnemonic,
    operands,
    sem,
    width: operands[0] === "ax" ? 16 : 80,
    feature: X87,
    sets: 0,
    undef: 0,
    ends: false,
    lock: false,
  };
}

/** The eight arithmetic operations in the order of the digit. */
const ARITH = ["add", "mul", "com", "comp", "sub", "subr", "div", "divr"] as const;

function arithMem(opcode: number, prefix: "f" | "fi", operand: Operand, suffix: string): OpRow[] {
  return ARITH.map((name, digit) => mem(opcode, digit, prefix + name, operand, `f${name}_${suffix}`));
}

const D8: readonly OpRow[] = [
  ...arithMem(0xd8, "f", "m32fp", "m32"),
  ...ARITH.map((name, digit) =>
    reg(0xd8, digit, `f${name}`, name.startsWith("com") ? ["sti"] : ["st0", "sti"], `f${name}`)
  ),
];

const D9: readonly OpRow[] = [
  mem(0xd9, 0, "fld", "m32fp", "fld_m32"),
  mem(0xd9, 2, "fst", "m32fp", "fst_m32"),
  mem(0xd9, 3, "fstp", "m32fp", "fstp_m32"),
  mem(0xd9, 4, "fldenv", "m14/28byte", "fldenv"),
  mem(0xd9, 5, "fldcw", "m2byte", "fldcw"),
  mem(0xd9, 6, "fnstenv", "m14/28byte", "fnstenv"),
  mem(0xd9, 7, "fnstcw", "m2byte", "fnstcw"),
  reg(0xd9, 0, "fld", ["sti"], "fld"),
  reg(0xd9, 1, "fxch", ["sti"], "fxch"),
  only(0xd9, 0xd0, "fnop", "fnop"),
  only(0xd9, 0xe0, "fchs", "fchs"),
  only(0xd9, 0xe1, "fabs", "fabs"),
  only(0xd9, 0xe4, "ftst", "ftst"),
  only(0xd9, 0xe5, "fxam", "fxam"),
  ...["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"].map((m, n) => only(0xd9, 0xe8 + n, m, m)),
  ...[
    ["f2xm1", "fyl2x", "fptan", "fpatan", "fxtract", "fprem1", "fdecstp", "fincstp"],
    ["fprem", "fyl2xp1", "fsqrt", "fsincos", "frndint", "fscale", "fsin", "fcos"],
  ].flat().map((m, n) => only(0xd9, 0xf0 + n, m, m)),
];

const DA: readonly OpRow[] = [
  ...arithMem(0xda, "fi", "m32int", "i32"),
  ...["fcmovb", "fcmove", "fcmovbe", "fcmovu"].map((m, n) => reg(0xda, n, m, ["st0", "sti"], m, "cmov")),
  only(0xda, 0xe9, "fucompp", "fucompp"),
];

const DB: readonly OpRow[] = [
  mem(0xdb, 0, "fild", "m32int", "fild_i32"),
  mem(0xdb, 2, "fist", "m32int", "fist_i32"),
  mem(0xdb, 3, "fistp", "m32int", "fistp_i32"),
  mem(0xdb, 5, "fld", "m80fp", "fld_m80"),
  mem(0xdb, 7, "fstp", "m80fp", "fstp_m80"),
  ...["fcmovnb", "fcmovne", "fcmovnbe", "fcmovnu"].map((m, n) => reg(0xdb, n, m, ["st0", "sti"], m, "cmov")),
  only(0xdb, 0xe0, "fneni", "fneni"),
  only(0xdb, 0xe1, "fndisi", "fndisi"),
  only(0xdb, 0xe2, "fnclex", "fnclex"),
  only(0xdb, 0xe3, "fninit", "fninit"),
  only(0xdb, 0xe4, "fsetpm", "fsetpm"),
  reg(0xdb, 5, "fucomi", ["st0", "sti"], "fucomi", "cmov", COMPARE),
  reg(0xdb, 6, "fcomi", ["st0", "sti"], "fcomi", "cmov", COMPARE),
];

/** DC and DE register forms: destination ST(i); subtraction and division have their digits exchanged. */
const TO_STI = [["add", 0], ["mul", 1], ["subr", 4], ["sub", 5], ["divr", 6], ["div", 7]] as const;

const DC: readonly OpRow[] = [
  ...arithMem(0xdc, "f", "m64fp", "m64"),
  ...TO_STI.map(([name, digit]) => reg(0xdc, digit, `f${name}`, ["sti", "st0"], `f${name}_st`)),
];

const DD: readonly OpRow[] = [
  mem(0xdd, 0, "fld", "m64fp", "fld_m64"),
  mem(0xdd, 2, "fst", "m64fp", "fst_m64"),
  mem(0xdd, 3, "fstp", "m64fp", "fstp_m64"),
  mem(0xdd, 4, "frstor", "m94/108byte", "frstor"),
  mem(0xdd, 6, "fnsave", "m94/108byte", "fnsave"),
  mem(0xdd, 7, "fnstsw", "m2byte", "fnstsw_m16"),
  reg(0xdd, 0, "ffree", ["sti"], "ffree"),
  reg(0xdd, 2, "fst", ["sti"], "fst"),
  reg(0xdd, 3, "fstp", ["sti"], "fstp"),
  reg(0xdd, 4, "fucom", ["sti"], "fucom"),
  reg(0xdd, 5, "fucomp", ["sti"], "fucomp"),
];

const DE: readonly OpRow[] = [
  ...arithMem(0xde, "fi", "m16int", "i16"),
  ...TO_STI.map(([name, digit]) => reg(0xde, digit, `f${name}p`, ["sti", "st0"], `f${name}p`)),
  only(0xde, 0xd9, "fcompp", "fcompp"),
];

const DF: readonly OpRow[] = [
  mem(0xdf, 0, "fild", "m16int", "fild_i16"),
  mem(0xdf, 2, "fist", "m16int", "fist_i16"),
  mem(0xdf, 3, "fistp", "m16int", "fistp_i16"),
  mem(0xdf, 4, "fbld", "m80bcd", "fbld"),
  mem(0xdf, 5, "fild", "m64int", "fild_i64"),
  mem(0xdf, 6, "fbstp", "m80bcd", "fbstp"),
  mem(0xdf, 7, "fistp", "m64int", "fistp_i64"),
  reg(0xdf, 0, "ffreep", ["sti"], "ffreep"),
  only(0xdf, 0xe0, "fnstsw", "fnstsw_ax", ["ax"]),
  reg(0xdf, 5, "fucomip", ["st0", "sti"], "fucomip", "cmov", COMPARE),
  reg(0xdf, 6, "fcomip", ["st0", "sti"], "fcomip", "cmov", COMPARE),
];

/** Encodings that the manual reserves and processors execute; last, so that the assembler takes the others. */
const ALIASES: readonly OpRow[] = [
  reg(0xd9, 3, "fstpnce", ["sti"], "fstpnce"),
  reg(0xdc, 2, "fcom", ["sti"], "fcom"),
  reg(0xdc, 3, "fcomp", ["sti"], "fcomp"),
  reg(0xdd, 1, "fxch", ["sti"], "fxch"),
  reg(0xde, 2, "fcomp", ["sti"], "fcomp"),
  reg(0xdf, 1, "fxch", ["sti"], "fxch"),
  reg(0xdf, 2, "fstp", ["sti"], "fstp"),
  reg(0xdf, 3, "fstp", ["sti"], "fstp"),
];

/** Rows of the x87 escape opcodes. FWAIT (9B) stands in the one-byte map; its `sem` is "fwait". */
export const X87_ROWS: readonly OpRow[] = [...D8, ...D9, ...DA, ...DB, ...DC, ...DD, ...DE, ...DF, ...ALIASES];

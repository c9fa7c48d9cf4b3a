/**
 * Opcode rows of MMX, SSE and SSE2, with the few neighbours that came with them (FXSAVE, MXCSR, fences, MOVNTI, PAUSE).
 *
 * The same opcode byte stands for up to four instructions, told apart by the mandatory prefix: none, 66, F3 or F2. An
 * MMX form and its XMM twin share a mnemonic; their `sem` differs by the suffix `.mmx` or `.xmm`. Where one function
 * serves both register and memory moves it reads the row's operands.
 * Sources: SDM-2 instruction reference, SDM-2D appendix A tables. Cold data.
 */
import type { CpuFeature, Operand, OpRow } from "./i386_op_row.ts";
import { Flag } from "./i386_regs.ts";

type Prefix = 0 | 0x66 | 0xf2 | 0xf3;
type Width = OpRow["width"];
type Extra = Pick<OpRow, "digit" | "mod" | "hasModrm" | "sets">;

const ARITH = Flag.cf | Flag.pf | Flag.af | Flag.zf | Flag.sf | Flag.of;

function row(
  opcode: number,
  prefix: Prefix,
  text: string,
  sem: string,
  width: Width,
  feature: CpuFeature,
  extra: Partial<Extra> = {},
): OpRow {
  const [mnemonic, operands] = text.split(" ");
  return {
    opcode: 0x0f00 + opcode,
    mnemonic,
    operands: operands === undefined ? [] : operands.split(",") as Operand[],
    sem,
    prefix,
    width,
    feature,
    sets: 0,
    undef: 0,
    ends: false,
    lock: false,
    ...extra,
  };
}

/** MMX form and XMM form of one integer instruction; the feature is that of the MMX form. */
function pair(opcode: number, mnemonic: string, feature: CpuFeature = "mmx", source: "Qq" | "Qd" = "Qq"): OpRow[] {
  return [
    row(opcode, 0, `${mnemonic} Pq,${source}`, `${mnemonic}.mmx`, 64, feature),
    row(opcode, 0x66, `${mnemonic} Vdq,Wdq`, `${mnemonic}.xmm`, 128, "sse2"),
  ];
}

/** Shifts by an immediate: a group opcode, MMX and XMM. */
function shiftGroup(opcode: number, digit: number, mnemonic: string): OpRow[] {
  const extra = { digit, mod: "reg" } as const;
  return [
    row(opcode, 0, `${mnemonic} Nq,Ib`, `${mnemonic}i.mmx`, 64, "mmx", extra),
    row(opcode, 0x66, `${mnemonic} Udq,Ib`, `${mnemonic}i.xmm`, 128, "sse2", extra),
  ];
}

/** The four forms of a float operation: packed single, packed double, scalar single, scalar double. */
function four(opcode: number, stem: string, imm = ""): OpRow[] {
  return [
    row(opcode, 0, `${stem}ps Vdq,Wdq${imm}`, `${stem}ps`, 128, "sse"),
    row(opcode, 0x66, `${stem}pd Vdq,Wdq${imm}`, `${stem}pd`, 128, "sse2"),
    row(opcode, 0xf3, `${stem}ss Vd,Wd${imm}`, `${stem}ss`, 32, "sse"),
    row(opcode, 0xf2, `${stem}sd Vq,Wq${imm}`, `${stem}sd.xmm`, 64, "sse2"),
  ];
}

/** Packed single and packed double form of a bitwise or shuffling operation; `sem` names the kernel. */
function two(opcode: number, stem: string, imm = ""): OpRow[] {
  return [
    row(opcode, 0, `${stem}ps Vdq,Wdq${imm}`, `${stem}ps`, 128, "sse"),
    row(opcode, 0x66, `${stem}pd Vdq,Wdq${imm}`, `${stem}pd`, 128, "sse2"),
  ];
}

const MEM = { mod: "mem" } as const;
const REG = { mod: "reg" } as const;
const FLAGS = { sets: ARITH } as const;

const MOVES: readonly OpRow[] = [
  row(0x10, 0, "movups Vdq,Wdq", "movu.load", 128, "sse"),
  row(0x10, 0x66, "movupd Vdq,Wdq", "movu.load", 128, "sse2"),
  row(0x10, 0xf3, "movss Vd,Wd", "movss.load", 32, "sse"),
  row(0x10, 0xf2, "movsd Vq,Wq", "movsd.load", 64, "sse2"),
  row(0x11, 0, "movups Wdq,Vdq", "movu.store", 128, "sse"),
  row(0x11, 0x66, "movupd Wdq,Vdq", "movu.store", 128, "sse2"),
  row(0x11, 0xf3, "movss Wd,Vd", "movss.store", 32, "sse"),
  row(0x11, 0xf2, "movsd Wq,Vq", "movsd.store", 64, "sse2"),
  row(0x12, 0, "movlps Vq,Mq", "movl.load", 64, "sse", MEM),
  row(0x12, 0, "movhlps Vq,Uq", "movhlps", 64, "sse", REG),
  row(0x12, 0x66, "movlpd Vq,Mq", "movl.load", 64, "sse2", MEM),
  row(0x13, 0, "movlps Mq,Vq", "movl.store", 64, "sse", MEM),
  row(0x13, 0x66, "movlpd Mq,Vq", "movl.store", 64, "sse2", MEM),
  row(0x16, 0, "movhps Vq,Mq", "movh.load", 64, "sse", MEM),
  row(0x16, 0, "movlhps Vq,Uq", "movlhps", 64, "sse", REG),
  row(0x16, 0x66, "movhpd Vq,Mq", "movh.load", 64, "sse2", MEM),
  row(0x17, 0, "movhps Mq,Vq", "movh.store", 64, "sse", MEM),
  row(0x17, 0x66, "movhpd Mq,Vq", "movh.store", 64, "sse2", MEM),
  row(0x28, 0, "movaps Vdq,Wdq", "mova.load", 128, "sse"),
  row(0x28, 0x66, "movapd Vdq,Wdq", "mova.load", 128, "sse2"),
  row(0x29, 0, "movaps Wdq,Vdq", "mova.store", 128, "sse"),
  row(0x29, 0x66, "movapd Wdq,Vdq", "mova.store", 128, "sse2"),
  row(0x2b, 0, "movntps Mdq,Vdq", "mova.store", 128, "sse", MEM),
  row(0x2b, 0x66, "movntpd Mdq,Vdq", "mova.store", 128, "sse2", MEM),
  row(0x6e, 0, "movd Pd,Ed", "movd.mmx.load", 32, "mmx"),
  row(0x6e, 0x66, "movd Vd,Ed", "movd.xmm.load", 32, "sse2"),
  row(0x6f, 0, "movq Pq,Qq", "movq.mmx.load", 64, "mmx"),
  row(0x6f, 0x66, "movdqa Vdq,Wdq", "mova.load", 128, "sse2"),
  row(0x6f, 0xf3, "movdqu Vdq,Wdq", "movu.load", 128, "sse2"),
  row(0x7e, 0, "movd Ed,Pd", "movd.mmx.store", 32, "mmx"),
  row(0x7e, 0x66, "movd Ed,Vd", "movd.xmm.store", 32, "sse2"),
  row(0x7e, 0xf3, "movq Vq,Wq", "movq.xmm.load", 64, "sse2"),
  row(0x7f, 0, "movq Qq,Pq", "movq.mmx.store", 64, "mmx"),
  row(0x7f, 0x66, "movdqa Wdq,Vdq", "mova.store", 128, "sse2"),
  row(0x7f, 0xf3, "movdqu Wdq,Vdq", "movu.store", 128, "sse2"),
  row(0xd6, 0x66, "movq Wq,Vq", "movq.xmm.store", 64, "sse2"),
  row(0xd6, 0xf3, "movq2dq Vdq,Nq", "movq2dq", 64, "sse2", REG),
  row(0xd6, 0xf2, "movdq2q Pq,Uq", "movdq2q", 64, "sse2", REG),
  row(0xe7, 0, "movntq Mq,Pq", "movq.mmx.store", 64, "sse", MEM),
  row(0xe7, 0x66, "movntdq Mdq,Vdq", "mova.store", 128, "sse2", MEM),
  row(0xc3, 0, "movnti Md,Gd", "movnti", 32, "sse2", MEM),
  row(0x50, 0, "movmskps Gd,Udq", "movmskps", 32, "sse", REG),
  row(0x50, 0x66, "movmskpd Gd,Udq", "movmskpd", 32, "sse2", REG),
  row(0xd7, 0, "pmovmskb Gd,Nq", "pmovmskb.mmx", 32, "sse", REG),
  row(0xd7, 0x66, "pmovmskb Gd,Udq", "pmovmskb.xmm", 32, "sse2", REG),
  row(0xc4, 0, "pinsrw Pq,RdMw,Ib", "pinsrw.mmx", 16, "sse"),
  row(0xc4, 0x66, "pinsrw Vdq,RdMw,Ib", "pinsrw.xmm", 16, "sse2"),
  row(0xc5, 0, "pextrw Gd,Nq,Ib", "pextrw.mmx", 32, "sse", REG),
  row(0xc5, 0x66, "pextrw Gd,Udq,Ib", "pextrw.xmm", 32, "sse2", REG),
  row(0xf7, 0, "maskmovq Pq,Nq", "maskmovq", 64, "sse", REG),
  row(0xf7, 0x66, "maskmovdqu Vdq,Udq", "maskmovdqu", 128, "sse2", REG),
];

const SHUFFLES: readonly OpRow[] = [
  ...two(0x14, "unpckl"),
  ...two(0x15, "unpckh"),
  ...two(0xc6, "shuf", ",Ib"),
  row(0x70, 0, "pshufw Pq,Qq,Ib", "pshufw.mmx", 64, "sse"),
  row(0x70, 0x66, "pshufd Vdq,Wdq,Ib", "pshufd", 128, "sse2"),
  row(0x70, 0xf3, "pshufhw Vdq,Wdq,Ib", "pshufhw", 128, "sse2"),
  row(0x70, 0xf2, "pshuflw Vdq,Wdq,Ib", "pshuflw", 128, "sse2"),
];

const FLOATS: readonly OpRow[] = [
  ...four(0x51, "sqrt"),
  row(0x52, 0, "rsqrtps Vdq,Wdq", "rsqrtps", 128, "sse"),
  row(0x52, 0xf3, "rsqrtss Vd,Wd", "rsqrtss", 32, "sse"),
  row(0x53, 0, "rcpps Vdq,Wdq", "rcpps", 128, "sse"),
  row(0x53, 0xf3, "rcpss Vd,Wd", "rcpss", 32, "sse"),
  ...two(0x54, "and"),
  ...two(0x55, "andn"),
  ...two(0x56, "or"),
  ...two(0x57, "xor"),
  ...four(0x58, "add"),
  ...four(0x59, "mul"),
  ...four(0x5c, "sub"),
  ...four(0x5d, "min"),
  ...four(0x5e, "div"),
  ...four(0x5f, "max"),
  ...four(0xc2, "cmp", ",Ib"),
  row(0x2e, 0, "ucomiss Vd,Wd", "ucomiss", 32, "sse", FLAGS),
  row(0x2e, 0x66, "ucomisd Vq,Wq", "ucomisd", 64, "sse2", FLAGS),
  row(0x2f, 0, "comiss Vd,Wd", "comiss", 32, "sse", FLAGS),
  row(0x2f, 0x66, "comisd Vq,Wq", "comisd", 64, "sse2", FLAGS),
];

const CONVERSIONS: readonly OpRow[] = [
  row(0x2a, 0, "cvtpi2ps Vq,Qq", "cvtpi2ps", 64, "sse"),
  row(0x2a, 0x66, "cvtpi2pd Vdq,Qq", "cvtpi2pd", 64, "sse2"),
  row(0x2a, 0xf3, "cvtsi2ss Vd,Ed", "cvtsi2ss", 32, "sse"),
  row(0x2a, 0xf2, "cvtsi2sd Vq,Ed", "cvtsi2sd", 32, "sse2"),
  row(0x2c, 0, "cvttps2pi Pq,Wq", "cvttps2pi", 64, "sse"),
  row(0x2c, 0x66, "cvttpd2pi Pq,Wdq", "cvttpd2pi", 128, "sse2"),
  row(0x2c, 0xf3, "cvttss2si Gd,Wd", "cvttss2si", 32, "sse"),
  row(0x2c, 0xf2, "cvttsd2si Gd,Wq", "cvttsd2si", 64, "sse2"),
  row(0x2d, 0, "cvtps2pi Pq,Wq", "cvtps2pi", 64, "sse"),
  row(0x2d, 0x66, "cvtpd2pi Pq,Wdq", "cvtpd2pi", 128, "sse2"),
  row(0x2d, 0xf3, "cvtss2si Gd,Wd", "cvtss2si", 32, "sse"),
  row(0x2d, 0xf2, "cvtsd2si Gd,Wq", "cvtsd2si", 64, "sse2"),
  row(0x5a, 0, "cvtps2pd Vdq,Wq", "cvtps2pd", 64, "sse2"),
  row(0x5a, 0x66, "cvtpd2ps Vdq,Wdq", "cvtpd2ps", 128, "sse2"),
  row(0x5a, 0xf3, "cvtss2sd Vq,Wd", "cvtss2sd", 32, "sse2"),
  row(0x5a, 0xf2, "cvtsd2ss Vd,Wq", "cvtsd2ss", 64, "sse2"),
  row(0x5b, 0, "cvtdq2ps Vdq,Wdq", "cvtdq2ps", 128, "sse2"),
  row(0x5b, 0x66, "cvtps2dq Vdq,Wdq", "cvtps2dq", 128, "sse2"),
  row(0x5b, 0xf3, "cvttps2dq Vdq,Wdq", "cvttps2dq", 128, "sse2"),
  row(0xe6, 0x66, "cvttpd2dq Vdq,Wdq", "cvttpd2dq", 128, "sse2"),
  row(0xe6, 0xf3, "cvtdq2pd Vdq,Wq", "cvtdq2pd", 64, "sse2"),
  row(0xe6, 0xf2, "cvtpd2dq Vdq,Wdq", "cvtpd2dq", 128, "sse2"),
];

const INTEGERS: readonly OpRow[] = [
  ...pair(0x60, "punpcklbw", "mmx", "Qd"),
  ...pair(0x61, "punpcklwd", "mmx", "Qd"),
  ...pair(0x62, "punpckldq", "mmx", "Qd"),
  ...pair(0x63, "packsswb"),
  ...pair(0x64, "pcmpgtb"),
  ...pair(0x65, "pcmpgtw"),
  ...pair(0x66, "pcmpgtd"),
  ...pair(0x67, "packuswb"),
  ...pair(0x68, "punpckhbw"),
  ...pair(0x69, "punpckhwd"),
  ...pair(0x6a, "punpckhdq"),
  ...pair(0x6b, "packssdw"),
  row(0x6c, 0x66, "punpcklqdq Vdq,Wdq", "punpcklqdq.xmm", 128, "sse2"),
  row(0x6d, 0x66, "punpckhqdq Vdq,Wdq", "punpckhqdq.xmm", 128, "sse2"),
  ...shiftGroup(0x71, 2, "psrlw"),
  ...shiftGroup(0x71, 4, "psraw"),
  ...shiftGroup(0x71, 6, "psllw"),
  ...shiftGroup(0x72, 2, "psrld"),
  ...shiftGroup(0x72, 4, "psrad"),
  ...shiftGroup(0x72, 6, "pslld"),
  ...shiftGroup(0x73, 2, "psrlq"),
  ...shiftGroup(0x73, 6, "psllq"),
  row(0x73, 0x66, "psrldq Udq,Ib", "psrldqi.xmm", 128, "sse2", { digit: 3, mod: "reg" }),
  row(0x73, 0x66, "pslldq Udq,Ib", "pslldqi.xmm", 128, "sse2", { digit: 7, mod: "reg" }),
  ...pair(0x74, "pcmpeqb"),
  ...pair(0x75, "pcmpeqw"),
  ...pair(0x76, "pcmpeqd"),
  row(0x77, 0, "emms", "emms", 0, "mmx"),
  ...pair(0xd1, "psrlw"),
  ...pair(0xd2, "psrld"),
  ...pair(0xd3, "psrlq"),
  ...pair(0xd4, "paddq", "sse2"),
  ...pair(0xd5, "pmullw"),
  ...pair(0xd8, "psubusb"),
  ...pair(0xd9, "psubusw"),
  ...pair(0xda, "pminub", "sse"),
  ...pair(0xdb, "pand"),
  ...pair(0xdc, "paddusb"),
  ...pair(0xdd, "paddusw"),
  ...pair(0xde, "pmaxub", "sse"),
  ...pair(0xdf, "pandn"),
  ...pair(0xe0, "pavgb", "sse"),
  ...pair(0xe1, "psraw"),
  ...pair(0xe2, "psrad"),
  ...pair(0xe3, "pavgw", "sse"),
  ...pair(0xe4, "pmulhuw", "sse"),
  ...pair(0xe5, "pmulhw"),
  ...pair(0xe8, "psubsb"),
  ...pair(0xe9, "psubsw"),
  ...pair(0xea, "pminsw", "sse"),
  ...pair(0xeb, "por"),
  ...pair(0xec, "paddsb"),
  ...pair(0xed, "paddsw"),
  ...pair(0xee, "pmaxsw", "sse"),
  ...pair(0xef, "pxor"),
  ...pair(0xf1, "psllw"),
  ...pair(0xf2, "pslld"),
  ...pair(0xf3, "psllq"),
  ...pair(0xf4, "pmuludq", "sse2"),
  ...pair(0xf5, "pmaddwd"),
  ...pair(0xf6, "psadbw", "sse"),
  ...pair(0xf8, "psubb"),
  ...pair(0xf9, "psubw"),
  ...pair(0xfa, "psubd"),
  ...pair(0xfb, "psubq", "sse2"),
  ...pair(0xfc, "paddb"),
  ...pair(0xfd, "paddw"),
  ...pair(0xfe, "paddd"),
];

const STATE: readonly OpRow[] = [
  row(0xae, 0, "fxsave m512byte", "fxsave", 0, "fxsr", { digit: 0, mod: "mem" }),
  row(0xae, 0, "fxrstor m512byte", "fxrstor", 0, "fxsr", { digit: 1, mod: "mem" }),
  row(0xae, 0, "ldmxcsr Md", "ldmxcsr", 32, "sse", { digit: 2, mod: "mem" }),
  row(0xae, 0, "stmxcsr Md", "stmxcsr", 32, "sse", { digit: 3, mod: "mem" }),
  row(0xae, 0, "lfence", "fence", 0, "sse2", { digit: 5, mod: "reg", hasModrm: true }),
  row(0xae, 0, "mfence", "fence", 0, "sse2", { digit: 6, mod: "reg", hasModrm: true }),
  row(0xae, 0, "sfence", "fence", 0, "sse", { digit: 7, mod: "reg", hasModrm: true }),
  row(0xae, 0, "clflush Mb", "clflush", 8, "clflush", { digit: 7, mod: "mem" }),
  // A plain NOP to processors that do not know it; the opcode is that of the one-byte map.
  { ...row(0, 0xf3, "pause", "pause", 0, "386"), opcode: 0x90 },
];

/** Rows of MMX, SSE and SSE2. */
export const SIMD_ROWS: readonly OpRow[] = [
  ...MOVES,
  ...SHUFFLES,
  ...FLOATS,
  ...CONVERSIONS,
  ...INTEGERS,
  ...STATE,
];

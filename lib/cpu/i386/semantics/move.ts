/**
 * Moves, conversions and conditional moves. Source: SDM-2. Cold: builds trees.
 */
import { Flag } from "../../../spec/i386_regs.ts";
import type { Semantic } from "../builder.ts";

const EAX = 0, EDX = 2, EBX = 3, AH = 4;
/** SF ZF AF PF CF: what LAHF and SAHF move. */
const AH_FLAGS: number = Flag.sf | Flag.zf | Flag.af | Flag.pf | Flag.cf;

/** MOV between registers, memory and immediates. */
export const mov: Semantic = (b) => b.write(0, b.read(1));

/** MOVZX. */
export const movzx: Semantic = (b) => b.write(0, b.read(1));

/** MOVSX. */
export const movsx: Semantic = (b) => b.write(0, b.signed(b.read(1), b.operandWidth(1)));

/** XCHG. */
export const xchg: Semantic = (b) => {
  const x = b.let(b.readForWrite(0));
  b.writeBack(0, b.read(1));
  b.writeBack(1, x);
};

/** LEA: the offset alone, cut or zero-extended to the operand size. */
export const lea: Semantic = (b) => b.write(0, b.offset());

/** BSWAP; of a 16-bit register it gives 0, as Intel processors do. */
export const bswap: Semantic = (b) => {
  if (b.w === 16) {
    b.write(0, b.const(0));
    return;
  }
  const x = b.let(b.read(0));
  const even = b.and(b.binary("rotl", x, b.const(8)), b.const(0x00ff00ff));
  const odd = b.and(b.binary("rotr", x, b.const(8)), b.const(0xff00ff00));
  b.write(0, b.or(even, odd));
};

/** CBW, CWDE. */
export const cbw: Semantic = (b) => {
  if (b.w === 16) b.setReg(EAX, 16, b.signed(b.reg(EAX, 8), 8));
  else b.setReg(EAX, 32, b.signed(b.reg(EAX, 16), 16));
};

/** CWD, CDQ. */
export const cwd: Semantic = (b) => b.setReg(EDX, b.w, b.sar(b.signed(b.reg(EAX, b.w), b.w), 31));

/** XLAT. */
export const xlat: Semantic = (b) => {
  const size = b.shape.addrSize;
  const offset = b.mask(b.add(b.reg(EBX, size), b.reg(EAX, 8)), size);
  const v = b.load(8, b.segment("operand", offset, 1, false));
  b.setReg(EAX, 8, v);
};

/** LAHF. */
export const lahf: Semantic = (b) => b.setReg(AH, 8, b.or(b.and(b.flagsWord(), b.const(AH_FLAGS)), b.const(2)));

/** SAHF; OF is kept. */
export const sahf: Semantic = (b) =>
  b.flagsSet(b.or(b.and(b.reg(AH, 8), b.const(AH_FLAGS)), b.and(b.flagsWord(), b.const(Flag.of))));

/** SALC: AL becomes all ones if CF is set, else 0. */
export const salc: Semantic = (b) => b.setReg(EAX, 8, b.sub(b.const(0), b.cf()));

/** SETcc. */
export const setcc: Semantic = (b) => b.write(0, b.cond(b.shape.row.cc ?? 0));

/** CMOVcc: the source is read in any case. */
export const cmovcc: Semantic = (b) => {
  const v = b.read(1);
  b.if(b.cond(b.shape.row.cc ?? 0), () => b.write(0, v));
};

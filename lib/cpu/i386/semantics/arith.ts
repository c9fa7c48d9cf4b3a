/**
 * Addition, subtraction and their relatives. Operands are kept in temporaries: flags are recorded from them, lazily,
 * before the destination is written. Sources: SDM-2A/2B ADD ADC SUB SBB CMP NEG INC DEC XADD CMPXCHG CMPXCHG8B.
 * Cold: builds trees.
 */
import { Flag, Vector } from "../../../spec/i386_regs.ts";
import type { Semantic } from "../builder.ts";
import { Layout } from "../state.ts";

/** ADD. */
export const add: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), y = b.let(b.read(1));
  b.flagsAdd(b.w, x, y);
  b.writeBack(0, b.add(x, y));
};

/** ADC. */
export const adc: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), y = b.let(b.read(1)), c = b.let(b.cf());
  b.flagsAdd(b.w, x, y, c);
  b.writeBack(0, b.add(b.add(x, y), c));
};

/** SUB. */
export const sub: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), y = b.let(b.read(1));
  b.flagsSub(b.w, x, y);
  b.writeBack(0, b.sub(x, y));
};

/** SBB. */
export const sbb: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), y = b.let(b.read(1)), c = b.let(b.cf());
  b.flagsSub(b.w, x, y, c);
  b.writeBack(0, b.sub(b.sub(x, y), c));
};

/** CMP. */
export const cmp: Semantic = (b) => {
  const x = b.read(0), y = b.read(1);
  b.flagsSub(b.w, x, y);
};

/** INC; CF is kept. */
export const inc: Semantic = (b) => {
  const r = b.let(b.add(b.readForWrite(0), b.const(1)));
  b.flagsInc(b.w, r);
  b.writeBack(0, r);
};

/** DEC; CF is kept. */
export const dec: Semantic = (b) => {
  const r = b.let(b.sub(b.readForWrite(0), b.const(1)));
  b.flagsDec(b.w, r);
  b.writeBack(0, r);
};

/** NEG. */
export const neg: Semantic = (b) => {
  const x = b.let(b.readForWrite(0));
  b.flagsSub(b.w, b.const(0), x);
  b.writeBack(0, b.sub(b.const(0), x));
};

/** XADD: the sum is written last, so that XADD of a register with itself doubles it. */
export const xadd: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), y = b.let(b.read(1));
  b.flagsAdd(b.w, x, y);
  b.writeBack(1, x);
  b.writeBack(0, b.add(x, y));
};

/** CMPXCHG: memory is written in any case, as the processor does. */
export const cmpxchg: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), acc = b.let(b.reg(0, b.w));
  b.flagsSub(b.w, acc, x);
  b.if(b.binary("eq", acc, x), () => b.writeBack(0, b.read(1)), () => {
    if (b.isMemory(0)) b.writeBack(0, x);
    b.setReg(0, b.w, x);
  });
};

/** CMPXCHG8B: both halves are checked for writing, the low one first, before either is written. */
export const cmpxchg8b: Semantic = (b) => {
  if (!b.shape.isMem) {
    b.raise(Vector.ud);
    return;
  }
  const low = b.ea(8, true);
  // The parts are aligned by 4 where the whole is not by 8.
  const checks = b.and(b.and(b.state(Layout.cr0), b.state(Layout.eflags)), b.const(Flag.ac));
  const isUser = b.binary("eq", b.state(Layout.cpl), b.const(3));
  b.if(b.and(b.and(b.shr(low, 2), isUser), b.shr(checks, 18)), () => b.raise(Vector.ac, 0));
  const high = b.let(b.add(low, b.const(4)));
  const l = b.loadForWrite(32, low), h = b.loadForWrite(32, high);
  const same = b.let(b.and(b.binary("eq", l, b.reg(0)), b.binary("eq", h, b.reg(2))));
  b.store(32, low, b.select(same, b.reg(3), l));
  b.storeBack(32, b.select(same, b.reg(1), h));
  b.flagsSet(b.or(b.and(b.flagsWord(), b.const(~Flag.zf)), b.shl(same, 6)));
  b.if(b.unary("eqz", same), () => {
    b.setReg(0, 32, l);
    b.setReg(2, 32, h);
  });
};

/**
 * Shifts and rotates. The count is taken modulo 32; a count of 0 changes no flag, but memory is still checked for
 * writing. Where the manual leaves OF undefined (counts above 1) it is what the last single-bit step would give, as
 * Intel processors do; AF becomes 0. Source: SDM-2 SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD. Cold: builds trees.
 */
import { Flag } from "../../../spec/i386_regs.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";

/** The masked count of operand `i`, 0-31. */
function count(b: Builder, i: number): Expr {
  const e = b.read(i);
  return e.k === "const" ? e : b.let(b.and(e, b.const(31)));
}

/** Effects that happen unless `n` is 0; at once for constants. */
function unlessZero(b: Builder, n: Expr, then: () => void): void {
  if (n.k === "const") then();
  else b.if(n, then);
}

function bit(b: Builder, e: Expr, n: number): Expr {
  return b.and(b.shr(e, n), b.const(1));
}

function minus(b: Builder, n: number, e: Expr): Expr {
  return e.k === "const" ? b.const(n - e.v) : b.sub(b.const(n), e);
}

function less1(b: Builder, e: Expr): Expr {
  return e.k === "const" ? b.const(e.v - 1) : b.sub(e, b.const(1));
}

function shl(b: Builder, a: Expr, n: Expr): Expr {
  return b.binary("shl", a, n);
}

function shr(b: Builder, a: Expr, n: Expr): Expr {
  return b.binary("shrU", a, n);
}

/** SHL and SAL. */
export const shlSem: Semantic = (b) => {
  const { w } = b;
  const x = b.let(b.readForWrite(0)), n = count(b, 1);
  const r = b.let(shl(b, x, n));
  unlessZero(b, n, () => {
    // The bit shifted out last: for narrow operands it is still there above the result.
    const cf = b.let(w === 32 ? b.and(shr(b, x, minus(b, 32, n)), b.const(1)) : bit(b, r, w));
    b.flagsResult(w, r, cf, b.xor(cf, bit(b, r, w - 1)));
  });
  b.writeBack(0, r);
};

/** SHR. */
export const shrSem: Semantic = (b) => {
  const { w } = b;
  const x = b.let(b.readForWrite(0)), n = count(b, 1);
  const r = b.let(shr(b, x, n));
  unlessZero(b, n, () => {
    b.flagsResult(w, r, b.and(shr(b, x, less1(b, n)), b.const(1)), bit(b, r, w - 2));
  });
  b.writeBack(0, r);
};

/** SAR. */
export const sarSem: Semantic = (b) => {
  const { w } = b;
  const x = b.let(b.signed(b.readForWrite(0), w)), n = count(b, 1);
  const r = b.let(b.binary("shrS", x, n));
  unlessZero(b, n, () => {
    b.flagsResult(w, r, b.and(b.binary("shrS", x, less1(b, n)), b.const(1)), b.const(0));
  });
  b.writeBack(0, r);
};

/** CF and OF new, the other flags kept. */
function rotateFlags(b: Builder, cf: Expr, of: Expr): void {
  b.flagsSet(b.or(b.and(b.flagsWord(), b.const(~(Flag.cf | Flag.of))), b.or(cf, b.shl(of, 11))));
}

function rotated(b: Builder, x: Expr, n: Expr, left: boolean): Expr {
  if (b.w === 32) return b.binary(left ? "rotl" : "rotr", x, n);
  const m = n.k === "const" ? n : b.let(b.and(n, b.const(b.w - 1)));
  const back = minus(b, b.w, m);
  const e = left ? b.or(shl(b, x, m), shr(b, x, back)) : b.or(shr(b, x, m), shl(b, x, back));
  return b.mask(e, b.w);
}

/** ROL. */
export const rol: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), n = count(b, 1);
  const r = b.let(rotated(b, x, n, true));
  unlessZero(b, n, () => {
    const cf = b.let(b.and(r, b.const(1)));
    rotateFlags(b, cf, b.xor(cf, bit(b, r, b.w - 1)));
  });
  b.writeBack(0, r);
};

/** ROR. */
export const ror: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), n = count(b, 1);
  const r = b.let(rotated(b, x, n, false));
  unlessZero(b, n, () => {
    const cf = b.let(bit(b, r, b.w - 1));
    rotateFlags(b, cf, b.xor(cf, bit(b, r, b.w - 2)));
  });
  b.writeBack(0, r);
};

/** Rotates of `w` + 1 bits: 8- and 16-bit counts are taken modulo 9 and 17. */
function throughCarry(b: Builder, left: boolean): void {
  const { w } = b;
  const x = b.let(b.readForWrite(0)), m = count(b, 1);
  const n = w === 32 || m.k === "const" ? m : b.let(b.binary("remU", m, b.const(w + 1)));
  const r = b.variable();
  b.set(r, x);
  unlessZero(b, n, () => {
    const c = b.let(b.cf());
    const out = b.variable();
    if (w === 32) wideThroughCarry(b, x, n, c, left, r, out);
    else {
      const y = b.let(b.or(x, b.shl(c, w))), back = minus(b, w + 1, n);
      b.set(r, left ? b.or(shl(b, y, n), shr(b, y, back)) : b.or(shr(b, y, n), shl(b, y, back)));
      b.set(out, bit(b, r, w));
    }
    rotateFlags(b, out, b.xor(left ? out : bit(b, r, w - 2), bit(b, r, w - 1)));
  });
  b.writeBack(0, r);
}

type Variable = ReturnType<Builder["variable"]>;

function wideThroughCarry(
  b: Builder,
  x: Expr,
  n: Expr,
  c: Expr,
  left: boolean,
  r: Variable,
  out: Variable,
): void {
  const back = minus(b, 32, n), before = less1(b, n);
  if (left) {
    b.set(r, b.or(b.or(shl(b, x, n), shl(b, c, before)), shr(b, b.shr(x, 1), back)));
    b.set(out, b.and(shr(b, x, back), b.const(1)));
  } else {
    b.set(r, b.or(b.or(shr(b, x, n), shl(b, c, back)), shl(b, b.shl(x, 1), back)));
    b.set(out, b.and(shr(b, x, before), b.const(1)));
  }
}

/** RCL. */
export const rcl: Semantic = (b) => throughCarry(b, true);
/** RCR. */
export const rcr: Semantic = (b) => throughCarry(b, false);

/** SHLD. 16-bit counts above 16 go on with the destination's bits, as Intel processors do. */
export const shld: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), y = b.let(b.read(1)), n = count(b, 2);
  const r = b.variable();
  b.set(r, x);
  b.if(n, () => {
    const back = b.sub(b.const(32), n);
    const top = b.w === 32 ? x : b.let(b.or(b.shl(x, 16), y));
    const refill = b.w === 32 ? y : b.shl(x, 16);
    const joined = b.or(shl(b, top, n), shr(b, refill, back));
    b.set(r, b.w === 32 ? joined : b.shr(joined, 16));
    const cf = b.let(b.and(shr(b, top, back), b.const(1)));
    b.flagsResult(b.w, r, cf, b.xor(cf, bit(b, r, b.w - 1)));
  });
  b.writeBack(0, r);
};

/** SHRD. */
export const shrd: Semantic = (b) => {
  const x = b.let(b.readForWrite(0)), y = b.let(b.read(1)), n = count(b, 2);
  const r = b.variable();
  b.set(r, x);
  b.if(n, () => {
    const back = b.sub(b.const(32), n);
    const low = b.w === 32 ? x : b.let(b.or(b.shl(y, 16), x));
    const refill = b.w === 32 ? y : x;
    b.set(r, b.mask(b.or(shr(b, low, n), shl(b, refill, back)), b.w));
    const cf = b.and(shr(b, low, b.sub(n, b.const(1))), b.const(1));
    b.flagsResult(b.w, r, cf, b.xor(bit(b, r, b.w - 1), bit(b, r, b.w - 2)));
  });
  b.writeBack(0, r);
};

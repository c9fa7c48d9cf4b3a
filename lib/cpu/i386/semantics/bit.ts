/**
 * BT, BTS, BTR, BTC, BSF, BSR. A bit offset in a register may reach beyond the memory operand: the access moves by
 * whole operands, signed. Flags other than CF stay (BT family); BSF and BSR leave the destination when the source is 0
 * and set SF and PF by the source. Source: SDM-2. Cold: builds trees.
 */
import { Flag } from "../../../spec/i386_regs.ts";
import type { Builder, Semantic } from "../builder.ts";
import type { Expr } from "../tree.ts";

/** What happens to the tested bit. */
type Change = (b: Builder, value: Expr, mask: Expr) => Expr;

/** Linear address of the operand that holds the bit. */
function place(b: Builder, index: Expr, write: boolean): Expr {
  const bytes = b.w >>> 3;
  if (b.shape.row.operands[1] === "Ib") return b.ea(bytes, write);
  const units = b.sar(b.signed(index, b.w), b.w === 32 ? 5 : 4);
  return b.ea(bytes, write, b.shl(units, b.w === 32 ? 2 : 1));
}

function bitTest(change: Change | null): Semantic {
  return (b) => {
    const index = b.let(b.read(1));
    let x: Expr;
    if (!b.isMemory(0)) x = b.let(b.read(0));
    else if (change === null) x = b.load(b.w, place(b, index, false));
    else x = b.loadForWrite(b.w, place(b, index, true));
    const n = b.let(b.and(index, b.const(b.w - 1)));
    const cf = b.and(b.binary("shrU", x, n), b.const(1));
    b.flagsSet(b.or(b.and(b.flagsWord(), b.const(~Flag.cf)), cf));
    if (change !== null) b.writeBack(0, change(b, x, b.binary("shl", b.const(1), n)));
  };
}

/** BT. */
export const bt: Semantic = bitTest(null);
/** BTS. */
export const bts: Semantic = bitTest((b, v, mask) => b.or(v, mask));
/** BTR. */
export const btr: Semantic = bitTest((b, v, mask) => b.and(v, b.xor(mask, b.const(-1))));
/** BTC. */
export const btc: Semantic = bitTest((b, v, mask) => b.xor(v, mask));

function scan(find: (b: Builder, x: Expr) => Expr): Semantic {
  return (b) => {
    const x = b.let(b.read(1));
    b.flagsLogic(b.w, x);
    b.if(x, () => b.write(0, find(b, x)));
  };
}

/** BSF. */
export const bsf: Semantic = scan((b, x) => b.unary("ctz", x));
/** BSR. */
export const bsr: Semantic = scan((b, x) => b.xor(b.unary("clz", x), b.const(31)));

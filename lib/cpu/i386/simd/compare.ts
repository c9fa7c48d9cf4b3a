/**
 * CMPPS and its siblings, COMISS, UCOMISS.
 *
 * The low two bits of the predicate choose EQ, LT, LE, UNORD; bit 2 negates. LT and LE signal quiet NaNs.
 * Sources: SDM-2A CMPPS table 3-1, COMISS. Hot.
 */
import type { SystemFn } from "../context.ts";
import { setArithmetic } from "../flags.ts";
import { Flag } from "../../../spec/i386_regs.ts";
import { begin, env, finish, out } from "./env.ts";
import { enterSse, source128, source32, source64, xmm } from "./operand.ts";
import { Order, orderDouble, orderSingle } from "./order.ts";

/** By predicate 0-3, bit n: the relation n of {@linkcode Order} fulfils it. */
const FULFILS = [1 << Order.equal, 1 << Order.less, (1 << Order.less) | (1 << Order.equal), 1 << Order.unordered];

/** All ones if the relation fulfils the predicate. */
function verdict(predicate: number, order: number): number {
  const yes = ((FULFILS[predicate & 3] >>> order) & 1) !== 0;
  return yes !== ((predicate & 4) !== 0) ? -1 : 0;
}

function signals(predicate: number): boolean {
  return (predicate & 3) === 1 || (predicate & 3) === 2;
}

function compareSingles(lanes: 1 | 4): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = lanes === 4 ? source128(c, o) : source32(c, o);
    const w = c.state.i32, d = xmm(o.reg), loud = signals(o.imm);
    begin(c);
    for (let i = 0; i < lanes; i++) out[i] = verdict(o.imm, orderSingle(env, w[d + i], w[s + i], loud));
    finish(c);
    for (let i = 0; i < lanes; i++) w[d + i] = out[i];
  };
}

function compareDoubles(lanes: 1 | 2): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = lanes === 2 ? source128(c, o) : source64(c, o);
    const w = c.state.i32, d = xmm(o.reg), loud = signals(o.imm);
    begin(c);
    for (let i = 0; i < lanes; i++) {
      const r = verdict(o.imm, orderDouble(env, w, d + 2 * i, s + 2 * i, loud));
      out[2 * i] = r;
      out[2 * i + 1] = r;
    }
    finish(c);
    for (let i = 0; i < 2 * lanes; i++) w[d + i] = out[i];
  };
}

/** EFLAGS by relation: less, equal, greater, unordered. */
const FLAGS: readonly number[] = [Flag.cf, Flag.zf, 0, Flag.zf | Flag.pf | Flag.cf];

function toFlags(isDouble: boolean, loud: boolean): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = isDouble ? source64(c, o) : source32(c, o);
    const w = c.state.i32, d = xmm(o.reg);
    begin(c);
    const order = isDouble ? orderDouble(env, w, d, s, loud) : orderSingle(env, w[d], w[s], loud);
    finish(c);
    setArithmetic(c.state, FLAGS[order]);
  };
}

/** Instructions of this file by `sem`. */
export const COMPARE_FNS: Readonly<Record<string, SystemFn>> = {
  "cmpps": compareSingles(4),
  "cmpss": compareSingles(1),
  "cmppd": compareDoubles(2),
  "cmpsd.xmm": compareDoubles(1),
  "comiss": toFlags(false, true),
  "comisd": toFlags(true, true),
  "ucomiss": toFlags(false, false),
  "ucomisd": toFlags(true, false),
};

/**
 * SSE and SSE2 arithmetic: ADD SUB MUL DIV SQRT MIN MAX in packed and scalar, single and double form, and RCP, RSQRT.
 *
 * MIN and MAX return the second operand when either is a NaN or both are zeros. RCP and RSQRT touch no exception flag.
 * Sources: SDM-2 ADDPS and siblings; SDM-1 11.5.2. Hot.
 */
import type { SystemFn } from "../context.ts";
import { approximateReciprocal, approximateRoot } from "./approx.ts";
import { begin, env, finish, out } from "./env.ts";
import { Arith } from "./exact.ts";
import { double, single } from "./float.ts";
import { minMaxDouble, minMaxSingle } from "./order.ts";
import { enterSse, source128, source32, source64, xmm } from "./operand.ts";

/** Computes `lanes` singles. */
function singles(op: number, lanes: 1 | 4): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = lanes === 4 ? source128(c, o) : source32(c, o);
    const w = c.state.i32, d = xmm(o.reg);
    begin(c);
    for (let i = 0; i < lanes; i++) {
      out[i] = op === Arith.sqrt ? single(op, w[s + i], 0) : single(op, w[d + i], w[s + i]);
    }
    finish(c);
    for (let i = 0; i < lanes; i++) w[d + i] = out[i];
  };
}

/** Computes `lanes` doubles. */
function doubles(op: number, lanes: 1 | 2): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = lanes === 2 ? source128(c, o) : source64(c, o);
    const w = c.state.i32, d = xmm(o.reg);
    begin(c);
    for (let i = 0; i < 2 * lanes; i += 2) double(op, w, op === Arith.sqrt ? s + i : d + i, s + i, i);
    finish(c);
    for (let i = 0; i < 2 * lanes; i++) w[d + i] = out[i];
  };
}

function minMaxSingles(greater: boolean, lanes: 1 | 4): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = lanes === 4 ? source128(c, o) : source32(c, o);
    const w = c.state.i32, d = xmm(o.reg);
    begin(c);
    for (let i = 0; i < lanes; i++) out[i] = minMaxSingle(env, greater, w[d + i], w[s + i]);
    finish(c);
    for (let i = 0; i < lanes; i++) w[d + i] = out[i];
  };
}

function minMaxDoubles(greater: boolean, lanes: 1 | 2): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = lanes === 2 ? source128(c, o) : source64(c, o);
    const w = c.state.i32, d = xmm(o.reg);
    begin(c);
    for (let i = 0; i < 2 * lanes; i += 2) minMaxDouble(env, greater, w, d + i, s + i, out, i);
    finish(c);
    for (let i = 0; i < 2 * lanes; i++) w[d + i] = out[i];
  };
}

function approximate(kernel: (a: number) => number, lanes: 1 | 4): SystemFn {
  return (c, o) => {
    enterSse(c);
    const s = lanes === 4 ? source128(c, o) : source32(c, o);
    const w = c.state.i32, d = xmm(o.reg);
    for (let i = 0; i < lanes; i++) w[d + i] = kernel(w[s + i]);
  };
}

function arithmetic(stem: keyof typeof Arith): Record<string, SystemFn> {
  const op = Arith[stem];
  return {
    [`${stem}ps`]: singles(op, 4),
    [`${stem}ss`]: singles(op, 1),
    [`${stem}pd`]: doubles(op, 2),
    [`${stem}sd.xmm`]: doubles(op, 1),
  };
}

/** Instructions of this file by `sem`. */
export const FLOAT_FNS: Readonly<Record<string, SystemFn>> = {
  ...arithmetic("add"),
  ...arithmetic("sub"),
  ...arithmetic("mul"),
  ...arithmetic("div"),
  ...arithmetic("sqrt"),
  "minps": minMaxSingles(false, 4),
  "minss": minMaxSingles(false, 1),
  "minpd": minMaxDoubles(false, 2),
  "minsd.xmm": minMaxDoubles(false, 1),
  "maxps": minMaxSingles(true, 4),
  "maxss": minMaxSingles(true, 1),
  "maxpd": minMaxDoubles(true, 2),
  "maxsd.xmm": minMaxDoubles(true, 1),
  "rcpps": approximate(approximateReciprocal, 4),
  "rcpss": approximate(approximateReciprocal, 1),
  "rsqrtps": approximate(approximateRoot, 4),
  "rsqrtss": approximate(approximateRoot, 1),
};

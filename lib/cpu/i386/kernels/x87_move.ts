/**
 * Loads, stores, constants, exchange and sign changes of the x87 as kernels. Cold code that makes hot code.
 * Sources: SDM-2A FLD, FST, FILD, FIST, FLD1, FXCH, FCHS, FRNDINT.
 */
import { Layout } from "../state.ts";
import { BIAS, Rc } from "../x87/float80/format.ts";
import type { Code, Local, Value } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import {
  exponent,
  full,
  inexactFlags,
  inexactMasked,
  isNegative,
  loadNumber,
  type Num,
  plain,
  pop,
  push,
  pushSlot,
  read,
  ready,
  roundsUp,
  setStatus,
  signOf,
  stack,
  write,
} from "./x87_parts.ts";

function registerForm(sem: string, body: (k: Code) => void): Kernel {
  return { sem, memory: undefined, reg: "none", src: "sti", notes: true, body };
}

function memoryForm(sem: string, size: number, isWrite: boolean, body: (k: Code) => void): Kernel {
  return { sem, memory: { size, write: isWrite, align: 1 }, reg: "none", src: "none", notes: true, body };
}

function load(sem: string, size: number, format: "m32" | "m64" | "i16" | "i32" | "i64"): Kernel {
  return memoryForm(sem, size, false, (k) => {
    ready(k);
    const slot = pushSlot(k);
    const n = loadNumber(k, format, k.src);
    push(k, slot, n.m, n.se);
    setStatus(k, 0);
  });
}

/** A constant; `inexact` ones depend on the rounding mode. */
function constant(sem: string, m: bigint, exp: number, inexact: boolean): Kernel {
  return registerForm(sem, (k) => {
    ready(k);
    if (inexact) k.slowIf(k.i("and", k.field(Layout.fcw), Rc.mask));
    push(k, pushSlot(k), k.cl(BigInt.asIntN(64, m)), k.c(exp));
    setStatus(k, 0);
  });
}

function loadKernels(): readonly Kernel[] {
  return [
    load("fld_m32", 4, "m32"),
    load("fld_m64", 8, "m64"),
    load("fild_i16", 2, "i16"),
    load("fild_i32", 4, "i32"),
    load("fild_i64", 8, "i64"),
    memoryForm("fld_m80", 10, false, (k) => {
      ready(k);
      push(k, pushSlot(k), k.load("i64.load", k.src), k.load("i32.load16_u", k.src, 8));
      setStatus(k, 0);
    }),
    registerForm("fld", (k) => {
      ready(k);
      const from = stack(k, k.src);
      full(k, from);
      const n = read(k, from);
      push(k, pushSlot(k), n.m, n.se);
      setStatus(k, 0);
    }),
    constant("fld1", 1n << 63n, BIAS, false),
    constant("fldz", 0n, 0, false),
    constant("fldl2t", 0xd49a784bcd1b8afen, BIAS + 1, true),
    constant("fldl2e", 0xb8aa3b295c17f0bcn, BIAS, true),
    constant("fldpi", 0xc90fdaa22168c235n, BIAS + 1, true),
    constant("fldlg2", 0x9a209a84fbcff799n, BIAS - 2, true),
    constant("fldln2", 0xb17217f7d1cf79acn, BIAS - 1, true),
  ];
}

/** ST(0) to memory: `convert` stores and returns the flags. */
function store(
  sem: string,
  size: number,
  pops: boolean,
  convert: (k: Code, n: Num) => Value | number,
): Kernel {
  return memoryForm(sem, size, true, (k) => {
    ready(k);
    const top = stack(k, 0);
    full(k, top);
    setStatus(k, convert(k, read(k, top)));
    if (pops) pop(k, top);
  });
}

/** A number rounded to an integer, but for its sign, and flags. */
interface Rounded {
  readonly m: Local;
  readonly exp: Local;
  readonly flags: Local;
}

/** Rounds a number that is normal or zero to an integer; PE is masked. `fcw` undefined: to nearest. */
export function roundToInteger(k: Code, n: Num, fcw: Local | undefined): Rounded {
  const m = k.let("i64", n.m), exp = k.let("i32", exponent(k, n)), flags = k.let("i32", k.c(0));
  k.block((done) => {
    done(k.i("or", k.l("eqz", m), k.i("ge_u", exp, BIAS + 63)));
    const rounded = toInteger(k, n, fcw, 63);
    const by = k.let("i64", k.l("clz", rounded.size));
    const e = k.i("sub", k.c(BIAS + 63), k.i("wrap_i64", by));
    k.set(exp, k.select(k.l("eqz", rounded.size), k.c(0), e));
    k.set(m, k.l("shl", rounded.size, by));
    k.set(flags, rounded.flags);
  });
  return { m, exp, flags };
}

/** To single (24 bits) or double (53 bits). */
function storeFloat(k: Code, n: Num, size: 4 | 8): Value {
  const fcw = inexactMasked(k);
  plain(k, n);
  return storePlainFloat(k, n, size, fcw);
}

/** The same for a number that is normal or zero; PE is masked. `fcw` undefined: to nearest. */
export function storePlainFloat(k: Code, n: Num, size: 4 | 8, fcw: Local | undefined): Local {
  const fraction = size === 4 ? 23n : 52n, bias = size === 4 ? 127 : 1023, cut = 63n - fraction;
  const sign = k.let("i64", k.l("shl", k.l("extend_i32_u", isNegative(k, n)), size === 4 ? 31n : 63n));
  const e = k.let("i32", k.i("sub", exponent(k, n), BIAS - bias));
  const flags = k.let("i32", k.c(0)), bits = k.let("i64", sign);
  k.if(k.l("ne", n.m, 0), () => {
    k.slowIf(k.i("ge_u", k.i("sub", e, 1), 2 * bias - 1));
    const rest = k.let("i64", k.l("shl", n.m, 64n - cut));
    const kept = k.let("i64", k.l("shr_u", n.m, cut));
    const up = roundsUp(k, fcw, signOf(k, n), rest, k.l("and", kept, 1));
    const mantissa = k.l("add", k.l("sub", kept, 1n << fraction), k.l("extend_i32_u", up));
    k.set(bits, k.l("add", k.l("or", sign, k.l("shl", k.l("extend_i32_u", e), fraction)), mantissa));
    k.set(flags, inexactFlags(k, rest, up));
  });
  k.store(size === 4 ? "i64.store32" : "i64.store", k.src, bits);
  return flags;
}

/** Magnitude rounded to an integer of 64 bits; slow from 2^limit. */
function toInteger(k: Code, n: Num, fcw: Local | undefined, limit: number): { size: Local; flags: Local } {
  const size = k.let("i64", k.cl(0n)), flags = k.let("i32", k.c(0));
  k.if(k.l("ne", n.m, 0), () => {
    const shift = k.let("i32", k.i("sub", k.c(BIAS + 63), exponent(k, n)));
    k.slowIf(k.i("le_s", shift, 63 - limit));
    const rest = k.let("i64", k.cl(1n));
    k.if(k.i("le_u", shift, 63), () => {
      const by = k.let("i64", k.l("extend_i32_u", shift));
      k.set(size, k.l("shr_u", n.m, by));
      k.set(rest, k.l("shl", k.l("shl", n.m, 1), k.l("sub", k.cl(63n), by)));
    }, () => k.if(k.i("eq", shift, 64), () => k.set(rest, n.m)));
    const up = roundsUp(k, fcw, signOf(k, n), rest, k.l("and", size, 1));
    k.set(size, k.l("add", size, k.l("extend_i32_u", up)));
    k.slowIf(k.l("ne", k.l("shr_u", size, limit), 0));
    k.set(flags, inexactFlags(k, rest, up));
  });
  return { size, flags };
}

function storeInteger(k: Code, n: Num, bytes: 2 | 4 | 8): Value {
  const fcw = inexactMasked(k);
  plain(k, n);
  return storePlainInteger(k, n, bytes, fcw);
}

/** The same for a number that is normal or zero; PE is masked. `fcw` undefined: to nearest. */
export function storePlainInteger(k: Code, n: Num, bytes: 2 | 4 | 8, fcw: Local | undefined): Local {
  const { size, flags } = toInteger(k, n, fcw, bytes * 8 - 1);
  const minus = k.let("i64", k.l("sub", k.cl(0n), k.l("extend_i32_u", isNegative(k, n))));
  const value = k.l("sub", k.l("xor", size, minus), minus);
  k.store(bytes === 2 ? "i64.store16" : bytes === 4 ? "i64.store32" : "i64.store", k.src, value);
  return flags;
}

function storeKernels(): readonly Kernel[] {
  return [
    ...([false, true] as const).flatMap((pops): Kernel[] => {
      const p = pops ? "p" : "";
      return [
        store(`fst${p}_m32`, 4, pops, (k, n) => storeFloat(k, n, 4)),
        store(`fst${p}_m64`, 8, pops, (k, n) => storeFloat(k, n, 8)),
        store(`fist${p}_i16`, 2, pops, (k, n) => storeInteger(k, n, 2)),
        store(`fist${p}_i32`, 4, pops, (k, n) => storeInteger(k, n, 4)),
      ];
    }),
    store("fistp_i64", 8, true, (k, n) => storeInteger(k, n, 8)),
    store("fstp_m80", 10, true, (k, n) => {
      k.store("i64.store", k.src, n.m);
      k.store("i32.store16", k.src, n.se, 8);
      return 0;
    }),
  ];
}

/** FST ST(i), FSTP ST(i). */
function storeRegister(sem: string, pops: boolean): Kernel {
  return registerForm(sem, (k) => {
    ready(k);
    const top = stack(k, 0), to = stack(k, k.src);
    full(k, top);
    const n = read(k, top);
    write(k, to, n.m, n.se);
    k.setField(Layout.fempty, k.i("and", k.field(Layout.fempty), k.i("xor", k.i("shl", k.c(1), to.n), -1)));
    setStatus(k, 0);
    if (pops) pop(k, top);
  });
}

/** Changes the sign of ST(0). */
function sign(sem: string, change: (k: Code, se: Value) => Value): Kernel {
  return registerForm(sem, (k) => {
    ready(k);
    const top = stack(k, 0);
    full(k, top);
    const at = k.at(Layout.fpr) + 8;
    k.store("i32.store", top.at, change(k, k.load("i32.load", top.at, at)), at);
    setStatus(k, 0);
  });
}

/** Adds to TOP. */
function rotate(sem: string, by: number): Kernel {
  return registerForm(sem, (k) => {
    ready(k);
    setStatus(k, 0);
    k.setField(Layout.ftop, k.i("and", k.i("add", k.field(Layout.ftop), by), 7));
  });
}

function registerKernels(): readonly Kernel[] {
  return [
    storeRegister("fst", false),
    storeRegister("fstp", true),
    storeRegister("fstpnce", true),
    registerForm("fxch", (k) => {
      ready(k);
      const top = stack(k, 0), other = stack(k, k.src);
      full(k, top, other);
      const a = read(k, top), b = read(k, other);
      write(k, top, b.m, b.se);
      write(k, other, a.m, a.se);
      setStatus(k, 0);
    }),
    sign("fchs", (k, se) => k.i("xor", se, 0x8000)),
    sign("fabs", (k, se) => k.i("and", se, ~0x8000)),
    rotate("fincstp", 1),
    rotate("fdecstp", -1),
    registerForm("ffree", (k) => {
      ready(k);
      k.setField(Layout.fempty, k.i("or", k.field(Layout.fempty), k.i("shl", k.c(1), stack(k, k.src).n)));
      setStatus(k, 0);
    }),
    registerForm("frndint", (k) => {
      ready(k);
      const fcw = inexactMasked(k);
      const top = stack(k, 0);
      full(k, top);
      const n = read(k, top);
      plain(k, n);
      const r = roundToInteger(k, n, fcw);
      write(k, top, r.m, k.i("or", signOf(k, n), r.exp));
      setStatus(k, r.flags);
    }),
  ];
}

/** Moves. */
export function moveKernels(): readonly Kernel[] {
  return [...loadKernels(), ...storeKernels(), ...registerKernels()];
}

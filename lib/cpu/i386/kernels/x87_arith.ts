/**
 * FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR with all their operands as kernels, and FSQRT.
 *
 * Operands are normal numbers or zeros. Cold code that makes hot code. Sources: SDM-2A FADD, FSUB, FMUL, FDIV, FSQRT.
 */
import { BIAS } from "../x87/float80/format.ts";
import type { Code, Local } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import { addNormal, addZero, divide, multiply, root } from "./x87_numbers.ts";
import {
  full,
  inexactMasked,
  isNormal,
  isZero,
  loadNumber,
  negated,
  type Num,
  plain,
  pop,
  read,
  ready,
  round,
  setStatus,
  signsDiffer,
  stack,
  type Unrounded,
  write,
} from "./x87_parts.ts";

/** Operations on two numbers. */
const OPERATIONS = ["add", "sub", "subr", "mul", "div", "divr"] as const;
type Operation = typeof OPERATIONS[number];

/** Emits a op b; the result is in the locals returned. */
function operate(k: Code, op: Operation, x: Num, y: Num, fcw: Local): { m: Local; se: Local; flags: Local } {
  const reversed = op === "subr" || op === "divr";
  const a = reversed ? y : x, second = reversed ? x : y;
  const b = op === "sub" || op === "subr" ? negated(k, second) : second;
  const u: Unrounded & { readonly fcw: Local } = {
    m: k.let("i64", k.cl(0n)),
    ext: k.let("i64", k.cl(0n)),
    exp: k.let("i32", k.c(0)),
    sign: k.let("i32", k.c(0)),
    flags: k.let("i32", k.c(0)),
    fcw,
  };
  k.block((done) => {
    k.block((rounding) => {
      k.block((special) => {
        special(k.i("eqz", k.i("and", isNormal(k, a), isNormal(k, b))), "unlikely");
        if (op === "mul") multiply(k, a, b, u);
        else if (op === "div" || op === "divr") divide(k, a, b, u);
        else addNormal(k, a, b, u, done);
        rounding();
      });
      plain(k, a);
      plain(k, b);
      if (op === "mul" || op === "div" || op === "divr") {
        if (op !== "mul") k.slowIf(isZero(k, b));
        k.set(u.sign, signsDiffer(k, a, b));
        done();
      } else addZero(k, a, b, u, done);
    });
    round(k, u, fcw);
  });
  return { m: u.m, se: k.let("i32", k.i("or", u.sign, u.exp)), flags: u.flags };
}

/** ST(0) op ST(i): the destination is either; then maybe a pop. */
function registers(op: Operation, sem: string, toSti: boolean, pops: boolean): Kernel {
  return {
    sem,
    memory: undefined,
    reg: "none",
    src: "sti",
    notes: true,
    body: (k) => {
      ready(k);
      const fcw = inexactMasked(k);
      const top = stack(k, 0), other = stack(k, k.src);
      full(k, top, other);
      const a = read(k, toSti ? other : top), b = read(k, toSti ? top : other);
      const r = operate(k, op, a, b, fcw);
      write(k, toSti ? other : top, r.m, r.se);
      setStatus(k, r.flags);
      if (pops) pop(k, top);
    },
  };
}

const SIZES = { m32: 4, m64: 8, i16: 2, i32: 4 } as const;

/** ST(0) := ST(0) op memory. */
function memory(op: Operation, format: keyof typeof SIZES): Kernel {
  return {
    sem: `f${op}_${format}`,
    memory: { size: SIZES[format], write: false, align: 1 },
    reg: "none",
    src: "none",
    notes: true,
    body: (k) => {
      ready(k);
      const fcw = inexactMasked(k);
      const top = stack(k, 0);
      full(k, top);
      const r = operate(k, op, read(k, top), loadNumber(k, format, k.src), fcw);
      write(k, top, r.m, r.se);
      setStatus(k, r.flags);
    },
  };
}

/** FSQRT of a positive number. */
const SQRT: Kernel = {
  sem: "fsqrt",
  memory: undefined,
  reg: "none",
  src: "none",
  notes: true,
  body: (k) => {
    ready(k);
    const fcw = inexactMasked(k);
    const top = stack(k, 0);
    full(k, top);
    const a = read(k, top);
    k.slowIf(k.i("eqz", k.i("and", isNormal(k, a), k.i("lt_u", a.se, 0x8000))));
    const u: Unrounded = {
      m: k.let("i64", k.cl(0n)),
      ext: k.let("i64", k.cl(0n)),
      exp: k.let("i32", k.i("shr_u", k.i("add", a.se, BIAS), 1)),
      sign: k.let("i32", k.c(0)),
      flags: k.let("i32", k.c(0)),
    };
    root(k, a, u.m, u.ext);
    round(k, u, fcw);
    write(k, top, u.m, u.exp);
    setStatus(k, u.flags);
  },
};

/** Arithmetic kernels. */
export function arithKernels(): readonly Kernel[] {
  return [
    ...OPERATIONS.flatMap((op): Kernel[] => [
      registers(op, `f${op}`, false, false),
      registers(op, `f${op}_st`, true, false),
      registers(op, `f${op}p`, true, true),
      ...(["m32", "m64", "i16", "i32"] as const).map((format) => memory(op, format)),
    ]),
    SQRT,
  ];
}

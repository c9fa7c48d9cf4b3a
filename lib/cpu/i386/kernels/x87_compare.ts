/**
 * Comparisons of the x87, the status and control word, FWAIT as kernels. Cold code that makes hot code.
 * Sources: SDM-2A FCOM, FUCOM, FCOMI, FTST, FXAM, FNSTSW, FLDCW, FNSTCW, WAIT.
 */
import { Cr0, Reg } from "../../../spec/i386_regs.ts";
import { Layout } from "../state.ts";
import { Fsw } from "../x87/float80/format.ts";
import type { Code, Local, Value } from "./code.ts";
import { FLAGS_SET, type Kernel } from "./kernel.ts";
import {
  exponent,
  full,
  isNegative,
  isNormal,
  isZero,
  loadNumber,
  type Num,
  plain,
  pop,
  read,
  ready,
  setStatus,
  signsDiffer,
  type Stack,
  stack,
} from "./x87_parts.ts";

/** Order of two numbers. */
export interface Order {
  /** The first is less. */
  readonly less: Local;
  /** They are equal. */
  readonly equal: Local;
}

/** Compares two normal numbers or zeros; slow for others. */
function compare(k: Code, a: Num, b: Num): Order {
  plain(k, a);
  plain(k, b);
  return comparePlain(k, a, b);
}

/** Compares two numbers that are normal or zeros. */
export function comparePlain(k: Code, a: Num, b: Num): Order {
  const ea = k.let("i32", exponent(k, a)), eb = k.let("i32", exponent(k, b));
  const apart = k.i("or", k.i("xor", ea, eb), signsDiffer(k, a, b));
  const same = k.i("and", k.i("eqz", apart), k.l("eq", a.m, b.m));
  const zeros = k.l("eqz", k.l("or", a.m, b.m));
  const equal = k.let("i32", k.i("or", same, zeros));
  const smaller = k.i("or", k.i("lt_u", ea, eb), k.i("and", k.i("eq", ea, eb), k.l("lt_u", a.m, b.m)));
  const negative = k.let("i32", isNegative(k, a));
  const less = k.select(signsDiffer(k, a, b), negative, k.i("xor", smaller, negative));
  return { equal, less: k.let("i32", k.i("and", less, k.i("eqz", equal))) };
}

/** C0 to C3 from an order. */
function setConditions(k: Code, bits: Value): void {
  k.setField(Layout.fsw, k.i("or", k.i("and", k.field(Layout.fsw), ~(Fsw.c0 | Fsw.c1 | Fsw.c2 | Fsw.c3)), bits));
}

/** C0 and C3 from an order. */
export function conditionBits(k: Code, order: Order): Value {
  return k.i("or", k.i("shl", order.less, 8), k.i("shl", order.equal, 14));
}

function popTwice(k: Code, top: Stack): void {
  const both = k.i("or", k.i("shl", k.c(1), top.n), k.i("shl", k.c(1), stack(k, 1).n));
  k.setField(Layout.fempty, k.i("or", k.field(Layout.fempty), both));
  k.setField(Layout.ftop, k.i("and", k.i("add", top.n, 2), 7));
}

/** A kernel that is remembered and looks at ST(0), which must be full; `second` must be too. */
function looking(
  sem: string,
  operand: Kernel["memory"],
  second: (k: Code) => Stack | undefined,
  look: (k: Code, n: Num, top: Stack, other: Num | undefined) => void,
  rest: Partial<Kernel> = {},
): Kernel {
  const body = (k: Code): void => {
    ready(k);
    const top = stack(k, 0), other = second(k);
    full(k, top, ...(other === undefined ? [] : [other]));
    look(k, read(k, top), top, other && read(k, other));
  };
  return { sem, memory: operand, reg: "none", src: "none", notes: true, body, ...rest };
}

const none = (): undefined => undefined;

function setOrder(k: Code, a: Num, b: Num): void {
  setConditions(k, conditionBits(k, compare(k, a, b)));
}

function registers(sem: string, pops: 0 | 1 | 2): Kernel {
  return looking(sem, undefined, (k) => stack(k, pops === 2 ? 1 : k.src), (k, a, top, b) => {
    if (b !== undefined) setOrder(k, a, b);
    if (pops === 1) pop(k, top);
    if (pops === 2) popTwice(k, top);
  }, { src: "sti" });
}

const SIZES = { m32: 4, m64: 8, i16: 2, i32: 4 } as const;

function memory(sem: string, format: keyof typeof SIZES, pops: boolean): Kernel {
  return looking(`${sem}_${format}`, { size: SIZES[format], write: false, align: 1 }, none, (k, a, top) => {
    setOrder(k, a, loadNumber(k, format, k.src));
    if (pops) pop(k, top);
  });
}

/** Into EFLAGS. */
function flags(sem: string, pops: boolean): Kernel {
  return looking(sem, undefined, (k) => stack(k, k.src), (k, a, top, b) => {
    if (b === undefined) return;
    const order = compare(k, a, b);
    setStatus(k, 0);
    if (pops) pop(k, top);
    k.answer(k.i("or", k.i("or", order.less, k.i("shl", order.equal, 6)), FLAGS_SET));
  }, { src: "sti", answers: true });
}

/** FTST and FXAM: bits by the sign of a normal number, and bits of a zero (with C1 as its sign for FXAM). */
function examineKernels(): readonly Kernel[] {
  return [
    looking("ftst", undefined, none, (k, n) => {
      plain(k, n);
      setConditions(k, k.select(isZero(k, n), k.c(Fsw.c3), k.i("shl", isNegative(k, n), 8)));
    }),
    looking("fxam", undefined, none, (k, n) => {
      plain(k, n);
      const sign = k.i("shl", isNegative(k, n), 9);
      setConditions(k, k.i("or", sign, k.select(isNormal(k, n), k.c(Fsw.c2), k.c(Fsw.c3))));
    }),
  ];
}

/** Slow unless CR0 allows the x87. */
function available(k: Code): void {
  k.slowIf(k.i("and", k.field(Layout.cr0), Cr0.em | Cr0.ts));
}

function statusWord(k: Code): Value {
  return k.i("or", k.i("and", k.field(Layout.fsw), 0xc7ff), k.i("shl", k.field(Layout.ftop), 11));
}

function control(sem: string, operand: Kernel["memory"], body: (k: Code) => void): Kernel {
  return { sem, memory: operand, reg: "none", src: "none", notes: false, body };
}

function controlKernels(): readonly Kernel[] {
  return [
    control("fnstsw_ax", undefined, (k) => {
      available(k);
      k.store("i32.store16", k.c(0), statusWord(k), k.at(Layout.regs + 4 * Reg.eax));
    }),
    control("fnstsw_m16", { size: 2, write: true, align: 1 }, (k) => {
      available(k);
      k.store("i32.store16", k.src, statusWord(k));
    }),
    control("fnstcw", { size: 2, write: true, align: 1 }, (k) => {
      available(k);
      k.store("i32.store16", k.src, k.field(Layout.fcw));
    }),
    control("fldcw", { size: 2, write: false, align: 1 }, (k) => {
      ready(k);
      const next = k.let("i32", k.i("or", k.i("and", k.load("i32.load16_u", k.src), 0x1f3f), 0x40));
      // A flag that this unmasks is an error from now on.
      k.slowIf(k.i("and", k.i("and", k.field(Layout.fsw), k.i("xor", next, -1)), 0x3f));
      k.setField(Layout.fcw, next);
    }),
    control("fwait", undefined, ready),
    control("fnclex", undefined, (k) => {
      available(k);
      // The board sees FERR# fall: see `settles`.
      k.slowIf(k.i("and", k.field(Layout.fsw), Fsw.es));
      k.setField(Layout.fsw, k.i("and", k.field(Layout.fsw), ~(0x3f | Fsw.sf | Fsw.es | Fsw.busy)));
    }),
  ];
}

/** Comparison and control. */
export function compareKernels(): readonly Kernel[] {
  return [
    registers("fcom", 0),
    registers("fcomp", 1),
    registers("fcompp", 2),
    registers("fucom", 0),
    registers("fucomp", 1),
    registers("fucompp", 2),
    ...(["m32", "m64", "i16", "i32"] as const).flatMap((f) => [memory("fcom", f, false), memory("fcomp", f, true)]),
    flags("fcomi", false),
    flags("fcomip", true),
    flags("fucomi", false),
    flags("fucomip", true),
    ...examineKernels(),
    ...controlKernels(),
  ];
}

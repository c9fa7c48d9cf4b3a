/**
 * The x87 instructions a region does in place, by name: what each does to the stack, and the code for plain operands.
 * Whatever is not plain (infinities, NaNs, denormals, overflow, an unmasked exception) leaves the region in front of the
 * instruction. Cold code that makes hot code. Sources: those of the kernels.
 */
import { BIAS, Fsw } from "../../x87/float80/format.ts";
import type { Code, Local, Value } from "../../kernels/code.ts";
import { comparePlain, conditionBits, type Order } from "../../kernels/x87_compare.ts";
import { roundToInteger, storePlainFloat, storePlainInteger } from "../../kernels/x87_move.ts";
import { isNegative, isNormal, isZero, loadNumber, type Num, type PartedNum } from "../../kernels/x87_parts.ts";
import { difference, OPERATIONS, product, quotient, type Result, squareRoot } from "./x87_numbers.ts";
import { Guard, type X87Effect } from "./x87_state.ts";

/** The stack as the code of an instruction sees it. */
export interface X87Site {
  /** Notation. The source is the host address of the memory operand. */
  readonly k: Code;
  /** ST(n); -1: where a push goes. */
  st(n: number): PartedNum;
  /** Gives ST(n) a value. */
  put(n: number, m: Value, exp: Value, sign: Value): void;
  /** Records what was cut off (i64, zero if nothing) and C1 of a rounded result. */
  rounded(ext: Value, up: Value): void;
  /** Records PE and C1 as bits of the status word. */
  flags(bits: Local): void;
  /** C1 := 0. */
  exact(): void;
  /** Sets C0, C2, C3 and C1. */
  conditions(bits: Value, c1: Value | number): void;
  /** Sets CF and ZF by an order, clears the other arithmetic flags. */
  arithmeticFlags(order: Order): void;
  /** Puts a condition code's truth on the stack. */
  condition(cc: number): void;
  /** Control word, unless rounding is known to be to nearest. */
  readonly rounding: Local | undefined;
  /** Control word. */
  readonly control: Value;
  /** The complete status word. */
  status(): Value;
  /** Loads the control word. */
  setControl(value: Value): void;
  /** Clears the exceptions of the status word. */
  clear(): void;
  /** AX := value. */
  setAx(value: Value): void;
}

/** How an instruction is done in place. */
export interface X87Op {
  /** What it does to the stack; `rm` is the register it names. */
  effect(rm: number): X87Effect;
  /** Recorded as the last instruction. */
  readonly notes: boolean;
  /** Records arithmetic flags. */
  readonly setsFlags: boolean;
  /** Writes AX. */
  readonly writesAx: boolean;
  /** Emits it, but for moves and TOP. */
  emit(x: X87Site, rm: number): void;
}

const NOTHING: X87Effect = {
  guard: Guard.ready,
  full: [],
  plain: [],
  writes: [],
  plainResult: false,
  moves: [],
  push: false,
  frees: [],
  turn: 0,
  control: false,
};

type Emit = (x: X87Site, rm: number) => void;
type Some = Partial<X87Effect>;

function op(effect: Some | ((rm: number) => Some), emit: Emit = (x) => x.exact(), rest: Partial<X87Op> = {}): X87Op {
  const of = typeof effect === "function" ? effect : (): Some => effect;
  return { effect: (rm) => ({ ...NOTHING, ...of(rm) }), notes: true, setsFlags: false, writesAx: false, emit, ...rest };
}

const PUSH: Some = { push: true, turn: -1 };
const POP: Some = { frees: [0], turn: 1 };

type Format = "m32" | "m64" | "i16" | "i32" | "i64";

function load(format: Format): X87Op {
  return op({ ...PUSH, writes: [-1], plainResult: true }, (x) => {
    const n = loadNumber(x.k, format, x.k.src);
    x.put(-1, n.m, n.exp, n.sign);
    x.exact();
  });
}

function constant(m: bigint, exp: number, guard: number): X87Op {
  return op({ ...PUSH, guard, writes: [-1], plainResult: true }, (x) => {
    x.put(-1, x.k.cl(BigInt.asIntN(64, m)), x.k.c(exp), x.k.c(0));
    x.exact();
  });
}

function store(guard: number, pops: boolean, convert: (x: X87Site, n: Num) => Local): X87Op {
  return op({ guard, full: [0], plain: [0], ...(pops ? POP : {}) }, (x) => x.flags(convert(x, x.st(0))));
}

function stores(): [string, X87Op][] {
  const out: [string, X87Op][] = [];
  for (const pops of [false, true]) {
    const p = pops ? "p" : "";
    for (const size of [4, 8] as const) {
      const one = store(Guard.nearest, pops, (x, n) => storePlainFloat(x.k, n, size, undefined));
      out.push([`m:fst${p}_m${size * 8}`, one]);
    }
    for (const size of [2, 4, 8] as const) {
      const one = store(Guard.inexact, pops, (x, n) => storePlainInteger(x.k, n, size, x.rounding));
      out.push([`m:fist${p}_i${size * 8}`, one]);
    }
  }
  return out;
}

const MOVES: Readonly<Record<string, X87Op>> = {
  "m:fld_m32": load("m32"),
  "m:fld_m64": load("m64"),
  "m:fild_i16": load("i16"),
  "m:fild_i32": load("i32"),
  "m:fild_i64": load("i64"),
  "m:fld_m80": op({ ...PUSH, writes: [-1] }, (x) => {
    const { k } = x, se = k.let("i32", k.load("i32.load16_u", k.src, 8));
    x.put(-1, k.load("i64.load", k.src), k.i("and", se, 0x7fff), k.i("and", se, 0x8000));
    x.exact();
  }),
  "r:fld": op((rm) => ({ ...PUSH, full: [rm], moves: [[-1, rm]] })),
  "r:fld1": constant(1n << 63n, BIAS, Guard.ready),
  "r:fldz": constant(0n, 0, Guard.ready),
  "r:fldl2t": constant(0xd49a784bcd1b8afen, BIAS + 1, Guard.nearest),
  "r:fldl2e": constant(0xb8aa3b295c17f0bcn, BIAS, Guard.nearest),
  "r:fldpi": constant(0xc90fdaa22168c235n, BIAS + 1, Guard.nearest),
  "r:fldlg2": constant(0x9a209a84fbcff799n, BIAS - 2, Guard.nearest),
  "r:fldln2": constant(0xb17217f7d1cf79acn, BIAS - 1, Guard.nearest),
  ...Object.fromEntries(stores()),
  "m:fstp_m80": op({ full: [0], ...POP }, (x) => {
    x.k.store("i64.store", x.k.src, x.st(0).m);
    x.k.store("i32.store16", x.k.src, x.st(0).se, 8);
    x.exact();
  }),
  "r:fst": op((rm) => ({ full: [0], moves: [[rm, 0]] })),
  "r:fstp": op((rm) => ({ full: [0], moves: [[rm, 0]], ...POP })),
  "r:fxch": op((rm) => ({ full: [0, rm], moves: [[0, rm], [rm, 0]] })),
  "r:fchs": op({ full: [0], moves: [[0, 0]] }, (x) => {
    const n = x.st(0);
    x.put(0, n.m, n.exp, x.k.i("xor", n.sign, 0x8000));
    x.exact();
  }),
  "r:fabs": op({ full: [0], moves: [[0, 0]] }, (x) => {
    const n = x.st(0);
    x.put(0, n.m, n.exp, x.k.c(0));
    x.exact();
  }),
  "r:frndint": op({ guard: Guard.inexact, full: [0], plain: [0], writes: [0], plainResult: true }, (x) => {
    const n = x.st(0), r = roundToInteger(x.k, n, x.rounding);
    x.put(0, r.m, r.exp, n.sign);
    x.flags(r.flags);
  }),
  "r:fincstp": op({ turn: 1 }),
  "r:fdecstp": op({ turn: -1 }),
  "r:ffree": op((rm) => ({ frees: [rm] })),
};

function operate(x: X87Site, name: typeof OPERATIONS[number], a: Num, b: Num): Result {
  const { k } = x;
  if (name === "mul") return product(k, a, b);
  if (name === "div") return quotient(k, a, b);
  return name === "divr" ? quotient(k, b, a) : difference(k, a, b, name);
}

function finish(x: X87Site, to: number, r: Result): void {
  x.put(to, r.m, r.exp, r.sign);
  x.rounded(r.ext, r.up);
}

const RESULT: Some = { guard: Guard.nearest, plainResult: true };

function arithmetic(): [string, X87Op][] {
  return OPERATIONS.flatMap((name): [string, X87Op][] => {
    const toSti = (pops: boolean): X87Op =>
      op(
        (rm) => ({ ...RESULT, full: [0, rm], plain: [0, rm], writes: [rm], ...(pops ? POP : {}) }),
        (x, rm) => finish(x, rm, operate(x, name, x.st(rm), x.st(0))),
      );
    const memory = (format: "m32" | "m64" | "i16" | "i32"): X87Op =>
      op(
        { ...RESULT, full: [0], plain: [0], writes: [0] },
        (x) => finish(x, 0, operate(x, name, x.st(0), loadNumber(x.k, format, x.k.src))),
      );
    return [
      [
        `r:f${name}`,
        op(
          (rm) => ({ ...RESULT, full: [0, rm], plain: [0, rm], writes: [0] }),
          (x, rm) => finish(x, 0, operate(x, name, x.st(0), x.st(rm))),
        ),
      ],
      [`r:f${name}_st`, toSti(false)],
      [`r:f${name}p`, toSti(true)],
      ...(["m32", "m64", "i16", "i32"] as const).map((f): [string, X87Op] => [`m:f${name}_${f}`, memory(f)]),
    ];
  });
}

function comparison(pops: 0 | 1 | 2, of: (x: X87Site, rm: number) => Num, second: (rm: number) => number[]): X87Op {
  const frees = pops === 2 ? [0, 1] : pops === 1 ? [0] : [];
  return op(
    (rm) => ({ full: [0, ...second(rm)], plain: [0, ...second(rm)], frees, turn: pops }),
    (x, rm) => x.conditions(conditionBits(x.k, comparePlain(x.k, x.st(0), of(x, rm))), 0),
  );
}

function comparisons(): [string, X87Op][] {
  const out: [string, X87Op][] = [];
  for (const name of ["fcom", "fucom"]) {
    out.push([`r:${name}`, comparison(0, (x, rm) => x.st(rm), (rm) => [rm])]);
    out.push([`r:${name}p`, comparison(1, (x, rm) => x.st(rm), (rm) => [rm])]);
    out.push([`r:${name}pp`, comparison(2, (x) => x.st(1), () => [1])]);
    for (const pops of [false, true]) {
      const effect = (rm: number): Some => ({ full: [0, rm], plain: [0, rm], ...(pops ? POP : {}) });
      const emit = (x: X87Site, rm: number): void => {
        x.arithmeticFlags(comparePlain(x.k, x.st(0), x.st(rm)));
        x.exact();
      };
      out.push([`r:${name}i${pops ? "p" : ""}`, op(effect, emit, { setsFlags: true })]);
    }
  }
  for (const format of ["m32", "m64", "i16", "i32"] as const) {
    for (const pops of [0, 1] as const) {
      const one = comparison(pops, (x) => loadNumber(x.k, format, x.k.src), () => []);
      out.push([`m:fcom${pops === 1 ? "p" : ""}_${format}`, one]);
    }
  }
  return out;
}

/** FCMOVcc: names and condition codes. */
const MOVES_IF = [["b", 2], ["e", 4], ["be", 6], ["u", 10], ["nb", 3], ["ne", 5], ["nbe", 7], ["nu", 11]] as const;

const REST: Readonly<Record<string, X87Op>> = {
  "r:fsqrt": op({ ...RESULT, full: [0], plain: [0], writes: [0] }, (x) => finish(x, 0, squareRoot(x.k, x.st(0)))),
  "r:ftst": op({ full: [0], plain: [0] }, (x) => {
    const { k } = x, n = x.st(0);
    const less = k.i("shl", isNegative(k, n), 8);
    x.conditions(k.select(isZero(k, n), k.c(Fsw.c3), less), 0);
  }),
  "r:fxam": op({ full: [0], plain: [0] }, (x) => {
    const { k } = x, n = x.st(0);
    x.conditions(k.select(isNormal(k, n), k.c(Fsw.c2), k.c(Fsw.c3)), isNegative(k, n));
  }),
  "r:fnstsw_ax": op({ guard: Guard.available }, (x) => x.setAx(x.status()), { notes: false, writesAx: true }),
  "m:fnstsw_m16": op(
    { guard: Guard.available },
    (x) => x.k.store("i32.store16", x.k.src, x.status()),
    { notes: false },
  ),
  "m:fnstcw": op({ guard: Guard.available }, (x) => x.k.store("i32.store16", x.k.src, x.control), { notes: false }),
  "m:fldcw": op({ control: true }, (x) => {
    const { k } = x;
    const next = k.let("i32", k.i("or", k.i("and", k.load("i32.load16_u", k.src), 0x1f3f), 0x40));
    // A flag that this unmasks is an error from now on.
    k.slowIf(k.i("and", k.i("and", x.status(), k.i("xor", next, -1)), 0x3f));
    x.setControl(next);
  }, { notes: false }),
  ...Object.fromEntries(
    MOVES_IF.map(([name, cc]): [string, X87Op] => [
      `r:fcmov${name}`,
      op((rm) => ({ full: [0, rm], plain: [0, rm], writes: [0], plainResult: true }), (x, rm) => {
        const { k } = x, a = x.st(0), b = x.st(rm), yes = k.let("i32", () => x.condition(cc));
        x.put(0, k.select(yes, b.m, a.m), k.select(yes, b.exp, a.exp), k.select(yes, b.sign, a.sign));
      }),
    ]),
  ),
  "r:fwait": op({}, () => {}, { notes: false }),
  "r:fnclex": op({}, (x) => x.clear(), { notes: false }),
};

const OPS: ReadonlyMap<string, X87Op> = new Map([
  ...Object.entries(MOVES),
  ...arithmetic(),
  ...comparisons(),
  ...Object.entries(REST),
]);

/** How an instruction is done in place, if it is; `isMem`: its r/m operand is memory. */
export function x87Op(sem: string, isMem: boolean): X87Op | undefined {
  return OPS.get((isMem ? "m:" : "r:") + sem);
}

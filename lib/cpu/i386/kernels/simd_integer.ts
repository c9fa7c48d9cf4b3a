/**
 * Integer arithmetic, comparisons, shifts, packs and shuffles of MMX and SSE2, bitwise operations of SSE, as kernels.
 *
 * An MMX register is the low half of a vector; what crosses lanes is arranged so that the low half comes out right. The
 * immediate is a parameter, so shuffles by immediate compute their byte numbers. Cold code that makes hot code.
 * Sources: SDM-2B PACKSSWB to PXOR, SDM-2A SHUFPS; WASM-2.0 4.4.3.
 */
import type { SimdName } from "../../../wasm/simd.ts";
import { Layout } from "../state.ts";
import type { Code, Local, Value } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import { bothForms, enterMmx, enterSse, memoryForm, registerForm, storeMm, xmmKernel } from "./simd_parts.ts";

type Lanes = (k: Code, a: Value, b: Value) => Value;

const op = (name: SimdName): Lanes => (k, a, b) => k.v(name, a, b);

/** Byte numbers of words or larger lanes of two vectors. */
function bytes(size: number, ...lanes: number[]): number[] {
  return lanes.flatMap((lane) => Array.from({ length: size }, (_, n) => lane * size + n));
}

/** High halves of eight 16-bit products. */
function highProduct(sign: "s" | "u"): Lanes {
  return (k, a, b) => {
    const low = k.v(`i32x4.extmul_low_i16x8_${sign}`, a, b), high = k.v(`i32x4.extmul_high_i16x8_${sign}`, a, b);
    return k.shuffle(low, high, bytes(2, 1, 3, 5, 7, 9, 11, 13, 15));
  };
}

const evenProduct: Lanes = (k, a, b) => {
  const low = (v: Value): Value => k.v("v128.and", v, k.v128(-1, 0, -1, 0));
  return k.v("i64x2.mul", low(a), low(b));
};

/** Sum of the absolute differences of eight bytes, in each half. */
const differences: Lanes = (k, a, b) => {
  const size = k.v("v128.or", k.v("i8x16.sub_sat_u", a, b), k.v("i8x16.sub_sat_u", b, a));
  const words = k.v("i32x4.extadd_pairwise_i16x8_u", k.v("i16x8.extadd_pairwise_i8x16_u", size));
  const v = k.let("v128", words);
  return k.v("v128.and", k.v("i64x2.add", v, k.v("i64x2.shr_u", v, k.c(32))), k.v128(-1, 0, -1, 0));
};

/** Operations that work lane by lane, within 64 bits. */
const LANES: Readonly<Record<string, Lanes>> = {
  paddb: op("i8x16.add"),
  paddw: op("i16x8.add"),
  paddd: op("i32x4.add"),
  paddq: op("i64x2.add"),
  psubb: op("i8x16.sub"),
  psubw: op("i16x8.sub"),
  psubd: op("i32x4.sub"),
  psubq: op("i64x2.sub"),
  paddsb: op("i8x16.add_sat_s"),
  paddsw: op("i16x8.add_sat_s"),
  paddusb: op("i8x16.add_sat_u"),
  paddusw: op("i16x8.add_sat_u"),
  psubsb: op("i8x16.sub_sat_s"),
  psubsw: op("i16x8.sub_sat_s"),
  psubusb: op("i8x16.sub_sat_u"),
  psubusw: op("i16x8.sub_sat_u"),
  pmullw: op("i16x8.mul"),
  pmulhw: highProduct("s"),
  pmulhuw: highProduct("u"),
  pmaddwd: op("i32x4.dot_i16x8_s"),
  pmuludq: evenProduct,
  pavgb: op("i8x16.avgr_u"),
  pavgw: op("i16x8.avgr_u"),
  pminub: op("i8x16.min_u"),
  pmaxub: op("i8x16.max_u"),
  pminsw: op("i16x8.min_s"),
  pmaxsw: op("i16x8.max_s"),
  psadbw: differences,
  pand: op("v128.and"),
  pandn: (k, a, b) => k.v("v128.andnot", b, a),
  por: op("v128.or"),
  pxor: op("v128.xor"),
  pcmpeqb: op("i8x16.eq"),
  pcmpeqw: op("i16x8.eq"),
  pcmpeqd: op("i32x4.eq"),
  pcmpgtb: op("i8x16.gt_s"),
  pcmpgtw: op("i16x8.gt_s"),
  pcmpgtd: op("i32x4.gt_s"),
};

const PACKS: Readonly<Record<string, Lanes>> = {
  packsswb: op("i8x16.narrow_i16x8_s"),
  packuswb: op("i8x16.narrow_i16x8_u"),
  packssdw: op("i16x8.narrow_i32x4_s"),
};

/** Interleaves the low lanes; the low half of that is what MMX makes of the low, the high half what it makes of the high lanes. */
const UNPACKS: Readonly<Record<string, number>> = { bw: 1, wd: 2, dq: 4, qdq: 8 };

function interleave(size: number, high: boolean): Lanes {
  const n = 16 / size, first = high ? n / 2 : 0;
  const lanes = Array.from({ length: n }, (_, i) => (i & 1) * n + first + (i >> 1));
  return (k, a, b) => k.shuffle(a, b, bytes(size, ...lanes));
}

/** MMX: both operands are quadwords. */
function mmxKernel(sem: string, lanes: Lanes, size: 4 | 8 = 8): Kernel[] {
  const body = (source: "v128.load32_zero" | "v128.load64_zero") => (k: Code): void => {
    enterMmx(k);
    const a = k.let("v128", k.loadV("v128.load64_zero", k.reg)), b = k.let("v128", k.loadV(source, k.src));
    storeMm(k, k.reg, lanes(k, a, b));
  };
  return [
    registerForm(sem, "mmReg", "mmRm", body("v128.load64_zero")),
    memoryForm(sem, "mmReg", size, "read", body(size === 4 ? "v128.load32_zero" : "v128.load64_zero")),
  ];
}

/** The high half of a vector as its low half. */
const upper = (k: Code, v: Value): Value => k.shuffle(v, v, bytes(8, 1, 1));

const xmmLanes = (sem: string, lanes: Lanes): Kernel[] =>
  xmmKernel(sem, (k, a, b) => lanes(k, k.let("v128", a), k.let("v128", b)));

function unpackKernels(): readonly Kernel[] {
  return Object.entries(UNPACKS).flatMap(([suffix, size]) => {
    const low = interleave(size, false);
    return [
      ...xmmLanes(`punpckl${suffix}.xmm`, low),
      ...xmmLanes(`punpckh${suffix}.xmm`, interleave(size, true)),
      ...(size === 8 ? [] : mmxKernel(`punpckl${suffix}.mmx`, low, 4)),
      ...(size === 8 ? [] : mmxKernel(`punpckh${suffix}.mmx`, (k, a, b) => upper(k, low(k, a, b)))),
    ];
  });
}

/** Bitwise and unpacking instructions of SSE under other names. */
function same(): readonly (readonly [string, Lanes])[] {
  return [
    ...["ps", "pd"].flatMap((t): [string, Lanes][] => [
      [`and${t}`, LANES.pand],
      [`andn${t}`, LANES.pandn],
      [`or${t}`, LANES.por],
      [`xor${t}`, LANES.pxor],
      [`unpckl${t}`, interleave(t === "ps" ? 4 : 8, false)],
      [`unpckh${t}`, interleave(t === "ps" ? 4 : 8, true)],
    ]),
  ];
}

/** A shift of all lanes; a count past the lane gives zero or copies of the sign. */
interface Shift {
  readonly name: string;
  readonly op: SimdName;
  readonly bits: number;
  readonly signed: boolean;
}

const SHIFTS: readonly Shift[] = [
  { name: "psllw", op: "i16x8.shl", bits: 16, signed: false },
  { name: "pslld", op: "i32x4.shl", bits: 32, signed: false },
  { name: "psllq", op: "i64x2.shl", bits: 64, signed: false },
  { name: "psrlw", op: "i16x8.shr_u", bits: 16, signed: false },
  { name: "psrld", op: "i32x4.shr_u", bits: 32, signed: false },
  { name: "psrlq", op: "i64x2.shr_u", bits: 64, signed: false },
  { name: "psraw", op: "i16x8.shr_s", bits: 16, signed: true },
  { name: "psrad", op: "i32x4.shr_s", bits: 32, signed: true },
];

/** `count` is an i64 local. */
function shifted(k: Code, s: Shift, v: Value, count: Local): Value {
  const over = k.l("gt_u", count, s.bits - 1);
  if (s.signed) return k.v(s.op, v, k.select(over, k.c(s.bits - 1), k.i("wrap_i64", count)));
  return k.select(over, k.v128(0, 0, 0, 0), k.v(s.op, v, k.i("wrap_i64", count)));
}

function shiftKernels(s: Shift): Kernel[] {
  const xmm = (k: Code, count: Value): void => {
    enterSse(k);
    const n = k.let("i64", count);
    k.storeV(k.reg, shifted(k, s, k.loadV("v128.load", k.reg), n));
  };
  const mmx = (k: Code, count: Value): void => {
    enterMmx(k);
    const n = k.let("i64", count);
    storeMm(k, k.reg, shifted(k, s, k.loadV("v128.load64_zero", k.reg), n));
  };
  const loaded = (k: Code): Value => k.load("i64.load", k.src);
  const immediate = (k: Code): Value => k.l("extend_i32_u", k.imm);
  return [
    ...bothForms(`${s.name}.xmm`, "xmmReg", "xmmRm", 16, "read", (k) => xmm(k, loaded(k)), 16),
    ...bothForms(`${s.name}.mmx`, "mmReg", "mmRm", 8, "read", (k) => mmx(k, loaded(k))),
    registerForm(`${s.name}i.xmm`, "xmmRm", "none", (k) => xmm(k, immediate(k))),
    registerForm(`${s.name}i.mmx`, "mmRm", "none", (k) => mmx(k, immediate(k))),
  ];
}

/** Shifts by bytes: a byte number beyond the register gives zero. */
function byteShift(sem: string, left: boolean): Kernel {
  return registerForm(sem, "xmmRm", "none", (k) => {
    enterSse(k);
    const count = k.v("i8x16.splat", k.select(k.i("gt_u", k.imm, 16), k.c(16), k.imm));
    const numbers = k.v128(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c);
    const from = k.v(left ? "i8x16.sub" : "i8x16.add", numbers, count);
    k.storeV(k.reg, k.v("i8x16.swizzle", k.loadV("v128.load", k.reg), from));
  });
}

/** Byte numbers of four dwords chosen by the immediate, two bits each. */
function dwordNumbers(k: Code): Value {
  const placed = k.v("i32x4.mul", k.v("i32x4.splat", k.imm), k.v128(64, 16, 4, 1));
  const chosen = k.v("v128.and", k.v("i32x4.shr_u", placed, k.c(6)), k.v128(3, 3, 3, 3));
  const four = 0x04040404, base = 0x03020100;
  return k.v("i32x4.add", k.v("i32x4.mul", chosen, k.v128(four, four, four, four)), k.v128(base, base, base, base));
}

/** Byte numbers of the words of one half chosen by the immediate, the other half as it is. */
function wordNumbers(k: Code, half: "low" | "high"): Value {
  const factors = [64 | (16 << 16), 4 | (1 << 16)], three = 0x00030003, two = 0x02020202 & 0xffff;
  const m = k.v("i16x8.mul", k.v("i16x8.splat", k.imm), k.v128(...factors, ...factors));
  const chosen = k.v("v128.and", k.v("i16x8.shr_u", m, k.c(6)), k.v128(three, three, three, three));
  const scale = two | (two << 16), base = (half === "low" ? 0x0100 : 0x0908) * 0x10001;
  const bytesOf = k.v(
    "i16x8.add",
    k.v("i16x8.mul", chosen, k.v128(scale, scale, scale, scale)),
    k.v128(base, base, base, base),
  );
  const same = k.v128(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c);
  return half === "low" ? k.shuffle(bytesOf, same, bytes(8, 0, 3)) : k.shuffle(same, bytesOf, bytes(8, 0, 3));
}

function shuffleKernels(): readonly Kernel[] {
  return [
    ...xmmKernel("pshufd", (k, _, b) => k.v("i8x16.swizzle", b, dwordNumbers(k))),
    ...xmmKernel("pshuflw", (k, _, b) => k.v("i8x16.swizzle", b, wordNumbers(k, "low"))),
    ...xmmKernel("pshufhw", (k, _, b) => k.v("i8x16.swizzle", b, wordNumbers(k, "high"))),
    ...xmmKernel("shufps", (k, a, b) => {
      const from = k.let("v128", dwordNumbers(k));
      return k.shuffle(k.v("i8x16.swizzle", a, from), k.v("i8x16.swizzle", b, from), bytes(8, 0, 3));
    }),
    ...bothForms("shufpd", "xmmReg", "xmmRm", 16, "read", (k) => {
      enterSse(k);
      const low = k.let("i64", k.load("i64.load", k.i("add", k.reg, k.i("shl", k.i("and", k.imm, 1), 3))));
      const high = k.load("i64.load", k.i("add", k.src, k.i("shl", k.i("and", k.imm, 2), 2)));
      k.storeV(k.reg, k.lane("i64x2.replace_lane", 1, k.v("i64x2.splat", low), high));
    }, 16),
    ...mmxKernel("pshufw.mmx", (k, _, b) => k.v("i8x16.swizzle", b, wordNumbers(k, "low"))),
  ];
}

/** Integer kernels. */
export function integerKernels(): readonly Kernel[] {
  return [
    ...Object.entries(LANES).flatMap(([name, lanes]) => [
      ...xmmLanes(`${name}.xmm`, lanes),
      ...mmxKernel(`${name}.mmx`, lanes),
    ]),
    ...Object.entries(PACKS).flatMap(([name, pack]) => [
      ...xmmLanes(`${name}.xmm`, pack),
      ...mmxKernel(`${name}.mmx`, (k, a, b) => {
        const both = k.let("v128", k.shuffle(a, b, bytes(8, 0, 2)));
        return pack(k, both, both);
      }),
    ]),
    ...unpackKernels(),
    ...same().flatMap(([sem, lanes]) => xmmLanes(sem, lanes)),
    ...SHIFTS.flatMap(shiftKernels),
    byteShift("psrldqi.xmm", false),
    byteShift("pslldqi.xmm", true),
    ...shuffleKernels(),
    registerForm("emms", "none", "none", (k) => {
      enterMmx(k);
      k.setField(Layout.ftop, 0);
      k.setField(Layout.fempty, 0xff);
    }),
  ];
}

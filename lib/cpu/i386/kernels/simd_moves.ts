/**
 * Moves of MMX, SSE and SSE2 as kernels. Cold code that makes hot code.
 * Sources: SDM-2 MOVAPS MOVUPS MOVSS MOVSD MOVLPS MOVHPS MOVQ MOVD MOVNTI MOVMSKPS PINSRW PEXTRW PMOVMSKB.
 */
import type { Code, Value } from "./code.ts";
import type { Kernel } from "./kernel.ts";
import { bothForms, enterMmx, enterSse, memoryForm, registerForm, storeMm, touchMmx } from "./simd_parts.ts";

/** Sixteen bytes from the source to the register. */
const load = (k: Code): void => {
  enterSse(k);
  k.storeV(k.reg, k.loadV("v128.load", k.src));
};

/** Sixteen bytes from the register to the source operand. */
const store = (k: Code): void => {
  enterSse(k);
  k.storeV(k.src, k.loadV("v128.load", k.reg));
};

/** The low part from the source, the rest zero. */
const loadZero = (name: "v128.load32_zero" | "v128.load64_zero") => (k: Code): void => {
  enterSse(k);
  k.storeV(k.reg, k.loadV(name, k.src));
};

/** Copies 4 or 8 bytes, the rest stays. */
function part(size: 4 | 8, to: "reg" | "src", toOffset: number = 0, fromOffset: number = 0): (k: Code) => void {
  return (k) => {
    enterSse(k);
    const target = to === "reg" ? k.reg : k.src, source = to === "reg" ? k.src : k.reg;
    if (size === 4) k.store("i32.store", target, k.load("i32.load", source, fromOffset), toOffset);
    else k.store("i64.store", target, k.load("i64.load", source, fromOffset), toOffset);
  };
}

function xmmMoves(): readonly Kernel[] {
  return [
    ...bothForms("mova.load", "xmmReg", "xmmRm", 16, "read", load, 16),
    ...bothForms("mova.store", "xmmReg", "xmmRm", 16, "write", store, 16),
    ...bothForms("movu.load", "xmmReg", "xmmRm", 16, "read", load),
    ...bothForms("movu.store", "xmmReg", "xmmRm", 16, "write", store),
    registerForm("movss.load", "xmmReg", "xmmRm", part(4, "reg")),
    memoryForm("movss.load", "xmmReg", 4, "read", loadZero("v128.load32_zero")),
    ...bothForms("movss.store", "xmmReg", "xmmRm", 4, "write", part(4, "src")),
    registerForm("movsd.load", "xmmReg", "xmmRm", part(8, "reg")),
    memoryForm("movsd.load", "xmmReg", 8, "read", loadZero("v128.load64_zero")),
    ...bothForms("movsd.store", "xmmReg", "xmmRm", 8, "write", part(8, "src")),
    ...bothForms("movq.xmm.load", "xmmReg", "xmmRm", 8, "read", loadZero("v128.load64_zero")),
    registerForm("movq.xmm.store", "xmmRm", "xmmReg", loadZero("v128.load64_zero")),
    memoryForm("movq.xmm.store", "xmmReg", 8, "write", part(8, "src")),
    memoryForm("movl.load", "xmmReg", 8, "read", part(8, "reg")),
    memoryForm("movl.store", "xmmReg", 8, "write", part(8, "src")),
    memoryForm("movh.load", "xmmReg", 8, "read", part(8, "reg", 8)),
    memoryForm("movh.store", "xmmReg", 8, "write", part(8, "src", 0, 8)),
    registerForm("movhlps", "xmmReg", "xmmRm", part(8, "reg", 0, 8)),
    registerForm("movlhps", "xmmReg", "xmmRm", part(8, "reg", 8)),
    ...bothForms("movd.xmm.load", "xmmReg", "gprRm", 4, "read", loadZero("v128.load32_zero")),
    ...bothForms("movd.xmm.store", "xmmReg", "gprRm", 4, "write", part(4, "src")),
    memoryForm("movnti", "gprReg", 4, "write", (k) => k.store("i32.store", k.src, k.load("i32.load", k.reg))),
  ];
}

/** Bits of a vector to a general register. */
function signs(sem: string, bits: (k: Code, v: Value) => Value): Kernel {
  return registerForm(sem, "gprReg", "xmmRm", (k) => {
    enterSse(k);
    k.store("i32.store", k.reg, bits(k, k.loadV("v128.load", k.src)));
  });
}

/** Address of the word that the immediate chooses. */
const word = (k: Code, base: Value, mask: 3 | 7): Value => k.i("add", base, k.i("shl", k.i("and", k.imm, mask), 1));

function bitMoves(): readonly Kernel[] {
  return [
    signs("movmskps", (k, v) => k.v("i32x4.bitmask", v)),
    signs("movmskpd", (k, v) => k.v("i64x2.bitmask", v)),
    signs("pmovmskb.xmm", (k, v) => k.v("i8x16.bitmask", v)),
    registerForm("pmovmskb.mmx", "gprReg", "mmRm", (k) => {
      enterMmx(k);
      k.store("i32.store", k.reg, k.v("i8x16.bitmask", k.loadV("v128.load64_zero", k.src)));
      touchMmx(k);
    }),
    ...bothForms("pinsrw.xmm", "xmmReg", "gprRm", 2, "read", (k) => {
      enterSse(k);
      k.store("i32.store16", word(k, k.reg, 7), k.load("i32.load16_u", k.src));
    }),
    ...bothForms("pinsrw.mmx", "mmReg", "gprRm", 2, "read", (k) => {
      enterMmx(k);
      k.store("i32.store16", word(k, k.reg, 3), k.load("i32.load16_u", k.src));
      k.store("i32.store", k.reg, 0xffff, 8);
      touchMmx(k);
    }),
    registerForm("pextrw.xmm", "gprReg", "xmmRm", (k) => {
      enterSse(k);
      k.store("i32.store", k.reg, k.load("i32.load16_u", word(k, k.src, 7)));
    }),
    registerForm("pextrw.mmx", "gprReg", "mmRm", (k) => {
      enterMmx(k);
      k.store("i32.store", k.reg, k.load("i32.load16_u", word(k, k.src, 3)));
      touchMmx(k);
    }),
  ];
}

/** To an MMX register. */
const loadMm = (name: "v128.load32_zero" | "v128.load64_zero") => (k: Code): void => {
  enterMmx(k);
  storeMm(k, k.reg, k.loadV(name, k.src));
};

function mmxMoves(): readonly Kernel[] {
  return [
    ...bothForms("movd.mmx.load", "mmReg", "gprRm", 4, "read", loadMm("v128.load32_zero")),
    ...bothForms("movd.mmx.store", "mmReg", "gprRm", 4, "write", (k) => {
      enterMmx(k);
      k.store("i32.store", k.src, k.load("i32.load", k.reg));
      touchMmx(k);
    }),
    ...bothForms("movq.mmx.load", "mmReg", "mmRm", 8, "read", loadMm("v128.load64_zero")),
    registerForm("movq.mmx.store", "mmRm", "mmReg", loadMm("v128.load64_zero")),
    memoryForm("movq.mmx.store", "mmReg", 8, "write", (k) => {
      enterMmx(k);
      k.store("i64.store", k.src, k.load("i64.load", k.reg));
      touchMmx(k);
    }),
    registerForm("movq2dq", "xmmReg", "mmRm", (k) => {
      enterSse(k);
      enterMmx(k);
      k.storeV(k.reg, k.loadV("v128.load64_zero", k.src));
      touchMmx(k);
    }),
    registerForm("movdq2q", "mmReg", "xmmRm", (k) => {
      enterSse(k);
      loadMm("v128.load64_zero")(k);
    }),
  ];
}

/** Moves. */
export function simdMoveKernels(): readonly Kernel[] {
  return [...xmmMoves(), ...bitMoves(), ...mmxMoves()];
}

/**
 * Parts of MMX and SSE kernels: may they run, how a result is stored, forms with a register or memory source. The first
 * parameter is the address of the destination register, the second that of the source, wherever it lies: so one body
 * serves both forms. Cold code that makes hot code. Sources: SDM-3A 11.1, 12.5, 13.1.
 */
import { Cr0, Cr4 } from "../../../spec/i386_regs.ts";
import { Layout } from "../state.ts";
import { Fsw } from "../x87/float80/format.ts";
import type { Code, Value } from "./code.ts";
import type { Kernel, Place } from "./kernel.ts";

/** Slow unless SSE instructions may run. */
export function enterSse(k: Code): void {
  const enabled = k.i("and", k.field(Layout.cr4), Cr4.osfxsr);
  k.slowIf(k.i("or", k.i("and", k.field(Layout.cr0), Cr0.em | Cr0.ts), k.i("xor", enabled, Cr4.osfxsr)));
}

/** Slow unless MMX instructions may run and no x87 error is pending. */
export function enterMmx(k: Code): void {
  k.slowIf(k.i("or", k.i("and", k.field(Layout.cr0), Cr0.em | Cr0.ts), k.i("and", k.field(Layout.fsw), Fsw.es)));
}

/** An MMX instruction completes: TOP becomes 0 and all registers are valid. */
export function touchMmx(k: Code): void {
  k.setField(Layout.ftop, 0);
  k.setField(Layout.fempty, 0);
}

/** Low quadword of a vector to an MMX register. */
export function storeMm(k: Code, address: Value, value: Value): void {
  k.store("i64.store", address, k.lane("i64x2.extract_lane", 0, value));
  k.store("i32.store", address, 0xffff, 8);
  touchMmx(k);
}

/** A kernel of registers. */
export function registerForm(sem: string, reg: Place, src: Place, body: (k: Code) => void): Kernel {
  return { sem, memory: undefined, reg, src, notes: false, body };
}

/** A kernel with a memory operand. */
export function memoryForm(
  sem: string,
  reg: Place,
  size: number,
  access: "read" | "write",
  body: (k: Code) => void,
  align: 1 | 16 = 1,
): Kernel {
  return { sem, memory: { size, write: access === "write", align }, reg, src: "none", notes: false, body };
}

/** The same body for both forms. */
export function bothForms(
  sem: string,
  reg: Place,
  src: Place,
  size: number,
  access: "read" | "write",
  body: (k: Code) => void,
  align: 1 | 16 = 1,
): Kernel[] {
  return [registerForm(sem, reg, src, body), memoryForm(sem, reg, size, access, body, align)];
}

/** XMM register and XMM register or aligned 16 bytes: the result goes to the first. */
export function xmmKernel(sem: string, result: (k: Code, a: Value, b: Value) => Value): Kernel[] {
  return bothForms(sem, "xmmReg", "xmmRm", 16, "read", (k) => {
    enterSse(k);
    k.storeV(k.reg, result(k, k.loadV("v128.load", k.reg), k.loadV("v128.load", k.src)));
  }, 16);
}

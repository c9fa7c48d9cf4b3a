/**
 * System kernels of flags and control registers: STI, POPF, MOV from CR0, CR2 and CR3, CLTS. Sources: SDM-2B POPF, STI, MOV.
 * Cold code that makes hot code.
 *
 * Left to TypeScript: STI at the end of a slice or while something waits, which has to be delivered one instruction later,
 * POPF that sets IF while something waits, TF, AC, and every fault.
 */
import { Cr0, Flag } from "../../../../spec/i386_regs.ts";
import { Layout } from "../../state.ts";
import type { Code } from "../code.ts";
import { GO_ON, type SystemKernel } from "./kernel.ts";
import { changeableIf, ODD_FLAGS, ownBytes, setFlags, usual } from "./parts.ts";

const ESP: number = Layout.regs + 16;

function sti(k: Code): void {
  usual(k);
  const old = k.let("i32", k.field(Layout.eflags));
  k.slowIf(k.i("eqz", changeableIf(k, k.field(Layout.cpl))));
  k.if(k.i("eqz", k.i("and", old, Flag.if)), () => {
    k.slowIf(k.i("or", k.field(Layout.due), k.i("le_s", k.field(Layout.count), 0)));
    k.setField(Layout.eflags, k.i("or", old, Flag.if));
  });
  k.c(GO_ON)();
}

function popf(k: Code): void {
  usual(k);
  const old = k.let("i32", k.field(Layout.eflags)), cpl = k.let("i32", k.field(Layout.cpl));
  const esp = k.let("i32", k.field(ESP)), at = ownBytes(k, esp, 4, false, 4);
  const value = k.let("i32", k.load("i32.load", at));
  k.slowIf(k.i("and", old, ODD_FLAGS));
  k.slowIf(k.i("and", value, Flag.tf | Flag.ac));
  k.slowIf(k.i("and", k.i("ne", k.i("and", value, Flag.if), 0), k.i("ne", k.field(Layout.due), 0)));
  const iopl = k.select(cpl, k.c(0), k.c(Flag.iopl));
  const mask = k.let("i32", k.i("or", k.i("or", k.field(Layout.freeFlags), changeableIf(k, cpl)), iopl));
  setFlags(
    k,
    k.let("i32", k.i("or", k.i("and", old, k.i("xor", mask, -1)), k.i("and", value, mask))),
  );
  k.setField(ESP, k.i("add", esp, 4));
  k.c(GO_ON)();
}

/** Kernels of this chapter. */
export const FLAG_KERNELS: readonly SystemKernel[] = [
  { sem: "sti", isMem: false, a: "none", b: "none", body: sti },
  { sem: "popf", isMem: false, serves: (d) => d.opSize === 32, a: "none", b: "none", body: popf },
  {
    ...{ sem: "movFromCr", isMem: false, a: "controlReg", b: "gprRm" },
    serves: (d) => d.reg === 0 || d.reg === 2 || d.reg === 3,
    body: (k) => {
      usual(k);
      k.slowIf(k.field(Layout.cpl));
      k.store("i32.store", k.src, k.load("i32.load", k.reg));
      k.c(GO_ON)();
    },
  },
  {
    ...{ sem: "clts", isMem: false, a: "none", b: "none" },
    body: (k) => {
      usual(k);
      k.slowIf(k.field(Layout.cpl));
      k.setField(Layout.cr0, k.i("and", k.field(Layout.cr0), ~Cr0.ts));
      k.c(GO_ON)();
    },
  },
];

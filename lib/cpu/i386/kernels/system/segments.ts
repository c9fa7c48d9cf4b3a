/**
 * System kernels that move and ask about segment registers: PUSH, POP and MOV of DS, ES, FS and GS, VERW. Sources: SDM-2B
 * MOV, POP, PUSH, VERR, SDM-3A 5.5. Cold code that makes hot code.
 *
 * Left to TypeScript: CS and SS, local and conforming segments, descriptors not yet accessed, anything that makes DS or
 * ES other than flat, and every fault.
 */
import { Flag } from "../../../../spec/i386_regs.ts";
import { ARITH_MASK } from "../../flags.ts";
import { Rights, SegReg } from "../../segment.ts";
import { Layout, Seg } from "../../state.ts";
import type { Code, Local, Value } from "../code.ts";
import { GO_ON, type SystemKernel, type SystemOperands } from "./kernel.ts";
import { descriptor, ownBytes, segmentField, setFlags, usual } from "./parts.ts";

const ESP: number = Layout.regs + 16;
/** Type and rights that a data segment must have: present, not a system segment, data, expand-up, accessed. */
const DATA_BITS = 0x9d00, DATA = 0x9100;
/** Present or not: writable data. */
const WRITABLE_BITS = 0x1a00, WRITABLE = 0x1200;

/** The operand size is 32 bits. */
function isWide(d: SystemOperands): boolean {
  return d.opSize === 32;
}

/** DS, ES, FS or GS by the row's operand. */
function isDataSegment(d: SystemOperands): boolean {
  return isWide(d) && d.row.operands[0] !== "cs" && d.row.operands[0] !== "ss";
}

/** DS, ES, FS or GS by ModRM.reg. */
function isDataSegmentReg(d: SystemOperands): boolean {
  return d.reg <= SegReg.gs && d.reg !== SegReg.cs && d.reg !== SegReg.ss;
}

/** The descriptor's DPL may be used at the current privilege and with the selector's RPL. */
function demandPrivilege(k: Code, selector: Local, high: Local): void {
  const dpl = k.let("i32", k.i("and", k.i("shr_u", high, 13), 3));
  k.slowIf(k.i("lt_u", dpl, k.i("and", selector, 3)));
  k.slowIf(k.i("lt_u", dpl, k.field(Layout.cpl)));
}

/** Loads the segment whose cache is at `cache`. Nothing else may follow that refuses. */
function loadSegment(k: Code, cache: Value, selector: Local): void {
  const put = (field: number, value: Value | number): void => k.store("i32.store", cache, value, field);
  // FS and GS; what becomes of DS or ES is part of the mode.
  const isPlain = k.i("ge_u", cache, k.at(segmentField(SegReg.fs, 0)));
  k.if(k.i("eqz", k.i("and", selector, 0xfffc)), () => {
    k.slowIf(k.i("eqz", isPlain));
    for (const field of [Seg.base, Seg.limit, Seg.access, Seg.rights, Seg.hi]) put(field, 0);
    put(Seg.lo, -1);
  }, () => {
    const { low, high } = descriptor(k, selector);
    k.slowIf(k.i("ne", k.i("and", high, DATA_BITS), DATA));
    demandPrivilege(k, selector, high);
    const base = k.i("or", k.i("shr_u", low, 16), baseHigh(k, high));
    const units = k.i("or", k.i("and", low, 0xffff), k.i("and", high, 0xf0000));
    const limit = k.let(
      "i32",
      k.select(k.i("and", high, 1 << 23), k.i("or", k.i("shl", units, 12), 0xfff), units),
    );
    const rights = k.i("or", k.i("and", k.i("shr_u", high, 8), Rights.write), Rights.usable | Rights.read);
    const odd = k.i("or", base, k.i("or", k.i("xor", limit, -1), k.i("xor", k.i("and", high, 0x200), 0x200)));
    k.slowIf(k.i("and", k.i("eqz", isPlain), k.i("ne", odd, 0)));
    put(Seg.base, base);
    put(Seg.limit, limit);
    put(Seg.access, k.i("and", high, 0x00f0ff00));
    put(Seg.rights, rights);
    put(Seg.lo, 0);
    put(Seg.hi, limit);
  }, "unlikely");
  put(Seg.selector, selector);
}

function baseHigh(k: Code, high: Local): Value {
  return k.i("or", k.i("shl", k.i("and", high, 0xff), 16), k.i("and", high, 0xff000000 | 0));
}

function pop(k: Code): void {
  usual(k);
  const esp = k.let("i32", k.field(ESP)), at = ownBytes(k, esp, 4, false, 4);
  loadSegment(k, k.reg, k.let("i32", k.load("i32.load16_u", at)));
  k.setField(ESP, k.i("add", esp, 4));
  k.c(GO_ON)();
}

function push(k: Code): void {
  usual(k);
  const esp = k.let("i32", k.i("sub", k.field(ESP), 4)), at = ownBytes(k, esp, 4, true, 4);
  k.store("i32.store", at, k.load("i32.load16_u", k.reg, Seg.selector));
  k.setField(ESP, esp);
  k.c(GO_ON)();
}

function verw(k: Code, selector: Local, arithmetic: Value): void {
  const { high } = descriptor(k, selector);
  k.slowIf(k.i("ne", k.i("and", high, WRITABLE_BITS), WRITABLE));
  demandPrivilege(k, selector, high);
  const others = k.i("and", k.field(Layout.eflags), ~ARITH_MASK);
  setFlags(k, k.let("i32", k.i("or", k.i("or", others, arithmetic), Flag.zf)));
  k.c(GO_ON)();
}

/** Kernels of this chapter. */
export const SEGMENT_KERNELS: readonly SystemKernel[] = [
  { sem: "pushSreg", isMem: false, serves: isWide, a: "segment", b: "none", body: push },
  { sem: "popSreg", isMem: false, serves: isDataSegment, a: "segment", b: "none", body: pop },
  {
    ...{ sem: "movToSreg", isMem: false, serves: isDataSegmentReg, a: "segmentReg", b: "gprRm" },
    body: (k) => {
      usual(k);
      loadSegment(k, k.reg, k.let("i32", k.load("i32.load16_u", k.src)));
      k.c(GO_ON)();
    },
  },
  {
    ...{ sem: "movFromSreg", isMem: false, a: "segmentReg", b: "gprRm" },
    serves: (d) => d.reg <= SegReg.gs && isWide(d),
    body: (k) => {
      usual(k);
      k.store("i32.store", k.src, k.load("i32.load16_u", k.reg, Seg.selector));
      k.c(GO_ON)();
    },
  },
  {
    ...{ sem: "movFromSreg", isMem: true, serves: (d) => d.reg <= SegReg.gs, a: "segmentReg", b: "none" },
    body: (k) => {
      usual(k);
      const at = ownBytes(k, k.imm, 2, true, 2);
      k.store("i32.store16", at, k.load("i32.load16_u", k.reg, Seg.selector));
      k.c(GO_ON)();
    },
  },
  {
    ...{ sem: "verw", isMem: false, a: "none", b: "gprRm" },
    body: (k, site) => {
      usual(k);
      verw(k, k.let("i32", k.load("i32.load16_u", k.src)), site.arithmetic);
    },
  },
  {
    ...{ sem: "verw", isMem: true, inCode: true, a: "none", b: "none" },
    body: (k, site) => {
      usual(k);
      k.slowIf(k.i("eqz", k.i("and", k.field(segmentField(SegReg.cs, Seg.rights)), Rights.read)));
      verw(k, k.let("i32", k.load("i32.load16_u", ownBytes(k, k.imm, 2, false, 2))), site.arithmetic);
    },
  },
];

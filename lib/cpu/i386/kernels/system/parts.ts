/**
 * What system kernels share: the mode they take, memory by the TLB, descriptors as operating systems make them (flat,
 * present, accessed), segment caches, EFLAGS. Whatever is otherwise is left to TypeScript. Sources: SDM-3A 3.4.5, 5.
 * Cold code that makes hot code.
 */
import { Flag } from "../../../../spec/i386_regs.ts";
import { ARITH_MASK, FlagsKind } from "../../flags.ts";
import { Rights } from "../../segment.ts";
import { Layout, ModeBit, Seg, SEG_BYTES } from "../../state.ts";
import { TABLE_BYTES } from "../../tlb.ts";
import type { Code, Local, Value } from "../code.ts";

/** Mode bits that must be set, and those that must be clear. */
const USUAL = ModeBit.code32 | ModeBit.stack32 | ModeBit.flatData | ModeBit.flatCode | ModeBit.protected;

/** Low dword of a flat descriptor: base 0, limit 4 GiB. */
const FLAT_LOW = 0xffff;
/** High dword of flat ring-0 segments: present, accessed, 32-bit, page-granular; and which of its bits are compared. */
const CODE = 0x00cf9900, CODE_BITS = 0xffcffdff | 0;
const DATA = 0x00cf9300, DATA_BITS = 0xffcfffff | 0;
/** Bits a segment cache keeps in `Seg.access`. */
const CACHED = 0x00f0ff00;

/** Flags with which nothing is as usual; who sets or clears AC changes how memory is accessed. */
export const ODD_FLAGS: number = Flag.tf | Flag.rf | Flag.vm | Flag.ac;

/** A descriptor in locals. */
export interface DescriptorLocals {
  /** Low dword. */
  readonly low: Local;
  /** High dword. */
  readonly high: Local;
}

/** Flat 32-bit protected mode, and nobody who watches. */
export function usual(k: Code): void {
  k.slowIf(k.i("ne", k.i("and", k.field(Layout.mode), USUAL | ModeBit.v86), USUAL));
  k.slowIf(k.i("eqz", k.field(Layout.plain)));
}

/** Field of segment cache `n`, as an offset in the state block. */
export function segmentField(n: number, field: number): number {
  return Layout.segs + n * SEG_BYTES + field;
}

function entry(k: Code, table: Value, linear: Local, offset: number): Value {
  const at = k.i("add", table, k.i("shl", k.i("shr_u", linear, 12), 2));
  return k.i("xor", k.load("i32.load", at, offset), linear);
}

/** Host address of `bytes` bytes in one page that supervisor code may read, or write. */
export function systemBytes(k: Code, address: Value, bytes: number, write: boolean = false): Local {
  const linear = k.let("i32", address);
  const host = k.let("i32", entry(k, k.field(Layout.tlbSystem), linear, write ? TABLE_BYTES : 0));
  k.slowIf(k.i("gt_u", k.i("and", host, 0x80000fff | 0), 0x1000 - bytes));
  return host;
}

/** Host address of `bytes` bytes in one page that the running code may access, aligned to `align`. */
export function ownBytes(k: Code, address: Value, bytes: number, write: boolean, align: 2 | 4): Local {
  const linear = k.let("i32", address);
  const host = k.let("i32", entry(k, k.field(write ? Layout.tlbWrite : Layout.tlbRead), linear, 0));
  k.slowIf(k.i("and", host, 0x80000000 | (align - 1)));
  if (bytes > align) inPage(k, host, bytes);
  return host;
}

/** `bytes` bytes from a host address lie in its page. */
export function inPage(k: Code, host: Local, bytes: number): void {
  k.slowIf(k.i("gt_u", k.i("and", host, 0xfff), 0x1000 - bytes));
}

/** The descriptor in the GDT that a selector names, which is not null. */
export function descriptor(k: Code, selector: Local): DescriptorLocals {
  k.slowIf(k.i("or", k.i("and", selector, 4), k.i("eqz", k.i("and", selector, 0xfff8))));
  const offset = k.i("and", selector, 0xfff8);
  k.slowIf(k.i("gt_u", k.i("add", offset, 7), k.field(Layout.gdtLimit)));
  const host = systemBytes(k, k.i("add", k.field(Layout.gdtBase), offset), 8);
  return { low: k.let("i32", k.load("i32.load", host)), high: k.let("i32", k.load("i32.load", host, 4)) };
}

/** The descriptor is that of a flat segment of privilege `dpl`: code that is not conforming, or writable data. */
export function demandFlat(k: Code, { low, high }: DescriptorLocals, is: "code" | "data", dpl: Value | number): void {
  const [bits, want] = is === "code" ? [CODE_BITS, CODE] : [DATA_BITS, DATA];
  const wanted = k.i("or", k.i("shl", typeof dpl === "number" ? k.c(dpl) : dpl, 13), want);
  k.slowIf(k.i("or", k.i("xor", low, FLAT_LOW), k.i("xor", k.i("and", high, bits), wanted)));
}

/** Fills the cache of segment `n` from a flat descriptor. */
export function setFlat(k: Code, n: number, selector: Value, high: Value, is: "code" | "data"): void {
  const put = (field: number, value: Value | number): void => k.setField(segmentField(n, field), value);
  put(Seg.selector, selector);
  put(Seg.base, 0);
  put(Seg.limit, -1);
  put(Seg.access, k.i("and", high, CACHED));
  put(Seg.lo, 0);
  put(Seg.hi, -1);
  const readable = k.i("and", k.i("shr_u", high, 9), Rights.read);
  put(
    Seg.rights,
    is === "data" ? Rights.usable | Rights.read | Rights.write : k.i("or", readable, Rights.usable),
  );
}

/** Sets EFLAGS as a whole. */
export function setFlags(k: Code, value: Local): void {
  k.setField(Layout.eflags, k.i("or", k.i("and", value, ~ARITH_MASK), 2));
  k.setField(Layout.flagsKind, FlagsKind.word);
  k.setField(Layout.flagsA, k.i("and", value, ARITH_MASK));
  k.setField(Layout.flagsB, 0);
  k.setField(Layout.flagsC, 0);
}

/** Privilege 0 or 3 from now on: tables of translations and jumps, and the mode. */
export function setPrivilege(k: Code, user: boolean): void {
  const tables = user ? 2 * TABLE_BYTES : 0, mode = k.field(Layout.mode);
  k.setField(Layout.cpl, user ? 3 : 0);
  k.setField(Layout.mode, user ? k.i("or", mode, ModeBit.user) : k.i("and", mode, ~ModeBit.user));
  k.setField(Layout.tlbRead, k.i("add", k.field(Layout.tlbSystem), tables));
  k.setField(Layout.tlbWrite, k.i("add", k.field(Layout.tlbSystem), tables + TABLE_BYTES));
  k.setField(Layout.jumpCache, k.field(user ? Layout.jumpUser : Layout.jumpSystem));
}

/** IF if the privilege `cpl` may change it, else 0. */
export function changeableIf(k: Code, cpl: Value): Value {
  const iopl = k.i("and", k.i("shr_u", k.field(Layout.eflags), 12), 3);
  return k.select(k.i("le_u", cpl, iopl), k.c(Flag.if), k.c(0));
}

/**
 * System kernels of the ways into the system and out of it: INT n, faults through a gate, IRET, SYSENTER and SYSEXIT, between
 * rings 3 and 0 or within ring 0, with flat segments. Sources: SDM-2A INT n, IRET, SDM-2B SYSENTER, SYSEXIT, SDM-3A 6.12.
 * Cold code that makes hot code.
 *
 * Left to TypeScript: every other ring, 16-bit gates and task gates, conforming segments, virtual-8086 mode, nested tasks,
 * TF, RF where the next instruction may show it, an NMI handler's return, frames that are not aligned or cross a page, and every fault.
 */
import { Flag } from "../../../../spec/i386_regs.ts";
import { ARITH_MASK } from "../../flags.ts";
import { SegReg } from "../../segment.ts";
import { Layout, Seg } from "../../state.ts";
import { TABLE_BYTES } from "../../tlb.ts";
import { FIRST_TREE, Handler, RECORD_BYTES } from "../../engines/interpreter/record.ts";
import type { Code, Local, Value } from "../code.ts";
import { LOOK_UP, type SystemKernel, type SystemSite } from "./kernel.ts";
import {
  changeableIf,
  demandFlat,
  descriptor,
  inPage,
  ODD_FLAGS,
  ownBytes,
  segmentField,
  setFlags,
  setFlat,
  setPrivilege,
  systemBytes,
  usual,
} from "./parts.ts";

const ECX: number = Layout.regs + 4, EDX: number = Layout.regs + 8, ESP: number = Layout.regs + 16;

/** Present 32-bit interrupt or trap gate; the bit of the type that says which. */
const GATE_BITS = 0x9e00, GATE = 0x8e00, TRAP = 0x100;
/** TSS of 32 bits; where it has ESP and SS of ring 0. */
const TSS32 = 0x800, RING0 = 4;
/** Flags cleared when a handler is entered. */
const ENTRY_CLEARS: number = Flag.tf | Flag.nt | Flag.vm | Flag.rf;

/** An event on its way into ring 0. */
interface Event {
  /** Number of the gate. */
  readonly vector: Value;
  /** The gate must allow the current privilege. */
  readonly isSoftware: boolean;
  /** Pushed last if it is there. */
  readonly errorCode: Value | undefined;
  /** Pushed. */
  readonly eip: Value;
  /** Added to the flags pushed. */
  readonly flags: number;
}

/** Enters the handler of an event. */
export function enterHandler(k: Code, { arithmetic }: SystemSite, event: Event): void {
  usual(k);
  const old = k.let("i32", k.field(Layout.eflags)), cpl = k.let("i32", k.field(Layout.cpl));
  k.slowIf(k.i("and", old, ODD_FLAGS));
  const at = k.let("i32", k.i("shl", event.vector, 3));
  k.slowIf(k.i("gt_u", k.i("add", at, 7), k.field(Layout.idtLimit)));
  const gate = systemBytes(k, k.i("add", k.field(Layout.idtBase), at), 8);
  const low = k.let("i32", k.load("i32.load", gate)), high = k.let("i32", k.load("i32.load", gate, 4));
  k.slowIf(k.i("ne", k.i("and", high, GATE_BITS), GATE));
  if (event.isSoftware) k.slowIf(k.i("lt_u", k.i("and", k.i("shr_u", high, 13), 3), cpl));
  const selector = k.let("i32", k.i("shr_u", low, 16)), code = descriptor(k, selector);
  demandFlat(k, code, "code", 0);

  const ss = k.let("i32", k.c(0)), ssHigh = k.let("i32", k.c(0)), top = k.let("i32", k.field(ESP));
  const inward = k.let("i32", k.i("ne", cpl, 0)), dwords = event.errorCode === undefined ? 3 : 4;
  k.if(inward, () => {
    k.slowIf(k.i("ne", cpl, 3));
    innerStack(k, top, ss, ssHigh);
  });
  k.set(top, k.i("sub", top, k.select(inward, k.c((dwords + 2) * 4), k.c(dwords * 4))));
  const host = systemBytes(k, top, (dwords + 2) * 4, true);
  k.slowIf(k.i("and", host, 3));

  const pushed: Value[] = [event.eip, k.field(segmentField(SegReg.cs, Seg.selector))];
  pushed.push(k.i("or", k.i("or", k.i("and", old, ~ARITH_MASK), arithmetic), 2 | event.flags));
  if (event.errorCode !== undefined) pushed.unshift(event.errorCode);
  pushed.forEach((value, n) => k.store("i32.store", host, value, n * 4));
  k.if(inward, () => {
    k.store("i32.store", host, k.field(ESP), dwords * 4);
    k.store("i32.store", host, k.field(segmentField(SegReg.ss, Seg.selector)), dwords * 4 + 4);
    setFlat(k, SegReg.ss, ss, ssHigh, "data");
    setPrivilege(k, false);
  });
  k.setField(ESP, top);
  setFlat(k, SegReg.cs, k.i("and", selector, 0xfffc), code.high, "code");
  const clears = k.select(k.i("and", high, TRAP), k.c(~ENTRY_CLEARS), k.c(~(ENTRY_CLEARS | Flag.if)));
  k.setField(Layout.eflags, k.i("and", old, clears));
  k.setField(Layout.eip, k.i("or", k.i("and", high, 0xffff0000 | 0), k.i("and", low, 0xffff)));
  k.c(LOOK_UP)();
}

/** ESP, SS and its descriptor of ring 0. */
function innerStack(k: Code, esp: Local, ss: Local, high: Local): void {
  const tss = (field: number): Value => k.field(segmentField(SegReg.tr, field));
  k.slowIf(k.i("eqz", k.i("and", tss(Seg.access), TSS32)));
  k.slowIf(k.i("lt_u", tss(Seg.limit), RING0 + 5));
  const host = systemBytes(k, k.i("add", tss(Seg.base), RING0), 6);
  k.set(esp, k.load("i32.load", host));
  k.set(ss, k.load("i32.load16_u", host, 4));
  k.slowIf(k.i("and", ss, 3));
  const found = descriptor(k, ss);
  demandFlat(k, found, "data", 0);
  k.set(high, found.high);
}

function iret(k: Code): void {
  usual(k);
  const old = k.let("i32", k.field(Layout.eflags)), esp = k.let("i32", k.field(ESP));
  const cpl = k.let("i32", k.field(Layout.cpl));
  k.slowIf(k.i("or", k.i("and", old, ODD_FLAGS | Flag.nt), k.i("or", k.field(Layout.nmiBlocked), k.field(Layout.due))));
  const host = ownBytes(k, esp, 12, false, 4);
  const image = k.let("i32", k.load("i32.load", host, 8));
  k.slowIf(k.i("and", image, ODD_FLAGS & ~Flag.rf));
  const selector = k.let("i32", k.load("i32.load16_u", host, 4)), rpl = k.let("i32", k.i("and", selector, 3));
  const code = descriptor(k, selector);
  demandFlat(k, code, "code", rpl);
  const iopl = k.select(cpl, k.c(0), k.c(Flag.iopl));
  const mask = k.let("i32", k.i("or", k.i("or", k.field(Layout.freeFlags), changeableIf(k, cpl)), iopl));
  const eip = k.let("i32", k.load("i32.load", host));
  k.if(k.i("and", image, Flag.rf), () => demandUnseen(k, eip, rpl));
  k.if(k.i("eq", rpl, cpl), () => k.setField(ESP, k.i("add", esp, 12)), () => {
    k.slowIf(k.i("or", cpl, k.i("xor", rpl, 3)));
    inPage(k, host, 20);
    outerStack(k, host);
    setPrivilege(k, true);
  });
  setFlat(k, SegReg.cs, selector, code.high, "code");
  setFlags(k, k.let("i32", k.i("or", k.i("and", old, k.i("xor", mask, -1)), k.i("and", image, mask))));
  k.setField(Layout.eip, eip);
  k.c(LOOK_UP)();
}

/**
 * RF, which the image of a fault has, need not be set: the instruction at `eip` is executed now, has no breakpoint, and is
 * one of those that do not show RF to anybody, a tree, with no hooks on its memory; and if it faults RF is pushed anyway.
 */
function demandUnseen(k: Code, eip: Local, rpl: Local): void {
  k.slowIf(k.i("or", k.i("le_s", k.field(Layout.count), 0), k.i("ne", k.field(Layout.plain), 1)));
  const at = k.let("i32", k.c(0));
  k.jumpEntry(eip, at, k.select(rpl, k.field(Layout.jumpUser), k.field(Layout.jumpSystem)));
  k.slowIf(k.i("ne", k.load("i32.load", at), eip));
  const record = k.let("i32", k.load("i32.load", at, 4)), handler = k.let("i32", k.load("i32.load16_u", record));
  const next = (): void => {
    k.set(record, k.i("add", record, RECORD_BYTES));
    k.set(handler, k.load("i32.load16_u", record));
  };
  k.if(k.i("or", k.i("eq", handler, Handler.counter), k.i("eq", handler, Handler.region)), next);
  k.if(k.i("eq", handler, Handler.address), next);
  k.slowIf(k.i("lt_u", handler, FIRST_TREE));
}

/** SS and ESP of ring 3, whose data segments may all stay as they are. */
function outerStack(k: Code, host: Local): void {
  const ss = k.let("i32", k.load("i32.load16_u", host, 16));
  k.slowIf(k.i("ne", k.i("and", ss, 3), 3));
  const { low, high } = descriptor(k, ss);
  demandFlat(k, { low, high }, "data", 3);
  for (const n of [SegReg.es, SegReg.ds, SegReg.fs, SegReg.gs]) {
    const access = k.field(segmentField(n, Seg.access));
    k.slowIf(k.i("and", k.i("shr_u", access, 12), k.i("ne", k.i("and", access, 0x6000), 0x6000)));
  }
  demandUserTables(k);
  setFlat(k, SegReg.ss, ss, high, "data");
  k.setField(ESP, k.load("i32.load", host, 12));
}

/** User code has run before: its tables are made. The first word of a table that is made is never zero. */
function demandUserTables(k: Code): void {
  k.slowIf(k.i("eqz", k.load("i32.load", k.field(Layout.tlbSystem), 2 * TABLE_BYTES)));
}

/** Flat segments that are not in any table; `cs` is the selector of the code segment. */
function fastSegments(k: Code, cs: Value, dpl: number): void {
  setFlat(k, SegReg.cs, k.i("or", cs, dpl), k.c(0x00cf9b00 | dpl << 13), "code");
  setFlat(k, SegReg.ss, k.i("and", k.i("or", k.i("add", cs, 8), dpl), 0xffff), k.c(0x00cf9300 | dpl << 13), "data");
  setPrivilege(k, dpl === 3);
}

function sysenter(k: Code): void {
  usual(k);
  const cs = k.let("i32", k.i("and", k.field(Layout.sysenterCs), 0xfffc)), old = k.let("i32", k.field(Layout.eflags));
  k.slowIf(k.i("or", k.i("eqz", cs), k.i("and", old, ODD_FLAGS)));
  k.setField(Layout.eflags, k.i("and", old, ~Flag.if));
  k.setField(ESP, k.field(Layout.sysenterEsp));
  k.setField(Layout.eip, k.field(Layout.sysenterEip));
  fastSegments(k, cs, 0);
  k.c(LOOK_UP)();
}

function sysexit(k: Code): void {
  usual(k);
  const cs = k.let("i32", k.i("and", k.field(Layout.sysenterCs), 0xfffc));
  k.slowIf(k.i("or", k.i("eqz", cs), k.field(Layout.cpl)));
  k.slowIf(k.i("gt_u", cs, 0xff00));
  demandUserTables(k);
  k.setField(Layout.eip, k.field(EDX));
  k.setField(ESP, k.field(ECX));
  fastSegments(k, k.let("i32", k.i("add", cs, 16)), 3);
  k.c(LOOK_UP)();
}

/** Kernels of this chapter. */
export const EVENT_KERNELS: readonly SystemKernel[] = [
  {
    ...{ sem: "int", isMem: false, looksUp: true, a: "imm", b: "length" },
    body: (k, site) => {
      const eip = k.i("add", k.field(Layout.eip), k.src);
      enterHandler(k, site, { vector: k.reg, isSoftware: true, errorCode: undefined, eip, flags: 0 });
    },
  },
  {
    ...{ sem: "fault", isMem: false, looksUp: true, a: "none", b: "none" },
    body: (k, site) => {
      const eip = k.field(Layout.eip);
      enterHandler(k, site, { vector: k.reg, isSoftware: false, errorCode: k.src, eip, flags: Flag.rf });
    },
  },
  {
    ...{ sem: "iret", isMem: false, serves: (d) => d.opSize === 32, looksUp: true, a: "none", b: "none" },
    body: iret,
  },
  { sem: "sysenter", isMem: false, looksUp: true, a: "none", b: "none", body: sysenter },
  { sem: "sysexit", isMem: false, looksUp: true, a: "none", b: "none", body: sysexit },
];

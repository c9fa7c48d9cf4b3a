/**
 * The tables that cases of the system oracle run with: real-mode vectors, GDT, LDT, IDT and task segments, with
 * descriptors of every type, good and bad. Sources: SDM-3A 3.4.5, 3.5, 6.11, 7.2. Cold.
 */
import type { Prng } from "../../../lib/base/prng.ts";
import type { Harness } from "./harness.ts";
import { FIRST_FREE, GDT_ENTRIES, LDT_ENTRIES, Place, Sel } from "./places.ts";

/** GDT entries that cases start with; the number is the index, the ring its DPL. */
export const Known = {
  code32Ring0: 8,
  code16Ring0: 9,
  code32Ring3: 10,
  code16Ring3: 11,
  dataRing3: 12,
  extraRing3: 13,
  stack32Ring0: 14,
  stack16Ring0: 15,
  stack32Ring3: 16,
  stack16Ring3: 17,
  stack32Ring1: 18,
  stack16Ring2: 19,
  expandDown: 20,
  readOnly: 21,
  short: 22,
  code32Ring1: 23,
  code16Ring2: 24,
  conforming: 25,
  executeOnly: 26,
  task16: 27,
  task32: 28,
} as const;

/** First GDT entry filled at random. */
export const FIRST_RANDOM = 29;
/** Interrupt vectors with random gates: from here to below {@linkcode LAST_RANDOM_GATE}. */
export const FIRST_RANDOM_GATE = 32, LAST_RANDOM_GATE = 160;

const WINDOWS = [Place.data, Place.extra, Place.stack];
/** Accessed already, for processors differ in when a task switch that fails marks them. */
const CODE = 0x9b, DATA = 0x92, DPL3 = 0x60;

/** A segment descriptor: low and high dword. `flags` holds G, D/B, L and AVL as its high nibble has them. */
function segment(base: number, limit: number, access: number, flags: number): [number, number] {
  return [
    (limit & 0xffff) | (base << 16),
    ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000),
  ];
}

/** A gate descriptor. */
function gate(offset: number, selector: number, access: number, count: number): [number, number] {
  return [(offset & 0xffff) | (selector << 16), (offset & 0xffff0000) | (access << 8) | count];
}

/** A selector a case may use: mostly a descriptor that is there, sometimes null or past the limit. */
export function selector(r: Prng): number {
  const rpl = r.below(2) === 0 ? r.below(4) : 0;
  switch (r.below(16)) {
    case 0:
      return rpl;
    case 1:
      return ((GDT_ENTRIES + r.below(64)) << 3) | r.below(8);
    case 2:
    case 3:
    case 4:
    case 5:
      return (r.below(LDT_ENTRIES) << 3) | 4 | rpl;
    case 6:
    case 7:
    case 8:
      return ((FIRST_FREE + r.below(FIRST_RANDOM - FIRST_FREE)) << 3) | rpl;
    default:
      return ((FIRST_FREE + r.below(GDT_ENTRIES - FIRST_FREE)) << 3) | rpl;
  }
}

/** A selector of a code segment, mostly one that can be entered. */
function codeSelector(r: Prng): number {
  if (r.below(6) === 0) return selector(r);
  const index = r.pick([
    Known.code32Ring0,
    Known.code16Ring0,
    Known.code32Ring1,
    Known.code16Ring2,
    Known.conforming,
    Known.code32Ring3,
    Known.code16Ring3,
  ]);
  return (index << 3) | (r.below(3) === 0 ? r.below(4) : 0);
}

function randomDescriptor(r: Prng): [number, number] {
  const present = r.below(12) === 0 ? 0 : 0x80;
  const dpl = r.below(4) << 5;
  const kind = r.below(10);
  if (kind < 4) { // code or data of any type
    const type = 0x10 | r.below(16);
    const base = type & 8 ? Place.code : r.pick(WINDOWS);
    const limit = r.pick([0xffff, 0xffff, 0xfff, 0x7fff, 0]);
    const granular = limit === 0xffff && r.below(4) === 0;
    return segment(
      base,
      granular ? 0xf : limit,
      present | dpl | type,
      (granular ? 8 : 0) | (r.below(2) << 2) | r.below(2),
    );
  }
  if (kind < 8) { // gates
    const type = r.pick([4, 12, 12, 4, 12, 5, 6, 7, 14, 15]);
    const target = type === 5 ? r.pick([Known.task16, Known.task32, Known.task32]) << 3 : codeSelector(r);
    return gate(0x400 + r.below(0x8000), target, present | dpl | type, r.below(6));
  }
  if (kind === 8) { // task segments and LDTs
    const type = r.pick([1, 9, 2, 3, 11, 9, 1]);
    const is16 = type === 1 || type === 3;
    const base = is16 ? Place.task16 : type === 2 ? Place.ldt : Place.task32;
    return segment(base, r.pick([0x67, 0x67, 0xff, is16 ? 0x2b : 0x67, 0x2a]), present | dpl | type, r.below(2));
  }
  const any = r.below(32); // what is code runs into INT3, whatever else is wrong with it
  return segment((any & 0x18) === 0x18 ? Place.code : r.pick(WINDOWS), 0xffff, present | dpl | any, r.below(2) << 2);
}

/** Makes the tables; equal seeds make equal ones. */
export function makeTables(r: Prng, h: Harness): Uint8Array {
  const bytes = new Uint8Array(Place.tablesEnd), view = new DataView(bytes.buffer);
  const put = (at: number, [low, high]: [number, number]): void => {
    view.setUint32(at, low >>> 0, true);
    view.setUint32(at + 4, high >>> 0, true);
  };
  const gdt = (index: number, descriptor: [number, number]): void => put(Place.gdt + 8 * index, descriptor);
  for (let v = 0; v < 256; v++) view.setUint16(4 * v, h.realStubs[v], true);
  gdt(Sel.code >> 3, segment(0, 0xfffff, CODE, 12));
  gdt(Sel.data >> 3, segment(0, 0xfffff, DATA, 12));
  gdt(Sel.code16 >> 3, segment(0, 0xffff, CODE, 0));
  gdt(Sel.data16 >> 3, segment(0, 0xffff, DATA, 0));
  gdt(Sel.tss >> 3, segment(Place.tss, 0x67, 0x89, 0));
  gdt(Sel.doubleTss >> 3, segment(Place.doubleTss, 0x67, 0x89, 0));
  gdt(Sel.ldt >> 3, segment(Place.ldt, LDT_ENTRIES * 8 - 1, 0x82, 0));
  const known: readonly (readonly [number, number, number, number, number])[] = [
    [Known.code32Ring0, Place.code, 0xffff, CODE, 4],
    [Known.code16Ring0, Place.code, 0xffff, CODE, 0],
    [Known.code32Ring3, Place.code, 0xffff, CODE | DPL3, 4],
    [Known.code16Ring3, Place.code, 0xffff, CODE | DPL3, 0],
    [Known.dataRing3, Place.data, 0xffff, DATA | DPL3, 0],
    [Known.extraRing3, Place.extra, 0xffff, DATA | DPL3, 4],
    [Known.stack32Ring0, Place.stack, 0xffff, DATA, 4],
    [Known.stack16Ring0, Place.stack, 0xffff, DATA, 0],
    [Known.stack32Ring3, Place.stack, 0xffff, DATA | DPL3, 4],
    [Known.stack16Ring3, Place.stack, 0xffff, DATA | DPL3, 0],
    [Known.stack32Ring1, Place.innerStacks, 0xffff, DATA | 0x20, 4],
    [Known.stack16Ring2, Place.innerStacks, 0xffff, DATA | 0x40, 0],
    [Known.expandDown, Place.data, 0x0fff, DATA | DPL3 | 4, 0],
    [Known.readOnly, Place.data, 0xffff, 0x90 | DPL3, 0],
    [Known.short, Place.data, 0x0fff, DATA | DPL3, 0],
    [Known.code32Ring1, Place.code, 0xffff, CODE | 0x20, 4],
    [Known.code16Ring2, Place.code, 0xffff, CODE | 0x40, 0],
    [Known.conforming, Place.code, 0xffff, CODE | 4, 4],
    [Known.executeOnly, Place.code, 0xffff, 0x98 | DPL3, 4],
    [Known.task16, Place.task16, 0x2b, 0xe1, 0],
    [Known.task32, Place.task32, 0x67, 0xe9, 0],
  ];
  for (const [index, base, limit, access, flags] of known) gdt(index, segment(base, limit, access, flags));
  for (let i = FIRST_RANDOM; i < GDT_ENTRIES; i++) gdt(i, randomDescriptor(r));
  for (let i = 0; i < LDT_ENTRIES; i++) put(Place.ldt + 8 * i, randomDescriptor(r));
  for (let v = 0; v < 256; v++) {
    const is = v >= FIRST_RANDOM_GATE && v < LAST_RANDOM_GATE;
    const open = v === 3 || v === 4 || v === 5 || v >= LAST_RANDOM_GATE;
    put(Place.idt + 8 * v, is ? randomGate(r) : gate(h.stubs[v], Sel.code, open ? 0xee : 0x8e, 0));
  }
  put(Place.idt + 64, gate(0, Sel.doubleTss, 0x85, 0));
  mainTask(view);
  doubleTask(view, h.doubleFault);
  task32(r, view);
  task16(r, view);
  return bytes;
}

function randomGate(r: Prng): [number, number] {
  const access = (r.below(12) === 0 ? 0 : 0x80) | (r.below(3) === 0 ? r.below(4) << 5 : DPL3);
  const type = r.below(10) === 0 ? r.below(32) : r.pick([5, 6, 7, 14, 15, 14, 15]);
  const target = type === 5 ? r.pick([Known.task16, Known.task32, Known.task32]) << 3 : codeSelector(r);
  return gate(0x400 + r.below(0x8000), target, access | type, r.below(3) === 0 ? r.below(32) : 0);
}

function dwords(view: DataView, at: number, values: readonly number[]): void {
  values.forEach((v, i) => view.setUint32(at + 4 * i, v >>> 0, true));
}

function mainTask(view: DataView): void {
  dwords(view, Place.tss, [
    0,
    Place.stack0,
    Sel.data,
    0xe000,
    (Known.stack32Ring1 << 3) | 1,
    0xd000,
    (Known.stack16Ring2 << 3) | 2,
  ]);
  view.setUint32(Place.tss + 0x64, 0x680000, true);
}

function doubleTask(view: DataView, entry: number): void {
  const d = Sel.data;
  dwords(view, Place.doubleTss, [0, 0, 0, 0, 0, 0, 0, 0, entry, 2, 0, 0, 0, 0, Place.doubleStack, 0, 0, 0]);
  dwords(view, Place.doubleTss + 0x48, [d, Sel.code, d, d, d, d, Sel.ldt, 0x680000]);
}

/** Selectors of a task: CS and SS are good ones, for processors differ in how far a task without them gets. */
function taskSelectors(r: Prng): { cs: number; ss: number; data: number[] } {
  const [cs, ss] = r.pick([
    [Known.code32Ring0, Known.stack32Ring0],
    [Known.code16Ring0, Known.stack16Ring0],
    [Known.code32Ring3, Known.stack32Ring3],
    [Known.code16Ring3, Known.stack16Ring3],
    [Known.code32Ring1, Known.stack32Ring1],
    [Known.conforming, Known.stack32Ring0],
  ]);
  const ring = cs === Known.code32Ring3 || cs === Known.code16Ring3 ? 3 : cs === Known.code32Ring1 ? 1 : 0;
  const data = [0, 1, 2, 3].map(() =>
    r.below(8) === 0 ? selector(r) : r.pick([Known.dataRing3, Known.extraRing3]) << 3
  );
  return { cs: (cs << 3) | ring, ss: (ss << 3) | ring, data };
}

function task32(r: Prng, view: DataView): void {
  const { cs, ss, data } = taskSelectors(r);
  const flags = 2 | (r.u32() & 0xcd5) | (r.below(4) << 12);
  dwords(view, Place.task32, [0, Place.stack0, Sel.data, 0xe000, (Known.stack32Ring1 << 3) | 1, 0xd000]);
  dwords(view, Place.task32 + 0x20, [0x400 + r.below(0x8000), flags]);
  for (let i = 0; i < 8; i++) view.setUint32(Place.task32 + 0x28 + 4 * i, i === 4 ? 0x9000 : r.u32(), true);
  dwords(view, Place.task32 + 0x48, [data[0], cs, ss, data[1], data[2], data[3], Sel.ldt]);
  view.setUint32(Place.task32 + 0x64, 0x680000 | (r.below(8) === 0 ? 1 : 0), true);
}

function task16(r: Prng, view: DataView): void {
  const { cs, ss, data } = taskSelectors(r);
  const at = Place.task16, put = (offset: number, v: number): void => view.setUint16(at + offset, v, true);
  put(2, Place.stack0);
  put(4, Sel.data);
  put(14, 0x400 + r.below(0x8000));
  put(16, 2 | (r.u32() & 0xcd5) | (r.below(4) << 12));
  for (let i = 0; i < 8; i++) put(18 + 2 * i, i === 4 ? 0x9000 : r.u32());
  [data[0], cs, ss, data[1], Sel.ldt].forEach((v, i) => put(34 + 2 * i, v));
}

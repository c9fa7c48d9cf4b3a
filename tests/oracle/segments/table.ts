/**
 * The local descriptor table and the page protections that cases run with. The table holds what a program may ask its
 * kernel for: code and data of 16 and 32 bits, expand-down, read-only, execute-only, short, granular, odd bases, absent.
 * Source: SDM-3A 3.4.5. Cold.
 */
import type { Prng } from "../../../lib/base/prng.ts";
import { LDT_ENTRIES, Protection, Window, WINDOW_PAGES } from "./places.ts";

/** A descriptor in the terms of the kernel's call. */
export interface Entry {
  /** Base. */
  readonly base: number;
  /** Limit field, 20 bits. */
  readonly limit: number;
  /** 0: data, 1: data that expands down, 2: code, 3: conforming code (which must be absent). */
  readonly contents: number;
  /** D/B bit. */
  readonly big: boolean;
  /** Not writable, or not readable if code. */
  readonly closed: boolean;
  /** Limit in pages. */
  readonly granular: boolean;
  /** Present. */
  readonly present: boolean;
}

/** Entries that cases start with. */
export const Known = {
  code16: 0,
  code32: 1,
  flatCode: 2,
  data16: 3,
  data32: 4,
  extra: 5,
  stack16: 6,
  stack32: 7,
  flat: 8,
  down16: 9,
  down32: 10,
  readOnly: 11,
  short: 12,
  executeOnly: 13,
  absentData: 14,
  absentCode: 15,
  conforming: 16,
  stackDown16: 17,
  stackDown32: 18,
  pages: 19,
  oddStack: 20,
} as const;

const FIRST_RANDOM = 21;
/** Bits of an entry's flags dword. */
const Bit = { big: 1, closed: 8, granular: 16, absent: 32 } as const;

function entry(base: number, limit: number, contents: number, big: boolean, more: Partial<Entry> = {}): Entry {
  return { base, limit, contents, big, closed: false, granular: false, present: true, ...more };
}

function known(): Entry[] {
  const { code, data, extra, stack } = Window;
  return [
    entry(code, 0xffff, 2, false),
    entry(code, 0xffff, 2, true),
    entry(0, 0xfffff, 2, true, { granular: true }),
    entry(data, 0xffff, 0, false),
    entry(data, 0xffff, 0, true),
    entry(extra, 0xffff, 0, true),
    entry(stack, 0xffff, 0, false),
    entry(stack, 0xffff, 0, true),
    entry(0, 0xfffff, 0, true, { granular: true }),
    entry(data, 0x0fff, 1, false),
    entry(data, 0x0fff, 1, true),
    entry(data, 0xffff, 0, true, { closed: true }),
    entry(data, 0x0fff, 0, true),
    entry(code, 0xffff, 2, true, { closed: true }),
    entry(data, 0xffff, 0, true, { present: false }),
    entry(code, 0xffff, 2, true, { present: false }),
    entry(code, 0xffff, 3, true, { present: false }),
    entry(stack, 0x7fff, 1, false),
    entry(stack, 0x7fff, 1, true),
    entry(data, 3, 0, true, { granular: true }),
    entry(stack + 1, 0xfffd, 0, true),
  ];
}

function random(r: Prng): Entry {
  const contents = r.pick([0, 0, 1, 2, 2, 3]);
  const granular = r.below(4) === 0;
  const base = (contents >= 2 ? Window.code : r.pick([Window.data, Window.extra, Window.stack])) +
    (r.below(4) === 0 ? r.below(16) : 0);
  const limit = granular ? r.below(16) : r.pick([0xffff, 0xffff, 0xfff, 0x7fff, r.below(0x10000), 0]);
  return entry(base, limit, contents, r.below(2) === 0, {
    granular,
    closed: r.below(4) === 0,
    present: contents !== 3 && r.below(8) !== 0,
  });
}

/** Makes the table. */
export function makeTable(r: Prng): Entry[] {
  const entries = known();
  while (entries.length < FIRST_RANDOM) throw new Error("entries are missing");
  while (entries.length < LDT_ENTRIES) entries.push(random(r));
  return entries;
}

/** An entry as the kernel takes it: number, base, limit, flags. */
export function kernelForm(one: Entry, index: number): number[] {
  const flags = (one.big ? Bit.big : 0) | (one.contents << 1) | (one.closed ? Bit.closed : 0) |
    (one.granular ? Bit.granular : 0) | (one.present ? 0 : Bit.absent);
  return [index, one.base, one.limit, flags];
}

/** An entry as the kernel writes it into the table: accessed, privilege level 3. */
export function descriptor(one: Entry): [number, number] {
  const type = 0x11 | (one.closed ? 0 : 2) | (one.contents << 2);
  const access = type | 0x60 | (one.present ? 0x80 : 0);
  const flags = (one.granular ? 8 : 0) | (one.big ? 4 : 0);
  const high = (one.base >>> 16 & 0xff) | (access << 8) | (one.limit & 0xf0000) | (flags << 20) |
    (one.base & 0xff000000);
  return [((one.limit & 0xffff) | (one.base << 16)) >>> 0, high >>> 0];
}

/** Protection of every page: a hole, a read-only page, one that is not executable, here and there. */
export function makeProtections(r: Prng): number[] {
  return Array.from({ length: WINDOW_PAGES }, (_, page) => {
    if (page < WINDOW_PAGES / 4) {
      return page % 4 === 3 ? r.pick([Protection.none, Protection.read, Protection.write]) : Protection.all;
    }
    // The stack's middle, where ESP starts, stays whole.
    const inStack = page - 3 * WINDOW_PAGES / 4;
    if (inStack === 7 || inStack === 8) return Protection.write;
    return r.below(6) === 0 ? r.pick([Protection.none, Protection.read]) : Protection.write;
  });
}

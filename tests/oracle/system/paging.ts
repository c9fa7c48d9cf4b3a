/**
 * Page tables that cases of the system oracle run with: all memory where it is, the pages of the windows with rights
 * that are sometimes wrong, and an alias of the first megabytes behind 4 MiB. With and without PAE.
 * Sources: SDM-3A 4.3, 4.4. Cold.
 */
import type { Prng } from "../../../lib/base/prng.ts";
import { Place } from "./places.ts";

/** Page tables and what the processor is told of them. */
export interface Paging {
  /** For {@linkcode Place.paging}. */
  readonly bytes: Uint8Array;
  /** CR4 bits. */
  readonly cr4: number;
  /** IA32_EFER. */
  readonly efer: number;
}

const P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100;
const Cr4Bit = { pse: 0x10, pae: 0x20, pge: 0x80 } as const;
const NXE = 0x800;
const FIRST = Place.code >>> 12, END = Place.windowsEnd >>> 12;
/** Where instructions begin, and where stacks do: mostly whole. */
const ENTRY = Place.code >>> 12, STACK = (Place.stack >>> 12) + 8;

/** Rights of a page of the windows. */
function rights(r: Prng, page: number): number {
  const rare = page === ENTRY || page === STACK || page === STACK - 1 ? 24 : 6;
  let bits = P | W | U;
  if (r.below(rare) === 0) bits = r.pick([0, P | W, P | U, P, W | U]);
  return bits | (r.below(2) === 0 ? A : 0) | (r.below(4) === 0 ? G : 0);
}

/** Rights of the alias as a whole. */
function aliasRights(r: Prng): number {
  return A | r.pick([P | W | U, P | W | U, P | U, P | W, P, 0]);
}

/** Makes page tables; `noExecute`: the processor knows the bit. */
export function makePaging(r: Prng, noExecute: boolean): Paging {
  return r.below(2) === 0 ? wide(r, noExecute) : narrow(r, noExecute);
}

function narrow(r: Prng, noExecute: boolean): Paging {
  const bytes = new Uint8Array(Place.pagingEnd - Place.paging), view = new DataView(bytes.buffer);
  const put = (at: number, value: number): void => view.setUint32(at, value, true);
  put(0, (Place.paging + 0x2000) | P | W | U | A);
  put(4, r.below(3) === 0 ? PS | aliasRights(r) : (Place.paging + 0x2000) | aliasRights(r));
  put(8, 0x800000 | P | W | A | D | PS);
  put(12, 0xc00000 | P | W | A | D | PS);
  for (let page = 0; page < 1024; page++) {
    const inside = page >= FIRST && page < END;
    put(0x2000 + 4 * page, (page << 12) | (inside ? rights(r, page) : P | W | A | D));
  }
  return { bytes, cr4: Cr4Bit.pse | (r.below(2) === 0 ? Cr4Bit.pge : 0), efer: noExecute ? r.pick([0, NXE]) : -1 };
}

function wide(r: Prng, noExecute: boolean): Paging {
  const bytes = new Uint8Array(Place.pagingEnd - Place.paging), view = new DataView(bytes.buffer);
  const efer = noExecute ? r.pick([0, NXE, NXE]) : -1;
  const put = (at: number, value: number, high = 0): void => {
    view.setUint32(at, value, true);
    view.setUint32(at + 4, high, true);
  };
  // Execute-disable where it exists, a reserved bit now and then.
  const high = (): number =>
    (efer === NXE && r.below(6) === 0 ? 0x80000000 : 0) | (r.below(40) === 0 ? 1 << (20 + r.below(11)) : 0);
  put(0, (Place.paging + 0x1000) | P);
  const directory = 0x1000;
  put(directory, (Place.paging + 0x2000) | P | W | U | A);
  put(directory + 8, (Place.paging + 0x3000) | P | W | U | A);
  put(directory + 16, r.below(3) === 0 ? PS | aliasRights(r) : (Place.paging + 0x2000) | aliasRights(r), high());
  for (let n = 4; n < 8; n++) put(directory + 8 * n, (n << 21) | P | W | A | D | PS);
  for (let page = 0; page < 1024; page++) {
    const inside = page >= FIRST && page < END;
    const whole = page === ENTRY && r.below(4) !== 0;
    put(
      0x2000 + 8 * page,
      (page << 12) | (inside ? rights(r, page) : P | W | A | D),
      inside && !whole ? high() : 0,
    );
  }
  return { bytes, cr4: Cr4Bit.pae | (r.below(2) === 0 ? Cr4Bit.pge : 0), efer };
}

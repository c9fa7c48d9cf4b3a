/**
 * The page walk: linear to physical addresses through the guest's page tables, with accessed and dirty bits.
 *
 * Three formats: 32-bit entries with optional 4 MiB pages (CR4.PSE), PAE with 64-bit entries, 2 MiB pages and NX.
 * An upper entry gets its accessed bit as soon as it is used, even if the walk fails below it; the leaf gets accessed
 * and dirty only when the access is allowed. The result says what may be cached, so that a cached translation needs no
 * second look: writable only once the dirty bit is set.
 * Sources: SDM-3A 4.3, 4.4, 4.6, 4.7, 4.8. Warm; no allocation.
 * Not emulated: PSE-36, PAT and cache attributes (ignored), SMEP, SMAP, protection keys.
 */
import type { PhysicalWords } from "../../core/monitor.ts";
import { Cr0, Cr4, Efer, PageFault, PHYS_BITS, Pte } from "../../spec/i386_regs.ts";
import { type CpuState, Layout } from "./state.ts";

/** Physical memory as the walk sees it (A20 applied); addresses are u36, beyond RAM reads give all ones. */
export type { PhysicalWords } from "../../core/monitor.ts";

/** Reserved bits of the high dword of a PAE entry below NX. */
const PAE_HIGH_RESERVED = 0x7fffffff & ~((1 << (PHYS_BITS - 32)) - 1);

/** What a walk found. One is kept per CPU and refilled. */
export class WalkResult {
  /** Physical address of the 4 KiB piece of the page, a multiple of 4096, u36. */
  frame = 0;
  /** Error code of the page fault if the walk failed. */
  errorCode = 0;
  /** User code may read. */
  user = false;
  /** User code may write, and the dirty bit is set. */
  userWrite = false;
  /** Supervisor code may write, and the dirty bit is set. */
  systemWrite = false;
  /** Instructions may not be fetched. */
  noExecute = false;
  /** Stays in the TLB when CR3 is written. */
  global = false;
  /** The piece is part of a larger page. */
  large = false;
  /** Bits of the larger page's offset; 0: there is none. */
  largeShift = 0;
  /** The dirty bit is set. */
  dirty = false;
  /** Entries of tables that were read; 0 without paging. */
  steps = 0;
}

/**
 * Translates one linear address.
 *
 * @param write Access writes. @param user Access is at user privilege. @param fetch Access is an instruction fetch.
 * @returns False: page fault, with `out.errorCode`; the caller sets the fault's linear address.
 */
export function walk(
  mem: PhysicalWords,
  s: CpuState,
  linear: number,
  write: boolean,
  user: boolean,
  fetch: boolean,
  out: WalkResult,
): boolean {
  const cr0 = s.get(Layout.cr0);
  if ((cr0 & Cr0.pg) === 0) {
    out.frame = (linear & 0xfffff000) >>> 0;
    out.user = out.userWrite = out.systemWrite = true;
    out.noExecute = out.global = out.large = false;
    out.steps = out.largeShift = 0;
    return true;
  }
  const code = (write ? PageFault.write : 0) | (user ? PageFault.user : 0);
  return (s.get(Layout.cr4) & Cr4.pae) !== 0
    ? walkPae(mem, s, linear, write, user, fetch, code, out)
    : walk32(mem, s, linear, write, user, code, out);
}

function walk32(
  mem: PhysicalWords,
  s: CpuState,
  linear: number,
  write: boolean,
  user: boolean,
  code: number,
  out: WalkResult,
): boolean {
  const pdeAt = ((s.get(Layout.cr3) & 0xfffff000) | ((linear >>> 20) & 0xffc)) >>> 0;
  const pde = mem.read32(pdeAt);
  if ((pde & Pte.present) === 0) return fail(out, code);
  if ((pde & Pte.large) !== 0 && (s.get(Layout.cr4) & Cr4.pse) !== 0) {
    if ((pde & 0x003fe000) !== 0) return fail(out, code | PageFault.protection | PageFault.reserved);
    const frame = ((pde & 0xffc00000) | (linear & 0x003ff000)) >>> 0;
    return leaf(mem, s, pdeAt, pde, pde, frame, write, user, false, 22, code, out);
  }
  if ((pde & Pte.accessed) === 0) mem.write32(pdeAt, pde | Pte.accessed);
  const pteAt = ((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) >>> 0;
  const pte = mem.read32(pteAt);
  if ((pte & Pte.present) === 0) return fail(out, code);
  return leaf(mem, s, pteAt, pte, pde & pte, (pte & 0xfffff000) >>> 0, write, user, false, 0, code, out);
}

function walkPae(
  mem: PhysicalWords,
  s: CpuState,
  linear: number,
  write: boolean,
  user: boolean,
  fetch: boolean,
  access: number,
  out: WalkResult,
): boolean {
  const nxe = (s.get(Layout.efer) & Efer.nxe) !== 0;
  const code = nxe && fetch ? access | PageFault.fetch : access;
  const highReserved = nxe ? PAE_HIGH_RESERVED : PAE_HIGH_RESERVED | 0x80000000;
  const pointer = Layout.pdptr + ((linear >>> 30) << 3);
  const pdpte = s.get(pointer);
  if ((pdpte & Pte.present) === 0) return fail(out, code);
  const pdeAt = address(pdpte & 0xfffff000, s.get(pointer + 4)) + ((linear >>> 18) & 0xff8);
  const pde = mem.read32(pdeAt), pdeHigh = mem.read32(pdeAt + 4);
  if ((pde & Pte.present) === 0) return fail(out, code);
  if ((pdeHigh & highReserved) !== 0) return fail(out, code | PageFault.protection | PageFault.reserved);
  if ((pde & Pte.large) !== 0) {
    if ((pde & 0x001fe000) !== 0) return fail(out, code | PageFault.protection | PageFault.reserved);
    const frame = address((pde & 0xffe00000) | (linear & 0x001ff000), pdeHigh);
    return leaf(mem, s, pdeAt, pde, pde, frame, write, user, pdeHigh < 0, 21, code, out);
  }
  if ((pde & Pte.accessed) === 0) mem.write32(pdeAt, pde | Pte.accessed);
  const pteAt = address(pde & 0xfffff000, pdeHigh) + ((linear >>> 9) & 0xff8);
  const pte = mem.read32(pteAt), pteHigh = mem.read32(pteAt + 4);
  if ((pte & Pte.present) === 0) return fail(out, code);
  if ((pteHigh & highReserved) !== 0) return fail(out, code | PageFault.protection | PageFault.reserved);
  const frame = address(pte & 0xfffff000, pteHigh);
  return leaf(mem, s, pteAt, pte, pde & pte, frame, write, user, (pdeHigh | pteHigh) < 0, 0, code, out);
}

/** Rights of the whole walk, accessed and dirty bits of the leaf entry, result. `rights`: all entries ANDed. */
function leaf(
  mem: PhysicalWords,
  s: CpuState,
  at: number,
  entry: number,
  rights: number,
  frame: number,
  write: boolean,
  user: boolean,
  noExecute: boolean,
  largeShift: number,
  code: number,
  out: WalkResult,
): boolean {
  const userOk = (rights & Pte.user) !== 0;
  const writeBit = (rights & Pte.write) !== 0;
  const systemWrite = writeBit || (s.get(Layout.cr0) & Cr0.wp) === 0;
  const denied = user ? !userOk || (write && !writeBit) : write && !systemWrite;
  if (denied || (noExecute && (code & PageFault.fetch) !== 0)) return fail(out, code | PageFault.protection);
  const marked = entry | Pte.accessed | (write ? Pte.dirty : 0);
  if (marked !== entry) mem.write32(at, marked);
  const dirty = (marked & Pte.dirty) !== 0;
  out.frame = frame;
  out.user = userOk;
  out.userWrite = userOk && writeBit && dirty;
  out.systemWrite = systemWrite && dirty;
  out.noExecute = noExecute;
  out.global = (entry & Pte.global) !== 0 && (s.get(Layout.cr4) & Cr4.pge) !== 0;
  out.large = largeShift !== 0;
  out.largeShift = largeShift;
  out.steps = largeShift === 0 ? 2 : 1;
  out.dirty = dirty;
  return true;
}

function address(low: number, high: number): number {
  return (low >>> 0) + (high & ((1 << (PHYS_BITS - 32)) - 1)) * 0x1_0000_0000;
}

function fail(out: WalkResult, code: number): boolean {
  out.errorCode = code;
  return false;
}

/**
 * Loads the four PAE page-directory-pointer registers from the table at `cr3`.
 * @returns False, with nothing loaded, if a present entry has a reserved bit set: the caller raises #GP(0).
 */
export function loadPdptrs(mem: PhysicalWords, s: CpuState, cr3: number): boolean {
  const table = (cr3 & 0xffffffe0) >>> 0;
  for (let i = 0; i < 4; i++) {
    const low = mem.read32(table + i * 8);
    if ((low & 1) !== 0 && ((low & 0x1e6) !== 0 || (mem.read32(table + i * 8 + 4) & ~((1 << (PHYS_BITS - 32)) - 1)))) {
      return false;
    }
  }
  for (let i = 0; i < 8; i++) s.set(Layout.pdptr + i * 4, mem.read32(table + i * 4));
  return true;
}

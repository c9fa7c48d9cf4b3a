/**
 * Control, debug and model-specific registers of the guest, and what of them becomes real. Paging and protection, once on,
 * stay on; page tables are the business of the backend's {@linkcode GuestMmu}.
 * Sources: SDM-3A 2.5, 4.4.1; Paravirtualization API 2.0, appendix A. Warm.
 *
 * Not emulated: CR0.CD and NW (kept, without effect), clearing CR0.PE, PG (ignored).
 */
import { hex } from "../../../base/hex.ts";
import { Cr0, Cr4, CR4_FEATURES, Efer, Msr } from "../../../spec/i386_regs.ts";
import { Reached } from "./raised.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** Bits of CR0 that the guest sets for the real one too. */
const CR0_SHARED = Cr0.mp | Cr0.em | Cr0.ts | Cr0.ne | Cr0.am;
/** What is always on while the guest is de-privileged. */
const CR0_ALWAYS = Cr0.pe | Cr0.pg | Cr0.wp | Cr0.et;
const CR0_BITS = CR0_SHARED | CR0_ALWAYS | Cr0.cd | Cr0.nw;
/** DR7: general detect would trap the monitor's own changes. */
const GENERAL_DETECT = 0x2000;

/** Bits of a PAE directory pointer that must be zero. */
const POINTER_RESERVED = 0x1e6;
const POINTER_HIGH_RESERVED = ~15;

/** Reads a control register as the guest sees it; 0 for one that does not exist. */
export function getControl(cpu: VirtualCpu, n: number): number {
  const { v } = cpu;
  return n === 0 ? v.cr0 : n === 2 ? v.cr2 : n === 3 ? v.cr3 : n === 4 ? v.cr4 : 0;
}

/** Writes one. @returns False: the value is not allowed, #GP(0). @throws {Reached} */
export function setControl(cpu: VirtualCpu, n: number, value: number): boolean {
  if (n === 0) return setCr0(cpu, value);
  if (n === 2) cpu.v.cr2 = value >>> 0;
  else if (n === 3) return setCr3(cpu, value);
  else if (n === 4) return setCr4(cpu, value);
  return true;
}

/** CR0.TS becomes 0. */
export function clearTaskSwitched(cpu: VirtualCpu): void {
  if ((cpu.v.cr0 & Cr0.ts) === 0) return;
  setCr0(cpu, cpu.v.cr0 & ~Cr0.ts);
}

function setCr0(cpu: VirtualCpu, value: number): boolean {
  if ((value & Cr0.nw) !== 0 && (value & Cr0.cd) === 0) return false;
  const { v, guest } = cpu, old = v.cr0;
  v.cr0 = ((value & CR0_BITS) | Cr0.et | Cr0.pe | Cr0.pg) >>> 0;
  guest.setControl("cr0", ((v.cr0 & CR0_SHARED) | CR0_ALWAYS) >>> 0);
  if (((old ^ v.cr0) & Cr0.wp) !== 0) cpu.mmu.modeChanged();
  return true;
}

function setCr3(cpu: VirtualCpu, value: number): boolean {
  if (cpu.physical.owns((value & 0xfffff000) >>> 0, 4096)) throw new Reached(`CR3 ${hex(value >>> 0)}`);
  if ((cpu.v.cr4 & Cr4.pae) !== 0 && !loadPointers(cpu, value)) return false;
  cpu.v.cr3 = value >>> 0;
  cpu.mmu.baseLoaded();
  return true;
}

/** Loads the four PAE directory pointers from the table at `cr3`; false if one is malformed. */
export function loadPointers(cpu: VirtualCpu, cr3: number): boolean {
  const table = (cr3 & 0xffffffe0) >>> 0;
  const words = Array.from({ length: 8 }, (_, i) => cpu.physical.read32(table + 4 * i));
  for (let i = 0; i < 8; i += 2) {
    const [low = 0, high = 0] = [words[i], words[i + 1]];
    if ((low & 1) !== 0 && ((low & POINTER_RESERVED) !== 0 || (high & POINTER_HIGH_RESERVED) !== 0)) return false;
  }
  cpu.v.pointers = words;
  return true;
}

/** Loads the PAE directory pointers again, where there are any; false if one is malformed. */
export function reloadPointers(cpu: VirtualCpu): boolean {
  return (cpu.v.cr4 & Cr4.pae) === 0 || loadPointers(cpu, cpu.v.cr3);
}

/** Has the processor every feature that this value of CR4 switches on? */
export function allowsCr4(cpu: VirtualCpu, value: number): boolean {
  const features = cpu.guest.cpuid(1, 0)[3];
  let allowed = 0;
  for (const [bit, feature] of CR4_FEATURES) if ((features & feature) !== 0) allowed |= bit;
  return (value & ~allowed) === 0;
}

function setCr4(cpu: VirtualCpu, value: number): boolean {
  const { v, guest } = cpu, old = v.cr4;
  if (!allowsCr4(cpu, value)) return false;
  const changed = old ^ value;
  const reload = (value & Cr4.pae) !== 0 && (changed & (Cr4.pae | Cr4.pge | Cr4.pse)) !== 0;
  if (reload && !loadPointers(cpu, v.cr3)) return false;
  v.cr4 = value >>> 0;
  if ((changed & (Cr4.pae | Cr4.pse)) !== 0) cpu.mmu.modeChanged(); // sets the real CR4 as its tables need it
  else {
    guest.setControl("cr4", v.cr4);
    if ((changed & Cr4.pge) !== 0) cpu.mmu.flush(true);
  }
  return true;
}

/** Debug registers are the guest's; they watch linear addresses, of which the monitor has none. */
export function setDebug(cpu: VirtualCpu, n: number, value: number): void {
  const at = n === 4 ? 6 : n === 5 ? 7 : n;
  if (at === 6) cpu.guest.setControl("dr6", ((value & 0xe00f) | 0xffff0ff0) >>> 0);
  else if (at === 7) cpu.guest.setControl("dr7", ((value & 0xffff03ff & ~GENERAL_DETECT) | 0x400) >>> 0);
  else cpu.guest.setControl(`dr${at}`, value >>> 0);
}

/** Reads a debug register. */
export function getDebug(cpu: VirtualCpu, n: number): number {
  return cpu.guest.control(`dr${n === 4 ? 6 : n === 5 ? 7 : n}`);
}

/** Reads a model-specific register; `undefined`: there is none. */
export function getMsr(cpu: VirtualCpu, n: number): readonly [number, number] | undefined {
  const { v, guest } = cpu, real = guest.readMsr(n);
  if (real === undefined) return undefined;
  if (n === Msr.sysenterCs) return [v.sysenterCs, 0];
  if (n === Msr.sysenterEsp) return [v.sysenterEsp, 0];
  if (n === Msr.sysenterEip) return [v.sysenterEip, 0];
  if (n === Msr.efer) return [v.efer, 0];
  return real;
}

/** Writes one; false: there is none, or the value is refused. */
export function setMsr(cpu: VirtualCpu, n: number, low: number, high: number): boolean {
  const { v, guest } = cpu;
  if (guest.readMsr(n) === undefined) return false;
  if (n === Msr.sysenterCs) v.sysenterCs = low >>> 0;
  else if (n === Msr.sysenterEsp) v.sysenterEsp = low >>> 0;
  else if (n === Msr.sysenterEip) v.sysenterEip = low >>> 0;
  else if (n === Msr.efer) {
    if (!guest.writeMsr(n, low, high)) return false;
    const changed = v.efer ^ low;
    v.efer = low >>> 0;
    if ((changed & Efer.nxe) !== 0) cpu.mmu.modeChanged();
  } else return guest.writeMsr(n, low, high);
  return true;
}

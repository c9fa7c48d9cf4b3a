/**
 * Model-specific registers and the time-stamp counter. Sources: SDM-2B RDMSR, RDTSC, WRMSR, SDM-4. Warm.
 *
 * Not emulated: MTRR, PAT, machine checks, performance counters; CPUID claims none, and touching them is #GP(0).
 */
import { Cr4, Efer, Msr, Vector } from "../../../spec/i386_regs.ts";
import type { Context, SystemFn } from "../context.ts";
import { type CpuState, Layout } from "../state.ts";
import { checkRing0 } from "./control_registers.ts";

const EAX = 0, ECX = 1, EDX = 2;
const TWO_32 = 0x1_0000_0000;

/** Bit of CPUID leaf 0x80000001 EDX. */
const NX = 1 << 20;

function set(c: Context, low: number, high: number): void {
  c.state.setReg32(EAX, low);
  c.state.setReg32(EDX, high);
}

/** Time-stamp counter: virtual time plus what WRMSR set. */
function readTsc(c: Context): readonly [number, number] {
  const now = c.bus.now(), s = c.state;
  const low = (now % TWO_32) + (s.get(Layout.tscLow) >>> 0);
  return [low | 0, highTsc(s, now, low) | 0];
}

function highTsc(s: CpuState, now: number, low: number): number {
  return Math.floor(now / TWO_32) + s.get(Layout.tscHigh) + (low >= TWO_32 ? 1 : 0);
}

function writeTsc(c: Context, low: number, high: number): void {
  const now = c.bus.now();
  const wanted = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  const offset = BigInt.asUintN(64, wanted - BigInt(Math.floor(now)));
  c.state.set(Layout.tscLow, Number(offset & 0xffffffffn));
  c.state.set(Layout.tscHigh, Number(offset >> 32n));
  c.bus.tscWritten?.();
}

/** Registers that are plain fields of the state. */
const FIELDS: Readonly<Record<number, number>> = {
  [Msr.sysenterCs]: Layout.sysenterCs,
  [Msr.sysenterEsp]: Layout.sysenterEsp,
  [Msr.sysenterEip]: Layout.sysenterEip,
};

/** Registers of family 6 and later that say nothing: platform id 0, microcode revision 0, fast strings on. */
const FIXED: Readonly<Record<number, number>> = { 0x17: 0, 0x8b: 0, 0x1a0: 1 };
/** Microcode revision: software writes 0 before it asks. */
const MICROCODE = 0x8b;

function fixed(c: Context, n: number): number | undefined {
  return c.model.features.has("cmov") ? FIXED[n] : undefined;
}

/** Reads a register, low and high; `undefined`: this CPU has none of that number. */
export function readMsr(c: Context, n: number): readonly [number, number] | undefined {
  if (n === Msr.tsc) return readTsc(c);
  if (FIELDS[n] !== undefined && c.model.features.has("sep")) return [c.state.get(FIELDS[n]), 0];
  if (n === Msr.efer && (c.model.extendedBits & NX) !== 0) return [c.state.get(Layout.efer), 0];
  if (fixed(c, n) !== undefined) return [FIXED[n], 0];
  return c.bus.readMsr(n);
}

/** Writes a register; false: there is none, or the value is refused. */
export function writeMsr(c: Context, n: number, low: number, high: number): boolean {
  const s = c.state;
  if (n === Msr.tsc) writeTsc(c, low, high);
  else if (FIELDS[n] !== undefined && c.model.features.has("sep")) s.set(FIELDS[n], low);
  else if (n === Msr.efer && (c.model.extendedBits & NX) !== 0) {
    if ((low & ~Efer.nxe) !== 0 || high !== 0) return false;
    s.set(Layout.efer, low);
    c.flushTlb(true);
  } else if (fixed(c, n) !== undefined) return n === MICROCODE || (low === FIXED[n] && high === 0);
  else return c.bus.writeMsr(n, low, high);
  return true;
}

function rdmsr(c: Context): void {
  checkRing0(c);
  const value = readMsr(c, c.state.reg32(ECX) >>> 0);
  if (value === undefined) c.raise(Vector.gp, 0);
  else set(c, value[0], value[1]);
}

function wrmsr(c: Context): void {
  checkRing0(c);
  const s = c.state;
  if (!writeMsr(c, s.reg32(ECX) >>> 0, s.reg32(EAX), s.reg32(EDX))) c.raise(Vector.gp, 0);
}

/** Functions of this chapter. */
export const MSR: Readonly<Record<string, SystemFn>> = {
  rdmsr,
  wrmsr,
  rdtsc: (c) => {
    if ((c.state.get(Layout.cr4) & Cr4.tsd) !== 0) checkRing0(c);
    const now = c.bus.now(), s = c.state, low = now % TWO_32 + (s.get(Layout.tscLow) >>> 0);
    set(c, low | 0, highTsc(s, now, low) | 0);
  },
  rdpmc: (c) => c.raise(Vector.gp, 0),
};

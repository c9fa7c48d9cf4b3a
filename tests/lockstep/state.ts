/**
 * What two CPUs of different engines must have alike at any instruction boundary: all of the state block but the fields
 * an engine works with, the six lazy flags as flags, and the ticks. Cold.
 */
import { type AddressSpace, PageBit } from "../../lib/memory/address_space.ts";
import type { I386Cpu } from "../../lib/cpu/i386/cpu.ts";
import { readEflags } from "../../lib/cpu/i386/flags.ts";
import { Layout } from "../../lib/cpu/i386/state.ts";

/** Ranges of bytes that are compared as they are; EFLAGS come apart. */
const RANGES: readonly (readonly [from: number, to: number, name: string])[] = [
  [Layout.regs, Layout.zero, "general register"],
  [Layout.eip, Layout.flagsKind, "EIP"],
  [Layout.cpl, Layout.shadow, "privilege"],
  [Layout.halted, Layout.noDebug, "mode"],
  [Layout.segs, Layout.cr0, "segment"],
  [Layout.cr0, Layout.apicBase + 8, "control register"],
  [Layout.nmiBlocked, Layout.codeBase, "pending event"],
  [Layout.tablesPhysical, Layout.tablesPhysical + 4, "monitor"],
  [Layout.fpr, Layout.scratch, "x87 or SSE register"],
];

/**
 * What the run loop does when it steps over one instruction: it clears the shadows of the one before in front of it, and
 * records a trap behind it.
 */
const STEPS: typeof RANGES = [
  [Layout.shadow, Layout.halted, "interrupt shadow"],
  [Layout.noDebug, Layout.exit, "debug shadow"],
  [Layout.pendingDebug, Layout.nmiBlocked, "pending trap"],
];

/**
 * What differs first between two CPUs, as text; undefined: nothing. `inside`: the first one is in the middle of its run,
 * and about to execute.
 */
export function cpuDifference(a: I386Cpu, b: I386Cpu, inside: boolean): string | undefined {
  const x = a.state.i32, y = b.state.i32;
  for (const [from, to, name] of inside ? RANGES : [...RANGES, ...STEPS]) {
    for (let at = from >>> 2; at < to >>> 2; at++) {
      if (x[at] !== y[at]) return `${name} at ${hex(at * 4)} of the state: ${hex(x[at])} against ${hex(y[at])}`;
    }
  }
  const flags = [a, b].map((cpu) => readEflags(cpu.state));
  if (flags[0] !== flags[1]) return `EFLAGS: ${hex(flags[0])} against ${hex(flags[1])}`;
  return a.instructions === b.instructions ? undefined : `ticks: ${a.instructions} against ${b.instructions}`;
}

/** The first word in which two pieces of memory differ, as text; undefined: none. */
export function memoryDifference(a: Int32Array, b: Int32Array): string | undefined {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return `memory at ${hex(i * 4)}: ${hex(a[i])} against ${hex(b[i])}`;
  }
  return undefined;
}

/** The first word of RAM in which two address spaces of the same layout differ, as text; undefined: none. */
export function ramDifference(a: AddressSpace, b: AddressSpace): string | undefined {
  const x = new Int32Array(a.host.buffer), y = new Int32Array(b.host.buffer);
  for (let pfn = 0; pfn < a.pages.length; pfn++) {
    if ((a.pages[pfn] & PageBit.ram) === 0) continue;
    const from = (a.pages[pfn] & ~0xfff) >>> 2, to = (b.pages[pfn] & ~0xfff) >>> 2;
    for (let i = 0; i < 1024; i++) {
      if (x[from + i] === y[to + i]) continue;
      return `memory at ${hex(pfn * 4096 + i * 4)}: ${hex(x[from + i])} against ${hex(y[to + i])}`;
    }
  }
  return undefined;
}

function hex(n: number): string {
  return `0x${(n >>> 0).toString(16)}`;
}

/**
 * CPU lazy mode: what a guest's context switch changes is kept until the guest could tell, and then done in one batch, in
 * the order in which it was asked for. A SetCR3 that another one follows costs no flush.
 *
 * Kept are SetCR3, SetLDT, UpdateKernelStack, the effect of WriteGDTEntry (its store is made at once) and SetIOPLMask. The
 * batch is done by every other call, SetLazyMode among them, and by every event that finds the guest. A fault may come of
 * what had not been done yet; then the instruction is tried again. Bad arguments are the caller's fault at the call.
 * Source: Paravirtualization API 2.0, deferred updates; calls of Linux 2.6.21 to 2.6.36 in a context switch. Warm.
 *
 * Not emulated: deferral of CLTS and of CR0.TS, whose effect is to be at once; of SetCR3 with PAE, as its pointers are
 * read and checked by the call.
 */
import { Cr4, Vector } from "../../../spec/i386_regs.ts";
import { ParavirtLazy, type ParavirtName } from "../../../spec/paravirt_calls.ts";
import { setControl } from "./control.ts";
import { Raised } from "./raised.ts";
import { checkLocalTable, setLocalTable } from "./system_tables.ts";
import { reloadAll, tableWritten } from "./tables.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** What is kept; each has two words. */
const What = { cr3: 0, localTable: 1, kernelStack: 2, entry: 3, ports: 4 } as const;

/** More changes than this are not kept: a guest that never ends the mode takes no more of the host's memory. */
const MOST = 512;

/** Faults that may come of what was not done yet. */
const MAY_BE_STALE: readonly number[] = [Vector.ts, Vector.np, Vector.ss, Vector.gp, Vector.pf];

/** Calls that do not end the batch. */
const KEPT: ReadonlySet<ParavirtName> = new Set<ParavirtName>([
  "SetCR3",
  "SetLDT",
  "UpdateKernelStack",
  "WriteGDTEntry",
  "SetIOPLMask",
]);

/** SetCR3. @returns False: the value is not allowed. */
export function setBase(cpu: VirtualCpu, value: number): boolean {
  if ((cpu.v.cr4 & Cr4.pae) === 0) {
    keepOrDo(cpu, What.cr3, value);
    return true;
  }
  settle(cpu);
  return setControl(cpu, 3, value);
}

/** SetLDT. @throws {Raised} */
export function setLocal(cpu: VirtualCpu, selector: number): void {
  if (cpu.v.lazy !== ParavirtLazy.cpu) {
    setLocalTable(cpu, selector);
    return reloadAll(cpu, true);
  }
  checkLocalTable(cpu, selector);
  keepOrDo(cpu, What.localTable, selector);
}

/** UpdateKernelStack. */
export function setKernelStack(cpu: VirtualCpu, ss: number, esp: number): void {
  keepOrDo(cpu, What.kernelStack, ss, esp);
}

/** An entry of a descriptor table was written at a linear address. */
export function entryWritten(cpu: VirtualCpu, at: number): void {
  keepOrDo(cpu, What.entry, at);
}

/** SetIOPLMask. */
export function setPorts(cpu: VirtualCpu, level: number): void {
  keepOrDo(cpu, What.ports, level);
}

/** A call is about to be answered: does what is kept unless the call is of the same kind. */
export function settleFor(cpu: VirtualCpu, call: ParavirtName): void {
  if (!KEPT.has(call)) settle(cpu);
}

/** An exception has found the guest. @returns True: it may come of what was kept, and is to be tried again. */
export function settledFault(cpu: VirtualCpu, vector: number): boolean {
  return settle(cpu) && MAY_BE_STALE.includes(vector);
}

/** Does what is kept. @returns Whether there was anything. */
export function settle(cpu: VirtualCpu): boolean {
  const kept = cpu.v.deferred;
  if (kept.length === 0) return false;
  cpu.v.deferred = [];
  cpu.counters.count("CPU batches");
  const bases = kept.filter((_, i) => i % 3 === 0 && kept[i] === What.cr3).length;
  let seen = 0;
  for (let i = 0; i < kept.length; i += 3) {
    const [what = 0, a = 0, b = 0] = kept.slice(i, i + 3);
    if (what === What.cr3 && ++seen < bases) continue; // the last one alone flushes
    apply(cpu, what, a, b);
  }
  return true;
}

function keepOrDo(cpu: VirtualCpu, what: number, a: number, b = 0): void {
  if (cpu.v.lazy !== ParavirtLazy.cpu) return apply(cpu, what, a, b);
  if (cpu.v.deferred.length >= 3 * MOST) settle(cpu);
  cpu.counters.count("CPU updates deferred");
  cpu.v.deferred.push(what, a, b);
}

function apply(cpu: VirtualCpu, what: number, a: number, b: number): void {
  const { v } = cpu;
  if (what === What.cr3) setControl(cpu, 3, a);
  else if (what === What.localTable) loadLocal(cpu, a);
  else if (what === What.entry) tableWritten(cpu, a);
  else if (what === What.ports) v.iopl = a;
  else {
    if (a < 0x10000) v.kernelSs = a; // else a pointer to the task state, which says the same
    v.kernelEsp = b;
  }
}

/** It was good when it was asked for; if the guest has spoilt it since, there is none. */
function loadLocal(cpu: VirtualCpu, selector: number): void {
  try {
    setLocalTable(cpu, selector);
  } catch (thrown) {
    if (!(thrown instanceof Raised)) throw thrown;
    setLocalTable(cpu, 0);
  }
  reloadAll(cpu, true);
}

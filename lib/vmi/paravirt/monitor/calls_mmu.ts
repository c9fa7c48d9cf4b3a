/**
 * The calls of memory management: entries of page tables, their pages, translations, lazy modes. The store is made at once,
 * so that the guest reads what it wrote; what follows from it may wait for a batch where the guest allows that.
 * Source: Paravirtualization API 2.0, appendix A. Warm.
 */
import { hex } from "../../../base/hex.ts";
import {
  PARAVIRT_LINEAR_SLOTS,
  ParavirtFlush,
  ParavirtLazy,
  type ParavirtName,
  ParavirtUpdate,
} from "../../../spec/paravirt_calls.ts";
import type { CallAnswer } from "../backend.ts";
import type { CallFn } from "./call_fn.ts";
import { reloadPointers } from "./control.ts";
import { setBase } from "./deferral.ts";
import { drain, noteEntry } from "./queue.ts";
import { protectionFault, Reached } from "./raised.ts";
import type { VirtualCpu } from "./vcpu.ts";

const BAD: CallAnswer = { kill: "bad-argument" };

/**
 * Guest-physical address of an entry: by a mapping the guest has named, else through its page tables. If it is only to be
 * noticed, -1 where nothing is mapped. @throws {Raised} #PF @throws {Reached} A mapping leads to the monitor's memory.
 */
function entryAt(cpu: VirtualCpu, ptep: number, write: boolean): number {
  const { slots } = cpu.v;
  for (let i = 0; i < slots.length; i += 3) {
    const pages = slots[i + 1] ?? 0, offset = ptep - (slots[i] ?? 0);
    if (offset < 0 || offset >= pages * 4096) continue;
    const at = (slots[i + 2] ?? 0) * 4096 + offset;
    if (!cpu.physical.owns(at, 8)) return at;
    if (!write) return -1;
    throw new Reached(`entry at ${hex(ptep)}`);
  }
  return write ? cpu.memory.translate(ptep, true, false) : cpu.memory.peek(ptep);
}

/** The guest has written an entry itself; where nothing is mapped, it cannot have. */
function notice(cpu: VirtualCpu, ptep: number, bytes: number, flags: number): void {
  const at = entryAt(cpu, ptep, false);
  if (at >= 0) noteEntry(cpu, at, bytes, later(cpu, flags));
}

function later(cpu: VirtualCpu, flags: number): boolean {
  return (flags & ParavirtUpdate.defer) !== 0 || cpu.v.lazy === ParavirtLazy.mmu;
}

/** Is it where an entry can be? */
function aligned(at: number, bytes: number): boolean {
  return (at & (bytes - 1)) === 0;
}

/** Memory-management calls by name. */
export const MMU_CALLS: Readonly<Partial<Record<ParavirtName, CallFn>>> = {
  SetCR3: (cpu, arg) => {
    drain(cpu);
    if (!setBase(cpu, arg("value"))) throw protectionFault();
    return undefined;
  },
  SetPxE: (cpu, arg) => {
    if (!aligned(arg("ptep"), 4)) return BAD;
    const at = entryAt(cpu, arg("ptep"), true);
    cpu.mmu.writeEntry(at, arg("pte"), undefined);
    noteEntry(cpu, at, 4, later(cpu, arg("flags")));
    return undefined;
  },
  SetPxELong: (cpu, arg, call) => {
    if (!aligned(arg("ptep"), 8)) return BAD;
    const at = entryAt(cpu, arg("ptep"), true), pte = call.args["pte"] as bigint;
    cpu.mmu.writeEntry(at, Number(pte & 0xffffffffn), Number(pte >> 32n));
    noteEntry(cpu, at, 8, later(cpu, arg("flags")));
    return undefined;
  },
  UpdatePxE: (cpu, arg) => notice(cpu, arg("ptep"), 4, arg("flags")),
  UpdatePxELong: (cpu, arg) => notice(cpu, arg("ptep"), 8, arg("flags")),
  AllocatePage: (cpu, arg) => {
    drain(cpu);
    cpu.mmu.pageAllocated(arg("pfn"), arg("flags"));
    return undefined;
  },
  ReleasePage: (cpu, arg) => {
    drain(cpu);
    cpu.mmu.pageReleased(arg("pfn"));
    return undefined;
  },
  InvalPage: (cpu, arg) => {
    drain(cpu);
    cpu.mmu.invalidate(arg("address"));
    return undefined;
  },
  FlushTLB: (cpu, arg) => {
    drain(cpu);
    if (!reloadPointers(cpu)) throw protectionFault(); // changed ones take effect here, as with a load of CR3
    cpu.mmu.flush((arg("flags") & ParavirtFlush.global) !== 0);
    return undefined;
  },
  SetLinearMapping: (cpu, arg) => {
    const slot = arg("slot");
    if (slot >= PARAVIRT_LINEAR_SLOTS || (arg("address") & 0xfff) !== 0) return BAD; // entries would not be aligned
    [arg("address"), arg("pages"), arg("pfn")].forEach((value, i) => cpu.v.slots[3 * slot + i] = value);
    return undefined;
  },
  SetLazyMode: (cpu, arg) => {
    const mode = arg("mode");
    if (mode > ParavirtLazy.cpu) return BAD;
    if (mode === ParavirtLazy.none) drain(cpu);
    cpu.v.lazy = mode;
    return undefined;
  },
};

/**
 * A hardware task switch under shadow paging. The processor does it, but for the base of the page tables, which is the
 * monitor's. It cannot be left and tried again half-way: so what it is about to use is entered into the shadow tables first,
 * descriptors of the new task's segments and the top of its stack.
 * Source: SDM-3A 7.3. Warm.
 *
 * Not emulated: the page at the top of the new stack is dirty from then on, whether an error code is pushed or not.
 */
import type { TaskEntry } from "../../../core/monitor.ts";
import { PageFault } from "../../../spec/i386_regs.ts";
import { baseOf, Desc, type DescriptorWords } from "../monitor/descriptor.ts";
import { Raised } from "../monitor/raised.ts";
import { SegReg, type VirtualCpu } from "../monitor/vcpu.ts";

const LOCAL = 4;

/** Fills the shadow with what a new task needs; its base is loaded. @throws {Reached} */
export function fillForTask(cpu: VirtualCpu, task: TaskEntry): void {
  const { gdtBase } = cpu.guest.systemTables();
  const table = fillDescriptor(cpu, (gdtBase + (task.table & 0xfff8)) >>> 0);
  const localBase = table === undefined || (task.table & 0xfffc) === 0 ? undefined : baseOf(table);
  task.selectors.forEach((selector, n) => {
    const base = (selector & LOCAL) !== 0 ? localBase : gdtBase;
    if ((selector & 0xfffc) === 0 || base === undefined) return;
    const d = fillDescriptor(cpu, (base + (selector & 0xfff8)) >>> 0);
    if (n !== SegReg.ss || d === undefined) return;
    const top = (baseOf(d) + task.esp) >>> 0;
    fill(cpu, (top - 4) >>> 0, true);
    fill(cpu, (top - 1) >>> 0, true);
  });
}

/** A descriptor, which the processor can read and mark accessed afterwards; `undefined`: it is not mapped. */
function fillDescriptor(cpu: VirtualCpu, at: number): DescriptorWords | undefined {
  try {
    const low = cpu.memory.read32(at) | 0, high = cpu.memory.read32((at + 4) >>> 0) | 0;
    fill(cpu, at, false);
    fill(cpu, (at + 7) >>> 0, (high & Desc.segment) !== 0 && (high & Desc.accessed) === 0);
    return { low, high };
  } catch (thrown) {
    if (thrown instanceof Raised) return undefined;
    throw thrown;
  }
}

/** A page that the guest's tables do not allow is left for the guest to fault on. */
function fill(cpu: VirtualCpu, linear: number, write: boolean): void {
  cpu.mmu.fault(linear, 0);
  if (write) cpu.mmu.fault(linear, PageFault.write);
}

/**
 * Makes the CPUs of a machine and lets each hear of what concerns all: memory that changed what it is, writes to code,
 * hooks that came or went. Cold.
 */
import type { Cpu } from "../core/cpu.ts";
import type { CpuFactory } from "../memory/board.ts";
import { cpuBus, type MachineParts } from "./board.ts";
import type { MemoryLayout } from "./layout.ts";

/** Puts the CPUs into `parts.cpus`; `shutdown` hears of one that stopped for good. */
export function makeCpus(
  parts: MachineParts,
  factories: readonly CpuFactory[],
  layout: MemoryLayout,
  shutdown: (vector: number, errorCode: number, linear: number) => void,
): readonly Cpu[] {
  const { cpus, space, hooks, platform } = parts;
  factories.forEach((factory, index) => {
    const bus = cpuBus(parts, index, shutdown);
    const interrupts = platform?.interrupts(index);
    const [stateAt, workAt] = [layout.stateAt[index], layout.workAt[index]];
    const board = { memory: layout.memory, stateAt, workAt, space, bus, interrupts, hooks, index };
    cpus.push(factory.create(`cpu${index}`, board));
  });
  space.codeWritten = (pfn, from, to): void => cpus.forEach((c) => c.codeWritten?.(pfn, from, to));
  space.codeMarked = (pfn): void => cpus.forEach((c) => c.codeMarked?.(pfn));
  space.remapped = (): void => cpus.forEach((c) => c.remapped?.());
  hooks.changed = (): void => cpus.forEach((c) => c.hooksChanged?.());
  return cpus;
}

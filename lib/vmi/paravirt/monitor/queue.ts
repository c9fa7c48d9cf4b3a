/**
 * Updates of page tables that the guest allows to take effect later: they are kept until the guest could tell, and then
 * done in one batch. Source: Paravirtualization API 2.0, deferred updates. Warm.
 */
import type { VirtualCpu } from "./vcpu.ts";

/** More than this are not kept. */
const MOST = 512;

/** Takes note of an entry, now or, if `later`, with the next batch. */
export function noteEntry(cpu: VirtualCpu, at: number, bytes: number, later: boolean): void {
  if (!later) return cpu.mmu.entryWritten(at, bytes);
  cpu.counters.count("updates deferred");
  cpu.v.queue.push(at, bytes);
  if (cpu.v.queue.length >= 2 * MOST) drain(cpu);
}

/** Everything that was deferred takes effect. */
export function drain(cpu: VirtualCpu): void {
  const { queue } = cpu.v;
  if (queue.length === 0) return;
  cpu.counters.count("batches");
  for (let i = 0; i < queue.length; i += 2) cpu.mmu.entryWritten(queue[i] ?? 0, queue[i + 1] ?? 4);
  queue.length = 0;
}

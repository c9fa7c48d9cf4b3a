/**
 * Backend `direct`: as `shadow`, but the guest's page tables are used where they are, once they have been looked at, as
 * Xen's were. Page tables are never writable for the guest; what it changes by call is checked entry by entry. Cold.
 *
 * Not emulated: see `direct_mmu.ts` and the parts in `monitor/`.
 */
import { type MonitorBackend, monitorBackend, type MonitorOptions } from "../monitor/backend.ts";
import type { VirtualCpu } from "../monitor/vcpu.ts";
import { DirectMmu } from "./direct_mmu.ts";
import { Frames } from "./frames.ts";

/** Makes a direct backend. @throws {ConfigError} hypervisor-memory */
export function direct(options: MonitorOptions = {}): MonitorBackend {
  const cpus: VirtualCpu[] = [], mmus: DirectMmu[] = [];
  let frames: Frames | undefined;
  const makeMmu = (cpu: VirtualCpu): DirectMmu => {
    frames ??= new Frames({
      words: cpu.guest.physical,
      owns: (at, size) => cpu.physical.owns(at, size),
      a20: () => cpu.host.a20(),
      flush: () => {
        for (const one of cpus) if (one.active) one.guest.flush("all-global");
      },
      unlink: (frame) => {
        for (const mmu of mmus) mmu.unlinkFrame(frame);
      },
      counters: cpu.counters,
    });
    const mmu = new DirectMmu(cpu, frames);
    cpus.push(cpu);
    mmus.push(mmu);
    return mmu;
  };
  return monitorBackend({ name: "direct", makeMmu }, options);
}

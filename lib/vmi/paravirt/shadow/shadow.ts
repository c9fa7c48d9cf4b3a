/**
 * Backend `shadow`: a hypervisor as VMware's of 2006. The guest's kernel runs in ring 1 and executes no privileged
 * instruction unseen; its page tables take effect through shadow tables; deferred updates are done in batches; alarms are
 * those of virtual time. The hypervisor has no linear address, so the guest needs no hole in its address space. Cold.
 *
 * Not emulated: see the parts in `monitor/` and `shadow_mmu.ts`.
 */
import { type MonitorBackend, monitorBackend, type MonitorOptions } from "../monitor/backend.ts";
import { ShadowMmu } from "./shadow_mmu.ts";

/** Makes a shadow backend. @throws {ConfigError} hypervisor-memory */
export function shadow(options: MonitorOptions = {}): MonitorBackend {
  return monitorBackend({ name: "shadow", makeMmu: (cpu) => new ShadowMmu(cpu) }, options);
}

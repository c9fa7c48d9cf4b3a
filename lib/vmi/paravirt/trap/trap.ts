/**
 * Backend `trap`: no paravirtualization. The guest is told nothing and finds no ROM; while it uses paging, its kernel runs
 * in ring 1 on shadow page tables, and whatever it may not do is done for it. It shows what virtual machines cost before
 * processors helped, and why the interface this library is about was invented.
 *
 * Not emulated: confinement before the guest switches paging on and after it switches it off again; see also the parts.
 * Cold.
 */
import { type MonitorBackend, monitorBackend, type MonitorOptions } from "../monitor/backend.ts";
import { ShadowMmu } from "../shadow/shadow_mmu.ts";
import { TrapMonitor } from "./trap_monitor.ts";

/** Makes a trap-and-emulate backend. @throws {ConfigError} hypervisor-memory */
export function trap(options: Omit<MonitorOptions, "epoch" | "sysenter"> = {}): MonitorBackend {
  return monitorBackend({
    name: "trap",
    hidden: true,
    makeMmu: (cpu) => new ShadowMmu(cpu),
    makeMonitor: (cpu) => new TrapMonitor(cpu),
  }, options);
}

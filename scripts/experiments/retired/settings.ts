/**
 * The machines that are compared. Each runs the same kernel; what differs is who stands between it and the processor.
 */
import { direct, native, type ParavirtBackend, pc, type PcMachine, shadow, vmiPc } from "../../../mod.ts";

/** One of them. */
export interface Setting {
  /** Name in tables. */
  readonly name: string;
  /** What it is, for a reader. */
  readonly text: string;
  /** Makes one. */
  make(): PcMachine;
  /** How the monitor is reached: not at all, by faults of a lower ring, or by exits of VT-x. */
  readonly monitor: "none" | "ring" | "hardware";
  /** Steps of the page walk for a translation that is missing. */
  readonly walkSteps: number;
}

const MEMORY = 8 << 20;

function paravirtual(name: string, text: string, monitor: Setting["monitor"], make: () => ParavirtBackend): Setting {
  return { name, text, monitor, walkSteps: 2, make: (): PcMachine => vmiPc({ backend: make(), memory: MEMORY }) };
}

/** All of them, from the bare processor on. */
export const SETTINGS: readonly Setting[] = [
  {
    name: "bare",
    text: "no hypervisor, no ROM",
    monitor: "none",
    walkSteps: 2,
    make: (): PcMachine => pc({ memory: MEMORY }),
  },
  paravirtual("native", "the interface, answered by plain code in the ROM, kernel in ring 0", "none", () => native()),
  paravirtual("shadow", "VMI as VMware used it: kernel in ring 1, shadow page tables", "ring", () => shadow()),
  paravirtual("direct", "VMI with the guest's page tables validated and used in place", "ring", () => direct()),
];

/**
 * The machines that are compared. Each runs the same kernel; what differs is who stands between it and the processor.
 */
import {
  type CostTable,
  direct,
  type EngineName,
  hardware,
  native,
  type ParavirtBackend,
  pc,
  type PcMachine,
  shadow,
  trap,
  vmiPc,
} from "../../../mod.ts";

/** One of them. */
export interface Setting {
  /** Name in tables. */
  readonly name: string;
  /** What it is, for a reader. */
  readonly text: string;
  /** Makes one. */
  make(costs: CostTable, engine: EngineName): PcMachine;
  /** How the monitor is reached: not at all, by faults of a lower ring, or by exits of VT-x. */
  readonly monitor: "none" | "ring" | "hardware";
}

const MEMORY = 8 << 20;
/** Ticks of the timer, 100 in a virtual second, are to be far between, so that none falls into what is measured. */
const HZ = 1_000_000_000;

function virtual(
  name: string,
  text: string,
  monitor: Setting["monitor"],
  make: () => ParavirtBackend,
): Setting {
  return {
    name,
    text,
    monitor,
    make: (costs, engine): PcMachine => vmiPc({ backend: make(), memory: MEMORY, hz: HZ, costs, engine }),
  };
}

/** All of them, from the bare processor on. */
export const SETTINGS: readonly Setting[] = [
  {
    name: "bare",
    text: "no hypervisor, no ROM",
    monitor: "none",
    make: (costs, engine): PcMachine => pc({ memory: MEMORY, hz: HZ, costs, engine }),
  },
  virtual("native", "the interface, answered by plain code in the ROM, kernel in ring 0", "none", () => native()),
  virtual("shadow", "VMI as VMware used it: kernel in ring 1, shadow page tables", "ring", () => shadow()),
  virtual("direct", "VMI with the guest's page tables validated and used in place", "ring", () => direct()),
  virtual(
    "trap",
    "no interface: trap and emulate in ring 1, patched instructions, shadow page tables",
    "ring",
    () => trap(),
  ),
  virtual("vt-x", "no interface: VT-x with shadow page tables", "hardware", () => hardware({ paging: "shadow" })),
  virtual("nested", "no interface: VT-x with nested paging", "hardware", () => hardware()),
];

/**
 * The machines that are compared. Each runs the same kernel; what differs is who stands between it and the processor.
 */
import {
  direct,
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
  make(): PcMachine;
  /** How the monitor is reached: not at all, by faults of a lower ring, or by exits of VT-x. */
  readonly monitor: "none" | "ring" | "hardware";
  /** Steps of the page walk for a translation that is missing. */
  readonly walkSteps: number;
}

const MEMORY = 8 << 20;
/** Translations are counted as an engine asks for them, so one engine serves all. */
const ENGINE = "interpreter";

/** Two levels of tables. */
const STEPS = 2;
/** Each of them, and the page itself, lies at a guest-physical address that takes a walk of four levels: 3 x 5 - 1. */
const NESTED_STEPS = 14;

function virtual(
  name: string,
  text: string,
  monitor: Setting["monitor"],
  make: () => ParavirtBackend,
  walkSteps = STEPS,
): Setting {
  return {
    name,
    text,
    monitor,
    walkSteps,
    make: (): PcMachine => vmiPc({ backend: make(), memory: MEMORY, engine: ENGINE }),
  };
}

/** All of them, from the bare processor on. */
export const SETTINGS: readonly Setting[] = [
  {
    name: "bare",
    text: "no hypervisor, no ROM",
    monitor: "none",
    walkSteps: STEPS,
    make: (): PcMachine => pc({ memory: MEMORY, engine: ENGINE }),
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
  virtual("nested", "no interface: VT-x with nested paging", "hardware", () => hardware(), NESTED_STEPS),
];

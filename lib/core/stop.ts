/**
 * Why a run ended. A closed union: the compiler tells a script which case it forgot. Payloads are numbers and fixed
 * codes; nobody needs to parse text. Cold.
 */

/**
 * The reason a run ended. `eip` is the architecture's program counter of the next instruction, u32; with several CPUs
 * that of the one that ran last, `machine.current`.
 */
export type StopReason =
  /** The CPU halted and nothing can wake it: no timer armed, or interrupts are off. */
  | { readonly kind: "halt"; readonly eip: number }
  /** The instruction or virtual-time budget is used up. */
  | { readonly kind: "budget"; readonly instructions: number; readonly eip: number }
  /** The condition given as `until` came true. */
  | { readonly kind: "until"; readonly name: string; readonly eip: number }
  /** A hook asked to stop. */
  | { readonly kind: "hook"; readonly name: string; readonly eip: number }
  /** `machine.stop(name)` was called from outside, e.g. by an abort signal. */
  | { readonly kind: "stopped"; readonly name: string; readonly eip: number }
  /** A fault no handler took: triple fault, or any fault when the config asks to stop at faults. */
  | {
    readonly kind: "fault";
    readonly vector: number;
    readonly errorCode: number;
    readonly linear: number;
    readonly eip: number;
  }
  /** The guest asked the platform for a reset, and the config does not let it reboot. */
  | { readonly kind: "reset"; readonly eip: number }
  /** The guest powered the machine off. */
  | { readonly kind: "power-off"; readonly eip: number }
  /** A hypercall with bad arguments, or one a script refused, ended the guest. */
  | { readonly kind: "killed"; readonly call: string; readonly code: string; readonly eip: number }
  /** The guest touched something that vmikit does not emulate. */
  | { readonly kind: "unimplemented"; readonly what: string; readonly eip: number };

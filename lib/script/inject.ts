/**
 * Hypercalls made by a script: as if the guest had made the call at the instruction boundary where it stands. The guest's
 * registers are restored afterwards; what the call did otherwise stays. Cold.
 */
import type { ParavirtName } from "../spec/paravirt_calls.ts";
import type { ParavirtArgs, ParavirtResultOf } from "../vmi/paravirt/arguments.ts";

/** A machine with a paravirtual interface. */
export interface Injectable {
  /** Its interface. */
  readonly paravirt: {
    /** Makes a call. */
    call(name: string, args?: Readonly<Record<string, number | bigint>>): number | bigint | undefined;
  };
}

/**
 * Makes a call by name. Arguments that are left out are 0.
 *
 * @returns Its result: a bigint for 64 bits, u32, or `undefined` for a call without one.
 * @throws {ConfigError} paravirt-call, inject-argument: a name is wrong; inject-state: the call is code in the ROM and the
 * guest is not in a state to run it; inject-kill: the backend would have ended the guest.
 */
export function inject<N extends ParavirtName>(
  m: Injectable,
  name: N,
  args: Partial<ParavirtArgs<N>> = {},
): ParavirtResultOf<N> {
  return m.paravirt.call(name, args as Readonly<Record<string, number | bigint>>) as ParavirtResultOf<N>;
}

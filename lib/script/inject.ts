/**
 * Things done to a guest from outside, at the instruction boundary where it stands: hypercalls as if the guest had made
 * them (its registers are restored afterwards; what the call did otherwise stays), interrupts, NMI. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import type { Machine } from "../machine/machine.ts";
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

/** What else can be injected. */
export type Injection =
  /** An edge on interrupt line `irq` of the board. */
  | { readonly irq: number }
  /** A non-maskable interrupt. */
  | { readonly nmi: true };

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
  args?: Partial<ParavirtArgs<N>>,
): ParavirtResultOf<N>;
/**
 * Makes a rising edge on an interrupt line of the board and leaves it raised (`m.irq(n, false)` drops it), or an NMI; the
 * guest takes it when it may.
 *
 * @throws {ConfigError} no-platform: the board has no interrupt controller.
 */
export function inject(m: Machine, what: Injection): void;
/** See the overloads. */
export function inject(
  m: Injectable | Machine,
  what: string | Injection,
  args: Readonly<Record<string, number | bigint>> = {},
): number | bigint | undefined | void {
  if (typeof what === "string") {
    const paravirt = (m as Partial<Injectable>).paravirt;
    if (paravirt !== undefined) return paravirt.call(what, args);
    throw new ConfigError("no-hypervisor", `Nobody can answer ${what}: this machine has no paravirt; use vmiPc()`);
  }
  const machine = m as Machine;
  if ("nmi" in what) return machine.cpu.cpu.nmi();
  machine.irq(what.irq, false);
  machine.irq(what.irq, true);
}

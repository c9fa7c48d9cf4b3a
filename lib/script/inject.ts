/**
 * Things done to a guest from outside, at the instruction boundary where it stands: hypercalls as if the guest had made
 * them (its registers are restored afterwards; what the call did otherwise stays), interrupts, NMI, faults. Cold.
 */
import type { CpuEvent } from "../core/cpu.ts";
import { ConfigError } from "../core/errors.ts";
import { checkKeys } from "../core/keys.ts";
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

/** A machine under a hypervisor of today, with calls `N`. */
export interface HypercallInjectable<N extends string> {
  /** Its hypercalls. */
  readonly hypercalls: {
    /** Makes a call. */
    inject(name: N, args?: Readonly<Record<string, number | bigint>>): number;
  };
}

/** What else can be injected. */
export type Injection =
  /** An edge on interrupt line `irq` of the board. */
  | { readonly irq: number }
  /** A non-maskable interrupt. */
  | { readonly nmi: true }
  /** Vector 0-255 as an interrupt that no controller asked for, whether or not the guest has them enabled. */
  | { readonly interrupt: number }
  /** Vector 0-31 as if the next instruction had raised it; the address is that of a page fault (CR2). */
  | { readonly fault: number; readonly errorCode?: number; readonly linear?: number };

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
 * Makes a hypercall by name on a machine with a personality. Arguments that are left out are 0.
 *
 * @returns Its result in EAX.
 * @throws {ConfigError} hypercall-name, inject-argument, inject-kill
 */
export function inject<N extends string>(
  m: HypercallInjectable<N>,
  name: N,
  args?: Readonly<Record<string, number | bigint>>,
): number;
/**
 * Makes a rising edge on an interrupt line of the board and leaves it raised (`m.irq(n, false)` drops it), or an NMI: the
 * guest takes it when it may. Or has the first CPU enter the handler of an interrupt or a fault: at once between runs,
 * at the next instruction boundary out of a hook.
 *
 * @throws {ConfigError} no-platform: the board has no interrupt controller; inject-argument: there is no such fault or
 * interrupt; inject-state: the CPU is shut down or waits; inject-cpu: a CPU of one's own that takes no events.
 *
 * @example
 * ```ts
 * import { asm, expect, inject, tiny } from "../../mod.ts";
 *
 * const m = tiny();
 * m.load(0x7c00, asm`jmp $`);
 * m.run({ instructions: 10 });
 * inject(m, { fault: 6 }); // there is no table of handlers, so the CPU shuts down
 * expect(m.run({ instructions: 10 })).toMatchObject({ kind: "fault", vector: 6 });
 * ```
 */
export function inject(m: Machine, what: Injection): void;
/** See the overloads. */
export function inject(
  m: Injectable | HypercallInjectable<string> | Machine,
  what: string | Injection,
  args: Readonly<Record<string, number | bigint>> = {},
): number | bigint | undefined | void {
  if (typeof what === "string") {
    const paravirt = (m as Partial<Injectable>).paravirt;
    const hypercalls = (m as Partial<HypercallInjectable<string>>).hypercalls;
    if (paravirt !== undefined && hypercalls !== undefined) return (m as Machine).hypervisor?.call?.(what, args);
    if (paravirt !== undefined) return paravirt.call(what, args);
    if (hypercalls !== undefined) return hypercalls.inject(what, args);
    throw new ConfigError(
      "no-hypervisor",
      `Nobody can answer ${what}: this machine has no paravirt; use vmiPc(), or pc() with a personality`,
    );
  }
  const machine = m as Machine;
  checkInjection(what);
  if ("nmi" in what) return machine.cpu.cpu.nmi();
  if ("fault" in what) {
    const { fault: vector, errorCode, linear } = what;
    return deliver(machine, {
      kind: "fault",
      vector,
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(linear === undefined ? {} : { linear }),
    });
  }
  if ("interrupt" in what) return deliver(machine, { kind: "interrupt", vector: what.interrupt });
  machine.irq(what.irq, false);
  machine.irq(what.irq, true);
}

const KINDS = ["irq", "nmi", "interrupt", "fault"] as const;

/** @throws {ConfigError} inject-argument, config-key */
function checkInjection(what: Injection): void {
  const wanted = "give the name of a call, or one of { irq }, { nmi: true }, { interrupt }, { fault }";
  if (typeof what !== "object" || what === null) {
    throw new ConfigError("inject-argument", `There is nothing to inject in ${String(what)}; ${wanted}`);
  }
  const given = KINDS.filter((key) => key in what);
  checkKeys("an injection", what, given.includes("fault") ? [...KINDS, "errorCode", "linear"] : KINDS);
  if (given.length !== 1 || ("nmi" in what && what.nmi !== true)) {
    const found = given.length === 1 ? "nmi, but not true" : given.join(" and ") || "none of them";
    throw new ConfigError("inject-argument", `One thing is injected at a time, and here is ${found}; ${wanted}`);
  }
  if ("irq" in what && typeof what.irq !== "number") {
    throw new ConfigError("inject-argument", `An interrupt line is a number, not ${JSON.stringify(what.irq)}`);
  }
}

function deliver(machine: Machine, event: CpuEvent): void {
  const { cpu } = machine.cpu;
  if (cpu.deliver === undefined) {
    throw new ConfigError("inject-cpu", `CPU "${cpu.name}" (${cpu.architecture}) takes no events: it has no deliver()`);
  }
  cpu.deliver(event);
}

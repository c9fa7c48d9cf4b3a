/**
 * Events that a script puts before a CPU: a fault as if the next instruction had raised it, or an interrupt that no
 * controller asked for. Checked here, delivered by the run loop. Cold.
 */
import type { Cpu, CpuEvent } from "../../core/cpu.ts";
import { ConfigError, InternalError } from "../../core/errors.ts";
import { Vector } from "../../spec/i386_regs.ts";
import { recordFault } from "./fault.ts";
import { type CpuState, Layout } from "./state.ts";

/** Bit n: exception n pushes an error code (#DF #TS #NP #SS #GP #PF #AC; SDM-3A 6.15). */
const HAS_CODE = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);

function whole(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= limit;
}

/** The event that waits for the next instruction boundary. */
export class Injection {
  #event: CpuEvent | undefined;

  /** Is there one? */
  get pending(): boolean {
    return this.#event !== undefined;
  }

  /** Puts one before a CPU. @throws {ConfigError} inject-argument, inject-state */
  put(event: CpuEvent, cpu: Pick<Cpu, "name" | "waiting">, isShutDown: boolean): void {
    check(event);
    const waits = cpu.waiting === true
      ? "waits to be started"
      : this.pending
      ? "has an event to take first"
      : undefined;
    const why = isShutDown ? "is shut down" : waits;
    if (why !== undefined) throw new ConfigError("inject-state", `CPU "${cpu.name}" ${why}: it takes no event now`);
    this.#event = event;
  }

  /** Forgets it. */
  clear(): void {
    this.#event = undefined;
  }

  /** Takes it: a fault is noted in the state as engines do, and -1 returned; of an interrupt the vector. */
  take(s: CpuState): number {
    const event = this.#event;
    this.#event = undefined;
    if (event === undefined) throw new InternalError("No event was injected");
    if (event.kind === "interrupt") return event.vector;
    recordFault(s, event.vector, ((HAS_CODE >>> event.vector) & 1) !== 0 ? event.errorCode ?? 0 : -1);
    s.set(Layout.faultLinear, event.linear ?? 0);
    return -1;
  }
}

function check(event: CpuEvent): void {
  const { vector, errorCode = 0, linear = 0 } = event;
  const isFault = event.kind === "fault";
  if (!whole(vector, isFault ? 31 : 255) || (isFault && vector === Vector.nmi)) {
    const range = isFault ? "a fault's is 0 to 31 and not 2, the NMI" : "an interrupt's is 0 to 255";
    throw new ConfigError("inject-argument", `Vector ${vector} does not fit: ${range}`);
  }
  if (!whole(errorCode, 0xffffffff) || !whole(linear, 0xffffffff)) {
    throw new ConfigError("inject-argument", "Error code and linear address of a fault are whole numbers of 32 bits");
  }
  if (event.errorCode !== undefined && !(isFault && ((HAS_CODE >>> vector) & 1) !== 0)) {
    throw new ConfigError("inject-argument", `Vector ${vector} has no error code: leave errorCode out`);
  }
}

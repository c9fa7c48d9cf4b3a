/**
 * Faults of the IRET in the ROM, reported where the guest expects them.
 *
 * A guest replaces its IRET by a call of the ROM's slot and knows the address of that call as the place of a faulting IRET:
 * its handler looks there for a fix-up. The processor reports the IRET in the slot, so the program counter is set back to
 * the call before the fault is delivered. The return address still lies below the frame, where the slot's code has left it.
 * Source: Paravirtualization API 2.0, IRET; exception tables of Linux 2.6.21 to 2.6.36. Warm.
 *
 * Not emulated: the arithmetic flags in the fault's frame are those after the slot's ADD.
 */
import type { Section } from "../../core/component.ts";
import { ConfigError } from "../../core/errors.ts";
import type { InterceptAnswer, InterceptEvent, Interceptor, MonitorContext } from "../../core/monitor.ts";
import { Reg, Vector } from "../../spec/i386_regs.ts";
import { PLANS } from "./arguments.ts";
import type { ParavirtCall, ParavirtHost } from "./backend.ts";
import { STRIDE } from "./rom.ts";

/** Bytes of CALL rel32. */
const CALL_BYTES = 5;
/** Bytes of the slot's code before its IRET; of the trap before that. */
const BEFORE_IRET = 3, TRAP_BYTES = 3;
const IRET = PLANS.findIndex((p) => p.name === "IRET");

/** Watches over the IRET of one machine's ROM. */
export class IretSite {
  readonly #trap: boolean;
  #host: ParavirtHost | undefined;
  /** Linear address of the IRET; -1: not known yet. */
  #at = -1;

  /** @param trap Does the slot begin with a trap? */
  constructor(trap: boolean) {
    this.#trap = trap;
  }

  /** Called once. */
  attach(host: ParavirtHost): void {
    this.#host = host;
  }

  /** Init shows where the guest has the ROM. */
  found(init: ParavirtCall): void {
    this.#at = init.eip - (init.no - IRET) * STRIDE + (this.#trap ? TRAP_BYTES : 0) + BEFORE_IRET;
    this.#install();
  }

  /** Power-on state. */
  reset(): void {
    this.#at = -1;
    this.#install();
  }

  /** Complete state. */
  save(): Section {
    return { version: 1, fields: { at: this.#at } };
  }

  /** Restores it. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `IRET section has version ${section.version}, this library reads 1`);
    }
    this.#at = section.fields["at"] as number;
    this.#install();
  }

  #install(): void {
    const host = this.#host;
    for (let cpu = 0; cpu < (host?.cpus ?? 0); cpu++) {
      const guest = host?.monitor(cpu);
      if (host === undefined || guest === undefined) continue; // a CPU of another kind
      guest.interceptor = this.#at < 0 ? undefined : new Setback(guest, host, this.#at);
    }
  }
}

class Setback implements Interceptor {
  readonly #guest: MonitorContext;
  readonly #host: ParavirtHost;
  readonly #at: number;

  constructor(guest: MonitorContext, host: ParavirtHost, at: number) {
    this.#guest = guest;
    this.#host = host;
    this.#at = at >>> 0;
  }

  intercept({ kind, vector, errorCode, linear }: InterceptEvent): InterceptAnswer {
    const guest = this.#guest, word = new Uint8Array(4);
    const faults = kind === "exception" && vector !== Vector.db; // a step that ends before the IRET is none of its faults
    if (faults && guest.eip === this.#at && guest.peek((guest.reg(Reg.esp) - 4) >>> 0, word)) {
      guest.eip = (new DataView(word.buffer).getUint32(0, true) - CALL_BYTES) >>> 0;
    }
    this.#host.delivering(kind, vector, errorCode, linear);
    return "deliver";
  }
}

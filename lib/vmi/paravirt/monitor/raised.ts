/**
 * A guest fault found by the monitor while it works for the guest: thrown where it is found, caught where it is known how
 * it reaches the guest. Warm.
 */
import type { GuestFault } from "../../../core/cpu.ts";
import { Vector } from "../../../spec/i386_regs.ts";

/** Carries a guest fault up. */
export class Raised {
  /** The fault. */
  readonly fault: GuestFault;

  /** @param vector 0-31. @param errorCode -1: none. @param linear Address of a page fault. */
  constructor(vector: number, errorCode: number, linear = 0) {
    this.fault = { vector, errorCode, linear: linear >>> 0 };
  }
}

/** The guest has made the monitor reach for memory that is the monitor's own: the end of the guest. */
export class Reached {
  /** What was reached for. */
  readonly what: string;

  /** @param what What was reached for. */
  constructor(what: string) {
    this.what = what;
  }
}

/** A page fault. */
export function pageFault(linear: number, errorCode: number): Raised {
  return new Raised(Vector.pf, errorCode, linear);
}

/** A general protection fault. */
export function protectionFault(errorCode = 0): Raised {
  return new Raised(Vector.gp, errorCode);
}

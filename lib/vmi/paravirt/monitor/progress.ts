/**
 * Notices when the same hidden fault comes again and again although it was repaired: then the monitor is wrong, and the
 * guest would stand still for ever. Warm.
 */
import type { FieldValue } from "../../../core/component.ts";
import { InternalError } from "../../../core/errors.ts";

/** The same fault so often without anything in between is our own mistake. */
const MOST_REPEATS = 64;

/** Watches one CPU's hidden faults. */
export class Progress {
  readonly #what: string;
  #last = -1;
  #repeats = 0;

  /** @param what Whose tables they are, for the message. */
  constructor(what: string) {
    this.#what = what;
  }

  /** A fault is about to be repaired. @throws {InternalError} It has been, many times. */
  check(linear: number, errorCode: number): void {
    const key = linear * 32 + errorCode;
    this.#repeats = key === this.#last ? this.#repeats + 1 : 0;
    this.#last = key;
    if (this.#repeats < MOST_REPEATS) return;
    throw new InternalError(
      `The ${this.#what} tables do not allow an access to 0x${linear.toString(16)} that the guest's do`,
    );
  }

  /** Something else has happened. */
  made(): void {
    this.#last = -1;
  }

  /** As if nothing had happened yet. */
  reset(): void {
    this.#last = -1;
    this.#repeats = 0;
  }

  /** Complete state. */
  save(): FieldValue {
    return { last: this.#last, repeats: this.#repeats };
  }

  /** Restores it. */
  load(state: FieldValue): void {
    const s = state as { last: number; repeats: number };
    this.#last = s.last;
    this.#repeats = s.repeats;
  }
}

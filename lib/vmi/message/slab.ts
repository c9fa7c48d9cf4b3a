/**
 * Slab: the data of a received message with a read cursor. It belongs to the runtime: a handler reads between `save` and
 * `restore`, copies what it wants and answers `done`; answering `keep` leaves the slab readable for later. Warm.
 */
import { ConfigError } from "../../core/errors.ts";

/** Received data with a cursor. */
export class Slab {
  readonly #bytes: Uint8Array;
  #at = 0;
  #live = true;

  /** Wraps bytes, which are not copied. @param bytes The whole message. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes not yet read; at entry of a handler the size of the message. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** The cursor, for {@linkcode Slab.restore}. */
  save(): number {
    return this.#at;
  }

  /** Puts the cursor back. @throws {ConfigError} message-slab: not a saved cursor. */
  restore(state: number): void {
    this.#check();
    if (!Number.isInteger(state) || state < 0 || state > this.#bytes.length) {
      throw new ConfigError("message-slab", `Slab has no position ${state}; restore what save() gave`);
    }
    this.#at = state;
  }

  /** Copies `n` bytes and moves on. @throws {ConfigError} message-slab: fewer remain. */
  copy(n: number = this.remaining): Uint8Array<ArrayBuffer> {
    const view = this.peek(n);
    this.#at += n;
    return view.slice();
  }

  /** Copies into `into` and moves on; returns the number of bytes, which may be fewer. */
  copyInto(into: Uint8Array): number {
    const n = Math.min(into.length, this.remaining);
    into.set(this.peek(n));
    this.#at += n;
    return n;
  }

  /** A view of the next `n` bytes, valid while the slab is; moves nothing. @throws {ConfigError} message-slab */
  peek(n: number = this.remaining): Uint8Array {
    this.#check();
    if (!Number.isInteger(n) || n < 0 || n > this.remaining) {
      throw new ConfigError("message-slab", `Slab has ${this.remaining} bytes left, not ${n}`);
    }
    return this.#bytes.subarray(this.#at, this.#at + n);
  }

  /** The runtime takes the slab back: reading it afterwards is an error. */
  discard(): void {
    this.#live = false;
  }

  #check(): void {
    if (!this.#live) {
      throw new ConfigError("message-slab", 'Slab was given back; answer "keep" in the handler to read it later');
    }
  }
}

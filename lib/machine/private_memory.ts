/**
 * Guest memory as bus masters see it on a machine whose hypervisor keeps memory for itself: a device must not reach that
 * on the guest's behalf. There, reads give all ones and writes are lost, as where nothing is. Warm.
 */
import type { GuestMemory } from "../core/bus.ts";

/** Memory without a range. */
export class PrivateMemory implements GuestMemory {
  readonly #memory: GuestMemory;
  readonly #from: number;
  readonly #to: number;

  readonly #writes: (at: number, size: number) => void;

  /** @param memory All of it. @param owned What no device reaches. @param writes Told before a device writes. */
  constructor(
    memory: GuestMemory,
    owned: { readonly at: number; readonly size: number },
    writes: (at: number, size: number) => void,
  ) {
    this.#memory = memory;
    this.#writes = writes;
    this.#from = owned.at;
    this.#to = owned.at + owned.size;
  }

  /** See {@linkcode GuestMemory.readPhysical}. */
  readPhysical(at: number, into: Uint8Array): number {
    return this.#around(at, into, (from, part) => this.#memory.readPhysical(from, part), (part) => part.fill(0xff));
  }

  /** See {@linkcode GuestMemory.writePhysical}. */
  writePhysical(at: number, from: Uint8Array): number {
    this.#writes(at, from.length);
    return this.#around(at, from, (to, part) => this.#memory.writePhysical(to, part), () => {});
  }

  /** Does the parts before and behind the range. */
  #around(
    at: number,
    bytes: Uint8Array,
    outside: (at: number, part: Uint8Array) => number,
    inside: (part: Uint8Array) => void,
  ): number {
    const end = at + bytes.length;
    if (at >= this.#to || end <= this.#from) return outside(at, bytes);
    const [before, behind] = [Math.max(0, this.#from - at), Math.max(0, end - this.#to)];
    let done = before > 0 ? outside(at, bytes.subarray(0, before)) : 0;
    inside(bytes.subarray(before, bytes.length - behind));
    if (behind > 0) done += outside(this.#to, bytes.subarray(bytes.length - behind));
    return done;
  }
}

/**
 * Guest memory by linear address through the guest's own page tables, with the guest's rights and faults: how the monitor
 * reads stacks, tables and operands. Faults are thrown as {@linkcode Raised}; where the guest's tables lead to memory of the
 * monitor's, {@linkcode Reached} is. Warm.
 */
import { hex } from "../../../base/hex.ts";
import type { GuestPhysical } from "./guest_physical.ts";
import { GuestWalk } from "./guest_walk.ts";
import { pageFault, Raised, Reached } from "./raised.ts";
import type { VirtualState } from "./virtual_state.ts";

/** Linear memory of one virtual CPU. */
export class GuestMemory {
  readonly #v: VirtualState;
  readonly #physical: GuestPhysical;
  readonly #walk: GuestWalk = new GuestWalk();

  /** @param v Registers of the guest. @param physical Its physical memory. */
  constructor(v: VirtualState, physical: GuestPhysical) {
    this.#v = v;
    this.#physical = physical;
  }

  /** Physical address. @throws {Raised} #PF @throws {Reached} */
  translate(linear: number, write: boolean, user: boolean): number {
    const w = this.#walk;
    if (!w.walk(this.#v, this.#physical, linear, write, user, false)) throw pageFault(linear, w.error);
    if (this.#physical.owns(w.frame, 4096)) throw new Reached(`page at ${hex(linear)}`);
    return w.frame + (linear & 0xfff);
  }

  /** Physical address as the guest's kernel would read it, without side effects; -1: not mapped. */
  peek(linear: number): number {
    const w = this.#walk, physical = this.#physical;
    const looking = { read32: (at: number): number => physical.read32(at), mark: (): void => {} };
    if (!w.walk(this.#v, looking, linear, false, false, false)) return -1;
    return physical.owns(w.frame, 4096) ? -1 : w.frame + (linear & 0xfff);
  }

  /** Reads 1 to 4 bytes, u32. @throws {Raised} #PF */
  read(linear: number, bytes: number, user = false): number {
    if ((linear & 3) + bytes > 4) {
      let value = 0;
      for (let i = 0; i < bytes; i++) value |= this.read((linear + i) >>> 0, 1, user) << (8 * i);
      return value >>> 0;
    }
    const at = this.translate(linear, false, user);
    const word = this.#physical.read32(at - (at & 3)) >>> (8 * (at & 3));
    return bytes === 4 ? word >>> 0 : word & ((1 << (8 * bytes)) - 1);
  }

  /** Reads 4 bytes, u32. @throws {Raised} #PF */
  read32(linear: number): number {
    return this.read(linear >>> 0, 4);
  }

  /** Writes 1 to 4 bytes; over a page end nothing is written unless both pages may. @throws {Raised} #PF */
  write(linear: number, value: number, bytes: number, user = false): void {
    if ((linear & 3) + bytes > 4) {
      if ((linear & 0xfff) + bytes > 0x1000) this.translate((linear + bytes - 1) >>> 0, true, user);
      for (let i = 0; i < bytes; i++) this.write((linear + i) >>> 0, (value >>> (8 * i)) & 0xff, 1, user);
      return;
    }
    const at = this.translate(linear, true, user), shift = 8 * (at & 3);
    if (bytes === 4) return this.#physical.write32(at, value);
    const mask = ((1 << (8 * bytes)) - 1) << shift;
    const old = this.#physical.read32(at - (at & 3));
    this.#physical.write32(at - (at & 3), (old & ~mask) | ((value << shift) & mask));
  }

  /** Writes 4 bytes. @throws {Raised} #PF */
  write32(linear: number, value: number): void {
    this.write(linear >>> 0, value, 4);
  }

  /** Checks that a range can be written. @throws {Raised} #PF */
  probeWrite(linear: number, bytes: number, user = false): void {
    this.translate(linear >>> 0, true, user);
    if ((linear & 0xfff) + bytes > 0x1000) this.translate((linear + bytes - 1) >>> 0, true, user);
  }

  /** Instruction bytes at an address, at most `most`; fewer if a page is missing. */
  code(linear: number, most: number, user: boolean): Uint8Array {
    const bytes = new Uint8Array(most);
    let n = 0;
    try {
      for (; n < most; n++) bytes[n] = this.read((linear + n) >>> 0, 1, user);
    } catch (thrown) {
      if (!(thrown instanceof Raised)) throw thrown;
      return bytes.subarray(0, n);
    }
    return bytes;
  }
}

/**
 * Memory accesses of the interpreter that are not fast: pages not yet in the tables, MMIO, page ends, faults.
 *
 * Most that come here are page faults of a guest on its way to its handler; they are found without throwing, which takes
 * V8 longer than all the rest of them. Warm.
 */
import type { I386Cpu } from "../../cpu.ts";
import { Layout } from "../../state.ts";

/** Slow accesses of one CPU, at its current privilege. */
export class SlowMemory {
  readonly #cpu: I386Cpu;
  #placeAt = 0;
  #placeSize = 0;

  /** @param cpu The CPU. */
  constructor(cpu: I386Cpu) {
    this.#cpu = cpu;
  }

  /** True if an access to one page faults; if it is not aligned, something else may come first. */
  #faults(linear: number, size: number, write: boolean, user: boolean): boolean {
    return (linear & (size - 1)) === 0 && this.#cpu.mem.tryTranslate(linear, write, user) < 0;
  }

  /** Reads: host address of the value, or -1 with a fault recorded. */
  load(linear: number, size: number): number {
    const cpu = this.#cpu, user = cpu.state.get(Layout.cpl) === 3;
    if (this.#faults(linear, size, false, user)) return -1;
    try {
      const value = cpu.mem.readSlow(linear, size, user);
      cpu.state.set(Layout.scratch, value);
      return cpu.state.base + Layout.scratch;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return -1;
    }
  }

  /** Writes: 0, or -1 with a fault recorded. */
  store(linear: number, size: number, value: number): number {
    const cpu = this.#cpu, user = cpu.state.get(Layout.cpl) === 3;
    if (this.#faults(linear, size, true, user)) return -1;
    try {
      cpu.mem.writeSlow(linear, size, value, user);
      return 0;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return -1;
    }
  }

  /** Checks for writing and reads: host address of the value, or -1 with a fault recorded. */
  place(linear: number, size: number): number {
    const cpu = this.#cpu, user = cpu.state.get(Layout.cpl) === 3;
    if (this.#faults(linear, size, true, user)) return -1;
    try {
      if ((linear & (size - 1)) !== 0) {
        const t = cpu.mem.unaligned(linear, size, true, user);
        if (t >= 0) return t;
      }
      cpu.mem.probeWrite(linear, size, user);
      cpu.state.set(Layout.scratch, cpu.mem.readSlow(linear, size, user));
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return -1;
    }
    this.#placeAt = linear;
    this.#placeSize = size;
    return cpu.state.base + Layout.scratch;
  }

  /** Writes the value of the last {@linkcode SlowMemory.place} back. */
  commit(): void {
    const cpu = this.#cpu;
    cpu.mem.writeSlow(this.#placeAt, this.#placeSize, cpu.state.get(Layout.scratch), cpu.state.get(Layout.cpl) === 3);
  }
}

/**
 * KVM's clocks in guest memory: system time of a CPU (a time-stamp counter value, the nanoseconds that belong to it, and
 * the factor between), the wall clock at power-on, and stolen time.
 *
 * System time is nanoseconds of virtual time since power-on, the same on all CPUs. The structure names the counter's
 * value at power-on and 0 ns, so it is right for as long as nobody writes the counter; when somebody does, it is made
 * anew. A structure is written under its version number: odd while it changes, even when it is whole. An address outside
 * RAM, or one that is not aligned, leaves a trace entry and nothing is written.
 *
 * Sources: Linux, Documentation/virt/kvm/x86/msr.rst; include/asm/pvclock-abi.h for the layout. Warm.
 *
 * Not emulated: the flag of a guest that was stopped, preemption flags of stolen time (no CPU is ever preempted while
 * another one can look).
 */
import type { FieldValue } from "../../core/component.ts";
import { KVM_STEAL_RESERVED, KvmMsr, KvmSize, PVCLOCK_TSC_STABLE } from "../../spec/kvm_abi.ts";
import type { PersonalityHost } from "./personality.ts";

const NS = 1_000_000_000n;
const TWO_32 = 0x1_0000_0000;

/** Registers of one CPU. */
interface CpuTime {
  system: readonly [number, number];
  steal: readonly [number, number];
  /** Nanoseconds. */
  stolen: bigint;
}

/** Factor from ticks to nanoseconds: `(ticks << shift) * multiplier >> 32`, a negative shift goes right. */
export function clockScale(hz: number): { readonly multiplier: number; readonly shift: number } {
  let shift = 0;
  // multiplier = 2^32 * 1e9 / hz / 2^shift has its top bit set.
  const scaled = (s: number): bigint =>
    s >= 0 ? (NS << 32n) / (BigInt(hz) << BigInt(s)) : (NS << BigInt(32 - s)) / BigInt(hz);
  while (scaled(shift) >= 1n << 32n) shift++;
  while (scaled(shift) < 1n << 31n) shift--;
  return { multiplier: Number(scaled(shift)), shift };
}

/** Clocks of one machine. */
export class KvmTime {
  readonly #host: PersonalityHost;
  #cpus: CpuTime[] = [];
  #wall: readonly [number, number] = [0, 0];

  /** @param host The machine. */
  constructor(host: PersonalityHost) {
    this.#host = host;
    this.reset();
  }

  /** Nanoseconds since power-on. */
  get now(): bigint {
    return this.#nanoseconds(this.#host.clock.now);
  }

  /** Reads a register as it was written; undefined: none of these. */
  read(cpu: number, msr: number): readonly [number, number] | undefined {
    if (msr === KvmMsr.wallClock || msr === KvmMsr.wallClockOld) return this.#wall;
    if (msr === KvmMsr.systemTime || msr === KvmMsr.systemTimeOld) return this.#cpus[cpu]?.system;
    return msr === KvmMsr.stealTime ? this.#cpus[cpu]?.steal : undefined;
  }

  /** Writes a register; false: refused, undefined: none of these. */
  write(cpu: number, msr: number, low: number, high: number): boolean | undefined {
    const own = this.#cpus[cpu];
    if (own === undefined) return undefined;
    const value = [low | 0, high | 0] as const;
    if (msr === KvmMsr.wallClock || msr === KvmMsr.wallClockOld) {
      this.#wall = value;
      this.#writeWall();
    } else if (msr === KvmMsr.systemTime || msr === KvmMsr.systemTimeOld) {
      own.system = value;
      this.#place("system time", value, KvmSize.systemTime, 4);
      this.#writeSystem(cpu);
    } else if (msr === KvmMsr.stealTime) {
      if ((low & KVM_STEAL_RESERVED) !== 0) return false;
      own.steal = value;
      this.#place("stolen time", value, KvmSize.stealTime, 64);
      this.#writeSteal(own);
    } else return undefined;
    return true;
  }

  /** The counter of a CPU was written; whether counters agree concerns all. */
  tscWritten(): void {
    this.#cpus.forEach((_, i) => this.#writeSystem(i));
  }

  /** `ticks` were taken from a CPU. */
  stolen(cpu: number, ticks: number): void {
    const own = this.#cpus[cpu];
    if (own === undefined) return;
    own.stolen += this.#nanoseconds(ticks);
    this.#writeSteal(own);
  }

  /** Wall-clock time now, seconds from 1970 and nanoseconds, with the counter's value. */
  pairing(cpu: number): Uint8Array {
    const bytes = new Uint8Array(KvmSize.clockPairing);
    const view = new DataView(bytes.buffer);
    const ns = this.now;
    view.setBigInt64(0, BigInt(this.#host.epoch) + ns / NS, true);
    view.setBigInt64(8, ns % NS, true);
    view.setBigUint64(16, this.#host.tsc(cpu), true);
    return bytes;
  }

  /** Writes all bytes, if all of them lie in RAM. */
  put(at: number, bytes: Uint8Array): boolean {
    if (!this.#isRam(at, bytes.length)) return false;
    this.#host.memory.writePhysical(at, bytes);
    return true;
  }

  /** Power-on state. */
  reset(): void {
    this.#wall = [0, 0];
    this.#cpus = Array.from({ length: this.#host.cpus }, () => ({ system: [0, 0], steal: [0, 0], stolen: 0n }));
  }

  /** Complete state. */
  save(): { readonly [name: string]: FieldValue } {
    return {
      wall: [...this.#wall],
      cpus: this.#cpus.map((c) => ({ ...c, system: [...c.system], steal: [...c.steal] })),
    };
  }

  /** Restores; memory has its contents already. */
  load(fields: { readonly [name: string]: FieldValue }): void {
    const f = fields as unknown as { wall: [number, number]; cpus: CpuTime[] };
    this.#wall = f.wall;
    this.#cpus = f.cpus.map((c) => ({ system: [...c.system], steal: [...c.steal], stolen: c.stolen }));
  }

  #nanoseconds(ticks: number): bigint {
    return BigInt(Math.floor(ticks)) * NS / BigInt(this.#host.clock.hz);
  }

  #isRam(at: number, size: number): boolean {
    return at + size <= TWO_32 && this.#host.isRam(at) && this.#host.isRam(at + size - 1);
  }

  /** Address that a register holds while it is enabled; -1: nowhere. */
  #at(value: readonly [number, number], size: number, align: number): number {
    const at = (value[0] & ~1) >>> 0;
    if ((value[0] & 1) === 0 || value[1] !== 0 || at % align !== 0) return -1;
    return this.#isRam(at, size) ? at : -1;
  }

  /** Says so if an enabled register names no place to write to. */
  #place(what: string, value: readonly [number, number], size: number, align: number): void {
    if ((value[0] & 1) === 0 || this.#at(value, size, align) >= 0) return;
    const at = (BigInt(value[1] >>> 0) << 32n) | BigInt((value[0] & ~1) >>> 0);
    this.#host.trace(
      `${what}: 0x${at.toString(16)} is not ${size} bytes of RAM aligned to ${align}; nothing is written`,
    );
  }

  /** Writes a structure under its version, which lies `versionAt` bytes in. */
  #write(at: number, bytes: Uint8Array, versionAt: number): void {
    const { memory } = this.#host;
    const version = new Uint8Array(4);
    const view = new DataView(version.buffer);
    memory.readPhysical(at + versionAt, version);
    const odd = ((view.getUint32(0, true) | 1) + ((view.getUint32(0, true) & 1) === 0 ? 0 : 2)) >>> 0;
    view.setUint32(0, odd, true);
    memory.writePhysical(at + versionAt, version);
    bytes.set(version, versionAt);
    memory.writePhysical(at, bytes);
    view.setUint32(0, odd + 1, true);
    memory.writePhysical(at + versionAt, version);
  }

  #writeSystem(cpu: number): void {
    const at = this.#at(this.#cpus[cpu]?.system ?? [0, 0], KvmSize.systemTime, 4);
    if (at < 0) return;
    const { multiplier, shift } = clockScale(this.#host.clock.hz);
    const bytes = new Uint8Array(KvmSize.systemTime);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(8, this.#tscAtStart(cpu), true);
    view.setUint32(24, multiplier, true);
    view.setInt8(28, shift);
    const first = this.#tscAtStart(0);
    const agree = this.#cpus.every((_, i) => this.#tscAtStart(i) === first);
    view.setUint8(29, agree ? PVCLOCK_TSC_STABLE : 0);
    this.#write(at, bytes, 0);
  }

  /** The counter of a CPU as it would have been at power-on. */
  #tscAtStart(cpu: number): bigint {
    return BigInt.asUintN(64, this.#host.tsc(cpu) - BigInt(Math.floor(this.#host.clock.now)));
  }

  #writeSteal(own: CpuTime): void {
    const at = this.#at(own.steal, KvmSize.stealTime, 64);
    if (at < 0) return;
    const bytes = new Uint8Array(KvmSize.stealTime);
    new DataView(bytes.buffer).setBigUint64(0, own.stolen, true);
    this.#write(at, bytes, 8);
  }

  /** The wall clock at power-on; bit 0 of its register is part of the address. */
  #writeWall(): void {
    const [low, high] = this.#wall;
    if (low === 0 && high === 0) return;
    const at = low >>> 0;
    if (high !== 0 || at % 4 !== 0 || !this.#isRam(at, KvmSize.wallClock)) {
      const all = (BigInt(high >>> 0) << 32n) | BigInt(at);
      this.#host.trace(`wall clock: 0x${all.toString(16)} is not 12 bytes of RAM aligned to 4; nothing is written`);
      return;
    }
    const bytes = new Uint8Array(KvmSize.wallClock);
    new DataView(bytes.buffer).setUint32(4, this.#host.epoch, true);
    this.#write(at, bytes, 0);
  }
}

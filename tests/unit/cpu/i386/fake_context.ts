/**
 * A CPU context over a plain 1 MiB of memory, for testing instruction functions, trees and engines without a machine.
 *
 * Linear is physical; pages can be made absent, read-only or supervisor-only, memory beyond the end is absent. Faults
 * fill the state as the CPU does and throw {@linkcode FakeContext.fault}. Ports and effects are recorded.
 */
import type { Context, CpuBus, LinearMemory, Op } from "../../../../lib/cpu/i386/context.ts";
import type { PhysicalWords } from "../../../../lib/cpu/i386/mmu.ts";
import { setArithmetic } from "../../../../lib/cpu/i386/flags.ts";
import { computeMode } from "../../../../lib/cpu/i386/mode.ts";
import type { Model } from "../../../../lib/cpu/i386/model.ts";
import { CpuState, Layout, Seg } from "../../../../lib/cpu/i386/state.ts";
import type { CpuFeature } from "../../../../lib/spec/i386_ops.ts";
import { Cr0, Vector } from "../../../../lib/spec/i386_regs.ts";

/** Bytes of memory. */
export const FAKE_MEMORY = 0x100000;

const FEATURES: readonly CpuFeature[] = [
  "386",
  "486",
  "586",
  "x87",
  "cpuid",
  "tsc",
  "msr",
  "cx8",
  "sep",
  "cmov",
  "mmx",
  "fxsr",
  "sse",
  "sse2",
  "clflush",
  "vmx",
];

/** A model with every feature. */
export const FAKE_MODEL: Model = {
  name: "fake",
  features: new Set(FEATURES),
  vendor: "GenuineIntel",
  signature: 0xf29,
  featureBits: 0x0781abff,
  featureBits2: 0,
  extendedBits: 0,
  brand: "",
  maxLeaf: 2,
};

/** Memory with page rights. */
export class FakeMemory implements LinearMemory {
  /** The bytes. */
  readonly bytes: Uint8Array = new Uint8Array(FAKE_MEMORY);
  /** See {@linkcode LinearMemory}: linear and physical addresses are the same. */
  readonly words: PhysicalWords = {
    read32: (at) => new DataView(this.bytes.buffer).getInt32(at, true),
    write32: (at, value) => new DataView(this.bytes.buffer).setInt32(at, value, true),
  };
  /** Page numbers that fault. */
  readonly absent: Set<number> = new Set();
  /** Page numbers that cannot be written. */
  readonly readOnly: Set<number> = new Set();
  /** Page numbers that CPL 3 cannot touch. */
  readonly system: Set<number> = new Set();
  /** Every write so far: [linear, size, value]. */
  writes: [number, number, number][] = [];
  readonly #c: FakeContext;

  /** @param c Its context. */
  constructor(c: FakeContext) {
    this.#c = c;
  }

  /** Raises #PF unless the bytes can be accessed. */
  check(linear: number, size: number, write: boolean, user: boolean): void {
    for (const at of [linear >>> 0, (linear + size - 1) >>> 0]) {
      const page = at >>> 12;
      const present = at < FAKE_MEMORY && !this.absent.has(page);
      if (present && !(write && this.readOnly.has(page)) && !(user && this.system.has(page))) continue;
      this.#c.state.set(Layout.faultLinear, at === linear >>> 0 ? linear : (at & ~0xfff) | 0);
      this.#c.raise(Vector.pf, (present ? 1 : 0) | (write ? 2 : 0) | (user ? 4 : 0));
    }
  }

  #get(linear: number, size: number, user: boolean): number {
    this.check(linear, size, false, user);
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.bytes[(linear + i) >>> 0] << (8 * i);
    return value;
  }

  #put(linear: number, size: number, value: number, user: boolean): void {
    this.check(linear, size, true, user);
    this.writes.push([linear >>> 0, size, size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1)]);
    for (let i = 0; i < size; i++) this.bytes[(linear + i) >>> 0] = value >>> (8 * i);
  }

  get #user(): boolean {
    return this.#c.state.get(Layout.cpl) === 3;
  }

  /** See {@linkcode LinearMemory}. */
  read8(linear: number): number {
    return this.#get(linear, 1, this.#user);
  }
  /** See {@linkcode LinearMemory}. */
  read16(linear: number): number {
    return this.#get(linear, 2, this.#user);
  }
  /** See {@linkcode LinearMemory}. */
  read32(linear: number): number {
    return this.#get(linear, 4, this.#user);
  }
  /** See {@linkcode LinearMemory}. */
  write8(linear: number, value: number): void {
    this.#put(linear, 1, value, this.#user);
  }
  /** See {@linkcode LinearMemory}. */
  write16(linear: number, value: number): void {
    this.#put(linear, 2, value, this.#user);
  }
  /** See {@linkcode LinearMemory}. */
  write32(linear: number, value: number): void {
    this.#put(linear, 4, value, this.#user);
  }
  /** See {@linkcode LinearMemory}. */
  sysRead8(linear: number): number {
    return this.#get(linear, 1, false);
  }
  /** See {@linkcode LinearMemory}. */
  sysRead16(linear: number): number {
    return this.#get(linear, 2, false);
  }
  /** See {@linkcode LinearMemory}. */
  sysRead32(linear: number): number {
    return this.#get(linear, 4, false);
  }
  /** See {@linkcode LinearMemory}. */
  sysWrite8(linear: number, value: number): void {
    this.#put(linear, 1, value, false);
  }
  /** See {@linkcode LinearMemory}. */
  sysWrite16(linear: number, value: number): void {
    this.#put(linear, 2, value, false);
  }
  /** See {@linkcode LinearMemory}. */
  sysWrite32(linear: number, value: number): void {
    this.#put(linear, 4, value, false);
  }
  /** See {@linkcode LinearMemory}. */
  probeWrite(linear: number, size: number, user: boolean): void {
    this.check(linear, size, true, user);
  }
  /** See {@linkcode LinearMemory}. */
  probeRead(linear: number, size: number, user: boolean): void {
    this.check(linear, size, false, user);
  }
}

/** A bus that records. */
export class FakeBus implements CpuBus {
  /** Port writes: [port, value, width]. */
  readonly out: [number, number, number][] = [];
  /** Values that ports answer; others read as all ones. */
  readonly ports: Map<number, number> = new Map();
  /** Virtual time. */
  time = 0;
  /** Trace entries, shutdowns and unimplemented things as text. */
  readonly log: string[] = [];

  /** See {@linkcode CpuBus}. */
  readPort(port: number, width: 8 | 16 | 32): number {
    return ((this.ports.get(port) ?? 0xffffffff) & (width === 32 ? -1 : (1 << width) - 1)) >>> 0;
  }
  /** See {@linkcode CpuBus}. */
  writePort(port: number, value: number, width: 8 | 16 | 32): void {
    this.out.push([port, value >>> 0, width]);
  }
  /** See {@linkcode CpuBus}. */
  now(): number {
    return this.time;
  }
  /** See {@linkcode CpuBus}. */
  readMsr(_msr: number): readonly [number, number] | undefined {
    return undefined;
  }
  /** See {@linkcode CpuBus}. */
  writeMsr(_msr: number, _low: number, _high: number): boolean {
    return false;
  }
  /** See {@linkcode CpuBus}. */
  trace(kind: string, text: string): void {
    this.log.push(`${kind} ${text}`);
  }
  /** See {@linkcode CpuBus}. */
  shutdown(vector: number, errorCode: number, _linear: number): void {
    this.log.push(`shutdown ${vector} ${errorCode}`);
  }
  /** See {@linkcode CpuBus}. */
  unimplemented(what: string): void {
    this.log.push(`unimplemented ${what}`);
  }
}

/** The context. Starts in 32-bit protected mode, flat segments, CPL 0, ESP 0x8000. */
export class FakeContext implements Context {
  readonly apicId = 0;
  /** See {@linkcode Context}. */
  readonly state: CpuState = new CpuState(new WebAssembly.Memory({ initial: 1 }), 4096);
  /** See {@linkcode Context}. */
  readonly mem: FakeMemory = new FakeMemory(this);
  /** See {@linkcode Context}. */
  readonly bus: FakeBus = new FakeBus();
  /** See {@linkcode Context}. */
  readonly model: Model = FAKE_MODEL;
  /** See {@linkcode Context}. */
  nextEip = 0;
  /** See {@linkcode Context}. */
  readonly fault: object = { guestFault: true };
  /** Names of the effects that were called, in order. */
  effects: string[] = [];
  /** What {@linkcode FakeContext.hypercall} answers. */
  answersHypercalls = false;

  /** Sets the start state. */
  constructor() {
    const s = this.state;
    s.set(Layout.cr0, Cr0.pe | Cr0.et | Cr0.ne);
    s.set(Layout.eflags, 2);
    setArithmetic(s, 0);
    s.set(Layout.fcw, 0x37f);
    s.set(Layout.fempty, 0xff);
    s.set(Layout.mxcsr, 0x1f80);
    s.set(Layout.dr6, 0xffff0ff0 | 0);
    s.set(Layout.dr7, 0x400);
    s.setReg32(4, 0x8000);
    for (let n = 0; n < 8; n++) this.segment(n, n === 1 ? 8 : 16, 0, 0xffffffff, true);
    computeMode(s);
  }

  /** Fills a segment cache: code for CS, writable data otherwise. `big`: D/B is set. */
  segment(n: number, selector: number, base: number, limit: number, big: boolean): void {
    const s = this.state;
    s.setSeg(n, Seg.selector, selector);
    s.setSeg(n, Seg.base, base | 0);
    s.setSeg(n, Seg.limit, limit | 0);
    s.setSeg(n, Seg.access, (n === 1 ? 0x9b00 : 0x9300) | (big ? 0x400000 : 0));
    s.setSeg(n, Seg.lo, 0);
    s.setSeg(n, Seg.hi, limit | 0);
    s.setSeg(n, Seg.rights, 7);
    computeMode(s);
  }

  /** Real mode: 64 KiB segments at the given bases (ES CS SS DS FS GS), SP 0x8000. */
  realMode(bases: readonly number[] = [0, 0, 0, 0, 0, 0]): void {
    this.state.set(Layout.cr0, Cr0.et);
    bases.forEach((base, n) => this.segment(n, base >>> 4, base, 0xffff, false));
    computeMode(this.state);
  }

  /** Runs `what`; the vector of the fault it raises, or -1. */
  faultOf(what: () => void): number {
    try {
      what();
      return -1;
    } catch (thrown) {
      if (thrown !== this.fault) throw thrown;
      return this.state.get(Layout.faultVector);
    }
  }

  /** See {@linkcode Context}. */
  raise(vector: number, errorCode: number = -1): never {
    this.state.set(Layout.faultVector, vector);
    this.state.set(Layout.faultCode, errorCode);
    this.state.set(Layout.faultHasCode, errorCode >= 0 ? 1 : 0);
    throw this.fault;
  }
  /** See {@linkcode Context}. */
  flushTlb(all: boolean): void {
    this.effects.push(all ? "flushTlb all" : "flushTlb");
  }
  /** See {@linkcode Context}. */
  flushPage(linear: number): void {
    this.effects.push(`flushPage ${linear >>> 0}`);
  }
  /** See {@linkcode Context}. */
  modeChanged(): void {
    computeMode(this.state);
    this.effects.push("modeChanged");
  }
  /** See {@linkcode Context}. */
  debugChanged(): void {
    this.effects.push("debugChanged");
  }
  /** See {@linkcode Context}. */
  interruptDue = true;
  /** See {@linkcode Context}. */
  attention(): void {
    this.effects.push("attention");
  }
  enterShutdown(): void {
    this.effects.push("shutdown");
  }
  /** See {@linkcode Context}. */
  hypercall(_op: Op): boolean {
    return this.answersHypercalls;
  }
}

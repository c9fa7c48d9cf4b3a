/**
 * An i386 CPU as a hypervisor backend sees it: registers by number, guest memory with the guest's own faults, control
 * registers with their native effects. Valid while the CPU stands at an instruction boundary or at a hypercall. Warm.
 */
import type { GuestContext, GuestFault } from "../../core/cpu.ts";
import { PageBit } from "../../memory/address_space.ts";
import { Vector } from "../../spec/i386_regs.ts";
import type { I386Cpu } from "./cpu.ts";
import { readEflags, writeEflags } from "./flags.ts";
import { peekTranslate } from "./inspect.ts";
import { Layout } from "./state.ts";
import { writeCr0, writeCr3, writeCr4 } from "./system/control_registers.ts";
import { cpuidLeaf } from "./system/cpuid.ts";

/** The guest of one CPU. */
export class I386GuestContext implements GuestContext {
  readonly #cpu: I386Cpu;

  /** @param cpu The CPU. */
  constructor(cpu: I386Cpu) {
    this.#cpu = cpu;
  }

  /** See {@linkcode GuestContext.reg}. */
  reg(n: number): number {
    return this.#cpu.state.reg32(n) >>> 0;
  }

  /** See {@linkcode GuestContext.setReg}. */
  setReg(n: number, value: number): void {
    this.#cpu.state.setReg32(n, value | 0);
  }

  /** See {@linkcode GuestContext.eip}. */
  get eip(): number {
    return this.#cpu.state.get(Layout.eip) >>> 0;
  }
  set eip(value: number) {
    this.#cpu.state.set(Layout.eip, value | 0);
  }

  /** See {@linkcode GuestContext.eflags}. */
  get eflags(): number {
    return readEflags(this.#cpu.state);
  }
  set eflags(value: number) {
    writeEflags(this.#cpu.state, value | 0);
    this.#cpu.modeChanged();
    this.#cpu.attention();
  }

  /** See {@linkcode GuestContext.halted}. */
  get halted(): boolean {
    return this.#cpu.state.get(Layout.halted) !== 0;
  }
  set halted(value: boolean) {
    this.#cpu.state.set(Layout.halted, value ? 1 : 0);
    this.#cpu.modeChanged();
    this.#cpu.attention();
  }

  /** See {@linkcode GuestContext.cpl}. */
  get cpl(): number {
    return this.#cpu.state.get(Layout.cpl);
  }

  /** See {@linkcode GuestContext.now}. */
  now(): number {
    return this.#cpu.bus.now();
  }

  /** See {@linkcode GuestContext.read}. */
  read(linear: number, width: 8 | 16 | 32): number {
    const mem = this.#cpu.mem;
    return this.#outside(() => {
      if (width === 8) return mem.sysRead8(linear | 0);
      return (width === 16 ? mem.sysRead16(linear | 0) : mem.sysRead32(linear | 0)) >>> 0;
    });
  }

  /** See {@linkcode GuestContext.write}. */
  write(linear: number, value: number, width: 8 | 16 | 32): void {
    const mem = this.#cpu.mem;
    this.#outside(() => {
      if (width === 8) mem.sysWrite8(linear | 0, value);
      else if (width === 16) mem.sysWrite16(linear | 0, value);
      else mem.sysWrite32(linear | 0, value | 0);
    });
  }

  /** Does what costs the guest no time. */
  #outside<T>(what: () => T): T {
    const { mem } = this.#cpu;
    mem.outside = true;
    try {
      return what();
    } finally {
      mem.outside = false;
    }
  }

  /** See {@linkcode GuestContext.peek}. */
  peek(linear: number, into: Uint8Array): boolean {
    if ((linear & 0xfff) + into.length <= 0x1000) {
      const phys = peekTranslate(this.#cpu, linear | 0);
      if (phys < 0) return false;
      this.#read(phys, into);
      return true;
    }
    return this.#copy(linear, into, (phys, part) => this.#cpu.board.space.readPhysical(phys, part));
  }

  /** See {@linkcode GuestContext.peek32}. */
  peek32(linear: number): number {
    if ((linear & 0xfff) <= 0xffc) {
      const phys = peekTranslate(this.#cpu, linear | 0), { space } = this.#cpu.board;
      if (phys < 0) return -1;
      const entry = phys < 0x1_0000_0000 ? space.pages[phys >>> 12] : 0;
      if ((entry & (PageBit.ram | PageBit.rom)) !== 0) {
        return space.view.getUint32((entry & ~0xfff) + (phys & 0xfff), true);
      }
    }
    const bytes = new Uint8Array(4);
    return this.peek(linear, bytes) ? new DataView(bytes.buffer).getUint32(0, true) : -1;
  }

  /** See {@linkcode GuestContext.poke}. */
  poke(linear: number, from: Uint8Array): boolean {
    return this.#copy(linear, from, (phys, part) => this.#cpu.board.space.writePhysical(phys, part));
  }

  /** See {@linkcode GuestContext.control}. */
  control(name: string): number {
    return Number(this.#cpu.get(name));
  }

  /** See {@linkcode GuestContext.setControl}. CR0, CR3 and CR4 raise #GP(0) where MOV would. */
  setControl(name: string, value: number): void {
    if (name === "cr0") writeCr0(this.#cpu, value | 0);
    else if (name === "cr3") writeCr3(this.#cpu, value | 0);
    else if (name === "cr4") writeCr4(this.#cpu, value | 0);
    else this.#cpu.set(name, value);
  }

  /** See {@linkcode GuestContext.cpuid}; no leaf of the models that ship has subleaves. */
  cpuid(leaf: number, _subleaf: number): readonly [number, number, number, number] {
    const [a, b, c, d] = cpuidLeaf(this.#cpu, leaf);
    return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
  }

  /** See {@linkcode GuestContext.halt}. */
  halt(): void {
    this.halted = true;
  }

  /** See {@linkcode GuestContext.flush}. */
  flush(linear: number | "all" | "all-global"): void {
    if (typeof linear === "number") this.#cpu.flushPage(linear | 0);
    else this.#cpu.flushTlb(linear === "all-global");
  }

  /** See {@linkcode GuestContext.raise}. */
  raise(fault: GuestFault): never {
    if (fault.vector === Vector.pf) this.#cpu.state.set(Layout.faultLinear, fault.linear | 0);
    return this.#cpu.raise(fault.vector, fault.errorCode);
  }

  /** Page by page; nothing is copied unless all is mapped. */
  #read(phys: number, into: Uint8Array): void {
    const { space } = this.#cpu.board;
    const entry = phys < 0x1_0000_0000 ? space.pages[phys >>> 12] : 0;
    if ((entry & (PageBit.ram | PageBit.rom)) === 0) {
      space.readPhysical(phys, into);
      return;
    }
    const from = (entry & ~0xfff) + (phys & 0xfff);
    for (let i = 0; i < into.length; i++) into[i] = space.host[from + i];
  }

  #copy(linear: number, bytes: Uint8Array, part: (phys: number, bytes: Uint8Array) => void): boolean {
    const pieces: [phys: number, from: number, to: number][] = [];
    for (let at = 0; at < bytes.length;) {
      const here = (linear + at) >>> 0;
      const phys = peekTranslate(this.#cpu, here);
      if (phys < 0) return false;
      const size = Math.min(bytes.length - at, 0x1000 - (here & 0xfff));
      pieces.push([phys, at, at + size]);
      at += size;
    }
    for (const [phys, from, to] of pieces) part(phys, bytes.subarray(from, to));
    return true;
  }
}

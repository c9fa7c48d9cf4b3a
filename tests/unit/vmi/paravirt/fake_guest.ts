/** A guest without a CPU: registers, flat memory, and a step that executes just enough to return from a slot. */
import { Clock } from "../../../../lib/core/clock.ts";
import type { GuestContext, GuestFault } from "../../../../lib/core/cpu.ts";
import { Reg } from "../../../../lib/spec/i386_regs.ts";
import type { ParavirtBackend } from "../../../../lib/vmi/paravirt/backend.ts";
import { Paravirt } from "../../../../lib/vmi/paravirt/dispatch.ts";
import type { DispatchHost } from "../../../../lib/vmi/paravirt/dispatch_host.ts";

/** Where the fake guest sees the ROM. */
export const ROM_LINEAR = 0xc00c8000;
const STACK = 0x1000;

/** Registers and 64 KiB of memory, with the ROM at {@linkcode ROM_LINEAR}. */
export class FakeGuest implements GuestContext {
  readonly regs: number[] = [0, 0, 0, 0, STACK, 0, 0, 0];
  readonly memory: Uint8Array = new Uint8Array(0x2000);
  rom: Uint8Array = new Uint8Array(0);
  eip = 0;
  eflags = 2;
  halted = false;
  cpl = 0;
  readonly clock: Clock;
  constructor(clock: Clock) {
    this.clock = clock;
  }
  reg(n: number): number {
    return this.regs[n] ?? 0;
  }
  setReg(n: number, value: number): void {
    this.regs[n] = value >>> 0;
  }
  now(): number {
    return this.clock.now;
  }
  read(linear: number, width: 8 | 16 | 32): number {
    const bytes = new Uint8Array(4);
    if (!this.peek(linear, bytes.subarray(0, width / 8))) throw this.fault;
    return new DataView(bytes.buffer).getUint32(0, true);
  }
  readonly fault: object = { guestFault: true };
  write(linear: number, value: number, width: 8 | 16 | 32): void {
    for (let i = 0; i < width / 8; i++) this.memory[linear + i] = value >>> (8 * i);
  }
  peek(linear: number, into: Uint8Array): boolean {
    const [from, at] = linear >= ROM_LINEAR ? [this.rom, linear - ROM_LINEAR] : [this.memory, linear];
    if (at + into.length > from.length) return false;
    into.set(from.subarray(at, at + into.length));
    return true;
  }
  peek32(linear: number): number {
    const bytes = new Uint8Array(4);
    return this.peek(linear, bytes) ? new DataView(bytes.buffer).getUint32(0, true) : -1;
  }
  poke(linear: number, from: Uint8Array): boolean {
    this.memory.set(from, linear);
    return true;
  }
  control(): number {
    return 0;
  }
  setControl(): void {}
  cpuid(): readonly [number, number, number, number] {
    return [0, 0, 0, 0];
  }
  halt(): void {}
  flush(): void {}
  raise(_fault: GuestFault): never {
    throw this.fault;
  }
}

/** A dispatcher, its guest, and what the guest's machine was asked. */
export class Bench {
  readonly clock: Clock = new Clock(1_000_000);
  readonly guest: FakeGuest = new FakeGuest(this.clock);
  readonly paravirt: Paravirt;
  readonly log: string[] = [];
  #watch: Parameters<DispatchHost["watch"]>[1] | undefined;

  constructor(backend: ParavirtBackend) {
    this.paravirt = new Paravirt(backend, () => ({
      clock: this.clock,
      cpus: 1,
      current: () => 0,
      onDeviceAccess: (): void => {},
      isRam: () => true,
      spend: () => {},
      a20: () => true,
      hasLocalTimer: false,
      localTimer: () => false,
      monitor: () => undefined,
      delivering: (): void => {},
      raiseTimer: (): void => void this.log.push(`timer ${this.clock.now}`),
      trace: (text): void => void this.log.push(`trace ${text}`),
      pass: (ticks): void => this.pass(ticks),
      stop: (name): void => void this.log.push(`stop ${name}`),
      kill: (call, code, eip): void => void this.log.push(`kill ${call} ${code} 0x${eip.toString(16)}`),
      watch: (_addresses, fn) => {
        this.#watch = fn;
        return () => this.#watch = undefined;
      },
    }));
    this.paravirt.attach();
    this.paravirt.reset();
    this.guest.rom = this.paravirt.rom.bytes;
  }

  /** Is a code hook installed? */
  get watched(): boolean {
    return this.#watch !== undefined;
  }

  /**
   * Calls a slot as a guest would, return address 0x500; runs traps and RET, and `native` in place of other code.
   * @returns EDX:EAX.
   */
  call(name: string, regs: Partial<Record<keyof typeof Reg, number>>, native: () => void = () => {}): bigint {
    const slot = this.paravirt.slot(name);
    for (const [r, v] of Object.entries(regs)) this.guest.setReg(Reg[r as keyof typeof Reg], v);
    this.guest.setReg(Reg.esp, STACK - 4);
    this.guest.write(STACK - 4, 0x500, 32);
    this.guest.eip = ROM_LINEAR + slot.at;
    for (const line of slot.lines) {
      if (this.guest.eip !== ROM_LINEAR + line.at) continue; // answered: skipped
      if (line.text === "vmcall") {
        this.guest.eip = ROM_LINEAR + line.at;
        this.paravirt.hypercall(this.guest);
        if (this.guest.eip === ROM_LINEAR + line.at) this.guest.eip += 3;
        continue;
      }
      this.#watch?.(this.guest, this.guest.eip, (n) => this.log.push(`stop ${n}`));
      if (this.guest.eip !== ROM_LINEAR + line.at) break; // overridden: back at the caller
      if (line.text === "ret") {
        this.guest.eip = 0x500;
        this.guest.setReg(Reg.esp, STACK);
        break;
      }
      native();
      this.guest.eip += line.bytes.length;
    }
    return BigInt(this.guest.reg(Reg.edx)) << 32n | BigInt(this.guest.reg(Reg.eax));
  }

  /** Lets virtual time pass, timers firing when due. */
  pass(ticks: number): void {
    const end = this.clock.now + ticks;
    while (this.clock.nextEvent <= end) {
      this.clock.advance(Math.max(0, this.clock.nextEvent - this.clock.now));
      this.clock.fireDue();
    }
    this.clock.advance(end - this.clock.now);
  }
}

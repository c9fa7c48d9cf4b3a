/**
 * 8254 programmable interval timer, with port 0x61, which holds the gate and output of counter 2, the speaker and the
 * refresh toggle. Counter 0 drives IRQ 0.
 *
 * A counter is never stepped: its state is the input cycle at which it was loaded, and count and output are computed
 * for "now". A timer is armed only for the next edge of output 0. Cycles come from exact integers (scaled_time.ts).
 *
 * Sources: Intel 8254 data sheet (231164); 82371SB data sheet for port 0x61. Warm.
 *
 * Not emulated: sound; NMI sources of port 0x61 (their enable bits are kept); gate 0 and 1 (tied high); a write of a
 * new count in modes 2 and 3 takes effect at the end of the period, in the others at the next input cycle.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Timer } from "../core/clock.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { takeFields } from "../core/sections.ts";
import { Notes } from "./notes.ts";
import { scaledTime } from "./scaled_time.ts";
import type { ScaledTime } from "./scaled_time.ts";
import { fieldsOf } from "./section.ts";

/** Input frequency in Hz: a third of the colour subcarrier's 3.579545 MHz. */
export const PIT_HZ = 1_193_182;

/** Options of {@linkcode pit8254}. */
export interface PitOptions {
  /** Interrupt line of counter 0; default 0. */
  readonly irq?: number;
}

/** One counter. Cycles are absolute input cycles. */
class Counter {
  mode = 0;
  access = 3;
  bcd = false;
  /** Counts to go; 0 was written as 0 and means 0x10000 (or 10000). */
  reload = 0x10000;
  nextReload = -1;
  /** Cycle at which counting began, -1: not counting yet (no count, or awaiting a trigger). */
  start = -1;
  /** Count when the gate went low (modes 0, 2, 3, 4); -1: running. */
  frozen = -1;
  gate = true;
  written = false;
  writeHigh = false;
  low = 0;
  readHigh = false;
  latched = -1;
  status = -1;

  get modulus(): number {
    return this.bcd ? 10000 : 0x10000;
  }

  /** Moves the beginning of the current period up to `now`. */
  sync(now: number): void {
    if (this.start < 0 || this.frozen >= 0 || (this.mode !== 2 && this.mode !== 3)) return;
    const passed = now - this.start;
    if (passed < this.reload) return;
    this.start += this.reload;
    if (this.nextReload > 0) {
      this.reload = this.nextReload;
      this.nextReload = -1;
    }
    const more = now - this.start;
    this.start += more - more % this.reload;
  }

  count(now: number): number {
    this.sync(now);
    if (this.start < 0) return this.reload % this.modulus;
    if (this.frozen >= 0) return this.frozen;
    const passed = now - this.start;
    if (this.mode === 2) return (this.reload - passed) % this.modulus;
    if (this.mode === 3) {
      const half = this.#high();
      const even = this.reload & ~1;
      const left = passed < half ? even - 2 * passed : even - 2 * (passed - half);
      return Math.max(2, left) % this.modulus;
    }
    const left = (this.reload - passed) % this.modulus;
    return left < 0 ? left + this.modulus : left;
  }

  out(now: number): boolean {
    this.sync(now);
    const idle = this.mode !== 0;
    if (this.start < 0) return idle;
    if (this.frozen >= 0) return idle;
    const passed = now - this.start;
    switch (this.mode) {
      case 2:
        return passed !== this.reload - 1 || this.reload === 1;
      case 3:
        return passed < this.#high();
      case 4:
      case 5:
        return passed !== this.reload;
      default:
        return passed >= this.reload;
    }
  }

  /** Cycle after `now` at which the output changes, or `Infinity`. */
  nextEdge(now: number): number {
    this.sync(now);
    if (this.start < 0 || this.frozen >= 0) return Infinity;
    const end = this.start + this.reload;
    switch (this.mode) {
      case 2:
        return now < end - 1 ? end - 1 : end;
      case 3: {
        const half = this.start + this.#high();
        return now < half ? half : end;
      }
      case 4:
      case 5:
        return now < end ? end : now === end ? end + 1 : Infinity;
      default:
        return now < end ? end : Infinity;
    }
  }

  setMode(value: number): void {
    const mode = (value >> 1) & 7;
    this.mode = mode > 5 ? mode - 4 : mode;
    this.access = (value >> 4) & 3;
    this.bcd = (value & 1) !== 0;
    this.start = this.frozen = this.nextReload = -1;
    this.written = this.writeHigh = this.readHigh = false;
    this.latched = this.status = -1;
  }

  setCount(value: number, now: number): void {
    const binary = this.bcd ? fromBcd(value) : value;
    let reload = binary === 0 ? this.modulus : binary;
    const periodic = this.mode === 2 || this.mode === 3;
    if (periodic && reload === 1) reload = this.mode === 2 ? 2 : this.modulus + 1;
    this.sync(now);
    const first = !this.written;
    this.written = true;
    if (periodic && this.start >= 0) {
      this.nextReload = reload;
      return;
    }
    if (this.mode === 1 || this.mode === 5) {
      if (first || this.start < 0) this.reload = reload;
      else this.nextReload = reload;
      return;
    }
    this.reload = reload;
    if (periodic && !this.gate) return;
    this.start = now + 1;
    this.frozen = this.gate ? -1 : reload % this.modulus;
  }

  setGate(high: boolean, now: number): void {
    if (high === this.gate) return;
    const count = this.count(now);
    this.gate = high;
    if (!this.written) return;
    if (this.mode === 1 || this.mode === 5) {
      if (high) this.#trigger(now);
    } else if (this.mode === 2 || this.mode === 3) {
      if (high) this.#trigger(now);
      else this.start = -1;
    } else if (high) {
      if (this.frozen >= 0) this.start = now + (this.frozen === 0 ? this.modulus : this.frozen) - this.reload;
      this.frozen = -1;
    } else if (now < this.start + this.reload) {
      this.frozen = count;
    }
  }

  latch(now: number): void {
    if (this.latched < 0) this.latched = this.#shown(now);
  }

  latchStatus(now: number): void {
    if (this.status >= 0) return;
    const none = !this.written || now < this.start || this.nextReload > 0;
    this.status = (this.out(now) ? 0x80 : 0) | (none ? 0x40 : 0) | (this.access << 4) | (this.mode << 1) |
      (this.bcd ? 1 : 0);
  }

  read(now: number): number {
    if (this.status >= 0) {
      const status = this.status;
      this.status = -1;
      return status;
    }
    const value = this.latched >= 0 ? this.latched : this.#shown(now);
    if (this.access === 3) {
      this.readHigh = !this.readHigh;
      if (this.readHigh) return value & 0xff;
      this.latched = -1;
      return value >> 8;
    }
    this.latched = -1;
    return this.access === 2 ? value >> 8 : value & 0xff;
  }

  write(value: number, now: number): void {
    if (this.access === 1) this.setCount(value, now);
    else if (this.access === 2) this.setCount(value << 8, now);
    else if (!this.writeHigh) {
      this.low = value;
      this.writeHigh = true;
      if (this.mode === 0) this.start = -1;
    } else {
      this.writeHigh = false;
      this.setCount((value << 8) | this.low, now);
    }
  }

  #trigger(now: number): void {
    if (this.nextReload > 0) this.reload = this.nextReload;
    this.nextReload = -1;
    this.start = now + 1;
  }

  /** Cycles for which mode 3 is high. */
  #high(): number {
    return (this.reload + 1) >> 1;
  }

  #shown(now: number): number {
    const count = this.count(now) & 0xffff;
    return this.bcd ? toBcd(count) : count;
  }
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(n: number): number {
  return (Math.floor(n / 1000) % 10) << 12 | (Math.floor(n / 100) % 10) << 8 | (Math.floor(n / 10) % 10) << 4 | n % 10;
}

class Pit implements Device {
  readonly name = "pit";
  readonly #counters = [new Counter(), new Counter(), new Counter()] as const;
  readonly #irqNumber: number;
  #host: DeviceHost | undefined;
  #time: ScaledTime = scaledTime(PIT_HZ, PIT_HZ);
  #timer: Timer | undefined;
  #irq: IrqLine | undefined;
  readonly #notes: Notes = new Notes("pit");
  #port61 = 0;
  #level = false;
  /** Cycles counted before the last edge: a pulse shorter than a tick is still seen. */
  #edge = 0;

  constructor(irq: number) {
    this.#irqNumber = irq;
  }

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#notes.attach(host);
    this.#time = scaledTime(host.clock.hz, PIT_HZ);
    this.#irq = host.irq(this.#irqNumber);
    this.#timer = host.clock.timer(this.name, () => this.#tick());
    host.ports.map(0x40, 4, this.name, {
      read: (port): number => this.#read(port & 3),
      write: (port, value): void => this.#write(port & 3, value & 0xff),
    });
    host.ports.map(0x61, 1, this.name, {
      read: (): number => this.#read61(),
      write: (_port, value): void => this.#write61(value),
    });
  }

  reset(): void {
    for (const c of this.#counters) Object.assign(c, new Counter());
    this.#counters[2].gate = false;
    this.#notes.reset();
    this.#port61 = 0;
    this.#edge = 0;
    this.#timer?.cancel();
    this.#drive(false);
  }

  save(): Section {
    const counters = this.#counters.map((c) => ({ ...c }));
    return { version: 1, fields: { counters, port61: this.#port61, edge: this.#edge, level: this.#level } };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as {
      counters: readonly object[];
      port61: number;
      edge: number;
      level: boolean;
    };
    this.#counters.forEach((c, i) => takeFields(c, f.counters[i]));
    this.#port61 = f.port61;
    this.#edge = f.edge;
    this.#drive(f.level);
  }

  #drive(level: boolean): void {
    this.#level = level;
    this.#irq?.set(level);
  }

  #now(): number {
    return this.#time.cycles(this.#host?.clock.now ?? 0);
  }

  #read(n: number): number {
    const counter = this.#counters[n as 0 | 1 | 2];
    return n === 3 || counter === undefined ? 0xff : counter.read(this.#now());
  }

  #write(n: number, value: number): void {
    const now = this.#now();
    if (n < 3) {
      this.#counters[n as 0 | 1 | 2].write(value, now);
    } else if (value >= 0xc0) {
      for (const [i, c] of this.#counters.entries()) {
        if ((value & (2 << i)) === 0) continue;
        if ((value & 0x20) === 0) c.latch(now);
        if ((value & 0x10) === 0) c.latchStatus(now);
      }
    } else {
      const counter = this.#counters[(value >> 6) as 0 | 1 | 2];
      if ((value & 0x30) === 0) counter.latch(now);
      else counter.setMode(value);
    }
    this.#arm(now);
  }

  #read61(): number {
    const now = this.#now();
    // Refresh requests come from counter 1 at 15 us: the toggle is computed, whatever the guest did to counter 1.
    const refresh = Math.floor(now / 18) & 1;
    return this.#port61 | (refresh << 4) | (this.#counters[2].out(now) ? 0x20 : 0);
  }

  #write61(value: number): void {
    this.#port61 = value & 0x0f;
    this.#notes.when((value & 3) === 3, "the speaker is on; it makes no sound");
    this.#counters[2].setGate((value & 1) !== 0, this.#now());
  }

  #tick(): void {
    const counter = this.#counters[0];
    const edge = this.#edge;
    // If ticks are coarser than cycles the edge's own cycle has passed already; look at the output at the edge itself.
    if (counter.start >= 0) {
      const high = counter.out(Math.max(edge, counter.start));
      if (high) this.#drive(false);
      this.#drive(high);
    }
    this.#arm(edge);
  }

  #arm(now: number): void {
    const counter = this.#counters[0];
    const high = counter.out(now);
    this.#drive(high);
    const edge = counter.nextEdge(now);
    if (edge === Infinity) return this.#timer?.cancel();
    this.#edge = edge;
    this.#timer?.armAt(this.#time.tick(edge));
  }
}

/** Makes the timer at ports 0x40 to 0x43 and 0x61. */
export function pit8254(options: PitOptions = {}): Device {
  return new Pit(options.irq ?? 0);
}

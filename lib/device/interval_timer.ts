/**
 * 8254 interval timer: channel 0 drives IRQ 0, channel 2 the speaker; port 0x61 gates it and shows its output. Counters
 * are not stepped: what they hold follows from virtual time. Sources: INTEL-8254. Warm.
 *
 * Not emulated: counting in BCD, retriggering by gate in modes 1 and 5, sound.
 */
import type { FieldValue, Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import type { Timer } from "../core/clock.ts";

/** Counts a second. */
export const PIT_HZ = 1_193_182;

interface Channel {
  mode: number;
  access: number;
  reload: number;
  /** Tick at which the counter was loaded; -1: not yet. */
  start: number;
  /** Latched count or -1; latched status or -1. */
  latch: number;
  status: number;
  /** Which byte is next in 16-bit access. */
  readHigh: boolean;
  writeHigh: boolean;
  low: number;
}

/** The timer. */
export class IntervalTimer implements Device {
  /** Name of the component. */
  readonly name: string = "pit";
  #channels: Channel[] = [fresh(), fresh(), fresh()];
  #gate = 0;
  #host: DeviceHost | undefined;
  #timer: Timer | undefined;

  /** Claims ports 0x40-0x43 and 0x61. */
  attach(host: DeviceHost): void {
    this.#host = host;
    const line = host.irq(0);
    this.#timer = host.clock.timer("pit0", () => {
      line.set(true);
      line.set(false);
      this.#arm();
    });
    host.ports.map(0x40, 4, this.name, {
      read: (port) => port === 0x43 ? 0xff : this.#read(this.#channels[port & 3]),
      write: (port, value) => port === 0x43 ? this.#control(value) : this.#write(port & 3, value),
    });
    host.ports.map(0x61, 1, this.name, {
      read: () => {
        const refresh = Math.floor(this.#now() * 66_667 / host.clock.hz) & 1;
        return this.#gate | (refresh << 4) | (this.#output(this.#channels[2]) ? 0x20 : 0);
      },
      write: (_port, value) => {
        if ((value & 1) !== 0 && (this.#gate & 1) === 0 && this.#channels[2].start >= 0) {
          this.#channels[2].start = this.#now();
        }
        this.#gate = value & 3;
      },
    });
  }

  /** Power-on state. */
  reset(): void {
    this.#channels = [fresh(), fresh(), fresh()];
    this.#gate = 0;
    this.#timer?.cancel();
  }

  /** Complete state. */
  save(): Section {
    const channels = this.#channels.map((c) => ({ ...c }) as { readonly [name: string]: FieldValue });
    return { version: 1, fields: { channels, gate: this.#gate } };
  }

  /** Restores; the armed alarm is the clock's. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Section pit has version ${section.version}, not 1`);
    }
    const f = section.fields as unknown as { channels: Channel[]; gate: number };
    this.#channels = f.channels.map((c) => ({ ...c }));
    this.#gate = f.gate;
  }

  #now(): number {
    return this.#host?.clock.now ?? 0;
  }

  /** Counts since the counter was loaded. */
  #counts(c: Channel): number {
    return Math.floor((this.#now() - c.start) * PIT_HZ / (this.#host?.clock.hz ?? 1));
  }

  #count(c: Channel): number {
    if (c.start < 0) return 0;
    const n = this.#counts(c);
    if (c.mode === 2) return c.reload - (n % c.reload);
    if (c.mode === 3) return (c.reload - (2 * n) % c.reload) & 0xfffe;
    return (c.reload - n) & 0xffff;
  }

  #output(c: Channel): boolean {
    if (c.start < 0) return c.mode !== 0;
    const n = this.#counts(c);
    if (c.mode === 2) return n % c.reload !== c.reload - 1;
    if (c.mode === 3) return n % c.reload < Math.ceil(c.reload / 2);
    if (c.mode === 4 || c.mode === 5) return n !== c.reload;
    return n >= c.reload;
  }

  #read(c: Channel): number {
    if (c.status >= 0) {
      const status = c.status;
      c.status = -1;
      return status;
    }
    const value = c.latch >= 0 ? c.latch : this.#count(c);
    const high = c.access === 2 || (c.access === 3 && c.readHigh);
    if (c.access === 3) c.readHigh = !c.readHigh;
    if (c.access !== 3 || !c.readHigh) c.latch = -1;
    return high ? (value >>> 8) & 0xff : value & 0xff;
  }

  #control(value: number): void {
    const select = value >>> 6;
    if (select === 3) {
      for (let i = 0; i < 3; i++) {
        const c = this.#channels[i];
        if ((value & (2 << i)) === 0) continue;
        if ((value & 0x20) === 0 && c.latch < 0) c.latch = this.#count(c);
        if ((value & 0x10) === 0 && c.status < 0) {
          c.status = (this.#output(c) ? 0x80 : 0) | (c.start < 0 ? 0x40 : 0) | (c.access << 4) | (c.mode << 1);
        }
      }
      return;
    }
    const c = this.#channels[select];
    const access = (value >>> 4) & 3;
    if (access === 0) {
      if (c.latch < 0) c.latch = this.#count(c);
      return;
    }
    if ((value & 1) !== 0) this.#host?.trace("pit", "BCD counting is not emulated; the counter counts in binary");
    const mode = (value >>> 1) & 7;
    Object.assign(c, fresh(), { access, mode: mode > 5 ? mode & 3 : mode });
    if (select === 0) this.#timer?.cancel();
  }

  #write(index: number, value: number): void {
    const c = this.#channels[index];
    if (c.access === 3 && !c.writeHigh) {
      c.low = value;
      c.writeHigh = true;
      return;
    }
    c.writeHigh = false;
    const count = c.access === 3 ? c.low | (value << 8) : c.access === 2 ? value << 8 : value;
    c.reload = count === 0 ? 0x10000 : count;
    c.start = this.#now();
    if (index === 0) this.#arm();
  }

  /** Sets the alarm for channel 0's next rising edge. */
  #arm(): void {
    const c = this.#channels[0];
    const { clock } = this.#host ?? {};
    if (clock === undefined || c.start < 0) return;
    const periodic = c.mode === 2 || c.mode === 3;
    const done = Math.floor(this.#counts(c) / c.reload);
    if (!periodic && done > 0) return;
    this.#timer?.armAt(Math.ceil(c.start + (done + 1) * c.reload * clock.hz / PIT_HZ));
  }
}

function fresh(): Channel {
  return {
    mode: 0,
    access: 3,
    reload: 0x10000,
    start: -1,
    latch: -1,
    status: -1,
    readHigh: false,
    writeHigh: false,
    low: 0,
  };
}

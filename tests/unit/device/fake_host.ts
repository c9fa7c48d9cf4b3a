/** A DeviceHost for unit tests: ports, MMIO, RAM, clock and lines that remember what happened. */
import type { GuestMemory, IrqLine, MmioHandler, PortHandler, Width } from "../../../lib/core/bus.ts";
import { Clock } from "../../../lib/core/clock.ts";
import type { Device, DeviceHost, PlatformRequest } from "../../../lib/core/device.ts";

/** The host. */
export class FakeHost implements DeviceHost {
  readonly clock: Clock;
  readonly ram: Uint8Array = new Uint8Array(1 << 20);
  readonly requests: PlatformRequest[] = [];
  readonly notes: string[] = [];
  readonly levels: boolean[] = [];
  readonly edges: number[] = [];
  a20 = true;
  #ports = new Map<number, PortHandler>();
  #mmio: { at: number; size: number; handler: MmioHandler }[] = [];

  constructor(hz = 100_000_000) {
    this.clock = new Clock(hz);
  }

  readonly ports = {
    map: (first: number, count: number, owner: string, handler: PortHandler): () => void => {
      for (let p = first; p < first + count; p++) {
        if (this.#ports.has(p)) throw new Error(`${owner}: port ${p} taken`);
        this.#ports.set(p, handler);
      }
      return (): void => {
        for (let p = first; p < first + count; p++) this.#ports.delete(p);
      };
    },
  };

  readonly mmio = {
    mapMmio: (at: number, size: number, _owner: string, handler: MmioHandler): () => void => {
      const entry = { at, size, handler };
      this.#mmio.push(entry);
      return (): void => {
        this.#mmio = this.#mmio.filter((e) => e !== entry);
      };
    },
  };

  readonly memory: GuestMemory = {
    readPhysical: (at: number, into: Uint8Array): number => {
      let done = 0;
      for (let i = 0; i < into.length; i++) {
        const inside = at + i < this.ram.length;
        into[i] = inside ? this.ram[at + i] ?? 0 : 0xff;
        if (inside) done++;
      }
      return done;
    },
    writePhysical: (at: number, from: Uint8Array): number => {
      let done = 0;
      for (let i = 0; i < from.length; i++) {
        if (at + i >= this.ram.length) continue;
        this.ram[at + i] = from[i] ?? 0;
        done++;
      }
      return done;
    },
  };

  irq(n: number): IrqLine {
    return {
      set: (level): void => {
        if (level && !this.levels[n]) this.edges[n] = (this.edges[n] ?? 0) + 1;
        this.levels[n] = level;
      },
    };
  }

  request(what: PlatformRequest): void {
    this.requests.push(what);
  }

  setA20(enabled: boolean): void {
    this.a20 = enabled;
  }

  trace(device: string, text: string): void {
    this.notes.push(`${device}: ${text}`);
  }

  unimplemented(device: string, what: string): void {
    this.notes.push(`${device}: unimplemented: ${what}`);
  }

  /** Attaches and resets. */
  add<T extends Device>(device: T): T {
    device.attach(this);
    device.reset();
    return device;
  }

  /** Reads a port as the guest would. */
  in(port: number, width: Width = 8): number {
    const handler = this.#ports.get(port);
    if (handler === undefined) return 0xffffffff >>> (32 - width);
    if (width === 8 || this.#whole(handler, port, width)) return handler.read(port, width) >>> 0;
    let value = 0;
    for (let i = 0; i < width; i += 8) value |= this.in(port + i / 8) << i;
    return value >>> 0;
  }

  /** Writes a port as the guest would. */
  out(port: number, value: number, width: Width = 8): void {
    const handler = this.#ports.get(port);
    if (handler === undefined) return;
    if (width === 8 || this.#whole(handler, port, width)) return handler.write(port, value >>> 0, width);
    for (let i = 0; i < width; i += 8) this.out(port + i / 8, (value >>> i) & 0xff);
  }

  /** As in a machine: one owner for all ports of a wide access. */
  #whole(handler: PortHandler, port: number, width: Width): boolean {
    return handler.widths?.includes(width) === true && this.#ports.get(port + width / 8 - 1) === handler;
  }

  /** Reads mapped memory. */
  readMmio(at: number, width: Width = 32): number {
    for (const m of this.#mmio) {
      if (at >= m.at && at < m.at + m.size) return m.handler.read(at - m.at, width) >>> 0;
    }
    return 0xffffffff;
  }

  /** Writes mapped memory. */
  writeMmio(at: number, value: number, width: Width = 32): void {
    for (const m of this.#mmio) {
      if (at >= m.at && at < m.at + m.size) return m.handler.write(at - m.at, value >>> 0, width);
    }
  }

  /** Lets time pass, firing timers exactly at their deadlines. */
  run(ticks: number): void {
    const end = this.clock.now + ticks;
    while (this.clock.nextEvent <= end) {
      this.clock.advance(Math.max(0, this.clock.nextEvent - this.clock.now));
      this.clock.fireDue();
    }
    this.clock.advance(end - this.clock.now);
  }
}

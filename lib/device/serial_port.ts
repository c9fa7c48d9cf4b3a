/**
 * 16550A serial port. What the guest sends is gone at once (the line is infinitely fast); what is typed to it waits in a
 * receive queue of 16 bytes. Sources: NS16550A. Warm.
 *
 * Not emulated: line speed, break, parity and framing errors, DMA mode.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";

/** The far end of the line. */
export interface SerialPeer {
  /** The guest sent a byte. */
  put(byte: number): void;
  /** How the far end sends: false when the queue is full. */
  connect(sink: (byte: number) => boolean): void;
  /** The queue has room again. */
  ready(): void;
}

const QUEUE = 16;

/** One port. */
export class SerialPort implements Device {
  /** Name of the component, e.g. `uart0`. */
  readonly name: string;
  readonly #port: number;
  readonly #irq: number;
  readonly #peer: SerialPeer;
  #line: IrqLine = { set: () => {} };
  #queue: number[] = [];
  #ier = 0;
  #lcr = 3;
  #mcr = 0;
  #scratch = 0;
  #divisor = 12;
  #fifo = 0;
  #sent = false;

  /** A port at `port` with interrupt `irq`, connected to `peer`. */
  constructor(name: string, port: number, irq: number, peer: SerialPeer) {
    this.name = name;
    this.#port = port;
    this.#irq = irq;
    this.#peer = peer;
  }

  /** Claims the ports. */
  attach(host: DeviceHost): void {
    this.#line = host.irq(this.#irq);
    host.ports.map(this.#port, 8, this.name, {
      read: (port) => this.#read(port & 7),
      write: (port, value) => this.#write(port & 7, value),
    });
    this.#peer.connect((byte) => this.#receive(byte));
  }

  /** Power-on state; what waits is lost. */
  reset(): void {
    this.#queue = [];
    this.#ier =
      this.#mcr =
      this.#scratch =
      this.#fifo =
        0;
    this.#lcr = 3;
    this.#divisor = 12;
    this.#sent = false;
    this.#update();
  }

  /** Complete state. */
  save(): Section {
    const registers = [this.#ier, this.#lcr, this.#mcr, this.#scratch, this.#divisor, this.#fifo];
    return { version: 1, fields: { registers, queue: [...this.#queue], sent: this.#sent } };
  }

  /** Restores. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Section ${this.name} has version ${section.version}, not 1`);
    }
    const f = section.fields as unknown as { registers: number[]; queue: number[]; sent: boolean };
    [this.#ier, this.#lcr, this.#mcr, this.#scratch, this.#divisor, this.#fifo] = f.registers;
    this.#queue = [...f.queue];
    this.#sent = f.sent;
  }

  #receive(byte: number): boolean {
    if (this.#queue.length >= QUEUE) return false;
    this.#queue.push(byte);
    this.#update();
    return true;
  }

  #read(n: number): number {
    const latch = (this.#lcr & 0x80) !== 0;
    switch (n) {
      case 0: {
        if (latch) return this.#divisor & 0xff;
        const byte = this.#queue.shift() ?? 0;
        this.#update();
        this.#peer.ready();
        return byte;
      }
      case 1:
        return latch ? this.#divisor >>> 8 : this.#ier;
      case 2: {
        const id = this.#cause();
        if (id === 2) this.#sent = false;
        this.#update();
        return id | (this.#fifo !== 0 ? 0xc0 : 0);
      }
      case 3:
        return this.#lcr;
      case 4:
        return this.#mcr;
      case 5:
        return 0x60 | (this.#queue.length > 0 ? 1 : 0);
      case 6: {
        if ((this.#mcr & 0x10) === 0) return 0xb0;
        const m = this.#mcr;
        return ((m & 1) << 5) | ((m & 2) << 3) | ((m & 4) << 4) | ((m & 8) << 4);
      }
      default:
        return this.#scratch;
    }
  }

  #write(n: number, value: number): void {
    const latch = (this.#lcr & 0x80) !== 0;
    if (n === 0 && latch) this.#divisor = (this.#divisor & 0xff00) | value;
    else if (n === 0) {
      this.#sent = true;
      if ((this.#mcr & 0x10) !== 0) this.#receive(value);
      else this.#peer.put(value);
    } else if (n === 1 && latch) this.#divisor = (this.#divisor & 0xff) | (value << 8);
    else if (n === 1) {
      if ((value & 2) !== 0 && (this.#ier & 2) === 0) this.#sent = true;
      this.#ier = value & 0xf;
    } else if (n === 2) {
      this.#fifo = value & 1;
      if ((value & 2) !== 0) this.#queue = [];
    } else if (n === 3) this.#lcr = value;
    else if (n === 4) this.#mcr = value & 0x1f;
    else if (n === 7) this.#scratch = value;
    this.#update();
  }

  /** Interrupt identification: 1 none, 4 data, 2 transmitter empty. */
  #cause(): number {
    if ((this.#ier & 1) !== 0 && this.#queue.length > 0) return 4;
    return (this.#ier & 2) !== 0 && this.#sent ? 2 : 1;
  }

  #update(): void {
    this.#line.set((this.#mcr & 8) !== 0 && this.#cause() !== 1);
  }
}

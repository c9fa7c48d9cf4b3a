/**
 * 16550A UART. Bytes the guest sends go to a callback, bytes for the guest wait in a bounded queue and enter the
 * receiver one at a time, at the programmed speed or as fast as the guest reads.
 *
 * Interrupt causes, by priority: line status, received data (or FIFO timeout), transmitter empty, modem status. IIR
 * reads clear a transmitter-empty cause that was the one shown.
 *
 * Sources: National Semiconductor PC16550D data sheet. Warm.
 *
 * Not emulated: parity and framing errors, DMA modes; overrun does not occur (the sender waits); word length masks
 * nothing; break is not sent.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Timer } from "../core/clock.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** Options of {@linkcode uart16550}. */
export interface UartOptions {
  /** Name in the machine; default `uart0`. */
  readonly name?: string;
  /** First of eight ports; default 0x3f8. */
  readonly port?: number;
  /** Interrupt line; default 4. */
  readonly irq?: number;
  /** `instant` (default): the transmitter is empty at once; `baud`: bytes take their time on the wire. */
  readonly timing?: "instant" | "baud";
  /** Receives every byte the guest sends. */
  readonly onByte?: (byte: number) => void;
  /** Most bytes that {@linkcode Uart.feed} keeps waiting; default 1 MiB. */
  readonly queue?: number;
}

/** A UART and its wire. */
export interface Uart extends Device {
  /**
   * Appends bytes for the guest to receive.
   * @throws {ConfigError} uart-queue: more bytes wait than the option `queue` allows.
   */
  feed(bytes: Uint8Array): void;
  /** Bytes fed that the guest's receiver has not taken yet. */
  readonly waiting: number;
  /** Receives every byte the guest sends; may be replaced at any time. */
  onByte: ((byte: number) => void) | undefined;
}

const FIFO = 16;
const TRIGGER = [1, 4, 8, 14] as const;
/** Input crystal divided by 16: baud at divisor 1. */
const BAUD = 115200;

class Uart16550 implements Uart {
  readonly name: string;
  onByte: ((byte: number) => void) | undefined;
  readonly #port: number;
  readonly #irqNumber: number;
  readonly #instant: boolean;
  readonly #limit: number;
  readonly #notes: Notes;
  #host: DeviceHost | undefined;
  #irq: IrqLine | undefined;
  #txTimer: Timer | undefined;
  #rxTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #s = powerOn();
  #fifo: number[] = [];
  #out: number[] = [];
  #queue: number[] = [];
  #head = 0;

  constructor(o: UartOptions) {
    this.name = o.name ?? "uart0";
    this.#port = o.port ?? 0x3f8;
    this.#irqNumber = o.irq ?? 4;
    this.#instant = (o.timing ?? "instant") === "instant";
    this.#limit = o.queue ?? 1 << 20;
    this.onByte = o.onByte;
    this.#notes = new Notes(this.name);
  }

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#notes.attach(host);
    this.#irq = host.irq(this.#irqNumber);
    this.#txTimer = host.clock.timer(`${this.name}.tx`, () => this.#sent());
    this.#rxTimer = host.clock.timer(`${this.name}.rx`, () => this.#receive());
    this.#idleTimer = host.clock.timer(`${this.name}.idle`, () => {
      if (this.#fifo.length > 0) this.#s.timeout = true;
      this.#update();
    });
    host.ports.map(this.#port, 8, this.name, {
      read: (port): number => this.#read(port - this.#port),
      write: (port, value): void => this.#write(port - this.#port, value & 0xff),
    });
  }

  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  feed(bytes: Uint8Array): void {
    if (this.waiting + bytes.length > this.#limit) {
      throw new ConfigError(
        "uart-queue",
        `${this.name} has ${this.waiting} bytes waiting, ${bytes.length} more exceed its queue of ${this.#limit}; ` +
          "let the guest run between feeds or raise the option queue",
      );
    }
    for (const b of bytes) this.#queue.push(b);
    this.#schedule();
  }

  reset(): void {
    this.#notes.reset();
    this.#s = powerOn();
    this.#fifo = [];
    this.#out = [];
    for (const t of [this.#txTimer, this.#rxTimer, this.#idleTimer]) t?.cancel();
    this.#update();
    this.#schedule();
  }

  save(): Section {
    return {
      version: 1,
      fields: {
        registers: { ...this.#s },
        fifo: Uint8Array.from(this.#fifo),
        out: Uint8Array.from(this.#out),
        queue: Uint8Array.from(this.#queue.slice(this.#head)),
      },
    };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as {
      registers: Partial<State>;
      fifo: Uint8Array;
      out: Uint8Array;
      queue: Uint8Array;
    };
    this.#s = { ...powerOn(), ...f.registers };
    this.#fifo = Array.from(f.fifo);
    this.#out = Array.from(f.out);
    this.#queue = Array.from(f.queue);
    this.#head = 0;
    this.#update();
  }

  /** Ticks one character takes on the wire. */
  #characterTicks(): number {
    const s = this.#s;
    const bits = 1 + 5 + (s.lcr & 3) + ((s.lcr & 4) !== 0 ? 2 : 1) + ((s.lcr & 8) !== 0 ? 1 : 0);
    return Math.max(1, Math.ceil((this.#host?.clock.hz ?? 1) * bits * (s.divisor || 0x10000) / BAUD));
  }

  #read(register: number): number {
    const s = this.#s;
    const divisor = (s.lcr & 0x80) !== 0;
    switch (register) {
      case 0:
        return divisor ? s.divisor & 0xff : this.#take();
      case 1:
        return divisor ? s.divisor >> 8 : s.ier;
      case 2: {
        const cause = this.#cause();
        if (cause === 2) {
          s.thre = false;
          this.#update();
        }
        return cause | (s.enabled ? 0xc0 : 0);
      }
      case 3:
        return s.lcr;
      case 4:
        return s.mcr;
      case 5: {
        const lsr = this.#lsr();
        s.errors = 0;
        this.#update();
        return lsr;
      }
      case 6: {
        const msr = this.#modem() | s.delta;
        s.delta = 0;
        this.#update();
        return msr;
      }
      default:
        return s.scratch;
    }
  }

  #write(register: number, value: number): void {
    const s = this.#s;
    if (register < 2 && (s.lcr & 0x80) !== 0) {
      s.divisor = register === 0 ? (s.divisor & 0xff00) | value : (s.divisor & 0xff) | (value << 8);
      return;
    }
    switch (register) {
      case 0:
        return this.#send(value);
      case 1:
        // Enabling the transmitter interrupt while the register is empty raises it at once.
        if ((value & ~s.ier & 2) !== 0 && this.#out.length === 0) s.thre = true;
        s.ier = value & 0x0f;
        break;
      case 2:
        this.#fifoControl(value);
        break;
      case 3:
        this.#notes.when((value & 0x40) !== 0, "a break is not sent");
        s.lcr = value;
        break;
      case 4:
        this.#modemControl(value & 0x1f);
        break;
      case 7:
        s.scratch = value;
    }
    this.#update();
  }

  #fifoControl(value: number): void {
    const s = this.#s;
    const enabled = (value & 1) !== 0;
    this.#notes.when(enabled && (value & 8) !== 0, "DMA mode 1 has no effect: no DMA lines are wired");
    if (enabled !== s.enabled || (value & 2) !== 0) {
      this.#fifo = [];
      s.timeout = false;
    }
    if (enabled !== s.enabled || (value & 4) !== 0) {
      this.#out = this.#out.slice(0, s.shifting ? 1 : 0);
      s.thre = true;
    }
    s.enabled = enabled;
    s.trigger = enabled ? TRIGGER[(value >> 6) as 0 | 1 | 2 | 3] : 1;
    this.#schedule();
  }

  #modemControl(value: number): void {
    const s = this.#s;
    const before = this.#modem();
    s.mcr = value;
    const now = this.#modem();
    s.delta |= ((before ^ now) >> 4) & 0x0b;
    if ((before & ~now & 0x40) !== 0) s.delta |= 4;
    this.#schedule();
  }

  #send(value: number): void {
    const s = this.#s;
    if ((s.lcr & 3) !== 3) this.#notes.once(`words of ${5 + (s.lcr & 3)} bits go out as bytes`);
    s.thre = false;
    this.#update();
    if (this.#instant) {
      this.#deliver(value);
      s.thre = true;
      return this.#update();
    }
    // A full FIFO loses the byte, as the part does.
    if (this.#out.length < (s.enabled ? FIFO + 1 : 2)) this.#out.push(value);
    if (!s.shifting) this.#shift();
    this.#update();
  }

  #shift(): void {
    const s = this.#s;
    s.shifting = this.#out.length > 0;
    if (!s.shifting) return;
    if (this.#out.length === 1) s.thre = true;
    this.#txTimer?.armAt((this.#host?.clock.now ?? 0) + this.#characterTicks());
  }

  #sent(): void {
    const byte = this.#out.shift();
    if (byte !== undefined) this.#deliver(byte);
    this.#shift();
    this.#update();
  }

  #deliver(byte: number): void {
    if ((this.#s.mcr & 0x10) === 0) this.onByte?.(byte);
    else if (this.#fifo.length < (this.#s.enabled ? FIFO : 1)) this.#arrived(byte);
    else this.#s.errors |= 2;
  }

  #schedule(): void {
    if ((this.#s.mcr & 0x10) !== 0 || this.waiting === 0 || this.#rxTimer === undefined) return;
    if (this.#rxTimer.deadline !== Infinity || this.#fifo.length >= (this.#s.enabled ? FIFO : 1)) return;
    this.#rxTimer.armAt((this.#host?.clock.now ?? 0) + (this.#instant ? 1 : this.#characterTicks()));
  }

  #receive(): void {
    if ((this.#s.mcr & 0x10) !== 0) return;
    const room = (this.#s.enabled ? FIFO : 1) - this.#fifo.length;
    const count = Math.min(room, this.waiting, this.#instant ? FIFO : 1);
    for (let i = 0; i < count; i++) this.#arrived(this.#queue[this.#head++] ?? 0);
    if (this.#head > 4096 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#schedule();
  }

  #arrived(byte: number): void {
    this.#fifo.push(byte);
    this.#armIdle();
    this.#update();
  }

  #take(): number {
    const byte = this.#fifo.shift();
    this.#s.timeout = false;
    this.#armIdle();
    this.#schedule();
    this.#update();
    return byte ?? 0;
  }

  /** Four characters without traffic while bytes below the trigger level wait: timeout. */
  #armIdle(): void {
    if (!this.#s.enabled || this.#fifo.length === 0) this.#idleTimer?.cancel();
    else this.#idleTimer?.armAt((this.#host?.clock.now ?? 0) + 4 * this.#characterTicks());
  }

  #lsr(): number {
    const s = this.#s;
    const waiting = this.#out.length - (s.shifting ? 1 : 0);
    return (this.#fifo.length > 0 ? 1 : 0) | s.errors | (waiting === 0 ? 0x20 : 0) |
      (this.#out.length === 0 ? 0x40 : 0);
  }

  /** CTS, DSR, RI, DCD: a cable to a machine that is always ready, or the looped-back outputs. */
  #modem(): number {
    const mcr = this.#s.mcr;
    if ((mcr & 0x10) === 0) return 0xb0;
    return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
  }

  /** Low nibble of IIR. */
  #cause(): number {
    const s = this.#s;
    if ((s.ier & 4) !== 0 && s.errors !== 0) return 6;
    if ((s.ier & 1) !== 0) {
      if (this.#fifo.length >= s.trigger) return 4;
      if (s.timeout) return 0x0c;
    }
    if ((s.ier & 2) !== 0 && s.thre) return 2;
    if ((s.ier & 8) !== 0 && s.delta !== 0) return 0;
    return 1;
  }

  /** OUT2 gates the interrupt on a PC; in loopback the pin is inactive, but chips are tested with it passing. */
  #update(): void {
    this.#irq?.set(this.#cause() !== 1 && (this.#s.mcr & 8) !== 0);
  }
}

interface State {
  ier: number;
  lcr: number;
  mcr: number;
  scratch: number;
  divisor: number;
  errors: number;
  delta: number;
  trigger: number;
  enabled: boolean;
  thre: boolean;
  timeout: boolean;
  shifting: boolean;
}

function powerOn(): State {
  return {
    ier: 0,
    lcr: 0,
    mcr: 0,
    scratch: 0,
    divisor: 12,
    errors: 0,
    delta: 0,
    trigger: 1,
    enabled: false,
    thre: true,
    timeout: false,
    shifting: false,
  };
}

/** Makes a UART; by default COM1. */
export function uart16550(options: UartOptions = {}): Uart {
  return new Uart16550(options);
}

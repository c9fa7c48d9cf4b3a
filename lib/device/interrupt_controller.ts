/**
 * Two 8259A interrupt controllers as on a PC: master at 0x20, slave at 0xa0 on the master's input 2, edge/level registers
 * at 0x4d0. A request is latched on a rising edge, or follows the line where the input is level-triggered; it is
 * delivered when unmasked and above everything in service. Sources: INTEL-8259A. Warm.
 *
 * Not emulated: polled reading, special mask mode, special fully nested mode, buffered mode, 8080 mode.
 */
import type { InterruptController, IrqLine } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";

/** Saved state of one chip, in this order. */
const FIELDS = ["irr", "isr", "imr", "lines", "level", "base", "step", "auto", "readIsr", "lowest", "four"] as const;

class Chip {
  irr = 0;
  isr = 0;
  imr = 0;
  lines = 0;
  level = 0;
  base = 0;
  /** Initialisation word expected next: 0 none, 2, 3, 4. */
  step = 0;
  auto = 0;
  readIsr = 0;
  lowest = 7;
  four = 0;

  reset(): void {
    for (const f of FIELDS) this[f] = 0;
    this.lowest = 7;
  }

  set(n: number, on: boolean): void {
    const bit = 1 << n;
    if ((this.level & bit) !== 0) this.irr = on ? this.irr | bit : this.irr & ~bit;
    else if (on && (this.lines & bit) === 0) this.irr |= bit;
    this.lines = on ? this.lines | bit : this.lines & ~bit;
  }

  /** Input to deliver, or -1. */
  best(): number {
    const wanted = this.irr & ~this.imr;
    if (wanted === 0) return -1;
    for (let i = 1; i <= 8; i++) {
      const n = (this.lowest + i) & 7;
      if ((this.isr & (1 << n)) !== 0) return -1;
      if ((wanted & (1 << n)) !== 0) return n;
    }
    return -1;
  }

  take(n: number): void {
    const bit = 1 << n;
    if ((this.level & bit) === 0) this.irr &= ~bit;
    if (this.auto === 0) this.isr |= bit;
  }

  read(odd: boolean): number {
    if (odd) return this.imr;
    return this.readIsr !== 0 ? this.isr : this.irr;
  }

  write(odd: boolean, value: number): void {
    if (odd) this.#data(value);
    else if ((value & 0x10) !== 0) this.#begin(value);
    else if ((value & 0x08) !== 0) {
      if ((value & 2) !== 0) this.readIsr = value & 1;
    } else this.#end(value);
  }

  #begin(value: number): void {
    this.imr =
      this.isr =
      this.irr =
      this.auto =
      this.readIsr =
        0;
    this.lowest = 7;
    this.four = value & 1;
    this.step = 2;
  }

  #data(value: number): void {
    if (this.step === 2) {
      this.base = value & 0xf8;
      this.step = 3;
    } else if (this.step === 3) this.step = this.four !== 0 ? 4 : 0;
    else if (this.step === 4) {
      this.auto = (value >>> 1) & 1;
      this.step = 0;
    } else this.imr = value;
  }

  /** End of interrupt and rotation commands. */
  #end(value: number): void {
    const command = value >>> 5;
    let n = value & 7;
    if (command === 1 || command === 5) {
      n = -1;
      for (let i = 1; i <= 8 && n < 0; i++) {
        if ((this.isr & (1 << ((this.lowest + i) & 7))) !== 0) n = (this.lowest + i) & 7;
      }
      if (n < 0) return;
    }
    if (command === 1 || command === 3 || command === 5 || command === 7) this.isr &= ~(1 << n);
    if (command === 5 || command === 6 || command === 7) this.lowest = n;
  }
}

/** Both controllers. */
export class InterruptControllers implements Device, InterruptController {
  /** Name of the component. */
  readonly name: string = "pic";
  readonly #master: Chip = new Chip();
  readonly #slave: Chip = new Chip();
  #pending = false;
  #changed: () => void = () => {};

  /** Is an interrupt to be taken? */
  get pending(): boolean {
    return this.#pending;
  }

  /** `fn` is called when {@linkcode InterruptControllers.pending} became true. */
  listen(fn: () => void): void {
    this.#changed = fn;
  }

  /** Input `n`, 0-15; others lead nowhere. */
  line(n: number): IrqLine {
    if (n < 0 || n > 15 || n === 2) return { set: () => {} };
    const chip = n < 8 ? this.#master : this.#slave;
    return {
      set: (on) => {
        chip.set(n & 7, on);
        this.#update();
      },
    };
  }

  /** See {@linkcode InterruptController.acknowledge}; a request that went away gives the spurious input 7. */
  acknowledge(): number {
    const n = this.#master.best();
    if (n < 0) return this.#master.base + 7;
    this.#master.take(n);
    let vector = this.#master.base + n;
    if (n === 2) {
      const m = this.#slave.best();
      if (m >= 0) this.#slave.take(m);
      vector = this.#slave.base + (m < 0 ? 7 : m);
    }
    this.#update();
    return vector;
  }

  /** Claims the ports. */
  attach(host: DeviceHost): void {
    const pair = (first: number, chip: Chip): void => {
      host.ports.map(first, 2, this.name, {
        read: (port) => chip.read((port & 1) !== 0),
        write: (port, value) => {
          chip.write((port & 1) !== 0, value);
          this.#update();
        },
      });
    };
    pair(0x20, this.#master);
    pair(0xa0, this.#slave);
    host.ports.map(0x4d0, 2, this.name, {
      read: (port) => (port & 1) === 0 ? this.#master.level : this.#slave.level,
      write: (port, value) => {
        if ((port & 1) === 0) this.#master.level = value & 0xf8;
        else this.#slave.level = value & 0xde;
      },
    });
  }

  /** Power-on state. */
  reset(): void {
    this.#master.reset();
    this.#slave.reset();
    this.#update();
  }

  /** Complete state. */
  save(): Section {
    const of = (chip: Chip): number[] => FIELDS.map((f) => chip[f]);
    return { version: 1, fields: { master: of(this.#master), slave: of(this.#slave) } };
  }

  /** Restores. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Section pic has version ${section.version}, not 1`);
    }
    const f = section.fields as { master: number[]; slave: number[] };
    FIELDS.forEach((name, i) => {
      this.#master[name] = f.master[i];
      this.#slave[name] = f.slave[i];
    });
    this.#update();
  }

  #update(): void {
    this.#master.level &= ~4;
    const on = this.#slave.best() >= 0;
    // The cascade input follows the slave's output.
    this.#master.irr = on ? this.#master.irr | 4 : this.#master.irr & ~4;
    const pending = this.#master.best() >= 0;
    const rose = pending && !this.#pending;
    this.#pending = pending;
    if (rose) this.#changed();
  }
}

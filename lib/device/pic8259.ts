/**
 * 8259A pair: the PC's two interrupt controllers, cascaded on line 2, with the ELCR of the chip sets that came later.
 *
 * Requests of an edge-triggered line are latched while the line stays high (the 8259A needs the level until the
 * acknowledge: else the acknowledge is spurious, 7 or 15). {@linkcode Pic8259.acknowledge} is both INTA pulses.
 *
 * Sources: Intel 8259A data sheet (231468), 82371SB (PIIX3) data sheet for ELCR. Warm.
 *
 * Not emulated: 8080/85 mode (ICW1, ICW4 are taken as 8086), buffered mode (accepted, without effect).
 */
import type { InterruptController, InterruptListener, IrqLine } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { takeFields } from "../core/sections.ts";
import { Notes } from "./notes.ts";

/** The pair as a device and as what the CPU (or a local APIC's LINT0) asks for vectors. */
export interface Pic8259 extends Device, InterruptController {
  /** Input line 0-15 (2 is the cascade and ignores its input). */
  line(n: number): IrqLine;
  /** Tells `listener` whenever `pending` may have changed. */
  onChange(listener: InterruptListener): void;
  /** True if line `n` is level-triggered (ELCR). */
  isLevel(n: number): boolean;
}

/** Options of {@linkcode pic8259}. */
export interface PicOptions {
  /** Lines that are level-triggered from power-on (ELCR), a bit each, as firmware would leave them; default none. */
  readonly level?: number;
}

const CASCADE = 2;
/** ELCR bits that exist: IRQ 0-2, 8 and 13 are always edge-triggered. */
const ELCR_MASK = [0xf8, 0xde] as const;

/** One 8259A. */
class Chip {
  irr = 0;
  isr = 0;
  imr = 0;
  lines = 0;
  elcr = 0;
  vector = 0;
  lowest = 7;
  initStep = 0;
  needIcw4 = false;
  single = false;
  levelMode = false;
  autoEoi = false;
  rotateAeoi = false;
  specialMask = false;
  nested = false;
  readIsr = false;
  poll = false;

  readonly master: boolean;

  constructor(master: boolean) {
    this.master = master;
  }

  reset(): void {
    this.irr =
      this.isr =
      this.imr =
      this.vector =
      this.initStep =
        0;
    this.elcr = 0;
    this.lowest = 7;
    this.needIcw4 =
      this.single =
      this.levelMode =
      this.autoEoi =
      this.rotateAeoi =
        false;
    this.specialMask =
      this.nested =
      this.readIsr =
      this.poll =
        false;
  }

  level(bit: number): boolean {
    return this.levelMode || (this.elcr & bit) !== 0;
  }

  set(n: number, high: boolean): void {
    const bit = 1 << n;
    const was = (this.lines & bit) !== 0;
    if (high) {
      this.lines |= bit;
      if (this.level(bit) || !was) this.irr |= bit;
    } else {
      this.lines &= ~bit;
      this.irr &= ~bit;
    }
  }

  /** Line of the highest-priority request that may interrupt, or -1. */
  best(): number {
    const requests = this.irr & ~this.imr;
    if (requests === 0) return -1;
    const blocking = this.specialMask ? this.isr & ~this.imr : this.isr;
    for (let i = 1; i <= 8; i++) {
      const n = (this.lowest + i) & 7;
      const bit = 1 << n;
      const own = this.nested && this.master && n === CASCADE;
      if ((requests & bit) !== 0 && (this.isr & bit) === 0) return n;
      if ((requests & bit) !== 0 && own) return n;
      if ((blocking & bit) !== 0 && !this.specialMask) return -1;
    }
    return -1;
  }

  /** Moves line `n` into service. */
  accept(n: number): void {
    const bit = 1 << n;
    if (!this.level(bit)) this.irr &= ~bit;
    if (!this.autoEoi) this.isr |= bit;
    else if (this.rotateAeoi) this.lowest = n;
  }

  /** Line of the highest-priority interrupt in service, or -1. In special mask mode masked ones are passed over. */
  inService(): number {
    const isr = this.specialMask ? this.isr & ~this.imr : this.isr;
    for (let i = 1; i <= 8; i++) {
      const n = (this.lowest + i) & 7;
      if ((isr & (1 << n)) !== 0) return n;
    }
    return -1;
  }

  command(value: number): void {
    if ((value & 0x10) !== 0) this.#icw1(value);
    else if ((value & 0x08) !== 0) this.#ocw3(value);
    else this.#ocw2(value);
  }

  data(value: number): void {
    if (this.initStep === 0) {
      this.imr = value;
    } else if (this.initStep === 2) {
      this.vector = value & 0xf8;
      this.initStep = !this.single ? 3 : this.needIcw4 ? 4 : 0;
    } else if (this.initStep === 3) {
      this.initStep = this.needIcw4 ? 4 : 0;
    } else {
      this.autoEoi = (value & 2) !== 0;
      this.nested = (value & 0x10) !== 0;
      this.initStep = 0;
    }
  }

  #icw1(value: number): void {
    this.needIcw4 = (value & 1) !== 0;
    this.single = (value & 2) !== 0;
    this.levelMode = (value & 8) !== 0;
    this.imr = this.isr = 0;
    let levels = 0;
    for (let n = 0; n < 8; n++) if (this.level(1 << n)) levels |= 1 << n;
    this.irr = this.lines & levels;
    this.lowest = 7;
    this.autoEoi =
      this.rotateAeoi =
      this.specialMask =
      this.nested =
      this.readIsr =
      this.poll =
        false;
    this.initStep = 2;
  }

  #ocw3(value: number): void {
    if ((value & 0x40) !== 0) this.specialMask = (value & 0x20) !== 0;
    if ((value & 0x04) !== 0) this.poll = true;
    else if ((value & 0x02) !== 0) this.readIsr = (value & 1) !== 0;
  }

  #ocw2(value: number): void {
    const n = value & 7;
    switch (value >> 5) {
      case 0:
        this.rotateAeoi = false;
        return;
      case 4:
        this.rotateAeoi = true;
        return;
      case 6:
        this.lowest = n;
        return;
      case 2:
        return;
    }
    const specific = (value & 0x40) !== 0;
    const done = specific ? n : this.inService();
    if (done < 0) return;
    this.isr &= ~(1 << done);
    if ((value & 0x80) !== 0) this.lowest = done;
  }

  save(): Section["fields"] {
    const { irr, isr, imr, lines, elcr, vector, lowest, initStep } = this;
    const { needIcw4, single, levelMode, autoEoi, rotateAeoi, specialMask, nested, readIsr, poll } = this;
    return {
      irr,
      isr,
      imr,
      lines,
      elcr,
      vector,
      lowest,
      initStep,
      needIcw4,
      single,
      levelMode,
      autoEoi,
      rotateAeoi,
      specialMask,
      nested,
      readIsr,
      poll,
    };
  }
}

class Pair implements Pic8259 {
  readonly name = "pic";
  readonly #chips: readonly [Chip, Chip] = [new Chip(true), new Chip(false)];
  readonly #notes: Notes = new Notes("pic");
  #listeners: InterruptListener[] = [];
  readonly #level: number;

  constructor(o: PicOptions) {
    this.#level = o.level ?? 0;
  }

  attach(host: DeviceHost): void {
    this.#notes.attach(host);
    for (const which of [0, 1] as const) {
      host.ports.map(which === 0 ? 0x20 : 0xa0, 2, this.name, {
        read: (port): number => this.#read(which, port & 1),
        write: (port, value): void => this.#write(which, port & 1, value & 0xff),
      });
      host.ports.map(0x4d0 + which, 1, this.name, {
        read: (): number => this.#chips[which].elcr,
        write: (_port, value): void => {
          this.#chips[which].elcr = value & ELCR_MASK[which];
          this.#changed();
        },
      });
    }
  }

  line(n: number): IrqLine {
    const which = n < 8 ? 0 : 1;
    return {
      set: (level): void => {
        if (n === CASCADE || n < 0 || n > 15) return;
        this.#chips[which].set(n & 7, level);
        this.#changed();
      },
    };
  }

  onChange(listener: InterruptListener): void {
    this.#listeners.push(listener);
  }

  isLevel(n: number): boolean {
    return this.#chips[n < 8 ? 0 : 1].level(1 << (n & 7));
  }

  get pending(): boolean {
    return this.#chips[0].initStep === 0 && this.#chips[0].best() >= 0;
  }

  acknowledge(): number {
    const [master, slave] = this.#chips;
    const n = master.best();
    if (n < 0) return master.vector | 7;
    master.accept(n);
    let vector = master.vector | n;
    if (n === CASCADE) {
      const m = slave.best();
      if (m >= 0) slave.accept(m);
      vector = slave.vector | (m < 0 ? 7 : m);
    }
    this.#changed();
    return vector;
  }

  reset(): void {
    for (const chip of this.#chips) chip.reset();
    this.#notes.reset();
    for (const i of [0, 1] as const) this.#chips[i].elcr = (this.#level >> (8 * i)) & ELCR_MASK[i];
    this.#changed();
  }

  save(): Section {
    return { version: 1, fields: { master: this.#chips[0].save(), slave: this.#chips[1].save() } };
  }

  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Section "pic" has version ${section.version}, this library reads 1`);
    }
    const f = section.fields as { master: object; slave: object };
    const names = Object.keys(this.#chips[0].save());
    takeFields(this.#chips[0], f.master, names);
    takeFields(this.#chips[1], f.slave, names);
    for (const listener of this.#listeners) listener();
  }

  #read(which: 0 | 1, data: number): number {
    const chip = this.#chips[which];
    if (chip.poll) {
      chip.poll = false;
      const n = chip.best();
      if (n < 0) return 0;
      chip.accept(n);
      this.#changed();
      return 0x80 | n;
    }
    if (data === 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  #write(which: 0 | 1, data: number, value: number): void {
    const chip = this.#chips[which];
    const isIcw4 = data === 1 && chip.initStep === 4, isIcw1 = data === 0 && (value & 0x10) !== 0;
    const is8080 = isIcw4 && (value & 1) === 0 || isIcw1 && (value & 1) === 0;
    this.#notes.when(is8080, "8080/85 mode is not emulated, vectors are those of an 8086");
    this.#notes.when(isIcw4 && (value & 8) !== 0, "buffered mode has no effect");
    if (data === 1) chip.data(value);
    else chip.command(value);
    this.#changed();
  }

  /** The slave's output drives the master's line 2, which always follows the level. */
  #changed(): void {
    const [master, slave] = this.#chips;
    const out = slave.initStep === 0 && slave.best() >= 0;
    if (out) {
      master.lines |= 1 << CASCADE;
      master.irr |= 1 << CASCADE;
    } else {
      master.lines &= ~(1 << CASCADE);
      master.irr &= ~(1 << CASCADE);
    }
    for (const listener of this.#listeners) listener();
  }
}

/** Makes the pair at ports 0x20, 0xA0 and 0x4D0. */
export function pic8259(options: PicOptions = {}): Pic8259 {
  return new Pair(options);
}

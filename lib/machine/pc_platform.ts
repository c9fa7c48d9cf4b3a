/**
 * The interrupt routing of a PC with any number of CPUs: two 8259A, a local APIC a CPU, one IO-APIC, joined by a hub.
 *
 * Without anyone setting up APICs the 8259A pair reaches the first CPU through LINT0 ("virtual wire"), which is what a
 * BIOS leaves behind: so one description serves guests that know APICs and guests that do not. Sources: Intel MP
 * Specification 1.4, section 3.6.2; AT-TECHREF for the coprocessor's line 13 and port 0xF0. Cold.
 */
import type { InterruptController, IrqLine } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Cpu } from "../core/cpu.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { type IoApic, ioApic } from "../device/io_apic.ts";
import { type IrqHub, irqHub } from "../device/irq_hub.ts";
import { type LocalApics, localApics } from "../device/local_apic.ts";
import { type Pic8259, pic8259 } from "../device/pic8259.ts";
import { fieldsOf } from "../device/section.ts";
import type { Platform } from "./platform.ts";

/** A message that one local APIC sends to CPU `cpu` and that is no interrupt. `vector` is the page of a start-up. */
export type ApicMessage = (cpu: number, what: "init" | "startup" | "nmi", vector: number) => void;

/** Lines of a PC: those of the 8259A pair, and of PCI at the IO-APIC. */
const LINES = 24;
/** Line of the coprocessor's error. */
const FERR_LINE = 13;
/** Writing here ends the coprocessor's request. */
const FERR_PORT = 0xf0;

/** Interrupt routing of a PC. */
export class PcPlatform implements Platform {
  /** The 8259A pair. */
  readonly pic: Pic8259;
  /** Local APICs of all CPUs. */
  readonly apics: LocalApics;
  /** The IO-APIC. */
  readonly ioApic: IoApic;
  /** To be given to the machine last of all devices: when a snapshot is restored, lines settle before they load. */
  readonly devices: readonly Device[];
  /** Who gets INIT, start-up and NMI messages; set by {@linkcode PcPlatform.connect}. */
  onMessage: ApicMessage = () => {};
  readonly #hub: IrqHub;
  readonly #coprocessor: CoprocessorLine = new CoprocessorLine();
  #current: () => number = () => 0;

  /** Makes one. @param cpus Number of CPUs. @param level Lines that are level-triggered from power-on, a bit each. */
  constructor(cpus = 1, level?: number) {
    this.pic = pic8259(level === undefined ? {} : { level });
    this.apics = localApics({
      cpus,
      current: () => this.#current(),
      pic: this.pic,
      virtualWire: true,
      onMessage: (cpu, what, vector) => this.onMessage(cpu, what, vector),
      onEoi: (vector) => this.ioApic.endOfInterrupt(vector),
    });
    this.ioApic = ioApic({ deliver: (...message) => this.apics.deliver(...message) });
    this.#hub = irqHub(this.pic, this.ioApic);
    const hub = this.#hub;
    const lines: Device = {
      name: "irq-hub",
      attach(): void {},
      reset(): void {},
      save: () => hub.save(),
      load: (section) => hub.load(section),
    };
    this.devices = [this.#coprocessor, lines, this.pic, this.ioApic, this.apics];
  }

  /** A new source on line `n`. */
  irq(n: number): IrqLine {
    if (!Number.isInteger(n) || n < 0 || n >= LINES) {
      throw new ConfigError("irq-line", `There is no interrupt line ${n}; a PC has 0 to ${LINES - 1}`);
    }
    return this.#hub.irq(n);
  }

  /** The local APIC of a CPU. */
  interrupts(index: number): InterruptController {
    return this.apics.controller(index);
  }

  /** See {@linkcode Platform.listen}. */
  listen(changed: () => void): void {
    this.pic.onChange(changed);
    this.apics.onChange(changed);
  }

  /** IA32_APIC_BASE. */
  readMsr(index: number, msr: number): readonly [number, number] | undefined {
    return this.apics.readMsr(index, msr);
  }

  /** IA32_APIC_BASE. */
  writeMsr(index: number, msr: number, low: number, high: number): boolean {
    return this.apics.writeMsr(index, msr, low, high);
  }

  /** The first CPU's coprocessor is wired to line 13; the others' nowhere, as the MP specification wants NE there. */
  ferr(index: number): boolean {
    return index !== 0 || this.#coprocessor.ferr();
  }

  /** See {@linkcode PcPlatform.ferr}. */
  ferrClear(index: number): void {
    if (index === 0) this.#coprocessor.ferrClear();
  }

  /** See {@linkcode Platform.localTimer}. */
  localTimer(index: number): boolean {
    return this.apics.timerDue(index);
  }

  /** See {@linkcode Platform.message}. */
  message(index: number, mode: number, vector: number): boolean {
    return this.apics.deliverTo(index, mode, vector);
  }

  /**
   * A message-signalled interrupt: the word `data` written to `address`, 0xfeexxxxx (Intel SDM volume 3, "Message
   * Signalled Interrupts").
   */
  signal(address: number, data: number): void {
    const logical = (address & 4) !== 0;
    this.apics.deliver((address >>> 12) & 0xff, logical, (data >>> 8) & 7, data & 0xff, (data & 0x8000) !== 0);
  }

  /** Connects the CPUs. */
  connect(cpus: readonly Cpu[], current: () => number): void {
    this.#current = current;
    this.onMessage = (index, what, vector): void => {
      const cpu = cpus[index];
      if (what === "nmi") cpu?.nmi();
      else if (what === "init") cpu?.init?.();
      else cpu?.startUp?.(vector);
    };
  }
}

/**
 * FERR#, IRQ 13 and IGNNE#: an error latches the request; writing port 0xF0 ends it and has the processor ignore the
 * error for as long as it lasts.
 */
class CoprocessorLine implements Device {
  readonly name: string = "coprocessor";
  #line: IrqLine | undefined;
  #error = false;
  #requested = false;
  #ignored = false;

  attach(host: DeviceHost): void {
    this.#line = host.irq(FERR_LINE);
    host.ports.map(FERR_PORT, 1, this.name, {
      read: () => 0xff,
      write: () => {
        this.#ignored = this.#error;
        this.#drive(false);
      },
    });
  }

  /** An instruction waits at an error; true: it goes on. */
  ferr(): boolean {
    this.#error = true;
    if (!this.#ignored) this.#drive(true);
    return this.#ignored;
  }

  ferrClear(): void {
    this.#error = this.#ignored = false;
  }

  reset(): void {
    this.ferrClear();
    this.#drive(false);
  }

  save(): Section {
    return { version: 1, fields: { error: this.#error, requested: this.#requested, ignored: this.#ignored } };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as { error: boolean; requested: boolean; ignored: boolean };
    this.#error = f.error;
    this.#ignored = f.ignored;
    this.#drive(f.requested);
  }

  #drive(level: boolean): void {
    this.#requested = level;
    this.#line?.set(level);
  }
}

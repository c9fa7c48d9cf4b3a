/**
 * Local APICs of all CPUs, one device: they share the address 0xFEE00000, and `current` says whose access it is.
 * Fixed and lowest-priority messages set IRR; INIT, start-up and NMI go to a callback. LINT0 as ExtINT passes the 8259.
 *
 * Sources: Intel SDM volume 3, chapter on the advanced programmable interrupt controller. Warm.
 *
 * Not emulated: moving the base (a write with another base is noted), x2APIC, thermal and performance LVT sources,
 * focus processor, TSC deadline; of equal priorities the first CPU addressed takes a lowest-priority message.
 */
import type { InterruptController, InterruptListener } from "../core/bus.ts";
import type { Timer } from "../core/clock.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** Options of {@linkcode localApics}. */
export interface LocalApicOptions {
  /** Number of CPUs; default 1. */
  readonly cpus?: number;
  /** Index of the CPU whose instruction is executing; default 0. */
  readonly current?: () => number;
  /** The 8259 pair behind LINT0 of every CPU. */
  readonly pic?: InterruptController;
  /** Leave LINT0 of the first CPU as firmware would: ExtINT, unmasked; default false: masked, as the chip. */
  readonly virtualWire?: boolean;
  /** Receives INIT, start-up and NMI messages. `vector` is the start-up page. */
  readonly onMessage?: (cpu: number, what: "init" | "startup" | "nmi", vector: number) => void;
  /** A level-triggered vector was ended: the IO-APIC must know. */
  readonly onEoi?: (vector: number) => void;
}

/** The local APICs. */
export interface LocalApics extends Device {
  /** What CPU `index` asks for vectors. */
  controller(index: number): InterruptController;
  /** Tells `listener` whenever a controller's `pending` may have changed. */
  onChange(listener: InterruptListener): void;
  /** Delivers a message: `mode` as in ICR bits 8-10, `logical` destination mode, `level` trigger mode. */
  deliver(destination: number, logical: boolean, mode: number, vector: number, level: boolean): void;
  /** Delivers a message to CPU `index`, whatever its number is now; false: there is none. */
  deliverTo(index: number, mode: number, vector: number): boolean;
  /** Requests the timer's vector of CPU `index` as if its count had run out, which stays as it is; false: masked or off. */
  timerDue(index: number): boolean;
  /** IA32_APIC_BASE (0x1b) of a CPU; undefined: another register. */
  readMsr(index: number, msr: number): readonly [number, number] | undefined;
  /** Writes it; false: another register. */
  writeMsr(index: number, msr: number, low: number, high: number): boolean;
}

const BASE = 0xfee00000;
const R = {
  id: 2,
  version: 3,
  tpr: 8,
  eoi: 11,
  ldr: 13,
  dfr: 14,
  svr: 15,
  isr: 16,
  tmr: 24,
  irr: 32,
  esr: 40,
} as const;
const ICR = 48;
const ICR_HIGH = 49;
const LVT_TIMER = 50;
const LINT0 = 53;
const INITIAL = 56;
const DIVIDE = 62;

class Apic {
  readonly regs: Uint32Array = new Uint32Array(64);
  enabled = true;
  started = 0;
  timer: Timer | undefined;

  reset(id: number): void {
    this.regs.fill(0);
    this.enabled = true;
    this.started = 0;
    this.timer?.cancel();
    this.regs[R.id] = id << 24;
    this.regs[R.version] = 0x50014;
    this.regs[R.dfr] = 0xffffffff;
    this.regs[R.svr] = 0xff;
    for (let i = LVT_TIMER; i < INITIAL; i++) this.regs[i] = 0x10000;
  }

  /** INIT: as reset, but the identity stays. */
  init(id: number): void {
    const [own, enabled] = [this.at(R.id), this.enabled];
    this.reset(id);
    this.regs[R.id] = own;
    this.enabled = enabled;
  }

  at(i: number): number {
    return this.regs[i] ?? 0;
  }

  get on(): boolean {
    return this.enabled && (this.at(R.svr) & 0x100) !== 0;
  }

  bit(bank: number, vector: number, on: boolean): void {
    const i = bank + (vector >> 5);
    const mask = 1 << (vector & 31);
    this.regs[i] = on ? this.at(i) | mask : this.at(i) & ~mask;
  }

  highest(bank: number): number {
    for (let i = 7; i >= 0; i--) {
      const word = this.at(bank + i);
      if (word !== 0) return 32 * i + 31 - Math.clz32(word);
    }
    return -1;
  }

  get ppr(): number {
    const tpr = this.at(R.tpr) & 0xff;
    const isr = Math.max(0, this.highest(R.isr)) & 0xf0;
    return (tpr & 0xf0) >= isr ? tpr : isr;
  }

  get ready(): boolean {
    return this.on && (this.highest(R.irr) & 0x1f0) > (this.ppr & 0xf0) && this.highest(R.irr) >= 16;
  }

  /** LINT0 lets the 8259 through: globally disabled, or unmasked ExtINT. */
  get passes(): boolean {
    return !this.enabled || (this.at(LINT0) & 0x10700) === 0x700;
  }

  get divisor(): number {
    const n = (this.at(DIVIDE) & 3) | ((this.at(DIVIDE) >> 1) & 4);
    return n === 7 ? 1 : 2 << n;
  }
}

/** The one of lowest priority among those that accept interrupts; the first of equals. */
function lowest(apics: readonly Apic[]): readonly Apic[] {
  const ready = apics.filter((a) => a.on);
  const least = Math.min(...ready.map((a) => a.ppr & 0xf0));
  return ready.filter((a) => (a.ppr & 0xf0) === least).slice(0, 1);
}

class Apics implements LocalApics {
  readonly name = "apic";
  readonly #o: LocalApicOptions;
  readonly #all: readonly Apic[];
  readonly #notes: Notes = new Notes("apic");
  #host: DeviceHost | undefined;
  #listeners: InterruptListener[] = [];

  constructor(o: LocalApicOptions) {
    this.#o = o;
    this.#all = Array.from({ length: o.cpus ?? 1 }, () => new Apic());
  }

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#notes.attach(host);
    this.#all.forEach((a, i) => a.timer = host.clock.timer(`apic${i}`, () => this.#expired(a)));
    host.mmio.mapMmio(BASE, 0x1000, this.name, {
      read: (at): number => (at & 15) < 4 ? this.#read(at >> 4) >>> (8 * (at & 3)) : 0,
      write: (at, value, width): void => {
        if (width === 32 && (at & 15) === 0) this.#write(at >> 4, value);
        else this.#notes.once(`a write of ${width} bits at offset 0x${at.toString(16)} has no effect`);
      },
    });
  }

  controller(index: number): InterruptController {
    const a = this.#all[index];
    const pic = this.#o.pic;
    return {
      get pending(): boolean {
        return a !== undefined && (a.ready || (index === 0 && a.passes && pic?.pending === true));
      },
      acknowledge: (): number => {
        if (a === undefined) return 0xff;
        if (!a.ready) return index === 0 && a.passes && pic !== undefined ? pic.acknowledge() : a.at(R.svr) & 0xff;
        const vector = a.highest(R.irr);
        a.bit(R.irr, vector, false);
        a.bit(R.isr, vector, true);
        this.#changed();
        return vector;
      },
    };
  }

  onChange(listener: InterruptListener): void {
    this.#listeners.push(listener);
  }

  deliver(destination: number, logical: boolean, mode: number, vector: number, level: boolean): void {
    const addressed = this.#all.filter((a) => this.#addressed(a, destination, logical));
    const chosen = mode === 1 ? lowest(addressed) : addressed;
    for (const a of chosen) this.#accept(this.#all.indexOf(a), a, mode, vector, level);
    this.#changed();
  }

  deliverTo(index: number, mode: number, vector: number): boolean {
    const a = this.#all[index];
    if (a === undefined) return false;
    this.#accept(index, a, mode, vector, false);
    this.#changed();
    return true;
  }

  readMsr(index: number, msr: number): readonly [number, number] | undefined {
    const a = this.#all[index];
    if (msr !== 0x1b || a === undefined) return undefined;
    return [(BASE | (a.enabled ? 0x800 : 0) | (index === 0 ? 0x100 : 0)) | 0, 0];
  }

  writeMsr(index: number, msr: number, low: number, _high: number): boolean {
    const a = this.#all[index];
    if (msr !== 0x1b || a === undefined) return false;
    this.#notes.when((low & 0xfffff000) >>> 0 !== BASE, "the base cannot be moved");
    this.#notes.when((low & 0x400) !== 0, "x2APIC is not emulated");
    a.enabled = (low & 0x800) !== 0;
    this.#changed();
    return true;
  }

  reset(): void {
    this.#all.forEach((a, i) => a.reset(i));
    this.#notes.reset();
    const first = this.#all[0];
    if (this.#o.virtualWire === true && first !== undefined) first.regs[LINT0] = 0x700;
    this.#changed();
  }

  save(): Section {
    const apics = this.#all.map((a) => ({ regs: [...a.regs], enabled: a.enabled, started: a.started }));
    return { version: 1, fields: { apics } };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as { apics: { regs: number[]; enabled: boolean; started: number }[] };
    this.#all.forEach((a, i) => {
      const saved = f.apics[i];
      if (saved === undefined) return;
      a.regs.set(saved.regs.slice(0, 64));
      a.enabled = saved.enabled;
      a.started = saved.started;
    });
    this.#changed();
  }

  #addressed(a: Apic, destination: number, logical: boolean): boolean {
    if (destination === 0xff) return true;
    if (!logical) return a.at(R.id) >>> 24 === destination;
    const own = a.at(R.ldr) >>> 24;
    if (a.at(R.dfr) >>> 28 === 15) return (own & destination) !== 0;
    return own >> 4 === destination >> 4 && (own & destination & 15) !== 0;
  }

  #accept(cpu: number, a: Apic, mode: number, vector: number, level: boolean): void {
    if (mode === 4) this.#o.onMessage?.(cpu, "nmi", 2);
    else if (mode === 5) {
      a.init(cpu);
      this.#o.onMessage?.(cpu, "init", 0);
    } else if (mode === 6) this.#o.onMessage?.(cpu, "startup", vector);
    else if (mode < 2 && a.on && vector >= 16) {
      a.bit(R.irr, vector, true);
      a.bit(R.tmr, vector, level);
    } else if (mode >= 2) this.#notes.once(`messages of delivery mode ${mode} are not emulated`);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  get #mine(): Apic | undefined {
    return this.#all[this.#o.current?.() ?? 0];
  }

  #count(a: Apic): number {
    const initial = a.at(INITIAL);
    if (initial === 0) return 0;
    const passed = Math.floor(((this.#host?.clock.now ?? 0) - a.started) / a.divisor);
    return (a.at(LVT_TIMER) & 0x20000) !== 0 ? initial - passed % initial : Math.max(0, initial - passed);
  }

  #read(i: number): number {
    const a = this.#mine;
    if (a === undefined || !a.enabled || i > 63) return 0;
    if (i === 10) return a.ppr;
    return i === 57 ? this.#count(a) : a.at(i);
  }

  #write(i: number, value: number): void {
    const a = this.#mine;
    if (a === undefined || !a.enabled) return;
    if (i === R.eoi) {
      const vector = a.highest(R.isr);
      if (vector >= 0) a.bit(R.isr, vector, false);
      if (vector >= 0 && (a.at(R.tmr + (vector >> 5)) & (1 << (vector & 31))) !== 0) this.#o.onEoi?.(vector);
    } else if (i === ICR) {
      a.regs[ICR] = value & ~0x1000;
      this.#send(a, value);
    } else if (i === INITIAL || i === DIVIDE) {
      a.regs[i] = value;
      a.started = this.#host?.clock.now ?? 0;
      if (a.at(INITIAL) === 0) a.timer?.cancel();
      else a.timer?.armAt(a.started + a.at(INITIAL) * a.divisor);
    } else if (i === R.id || i === ICR_HIGH || i === R.ldr) a.regs[i] = value & 0xff000000;
    else if (i === R.dfr) a.regs[i] = value | 0x0fffffff;
    else if (i === R.tpr) a.regs[i] = value & 0xff;
    else if (i === R.svr) a.regs[i] = value & 0x3ff;
    else if (i >= LVT_TIMER && i < INITIAL) {
      const isSource = i === LVT_TIMER + 1 || i === LVT_TIMER + 2;
      this.#notes.when(isSource && (value & 0x10000) === 0, "thermal and performance interrupts never come");
      this.#notes.when(i === LVT_TIMER && (value & 0x40000) !== 0, "TSC-deadline mode is not emulated");
      a.regs[i] = value & 0x3a7ff;
    } else if (i === R.esr) a.regs[i] = 0;
    this.#changed();
  }

  #send(from: Apic, value: number): void {
    const mode = (value >> 8) & 7;
    // The de-assert of INIT has no effect on these processors.
    if (mode === 5 && (value & 0xc000) === 0x8000) return;
    const shorthand = (value >> 18) & 3;
    if (shorthand === 0) {
      return this.deliver(from.at(ICR_HIGH) >>> 24, (value & 0x800) !== 0, mode, value & 0xff, false);
    }
    this.#all.forEach((a, i) => {
      if (shorthand === 1 ? a === from : shorthand === 2 || a !== from) this.#accept(i, a, mode, value & 0xff, false);
    });
  }

  timerDue(index: number): boolean {
    const a = this.#all[index];
    if (a === undefined || !this.#requestTimer(a)) return false;
    this.#changed();
    return true;
  }

  #requestTimer(a: Apic): boolean {
    const lvt = a.at(LVT_TIMER), vector = lvt & 0xff;
    if ((lvt & 0x10000) !== 0 || !a.on || vector < 16) return false;
    a.bit(R.irr, vector, true);
    return true;
  }

  #expired(a: Apic): void {
    const lvt = a.at(LVT_TIMER);
    this.#requestTimer(a);
    if ((lvt & 0x20000) !== 0 && a.at(INITIAL) !== 0) {
      const period = a.at(INITIAL) * a.divisor;
      // Time may have jumped over many periods: they count as one.
      a.started += Math.max(1, Math.floor(((this.#host?.clock.now ?? 0) - a.started) / period)) * period;
      a.timer?.armAt(a.started + period);
    }
    this.#changed();
  }
}

/** Makes the local APICs. */
export function localApics(options: LocalApicOptions = {}): LocalApics {
  return new Apics(options);
}

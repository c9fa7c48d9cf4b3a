/**
 * MC146818 real-time clock and CMOS memory at ports 0x70 and 0x71. Calendar time is virtual: it begins at a configured
 * date and advances with the machine's clock, so every run sees the same dates.
 *
 * Time of day is kept as a count of seconds from an epoch; a second is `hz` ticks from `origin`. UIP is computed: set
 * during the last 244 us before the update. A timer runs only while an interrupt or flag can come of it.
 *
 * Sources: Motorola MC146818 data sheet; IBM PC AT technical reference for the CMOS fields. Cold.
 *
 * Not emulated: daylight saving, square-wave output, century interrupt; the divider bits only stop the clock (110, 111)
 * or run it.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Timer } from "../core/clock.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** Options of {@linkcode rtcMc146818}. */
export interface RtcOptions {
  /** Date at power-on, `YYYY-MM-DDThh:mm:ss`; default `2000-01-01T00:00:00`. */
  readonly start?: string;
  /** Bytes of RAM below 4 GiB from which the memory size fields are filled; default: fields are 0. */
  readonly memory?: number;
  /** Further CMOS bytes by index, e.g. the boot order. */
  readonly cmos?: { readonly [index: number]: number };
  /** Interrupt line; default 8. */
  readonly irq?: number;
}

/** The clock; CMOS bytes can be seen and set from outside. */
export interface Rtc extends Device {
  /** Reads CMOS byte 0-127 without side effects. */
  peek(index: number): number;
  /** Sets CMOS byte 14-127; survives a reset. */
  poke(index: number, value: number): void;
}

const A = 10;
const B = 11;
const C = 12;
const PF = 0x40;
const AF = 0x20;
const UF = 0x10;
const CENTURY = 0x32;
const DAY = 86400;

class RealTimeClock implements Rtc {
  readonly name = "rtc";
  readonly #irqNumber: number;
  readonly #start: number;
  readonly #ram: Uint8Array = new Uint8Array(128);
  readonly #notes: Notes = new Notes("rtc");
  #host: DeviceHost | undefined;
  #irq: IrqLine | undefined;
  #second: Timer | undefined;
  #periodic: Timer | undefined;
  #index = 0;
  /** Seconds since 1970 that had passed at tick `origin`. */
  #time: number;
  #origin = 0;
  /** Number of the next periodic event since `periodOrigin`. */
  #event = 0;
  #periodOrigin = 0;

  constructor(o: RtcOptions) {
    this.#irqNumber = o.irq ?? 8;
    this.#start = this.#time = parseDate(o.start ?? "2000-01-01T00:00:00");
    this.#ram[A] = 0x26;
    this.#ram[B] = 0x02;
    this.#ram[13] = 0x80;
    this.#ram[0x14] = 0x06;
    if (o.memory !== undefined) this.#memorySize(o.memory);
    for (const [i, v] of Object.entries(o.cmos ?? {})) this.#ram[Number(i) & 0x7f] = v;
  }

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#notes.attach(host);
    this.#irq = host.irq(this.#irqNumber);
    this.#second = host.clock.timer("rtc.second", () => this.#update());
    this.#periodic = host.clock.timer("rtc.periodic", () => this.#tick());
    host.ports.map(0x70, 2, this.name, {
      read: (port): number => port === 0x70 ? 0xff : this.#read(this.#index),
      write: (port, value): void => {
        if (port === 0x70) this.#index = value & 0x7f;
        else this.#write(this.#index, value & 0xff);
      },
    });
    this.#time = this.#start;
    this.#origin = host.clock.now;
    this.#arm();
  }

  /** The clock runs on batteries: reset clears interrupt enables and flags, nothing else. */
  reset(): void {
    this.#index = 0;
    this.#notes.reset();
    this.#ram[B] = this.#at(B) & 0x87;
    this.#ram[C] = 0;
    this.#irq?.set(false);
    this.#arm();
  }

  peek(index: number): number {
    const i = index & 0x7f;
    return i < 10 && (i & 1) === 0 || i > 5 && i < 10 || i === CENTURY ? this.#field(i) : this.#at(i);
  }

  poke(index: number, value: number): void {
    if (index > 13 && index < 128) this.#ram[index] = value;
  }

  save(): Section {
    const fields = {
      ram: this.#ram.slice(),
      index: this.#index,
      time: this.#time,
      origin: this.#origin,
      event: this.#event,
      periodOrigin: this.#periodOrigin,
    };
    return { version: 1, fields };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as {
      ram: Uint8Array;
      index: number;
      time: number;
      origin: number;
      event: number;
      periodOrigin: number;
    };
    this.#ram.set(f.ram.subarray(0, 128));
    this.#index = f.index;
    this.#time = f.time;
    this.#origin = f.origin;
    this.#event = f.event;
    this.#periodOrigin = f.periodOrigin;
    this.#irq?.set((this.#at(C) & 0x80) !== 0);
  }

  get #now(): number {
    return this.#host?.clock.now ?? 0;
  }

  get #hz(): number {
    return this.#host?.clock.hz ?? 1;
  }

  #at(i: number): number {
    return this.#ram[i] ?? 0;
  }

  get #stopped(): boolean {
    return (this.#at(B) & 0x80) !== 0 || (this.#at(A) & 0x60) === 0x60;
  }

  #seconds(): number {
    return this.#stopped ? this.#time : this.#time + Math.floor((this.#now - this.#origin) / this.#hz);
  }

  #memorySize(bytes: number): void {
    const set = (at: number, n: number): void => {
      this.#ram[at] = n & 0xff;
      this.#ram[at + 1] = n >> 8;
    };
    const kib = Math.floor(bytes / 1024);
    set(0x15, Math.min(640, kib));
    set(0x17, Math.min(0xffff, Math.max(0, kib - 1024)));
    set(0x30, Math.min(0xffff, Math.max(0, kib - 1024)));
    set(0x34, Math.min(0xffff, Math.max(0, Math.floor((kib - 16384) / 64))));
  }

  #encode(n: number): number {
    return (this.#at(B) & 4) !== 0 ? n : (Math.floor(n / 10) << 4) | n % 10;
  }

  #decode(n: number): number {
    return (this.#at(B) & 4) !== 0 ? n : (n >> 4) * 10 + (n & 15);
  }

  #field(i: number): number {
    const time = this.#seconds();
    const ofDay = time % DAY;
    const days = (time - ofDay) / DAY;
    const { year, month, day } = civil(days);
    switch (i) {
      case 0:
        return this.#encode(ofDay % 60);
      case 2:
        return this.#encode(Math.floor(ofDay / 60) % 60);
      case 4: {
        const hour = Math.floor(ofDay / 3600);
        if ((this.#at(B) & 2) !== 0) return this.#encode(hour);
        return this.#encode(hour % 12 || 12) | (hour >= 12 ? 0x80 : 0);
      }
      case 6:
        return this.#encode((days + 4) % 7 + 1);
      case 7:
        return this.#encode(day);
      case 8:
        return this.#encode(month);
      case 9:
        return this.#encode(year % 100);
      case CENTURY:
        return this.#encode(Math.floor(year / 100));
    }
    return 0;
  }

  #setField(i: number, value: number): void {
    const time = this.#seconds();
    const ofDay = time % DAY;
    const date = civil((time - ofDay) / DAY);
    let { year, month, day } = date;
    let hour = Math.floor(ofDay / 3600);
    let minute = Math.floor(ofDay / 60) % 60;
    let second = ofDay % 60;
    const n = this.#decode(value);
    if (i === 0) second = n % 60;
    else if (i === 2) minute = n % 60;
    else if (i === 4) {
      const h = this.#decode(value & 0x7f);
      hour = (this.#at(B) & 2) !== 0 ? n % 24 : (h % 12) + ((value & 0x80) !== 0 ? 12 : 0);
    } else if (i === 7) day = Math.min(31, Math.max(1, n));
    else if (i === 8) month = Math.min(12, Math.max(1, n));
    else if (i === 9) year = year - year % 100 + n % 100;
    else if (i === CENTURY) year = Math.min(99, Math.max(19, n)) * 100 + year % 100;
    const whole = Math.max(0, daysFrom(year, month, day) * DAY + hour * 3600 + minute * 60 + second);
    this.#time += whole - time;
    this.#arm();
  }

  #read(i: number): number {
    if (i === A) return (this.#at(A) & 0x7f) | (this.#updating() ? 0x80 : 0);
    if (i === C) {
      const flags = this.#at(C);
      this.#ram[C] = 0;
      this.#irq?.set(false);
      this.#arm();
      return flags;
    }
    return this.peek(i);
  }

  #write(i: number, value: number): void {
    const stopped = this.#stopped;
    const seconds = this.#seconds();
    if (i === C || i === 13) return;
    if (i === A) this.#ram[A] = value & 0x7f;
    else if (i === B) this.#ram[B] = (value & 0x80) !== 0 ? value & ~UF : value;
    else if (i < 10 && i !== 1 && i !== 3 && i !== 5 || i === CENTURY) return this.#setField(i, value);
    else this.#ram[i] = value;
    if (i !== A && i !== B) return;
    this.#notes.when(i === B && (value & 1) !== 0, "daylight saving is not emulated");
    this.#notes.when(i === B && (value & 8) !== 0, "the square-wave output goes nowhere");
    this.#notes.when(i === A && (value & 0x60) !== 0x60 && (value & 0x70) !== 0x20, "the divider only runs or stops");
    if (this.#stopped && !stopped) {
      this.#time = seconds;
    } else if (!this.#stopped && stopped) {
      // The first update comes half a second after the divider starts.
      this.#origin = this.#now - Math.floor(this.#hz / 2);
    }
    if (i === A) {
      this.#periodOrigin = this.#now;
      this.#event = 1;
      this.#periodic?.cancel();
    }
    this.#raise(0);
    this.#arm();
  }

  #updating(): boolean {
    if (this.#stopped) return false;
    const left = this.#hz - (this.#now - this.#origin) % this.#hz;
    return left <= Math.ceil(this.#hz * 244 / 1_000_000);
  }

  #arm(): void {
    const b = this.#at(B);
    // A polled flag is kept right as well: the timer rests only while the flag it would set is set already.
    const wanted = !this.#stopped && ((b & (UF | AF)) !== 0 || (this.#at(C) & UF) === 0);
    if (!wanted) {
      this.#second?.cancel();
    } else {
      const passed = Math.floor((this.#now - this.#origin) / this.#hz);
      this.#second?.armAt(this.#origin + (passed + 1) * this.#hz);
    }
    const rate = this.#at(A) & 15;
    if (rate === 0 || ((b & PF) === 0 && (this.#at(C) & PF) !== 0)) return this.#periodic?.cancel();
    if (this.#periodic?.deadline !== Infinity) return;
    const at = (n: number): number => this.#periodOrigin + Math.ceil(n * this.#hz / rateHz(rate));
    if (at(this.#event) <= this.#now) {
      this.#event = Math.floor((this.#now - this.#periodOrigin) * rateHz(rate) / this.#hz) + 1;
    }
    this.#periodic?.armAt(at(this.#event));
  }

  #tick(): void {
    this.#event++;
    this.#raise(PF);
    this.#arm();
  }

  #update(): void {
    let flags = UF;
    const matches = (alarm: number, field: number): boolean =>
      this.#at(alarm) >= 0xc0 || this.#at(alarm) === this.#field(field);
    if (matches(1, 0) && matches(3, 2) && matches(5, 4)) flags |= AF;
    this.#raise(flags);
    this.#arm();
  }

  #raise(flags: number): void {
    const c = (this.#at(C) | flags) & 0x70;
    const active = (c & this.#at(B) & 0x70) !== 0;
    this.#ram[C] = c | (active ? 0x80 : 0);
    this.#irq?.set(active);
  }
}

/** Periodic rate in Hz for rate select 1-15. */
function rateHz(rate: number): number {
  return rate < 3 ? 32768 >> (rate + 6) : 32768 >> (rate - 1);
}

/** Days from 1970-01-01 of a date of the Gregorian calendar. */
function daysFrom(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719468;
}

/** The date of a day counted from 1970-01-01. */
function civil(days: number): { year: number; month: number; day: number } {
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysFrom(year, 1, 1) > days) year--;
  while (daysFrom(year + 1, 1, 1) <= days) year++;
  let month = 12;
  while (daysFrom(year, month, 1) > days) month--;
  return { year, month, day: days - daysFrom(year, month, 1) + 1 };
}

/** Seconds from 1970 of `YYYY-MM-DDThh:mm:ss`. @throws {ConfigError} rtc-date */
export function parseDate(text: string): number {
  const m = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(text);
  const [year, month, day, hour, minute, second] = (m ?? []).slice(1).map(Number);
  if (
    year === undefined || month === undefined || day === undefined || hour === undefined || minute === undefined ||
    second === undefined || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
    minute > 59 || second > 59
  ) {
    throw new ConfigError(
      "rtc-date",
      `Clock start "${text}" is not a date; write it as 2000-01-31T23:59:59, from 1970`,
    );
  }
  return daysFrom(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
}

/** Makes the clock and CMOS memory. */
export function rtcMc146818(options: RtcOptions = {}): Rtc {
  return new RealTimeClock(options);
}

/**
 * The small parts of a PC board: CMOS memory with clock, A20 and reset switches, a keyboard controller without keyboard,
 * the power-off port, diagnostic port 0x80, and the text display's address registers. Sources: AT-TECHREF, MC146818A. Cold.
 *
 * Not emulated: alarm and periodic interrupts of the clock, keys, mouse, graphics modes.
 */
import type { FieldValue, Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";

/** 2000-01-01 00:00:00 UTC: when every machine is switched on unless told otherwise. Milliseconds. */
export const POWER_ON: number = 946_684_800_000;

/** Saved registers. */
interface State {
  cmos: Uint8Array;
  index: number;
  crtc: Uint8Array;
  crtcIndex: number;
  /** Waiting bytes of the keyboard controller. */
  answers: number[];
  /** Command that waits for its data byte, 0: none. */
  command: number;
  mode: number;
  a20: boolean;
  diagnostic: number;
}

/** Small parts of the board. */
export class SystemPorts implements Device {
  /** Name of the component. */
  readonly name: string = "board";
  readonly #memoryBytes: number;
  readonly #powerOn: number;
  #s: State = fresh();
  #host: DeviceHost | undefined;

  /** For a machine with this much RAM, switched on at a time in milliseconds since 1970. */
  constructor(memoryBytes: number, powerOn: number = POWER_ON) {
    this.#memoryBytes = memoryBytes;
    this.#powerOn = powerOn;
  }

  /** Claims the ports. */
  attach(host: DeviceHost): void {
    this.#host = host;
    const { ports } = host;
    const one = (port: number, read: () => number, write: (value: number) => void): void => {
      ports.map(port, 1, this.name, { read, write: (_port, value) => write(value) });
    };
    one(0x70, () => 0xff, (v) => this.#s.index = v & 0x7f);
    one(0x71, () => this.#cmos(), (v) => this.#s.cmos[this.#s.index] = v);
    one(0x80, () => this.#s.diagnostic, (v) => this.#s.diagnostic = v);
    one(0xed, () => 0xff, () => {});
    one(0x92, () => this.#s.a20 ? 2 : 0, (v) => {
      this.#setA20((v & 2) !== 0);
      if ((v & 1) !== 0) host.request("reset");
    });
    one(0x60, () => this.#s.answers.shift() ?? 0, (v) => this.#keyboardData(v));
    one(0x64, () => 0x14 | (this.#s.answers.length > 0 ? 1 : 0), (v) => this.#keyboardCommand(v));
    one(0xcf9, () => 0, (v) => (v & 4) !== 0 && host.request("reset"));
    ports.map(0x604, 2, this.name, {
      widths: [8, 16],
      read: () => 0,
      write: (_port, value) => (value & 0x2000) !== 0 && host.request("power-off"),
    });
    one(0x3d4, () => this.#s.crtcIndex, (v) => this.#s.crtcIndex = v & 0x1f);
    one(0x3d5, () => this.#s.crtc[this.#s.crtcIndex], (v) => this.#s.crtc[this.#s.crtcIndex] = v);
    one(0x3da, () => Math.floor(host.clock.now * 60 / host.clock.hz * 16) % 16 === 15 ? 9 : 0, () => {});
  }

  /** Cursor of the text display, as a cell number. */
  get cursor(): number {
    return (this.#s.crtc[14] << 8) | this.#s.crtc[15];
  }

  /** Power-on state. */
  reset(): void {
    this.#s = fresh();
    const kib = Math.floor(this.#memoryBytes / 1024);
    const high = Math.max(0, Math.min(0xffff, kib - 1024));
    const blocks = Math.max(0, Math.min(0xffff, Math.floor((kib - 16 * 1024) / 64)));
    const { cmos } = this.#s;
    [cmos[0x15], cmos[0x16], cmos[0x17], cmos[0x18]] = [640 & 0xff, 640 >>> 8, high & 0xff, high >>> 8];
    [cmos[0x30], cmos[0x31], cmos[0x34], cmos[0x35]] = [high & 0xff, high >>> 8, blocks & 0xff, blocks >>> 8];
    [cmos[0x0a], cmos[0x0b], cmos[0x14]] = [0x26, 0x02, 0x06];
  }

  /** Complete state. */
  save(): Section {
    const { cmos, crtc, answers, ...rest } = this.#s;
    const fields: { [name: string]: FieldValue } = {
      ...rest,
      cmos: cmos.slice(),
      crtc: crtc.slice(),
      answers: [...answers],
    };
    return { version: 1, fields };
  }

  /** Restores. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Section board has version ${section.version}, not 1`);
    }
    const f = section.fields as unknown as State;
    this.#s = { ...f, cmos: f.cmos.slice(), crtc: f.crtc.slice(), answers: [...f.answers] };
  }

  #setA20(on: boolean): void {
    this.#s.a20 = on;
    this.#host?.setA20(on);
  }

  #cmos(): number {
    const { index, cmos } = this.#s;
    const { clock } = this.#host ?? {};
    if (clock === undefined || index > 0x32) return cmos[index];
    const milliseconds = Math.floor(clock.now / clock.hz * 1000);
    const [, year, month, day, hour, minute, second] = /(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/.exec(
      isoTime(this.#powerOn + milliseconds),
    ) ?? [];
    const date: Readonly<Record<number, string>> = { 0: second, 2: minute, 4: hour, 7: day, 8: month };
    const text = index === 9 ? year.slice(2) : index === 0x32 ? year.slice(0, 2) : date[index];
    if (text !== undefined) return (cmos[0x0b] & 4) !== 0 ? parseInt(text, 10) : parseInt(text, 16);
    // Update in progress during the last two milliseconds of each second.
    if (index === 0x0a) return (cmos[0x0a] & 0x7f) | (milliseconds % 1000 >= 998 ? 0x80 : 0);
    return index === 0x0c ? 0 : index === 0x0d ? 0x80 : cmos[index];
  }

  #keyboardCommand(value: number): void {
    const s = this.#s;
    s.command = 0;
    if (value === 0xfe) this.#host?.request("reset");
    else if (value === 0xaa) s.answers.push(0x55);
    else if (value === 0xab || value === 0xa9) s.answers.push(0);
    else if (value === 0x20) s.answers.push(s.mode);
    else if (value === 0xd0) s.answers.push(s.a20 ? 0xcf : 0xcd);
    else if (value === 0x60 || value === 0xd1 || value === 0xd2 || value === 0xd4) s.command = value;
    else if (value === 0xdd || value === 0xdf) this.#setA20(value === 0xdf);
  }

  #keyboardData(value: number): void {
    const s = this.#s;
    const command = s.command;
    s.command = 0;
    if (command === 0x60) s.mode = value;
    else if (command === 0xd1) {
      this.#setA20((value & 2) !== 0);
      if ((value & 1) === 0) this.#host?.request("reset");
    } else if (command === 0xd2) s.answers.push(value);
  }
}

function fresh(): State {
  const [cmos, crtc] = [new Uint8Array(128), new Uint8Array(32)];
  return { cmos, crtc, index: 0, crtcIndex: 0, answers: [], command: 0, mode: 0x05, a20: true, diagnostic: 0 };
}

/** ISO 8601 text of a time without asking the host's calendar: days to civil date in the proleptic Gregorian calendar. */
function isoTime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const days = Math.floor(seconds / 86400) + 719468;
  const era = Math.floor(days / 146097);
  const ofEra = days - era * 146097;
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36524) - Math.floor(ofEra / 146096)) / 365,
  );
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const shifted = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const civil = year + era * 400 + (month <= 2 ? 1 : 0);
  const two = (n: number): string => String(n).padStart(2, "0");
  const rest = seconds - Math.floor(seconds / 86400) * 86400;
  const time = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map(two).join(":");
  return `${String(civil).padStart(4, "0")}-${two(month)}-${two(day)}T${time}`;
}

/**
 * The small parts of a PC board: A20 and reset switches, a keyboard controller without keyboard, the power-off port,
 * diagnostic port 0x80, and the text display's address registers. Sources: AT-TECHREF. Cold.
 *
 * Not emulated: keys, mouse, graphics modes.
 */
import type { FieldValue, Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";

/** Saved registers. */
interface State {
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
  #s: State = fresh();
  #host: DeviceHost | undefined;

  /** Claims the ports. */
  attach(host: DeviceHost): void {
    this.#host = host;
    const { ports } = host;
    const one = (port: number, read: () => number, write: (value: number) => void): void => {
      ports.map(port, 1, this.name, { read, write: (_port, value) => write(value) });
    };
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
  }

  /** Complete state. */
  save(): Section {
    const { crtc, answers, ...rest } = this.#s;
    const fields: { [name: string]: FieldValue } = {
      ...rest,

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
    this.#s = { ...f, crtc: f.crtc.slice(), answers: [...f.answers] };
  }

  #setA20(on: boolean): void {
    this.#s.a20 = on;
    this.#host?.setA20(on);
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
  const crtc = new Uint8Array(32);
  return { crtc, crtcIndex: 0, answers: [], command: 0, mode: 0x05, a20: true, diagnostic: 0 };
}

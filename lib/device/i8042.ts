/**
 * 8042 keyboard controller at ports 0x60 and 0x64 with a keyboard, and a PS/2 mouse that can be identified and enabled
 * but never moves. Its output port resets the machine and gates A20.
 *
 * One output buffer, refilled from the two devices' bounded queues. A key is injected as a set 1 code and
 * sent as set 2, which the controller translates back when the command byte says so.
 *
 * Sources: IBM PS/2 hardware interface technical reference (keyboard and auxiliary device controller). Cold.
 *
 * Not emulated: wire timing (a byte is there at once), typematic repeat, scan code set 3, mouse movement.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { Notes } from "./notes.ts";
import { SET1, SET2 } from "./scan_codes.ts";
import { fieldsOf } from "./section.ts";

/** The controller with a keyboard to press. */
export interface I8042 extends Device {
  /**
   * Presses or releases a key. `code` is its set 1 make code, 1-0x7f; with 0xe000 added, an extended key. Keys that
   * do not fit the keyboard's 64-byte buffer are lost, as on the part.
   */
  key(code: number, down: boolean): void;
}

const LIMIT = 64;
const AUX = 0x100;

interface State {
  command: number;
  pending: number;
  output: number;
  full: boolean;
  fromAux: boolean;
  a20: boolean;
  breakSeen: boolean;
  scanning: boolean;
  set: number;
  keyboardCommand: number;
  mouseCommand: number;
  mouseOn: boolean;
  wrote: boolean;
}

function powerOn(): State {
  return {
    command: 0x41,
    pending: 0,
    output: 0,
    full: false,
    fromAux: false,
    a20: true,
    breakSeen: false,
    scanning: true,
    set: 2,
    keyboardCommand: 0,
    mouseCommand: 0,
    mouseOn: false,
    wrote: false,
  };
}

class Controller implements I8042 {
  readonly name = "i8042";
  #host: DeviceHost | undefined;
  readonly #notes: Notes = new Notes("i8042");
  #irq1: IrqLine | undefined;
  #irq12: IrqLine | undefined;
  #s = powerOn();
  #keys: number[] = [];
  #mouse: number[] = [];
  #replies: number[] = [];

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#notes.attach(host);
    this.#irq1 = host.irq(1);
    this.#irq12 = host.irq(12);
    host.ports.map(0x60, 1, this.name, {
      read: (): number => this.#data(),
      write: (_p, value): void => this.#dataWrite(value & 0xff),
    });
    host.ports.map(0x64, 1, this.name, {
      read: (): number =>
        (this.#s.full ? 1 : 0) | (this.#s.full && this.#s.fromAux ? 0x20 : 0) | (this.#s.command & 4) |
        (this.#s.wrote ? 8 : 0) | 0x10,
      write: (_p, value): void => this.#command(value & 0xff),
    });
  }

  key(code: number, down: boolean): void {
    const s = this.#s;
    const low = code & 0x7f;
    const set1 = low < SET2.length ? low : 0;
    if (!s.scanning || set1 === 0) return;
    const bytes: number[] = (code & 0xff00) === 0xe000 ? [0xe0] : [];
    if (s.set === 1) bytes.push(set1 | (down ? 0 : 0x80));
    else bytes.push(...(down ? [] : [0xf0]), SET2[set1] ?? 0);
    if (this.#keys.length + bytes.length > LIMIT) return;
    this.#keys.push(...bytes);
    this.#refill();
  }

  reset(): void {
    this.#s = powerOn();
    this.#keys = [];
    this.#mouse = [];
    this.#replies = [];
    this.#notes.reset();
    this.#lines();
  }

  save(): Section {
    return {
      version: 1,
      fields: { state: { ...this.#s }, keys: [...this.#keys], mouse: [...this.#mouse], replies: [...this.#replies] },
    };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as {
      state: Partial<State>;
      keys: readonly number[];
      mouse: readonly number[];
      replies: readonly number[];
    };
    this.#s = { ...powerOn(), ...f.state };
    this.#keys = [...f.keys];
    this.#mouse = [...f.mouse];
    this.#replies = [...f.replies];
    this.#lines();
  }

  #data(): number {
    const value = this.#s.output;
    this.#s.full = false;
    this.#lines();
    this.#refill();
    return value;
  }

  #refill(): void {
    const s = this.#s;
    while (!s.full) {
      const reply = this.#replies.shift();
      if (reply !== undefined) {
        s.output = reply & 0xff;
        s.fromAux = (reply & AUX) !== 0;
        s.full = true;
      } else if (this.#keys.length > 0 && (s.command & 0x10) === 0) {
        this.#fromKeyboard(this.#keys.shift() ?? 0);
      } else if (this.#mouse.length > 0 && (s.command & 0x20) === 0) {
        s.output = this.#mouse.shift() ?? 0;
        s.fromAux = s.full = true;
      } else return;
    }
    this.#lines();
  }

  #fromKeyboard(byte: number): void {
    const s = this.#s;
    let out = byte;
    if ((s.command & 0x40) !== 0) {
      if (byte === 0xf0) {
        s.breakSeen = true;
        return;
      }
      out = (SET1.get(byte) ?? byte) | (s.breakSeen ? 0x80 : 0);
      s.breakSeen = false;
    }
    s.output = out;
    s.fromAux = false;
    s.full = true;
  }

  #lines(): void {
    const s = this.#s;
    this.#irq1?.set(s.full && !s.fromAux && (s.command & 1) !== 0);
    this.#irq12?.set(s.full && s.fromAux && (s.command & 2) !== 0);
  }

  #reply(value: number): void {
    if (this.#replies.length < LIMIT) this.#replies.push(value);
    this.#refill();
  }

  #command(value: number): void {
    const s = this.#s;
    s.wrote = true;
    s.pending = 0;
    if (value >= 0xf0) {
      if ((value & 1) === 0) this.#host?.request("reset");
      return;
    }
    if (value >= 0x20 && value < 0x40) return this.#reply(value === 0x20 ? s.command : 0);
    switch (value) {
      case 0x60:
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        s.pending = value;
        return;
      case 0xa7:
        s.command |= 0x20;
        return;
      case 0xa8:
        s.command &= ~0x20;
        return this.#refill();
      case 0xa9:
      case 0xab:
        return this.#reply(0);
      case 0xaa:
        s.command |= 4;
        return this.#reply(0x55);
      case 0xad:
        s.command |= 0x10;
        return;
      case 0xae:
        s.command &= ~0x10;
        return this.#refill();
      case 0xc0:
        return this.#reply(0x80);
      case 0xd0:
        return this.#reply(0xcd | (s.a20 ? 2 : 0) | (s.full ? 0x10 : 0));
      case 0xdd:
      case 0xdf:
        return this.#setA20(value === 0xdf);
      default:
        this.#notes.once(`command 0x${value.toString(16)} ignored`);
    }
  }

  #setA20(on: boolean): void {
    this.#s.a20 = on;
    this.#host?.setA20(on);
  }

  #dataWrite(value: number): void {
    const s = this.#s;
    const pending = s.pending;
    s.wrote = false;
    s.pending = 0;
    switch (pending) {
      case 0x60:
        s.command = value;
        this.#refill();
        return this.#lines();
      case 0xd1:
        this.#setA20((value & 2) !== 0);
        if ((value & 1) === 0) this.#host?.request("reset");
        return;
      case 0xd2:
        return this.#reply(value);
      case 0xd3:
        return this.#reply(AUX | value);
      case 0xd4:
        return this.#toMouse(value);
      default:
        s.command &= ~0x10;
        return this.#toKeyboard(value);
    }
  }

  /** Replies of the keyboard are below 0xf0 or above 0xf9: translation leaves them alone, except the identity. */
  #answer(...bytes: number[]): void {
    if (this.#keys.length + bytes.length <= 2 * LIMIT) this.#keys.push(...bytes);
    this.#refill();
  }

  #toKeyboard(value: number): void {
    const s = this.#s;
    const argumentOf = s.keyboardCommand;
    s.keyboardCommand = 0;
    if (argumentOf === 0xf0 && value === 0) return this.#answer(0xfa, s.set);
    if (argumentOf !== 0) {
      if (argumentOf === 0xf0 && (value === 1 || value === 2)) s.set = value;
      else this.#notes.when(argumentOf === 0xf0, `scan code set ${value} is not emulated, it stays at ${s.set}`);
      this.#notes.when(argumentOf === 0xf3, "keys do not repeat, whatever the typematic rate");
      return this.#answer(0xfa);
    }
    switch (value) {
      case 0xed:
      case 0xf0:
      case 0xf3:
        s.keyboardCommand = value;
        return this.#answer(0xfa);
      case 0xee:
        return this.#answer(0xee);
      case 0xf2:
        return this.#answer(0xfa, 0xab, 0x83);
      case 0xf4:
      case 0xf5:
      case 0xf6:
        s.scanning = value !== 0xf5;
        if (value !== 0xf4) s.set = 2;
        return this.#answer(0xfa);
      case 0xff:
        s.set = 2;
        s.scanning = true;
        this.#keys = [];
        return this.#answer(0xfa, 0xaa);
      default:
        this.#notes.once(`keyboard command 0x${value.toString(16)} refused`);
        return this.#answer(0xfe);
    }
  }

  #toMouse(value: number): void {
    const s = this.#s;
    const send = (...bytes: number[]): void => {
      if (this.#mouse.length + bytes.length <= LIMIT) this.#mouse.push(...bytes);
      this.#refill();
    };
    if (s.mouseCommand !== 0) {
      s.mouseCommand = 0;
      return send(0xfa);
    }
    switch (value) {
      case 0xe8:
      case 0xf3:
        s.mouseCommand = value;
        return send(0xfa);
      case 0xe9:
        return send(0xfa, s.mouseOn ? 0x20 : 0, 2, 100);
      case 0xeb:
        return send(0xfa, 8, 0, 0);
      case 0xf2:
        return send(0xfa, 0);
      case 0xff:
        s.mouseOn = false;
        this.#mouse = [];
        return send(0xfa, 0xaa, 0);
      case 0xf4:
      case 0xf5:
        s.mouseOn = value === 0xf4;
        this.#notes.when(s.mouseOn, "the mouse never moves");
        return send(0xfa);
      case 0xe6:
      case 0xe7:
      case 0xea:
      case 0xf6:
        return send(0xfa);
      default:
        this.#notes.once(`mouse command 0x${value.toString(16)} refused`);
        return send(0xfe);
    }
  }
}

/** Makes the controller, interrupt lines 1 and 12. */
export function i8042(): I8042 {
  return new Controller();
}

/**
 * What is left of a PC board when no chip set is there: the reset port 0xcf9, a power-off port, the delay port, and the
 * text display's address registers. Sources: AT-TECHREF, IBM-VGA. Cold.
 *
 * Not emulated: graphics modes, the display's other registers (their ports are not claimed).
 */
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { fieldsOf } from "./section.ts";

/** Small parts of the board. */
export class SystemPorts implements Device {
  /** Name of the component. */
  readonly name: string = "board";
  #registers: Uint8Array = new Uint8Array(32);
  #index = 0;

  /** Claims the ports. */
  attach(host: DeviceHost): void {
    const { ports, clock } = host;
    const one = (port: number, read: () => number, write: (value: number) => void): void => {
      ports.map(port, 1, this.name, { read, write: (_port, value) => write(value) });
    };
    one(0xed, () => 0xff, () => {});
    one(0xcf9, () => 0, (v) => {
      if ((v & 4) !== 0) host.request("reset");
    });
    // Where the power-management block of common virtual boards has its control register: SLP_EN switches off.
    ports.map(0x604, 2, this.name, {
      widths: [8, 16],
      read: () => 0,
      write: (_port, value) => {
        if ((value & 0x2000) !== 0) host.request("power-off");
      },
    });
    one(0x3d4, () => this.#index, (v) => this.#index = v & 0x1f);
    one(0x3d5, () => this.#registers[this.#index], (v) => this.#registers[this.#index] = v);
    // Vertical retrace during a sixteenth of each sixtieth of a second.
    one(0x3da, () => Math.floor(clock.now * 960 / clock.hz) % 16 === 15 ? 9 : 0, () => {});
  }

  /** Cursor of the text display, as a cell number. */
  get cursor(): number {
    return (this.#registers[14] << 8) | this.#registers[15];
  }

  /** Power-on state. */
  reset(): void {
    this.#registers.fill(0);
    this.#index = 0;
  }

  /** Complete state. */
  save(): Section {
    return { version: 1, fields: { registers: this.#registers.slice(), index: this.#index } };
  }

  /** Restores. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    const f = fieldsOf(section, this.name) as unknown as { registers: Uint8Array; index: number };
    this.#registers = f.registers.slice();
    this.#index = f.index;
  }
}

/**
 * Ports of a few bits: 0x92 (A20 and fast reset), 0xE9 (debug console), 0x80 (power-on self-test codes), 0xED (delay).
 *
 * Sources: 82371SB data sheet for port 0x92; conventions for the others. Cold.
 *
 * Not emulated: activity lights and the password lock of port 0x92.
 */
import type { Device } from "../core/device.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** Makes port 0x92: bit 1 gates A20, a rising bit 0 resets. */
export function port92(): Device {
  let value = 2;
  const notes = new Notes("port92");
  return {
    name: "port92",
    attach(host): void {
      notes.attach(host);
      host.ports.map(0x92, 1, this.name, {
        read: (): number => value,
        write: (_port, v): void => {
          const rising = v & ~value & 1;
          value = v & 3;
          notes.when((v & 0xc8) !== 0, "lights and the password lock are not emulated");
          host.setA20((v & 2) !== 0);
          if (rising !== 0) host.request("reset");
        },
      });
    },
    reset(): void {
      value = 2;
      notes.reset();
    },
    save: () => ({ version: 1, fields: { value } }),
    load(section): void {
      value = Number(fieldsOf(section, this.name)["value"]);
    },
  };
}

/** Options of {@linkcode debugConsole}. */
export interface DebugConsoleOptions {
  /** Port; default 0xe9. */
  readonly port?: number;
  /** Receives every byte written. */
  readonly onByte?: (byte: number) => void;
}

/** Makes the debug console: bytes written go to a callback, reads give 0xe9 so that a guest can tell it is there. */
export function debugConsole(options: DebugConsoleOptions = {}): Device {
  const port = options.port ?? 0xe9;
  return {
    name: "debug-console",
    attach(host): void {
      host.ports.map(port, 1, this.name, {
        read: (): number => 0xe9,
        write: (_port, v): void => options.onByte?.(v & 0xff),
      });
    },
    reset(): void {},
    save: () => ({ version: 1, fields: {} }),
    load(section): void {
      fieldsOf(section, this.name);
    },
  };
}

/** Options of {@linkcode postCode}. */
export interface PostCodeOptions {
  /** Receives every code written. */
  readonly onCode?: (code: number) => void;
}

/** Makes port 0x80, which keeps the last code written. */
export function postCode(options: PostCodeOptions = {}): Device {
  let value = 0;
  return {
    name: "post",
    attach(host): void {
      host.ports.map(0x80, 1, this.name, {
        read: (): number => value,
        write: (_port, v): void => {
          value = v & 0xff;
          options.onCode?.(value);
        },
      });
    },
    reset(): void {
      value = 0;
    },
    save: () => ({ version: 1, fields: { value } }),
    load(section): void {
      value = Number(fieldsOf(section, this.name)["value"]);
    },
  };
}

/** Makes port 0xED, which does nothing: guests touch it to lose a microsecond. */
export function delayPort(): Device {
  return {
    name: "delay",
    attach(host): void {
      host.ports.map(0xed, 1, this.name, { read: (): number => 0xff, write: (): void => {} });
    },
    reset(): void {},
    save: () => ({ version: 1, fields: {} }),
    load(section): void {
      fieldsOf(section, this.name);
    },
  };
}

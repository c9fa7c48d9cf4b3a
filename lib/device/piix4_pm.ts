/**
 * Power management function of the 82371AB (vendor 0x8086, device 0x7113): ACPI PM1 event and control registers, the
 * 3.579545 MHz timer, SMI command port. Sleep type S5 switches the machine off.
 *
 * Sources: Intel 82371AB data sheet (290562), ACPI 1.0b section 4.7. Cold.
 *
 * Not emulated: system management interrupts (enabling ACPI sets SCI_EN at once), sleep states but S5, GPE sources,
 * SMBus, the timer's carry interrupt.
 */
import type { PortHandler } from "../core/bus.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { Notes } from "./notes.ts";
import { pciConfig } from "./pci_bus.ts";
import type { PciFunction } from "./pci_bus.ts";
import { scaledTime } from "./scaled_time.ts";
import type { ScaledTime } from "./scaled_time.ts";
import { fieldsOf } from "./section.ts";

/** Frequency of the ACPI timer in Hz. */
export const PM_TIMER_HZ = 3_579_545;

/** Options of {@linkcode piix4Pm}. */
export interface PmOptions {
  /** First of 64 ports at power-on; default 0x600. The base address register at 0x40 moves them. */
  readonly port?: number;
  /** Sleep type of S5; default 0. The ACPI tables must say the same. */
  readonly s5?: number;
  /** System control interrupt line; default 9. */
  readonly sci?: number;
  /** Four more ports for the general-purpose events, for firmware whose tables have them elsewhere; default none. */
  readonly gpePort?: number;
}

/** Values of the SMI command port. */
const ACPI_ENABLE = 0xf1;
/** See {@linkcode ACPI_ENABLE}. */
const ACPI_DISABLE = 0xf0;

/** The function: a device and what to plug in, usually at 1.3. */
export interface Piix4Pm extends Device {
  /** The PCI function. */
  readonly pci: PciFunction;
  /** Presses the power button. */
  pressPower(): void;
}

/** Makes it. */
export function piix4Pm(options: PmOptions = {}): Piix4Pm {
  const first = options.port ?? 0x600;
  const { config, writable } = pciConfig({ vendor: 0x8086, device: 0x7113, classCode: 0x068000, revision: 3, pin: 1 });
  config[0x40] = (first & 0xc0) | 1;
  config[0x41] = first >> 8;
  writable[0x40] = 0xc0;
  writable[0x41] = 0xff;
  config[0x80] = writable[0x80] = 1;
  // DEVACTB: writes of port 0xB2 raise the management interrupt. Set, so that firmware does not wait for one.
  config[0x5b] = 2;
  let status = 0;
  let enable = 0;
  let control = 0;
  let command = 0;
  let gpe = [0, 0, 0, 0];
  let time: ScaledTime = scaledTime(PM_TIMER_HZ, PM_TIMER_HZ);
  let now = (): number => 0;
  let sci = (_level: boolean): void => {};
  let attached: DeviceHost | undefined;
  const notes = new Notes("pm");
  let base = -1;
  let unmap = (): void => {};
  let request = (): void => {};

  function update(): void {
    sci((control & 1) !== 0 && (status & enable & 0x521) !== 0);
  }

  function readByte(at: number): number {
    if (at < 2) return (status >> (8 * at)) & 0xff;
    if (at < 4) return (enable >> (8 * (at - 2))) & 0xff;
    if (at < 6) return (control >> (8 * (at - 4))) & 0xff;
    if (at >= 8 && at < 12) return (time.cycles(now()) % 0x1000000 >> (8 * (at - 8))) & 0xff;
    return at >= 12 && at < 16 ? gpe[at - 12] ?? 0 : 0;
  }

  function writeByte(at: number, value: number): void {
    const shift = 8 * (at & 1);
    if (at < 2) status &= ~(value << shift);
    else if (at < 4) {
      enable = (enable & ~(0xff << shift) | (value << shift)) & 0x521;
      notes.when((enable & 1) !== 0, "the timer's carry never interrupts");
    } else if (at < 6) {
      control = (control & ~(0xff << shift) | (value << shift)) & 0x1c07;
      // SLP_EN is write-only.
      if (at === 5 && (value & 0x20) !== 0) sleep((control >> 10) & 7);
    } else if (at >= 14 && at < 16) {
      gpe[at - 12] = value;
      notes.when(value !== 0, "general-purpose events never come");
    }
    update();
  }

  function sleep(type: number): void {
    if (type === (options.s5 ?? 0)) request();
    else attached?.unimplemented("pm", `sleep type ${type}; only S5, power off, is there`);
  }

  const registers: PortHandler = {
    widths: [8, 16, 32],
    read(port, width): number {
      let value = 0;
      for (let i = 0; i < width / 8; i++) value |= readByte(port - base + i) << (8 * i);
      return value >>> 0;
    },
    write(port, value, width): void {
      for (let i = 0; i < width / 8; i++) writeByte(port - base + i, (value >>> (8 * i)) & 0xff);
    },
  };

  /** Puts the registers where configuration space says; where another device is they are not to be seen. */
  function decode(space: Uint8Array): void {
    const at = ((space[0x40] ?? 0) & 0xc0) | ((space[0x41] ?? 0) << 8);
    const wanted = ((space[0x80] ?? 0) & 1) !== 0 && at !== 0 ? at : -1;
    if (wanted === base || attached === undefined) return;
    unmap();
    unmap = (): void => {};
    base = wanted;
    if (wanted < 0) return;
    try {
      unmap = attached.ports.map(wanted, 64, "pm", registers);
    } catch (e) {
      if (!(e instanceof ConfigError)) throw e;
      attached.trace("pm", `ports from 0x${wanted.toString(16)} collide, not mapped`);
    }
  }

  return {
    name: "pm",
    pci: { name: "pm", config, writable, changed: decode },
    pressPower(): void {
      status |= 0x100;
      update();
    },
    attach(host): void {
      time = scaledTime(host.clock.hz, PM_TIMER_HZ);
      now = (): number => host.clock.now;
      const line = host.irq(options.sci ?? 9);
      sci = (level): void => line.set(level);
      request = (): void => host.request("power-off");
      attached = host;
      notes.attach(host);
      decode(config);
      const gpePort = options.gpePort;
      if (gpePort !== undefined) {
        host.ports.map(gpePort, 4, this.name, {
          read: (port): number => readByte(12 + port - gpePort),
          write: (port, value): void => writeByte(12 + port - gpePort, value & 0xff),
        });
      }
      host.ports.map(0xb2, 2, this.name, {
        read: (port): number => port === 0xb2 ? command : 0,
        write: (port, value): void => {
          if (port !== 0xb2) return;
          command = value & 0xff;
          if (command === ACPI_ENABLE) control |= 1;
          else if (command === ACPI_DISABLE) control &= ~1;
          else notes.once(`management command 0x${command.toString(16)} has no handler`);
          update();
        },
      });
    },
    reset(): void {
      status =
        enable =
        control =
        command =
          0;
      gpe = [0, 0, 0, 0];
      notes.reset();
      update();
    },
    save: () => ({ version: 1, fields: { status, enable, control, command, gpe: [...gpe] } }),
    load(section): void {
      const f = fieldsOf(section, this.name) as {
        status: number;
        enable: number;
        control: number;
        command: number;
        gpe: readonly number[];
      };
      ({ status, enable, control, command } = f);
      gpe = [...f.gpe];
      update();
    },
  };
}

/**
 * PCI to ISA bridge 82371SB (vendor 0x8086, device 0x7000): routes the four PCI interrupt pins to ISA lines. The
 * reset control register is with the bus (pci_bus.ts), whose ports surround it.
 *
 * Sources: Intel 82371SB data sheet (290550), PIRQRC registers. Cold.
 *
 * Not emulated: DMA routing, USB, timing registers (kept as bits).
 */
import type { IrqLine } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { pciConfig } from "./pci_bus.ts";
import type { PciFunction } from "./pci_bus.ts";
import { fieldsOf } from "./section.ts";

/** The bridge: a device, a PCI function, and where PCI devices connect their pins. */
export interface Piix3Isa extends Device {
  /** Function to plug into the bus, usually at 1.0. */
  readonly pci: PciFunction;
  /** Wire of interrupt pin 1-4 (INTA-INTD) of PCI device `device`, after the usual rotation. Wires are shared. */
  pin(device: number, pin: number): IrqLine;
}

/** Options of {@linkcode piix3Isa}. */
export interface Piix3IsaOptions {
  /** ISA lines of PIRQ A-D from power-on, as firmware would leave them; default: not routed. */
  readonly pirq?: readonly [number, number, number, number];
}

/** Makes the bridge. */
export function piix3Isa(options: Piix3IsaOptions = {}): Piix3Isa {
  const { config, writable } = pciConfig({
    vendor: 0x8086,
    device: 0x7000,
    classCode: 0x060100,
    command: 0,
    multifunction: true,
  });
  config[4] = 7;
  for (let i = 0x60; i < 0x64; i++) {
    config[i] = options.pirq?.[i - 0x60] ?? 0x80;
    writable[i] = 0x8f;
  }
  for (const i of [0x4c, 0x4e, 0x4f, 0x69, 0x6a, 0x82]) writable[i] = 0xff;
  const route = [0x80, 0x80, 0x80, 0x80];
  /** For each PIRQ the set of (device, pin) that assert it. */
  let asserted: Set<number>[] = [new Set(), new Set(), new Set(), new Set()];
  let lines: IrqLine[] = [];
  const driven = new Set<number>();

  function drive(): void {
    const now = new Set<number>();
    for (let p = 0; p < 4; p++) {
      const r = route[p] ?? 0x80;
      if ((r & 0x80) === 0 && (asserted[p]?.size ?? 0) > 0) now.add(r & 15);
    }
    for (const n of [...driven]) {
      if (now.has(n)) continue;
      driven.delete(n);
      lines[n]?.set(false);
    }
    for (const n of now) {
      if (driven.has(n)) continue;
      driven.add(n);
      lines[n]?.set(true);
    }
  }

  return {
    name: "piix3-isa",
    pci: {
      name: "piix3-isa",
      config,
      writable,
      changed(space): void {
        for (let p = 0; p < 4; p++) route[p] = space[0x60 + p] ?? 0x80;
        drive();
      },
    },
    pin(device, pin): IrqLine {
      const key = device * 8 + pin;
      const p = (device + pin - 2) & 3;
      return {
        set: (level): void => {
          if (level) asserted[p]?.add(key);
          else asserted[p]?.delete(key);
          drive();
        },
      };
    },
    attach(host: DeviceHost): void {
      lines = Array.from({ length: 16 }, (_, n) => host.irq(n));
    },
    reset(): void {
      asserted = asserted.map(() => new Set());
      drive();
    },
    save: (): Section => ({ version: 1, fields: { asserted: asserted.map((s) => [...s]) } }),
    load(section): void {
      const f = fieldsOf(section, this.name) as { asserted: readonly (readonly number[])[] };
      asserted = f.asserted.map((s) => new Set(s));
      drive();
    },
  };
}

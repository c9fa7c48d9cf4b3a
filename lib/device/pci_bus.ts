/**
 * PCI bus 0 with configuration mechanism 1, and functions made of 256 bytes of configuration space, a mask of writable
 * bits, up to six base address registers and an expansion ROM that are mapped and unmapped as the guest moves them. The
 * reset control register at port 0xCF9, which lies inside the address register, is here as well.
 *
 * Sources: PCI Local Bus Specification 2.1, sections 3.2 and 6. Cold.
 *
 * Not emulated: other buses, type 1 cycles, capabilities, parity; special cycles are dropped.
 */
import type { MmioHandler, PortHandler } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** A base address register: `size` is a power of two, at least 4 for ports and 16 for memory. */
export type PciBar =
  /** A range of ports. */
  | { readonly kind: "port"; readonly size: number; readonly handler: PortHandler }
  /** A range of memory. */
  | { readonly kind: "memory"; readonly size: number; readonly handler: MmioHandler };

/** One function of a PCI device. */
export interface PciFunction {
  /** Name for messages. */
  readonly name: string;
  /** Configuration space at reset; 256 bytes. */
  readonly config: Uint8Array;
  /** Bits of each configuration byte the guest may write; 256 bytes. Base addresses need not be included. */
  readonly writable: Uint8Array;
  /** Base address registers by number. */
  readonly bars?: readonly (PciBar | undefined)[];
  /** Expansion ROM; padded with 0xff to a power of two of at least 2 KiB. */
  readonly rom?: Uint8Array;
  /**
   * Called after the guest changed bytes from `from` to `to` (not included) of `space`, and after reset and load. `note`
   * leaves an entry in the machine's trace, once.
   */
  changed?(space: Uint8Array, from: number, to: number, note: (text: string) => void): void;
}

/** The bus. */
export interface PciBus extends Device {
  /** Plugs a function in; before the machine is attached. @throws {ConfigError} pci-slot: the slot is taken. */
  add(device: number, fn: number, what: PciFunction): void;
}

/** Options of {@linkcode pciConfig}. */
export interface PciIdentity {
  /** Vendor number. */
  readonly vendor: number;
  /** Device number. */
  readonly device: number;
  /** Class code, 24 bits: class, subclass, programming interface. */
  readonly classCode: number;
  /** Revision; default 0. */
  readonly revision?: number;
  /** Command register bits the guest may set; default 0x107. */
  readonly command?: number;
  /** Interrupt pin 1-4; default 0: none. */
  readonly pin?: number;
  /** True if the device has more than one function. */
  readonly multifunction?: boolean;
}

/** Makes the two arrays of a function: header filled in, command, latency and interrupt line writable. */
export function pciConfig(id: PciIdentity): { config: Uint8Array; writable: Uint8Array } {
  const config = new Uint8Array(256);
  const view = new DataView(config.buffer);
  view.setUint16(0, id.vendor, true);
  view.setUint16(2, id.device, true);
  view.setUint32(8, (id.classCode << 8 | (id.revision ?? 0)) >>> 0, true);
  config[14] = id.multifunction === true ? 0x80 : 0;
  config[0x3d] = id.pin ?? 0;
  const writable = new Uint8Array(256);
  new DataView(writable.buffer).setUint16(4, id.command ?? 0x107, true);
  writable[12] = writable[13] = 0xff;
  if (id.pin !== undefined) writable[0x3c] = 0xff;
  return { config, writable };
}

/** Expansion ROM base address register. */
const ROM_AT = 0x30;

/** An expansion ROM as a range of memory that drops writes. */
function romBar(bytes: Uint8Array): PciBar {
  const size = 2 ** Math.max(11, Math.ceil(Math.log2(bytes.length)));
  const read = (at: number, width: number): number => {
    let value = 0;
    for (let k = 0; k < width / 8; k++) value |= (bytes[at + k] ?? 0xff) << (8 * k);
    return value >>> 0;
  };
  return { kind: "memory", size, handler: { read, peek: read, write: (): void => {} } };
}

interface Slot {
  readonly what: PciFunction;
  readonly rom: PciBar | undefined;
  readonly space: Uint8Array;
  readonly unmap: ((() => void) | undefined)[];
  readonly mapped: number[];
}

class Bus implements PciBus {
  readonly name = "pci";
  #slots = new Map<number, Slot>();
  #address = 0;
  #resetControl = 0;
  readonly #notes: Notes = new Notes("pci");
  readonly #note = (text: string): void => this.#notes.once(text);
  #host: DeviceHost | undefined;

  add(device: number, fn: number, what: PciFunction): void {
    const key = (device << 3) | fn;
    const taken = this.#slots.get(key);
    if (taken !== undefined) {
      throw new ConfigError(
        "pci-slot",
        `PCI slot ${device}.${fn} holds "${taken.what.name}" already; give "${what.name}" another slot`,
      );
    }
    const rom = what.rom === undefined ? undefined : romBar(what.rom);
    this.#slots.set(key, { what, rom, space: what.config.slice(), unmap: [], mapped: [] });
  }

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#notes.attach(host);
    // A byte access to 0xcf9 inside the address register is the reset control register.
    host.ports.map(0xcf8, 4, this.name, {
      widths: [8, 16, 32],
      read: (port, width): number => {
        if (port === 0xcf8 && width === 32) return this.#address;
        return port === 0xcf9 && width === 8 ? this.#resetControl : 0xffffffff >>> (32 - width);
      },
      write: (port, value, width): void => {
        if (port === 0xcf8 && width === 32) this.#address = (value & 0x80fffffc) >>> 0;
        else if (port === 0xcf9 && width === 8) this.#control(value);
      },
    });
    host.ports.map(0xcfc, 4, this.name, {
      widths: [8, 16, 32],
      read: (port, width): number => this.#read(port & 3, width / 8),
      write: (port, value, width): void => this.#write(port & 3, value, width / 8),
    });
  }

  reset(): void {
    this.#address = 0;
    this.#resetControl = 0;
    this.#notes.reset();
    for (const slot of this.#slots.values()) {
      slot.space.set(slot.what.config);
      this.#decode(slot);
      slot.what.changed?.(slot.space, 0, 256, this.#note);
    }
  }

  save(): Section {
    const spaces = [...this.#slots].map(([key, slot]) => ({ key, space: slot.space.slice() }));
    return { version: 1, fields: { address: this.#address, resetControl: this.#resetControl, spaces } };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as {
      address: number;
      resetControl: number;
      spaces: { key: number; space: Uint8Array }[];
    };
    this.#address = f.address;
    this.#resetControl = f.resetControl;
    for (const { key, space } of f.spaces) {
      const slot = this.#slots.get(key);
      if (slot === undefined) {
        throw new ConfigError(
          "snapshot-mismatch",
          `Snapshot has a PCI function ${key >> 3}.${key & 7}, the machine none`,
        );
      }
      slot.space.set(space.subarray(0, 256));
      this.#decode(slot);
      slot.what.changed?.(slot.space, 0, 256, this.#note);
    }
  }

  #control(value: number): void {
    const rising = value & ~this.#resetControl & 4;
    this.#resetControl = value & 6;
    if (rising !== 0) this.#host?.request("reset");
  }

  #slot(): Slot | undefined {
    if ((this.#address & 0x80000000) === 0 || (this.#address & 0xff0000) !== 0) return undefined;
    return this.#slots.get((this.#address >> 8) & 0xff);
  }

  #read(offset: number, bytes: number): number {
    const slot = this.#slot();
    const at = (this.#address & 0xfc) | offset;
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= (slot?.space[at + i] ?? 0xff) << (8 * i);
    return value >>> 0;
  }

  #write(offset: number, value: number, bytes: number): void {
    const slot = this.#slot();
    this.#notes.when((this.#address & 0x80ffffff) >>> 0 === 0x8000ff00, "special cycles are dropped");
    if (slot === undefined) return;
    const at = (this.#address & 0xfc) | offset;
    const end = Math.min(256, at + bytes);
    for (let i = at; i < end; i++) {
      const mask = this.#mask(slot, i);
      slot.space[i] = ((slot.space[i] ?? 0) & ~mask) | ((value >>> (8 * (i - at))) & mask);
    }
    if (at < 0x34) this.#decode(slot);
    slot.what.changed?.(slot.space, at, end, this.#note);
  }

  #mask(slot: Slot, i: number): number {
    const rom = i >= ROM_AT && i < ROM_AT + 4 ? slot.rom : undefined;
    const bar = i >= 0x10 && i < 0x28 ? slot.what.bars?.[(i - 0x10) >> 2] : rom;
    if (bar === undefined) return slot.what.writable[i] ?? 0;
    if (bar === rom && i === ROM_AT) return 1;
    return (-bar.size >>> (8 * (i & 3))) & 0xff;
  }

  /** Maps what the base addresses and the command register say; a range that collides stays unmapped. */
  #decode(slot: Slot): void {
    const command = slot.space[4] ?? 0;
    const view = new DataView(slot.space.buffer, slot.space.byteOffset, 256);
    for (const [n, bar] of [...Array.from({ length: 6 }, (_, i) => slot.what.bars?.[i]), slot.rom].entries()) {
      if (bar === undefined) continue;
      const at = n === 6 ? ROM_AT : 0x10 + 4 * n;
      if (bar.kind === "port") slot.space[at] = (slot.space[at] ?? 0) | 1;
      const base = (view.getUint32(at, true) & -bar.size) >>> 0;
      const enabled = n < 6 || ((slot.space[at] ?? 0) & 1) !== 0;
      const on = enabled && (command & (bar.kind === "port" ? 1 : 2)) !== 0 && base !== 0;
      const wanted = on && base + bar.size <= (bar.kind === "port" ? 0x10000 : 0x1_0000_0000) ? base : -1;
      if ((slot.mapped[n] ?? -1) === wanted) continue;
      slot.unmap[n]?.();
      slot.unmap[n] = undefined;
      slot.mapped[n] = wanted;
      if (wanted >= 0) slot.unmap[n] = this.#map(slot, bar, wanted);
    }
  }

  #map(slot: Slot, bar: PciBar, base: number): (() => void) | undefined {
    try {
      return bar.kind === "port"
        ? this.#host?.ports.map(base, bar.size, slot.what.name, bar.handler)
        : this.#host?.mmio.mapMmio(base, bar.size, slot.what.name, bar.handler);
    } catch (e) {
      if (!(e instanceof ConfigError)) throw e;
      this.#notes.once(`${slot.what.name}: base address 0x${base.toString(16)} collides, not mapped`);
      return undefined;
    }
  }
}

/** Makes PCI bus 0 at ports 0xCF8 and 0xCFC. */
export function pciBus(): PciBus {
  return new Bus();
}

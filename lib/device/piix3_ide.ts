/**
 * IDE function of the 82371SB (vendor 0x8086, device 0x7010): two channels at their legacy ports and interrupt lines 14
 * and 15, and bus-master DMA at base address 4. The drives are in ide_drive.ts.
 *
 * Sources: Intel 82371SB data sheet (290550); Programming Interface for Bus Master IDE Controller, revision 1.0. Warm.
 *
 * Not emulated: timing registers (kept as bits), native mode.
 */
import type { GuestMemory, IrqLine, PortHandler } from "../core/bus.ts";
import type { FieldValue, Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { IdeDrive } from "./ide_drive.ts";
import type { IdeDriveOptions } from "./ide_drive.ts";
import { pciConfig } from "./pci_bus.ts";
import type { PciFunction } from "./pci_bus.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** Options of {@linkcode piix3Ide}. */
export interface IdeOptions {
  /** Primary master and slave, secondary master and slave; `undefined`: nothing plugged in. */
  readonly drives: readonly (IdeDriveOptions | undefined)[];
  /** First of 16 bus-master ports from power-on, as firmware would assign them; default: not assigned. */
  readonly masterPort?: number;
}

/** The controller: a device and a PCI function, usually plugged in at 1.1. */
export interface Piix3Ide extends Device {
  /** The PCI function. */
  readonly pci: PciFunction;
}

const NAMES = ["", "features", "count", "low", "mid", "high"] as const;
/** Descriptors a table can hold: it must not cross 64 KiB. */
const PRD_LIMIT = 8192;

class Channel {
  readonly #drives: readonly (IdeDrive | undefined)[];
  readonly #notes: Notes = new Notes("ide");
  #host: DeviceHost | undefined;
  #irq: IrqLine | undefined;
  #selected = 0;
  #control = 0;
  #command = 0;
  #status = 0;
  #table = 0;

  constructor(a: IdeDriveOptions | undefined, b: IdeDriveOptions | undefined) {
    const note = (text: string): void => this.#notes.once(text);
    this.#drives = [a, b].map((o) => o === undefined ? undefined : new IdeDrive(o, () => this.#raised(), note));
  }

  attach(host: DeviceHost, name: string, base: number, irq: number): void {
    this.#host = host;
    this.#notes.attach(host);
    this.#irq = host.irq(irq);
    host.ports.map(base, 8, name, {
      widths: [8, 16, 32],
      read: (port, width): number => {
        if (port === base) return this.#data(width / 8);
        let value = 0;
        for (let i = 0; i < width / 8; i++) value |= this.#read(port - base + i) << (8 * i);
        return value >>> 0;
      },
      write: (port, value, width): void => {
        if (port === base) return this.#dataWrite(value, width / 8);
        for (let i = 0; i < width / 8; i++) this.#write(port - base + i, (value >>> (8 * i)) & 0xff);
      },
    });
    host.ports.map(base + 0x206, 1, name, {
      read: (): number => Number(this.#drive?.s["status"] ?? 0),
      write: (_p, value): void => this.#deviceControl(value),
    });
  }

  reset(): void {
    for (const d of this.#drives) d?.reset();
    this.#notes.reset();
    this.#selected =
      this.#control =
      this.#command =
      this.#status =
      this.#table =
        0;
    this.#lines();
  }

  save(): FieldValue {
    return {
      drives: this.#drives.map((d) => d?.save() ?? null),
      registers: [this.#selected, this.#control, this.#command, this.#status, this.#table],
    };
  }

  load(value: FieldValue): void {
    const f = value as { drives: readonly FieldValue[]; registers: readonly number[] };
    this.#drives.forEach((d, i) => {
      const saved = f.drives[i];
      if (saved !== null && saved !== undefined) d?.load(saved);
    });
    const [selected = 0, control = 0, command = 0, status = 0, table = 0] = f.registers;
    this.#selected = selected;
    this.#control = control;
    this.#command = command;
    this.#status = status;
    this.#table = table;
    this.#lines();
  }

  /** Bus-master register 0-7. */
  masterRead(at: number): number {
    if (at === 0) return this.#command;
    if (at === 2) return this.#status;
    return at >= 4 ? (this.#table >>> (8 * (at - 4))) & 0xff : 0;
  }

  masterWrite(at: number, value: number): void {
    if (at === 0) {
      this.#command = value & 9;
      this.#status = (value & 1) !== 0 ? this.#status | 1 : this.#status & ~1;
      this.#runDma();
    } else if (at === 2) {
      this.#status = (this.#status & 1) | (value & 0x60) | (this.#status & 6 & ~value);
    } else if (at >= 4) {
      const shift = 8 * (at - 4);
      this.#table = ((this.#table & ~(0xff << shift)) | ((value & 0xff) << shift)) & ~3;
    }
  }

  get #drive(): IdeDrive | undefined {
    return this.#drives[this.#selected];
  }

  #lines(): void {
    this.#irq?.set(this.#drive?.s["irq"] === true && (this.#control & 2) === 0);
  }

  #raised(): void {
    if ((this.#control & 2) === 0) {
      this.#irq?.set(false);
      this.#status |= 4;
    }
    this.#lines();
  }

  /** The data register has sixteen bits: a wider access is two. */
  #data(bytes: number): number {
    const drive = this.#drive;
    if (drive === undefined) return 0xffffffff;
    if (bytes < 4) return drive.dataRead(bytes);
    return (drive.dataRead(2) | (drive.dataRead(2) << 16)) >>> 0;
  }

  #dataWrite(value: number, bytes: number): void {
    this.#drive?.dataWrite(bytes === 1 ? value & 0xff : value & 0xffff, Math.min(bytes, 2));
    if (bytes === 4) this.#drive?.dataWrite(value >>> 16, 2);
  }

  #read(register: number): number {
    const s = this.#drive?.s;
    if (s === undefined) return 0;
    if (register === 7) {
      s["irq"] = false;
      this.#lines();
      return Number(s["status"]);
    }
    if (register === 6) return Number(s["device"]) | 0xa0;
    if (register === 1) return Number(s["error"]);
    const name = NAMES[register] ?? "";
    return Number(s[(this.#control & 0x80) !== 0 ? `${name}2` : name] ?? 0);
  }

  #write(register: number, value: number): void {
    this.#control &= 0x7f;
    if (register === 7) {
      this.#drive?.command(value);
      this.#lines();
      return this.#runDma();
    }
    if (register === 6) this.#selected = (value >> 4) & 1;
    const name = register === 6 ? "device" : NAMES[register] ?? "";
    for (const d of this.#drives) {
      if (d === undefined) continue;
      if (register >= 2 && register <= 5) d.s[`${name}2`] = d.s[name] ?? 0;
      d.s[name] = value;
    }
    this.#lines();
  }

  #deviceControl(value: number): void {
    const rising = value & ~this.#control & 4;
    this.#control = value & 0x86;
    if (rising !== 0) {
      for (const d of this.#drives) d?.reset();
      this.#selected = 0;
    }
    this.#lines();
  }

  #runDma(): void {
    const drive = this.#drive;
    const memory = this.#host?.memory;
    if ((this.#command & 1) === 0 || drive === undefined || memory === undefined || !drive.dmaReady) return;
    const last = this.#walk(drive, memory);
    // The table ended with the transfer: not active. Longer than the transfer: active stays.
    if (last) this.#status &= ~1;
    this.#lines();
  }

  /** Nobody answers on the bus: the master stops with its error bit, the drive goes on waiting. */
  #aborted(): boolean {
    this.#status |= 2;
    return true;
  }

  /** Moves data along the descriptor table; true if the last descriptor was used up. */
  #walk(drive: IdeDrive, memory: GuestMemory): boolean {
    const entry = new Uint8Array(8);
    const view = new DataView(entry.buffer);
    for (let i = 0; i < PRD_LIMIT; i++) {
      if (memory.readPhysical((this.#table + 8 * i) >>> 0, entry) !== entry.length) return this.#aborted();
      let at = view.getUint32(0, true) & ~1;
      let left = view.getUint16(4, true) & 0xfffe || 0x10000;
      while (left > 0 && drive.dmaReady) {
        const window = drive.dmaWindow();
        const n = Math.min(left, window.length);
        if (n === 0) return true;
        const part = window.subarray(0, n);
        const moved = drive.toGuest ? memory.writePhysical(at >>> 0, part) : memory.readPhysical(at >>> 0, part);
        if (moved !== n) return this.#aborted();
        drive.dmaMoved(n);
        at += n;
        left -= n;
      }
      const end = (view.getUint8(7) & 0x80) !== 0;
      if (!drive.dmaReady) return end && left === 0;
      if (end) break;
    }
    // Table shorter than the transfer: the drive waits; the guest will time out and reset it.
    return true;
  }
}

/** Makes the controller. */
export function piix3Ide(options: IdeOptions): Piix3Ide {
  const d = options.drives;
  const channels = [new Channel(d[0], d[1]), new Channel(d[2], d[3])] as const;
  const { config, writable } = pciConfig({ vendor: 0x8086, device: 0x7010, classCode: 0x010180, command: 5 });
  config[0x41] = config[0x43] = 0x80;
  if (options.masterPort !== undefined) {
    new DataView(config.buffer).setUint32(0x20, options.masterPort | 1, true);
    config[4] = 5;
  }
  for (let i = 0x40; i < 0x45; i++) writable[i] = 0xff;
  const master: PortHandler = {
    read: (port): number => channels[((port >> 3) & 1) as 0 | 1].masterRead(port & 7),
    write: (port, value): void => channels[((port >> 3) & 1) as 0 | 1].masterWrite(port & 7, value & 0xff),
  };
  const none = undefined;
  return {
    name: "ide",
    pci: {
      name: "ide",
      config,
      writable,
      bars: [none, none, none, none, { kind: "port", size: 16, handler: master }],
    },
    attach(host): void {
      channels[0].attach(host, this.name, 0x1f0, 14);
      channels[1].attach(host, this.name, 0x170, 15);
    },
    reset(): void {
      for (const c of channels) c.reset();
    },
    save: (): Section => ({ version: 2, fields: { channels: channels.map((c) => c.save()) } }),
    load(section): void {
      const f = fieldsOf(section, this.name, 2) as { channels: readonly FieldValue[] };
      channels.forEach((c, i) => c.load(f.channels[i] ?? null));
    },
  };
}

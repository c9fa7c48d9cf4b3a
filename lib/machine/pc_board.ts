/**
 * The board of a PC: an i440FX with PIIX3 and PIIX4, the AT's own devices, interrupt routing, and the tables and wiring
 * that firmware leaves behind when no BIOS runs. Everything here is a part that a script could put together itself. Cold.
 *
 * PCI interrupt pins: PIRQ A-D go to the ISA lines 10, 10, 11, 11, for the 8259A pair and the IO-APIC alike (its pins 10
 * and 11, level-triggered, active low); the MP and ACPI tables say so. Pins 16-23 of the IO-APIC are free.
 *
 * Not emulated: floppy, ISA DMA, USB, graphics.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Device } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { firmwareTables } from "../device/firmware_tables.ts";
import { i440fx, type ShadowAccess } from "../device/i440fx.ts";
import { i8042 } from "../device/i8042.ts";
import { pciBus, pciConfig, type PciFunction } from "../device/pci_bus.ts";
import { piix3Ide } from "../device/piix3_ide.ts";
import { piix3Isa } from "../device/piix3_isa.ts";
import { type Piix4Pm, piix4Pm } from "../device/piix4_pm.ts";
import { pit8254 } from "../device/pit8254.ts";
import { rtcMc146818 } from "../device/rtc_mc146818.ts";
import { debugConsole, delayPort, port92, postCode } from "../device/small_ports.ts";
import { type Uart, uart16550 } from "../device/uart16550.ts";
import { type VgaText, vgaText } from "../device/vga_text.ts";
import { Keyboard } from "./keyboard.ts";
import type { IdeDriveOptions } from "../device/ide_drive.ts";
import { PcPlatform } from "./pc_platform.ts";
import { checkShape } from "./shapes.ts";

/** A card in a PCI slot: a device that is a PCI function as well. */
export interface PciCard extends Device {
  /** Its function 0. */
  readonly pci: PciFunction;
  /** Called before {@linkcode Device.attach} with the wires of the slot's interrupt pins, 1-4 (INTA-INTD). */
  wire?(pin: (n: number) => IrqLine): void;
  /** Called before {@linkcode Device.attach} with the way of message-signalled interrupts to the local APICs. */
  signals?(send: (address: number, data: number) => void): void;
}

/** What a board is made of. */
export interface PcBoardOptions {
  /** Number of CPUs. */
  readonly cpus: number;
  /** Bytes of RAM. */
  readonly memory: number;
  /** Does a BIOS run? Otherwise the board comes up as a BIOS would leave it. */
  readonly bios: boolean;
  /** Expansion ROM of the display adapter. */
  readonly vgaBios: Uint8Array | undefined;
  /** See {@linkcode piix3Ide}. */
  readonly drives: readonly (IdeDriveOptions | undefined)[];
  /** Cards, from slot 3 on. */
  readonly cards: readonly PciCard[];
  /** Date at power-on. */
  readonly date: string | undefined;
  /** Further CMOS bytes. */
  readonly cmos: { readonly [index: number]: number };
  /** Receives what the guest sends on the first serial port. */
  readonly onSerial: (byte: number) => void;
  /** Receives what firmware writes to its debug port 0x402. */
  readonly onDebug: (byte: number) => void;
  /** Switches the memory from 0xC0000 on between ROM and RAM. */
  readonly shadow: (at: number, size: number, access: ShadowAccess) => void;
}

/** A board, ready for a machine. */
export interface PcBoard {
  /** Interrupt routing. */
  readonly platform: PcPlatform;
  /** Devices in order; the platform's, which must be the last of a machine, are not among them. */
  readonly devices: readonly Device[];
  /** The display adapter. */
  readonly display: VgaText;
  /** The keyboard. */
  readonly keyboard: Keyboard;
  /** The first serial port. */
  readonly serial: Uart;
  /** Power management, with the power button. */
  readonly power: Piix4Pm;
}

/** Where the tables lie when no BIOS runs. */
export const TABLES_AT = 0xf0000;
/** ISA lines of PIRQ A-D. */
const PIRQ = [10, 10, 11, 11] as const;
/** Lines that are level-triggered: system control interrupt and PIRQs. */
const LEVEL = (1 << 9) | (1 << 10) | (1 << 11);
/** Bus-master ports of the IDE controller when no BIOS assigns them. */
const MASTER_PORT = 0xc000;
/** Where the tables that SeaBIOS makes for this chip set have the general-purpose events. */
const GPE_PORT = 0xafe0;
const VGA_SLOT = 2;
const FIRST_SLOT = 3;
const SECOND_SERIAL = { name: "uart1", port: 0x2f8, irq: 3 } as const;
const DEBUG_PORT = 0x402;
/** "PCIR", the PCI data structure of an expansion ROM (PCI 2.1, 6.3.1.2). */
const PCIR = 0x52494350;

/** Makes the board. @throws {ConfigError} pci-slot, config-value */
export function pcBoard(o: PcBoardOptions): PcBoard {
  const platform = new PcPlatform(o.cpus, o.bios ? undefined : LEVEL);
  const bus = pciBus();
  const isa = piix3Isa(o.bios ? {} : { pirq: PIRQ });
  const ide = piix3Ide({ drives: o.drives, ...(o.bios ? {} : { masterPort: MASTER_PORT }) });
  const power = piix4Pm(o.bios ? { gpePort: GPE_PORT } : {});
  bus.add(0, 0, i440fx({ shadow: o.shadow }));
  bus.add(1, 0, isa.pci);
  bus.add(1, 1, ide.pci);
  bus.add(1, 3, power.pci);
  if (o.vgaBios !== undefined) bus.add(VGA_SLOT, 0, displayFunction(o.vgaBios));
  o.cards.forEach((card, i) => {
    checkShape(`cards[${i}]`, card, ["attach", "reset", "save", "load"], "a card is a device with a PCI function");
    checkShape(`pci of cards[${i}]`, card.pci, [], "give a PCI function, see pciConfig()");
    bus.add(FIRST_SLOT + i, 0, card.pci);
    card.wire?.((n) => isa.pin(FIRST_SLOT + i, n));
    card.signals?.((address, data) => platform.signal(address, data));
  });
  const keys = i8042();
  const keyboard = new Keyboard((code, down) => keys.key(code, down));
  const serial = uart16550({ onByte: o.onSerial });
  const display = vgaText({ window: "board" });
  const cmos = { 0x5f: o.cpus - 1, ...o.cmos };
  return {
    platform,
    display,
    keyboard,
    serial,
    power,
    devices: [
      isa,
      ...o.cards,
      pit8254(),
      serial,
      uart16550(SECOND_SERIAL),
      rtcMc146818({ memory: o.memory, cmos, ...(o.date === undefined ? {} : { start: o.date }) }),
      keys,
      keyboard,
      port92(),
      postCode(),
      delayPort(),
      debugConsole({ port: DEBUG_PORT, onByte: o.onDebug }),
      display,
      ide,
      power,
      bus,
    ],
  };
}

/**
 * The display adapter on the PCI bus, there for its expansion ROM: with vendor and device that the ROM is for. Its
 * registers and memory are at the fixed addresses of a VGA.
 */
function displayFunction(rom: Uint8Array): PciFunction {
  const view = new DataView(rom.buffer, rom.byteOffset, rom.length);
  const at = rom.length < 0x1a ? 0 : view.getUint16(0x18, true);
  if (at + 24 > rom.length || view.getUint16(0, true) !== 0xaa55 || view.getUint32(at, true) !== PCIR) {
    throw new ConfigError(
      "image-vga-bios",
      "VGA BIOS must be an expansion ROM for PCI, with 0x55 0xaa and a PCIR structure; this image has none",
    );
  }
  const id = { vendor: view.getUint16(at + 4, true), device: view.getUint16(at + 6, true), classCode: 0x030000 };
  return { name: "vga", ...pciConfig({ ...id, command: 3 }), rom };
}

const tables: Map<number, Uint8Array> = new Map();

/** MP and ACPI tables of a board with this many CPUs; made once. */
export function pcTables(cpus: number): Uint8Array {
  const made = tables.get(cpus) ?? firmwareTables({ at: TABLES_AT, cpus, pirq: PIRQ });
  tables.set(cpus, made);
  return made;
}

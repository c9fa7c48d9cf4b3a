/**
 * Ready-made machines: nothing but assembly of parts that a script could put together itself. Cold.
 *
 * Not emulated in these presets: disks, network, APIC and ACPI tables, graphics.
 */
import { MiB } from "../base/bits.ts";
import { i386, type I386Options } from "../cpu/i386/factory.ts";
import type { Device } from "../core/device.ts";
import { i8042 } from "../device/i8042.ts";
import { pic8259 } from "../device/pic8259.ts";
import { pit8254 } from "../device/pit8254.ts";
import { rtcMc146818 } from "../device/rtc_mc146818.ts";
import { port92, postCode } from "../device/small_ports.ts";
import { SystemPorts } from "../device/system_ports.ts";
import { uart16550 } from "../device/uart16550.ts";
import { ram, type Region } from "../memory/region.ts";
import type { ParavirtBackend } from "../vmi/paravirt/backend.ts";
import { native } from "../vmi/paravirt/backends/native.ts";
import { checkKeys, integer } from "./config.ts";
import { SerialConsole } from "./serial_console.ts";
import { Keyboard } from "./keyboard.ts";
import { biosRegions } from "./loader/raw.ts";
import { type Machine, machine } from "./machine.ts";
import { paravirt, type ParavirtHypervisor, type ParavirtOptions } from "./paravirt.ts";
import { picPlatform } from "./pic_platform.ts";
import { TextScreen } from "./screen.ts";

/** Options of {@linkcode tiny}. */
export interface TinyOptions extends I386Options {
  /** Bytes of RAM from address 0; default 1 MiB. */
  readonly memory?: number;
}

/** Options of {@linkcode pc}. */
export interface PcOptions extends I386Options {
  /** Bytes of RAM, at least 2 MiB; default 64 MiB. */
  readonly memory?: number;
  /** BIOS image; default none: programs are loaded directly. */
  readonly bios?: Uint8Array;
  /** More devices. */
  readonly devices?: readonly Device[];
  /** Date at power-on, `YYYY-MM-DDThh:mm:ss`; default `2000-01-01T00:00:00`. */
  readonly date?: string;
  /** Ticks per virtual second; default 100 000 000. */
  readonly hz?: number;
  /** Seed; default 1. */
  readonly seed?: number;
  /** Trace entries kept; default 256. */
  readonly trace?: number;
  /** What a reset by the guest does; default `stop`. */
  readonly onReset?: "stop" | "reboot";
  /** See `MachineConfig.stopOnFault`. */
  readonly stopOnFault?: boolean | readonly number[];
}

/** Options of {@linkcode vmiPc}. */
export interface VmiPcOptions extends PcOptions {
  /** Who answers the paravirtual calls; default `native()`. */
  readonly backend?: ParavirtBackend;
  /** The ROM: place, version, licence and more. */
  readonly rom?: Omit<ParavirtOptions, "backend">;
}

/** A PC: `serial`, `screen` and `keyboard` are there. */
export type PcMachine = Machine & {
  /** The text screen. */
  readonly screen: TextScreen;
  /** The keyboard. */
  readonly keyboard: Keyboard;
};

/** A PC with a paravirtual interface. */
export type VmiPcMachine = PcMachine & {
  /** The paravirtual interface: record, before, after, override. */
  readonly paravirt: ParavirtHypervisor;
};

const CPU_KEYS = ["model", "engine"];
const PC_KEYS = ["memory", "bios", "devices", "date", "hz", "seed", "trace", "onReset", "stopOnFault", ...CPU_KEYS];

/** An i386 and RAM, nothing else. @throws {ConfigError} config-key, config-value */
export function tiny(options: TinyOptions = {}): Machine {
  checkKeys("tiny", options, ["memory", ...CPU_KEYS]);
  const size = integer("memory", options.memory, 1 * MiB, 4096, 2 ** 31);
  return machine({ cpu: i386(cpuOptions(options)), memory: [ram({ at: 0, size })] });
}

/**
 * A PC with interrupt controllers, timer, serial port at 0x3f8, CMOS clock, keyboard and text screen.
 * @throws {ConfigError} config-key, config-value, image-bios
 */
export function pc(options: PcOptions = {}): PcMachine {
  checkKeys("pc", options, PC_KEYS);
  return assemble(options, undefined);
}

/**
 * A PC with the paravirtual interface's option ROM.
 * @throws {ConfigError} config-key, config-value, image-bios, and those of the ROM
 */
export function vmiPc(options: VmiPcOptions = {}): VmiPcMachine {
  checkKeys("vmiPc", options, ["backend", "rom", ...PC_KEYS]);
  const hypervisor = paravirt({ ...options.rom, backend: options.backend ?? native() });
  return Object.assign(assemble(options, hypervisor), { paravirt: hypervisor });
}

function assemble(options: PcOptions, hypervisor: ParavirtHypervisor | undefined): PcMachine {
  const size = integer("memory", options.memory, 64 * MiB, 2 * MiB, 2 ** 31 - 64 * MiB);
  const serial = new SerialConsole();
  const controllers = pic8259();
  const keys = i8042();
  const keyboard = new Keyboard((code, down) => keys.key(code, down));
  const uart = uart16550({ onByte: (byte) => serial.put(byte) });
  serial.connect((byte) => {
    uart.feed(Uint8Array.of(byte));
    return true;
  });
  const devices = [
    controllers,
    pit8254(),
    uart,
    rtcMc146818({ memory: size, ...(options.date === undefined ? {} : { start: options.date }) }),
    keys,
    keyboard,
    port92(),
    postCode(),
    new SystemPorts(),
    ...(options.devices ?? []),
  ];
  const { hz, seed, trace, onReset, stopOnFault } = options;
  const m = machine({
    cpu: i386(cpuOptions(options)),
    memory: pcMemory(size, options.bios),
    devices,
    platform: picPlatform(controllers),
    serial,
    ...(hypervisor === undefined ? {} : { paravirt: hypervisor }),
    ...(hz === undefined ? {} : { hz }),
    ...(seed === undefined ? {} : { seed }),
    ...(trace === undefined ? {} : { trace }),
    ...(onReset === undefined ? {} : { onReset }),
    ...(stopOnFault === undefined ? {} : { stopOnFault }),
  });
  return Object.assign(m, { screen: new TextScreen(m.physical), keyboard });
}

/** RAM below 640 KiB, video memory as RAM, RAM from 1 MiB; a BIOS where the CPU starts. */
function pcMemory(size: number, bios: Uint8Array | undefined): readonly Region[] {
  return [
    ram({ at: 0, size: 0xa0000, name: "low" }),
    ram({ at: 0xa0000, size: 0x20000, name: "video" }),
    ram({ at: 1 * MiB, size: size - 1 * MiB, name: "high" }),
    ...(bios === undefined ? [] : biosRegions(bios)),
  ];
}

function cpuOptions({ model, engine }: I386Options): I386Options {
  return { ...(model === undefined ? {} : { model }), ...(engine === undefined ? {} : { engine }) };
}

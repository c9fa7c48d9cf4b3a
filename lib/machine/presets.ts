/**
 * Ready-made machines: nothing but assembly of parts that a script could put together itself. Cold.
 *
 * Not emulated in these presets: network, USB, graphics, a floppy controller (see `floppyCd` for floppy images).
 */
import { MiB } from "../base/bits.ts";
import { i386, type I386Options } from "../cpu/i386/factory.ts";
import type { CostTable } from "../core/costs.ts";
import type { Device } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import type { OverlayImage } from "../device/block_image.ts";
import { parseDate } from "../device/rtc_mc146818.ts";
import type { AddressSpace } from "../memory/address_space.ts";
import { PAGE, ram, type Region, rom, shadowRam } from "../memory/region.ts";
import type { ParavirtBackend } from "../vmi/paravirt/backend.ts";
import { native } from "../vmi/paravirt/backends/native.ts";
import type { Personality } from "../vmi/personality/personality.ts";
import { checkKeys } from "../core/keys.ts";
import { integer, MAX_CPUS } from "./config.ts";
import { HypervisorChain } from "./hypervisor_chain.ts";
import { SerialConsole } from "./serial_console.ts";
import type { Keyboard } from "./keyboard.ts";
import { biosRegions } from "./loader/raw.ts";
import { type Machine, machine } from "./machine.ts";
import { paravirt, type ParavirtHypervisor, type ParavirtOptions } from "./paravirt.ts";
import { PersonalityHypervisor } from "./personality.ts";
import type { Hypervisor } from "./platform.ts";
import { pcBoard, type PciCard, pcTables, TABLES_AT } from "./pc_board.ts";
import { type DiskSource, plugDrives } from "./pc_disks.ts";
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
  /** Number of CPUs; default 1. */
  readonly cpus?: number;
  /** BIOS image; default none: programs are loaded directly, and the board is as a BIOS leaves it, tables included. */
  readonly bios?: Uint8Array;
  /** VGA BIOS, an expansion ROM for PCI, for a BIOS to run; default none: the BIOS writes nothing on the screen. */
  readonly vgaBios?: Uint8Array;
  /** Hard disks on the IDE channels, at most four, three beside a CD. The images themselves are never written. */
  readonly disks?: readonly DiskSource[];
  /** A CD in a drive, sectors of 2048 bytes; `floppyCd(image)` makes one of a floppy image. */
  readonly cd?: DiskSource;
  /** What a BIOS tries first; default `disk`. */
  readonly bootFrom?: "disk" | "cd";
  /** Cards in PCI slots, from slot 3 on. */
  readonly cards?: readonly PciCard[];
  /** More devices. */
  readonly devices?: readonly Device[];
  /** Date at power-on, `YYYY-MM-DDThh:mm:ss`; default `2000-01-01T00:00:00`. */
  readonly date?: string;
  /** Ticks per virtual second; default 100 000 000. */
  readonly hz?: number;
  /** Seed; default 1. */
  readonly seed?: number;
  /** See `MachineConfig.costs`. */
  readonly costs?: CostTable;
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

/** Options of {@linkcode vmiPc} with a hypervisor of today beside the backend. */
export interface PersonalityVmiPcOptions<N extends string = string> extends VmiPcOptions {
  /** What hypervisor the guest finds, e.g. `kvm()`. */
  readonly personality: Personality<N>;
}

/** Options of {@linkcode pc} with a hypervisor of today. */
export interface PersonalityPcOptions<N extends string = string> extends PcOptions {
  /** What hypervisor the guest finds, e.g. `kvm()`. */
  readonly personality: Personality<N>;
}

/** A PC: `serial`, `screen`, `keyboard` and the disks' overlays are there. */
export type PcMachine = Machine & {
  /** The text screen. */
  readonly screen: TextScreen;
  /** The keyboard. */
  readonly keyboard: Keyboard;
  /** What the guest has written to each hard disk; snapshots keep it. */
  readonly disks: readonly OverlayImage[];
  /** What firmware wrote to its debug port 0x402; no part of a snapshot. */
  readonly firmwareLog: SerialConsole;
  /** Presses the power button: a guest with ACPI is asked to switch off. */
  readonly pressPower: () => void;
};

/** A PC with a paravirtual interface. */
export type VmiPcMachine = PcMachine & {
  /** The paravirtual interface: record, before, after, override. */
  readonly paravirt: ParavirtHypervisor;
};

/** A PC under a hypervisor of today. */
export type PersonalityPcMachine<N extends string = string> = PcMachine & {
  /** Its hypercalls: record, before, after, override, inject. */
  readonly hypercalls: PersonalityHypervisor<N>;
};

const DEFAULT_MEMORY = 64 * MiB;
const CPU_KEYS = ["model", "engine", "jit", "interpreter"];
const PC_KEYS = [
  ...["memory", "cpus", "bios", "vgaBios", "disks", "cd", "bootFrom", "cards", "devices", "date"],
  ...["hz", "seed", "costs", "trace", "onReset", "stopOnFault", ...CPU_KEYS],
];

/** An i386 and RAM, nothing else. @throws {ConfigError} config-key, config-value */
export function tiny(options: TinyOptions = {}): Machine {
  checkKeys("tiny", options, ["memory", ...CPU_KEYS]);
  const size = integer("memory", options.memory, 1 * MiB, 4096, 2 ** 31);
  return machine({ cpu: i386(cpuOptions(options)), memory: [ram({ at: 0, size })] });
}

/**
 * A PC with interrupt controllers and APICs, timer, serial port at 0x3f8, CMOS clock, keyboard, text screen, PCI with
 * IDE disks and a CD, and power management; under a hypervisor of today if `personality` names one.
 * @throws {ConfigError} config-key, config-value, image-bios, image-size
 */
export function pc<N extends string>(options: PersonalityPcOptions<N>): PersonalityPcMachine<N>;
/** A PC without hypervisor; see the first form. */
export function pc(options?: PcOptions): PcMachine;
/** See the first form. */
export function pc(options: PcOptions & { readonly personality?: Personality } = {}): PcMachine {
  checkKeys("pc", options, ["personality", ...PC_KEYS]);
  if (options.personality === undefined) return assemble(options, undefined);
  const hypercalls = makeHypercalls(options, options.personality);
  return Object.assign(assemble(options, hypercalls), { hypercalls });
}

function makeHypercalls<N extends string>(options: PcOptions, personality: Personality<N>): PersonalityHypervisor<N> {
  if (typeof personality?.cpuid !== "function") {
    throw new ConfigError("config-value", "personality must be one such as kvm() or vmware()");
  }
  return new PersonalityHypervisor({
    personality,
    memory: options.memory ?? DEFAULT_MEMORY,
    ...(options.date === undefined ? {} : { epoch: parseDate(options.date) }),
  });
}

/**
 * A PC with the paravirtual interface's option ROM, or on a backend of which the guest knows nothing, such as
 * `hardware()`; the guest finds a hypervisor of today besides if `personality` names one.
 * @throws {ConfigError} config-key, config-value, image-bios, image-size, and those of the ROM
 */
export function vmiPc<N extends string>(
  options: PersonalityVmiPcOptions<N>,
): VmiPcMachine & PersonalityPcMachine<N>;
/** A PC with the paravirtual interface alone; see the first form. */
export function vmiPc(options?: VmiPcOptions): VmiPcMachine;
/** See the first form. */
export function vmiPc(options: VmiPcOptions & { readonly personality?: Personality } = {}): VmiPcMachine {
  checkKeys("vmiPc", options, ["backend", "rom", "personality", ...PC_KEYS]);
  const hypervisor = paravirt({ ...options.rom, backend: options.backend ?? native() });
  if (options.personality === undefined) {
    return Object.assign(assemble(options, hypervisor), { paravirt: hypervisor });
  }
  const hypercalls = makeHypercalls(options, options.personality);
  const both = assemble(options, new HypervisorChain([hypervisor, hypercalls]));
  return Object.assign(both, { paravirt: hypervisor, hypercalls });
}

/** CMOS byte of the boot order: first and second choice, a nibble each; 2 is a disk, 3 a CD. */
const BOOT_ORDER = 0x3d;

function bootOrder(first: unknown): number {
  if (first === "disk") return 0x32;
  if (first === "cd") return 0x23;
  throw new ConfigError("config-value", `bootFrom must be "disk" or "cd", not ${JSON.stringify(first)}`);
}

function assemble(options: PcOptions, hypervisor: Hypervisor | undefined): PcMachine {
  const size = integer("memory", options.memory, DEFAULT_MEMORY, 2 * MiB, 2 ** 31 - 64 * MiB);
  const cpus = integer("cpus", options.cpus, 1, 1, MAX_CPUS);
  if (options.vgaBios !== undefined && options.bios === undefined) {
    throw new ConfigError("config-value", "vgaBios needs a BIOS that runs it; give bios as well");
  }
  const { drives, overlays } = plugDrives(options.disks ?? [], options.cd);
  const serial = new SerialConsole();
  const firmwareLog = new SerialConsole();
  // A hypervisor's ROM is not part of the board: no shadow RAM covers it.
  const fixed = hypervisor?.regions ?? [];
  let space: AddressSpace | undefined = undefined as AddressSpace | undefined;
  const board = pcBoard({
    cpus,
    memory: size,
    bios: options.bios !== undefined,
    vgaBios: options.vgaBios,
    drives,
    cards: options.cards ?? [],
    date: options.date,
    cmos: { [BOOT_ORDER]: bootOrder(options.bootFrom ?? "disk") },
    onSerial: (byte) => serial.put(byte),
    onDebug: (byte) => firmwareLog.put(byte),
    shadow: (at, bytes, access) => {
      for (let page = at; page < at + bytes; page += PAGE) {
        if (!fixed.some((r) => r.at <= page && page < r.at + r.size)) space?.setShadow(page, PAGE, access);
      }
    },
  });
  serial.connect((byte) => {
    board.serial.feed(Uint8Array.of(byte));
    return true;
  });
  const { hz, seed, costs, trace, onReset, stopOnFault } = options;
  const m = machine({
    cpu: i386(cpuOptions(options)),
    cpus,
    memory: pcMemory(size, cpus, options.bios),
    devices: [...board.devices, ...(options.devices ?? []), ...board.platform.devices],
    platform: board.platform,
    serial,
    ...(hypervisor === undefined ? {} : { paravirt: hypervisor }),
    ...(hz === undefined ? {} : { hz }),
    ...(seed === undefined ? {} : { seed }),
    ...(costs === undefined ? {} : { costs }),
    ...(trace === undefined ? {} : { trace }),
    ...(onReset === undefined ? {} : { onReset }),
    ...(stopOnFault === undefined ? {} : { stopOnFault }),
  });
  space = m.space;
  return Object.assign(m, {
    screen: new TextScreen(board.display),
    keyboard: board.keyboard,
    disks: overlays,
    firmwareLog,
    pressPower: (): void => board.power.pressPower(),
  });
}

/** RAM below 640 KiB, video memory as RAM, RAM from 1 MiB; a BIOS where the CPU starts, or what one leaves behind. */
function pcMemory(size: number, cpus: number, bios: Uint8Array | undefined): readonly Region[] {
  return [
    ram({ at: 0, size: 0xa0000, name: "low" }),
    ram({ at: 0xa0000, size: 0x20000, name: "video" }),
    ram({ at: 1 * MiB, size: size - 1 * MiB, name: "high" }),
    shadowRam({ at: 0xc0000, size: 0x40000, name: "shadow" }),
    ...(bios === undefined ? [rom({ at: TABLES_AT, bytes: pcTables(cpus), name: "tables" })] : biosRegions(bios)),
  ];
}

function cpuOptions({ model, engine, jit, interpreter }: I386Options): I386Options {
  return {
    ...(model === undefined ? {} : { model }),
    ...(engine === undefined ? {} : { engine }),
    ...(jit === undefined ? {} : { jit }),
    ...(interpreter === undefined ? {} : { interpreter }),
  };
}

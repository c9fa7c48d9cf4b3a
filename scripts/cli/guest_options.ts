/**
 * The machine and its guest as options, for commands that hand them to a debugger or a page: what `boot` boots, or the bare
 * program that `flat` runs. Cold.
 */
import { type EngineName, MAX_CPUS, MiB, type PcMachine } from "../../mod.ts";
import { type Command, integer, Option } from "../deps/cli.ts";
import { bootImage, makePc } from "./boot.ts";
import { type Io, UsageError } from "./io.ts";
import {
  address,
  DEFAULT_ENGINE,
  ENGINES,
  flatProgram,
  type HypervisorName,
  HYPERVISORS,
  PERSONALITIES,
  type PersonalityName,
  type PlacedFile,
  placedFile,
} from "./options.ts";

/** What the options come to. */
export interface GuestOptions {
  /** Kernel to boot. */
  readonly kernel?: string;
  /** Its initial RAM disk. */
  readonly initrd?: string;
  /** Its command line. */
  readonly append: string;
  /** BIOS. */
  readonly bios?: string;
  /** VGA BIOS. */
  readonly vgaBios?: string;
  /** Hard disks. */
  readonly disk: readonly string[];
  /** CD. */
  readonly cd?: string;
  /** Floppy. */
  readonly floppy?: string;
  /** Bare program. */
  readonly image?: readonly PlacedFile[];
  /** Where it begins. */
  readonly entry?: number;
  /** Its CPU mode. */
  readonly mode: "real" | "protected";
  /** RAM in MiB. */
  readonly memory: number;
  /** CPUs. */
  readonly cpus: number;
  /** Who executes. */
  readonly engine: EngineName;
  /** Who answers paravirtual calls. */
  readonly backend?: HypervisorName;
  /** The hypervisor of today beside it. */
  readonly personality?: PersonalityName;
}

/** Adds the options; those of the command itself follow. */
export function addGuestOptions(command: Command): Command {
  return command
    .option("--kernel <file>", "bzImage, multiboot kernel, ELF file or BIOS image")
    .option("--initrd <file>", "initial RAM disk, or multiboot module")
    .option("--append <text>", "kernel command line", "")
    .option("--bios <file>", "BIOS image; without a kernel the machine starts in it")
    .option("--vga-bios <file>", "VGA BIOS for a PCI card, run by the BIOS")
    .option("--disk <file>", "hard disk image (may be repeated)", (file: string, all: string[]) => [...all, file], [])
    .option("--cd <file>", "CD image")
    .option("--floppy <file>", "floppy image that the BIOS boots as drive A, from a CD made of it")
    .option("--image <file@address>", "bare program and where it goes (may be repeated)", placedFile)
    .option("--entry <address>", "first instruction of a bare program; default: the first image", address)
    .addOption(
      new Option("--mode <mode>", "CPU mode of a bare program").choices(["real", "protected"] as const).default(
        "real" as const,
      ),
    )
    .option("--memory <MiB>", "RAM in MiB", integer("a number of MiB", { min: 2, max: 1984 }), 64)
    .option("--cpus <n>", "number of CPUs", integer("a number of CPUs", { min: 1, max: MAX_CPUS }), 1)
    .addOption(new Option("--engine <name>", "who executes").choices(ENGINES).default(DEFAULT_ENGINE))
    .addOption(
      new Option("--backend <name>", "who answers paravirtual calls, or the hypervisor of today that the guest finds")
        .choices(HYPERVISORS),
    )
    .addOption(
      new Option("--personality <name>", "the hypervisor of today that the guest finds, beside a backend")
        .choices(PERSONALITIES),
    ) as unknown as Command;
}

/** Is there anything to run? */
export function namesGuest(o: GuestOptions): boolean {
  return o.image !== undefined || o.kernel !== undefined || o.bios !== undefined;
}

/** The machine with its guest at the first instruction. @throws {UsageError} both a kernel and a bare program, or neither */
export async function makeGuest(io: Io, o: GuestOptions, purpose: string): Promise<PcMachine> {
  if ((o.image === undefined) === (o.kernel === undefined && o.bios === undefined)) {
    throw new UsageError(`Give what to ${purpose}: --kernel FILE, --bios FILE or --image FILE@ADDRESS`);
  }
  const booted = o.image === undefined
    ? await bootImage(io, o)
    : { image: await flatProgram(io, o.image, o.mode, o.entry), parts: {} };
  const { memory, cpus, engine } = o;
  const m = makePc({ ...booted.parts, memory: memory * MiB, cpus, engine }, o.backend ?? "none", o.personality);
  m.boot(booted.image);
  return m;
}

/**
 * `vmikit boot`: a kernel or firmware on a PC, with the paravirtual interface if wanted. What the file is, is told from
 * its bytes. Cold.
 */
import {
  type Bootable,
  elf,
  firmware,
  floppyCd,
  imageKind,
  kvm,
  linux,
  MAX_CPUS,
  MiB,
  multiboot,
  pc,
  type PcMachine,
  type PcOptions,
  vmiPc,
  vmware,
} from "../../mod.ts";
import { type Command, integer, Option } from "../deps/cli.ts";
import { runGuest } from "./guest_run.ts";
import { type Io, readInput, UsageError } from "./io.ts";
import {
  count,
  DEFAULT_ENGINE,
  ENGINES,
  type HypervisorName,
  HYPERVISORS,
  makeBackend,
  PERSONALITIES,
  type PersonalityName,
  seconds,
} from "./options.ts";

/** Instructions of a boot when nothing else is said. */
const BOOT_BUDGET = 50_000_000_000;

const EXAMPLES = `
The kernel may be a Linux bzImage, a multiboot kernel, an ELF file or a BIOS image; its bytes tell. A multiboot kernel
gets the initial RAM disk as its module. With --bios and no kernel the machine starts in its firmware and boots from the
disk or the CD. Files of disks are never written; what the guest writes is forgotten. At a terminal every key goes to the
guest: Ctrl-A x ends the run.

Exit codes:
  0   TEXT was seen, or the guest powered off and no TEXT was asked for
  2   the instruction or time limit was reached
  3   the guest crashed, halted for good, or ended before TEXT was seen
  64  wrong usage
  130 ended from the keyboard

Examples:
  deno task vmikit boot --kernel bzImage --append "console=ttyS0" --until "login:" --timeout 60
  deno task vmikit boot --kernel bzImage --initrd root.cpio --backend native --stats
  deno task vmikit boot --kernel bzImage --initrd root.cpio --backend kvm --cpus 2 --stats
  deno task vmikit boot --kernel bzImage --initrd root.cpio --backend hardware --personality kvm --stats
  deno task vmikit boot --kernel kernel.elf --serial none --instructions 100_000_000 --json
  deno task vmikit boot --bios bios.bin --floppy dos.img --screen --timeout 60
  deno task vmikit boot --bios bios.bin --vga-bios vgabios-stdvga.bin --cd install.iso --screen --timeout 60
`;

/** What is booted, as files. */
export interface BootFiles {
  readonly kernel?: string | undefined;
  readonly initrd?: string | undefined;
  readonly bios?: string | undefined;
  readonly vgaBios?: string | undefined;
  readonly disk: readonly string[];
  readonly cd?: string | undefined;
  readonly floppy?: string | undefined;
  readonly append: string;
}

/** What the files come to. */
export interface Booted {
  readonly image: Bootable;
  readonly parts: PcOptions;
}

/** Adds the command. */
export function addBoot(program: Command, io: Io, done: (code: number) => void): void {
  program.command("boot")
    .description("Boot a kernel or firmware")
    .option("--kernel <file>", "bzImage, multiboot kernel, ELF file or BIOS image")
    .option("--initrd <file>", "initial RAM disk (cpio, compressed or not), or multiboot module")
    .option("--append <text>", "kernel command line", "")
    .option("--bios <file>", "BIOS image; without a kernel the machine starts in it")
    .option("--vga-bios <file>", "VGA BIOS for a PCI card, run by the BIOS")
    .option("--disk <file>", "hard disk image (may be repeated)", (file: string, all: string[]) => [...all, file], [])
    .option("--cd <file>", "CD image")
    .option("--floppy <file>", "floppy image that the BIOS boots as drive A, from a CD made of it")
    .option("--memory <MiB>", "RAM in MiB", integer("a number of MiB", { min: 2, max: 1984 }), 64)
    .option("--cpus <n>", "number of CPUs", integer("a number of CPUs", { min: 1, max: MAX_CPUS }), 1)
    .addOption(new Option("--engine <name>", "who executes").choices(ENGINES).default(DEFAULT_ENGINE))
    .addOption(
      new Option("--backend <name>", "who answers paravirtual calls, or the hypervisor of today that the guest finds")
        .choices(HYPERVISORS).default("none" as const),
    )
    .addOption(
      new Option("--personality <name>", "the hypervisor of today that the guest finds, beside a backend")
        .choices(PERSONALITIES),
    )
    .addOption(
      new Option("--serial <where>", "serial line").choices(["stdio", "none"] as const).default("stdio" as const),
    )
    .option("--until <text>", "end when the serial output contains this text")
    .option("--instructions <n>", "instructions at most", count, BOOT_BUDGET)
    .option("--timeout <seconds>", "host time at most", seconds)
    .option("--screen", "print the text screen at the end")
    .option("--stats", "print figures at the end")
    .option("--json", "print the result as JSON; the serial line goes to standard error")
    .addHelpText("after", EXAMPLES)
    .action(async (o) => {
      const { image, parts } = await bootImage(io, o);
      const { memory, cpus, engine } = o;
      const m = makePc({ ...parts, memory: memory * MiB, cpus, engine }, o.backend, o.personality);
      m.boot(image);
      done(await runGuest(io, m, { ...o, haltIsEnd: false }));
    });
}

/** Reads the files of the board: firmware, disks, CD. */
async function boardParts(io: Io, files: BootFiles): Promise<PcOptions> {
  const disks: Uint8Array[] = [];
  for (const path of files.disk) disks.push(await readInput(io, path, "disk"));
  return {
    disks,
    ...(files.bios === undefined ? {} : { bios: await readInput(io, files.bios, "BIOS") }),
    ...(files.vgaBios === undefined ? {} : { vgaBios: await readInput(io, files.vgaBios, "VGA BIOS") }),
    ...(files.cd === undefined ? {} : { cd: await readInput(io, files.cd, "CD") }),
    ...(await floppyParts(io, files)),
  };
}

async function floppyParts(io: Io, files: BootFiles): Promise<PcOptions> {
  if (files.floppy === undefined) return {};
  if (files.cd !== undefined) throw new UsageError("--floppy takes the place of the CD; leave --cd out");
  return { cd: floppyCd(await readInput(io, files.floppy, "floppy")), bootFrom: "cd" };
}

/** Reads the files and tells how they are booted. */
export async function bootImage(io: Io, files: BootFiles): Promise<Booted> {
  const { kernel: path, append } = files;
  if (path === undefined && files.bios === undefined) {
    throw new UsageError("Nothing to boot: give --kernel FILE or --bios FILE");
  }
  const parts = await boardParts(io, files);
  if (path === undefined) {
    refuseExtras("A BIOS alone", files);
    return { image: firmware(), parts };
  }
  const kernel = await readInput(io, path, "kernel");
  const initrd = files.initrd === undefined ? undefined : await readInput(io, files.initrd, "initial RAM disk");
  switch (imageKind(kernel)) {
    case "linux":
      return { image: linux({ kernel, append, ...(initrd === undefined ? {} : { initrd }) }), parts };
    case "multiboot": {
      const modules = initrd === undefined ? [] : [{ bytes: initrd, text: files.initrd ?? "" }];
      return { image: multiboot({ kernel, append, modules }), parts };
    }
    case "elf":
      refuseExtras("An ELF file without a multiboot header", files);
      return { image: elf(kernel), parts };
    case "bios":
      refuseExtras("A BIOS image", files);
      if (files.bios !== undefined) throw new UsageError(`"${path}" is a BIOS image itself; leave --bios out`);
      return { image: firmware(), parts: { ...parts, bios: kernel } };
    case "disk":
      throw new UsageError(
        `"${path}" begins with a boot sector; give it as --disk or --floppy beside --bios, or run it bare: flat --image "${path}@0x7c00"`,
      );
    case undefined:
      throw new UsageError(
        `Cannot tell what "${path}" is: no Linux, multiboot or ELF header and no BIOS; is the file complete? ` +
          "Bare code is run by flat",
      );
  }
}

/** Refuses options that would be ignored. */
function refuseExtras(what: string, { append, initrd }: BootFiles): void {
  if (append !== "") throw new UsageError(`${what} takes no command line; leave --append out`);
  if (initrd !== undefined) throw new UsageError(`${what} takes no initial RAM disk; leave --initrd out`);
}

/** A PC as the options say. */
export function makePc(options: PcOptions, backend: HypervisorName, beside?: PersonalityName): PcMachine {
  if ((backend === "kvm" || backend === "vmware") && beside !== undefined && beside !== backend) {
    throw new UsageError(`The guest cannot find both ${backend} and ${beside}; name a backend beside --personality`);
  }
  const name = backend === "kvm" || backend === "vmware" ? backend : beside;
  const personality = name === undefined ? undefined : name === "kvm" ? kvm() : vmware();
  if (backend === "none" || backend === "kvm" || backend === "vmware") {
    return personality === undefined ? pc(options) : pc<string>({ ...options, personality });
  }
  const all = { ...options, backend: makeBackend(backend) };
  return personality === undefined ? vmiPc(all) : vmiPc<string>({ ...all, personality });
}

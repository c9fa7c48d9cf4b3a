/**
 * `vmikit boot`: a kernel or firmware on a PC, with the paravirtual interface if wanted. What the file is, is told from
 * its bytes. Cold.
 */
import {
  type Bootable,
  elf,
  firmware,
  imageKind,
  linux,
  MiB,
  multiboot,
  native,
  pc,
  type PcMachine,
  type PcOptions,
  scripted,
  vmiPc,
} from "../../mod.ts";
import { type Command, integer, Option } from "../deps/cli.ts";
import { runGuest } from "./guest_run.ts";
import { type Io, notYet, readInput, UsageError } from "./io.ts";
import { BACKENDS, count, ENGINES, seconds } from "./options.ts";

/** Instructions of a boot when nothing else is said. */
const BOOT_BUDGET = 50_000_000_000;

const EXAMPLES = `
The kernel may be a Linux bzImage, a multiboot kernel, an ELF file or a BIOS image; its bytes tell. A multiboot kernel
gets the initial RAM disk as its module. At a terminal every key goes to the guest: Ctrl-A x ends the run.

Exit codes:
  0   TEXT was seen, or the guest powered off and no TEXT was asked for
  2   the instruction or time limit was reached
  3   the guest crashed, halted for good, or ended before TEXT was seen
  64  wrong usage
  130 ended from the keyboard

Examples:
  deno task vmikit boot --kernel bzImage --append "console=ttyS0" --until "login:" --timeout 60
  deno task vmikit boot --kernel bzImage --initrd root.cpio --backend native --stats
  deno task vmikit boot --kernel kernel.elf --serial none --instructions 100_000_000 --json
  deno task vmikit boot --bios bios.bin --timeout 10
`;

/** What is booted, as files. */
interface BootFiles {
  readonly kernel?: string | undefined;
  readonly initrd?: string | undefined;
  readonly bios?: string | undefined;
  readonly append: string;
}

/** Adds the command. */
export function addBoot(program: Command, io: Io, done: (code: number) => void): void {
  program.command("boot")
    .description("Boot a kernel or firmware")
    .option("--kernel <file>", "bzImage, multiboot kernel, ELF file or BIOS image")
    .option("--initrd <file>", "initial RAM disk (cpio, compressed or not), or multiboot module")
    .option("--append <text>", "kernel command line", "")
    .option("--bios <file>", "BIOS image; without a kernel the machine starts in it")
    .option("--memory <MiB>", "RAM in MiB", integer("a number of MiB", { min: 2, max: 1984 }), 64)
    .option("--cpus <n>", "number of CPUs (1 for now)", integer("a number of CPUs", { min: 1, max: 15 }), 1)
    .addOption(new Option("--engine <name>", "who executes").choices(ENGINES).default("interpreter" as const))
    .addOption(
      new Option("--backend <name>", "who answers paravirtual calls").choices([...BACKENDS, "none"] as const).default(
        "none" as const,
      ),
    )
    .addOption(
      new Option("--serial <where>", "serial line").choices(["stdio", "none"] as const).default("stdio" as const),
    )
    .option("--until <text>", "end when the serial output contains this text")
    .option("--instructions <n>", "instructions at most", count, BOOT_BUDGET)
    .option("--timeout <seconds>", "host time at most", seconds)
    .option("--stats", "print figures at the end")
    .option("--json", "print the result as JSON; the serial line goes to standard error")
    .addHelpText("after", EXAMPLES)
    .action(async (o) => {
      if (o.cpus > 1) throw notYet(`--cpus ${o.cpus}`, "use --cpus 1");
      const { image, bios } = await bootImage(io, o);
      const m = makePc(
        { memory: o.memory * MiB, engine: o.engine, ...(bios === undefined ? {} : { bios }) },
        o.backend,
      );
      m.boot(image);
      done(await runGuest(io, m, { ...o, haltIsEnd: false }));
    });
}

/** Reads the files and tells how they are booted. */
async function bootImage(io: Io, files: BootFiles): Promise<{ image: Bootable; bios?: Uint8Array }> {
  const { kernel: path, append } = files;
  if (path === undefined && files.bios === undefined) {
    throw new UsageError("Nothing to boot: give --kernel FILE or --bios FILE");
  }
  const bios = files.bios === undefined ? {} : { bios: await readInput(io, files.bios, "BIOS") };
  if (path === undefined) {
    refuseExtras("A BIOS alone", files);
    return { image: firmware(), ...bios };
  }
  const kernel = await readInput(io, path, "kernel");
  const initrd = files.initrd === undefined ? undefined : await readInput(io, files.initrd, "initial RAM disk");
  switch (imageKind(kernel)) {
    case "linux":
      return { image: linux({ kernel, append, ...(initrd === undefined ? {} : { initrd }) }), ...bios };
    case "multiboot": {
      const modules = initrd === undefined ? [] : [{ bytes: initrd, text: files.initrd ?? "" }];
      return { image: multiboot({ kernel, append, modules }), ...bios };
    }
    case "elf":
      refuseExtras("An ELF file without a multiboot header", files);
      return { image: elf(kernel), ...bios };
    case "bios":
      refuseExtras("A BIOS image", files);
      if (files.bios !== undefined) throw new UsageError(`"${path}" is a BIOS image itself; leave --bios out`);
      return { image: firmware(), bios: kernel };
    case "disk":
      throw new UsageError(`"${path}" begins with a boot sector; use flat --image "${path}@0x7c00" for bare ones`);
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

function makePc(options: PcOptions, backend: "native" | "scripted" | "none"): PcMachine {
  if (backend === "none") return pc(options);
  return vmiPc({ ...options, backend: backend === "native" ? native() : scripted() });
}

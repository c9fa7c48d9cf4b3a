/**
 * `vmikit boot`: a Linux kernel on a PC, with the paravirtual interface if wanted. Cold.
 */
import { linux, MiB, native, pc, type PcMachine, scripted, vmiPc } from "../../mod.ts";
import { type Command, integer, Option } from "../deps/cli.ts";
import { runGuest } from "./guest_run.ts";
import { type Io, notYet, readInput } from "./io.ts";
import { BACKENDS, count, ENGINES, seconds } from "./options.ts";

/** Instructions of a boot when nothing else is said. */
const BOOT_BUDGET = 50_000_000_000;

const EXAMPLES = `
Exit codes:
  0  TEXT was seen, or the guest powered off and no TEXT was asked for
  2  the instruction or time limit was reached
  3  the guest crashed, halted for good, or ended before TEXT was seen
  64 wrong usage

Examples:
  deno task vmikit boot --kernel bzImage --append "console=ttyS0" --until "login:" --timeout 60
  deno task vmikit boot --kernel bzImage --initrd root.cpio --backend native --stats
  deno task vmikit boot --kernel bzImage --serial none --instructions 100_000_000 --json
`;

/** Adds the command. */
export function addBoot(program: Command, io: Io, done: (code: number) => void): void {
  program.command("boot")
    .description("Boot a Linux kernel")
    .requiredOption("--kernel <file>", "bzImage")
    .option("--initrd <file>", "initial RAM disk (cpio, compressed or not)")
    .option("--append <text>", "kernel command line", "")
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
      const kernel = await readInput(io, o.kernel, "kernel");
      const initrd = o.initrd === undefined ? undefined : await readInput(io, o.initrd, "initial RAM disk");
      const m = makePc(o.memory * MiB, o.engine, o.backend);
      m.boot(linux({ kernel, append: o.append, ...(initrd === undefined ? {} : { initrd }) }));
      done(await runGuest(io, m, { ...o, haltIsEnd: false }));
    });
}

function makePc(
  memory: number,
  engine: "interpreter" | "reference",
  backend: "native" | "scripted" | "none",
): PcMachine {
  if (backend === "none") return pc({ memory, engine });
  return vmiPc({ memory, engine, backend: backend === "native" ? native() : scripted() });
}

/**
 * `vmikit flat`: bare programs without a header, on a PC. Cold.
 */
import { DEFAULT_BUDGET, hex, MiB, pc, type PcMachine } from "../../mod.ts";
import { type Command, integer, Option } from "../deps/cli.ts";
import { runGuest } from "./guest_run.ts";
import type { Io } from "./io.ts";
import { address, count, DEFAULT_ENGINE, ENGINES, flatProgram, placedFile, port, seconds } from "./options.ts";

const EXAMPLES = `
Exit codes:
  0  TEXT was seen, or the guest halted or powered off and no TEXT was asked for
  2  the instruction or time limit was reached
  3  the guest crashed, or ended before TEXT was seen
  64 wrong usage

Examples:
  deno task vmikit flat --image hello.bin@0x7c00
  deno task vmikit flat --image kernel.bin@0x100000 --image data.bin@2M --mode protected --port-log 0xe9
`;

/** One line of the port log. */
interface PortLine {
  readonly access: "read" | "write";
  readonly port: number;
  readonly width: number;
  readonly value: number;
}

/** Adds the command. */
export function addFlat(program: Command, io: Io, done: (code: number) => void): void {
  program.command("flat")
    .description("Run a bare program without a header")
    .requiredOption("--image <file@address>", "file and where it goes (may be repeated)", placedFile)
    .option("--entry <address>", "first instruction; default: the first image", address)
    .addOption(new Option("--mode <mode>", "CPU mode").choices(["real", "protected"] as const).default("real" as const))
    .option("--port-log <port>", "print accesses to this port (may be repeated)", port, [])
    .option("--memory <MiB>", "RAM in MiB", integer("a number of MiB", { min: 2, max: 1984 }), 64)
    .addOption(new Option("--engine <name>", "who executes").choices(ENGINES).default(DEFAULT_ENGINE))
    .addOption(
      new Option("--serial <where>", "serial line").choices(["stdio", "none"] as const).default("stdio" as const),
    )
    .option("--until <text>", "end when the serial output contains this text")
    .option("--instructions <n>", "instructions at most", count, DEFAULT_BUDGET)
    .option("--timeout <seconds>", "host time at most", seconds)
    .option("--stats", "print figures at the end")
    .option("--json", "print the result as JSON; the serial line goes to standard error")
    .addHelpText("after", EXAMPLES)
    .action(async (o) => {
      const m = pc({ memory: o.memory * MiB, engine: o.engine });
      m.boot(await flatProgram(io, o.image, o.mode, o.entry));
      const ports = logPorts(io, m, o.portLog, o.json === true);
      done(await runGuest(io, m, { ...o, haltIsEnd: true, extra: () => o.portLog.length === 0 ? {} : { ports } }));
    });
}

function logPorts(io: Io, m: PcMachine, ports: readonly number[], quiet: boolean): readonly PortLine[] {
  const lines: PortLine[] = [];
  for (const where of new Set(ports)) {
    m.onPort(where, ({ access, port, width, value }) => {
      if (quiet) lines.push({ access, port, width, value });
      else io.err(`port ${hex(port, 4)} ${access} ${hex(value, width / 4)}\n`);
    });
  }
  return lines;
}

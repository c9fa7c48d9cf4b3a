/**
 * `vmikit trace`: runs a flat program and prints each instruction before it is executed, within a bound. Cold.
 */
import { hex32, MiB, pc, type PcMachine } from "../../mod.ts";
import { type Command, integer, Option } from "../deps/cli.ts";
import { exitCode, stopText } from "./guest_run.ts";
import { type Io, json } from "./io.ts";
import { address, DEFAULT_ENGINE, ENGINES, flatProgram, placedFile } from "./options.ts";

const REGISTERS = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp"];

const EXAMPLES = `
Exit codes: 0 the guest halted or powered off, 2 the bound was reached, 3 the guest crashed, 64 wrong usage

Examples:
  deno task vmikit trace --image hello.bin@0x7c00 --instructions 100
  deno task vmikit trace --image kernel.bin@1M --mode protected --registers
`;

/** Adds the command. */
export function addTrace(program: Command, io: Io, done: (code: number) => void): void {
  program.command("trace")
    .description("Run a bare program and print each instruction")
    .requiredOption("--image <file@address>", "file and where it goes (may be repeated)", placedFile)
    .option("--entry <address>", "first instruction; default: the first image", address)
    .addOption(new Option("--mode <mode>", "CPU mode").choices(["real", "protected"] as const).default("real" as const))
    .option("--instructions <n>", "instructions at most", integer("a number", { min: 1, max: 10_000_000 }), 1000)
    .addOption(new Option("--engine <name>", "who executes").choices(ENGINES).default(DEFAULT_ENGINE))
    .option("--registers", "print the registers before each instruction")
    .option("--json", "print one JSON object for each instruction and one for the end, each on its line")
    .addHelpText("after", EXAMPLES)
    .action(async (o) => {
      const m = pc({ memory: 16 * MiB, engine: o.engine });
      m.boot(await flatProgram(io, o.image, o.mode, o.entry));
      m.onCode({ at: 0, size: 2 ** 32 }, ({ linear }) => io.out(instruction(m, linear, o)));
      const stop = m.run({ instructions: o.instructions });
      const code = exitCode(stop, { haltIsEnd: true });
      if (o.json === true) io.out(line({ exit: code, stop }));
      else io.err(`vmikit: ${stopText(stop)}\n`);
      done(code);
    });
}

/** The instruction the CPU stands at, as text or JSON. */
function instruction(m: PcMachine, linear: number, o: { registers?: true; json?: true }): string {
  const text = m.cpu.disassemble(linear)[0];
  const values = o.registers === true ? REGISTERS.map((name) => [name, Number(m.cpu.cpu.get(name))] as const) : [];
  if (o.json === true) {
    return line({ linear, text, ...(o.registers === true ? { registers: Object.fromEntries(values) } : {}) });
  }
  const more = values.map(([name, value]) => ` ${name}=${hex32(value)}`).join("");
  return `${hex32(linear)}  ${more === "" ? text : text.padEnd(32)}${more}\n`;
}

/** JSON on one line. */
function line(value: unknown): string {
  return JSON.stringify(JSON.parse(json(value))) + "\n";
}

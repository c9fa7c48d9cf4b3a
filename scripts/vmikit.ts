/**
 * The command line: `deno task vmikit --help`. The program is built by a function over an {@linkcode Io}, so that tests
 * drive it without a process; each command has its file in cli/. Cold.
 */
import { ConfigError } from "../mod.ts";
import { Command, CommanderError, ValidationError } from "./deps/cli.ts";
import { addBench } from "./cli/bench.ts";
import { addBoot } from "./cli/boot.ts";
import { addAsm, addDisasm } from "./cli/code.ts";
import { addCluster } from "./cli/cluster.ts";
import { addCompletions } from "./cli/completions.ts";
import { addFlat } from "./cli/flat.ts";
import { addGdb } from "./cli/gdb.ts";
import { addLab } from "./cli/lab.ts";
import { hostIo, quit } from "./cli/host_io.ts";
import { Exit, type Io, json, UsageError } from "./cli/io.ts";
import { addRun } from "./cli/run.ts";
import { addCalls, addRom } from "./cli/tables.ts";
import { addTrace } from "./cli/trace.ts";

const EXAMPLES = `
Examples:
  deno task vmikit boot --kernel bzImage --append "console=ttyS0" --until "login:" --timeout 60
  deno task vmikit asm hello.asm --bits 16 --origin 0x7c00 -o hello.bin
  deno task vmikit flat --image hello.bin@0x7c00 --json
  deno task vmikit boot --help
`;

const COMMANDS = [
  ...[addRun, addBoot, addFlat, addTrace, addAsm, addDisasm, addRom, addCalls],
  ...[addCluster, addGdb, addLab, addBench, addCompletions],
] as const;

/** Builds the program; `done` receives the exit code of the command that ran. */
export function buildProgram(io: Io, done: (code: number) => void): Command {
  const program = new Command("vmikit");
  program
    .description("Scriptable i386 machines")
    .exitOverride()
    .showHelpAfterError("Add --help for options and examples.")
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      getOutHasColors: () => false, // asked for otherwise, commander looks into the environment
      getErrHasColors: () => false,
    })
    .addHelpText("after", EXAMPLES);
  for (const add of COMMANDS) add(program, io, done);
  return program;
}

/** Runs a command line; returns the exit code. With `--json` an error is a JSON object on standard output too. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  let code: number = Exit.ok;
  const program = buildProgram(io, (c) => code = c);
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return Exit.usage;
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    const { exit, message, said } = failure(error);
    if (!said) io.err(`vmikit: ${message}\n`);
    if (exit !== Exit.ok && args.includes("--json")) io.out(json({ exit, error: message }));
    return exit;
  }
}

/** What went wrong, the exit code, and whether the person has been told. */
function failure(error: unknown): { readonly exit: number; readonly message: string; readonly said: boolean } {
  if (error instanceof CommanderError && !(error instanceof ValidationError)) { // commander has said why
    return { exit: error.exitCode === 0 ? Exit.ok : Exit.usage, message: error.message, said: true };
  }
  if (error instanceof ValidationError || error instanceof UsageError || error instanceof ConfigError) {
    return { exit: Exit.usage, message: error.message, said: false };
  }
  if (error instanceof RangeError && error.message.includes("cut off")) { // a reader reached the end of a file
    return { exit: Exit.usage, message: `${error.message}; is the file complete`, said: false };
  }
  const trace = error instanceof Error ? error.stack ?? error.message : String(error);
  return { exit: Exit.internal, message: `this is a bug of vmikit, please report it: ${trace}`, said: false };
}

if (import.meta.main) quit(await main(Deno.args, hostIo()));

/**
 * The command line: `deno task vmikit --help`. The program is built by a function over an {@linkcode Io}, so that tests
 * drive it without a process; each command has its file in cli/. Cold.
 *
 * Not there yet: gdb, bench, cluster, lab, shell completion, more than one CPU.
 */
import { ConfigError } from "../mod.ts";
import { Command, CommanderError, ValidationError } from "./deps/cli.ts";
import { resolve, toFileUrl } from "./deps/std.ts";
import { addBoot } from "./cli/boot.ts";
import { addAsm, addDisasm } from "./cli/code.ts";
import { addFlat } from "./cli/flat.ts";
import { Exit, type Io, notYet, UsageError } from "./cli/io.ts";
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

/** Commands of the design that do not work yet, and what to use. */
const LATER: readonly (readonly [name: string, instead: string])[] = [
  ["gdb", "use trace, or a script with hooks"],
  ["bench", "use deno task bench"],
  ["cluster", "write a script with several machines and use run"],
  ["lab", "use boot, flat or trace"],
];

/** Builds the program; `done` receives the exit code of the command that ran. */
export function buildProgram(io: Io, done: (code: number) => void): Command {
  const program = new Command("vmikit");
  program
    .description("Scriptable i386 machines")
    .exitOverride()
    .showHelpAfterError("Add --help for options and examples.")
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .addHelpText("after", EXAMPLES);
  for (const add of [addRun, addBoot, addFlat, addTrace, addAsm, addDisasm, addRom, addCalls]) add(program, io, done);
  for (const [name, instead] of LATER) {
    program.command(name)
      .description("not there yet")
      .argument("[anything...]")
      .allowUnknownOption()
      .action(() => {
        throw notYet(`Command ${name}`, instead);
      });
  }
  return program;
}

/** Runs a command line; returns the exit code. */
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
    return failure(error, io);
  }
}

/** Says what went wrong; returns the exit code. */
function failure(error: unknown, io: Io): number {
  if (error instanceof ValidationError) {
    io.err(`vmikit: ${error.message}\n`);
    return Exit.usage;
  }
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage; // commander has said why
  if (error instanceof UsageError || error instanceof ConfigError) {
    io.err(`vmikit: ${error.message}\n`);
    return Exit.usage;
  }
  if (error instanceof RangeError && error.message.includes("cut off")) { // a reader reached the end of a file
    io.err(`vmikit: ${error.message}; is the file complete\n`);
    return Exit.usage;
  }
  io.err(`vmikit: this is a bug of vmikit, please report it: ${error instanceof Error ? error.stack : error}\n`);
  return Exit.internal;
}

/** Writes all of a text; when nobody reads any more, the program ends. */
function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(to.writeSync(bytes));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(Exit.limit);
    throw error;
  }
}

if (import.meta.main) {
  const code = await main(Deno.args, {
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
    read: (path) => Deno.readFile(path),
    write: (path, bytes) => Deno.writeFile(path, bytes),
    load: (path) => import(toFileUrl(resolve(path)).href),
    now: () => performance.now(),
    input: () => Deno.stdin.readable,
  });
  Deno.exit(code);
}

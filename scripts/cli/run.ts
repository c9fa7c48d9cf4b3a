/**
 * `vmikit run`: starts a script by path. Cold.
 */
import { ExpectationError } from "../../mod.ts";
import type { Command } from "../deps/cli.ts";
import { Exit, type Io, json, readInput } from "./io.ts";

const EXAMPLES = `
The script is an ES module, in TypeScript or JavaScript; it has this program's permissions (files, and
the network of this host alone).

Exit codes: 0 it ended, 1 it threw an error or an assertion failed, 64 wrong usage

Examples:
  deno task vmikit run scripts/demo.ts
`;

/** Adds the command. */
export function addRun(program: Command, io: Io, done: (code: number) => void): void {
  program.command("run")
    .description("Run a script")
    .argument("<script>", "path of the script")
    .option("--json", "print the outcome as JSON after what the script prints")
    .addHelpText("after", EXAMPLES)
    .action(async (script, o) => {
      await readInput(io, script, "script");
      try {
        await io.load(script);
      } catch (error) {
        const text = error instanceof ExpectationError || !(error instanceof Error) ? String(error) : error.stack;
        io.err(`vmikit: script "${script}" failed: ${text ?? String(error)}\n`);
        if (o.json === true) io.out(json({ exit: Exit.script, error: text ?? String(error) }));
        return done(Exit.script);
      }
      if (o.json === true) io.out(json({ exit: Exit.ok }));
      done(Exit.ok);
    });
}

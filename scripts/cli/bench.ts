/**
 * `vmikit bench`: a short look at the speed of the engines on this host. Cold.
 */
import { geomean, mips } from "../bench/measure.ts";
import { KERNELS } from "../bench/kernels.ts";
import { type Command, Option } from "../deps/cli.ts";
import { Progress } from "./console.ts";
import { Exit, type Io, json } from "./io.ts";
import { ENGINES, seconds } from "./options.ts";

const EXAMPLES = `
Figures are millions of guest instructions a second on a busy or idle host as it is; compare within one run only.
The long comparison with other emulators is: deno task bench --peers

Examples:
  deno task vmikit bench
  deno task vmikit bench --engine interpreter --time 20 --json
`;

/** One row of the result. */
interface Row {
  readonly engine: string;
  readonly kernel: string;
  readonly mips: number;
}

/** Adds the command. */
export function addBench(program: Command, io: Io, done: (code: number) => void): void {
  program.command("bench")
    .description("Measure the engines for a few seconds")
    .addOption(new Option("--engine <name>", "one engine; default: all").choices(ENGINES))
    .option("--time <seconds>", "host time to take, about", seconds, 5)
    .option("--json", "print the figures as JSON")
    .addHelpText("after", EXAMPLES)
    .action((o) => {
      const engines = o.engine === undefined ? ENGINES : [o.engine];
      const each = (o.time * 1000) / (engines.length * KERNELS.length);
      const progress = new Progress(io);
      const rows: Row[] = [];
      for (const engine of engines) {
        for (const kernel of KERNELS) {
          progress.update(() => `${engine}: ${kernel.name}`);
          rows.push({ engine, kernel: kernel.name, mips: mips(kernel, engine, each, () => io.now()) });
        }
      }
      progress.clear();
      const means = engines.flatMap((engine) =>
        (["integer", "x87"] as const).map((kind) => {
          const names = KERNELS.filter((k) => k.kind === kind).map((k) => k.name);
          const values = rows.filter((r) => r.engine === engine && names.includes(r.kernel)).map((r) => r.mips);
          return { engine, kernel: `${kind}, geometric mean`, mips: geomean(values) };
        })
      );
      if (o.json === true) io.out(json({ exit: Exit.ok, rows, means }));
      else io.out([...rows, ...means].map(line).join(""));
      done(Exit.ok);
    });
}

function line({ engine, kernel, mips }: Row): string {
  return `${engine.padEnd(12)} ${kernel.padEnd(24)} ${mips.toFixed(1).padStart(8)} MIPS\n`;
}

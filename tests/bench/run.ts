/**
 * The bench task. Without arguments: `deno bench` over this folder. With `--peers`: the comparison with other emulators.
 * Cold.
 */
import { comparePeers, table } from "../../scripts/bench/peers.ts";
import { Command, integer } from "../../scripts/deps/cli.ts";
import { fromFileUrl } from "../../scripts/deps/std.ts";
import { parseScale } from "../../scripts/bench/options.ts";

const program = new Command("bench")
  .description("Benchmarks; figures are printed, nothing is gated on them")
  .option("--peers", "compare with v86, QEMU and the host CPU, as far as they are here")
  .option("--runs <n>", "runs of each program", integer("a number of runs", { min: 1, max: 99 }), 3)
  .option("--scale <x>", "share of the usual work, 0.01 to 100", parseScale, 1)
  .option("--json", "print the figures as JSON")
  .argument("[files...]", "benchmarks to run; default: all");

program.parse([...Deno.args], { from: "user" });
const o = program.opts();

if (o.peers === true) {
  const result = await comparePeers(o.runs, o.scale, (text) => {
    if (Deno.stderr.isTerminal()) console.error(text);
  });
  console.log(o.json === true ? JSON.stringify(result, null, 2) : table(result));
} else {
  const folder = fromFileUrl(new URL("./", import.meta.url));
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bench", "--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--allow-run"],
      ...(o.json === true ? ["--json"] : []),
      ...(program.args.length > 0 ? program.args : [folder]),
    ],
    stdin: "null",
  }).spawn().status;
  Deno.exit(code);
}

/**
 * The bench task. Without arguments: `deno bench` over this folder. With `--peers`: the comparison with other emulators.
 * With `--system`: what the work of an operating system costs on them. With `--message`: what messages cost. Cold.
 */
import { KERNELS } from "../../scripts/bench/kernels.ts";
import { compareBoots, comparePeers } from "../../scripts/bench/peers.ts";
import { table } from "../../scripts/bench/table.ts";
import { Command, integer } from "../../scripts/deps/cli.ts";
import { fromFileUrl } from "../../scripts/deps/std.ts";
import { parseScale } from "../../scripts/bench/options.ts";
import { guest } from "../guests/guest.ts";
import { messageBench, messageTables } from "./message/report.ts";
import { furtherPrograms } from "./programs.ts";
import { compareSystem, systemTable } from "./system.ts";
import { busyboxInitrd } from "../guests/initrd.ts";

const program = new Command("bench")
  .description("Benchmarks; figures are printed, nothing is gated on them")
  .option("--peers", "compare with v86, QEMU, Unicorn and the host CPU, as far as they are here")
  .option("--only <text>", "with --peers: only programs whose name or kind contains one of these, separated by commas")
  .option("--message", "latency and bandwidth of messages on each medium, cost of each layer")
  .option("--system", "compare system calls, pipes, fork and exec, page faults under Debian's kernel")
  .option("--boot", "compare how long Debian's kernel takes to user space")
  .option("--runs <n>", "runs of each program", integer("a number of runs", { min: 1, max: 99 }), 3)
  .option("--scale <x>", "share of the usual work, 0.01 to 100", parseScale, 1)
  .option("--json", "print the figures as JSON")
  .argument("[files...]", "benchmarks to run; default: all");

program.parse([...Deno.args], { from: "user" });
const o = program.opts();

/** Prints what goes on, if somebody watches. */
function say(text: string): void {
  if (Deno.stderr.isTerminal()) console.error(text);
}

const INIT = `#!/bin/sh
/bin/busybox echo user space is up
/bin/busybox reboot -f
`;

/** Boots Debian's kernel everywhere. */
async function boots(runs: number): Promise<Readonly<Record<string, number>>> {
  const [kernel, busybox] = [await guest("linux-686"), await guest("busybox")];
  for (const g of [kernel, busybox]) if (!g.available) throw new Error(`Not run: ${g.reason}`);
  if (!kernel.available || !busybox.available) return {};
  const initrd = await Deno.makeTempFile({ prefix: "vmikit-bench-" });
  try {
    const data = await Deno.readFile(busybox.path);
    await Deno.writeFile(
      initrd,
      busyboxInitrd(data, INIT),
    );
    const boot = { kernel: kernel.path, initrd, append: "console=ttyS0 nokaslr quiet", text: "user space is up" };
    return await compareBoots(boot, runs, say);
  } finally {
    await Deno.remove(initrd);
  }
}

/** Compares programs. @returns Exit code: 1 if one failed or came to a wrong result. */
async function programs(only: string | undefined): Promise<number> {
  const further = await furtherPrograms();
  const words = only?.split(",").map((word) => word.trim()) ?? [""];
  const kernels = [...KERNELS, ...further.programs].filter(({ name, kind }) =>
    words.some((word) => name.includes(word) || kind === word)
  );
  if (kernels.length === 0) throw new Error(`No program's name or kind contains ${only}`);
  const compared = await comparePeers(kernels, o.runs, o.scale, say);
  const result = { ...compared, missing: [...compared.missing, ...further.missing] };
  console.log(o.json === true ? JSON.stringify(result, null, 2) : table(result));
  for (const failure of result.failures) console.error(`FAILED: ${failure}`);
  return result.failures.length === 0 ? 0 : 1;
}

/** Compares the work of an operating system. @returns Exit code: 1 if a run went wrong. */
async function system(): Promise<number> {
  const kernel = await guest("linux-686");
  if (!kernel.available) throw new Error(`Not run: ${kernel.reason}`);
  const result = await compareSystem(kernel.path, o.scale, o.runs, say);
  console.log(o.json === true ? JSON.stringify(result, null, 2) : systemTable(result));
  return result.failures.length === 0 ? 0 : 1;
}

if (o.system === true) Deno.exit(await system());
else if (o.peers === true) Deno.exit(await programs(o.only));
else if (o.message === true) {
  const result = await messageBench(say);
  console.log(o.json === true ? JSON.stringify(result, null, 2) : messageTables(result));
} else if (o.boot === true) {
  const result = await boots(o.runs);
  if (o.json === true) console.log(JSON.stringify(result, null, 2));
  else for (const [peer, seconds] of Object.entries(result)) console.log(`${peer.padEnd(24)} ${seconds.toFixed(1)} s`);
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

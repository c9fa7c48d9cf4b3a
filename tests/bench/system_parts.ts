/**
 * The system rows on this library alone, for a profiler: boots once and keeps a snapshot before each part in a folder;
 * later runs start from those, and print the CPU time of each part. Needs gcc with -m32 and a Linux kernel. Cold.
 *
 *     deno run -A tests/bench/system_parts.ts KERNEL FOLDER [jit|interpreter] [part ...]
 */
import { linux, type Machine, MiB, pc, Snapshot } from "../../mod.ts";
import { cpuTime } from "./measure.ts";
import { PARTS, systemInitrd, systemMark } from "./system.ts";

const [kernel, folder, engine = "jit", ...wanted] = Deno.args;

function runTo(m: Machine, mark: string): void {
  const stop = m.run({ until: m.serial.contains(systemMark(mark)), instructions: 50_000_000_000 });
  if (stop.kind !== "until") throw new Error(`no ${systemMark(mark)}: ${stop.kind}\n${m.serial.tail(500)}`);
}

function timed(m: Machine, name: string, mark: string): void {
  const before = cpuTime(), ticks = m.cpu.instructions;
  runTo(m, mark);
  const millions = (m.cpu.instructions - ticks) / 1e6;
  console.log(`${name}: ${((cpuTime() - before) / 1000).toFixed(2)} s, ${millions.toFixed(1)} M instructions`);
}

const make = (): Machine => pc({ memory: 128 * MiB, engine: engine === "interpreter" ? "interpreter" : "jit" });
const file = (part: string): string => `${folder}/${part.replaceAll(" ", "-")}.snapshot`;

async function bootAndKeep(): Promise<void> {
  const m = make(), initrd = await systemInitrd(1);
  m.boot(linux({ kernel: Deno.readFileSync(kernel), initrd, append: "console=ttyS0 nokaslr quiet" }));
  timed(m, "boot", "begin");
  for (const part of PARTS) {
    Deno.writeFileSync(file(part), m.snapshot().toBytes());
    timed(m, part, part);
  }
}

if (kernel === undefined || folder === undefined) {
  console.error("usage: system_parts.ts KERNEL FOLDER [jit|interpreter] [part ...]");
  Deno.exit(64);
}
if ([...Deno.readDirSync(folder)].length === 0) await bootAndKeep();
else {
  for (const part of wanted.length > 0 ? wanted : PARTS) {
    const m = make();
    m.restore(Snapshot.fromBytes(Deno.readFileSync(file(part))));
    timed(m, part, part);
  }
}

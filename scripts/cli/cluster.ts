/**
 * `vmikit cluster`: a parallel program on emulated machines or host-side ranks. Cold.
 */
import {
  cluster,
  type JobProgress,
  type JobResult,
  type MessageSpec,
  placeByProfile,
  profileLine,
  profileOf,
  readProfile,
  specFromXml,
  timeline,
  timelineSvg,
  traceLines,
  type Transport,
} from "../../mod.ts";
import { hostClock, joinMpi, runOnWorkers, runPart } from "../../lib/host/mod.ts";
import { type Command, integer, Option, ValidationError } from "../deps/cli.ts";
import { Progress } from "./console.ts";
import { describe, type JobArgs, ordinarySpec, PROGRAMS } from "./cluster_jobs.ts";
import { Exit, type Io, json, readInput, UsageError, writeOutput } from "./io.ts";

const NAMES = Object.keys(PROGRAMS);

const EXAMPLES = `
Programs:
${NAMES.map((name) => `  ${name.padEnd(16)} ${PROGRAMS[name].text}`).join("\n")}

A file is the assembler source of a guest program, and the message library is put behind it; or an ELF file.
A spec is JSON or XML: devices, and the chains they are layered into; its device modules may be files beside it.

Exit codes: 0 every rank is done, 2 the time limit came or ranks wait for ever, 3 a rank failed, 64 wrong usage

Examples:
  deno task vmikit cluster --nodes 4 --program guest-ring
  deno task vmikit cluster --nodes 8 --program ep --size 24 --workers 2 --time real
  deno task vmikit cluster --nodes 6 --program heat --clusters 3,3 --timeline heat.svg
  deno task vmikit cluster --nodes 2 --program hello.asm --spec networks.json --json
  mpirun.mpich -n 2 deno run -A scripts/vmikit.ts cluster --mpi --nodes 8 --program is
`;

function sizes(text: string): readonly number[] {
  const all = text.split(",").map(Number);
  if (all.every((n) => Number.isInteger(n) && n > 0)) return all;
  throw new ValidationError("Expected sizes such as 4,4.");
}

/** What the options come to. */
export interface ClusterArgs {
  readonly nodes: number;
  readonly program: string;
  readonly size?: number | undefined;
  readonly spec?: string | undefined;
  readonly remoteModules?: true | undefined;
  readonly workers: number;
  readonly mpi?: true | undefined;
  readonly clusters?: readonly number[] | undefined;
  readonly time: "virtual" | "real";
  readonly seed: number;
  readonly limit?: number | undefined;
  readonly trace?: string | undefined;
  readonly timeline?: string | undefined;
  readonly profile?: string | undefined;
  readonly json?: true | undefined;
}

/** Adds the command. */
export function addCluster(program: Command, io: Io, done: (code: number) => void): void {
  program.command("cluster")
    .description("Run a parallel program on a cluster of emulated machines or ranks")
    .option("--nodes <n>", "nodes", integer("a number of nodes", { min: 1, max: 4096 }), 4)
    .option("--program <name|file>", "a program of the list below, or assembler source", "guest-ring")
    .option("--size <n>", "size of the program's work", integer("a size", { min: 1 }))
    .option("--spec <file>", "devices and chains; default: flow control over a plain network")
    .option("--remote-modules", "load modules from addresses whose sha256 the spec gives; needs --allow-net for them")
    .option(
      "--workers <n>",
      "Workers the nodes are spread over; 0: none",
      integer("a number of Workers", { max: 64 }),
      0,
    )
    .option("--mpi", "this process is one of those that mpirun started; the first reports")
    .option("--clusters <sizes>", "sizes of the clusters the nodes lie in, e.g. 4,4", sizes)
    .addOption(new Option("--time <mode>", "clock").choices(["virtual", "real"] as const).default("virtual" as const))
    .option("--seed <n>", "seed of all chance", integer("a seed", { max: 0xffffffff }), 1)
    .option("--limit <us>", "end the job at this time, in microseconds", integer("microseconds", { min: 1 }))
    .option("--trace <file>", "write every frame as a line of JSON")
    .option("--timeline <file>", "messages with their times: drawn, or as JSON if the name ends so")
    .option("--profile <file>", "add the job's traffic to this database; if it is there, place nodes by it")
    .option("--json", "print the results as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (o) => done(await runCluster(io, o as ClusterArgs)));
}

async function runCluster(io: Io, o: ClusterArgs): Promise<number> {
  if (o.mpi === true && o.workers > 0) throw new UsageError("Give --mpi or --workers, not both");
  const transport = o.mpi === true ? joinMpi() : undefined;
  const parts = transport?.processes ?? o.workers;
  const args = await jobArgs(io, o);
  const known = o.profile === undefined ? undefined : await knownProfile(io, o.profile, o.program, o.nodes);
  const placed = known === undefined || parts < 2
    ? args
    : { ...args, placement: placeByProfile(known, even(o.nodes, parts)) };
  const result = await execute(io, o, placed, transport);
  if (transport !== undefined && transport.process > 0) return Exit.ok;
  await write(io, o, result);
  if (o.json === true) io.out(json({ ...result, trace: undefined, placement: placed.placement }));
  else report(io, result);
  if (result.ranks.some((r) => r.state === "failed" || r.state === "killed")) return Exit.crash;
  return result.ranks.every((r) => r.state === "done") ? Exit.ok : Exit.limit;
}

/** Nodes of each part. */
function even(nodes: number, parts: number): number[] {
  return Array.from(
    { length: parts },
    (_, i) => Math.floor((nodes * (i + 1)) / parts) - Math.floor((nodes * i) / parts),
  ).filter((n) => n > 0);
}

/** The description of the job that the options name. @throws {UsageError} for files that are no such thing */
export async function jobArgs(io: Io, o: ClusterArgs): Promise<JobArgs> {
  const text = async (path: string, what: string): Promise<string> =>
    new TextDecoder().decode(await readInput(io, path, what));
  const { nodes, time, seed, clusters, size } = o;
  if (clusters !== undefined && clusters.reduce((a, b) => a + b) !== nodes) {
    throw new UsageError(`The clusters ${clusters.join(",")} do not add up to ${nodes} nodes`);
  }
  const traced = o.trace !== undefined || o.timeline !== undefined;
  const medium = o.mpi === true ? "mpi" : o.workers > 0 ? "worker" : "loopback";
  const spec = o.spec === undefined ? ordinarySpec(medium, traced) : parseSpec(await text(o.spec, "spec"));
  const named = PROGRAMS[o.program] !== undefined;
  return {
    nodes,
    time,
    seed,
    spec,
    ...(named ? { program: o.program } : await file(io, o.program)),
    ...(o.spec === undefined ? {} : { base: new URL(o.spec, `file://${Deno.cwd()}/`).href }),
    ...(o.remoteModules === true ? { remote: true } : {}),
    ...(size === undefined ? {} : { size }),
    ...(clusters === undefined ? {} : { clusters: clusters.flatMap((n, c) => new Array<number>(n).fill(c)) }),
  };
}

/** A program in a file: an ELF file by its first bytes, otherwise assembler source. */
async function file(io: Io, path: string): Promise<{ readonly image: Uint8Array } | { readonly source: string }> {
  const bytes = await readInput(io, path, "program");
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  return isElf ? { image: bytes } : { source: new TextDecoder().decode(bytes) };
}

function parseSpec(text: string): MessageSpec {
  if (text.trimStart().startsWith("<")) return specFromXml(text);
  try {
    return JSON.parse(text) as MessageSpec;
  } catch (e) {
    throw new UsageError(`The spec is neither XML nor JSON: ${e instanceof Error ? e.message : String(e)}`);
  }
}

async function execute(
  io: Io,
  o: ClusterArgs,
  args: JobArgs,
  transport: Transport | undefined,
): Promise<JobResult> {
  const progress = new Progress(io);
  const run = {
    ...(o.limit === undefined ? {} : { untilNs: o.limit * 1000 }),
    onProgress: ({ time, live, messages }: JobProgress): void =>
      progress.update(() => `${(time / 1e6).toFixed(1)} ms, ${live} of ${o.nodes} ranks at work, ${messages} messages`),
  };
  const module = new URL("./cluster_jobs.ts", import.meta.url);
  try {
    if (transport !== undefined) return await runPart(module, { ...args }, transport, run);
    if (o.workers > 0) return await runOnWorkers(module, { workers: o.workers, args: { ...args }, ...run });
    return await cluster({ ...await describe(args), ...(o.time === "real" ? { clock: hostClock() } : {}) }).run(run);
  } finally {
    progress.clear();
  }
}

async function knownProfile(
  io: Io,
  path: string,
  key: string,
  ranks: number,
): Promise<ReturnType<typeof readProfile>> {
  const text = await database(io, path);
  const found = readProfile(text, key);
  return found?.ranks === ranks ? found : undefined;
}

/** The database's text; empty if there is none yet. */
async function database(io: Io, path: string): Promise<string> {
  try {
    return new TextDecoder().decode(await io.read(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function write(io: Io, o: ClusterArgs, result: JobResult): Promise<void> {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  if (o.trace !== undefined) await writeOutput(io, o.trace, bytes(traceLines(result.trace)), "trace");
  if (o.timeline !== undefined) {
    const messages = timeline(result.trace);
    const text = o.timeline.endsWith(".json") ? json(messages) : timelineSvg(messages, o.nodes);
    await writeOutput(io, o.timeline, bytes(text), "timeline");
  }
  if (o.profile !== undefined) {
    const before = await database(io, o.profile);
    await writeOutput(io, o.profile, bytes(before + profileLine(profileOf(result, o.program))), "profile");
  }
}

function report(io: Io, result: JobResult): void {
  for (const r of result.ranks) {
    const value = r.value === undefined ? "" : ` ${JSON.stringify(r.value)}`;
    io.out(
      `rank ${r.rank}: ${r.state} after ${(r.time / 1000).toFixed(3)} us${value}${
        r.error === undefined ? "" : `: ${r.error}`
      }\n`,
    );
  }
  for (const line of result.log) io.out(`${line}\n`);
  io.out("\nlink       messages      bytes   lost  latency us  chain\n");
  for (const l of result.links) {
    const pair = `${l.from} -> ${l.to}`.padEnd(10);
    const numbers = [
      String(l.messages).padStart(9),
      String(l.bytes).padStart(11),
      String(l.lost).padStart(7),
      l.latencyUs.toFixed(1).padStart(12),
    ];
    io.out(`${pair}${numbers.join("")}  ${l.chain.join(" > ")}\n`);
  }
}

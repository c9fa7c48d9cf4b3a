/** Starting processes that run parts of a job. */
import type { JobResult } from "../../../../lib/vmi/message/job.ts";
import { runOverTcp } from "../../../../lib/host/message/run.ts";
import { assert, assertEquals, fromFileUrl } from "../../../../scripts/deps/std.ts";

/** Program of a process that runs a part. */
export const PART: string = fromFileUrl(new URL("./part_main.ts", import.meta.url));
/** What parts may run. */
export const JOBS: URL = new URL("./jobs.ts", import.meta.url);

/** Starts a process that runs a part; its standard output is JSON of the ranks. */
export function start(command: string, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(command, {
    args: [...args],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The ranks a process has printed. */
export async function ranks(child: Deno.ChildProcess): Promise<JobResult["ranks"]> {
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assertEquals(code, 0, text.decode(stderr));
  return JSON.parse(text.decode(stdout).trim().split("\n")[0]);
}

/** Arguments of a process that runs a part. */
export const FLAGS: readonly string[] = [
  "run",
  "--no-prompt",
  "--allow-read",
  "--allow-net=127.0.0.1",
  "--allow-ffi",
  "--no-check",
  PART,
];

/** Is there an MPICH with its launcher? */
export function mpirun(): string | undefined {
  for (const name of ["mpirun.mpich", "mpiexec.mpich"]) {
    try {
      if (new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success) {
        return name;
      }
    } catch {
      // not installed
    }
  }
  return undefined;
}

/** Runs a job in this process and another, joined by tcp; both must say the same. */
export async function runOnTwoByTcp(job: string, args: { readonly [name: string]: unknown }): Promise<JobResult> {
  const key = "a key for two processes";
  let child: Deno.ChildProcess | undefined;
  const more = JSON.stringify(args);
  const first = { port: 0 };
  const onListen = (port: number): void => {
    child = start(Deno.execPath(), [...FLAGS, "tcp", String(port), key, job, more]);
  };
  const options = { key, process: 0, processes: 2, first, onListen };
  const result = await runOverTcp(JOBS, options, { job, medium: "tcp", ...args });
  assert(child !== undefined);
  assertEquals(await ranks(child), JSON.parse(JSON.stringify(result.ranks)));
  return result;
}

/** Runs a job on two processes under mpirun. */
export async function runOnTwoByMpi(
  launcher: string,
  job: string,
  args: { readonly [name: string]: unknown },
): Promise<JobResult["ranks"]> {
  return await ranks(start(launcher, ["-n", "2", Deno.execPath(), ...FLAGS, "mpi", job, JSON.stringify(args)]));
}

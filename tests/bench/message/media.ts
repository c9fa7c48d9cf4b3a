/**
 * Latency and bandwidth by message size on each medium, beside the bare medium in the same run, and of machines. Media
 * between processes start processes of their own. Cold.
 */
import { cluster } from "../../../mod.ts";
import { hostClock, ringMemory, runOnWorkers } from "../../../lib/host/mod.ts";
import { fromFileUrl } from "../../../scripts/deps/std.ts";
import { describe, GUEST_SIZES, type OsuResult } from "./jobs.ts";

const JOBS = new URL("./jobs.ts", import.meta.url);
const PROCESS = fromFileUrl(new URL("./process.ts", import.meta.url));

/** What one medium does. */
export interface MediumResult {
  /** Its name. */
  readonly medium: string;
  /** Host-side ranks. */
  readonly osu: OsuResult;
  /** Machines: half round trips in ns by {@linkcode GUEST_SIZES}. */
  readonly guest: readonly number[];
  /** The bare medium: half round trips in us; absent where there is none below. */
  readonly bare?: readonly number[];
}

/** One thread: no medium. */
export async function loopback(): Promise<MediumResult> {
  const run = async (args: { readonly [name: string]: unknown }): Promise<unknown> => {
    const { ranks } = await cluster({ ...describe({ ...args, medium: "loopback" }), clock: hostClock() }).run();
    return ranks[0].value;
  };
  const osu = await run({ job: "osu" }) as OsuResult;
  const guest: number[] = [];
  for (const size of GUEST_SIZES) guest.push(await run({ job: "guest", size }) as number);
  return { medium: "loopback", osu, guest };
}

/** Two Workers. */
export async function workers(): Promise<MediumResult> {
  const run = async (args: { readonly [name: string]: unknown }): Promise<unknown> =>
    (await runOnWorkers(JOBS, { workers: 2, args: { ...args, medium: "worker" } })).ranks[0].value;
  const osu = await run({ job: "osu" }) as OsuResult;
  const guest: number[] = [];
  for (const size of GUEST_SIZES) guest.push(await run({ job: "guest", size }) as number);
  return { medium: "worker", osu, guest, bare: await bareRing() };
}

async function bareRing(): Promise<readonly number[]> {
  const memory = ringMemory(2);
  const both = [0, 1].map(() => new Worker(new URL("./bare_ring.ts", import.meta.url), { type: "module" }));
  const results = await Promise.all(both.map((worker, process) =>
    new Promise<number[]>((resolve) => {
      worker.onmessage = (e: MessageEvent<number[]>): void => resolve(e.data);
      worker.postMessage({ memory, process });
    })
  ));
  for (const w of both) w.terminate();
  return results[0];
}

const FLAGS = ["run", "--no-prompt", "--allow-read", "--allow-net=127.0.0.1", "--allow-ffi", PROCESS];

/** Two processes, joined by a socket. */
export async function tcp(): Promise<MediumResult> {
  const start = (number: number, port: number): Deno.ChildProcess =>
    new Deno.Command(Deno.execPath(), {
      args: [...FLAGS, "tcp", String(number), String(port)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
  const zero = start(0, 0);
  const lines = zero.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(byLines()).getReader();
  const next = async (): Promise<string> => (await lines.read()).value ?? "";
  const one = start(1, Number(await next()));
  const writer = one.stdin.getWriter();
  await writer.write(new TextEncoder().encode(await next()));
  const result = JSON.parse(await next());
  await writer.close();
  await zero.stdin.close();
  await lines.cancel();
  await Promise.all([zero.status, one.status, one.stdout.cancel()]);
  return { medium: "tcp", ...result };
}

function byLines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, out): void {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const p of parts) out.enqueue(p);
    },
  });
}

/** Two processes under mpirun; undefined: there is no MPICH here. */
export async function mpi(): Promise<MediumResult | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("mpirun.mpich", {
      args: ["-n", "2", Deno.execPath(), ...FLAGS, "mpi"],
      stdout: "piped",
      stderr: "null",
    }).output();
    if (!success) return undefined;
    const text = new TextDecoder().decode(stdout).split("\n").find((l) => l.startsWith("{"));
    return text === undefined ? undefined : { medium: "mpi", ...JSON.parse(text) };
  } catch (e) {
    if (e instanceof Deno.errors.NotFound) return undefined;
    throw e;
  }
}

/** NPB EP and IS as programs of emulated machines over every medium: they verify, and take the same virtual time. */
import { MESSAGE_C_PROGRAMS } from "../../../../lib/guests/message/c_programs.ts";
import { runOnWorkers } from "../../../../lib/host/message/run.ts";
import { cluster, type JobProgress, type JobResult } from "../../../../mod.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { compileGuest } from "../../guests/message/compile.ts";
import { describe } from "./jobs.ts";
import { JOBS, runOnTwoByMpi, runOnTwoByTcp } from "./parts.ts";

/** A benchmark, and what each of its machines must return. */
export interface NpbGuest {
  readonly name: "ep" | "is";
  readonly flags: readonly string[];
  readonly value: number;
  /** RAM of a machine, MiB; default 4. */
  readonly mebibytes?: number;
}

/** EP of a small size: pairs that are accepted. */
export const EP_SMALL: NpbGuest = { name: "ep", flags: ["-DEP_M=16"], value: 51285 };
/** EP of class S; the pairs are those of the published annuli. */
export const EP_S: NpbGuest = { name: "ep", flags: ["-DEP_M=24"], value: 13176389 };
/** IS of class S: checks that agree. */
export const IS_S: NpbGuest = { name: "is", flags: [], value: 51 };
/** IS of class W. */
export const IS_W: NpbGuest = { name: "is", flags: ["-DIS_CLASS='W'"], value: 51, mebibytes: 16 };
/** IS of class A. */
export const IS_A: NpbGuest = { name: "is", flags: ["-DIS_CLASS='A'"], value: 51, mebibytes: 128 };

/** What is told on the way: the medium, and its run as far as it is or how it ended. */
export type Say = (medium: string, what: JobProgress | { readonly seconds: number }) => void;

/**
 * Runs a benchmark on machines over each medium.
 *
 * @param launcher Of MPI processes; undefined: there is none.
 * @returns The virtual time it took, ns.
 */
export async function verifyGuests(
  guest: NpbGuest,
  nodes: number,
  launcher: string | undefined,
  say: Say = () => {},
): Promise<number> {
  const file = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    await Deno.writeFile(file, await compileGuest(MESSAGE_C_PROGRAMS[guest.name], ["-mfpmath=387", ...guest.flags]));
    const args = { nodes, file, mebibytes: guest.mebibytes ?? 4 };
    const timed = async (medium: string, run: () => Promise<JobResult["ranks"]>): Promise<JobResult["ranks"]> => {
      const start = performance.now();
      const ranks = JSON.parse(JSON.stringify(await run()));
      say(medium, { seconds: (performance.now() - start) / 1000 });
      return ranks;
    };
    const watch = (medium: string) => ({ onProgress: (p: JobProgress): void => say(medium, p) });
    const job = { job: "elf", ...args };
    const here = await timed(
      "loopback",
      async () => (await cluster(describe({ medium: "loopback", ...job })).run(watch("loopback"))).ranks,
    );
    assertEquals(here.map((r) => [r.state, r.value]), new Array(nodes).fill(["done", guest.value]));
    const rest: [string, () => Promise<JobResult["ranks"]>][] = [
      ["worker", async () => (await runOnWorkers(JOBS, { workers: 2, args: job, ...watch("worker") })).ranks],
      ["tcp", async () => (await runOnTwoByTcp("elf", args)).ranks],
    ];
    if (launcher !== undefined) rest.push(["mpi", () => runOnTwoByMpi(launcher, "elf", args)]);
    for (const [medium, run] of rest) assertEquals(await timed(medium, run), here, medium);
    return here.reduce((t, r) => Math.max(t, r.time), 0);
  } finally {
    await Deno.remove(file);
  }
}

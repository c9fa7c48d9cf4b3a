/** NPB EP and IS as programs of emulated machines over every medium: they verify, and take the same virtual time. */
import { MESSAGE_C_PROGRAMS } from "../../../../lib/guests/message/c_programs.ts";
import { runOnWorkers } from "../../../../lib/host/message/run.ts";
import { cluster, type JobResult } from "../../../../mod.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { compileGuest } from "../../guests/message/compile.ts";
import { describe } from "./jobs.ts";
import { JOBS, runOnTwoByMpi, runOnTwoByTcp } from "./parts.ts";

/** A benchmark, and what each of its machines must return. */
export interface NpbGuest {
  readonly name: "ep" | "is";
  readonly flags: readonly string[];
  readonly value: number;
}

/** EP of a small size: pairs that are accepted. */
export const EP_SMALL: NpbGuest = { name: "ep", flags: ["-DEP_M=16"], value: 51285 };
/** EP of class S; the pairs are those of the published annuli. */
export const EP_S: NpbGuest = { name: "ep", flags: ["-DEP_M=24"], value: 13176389 };
/** IS of class S: checks that agree. */
export const IS_S: NpbGuest = { name: "is", flags: [], value: 51 };

/** Runs a benchmark on machines over each medium. @param launcher Of MPI processes; undefined: there is none. */
export async function verifyGuests(guest: NpbGuest, nodes: number, launcher: string | undefined): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    await Deno.writeFile(file, await compileGuest(MESSAGE_C_PROGRAMS[guest.name], ["-mfpmath=387", ...guest.flags]));
    const args = { nodes, file };
    const plain = (ranks: JobResult["ranks"]): JobResult["ranks"] => JSON.parse(JSON.stringify(ranks));
    const here = plain((await cluster(describe({ job: "elf", medium: "loopback", ...args })).run()).ranks);
    assertEquals(here.map((r) => [r.state, r.value]), new Array(nodes).fill(["done", guest.value]));
    const workers = await runOnWorkers(JOBS, { workers: 2, args: { job: "elf", ...args } });
    assertEquals(plain(workers.ranks), here, "worker");
    assertEquals(plain((await runOnTwoByTcp("elf", args)).ranks), here, "tcp");
    if (launcher !== undefined) assertEquals(await runOnTwoByMpi(launcher, "elf", args), here, "mpi");
  } finally {
    await Deno.remove(file);
  }
}

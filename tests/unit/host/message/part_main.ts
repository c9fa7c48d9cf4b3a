/** A process that runs a part of a job: `tcp PORT KEY JOB [ARGS]` or `mpi JOB [ARGS]`; ARGS are JSON. */
import { joinMpi } from "../../../../lib/host/message/mpi_transport.ts";
import { runOverTcp, runPart } from "../../../../lib/host/message/run.ts";

const JOBS = new URL("./jobs.ts", import.meta.url);
const [medium, ...rest] = Deno.args;
if (medium === "tcp") {
  const [port, key, job, more = "{}"] = rest;
  const options = { key, process: 1, processes: 2, first: { port: Number(port) } };
  const result = await runOverTcp(JOBS, options, { job, medium, ...JSON.parse(more) });
  console.log(JSON.stringify(result.ranks));
} else {
  const [job, more = "{}"] = rest;
  const transport = joinMpi();
  const { ranks } = await runPart(JOBS, { job, medium, ...JSON.parse(more) }, transport);
  if (transport.process === 0) console.log(JSON.stringify(ranks)); // all know the same; one says it
}

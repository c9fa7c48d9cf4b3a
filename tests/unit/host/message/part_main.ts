/** A process that runs a part of a job: `tcp PORT KEY JOB` or `mpi JOB`. */
import { runOverMpi, runOverTcp } from "../../../../lib/host/message/run.ts";

const JOBS = new URL("./jobs.ts", import.meta.url);
const [medium, ...rest] = Deno.args;
if (medium === "tcp") {
  const [port, key, job] = rest;
  const options = { key, process: 1, processes: 2, first: { port: Number(port) } };
  const result = await runOverTcp(JOBS, options, { job, medium });
  console.log(JSON.stringify(result.ranks));
} else {
  const [job] = rest;
  const result = await runOverMpi(JOBS, { job, medium });
  console.log(JSON.stringify(result.ranks));
}

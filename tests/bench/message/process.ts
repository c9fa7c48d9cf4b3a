/**
 * A process of the message benchmarks: `tcp NUMBER PORT` or `mpi`. The first prints a line of JSON: what the jobs and the
 * bare medium took.
 */
import { joinMpi, joinTcp, MPI_LIBRARIES, runPart, Sessions } from "../../../lib/host/mod.ts";
import type { Transport } from "../../../mod.ts";
import { bareMpi, bareSocket } from "./bare_media.ts";
import { GUEST_SIZES } from "./jobs.ts";

const JOBS = new URL("./jobs.ts", import.meta.url);

async function jobs(transport: Transport): Promise<{ osu: unknown; guest: unknown[] }> {
  const sessions = new Sessions(transport);
  const run = async (args: { readonly [name: string]: unknown }): Promise<unknown> =>
    (await runPart(JOBS, { medium: transport.medium, ...args }, sessions.next())).ranks[0].value;
  const osu = await run({ job: "osu" });
  const guest: unknown[] = [];
  for (const size of GUEST_SIZES) guest.push(await run({ job: "guest", size }));
  return { osu, guest };
}

const [medium, number, port] = Deno.args;
if (medium === "tcp") {
  const process = Number(number);
  if (process === 0) leaveWithParent();
  const first = { port: Number(port) };
  const onListen = (n: number): void => process === 0 ? console.log(n) : undefined;
  const transport = await joinTcp({ key: "only for this benchmark", process, processes: 2, first, onListen });
  const result = await jobs(transport);
  await transport.close();
  // The bare socket, at the port behind.
  const listener = process === 0 ? Deno.listen({ hostname: "127.0.0.1", port: 0 }) : undefined;
  if (listener !== undefined) console.log(listener.addr.transport === "tcp" ? listener.addr.port : 0);
  const socket = listener !== undefined ? await listener.accept() : await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(await line()),
  });
  if (process === 1) leaveWithParent();
  const bare = await bareSocket(process === 0, socket as Deno.TcpConn);
  socket.close();
  listener?.close();
  if (process === 0) console.log(JSON.stringify({ ...result, bare }));
} else {
  const transport = joinMpi();
  const result = await jobs(transport);
  const bare = await bareMpi(transport.process, MPI_LIBRARIES[0]);
  await transport.close();
  if (transport.process === 0) console.log(JSON.stringify({ ...result, bare }));
}

/** Ends this process when standard input ends: whoever started it is done with it, or gone. */
async function leaveWithParent(): Promise<void> {
  while (await Deno.stdin.read(new Uint8Array(64)) !== null);
  Deno.exit(0);
}

/** A line of standard input. */
async function line(): Promise<string> {
  const bytes = new Uint8Array(64);
  return new TextDecoder().decode(bytes.subarray(0, await Deno.stdin.read(bytes) ?? 0));
}

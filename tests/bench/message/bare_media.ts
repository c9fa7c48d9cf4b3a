/** Ping-pong over a bare socket and over bare MPI calls: half of a round trip by size, us. */
import { BATCHES, rounds, SIZES } from "./jobs.ts";

/** Times a ping-pong of blocking or awaited steps. */
async function pingPong(
  first: boolean,
  send: (record: Uint8Array<ArrayBuffer>) => Promise<void> | void,
  receive: (into: Uint8Array<ArrayBuffer>) => Promise<void> | void,
): Promise<number[]> {
  const result: number[] = [];
  for (const size of SIZES) {
    const [record, into] = [new Uint8Array(size), new Uint8Array(size)];
    const n = rounds(size);
    let best = Infinity;
    for (let batch = 0; batch < BATCHES; batch++) {
      const start = performance.now();
      for (let i = 0; i < n; i++) {
        if (!first) await receive(into);
        await send(record);
        if (first) await receive(into);
      }
      best = Math.min(best, ((performance.now() - start) * 1000) / (2 * n));
    }
    result.push(best);
  }
  return result;
}

/** Over a socket. */
export async function bareSocket(first: boolean, socket: Deno.TcpConn): Promise<number[]> {
  socket.setNoDelay(true);
  return await pingPong(
    first,
    async (record) => {
      for (let at = 0; at < record.length;) at += await socket.write(record.subarray(at));
    },
    async (into) => {
      for (let at = 0; at < into.length;) at += await socket.read(into.subarray(at)) ?? into.length;
    },
  );
}

const WORLD = 0x44000000;
const BYTE = 0x4c00010d;
const TAG = 7;

/** Over MPI_Send and MPI_Recv of MPICH; MPI is initialised. */
export async function bareMpi(process: number, library: string): Promise<number[]> {
  const lib = Deno.dlopen(library, {
    MPI_Send: { parameters: ["buffer", "i32", "i32", "i32", "i32", "i32"], result: "i32" },
    MPI_Recv: { parameters: ["buffer", "i32", "i32", "i32", "i32", "i32", "pointer"], result: "i32" },
  });
  const ignore = Deno.UnsafePointer.create(1n);
  const peer = 1 - process;
  const result = await pingPong(
    process === 0,
    (record) => void lib.symbols.MPI_Send(record, record.length, BYTE, peer, TAG, WORLD),
    (into) => void lib.symbols.MPI_Recv(into, into.length, BYTE, peer, TAG, WORLD, ignore),
  );
  lib.close();
  return result;
}

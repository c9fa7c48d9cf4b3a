/**
 * Benchmarks of the message layer: what a message costs the host in virtual time, bare and with each filter; the parts
 * it is made of; machines; and half a round trip between two Workers beside that of the bare ring, in the same run.
 */
import { cluster, job, type MessageRank, pingPongGuest } from "../../mod.ts";
import { Ring, RING_HEADER } from "../../lib/host/message/ring.ts";
import { decodeFrame, encodeFrame } from "../../lib/vmi/message/frame.ts";
import { packFields } from "../../lib/vmi/message/operation.ts";
import { messageBench, messageTables } from "./message/report.ts";

const ROUNDS = 500;

function pair(layers: readonly string[], size: number): () => Promise<unknown> {
  const spec = {
    devices: { delay: { module: "builtin:delay", parameters: { latencyUs: 1 } } },
    chains: [{ name: "c", layers: [...layers, "loopback"] }],
  };
  const program = async (rank: MessageRank): Promise<void> => {
    await rank.mesh();
    const c = rank.to(1 - rank.rank);
    const region = rank.register(new Uint8Array(size));
    for (let i = 0; i < ROUNDS; i++) {
      if (rank.rank === 1) await rank.receive();
      c.send([{ region, offset: 0, length: size }]);
      if (rank.rank === 0) await rank.receive();
    }
  };
  return () => job({ ranks: 2, spec, program }).run();
}

const FILTERS = ["trace", "stats", "delay", "loggp", "checksum", "compress", "encrypt", "reliable", "credit"];

for (const size of [8, 16384]) {
  const group = `${2 * ROUNDS} messages of ${size} bytes in virtual time`;
  Deno.bench({ name: `no filter, ${size}`, group, baseline: true, fn: async () => void await pair([], size)() });
  for (const filter of FILTERS) {
    Deno.bench({ name: `${filter}, ${size}`, group, fn: async () => void await pair([filter], size)() });
  }
}

const frame = {
  ...{ type: 16, flags: 0, chain: 0, source: 0, destination: 1, sequence: 1, sentAt: 0, epoch: 0 },
  extensions: [packFields(0, 64, 0)],
  payload: new Uint8Array(64),
};
const bytes = encodeFrame(frame);
Deno.bench("encode a frame of 64 bytes", { group: "frame" }, () => void encodeFrame(frame));
Deno.bench("decode a frame of 64 bytes", { group: "frame" }, () => void decodeFrame(bytes));

const ring = new Ring(new SharedArrayBuffer(RING_HEADER + 65536), 0, 65536);
Deno.bench("write and read 100 bytes through a ring", { group: "frame" }, () => {
  ring.write(bytes, 0);
  ring.read();
});

Deno.bench("two machines exchange 100 messages of 64 bytes", { group: "guests" }, async () => {
  await cluster({ nodes: 2, program: pingPongGuest(64, 50) }).run();
});

Deno.bench("all media, layers and EP over Workers (tables are printed)", { n: 1, warmup: 0 }, async () => {
  console.log(messageTables(await messageBench(() => {})));
});

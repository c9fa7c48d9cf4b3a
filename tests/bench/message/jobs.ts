/** The job of the benchmark between Workers: ping-pong in real time, warmed up before it is measured. */
import type { ClusterOptions, MessageRank } from "../../../mod.ts";

const BATCHES = 40;
const ROUNDS = 500;

/** Describes it; `size` bytes a message. Rank 0 returns the half round trip of its best batch, us. */
export function describe(args: { [name: string]: unknown }): ClusterOptions {
  const size = Number(args["size"]);
  const program = async (rank: MessageRank): Promise<number> => {
    await rank.mesh();
    const c = rank.to(1 - rank.rank);
    const region = rank.register(new Uint8Array(size));
    let best = Infinity;
    for (let batch = 0; batch < BATCHES; batch++) {
      const start = rank.now;
      for (let i = 0; i < ROUNDS; i++) {
        if (rank.rank === 1) await rank.receive();
        c.send([{ region, offset: 0, length: size }]);
        if (rank.rank === 0) await rank.receive();
      }
      best = Math.min(best, (rank.now - start) / (2000 * ROUNDS));
    }
    return best;
  };
  return { nodes: 2, time: "real", program, spec: { chains: [{ name: "c", layers: ["worker"] }] } };
}

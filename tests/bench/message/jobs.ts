/** The job of the benchmark between Workers: ping-pong in real time, warmed up before it is measured. */
import type { ClusterOptions, MessageRank } from "../../../mod.ts";

const WARM = 500;
const ROUNDS = 3000;

/** Describes it; `size` bytes a message. */
export function describe(args: { [name: string]: unknown }): ClusterOptions {
  const size = Number(args["size"]);
  const program = async (rank: MessageRank): Promise<number> => {
    await rank.mesh();
    const c = rank.to(1 - rank.rank);
    const region = rank.register(new Uint8Array(size));
    let start = 0;
    for (let i = 0; i < WARM + ROUNDS; i++) {
      if (i === WARM) start = rank.now;
      if (rank.rank === 1) await rank.receive();
      c.send([{ region, offset: 0, length: size }]);
      if (rank.rank === 0) await rank.receive();
    }
    return (rank.now - start) / (2000 * ROUNDS);
  };
  return { nodes: 2, time: "real", program, spec: { chains: [{ name: "c", layers: ["worker"] }] } };
}

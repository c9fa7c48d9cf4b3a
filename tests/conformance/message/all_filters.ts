/** Every filter in one chain, over a network. */
import type { MessageSpec } from "../../../lib/vmi/message/spec.ts";

/** The spec. */
export function underAllFilters(network: string): MessageSpec {
  return {
    devices: {
      slow: { module: "builtin:delay", parameters: { latencyUs: 5, jitterUs: 3 } },
      model: { module: "builtin:loggp", parameters: { preset: "infiniband-4x" } },
      narrow: { module: "builtin:bandwidth", parameters: { bytesPerSecond: 1e9, burst: 1000, shared: true } },
      drop: { module: "builtin:drop", parameters: { probability: 0.05 } },
      duplicate: { module: "builtin:duplicate", parameters: { probability: 0.05 } },
      reorder: { module: "builtin:reorder", parameters: { probability: 0.05 } },
      corrupt: { module: "builtin:corrupt", parameters: { probability: 0.01 } },
    },
    chains: [{
      name: "c",
      layers: [
        ...["trace", "stats", "credit", "compress", "reliable", "encrypt", "checksum", "slow", "model", "narrow"],
        ...["drop", "duplicate", "reorder", "corrupt", network],
      ],
    }],
  };
}

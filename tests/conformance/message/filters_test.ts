/**
 * The suite over each filter alone, over all of them together, and over the composites.
 */
import type { LayerSpec, MessageSpec } from "../../../lib/vmi/message/spec.ts";
import type { ParameterValue } from "../../../lib/vmi/message/module.ts";
import { messageSuite } from "./suite.ts";

type Device = readonly [module: string, parameters?: { readonly [name: string]: ParameterValue }];

function chain(devices: { readonly [name: string]: Device }, layers: readonly LayerSpec[]): MessageSpec {
  return {
    devices: Object.fromEntries(
      Object.entries(devices).map(([name, [module, parameters = {}]]) => [name, {
        module: `builtin:${module}`,
        parameters,
      }]),
    ),
    chains: [{ name: "main", layers }],
  };
}

const SINGLE: { readonly [name: string]: Device } = {
  "trace": ["trace", { snap: 4 }],
  "stats": ["stats"],
  "delay": ["delay", { latencyUs: 30, jitterUs: 20 }],
  "loggp": ["loggp", { preset: "myrinet-2000" }],
  "bandwidth": ["bandwidth", { bytesPerSecond: 2e8, burst: 1000, shared: true }],
  "checksum": ["checksum"],
  "compress": ["compress"],
  "encrypt": ["encrypt", { keyId: "k" }],
  "reliable": ["reliable"],
};

for (const [name, device] of Object.entries(SINGLE)) {
  messageSuite(name, {
    spec: chain({ it: device }, ["it", "loopback"]),
    largest: name === "encrypt" ? 300_000 : 4 * 1024 * 1024,
  });
}

const HARM: { readonly [name: string]: Device } = {
  drop: ["drop", { probability: 0.1 }],
  duplicate: ["duplicate", { probability: 0.1 }],
  reorder: ["reorder", { probability: 0.1 }],
  corrupt: ["corrupt", { probability: 0.01 }],
};

for (const [name, device] of Object.entries(HARM)) {
  messageSuite(`reliable, checksum and ${name}`, {
    spec: chain({ it: device }, ["reliable", "checksum", "it", "loopback"]),
  });
}

messageSuite("all filters together", {
  spec: chain({ ...SINGLE, ...HARM }, [
    "trace",
    "stats",
    "credit",
    "compress",
    "reliable",
    "encrypt",
    "checksum",
    "delay",
    "loggp",
    "bandwidth",
    "drop",
    "duplicate",
    "reorder",
    "corrupt",
    "loopback",
  ]),
  largest: 300_000,
});

const NETWORKS: { readonly [name: string]: Device } = {
  fast: ["loopback", { latencyNs: 2000, bytesPerSecond: 1e9 }],
  slow: ["loopback", { latencyNs: 40_000, bytesPerSecond: 1e7 }],
  third: ["loopback", { latencyNs: 5000, bytesPerSecond: 3e8 }],
};

messageSuite("failover of two networks", {
  spec: chain({ ...NETWORKS, either: ["failover"] }, [{ device: "either", children: [["fast"], ["slow"]] }]),
});
messageSuite("failover with a preferred network that flaps", {
  spec: chain(
    { ...NETWORKS, either: ["failover", { holdUs: 100 }], flap: ["outage", { periodUs: 900, downUs: 500 }] },
    [
      "credit",
      { device: "either", children: [["flap", "fast"], ["third"]] },
    ],
  ),
});
messageSuite("stripe of three unequal networks", {
  spec: chain({ ...NETWORKS, all: ["stripe"] }, [{ device: "all", children: [["fast"], ["slow"], ["third"]] }]),
});
messageSuite("failover of a stripe and a network", {
  spec: chain({ ...NETWORKS, both: ["stripe"], either: ["failover"] }, [
    "credit",
    { device: "either", children: [[{ device: "both", children: [["fast"], ["third"]] }], ["slow"]] },
  ]),
});
messageSuite("reliable over a stripe of which one network loses frames", {
  spec: chain({ ...NETWORKS, ...HARM, both: ["stripe"] }, [
    "reliable",
    "checksum",
    { device: "both", children: [["drop", "fast"], ["third"]] },
  ]),
  largest: 300_000,
});

/**
 * The suite over the plain networks in one process.
 */
import { messageSuite } from "./suite.ts";

messageSuite("loopback", { spec: { chains: [{ name: "plain", layers: ["loopback"] }] } });
messageSuite("credit and loopback", { spec: { chains: [{ name: "c", layers: ["credit", "loopback"] }] } });
messageSuite("a slow network with small frames", {
  spec: {
    devices: {
      slow: {
        module: "builtin:loopback",
        parameters: { latencyNs: 50_000, bytesPerSecond: 1e8, maxFrame: 777 },
      },
    },
    chains: [{ name: "slow", layers: ["credit", "slow"] }],
  },
});

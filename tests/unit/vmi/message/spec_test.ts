/** The spec file: each kind of mistake is found and said with its place. */
import { checkSpec, defaultChain, networksOf } from "../../../../lib/vmi/message/spec.ts";
import { modulesByName } from "../../../../lib/vmi/message/builtins.ts";
import { job } from "../../../../lib/vmi/message/job.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../../../scripts/deps/std.ts";

const modules = modulesByName([]);
const net = { module: "builtin:loopback" };

function fails(value: unknown, ...texts: string[]): void {
  const e = assertThrows(() => checkSpec(value, modules));
  assertInstanceOf(e, ConfigError);
  assertEquals(e.code, "message-spec");
  for (const t of texts) assertStringIncludes(e.message, t);
}

Deno.test("checkSpec() names the place of each mistake", () => {
  const chains = [{ name: "c", layers: ["net"] }];
  const device = (parameters: unknown, module = "builtin:delay"): unknown => ({
    devices: { d: { module, parameters } },
    chains,
  });
  const layers = (...l: unknown[]): unknown => ({ devices: { net }, chains: [{ name: "c", layers: l }] });
  fails("{", "is not JSON");
  fails(3, "top level", "must be an object");
  fails({ chain: [] }, 'unknown key "chain"', "chains");
  fails({ version: 2, chains }, "version", "reads version 1");
  fails({}, "chains", "must be a list");
  fails({ chains: [] }, "chains", "not empty");
  fails({ devices: [], chains }, "devices", "a list");
  fails({ devices: { d: {} }, chains }, "devices.d.module", "is missing");
  fails({ devices: { d: { module: "builtin:dely" } }, chains }, "devices.d.module", '"builtin:dely" is not known');
  fails({ devices: { d: { module: { abi: 2, create: () => {} } } }, chains }, "abi 2", "speaks 1");
  fails({ devices: { d: { module: {} } }, chains }, "create function");
  fails(device({}), "devices.d.parameters.latencyUs", "must be given");
  fails(device({ latencyUs: "5" }), "latencyUs", "must be a number");
  fails(device({ latencyUs: -5 }), "latencyUs", "from 0 to", "not -5");
  fails(device({ latencyUs: NaN }), "latencyUs", "not NaN");
  fails(device({ latency: 5 }), 'no parameter "latency"', "latencyUs");
  fails(device({ preset: "warp" }, "builtin:loggp"), "preset", "one of", "warp");
  fails({ devices: { net }, chains: [{ layers: ["net"] }] }, "chains[0].name");
  fails({ devices: { net }, chains: [{ name: "c", use: "often", layers: ["net"] }] }, "chains[0].use", "often");
  fails({ devices: { net }, chains: [...chains, ...chains] }, 'two chains named "c"');
  fails(layers(), "chains[0].layers", "not empty");
  fails(layers("lan"), "chains[0].layers[0]", '"lan" is not described', "net");
  fails(layers(7), "chains[0].layers[0]", "must be");
  fails(layers("net", "net"), "ends a chain");
  fails(layers("credit"), "lowest layer");
  fails(layers("credit", "credit", "net"), "in this chain already");
  fails(layers({ device: "failover" }), "children", "must be a list");
  fails(layers({ device: "failover", children: [["net"], ["net"]] }), "in this chain already");
  fails(layers({ device: "net", children: [["credit"]] }), "has no children");
  fails(layers({ device: "failover", children: [["net"]] }, "net"), "ends a chain");
});

Deno.test("checkSpec() reads JSON text, fills in defaults, and knows its networks", () => {
  const spec = checkSpec(
    JSON.stringify({
      version: 1,
      devices: { a: net, b: net, either: { module: "builtin:failover" } },
      chains: [{ name: "x", layers: ["credit", { device: "either", children: [["a"], ["b"]] }] }],
    }),
    modules,
  );
  assertEquals(spec.devices.get("a")?.parameters, { latencyNs: 1000, bytesPerSecond: 0, maxFrame: 65536 });
  assertEquals(spec.devices.get("credit")?.parameters, { frames: 64, bytes: 1048576 });
  assertEquals(networksOf(spec), ["a", "b"]);
});

Deno.test("defaultChain() takes the first chain that fits and reaches", () => {
  const spec = checkSpec({
    devices: { san: net, wan: net },
    chains: [
      { name: "hidden", use: "never", layers: ["san"] },
      { name: "near", use: "same-cluster", layers: ["san"] },
      { name: "far", use: "cross-cluster", layers: ["wan"] },
      { name: "any", layers: ["wan"] },
    ],
  }, modules);
  const at = (cluster: number) => ({ rank: 0, cluster, process: 0 });
  const pick = (cluster: number, reach: string[]) => defaultChain(spec, at(0), at(cluster), (d) => reach.includes(d));
  assertEquals([pick(0, ["san", "wan"]), pick(1, ["san", "wan"]), pick(0, ["wan"]), pick(0, [])], [1, 2, 3, undefined]);
});

Deno.test("one spec serves both kinds of pair, and a chain may be named", async () => {
  const result = await job({
    ranks: 3,
    clusters: [0, 0, 1],
    spec: {
      devices: { san: net, wan: { module: "builtin:loopback", parameters: { latencyNs: 1e6 } } },
      chains: [{ name: "near", use: "same-cluster", layers: ["san"] }, { name: "far", layers: ["wan"] }],
    },
    program: async (rank) => {
      if (rank.rank !== 2) return await rank.until(() => rank.to(2).isConnected);
      await rank.connect(0);
      await rank.connect(1, { chain: "near" });
      await assertRejects(() => rank.connect(0, { chain: "none" }), ConfigError, 'no chain "none"');
      return [rank.to(0).oneWayLatencyUs, rank.to(1).oneWayLatencyUs, rank.to(1).chain?.names];
    },
  }).run();
  assertEquals(result.ranks.map((r) => r.error), [undefined, undefined, undefined]);
  assertEquals(result.ranks[2].value, [1000, 1, ["san"]]);
});

Deno.test("job() says what is wrong with its options", () => {
  const program = (): void => {};
  const cases: [() => unknown, string][] = [
    [() => job({ ranks: 0, program }), "1 to 4096"],
    [() => job({ ranks: 2 }), "needs a program"],
    [() => job({ ranks: 2, program: [program] }), "1 programs for 2 ranks"],
    [() => job({ ranks: 2, program, clusters: [0] }), "clusters names 1"],
    [() => job({ ranks: 2, program, placement: [0] }), "placement names 1"],
    [() => job({ ranks: 2, program, spec: "nonsense" }), "not JSON"],
  ];
  for (const [make, text] of cases) assertStringIncludes(assertThrows(make, ConfigError).message, text);
});

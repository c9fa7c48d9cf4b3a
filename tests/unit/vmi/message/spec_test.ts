/** The spec file: each kind of mistake is found and said with its place. */
import { checkSpec, defaultChain, networksOf } from "../../../../lib/vmi/message/spec.ts";
import { modulesByName } from "../../../../lib/vmi/message/builtins.ts";
import { job } from "../../../../lib/vmi/message/job.ts";
import type { MessageModule } from "../../../../lib/vmi/message/module.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../../../scripts/deps/std.ts";

const modules = modulesByName([]);
const NUL = String.fromCharCode(0);
const net = { module: "builtin:loopback" };

function fails(value: unknown, ...texts: string[]): void {
  const e = assertThrows(() => checkSpec(value, modules, 4));
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
  fails({ devices: { d: { module: { abi: 1, create: () => {}, kind: "magic" } } }, chains }, "kind", '"magic"');
  fails({ devices: { d: { module: { abi: 1, create: () => {}, kind: "filter" } } }, chains }, "list of parameters");
  fails({ devices: { d: { module: "builtin:drop", sha256: "12" } }, chains }, "devices.d.sha256", "64 hexadecimal");
  fails(device({ count: 1.5 }, "builtin:drop"), "parameters.count", "whole number, not 1.5");
  fails(device({ pairs: [[0, 1], 3] }, "builtin:drop"), "parameters.pairs[1]", "a pair [a, b] of ranks", "not 3");
  fails(device({ pairs: [[0, -1]] }, "builtin:drop"), "pairs[0]", "a pair [a, b] of ranks", "[0,-1]");
  fails(device({ pairs: [[0, 1], [1, 7]] }, "builtin:drop"), "pairs[1]", "names rank 7; the job has ranks 0 to 3");
  fails(device({ pairs: [[0.5, 1]] }, "builtin:drop"), "pairs[0]", "names rank 0.5");
  fails(device({ latencyUs: null }), "latencyUs", "must be a number, not null");
  fails(device({ keyId: 7 }, "builtin:encrypt"), "keyId", "must be a string, not 7");
  fails(device({ crossCluster: "yes" }, "builtin:drop"), "crossCluster", 'must be a boolean, not "yes"');
  fails(device({ probability: 1.5 }, "builtin:drop"), "probability", "from 0 to 1, not 1.5");
  fails(device({ periodUs: 10, downUs: 11 }, "builtin:outage"), "devices.d.parameters", "downUs is 11, longer than");
  fails(device({ periodUs: 10 }, "builtin:outage"), "devices.d.parameters", "periodUs needs downUs");
  fails(device({ downUs: 10 }, "builtin:outage"), "devices.d.parameters", "belongs to periodUs or afterFrames");
  fails(device({ piece: 20000 }, "builtin:stripe"), "devices.d.parameters", "piece is 20000, more than the threshold");
  fails(device({ types: [16, 99] }, "builtin:trace"), "devices.d.parameters", "no frames of type 99");
  fails(device([1]), "devices.d.parameters", "must be an object, not a list");
  fails(device(null), "devices.d.parameters", "must be an object, not null");
  fails({ devices: null, chains }, "devices", "not null");
  fails({ devices: { "": net }, chains }, "devices", "name must not be empty");
  fails({ devices: { d: { ...net, asText: 1 } }, chains }, "devices.d.asText", "true or false, not 1");
  const rules = { abi: 1, create: () => {}, kind: "filter" };
  fails({ devices: { d: { module: { ...rules, parameters: [null] } } }, chains }, "parameters[0]", "a name and a type");
  fails({ devices: { d: { module: { ...rules, parameters: [{ name: "a", type: "u8" }] } } }, chains }, "parameters[0]");
  fails('{"chains": [],\n "devices": {"a": {}, "b": {},\n "a": {}}}', "line 3", 'the key "a" is given twice');
  fails('{"chains": [{"name": "x", "name": "y"}]}', "line 1", 'the key "name" is given twice');
  fails(`{"chains": ["${NUL}"]}`, "is not JSON");
  fails(device({ windowsUs: [[5, 1]] }, "builtin:outage"), "windowsUs[0]", "from below to", "[5,1]");
  fails(device({ types: ["stream"] }, "builtin:trace"), "types[0]", "a number");
  fails({ chains: [null] }, "chains[0]", "not null");
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
  let deep: unknown = "net";
  for (let i = 0; i < 10_000; i++) deep = { device: `d${i}`, children: [[deep]] };
  const composites = Array.from({ length: 10_000 }, (_, i) => [`d${i}`, { module: "builtin:failover" }]);
  const devices = { net, ...Object.fromEntries(composites) };
  fails({ devices, chains: [{ name: "c", layers: [deep] }] }, "more than 16 composites");
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

Deno.test("checkSpec() takes keys of the same name in different objects, and texts with braces", () => {
  const text = `{"devices": {"a:{": {"module": "builtin:loopback"}, "b\\"{": {"module": "builtin:loopback"}},
    "chains": [{"name": "x", "layers": ["a:{"]}, {"name": "y", "layers": ["b\\"{"]}]}`;
  assertEquals(checkSpec(text, modules).chains.map((c) => c.name), ["x", "y"]);
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

Deno.test("a module that makes no device, or fails in it, is named", async () => {
  const cases: [() => unknown, string][] = [
    [() => undefined, "made no device"],
    [() => {
      throw new Error("no licence");
    }, "failed in create: no licence"],
  ];
  for (const [create, text] of cases) {
    const module = { name: "mine", abi: 1, kind: "filter", parameters: [], create } as unknown as MessageModule;
    const spec = { devices: { d: { module } }, chains: [{ name: "c", layers: ["d", "loopback"] }] };
    const { ranks } = await job({ ranks: 1, spec, program: async (rank) => void await rank.connect(0) }).run();
    assertStringIncludes(String(ranks[0].error), `Device "d": module "mine" ${text}`);
  }
});

Deno.test("job() says what is wrong with its options", () => {
  const program = (): void => {};
  const having = (more: unknown): () => unknown => () => job({ ranks: 2, program, ...more as object });
  const cases: [() => unknown, string][] = [
    [() => job({ ranks: 0, program }), "1 to 4096"],
    [() => job({ ranks: 2 }), "needs a program"],
    [having({ program: [program] }), "1 programs for 2 ranks"],
    [having({ clusters: [0] }), "clusters names 1"],
    [having({ clusters: [0, 0.5] }), "clusters[1] must be an integer from 0 to"],
    [having({ placement: [0] }), "placement names 1"],
    [having({ placement: [0, 7] }), "placement[1] must be an integer from 0 to 0, not 7"],
    [having({ spec: "nonsense" }), "not JSON"],
    [having({ spec: null }), "must be an object, not null"],
    [having({ sed: 3 }), 'no option "sed"'],
    [having({ seed: NaN }), "seed must be an integer, not NaN"],
    [having({ time: "fast" }), 'time must be "virtual" or "real", not fast'],
    [having({ key: 5 }), "key must be a text"],
    [having({ lostProcess: "wait" }), 'lostProcess must be "end" or "go-on", not wait'],
    [having({ lostProcess: "go-on" }), 'needs a job in real time; give time: "real"'],
    [having({ limits: { maxMesage: 1 } }), 'limits has no "maxMesage"'],
    [having({ limits: { maxMessage: -1 } }), "limits.maxMessage must be a number of at least 0, not -1"],
    [having({ modules: [3] }), "modules[0] must be an object with a name"],
  ];
  for (const [make, text] of cases) assertStringIncludes(assertThrows(make, ConfigError).message, text);
});
